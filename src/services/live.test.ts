import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readConfig, redact } from '#config'
import { createLive, LIVE_KEYS } from './live.ts'

/** Another value for each key that may change, and for some that may not. */
const OTHER = {
  ACGS_SECURITY_ADDRESS_REQUESTS_PER_MINUTE: '11', ACGS_SECURITY_GENERATIONS_PER_MINUTE: '12', ACGS_SECURITY_DIAGNOSES_PER_MINUTE: '13', ACGS_CACHING_CANDIDATES_TTL_SECONDS: '14',
  ACGS_SECURITY_BODY_BYTES_MAX: '2048', ACGS_SECURITY_CONNECTIONS_MAX: '20', ACGS_CACHING_MEMORY_BYTES_MAX: '1000', LOG_LEVEL: 'error',
}

test('every key that is said to be taken over is, everything else stays and is said to wait', () => {
  const live = createLive(readConfig({ env: {} }))
  const next = readConfig({ env: OTHER })
  const { changed, waiting } = live.take(next)
  assert.deepEqual(changed.toSorted(), [...LIVE_KEYS].toSorted())
  assert.deepEqual(waiting.toSorted(), ['caching.memory_bytes_max', 'monitoring.log_level', 'security.body_bytes_max', 'security.connections_max'])
  const { security, caching } = live.config()
  assert.deepEqual([security.addressRequestsPerMinute, security.generationsPerMinute, security.diagnosesPerMinute, caching.candidatesTtlSeconds], [11, 12, 13, 14])
  const [shown, started] = [redact(live.config()), redact(readConfig({ env: {} }))]
  for (const [section, keys] of Object.entries(started)) {
    for (const [key, value] of Object.entries(keys)) if (!LIVE_KEYS.includes(`${section}.${key}`)) assert.deepEqual(shown[section]?.[key], value, `${section}.${key}`)
  }
  assert.deepEqual(live.take(next), { changed: [], waiting })
})

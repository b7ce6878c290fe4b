import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readConfig } from '#config'
import { perMinuteOf } from './limits.ts'

const PRODUCTION = {
  ACGS_SERVICE_ENVIRONMENT: 'production', DATABASE_URL: 'postgresql://u:p@h/d', ACGS_SECURITY_SIGNING_KEY_FILE: '/k', ACGS_SECURITY_SERVICE_ACCOUNTS_FILE: '/a',
  ACGS_SECURITY_CERTIFICATE_KEY_FILE: '/c', ACGS_SECURITY_TOKEN_ISSUER: 'https://auth.example',
}

test('production has limits and the embedded default has none, unless told otherwise', () => {
  assert.deepEqual(perMinuteOf(readConfig({ env: {} })), { address: 0, generation: 0, diagnosis: 0 })
  assert.deepEqual(perMinuteOf(readConfig({ env: PRODUCTION })), { address: 100, generation: 10, diagnosis: 5 })
  assert.deepEqual(perMinuteOf(readConfig({ env: { ...PRODUCTION, ACGS_SECURITY_GENERATIONS_PER_MINUTE: '0', ACGS_SECURITY_DIAGNOSES_PER_MINUTE: '7' } })), { address: 100, generation: 0, diagnosis: 7 })
})

test('production says when all callers may count as one', () => {
  const says = (more: Record<string, string>) => readConfig({ env: { ...PRODUCTION, ...more } }).notices.some((notice) => notice.includes('security.trusted_proxies'))
  assert.deepEqual([says({}), says({ ACGS_SECURITY_TRUSTED_PROXIES: '10.0.0.1' }), says({ ACGS_SECURITY_ADDRESS_REQUESTS_PER_MINUTE: '0' })], [true, false, false])
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readConfig } from '#config'
import { Failure, type FailureCode } from '#core/failure.ts'
import { createLog } from '#telemetry/log.ts'
import { BREAKER_STATES, createMetrics, type BreakerName } from '#telemetry/metrics.ts'
import { authGuard, databaseGuard, redisGuard, type Guard } from './breakers.ts'

const config = readConfig({ env: {} })

function guarded(make: typeof authGuard, service: BreakerName): { guard: Guard; state: () => Promise<string | undefined> } {
  const telemetry = { log: createLog({ service: 'acgs-test', level: 'silent' }), metrics: createMetrics({ service: 'acgs-test', version: '8.0.0', constitutionalHash: 'cdd01ef066bc6cf2', description: 'test' }) }
  return {
    guard: make(config, telemetry),
    state: async () => BREAKER_STATES[(await telemetry.metrics.circuitBreakerState.get()).values.find(({ labels }) => labels.service === service)?.value ?? -1],
  }
}
const fails = (code: FailureCode, details = {}) => async () => { throw new Failure(code, 'as told', { details }) }

/** What says of each that it is out, what says nothing, and what says that it is there. */
const CASES = [
  { service: 'auth', make: authGuard, out: fails('PEER_UNAVAILABLE'), nothing: null, there: fails('UNAUTHENTICATED'), refuses: 'PEER_UNAVAILABLE' },
  { service: 'auth', make: authGuard, out: fails('AUTH_UNAVAILABLE'), nothing: null, there: fails('UNAUTHENTICATED'), refuses: 'PEER_UNAVAILABLE' },
  { service: 'auth', make: authGuard, out: async () => { throw new TypeError('fetch failed') }, nothing: null, there: async () => 'keys', refuses: 'PEER_UNAVAILABLE' },
  { service: 'database', make: databaseGuard, out: fails('DATABASE_UNAVAILABLE'), nothing: fails('DATABASE_UNAVAILABLE', { reason: 'pool_exhausted' }), there: async () => { throw new Error('duplicate key') }, refuses: 'DATABASE_UNAVAILABLE' },
  { service: 'redis', make: redisGuard, out: fails('CACHE_UNAVAILABLE'), nothing: null, there: fails('CACHE_UNAVAILABLE', { reason: 'no_script' }), refuses: 'CACHE_UNAVAILABLE' },
] as const

for (const [n, { service, make, out, nothing, there, refuses }] of CASES.entries()) {
  test(`${service}, case ${n + 1}: five failures in a row open it, what is not one does not`, async () => {
    const { guard, state } = guarded(make, service)
    const ask = (work: () => Promise<unknown>, times = 1) => Promise.all(Array.from({ length: times }, () => guard(work).catch(() => {})))
    await ask(out, 4)
    await ask(there, 10)
    await ask(out, 4)
    if (nothing !== null) await ask(nothing, 10)
    assert.equal(await state(), 'closed')
    await ask(out)
    assert.equal(await state(), 'open')
    let isAsked = false
    await assert.rejects(guard(async () => { isAsked = true }), (error) => error instanceof Failure && error.code === refuses && /5 times in a row/.test(error.message))
    assert.equal(isAsked, false)
  })
}

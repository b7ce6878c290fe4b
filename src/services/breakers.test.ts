import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readConfig } from '#config'
import { Failure, type FailureCode } from '#core/failure.ts'
import { peerBreaker } from '#http/call.ts'
import type { Telemetry } from '#telemetry/events.ts'
import { FOLLOW_MS } from './compliance/follow.ts'
import { createLog } from '#telemetry/log.ts'
import { BREAKER_STATES, createMetrics, type BreakerName, type PeerName } from '#telemetry/metrics.ts'
import { scrape } from '#telemetry/scrape.ts'
import { authBreaker, breakerRulesOf, databaseGuard, redisGuard, type Guard } from './breakers.ts'

const config = readConfig({ env: {} })
type Make = (of: typeof config, telemetry: Telemetry, now?: () => number) => Guard
const authGuard: Make = (...given) => authBreaker(...given).run

function guarded(make: Make, service: BreakerName): { guard: Guard; state: () => Promise<string | undefined> } {
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
  ...['pool_exhausted', 'busy', 'disk_full', 'read_only'].map((reason) => ({ service: 'database' as const, make: databaseGuard, out: fails('DATABASE_UNAVAILABLE'), nothing: fails('DATABASE_UNAVAILABLE', { reason }), there: async () => { throw new Error('duplicate key') }, refuses: 'DATABASE_UNAVAILABLE' })),
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

/** Who rests for how long, in milliseconds, and the reason where that is not what the contract says: docs/operations/breakers.md. */
const RESTS = [
  { service: 'auth', make: authGuard, restMs: 5_000, error: 'PEER_UNAVAILABLE' },
  { service: 'database', make: databaseGuard, restMs: 30_000, error: 'DATABASE_UNAVAILABLE' },
  { service: 'redis', make: redisGuard, restMs: 30_000, error: 'CACHE_UNAVAILABLE' },
  { service: 'pgc', make: peerGuard('pgc'), restMs: 30_000, error: 'PEER_UNAVAILABLE' },
  { service: 'gs', make: peerGuard('gs'), restMs: 30_000, error: 'PEER_UNAVAILABLE' },
  { service: 'platform', make: peerGuard('platform', FOLLOW_MS), restMs: 500, error: 'PEER_UNAVAILABLE' },
] as const

function peerGuard(peer: PeerName, restMs?: number): Make {
  return ({ errorHandling }, telemetry, now) => peerBreaker({ peer, url: 'http://peer', telemetry, rules: breakerRulesOf(errorHandling, restMs), ...(now === undefined ? {} : { now }) }).run
}

for (const { service, make, restMs, error } of RESTS) {
  test(`${service}: /metrics shows 0, 1 for ${restMs} ms, 2 while one call finds out, and 0 again`, async () => {
    let at = 0
    const telemetry = { log: createLog({ service: 'acgs-test', level: 'silent' }), metrics: createMetrics({ service: 'acgs-test', version: '8.0.0', constitutionalHash: 'cdd01ef066bc6cf2', description: 'test' }) }
    const guard = make(config, telemetry, () => at)
    const shown = async () => new RegExp(`^acgs_pgp_v8_circuit_breaker_state\\{service="${service}"\\} (\\d)$`, 'm').exec((await scrape(telemetry.metrics, undefined)).text)?.[1]
    const ask = () => guard(async () => { throw new Failure(error, 'out') }).catch(() => {})
    assert.equal(await shown(), '0', 'from the first scrape on')
    for (let i = 0; i < 5; i++) {
      assert.equal(await shown(), '0')
      await ask()
    }
    assert.equal(await shown(), '1')
    at += restMs - 1
    await ask()
    assert.equal(await shown(), '1')
    at += 1
    let finish = () => {}
    const trial = guard(() => new Promise<void>((resolve) => { finish = resolve }))
    assert.equal(await shown(), '2')
    finish()
    await trial
    assert.equal(await shown(), '0')
  })
}

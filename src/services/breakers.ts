import type { Config } from '#config'
import { Failure } from '#core/failure.ts'
import { createBreaker, type Breaker, type BreakerRules } from '#http/breaker.ts'
import type { Telemetry } from '#telemetry/events.ts'

/** Does the work, unless it is known that it would fail. */
export type Guard = <T>(work: () => Promise<T>) => Promise<T>

/** @param restMs Where the configured rest is too long, such as for whoever follows. */
export function breakerRulesOf({ breakerFailures, breakerRestMs }: Config['errorHandling'], restMs = breakerRestMs): BreakerRules {
  return { failuresMax: breakerFailures, restMs }
}

/** Whoever starts before Auth must not wait half a minute for it. */
const AUTH_REST_MS = 5_000

/** In front of Auth, for tokens and for public keys: a refusal says that it is there. */
export function authBreaker({ errorHandling }: Config, telemetry: Telemetry, now?: () => number): Breaker {
  const rules = breakerRulesOf(errorHandling, Math.min(AUTH_REST_MS, errorHandling.breakerRestMs))
  return createBreaker({
    service: 'auth', telemetry, rules, meanwhile: 'wait', ...(now === undefined ? {} : { now }),
    meaningOf: (error) => (error instanceof Failure && error.code === 'UNAUTHENTICATED' ? 'success' : 'failure'),
    refused: () => new Failure('PEER_UNAVAILABLE', `Auth has failed ${rules.failuresMax} times in a row and is left alone for a while`, { details: { peer: 'auth' } }),
  })
}

const NOT_OUT: readonly unknown[] = ['pool_exhausted', 'busy', 'disk_full', 'read_only']

/** In front of a pool of connections: a database that does not answer is not waited for by every request. */
export function databaseGuard({ errorHandling }: Config, telemetry: Telemetry, now?: () => number): Guard {
  const rules = breakerRulesOf(errorHandling)
  return createBreaker({
    service: 'database', telemetry, rules, meanwhile: 'refuse', ...(now === undefined ? {} : { now }),
    // That all connections are in use or that it gave up says that the database is busy, and that it cannot write, that it can still be read.
    meaningOf: (error) => (!(error instanceof Failure) || error.code !== 'DATABASE_UNAVAILABLE' ? 'success' : NOT_OUT.includes(error.details['reason']) ? 'neither' : 'failure'),
    refused: () => new Failure('DATABASE_UNAVAILABLE', `the database has failed ${rules.failuresMax} times in a row and is left alone for a while`),
  }).run
}

/** In front of Redis: whatever fails there only costs time, so it is not spent again and again. */
export function redisGuard({ errorHandling }: Config, telemetry: Telemetry, now?: () => number): Guard {
  const rules = breakerRulesOf(errorHandling)
  return createBreaker({
    service: 'redis', telemetry, rules, meanwhile: 'refuse', ...(now === undefined ? {} : { now }),
    meaningOf: (error) => (error instanceof Failure && error.details['reason'] === 'no_script' ? 'success' : 'failure'),
    refused: () => new Failure('CACHE_UNAVAILABLE', `Redis has failed ${rules.failuresMax} times in a row and is left alone for a while`),
  }).run
}

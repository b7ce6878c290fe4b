import type { Config } from '#config'
import type { Redis } from '#adapters/redis/connect.ts'
import { countShared } from '#adapters/redis/shared-count.ts'
import { clientAddress, networksIn } from '#http/client-address.ts'
import { createRateLimits, type PerMinute, type RateLimits } from '#http/rate-limit.ts'
import type { Telemetry } from '#telemetry/events.ts'

/** What holds in production where the configuration says nothing; the embedded default has no limits. */
const IN_PRODUCTION: PerMinute = { address: 100, generation: 10, diagnosis: 5 }
const NONE: PerMinute = { address: 0, generation: 0, diagnosis: 0 }

export function perMinuteOf({ service, security }: Pick<Config, 'service' | 'security'>): PerMinute {
  const otherwise = service.environment === 'production' ? IN_PRODUCTION : NONE
  return {
    address: security.addressRequestsPerMinute ?? otherwise.address,
    generation: security.generationsPerMinute ?? otherwise.generation,
    diagnosis: security.diagnosesPerMinute ?? otherwise.diagnosis,
  }
}

/**
 * The limits of one service, counted in Redis with every replica where there is one.
 *
 * @param config As it is now: limits may be changed while it runs.
 */
export function limitsOf({ service, config, redis, telemetry }: { service: string; config: () => Config; redis: Redis | null; telemetry: Telemetry }): RateLimits {
  const { trustedProxies, forwardedHeader } = config().security
  return createRateLimits({
    service, telemetry,
    perMinute: () => perMinuteOf(config()),
    addressOf: clientAddress({ trusted: networksIn(trustedProxies ?? '') ?? [], header: forwardedHeader }),
    shared: redis === null ? null : (key, limit, windowMs) => countShared(redis, key, limit, windowMs),
  })
}

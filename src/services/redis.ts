import type { Config } from '#config'
import { connectRedis, type Redis } from '#adapters/redis/connect.ts'
import { Failure } from '#core/failure.ts'
import type { ProbeResult } from '#http/health.ts'
import type { Telemetry } from '#telemetry/events.ts'
import { redisGuard } from './breakers.ts'

/** The Redis of one process, connected when it is first asked; null where none is configured. */
export function openRedis({ name, config, telemetry, ending }: { name: string; config: Config; telemetry: Telemetry; ending: (() => Promise<unknown>)[] }): Redis | null {
  const { url, connectTimeoutMs, timeoutMs } = config.redis
  if (url === null) return null
  const redis = connectRedis({ url, name, connectTimeoutMs, timeoutMs, guard: redisGuard(config, telemetry) })
  ending.push(async () => redis[Symbol.asyncDispose]())
  return redis
}

/** Where what is remembered is kept. Without Redis everything works, and replicas share nothing. */
export async function probeRedis(redis: Redis | null): Promise<ProbeResult> {
  if (redis === null) return { status: 'healthy', detail: 'in memory' }
  try {
    await redis.ping()
    return { status: 'healthy', detail: 'in memory and in Redis' }
  } catch (error) {
    return { status: 'degraded', detail: `in memory only: ${error instanceof Failure ? error.message : 'Redis does not answer'}` }
  }
}

import { startCannon, startNode } from '../child.ts'
import { aimed, summarize, type Result } from '../measure.ts'
import type { Fired, Load } from './cannon.ts'
import { activateOne } from './revision.ts'
import { progress, startSystem } from './system.ts'

const CONNECTIONS = 1_000
const QUESTIONS = 10_000

/** A thousand connections at once on decisions and on status, without an error. */
export async function connections(seconds: number): Promise<readonly Result[]> {
  await using system = await startSystem()
  const decisions = await activateOne(system.product, QUESTIONS)
  await using bare = await startNode('./constant.ts', ['{"decision":true}'], null)
  await using fire = startCannon(null)
  const loads: readonly (readonly [string, Omit<Load, 'seconds' | 'connections'>])[] = [
    ['fastify with a constant reply', { url: `http://127.0.0.1:${String(bare.said['port'])}/access/v1/evaluation`, headers: {}, bodies: decisions.bodies }],
    ['decisions', decisions],
    ['status', { url: `${system.product.url.platform}/api/v1/status`, headers: {}, bodies: null }],
  ]
  const results: Result[] = []
  for (const [name, load] of loads) {
    const fired = await fire.any({ ...load, seconds, connections: CONNECTIONS })
    if (fired.failed > 0) progress(`${name}: ${fired.why}`)
    const perSecond = summarize(`${CONNECTIONS} connections for ${seconds} s on ${name}`, '1/s', [fired.perSecond], results[0])
    results.push(perSecond, latencies(`${CONNECTIONS} connections on ${name}: a reply`, fired), aimed(summarize(`${CONNECTIONS} connections on ${name}, ${fired.sent} requests: errors`, '', [fired.failed]), 'at most', 0))
  }
  return results
}

export function latencies(name: string, { sent, p50, p95, p99 }: Fired): Result {
  return { name, unit: 'ms', n: sent, p50, p95, p99 }
}

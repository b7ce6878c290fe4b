import { startCannon, startNode } from '../child.ts'
import { aimed, summarize, type Result } from '../measure.ts'
import { latencies } from './connections.ts'
import { startSystem } from './system.ts'

/** What an earlier implementation of this service answered a second, by the number of connections; ours is meant to answer ten times as much. */
const BEFORE: Readonly<Record<string, Readonly<Record<number, number>>>> = { '/health': { 1: 177, 100: 185 }, '/metrics': { 1: 1_233, 100: 831 } }
const TIMES = 10

/** What balancers and Prometheus ask, beside the bare framework with a reply as long. */
export async function probes(seconds: number): Promise<readonly Result[]> {
  await using system = await startSystem()
  await using fire = startCannon()
  const results: Result[] = []
  for (const [path, before] of Object.entries(BEFORE)) {
    const url = `${system.product.url.platform}${path}`
    await using bare = await startNode('./constant.ts', [await (await fetch(url)).text()])
    for (const [connections, earlier] of Object.entries(before)) {
      const load = { headers: {}, bodies: null, seconds, connections: Number(connections) }
      await fire({ ...load, url, seconds: 1 })
      const constant = summarize('fastify, as long', '1/s', [(await fire({ ...load, url: `http://127.0.0.1:${String(bare.said['port'])}/constant` })).perSecond])
      const fired = await fire({ ...load, url })
      results.push(
        aimed(summarize(`${path}, ${connections} connections`, '1/s', [fired.perSecond], constant), 'at least', TIMES * earlier),
        latencies(`${path}, ${connections} connections: a reply`, fired),
      )
    }
  }
  return results
}

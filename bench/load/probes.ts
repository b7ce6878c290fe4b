import { startCannon, startNode } from '../child.ts'
import { aimed, summarize, type Result } from '../measure.ts'
import { latencies } from './connections.ts'
import { progress, startSystem } from './system.ts'
import { fireWrk, HAS_WRK } from './wrk.ts'

/** What an earlier implementation of this service answered a second, by the number of connections; ours is meant to answer ten times as much. */
const BEFORE: Readonly<Record<string, Readonly<Record<number, number>>>> = { '/health': { 1: 177, 100: 185 }, '/metrics': { 1: 1_233, 100: 831 } }
const TIMES = 10

/** What balancers and Prometheus ask, beside the bare framework with a reply as long. */
export async function probes(seconds: number): Promise<readonly Result[]> {
  await using system = await startSystem()
  await using cannon = startCannon()
  if (!HAS_WRK) progress('wrk is not there (Debian: apt-get install wrk), so that a load generator in JavaScript asks: on one connection it takes as long as the server')
  const get = (url: string, connections: number, during: number) => (HAS_WRK ? fireWrk({ url, connections, seconds: during }) : cannon({ url, connections, seconds: during, headers: {}, bodies: null }))
  const results: Result[] = []
  for (const [path, before] of Object.entries(BEFORE)) {
    const url = `${system.product.url.platform}${path}`
    await using bare = await startNode('./constant.ts', [await (await fetch(url)).text()])
    for (const [connections, earlier] of Object.entries(before).map(([count, perSecond]) => [Number(count), perSecond] as const)) {
      await get(url, connections, 1)
      const constant = summarize('fastify, as long', '1/s', [(await get(`http://127.0.0.1:${String(bare.said['port'])}/constant`, connections, seconds)).perSecond])
      const fired = await get(url, connections, seconds)
      results.push(
        aimed(summarize(`${path}, ${connections} connections`, '1/s', [fired.perSecond], constant), 'at least', TIMES * earlier),
        latencies(`${path}, ${connections} connections: a reply`, fired),
      )
    }
  }
  return results
}

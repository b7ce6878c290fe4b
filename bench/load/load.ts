import { type Result } from '../measure.ts'
import { connections } from './connections.ts'
import { costs } from './costs.ts'
import { capacity, clients, latency, memory, overload } from './generations.ts'
import { ledger } from './ledger.ts'
import { probes } from './probes.ts'

/** Of which parts, for how long each (null: as long as each needs), and whether what was measured is kept for docs/operations/capacity.md. */
export type Options = { readonly parts: readonly string[]; readonly seconds: number | null; readonly isWritten: boolean }

/** Every part is bounded in time and in what it sends. */
const PARTS: { readonly [name: string]: { readonly seconds: number; readonly run: (seconds: number, options: Options) => Promise<readonly Result[]> } } = {
  capacity: { seconds: 20, run: capacity },
  latency: { seconds: 30, run: latency },
  clients: { seconds: 60, run: clients },
  connections: { seconds: 10, run: connections },
  overload: { seconds: 15, run: overload },
  memory: { seconds: 120, run: memory },
  ledger: { seconds: 10, run: ledger },
  probes: { seconds: 4, run: probes },
  costs: { seconds: 20, run: (seconds, { isWritten }) => costs(seconds, isWritten) },
}

/** What the whole carries, with its database, its Redis and whoever sends on one machine. Only over loopback. */
export async function run(options: Options): Promise<readonly Result[]> {
  const unknown = options.parts.filter((part) => !Object.hasOwn(PARTS, part))
  if (unknown.length > 0) throw new Error(`there is no part ${unknown.join(', ')}: name one of ${Object.keys(PARTS).join(', ')}`)
  const results: Result[] = []
  for (const [name, { seconds, run }] of Object.entries(PARTS)) {
    if (options.parts.length > 0 && !options.parts.includes(name)) continue
    results.push(...(await run(options.seconds ?? seconds, options)))
  }
  return results
}

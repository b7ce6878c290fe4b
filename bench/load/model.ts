import { z } from 'zod'

const positive = z.number().positive()
const Spent = z.strictObject({ mainMs: z.number().nonnegative(), allMs: z.number().nonnegative() })

/** What one request costs, as `npm run bench -- load --part costs` has measured it. Milliseconds are of one processor of that machine. */
export const Costs = z.strictObject({
  at: z.iso.date(),
  version: z.string(),
  machine: z.strictObject({ cpu: z.string(), cores: z.int().positive() }),
  /** How many processes wanted a processor before the bench began: far above 0, the figures are too high. */
  busy: z.number().nonnegative(),
  generations: z.int().positive(),
  generation: z.strictObject({
    /** Of each process apart: its JavaScript, which runs on one processor, and all its threads. */
    apart: z.strictObject({ platform: Spent, synthesis: Spent, compliance: Spent, auth: Spent }),
    database: z.strictObject({ processorMs: positive, statements: positive, transactions: positive, waitedMs: positive, walKb: positive, storedKb: positive }),
    /** An entry of the ledger alone, while nothing else is asked, from `begin` to `commit`. */
    appendMs: positive,
    /** How long a generation holds the tip of the ledger while others are worked on in its process: no two transactions hold it at once. */
    tipHeldMs: positive,
    clientMs: z.number().nonnegative(),
  }),
  decision: z.strictObject({ processorMs: positive, statements: z.number().nonnegative() }),
  /** Generations a second on this machine, by the number of platforms. */
  platforms: z.strictObject({ one: positive, two: positive }),
  connectionsPerPlatform: z.int().positive(),
})
export type Costs = z.infer<typeof Costs>

export type Hardware = { readonly replicas: number; readonly coresPerReplica: number; readonly databaseCores: number }

/** How busy anything is planned to be: beyond that, waits grow faster than throughput. */
export const BUSY = 0.7

/** One thing that could be the first to be used up, and how many generations a second it carries. */
export type Bound = { readonly what: string; readonly perSecond: number }

export type Carried = {
  /** From the first to be used up to the last. */
  readonly bounds: readonly [Bound, ...Bound[]]
  readonly generations: number
  readonly decisions: number
  readonly connections: number
  readonly walMbPerSecond: number
  readonly storedGbPerDay: number
}

/** What some hardware would carry: the least of what each part of it would, every part as busy as it may be. */
export function carry({ generation, decision, connectionsPerPlatform }: Costs, { replicas, coresPerReplica, databaseCores }: Hardware): Carried {
  const processes = Object.entries(generation.apart).filter(([, { allMs }]) => allMs > 0).map(([name, spent]): Bound => ({
    what: `${replicas} replicas of ${name}, ${coresPerReplica} processors each`, perSecond: BUSY * replicas * perReplica(spent, coresPerReplica),
  }))
  const [first, ...others] = [
    ...processes,
    { what: `${databaseCores} processors of the database`, perSecond: (BUSY * databaseCores * 1_000) / generation.database.processorMs },
    { what: 'the tip of the ledger, which one transaction holds at a time', perSecond: (BUSY * 1_000) / generation.tipHeldMs },
  ].toSorted((a, b) => a.perSecond - b.perSecond) as [Bound, ...Bound[]]
  return {
    bounds: [first, ...others],
    generations: first.perSecond,
    decisions: (BUSY * replicas * 1_000) / decision.processorMs,
    connections: replicas * connectionsPerPlatform,
    walMbPerSecond: (first.perSecond * generation.database.walKb) / 1_024,
    storedGbPerDay: (first.perSecond * generation.database.storedKb * 86_400) / 2 ** 20,
  }
}

/** How much more two platforms do than one on one machine where everything runs: as measured, and as the costs say. */
export function secondPlatform({ generation, platforms, machine }: Costs): { readonly measured: number; readonly expected: number } {
  const all = Object.values(generation.apart).reduce((sum, { allMs }) => sum + allMs, 0) + generation.database.processorMs + generation.clientMs
  const machineCarries = (1_000 * machine.cores) / all
  const carries = (count: number) => Math.min(machineCarries, count * perReplica(generation.apart.platform, machine.cores))
  return { measured: platforms.two / platforms.one, expected: carries(2) / carries(1) }
}

/** Its JavaScript has one processor at most, and all its threads no more than there are. */
function perReplica({ mainMs, allMs }: z.infer<typeof Spent>, cores: number): number {
  return Math.min(1_000 / Math.max(mainMs, 1e-9), (1_000 * cores) / Math.max(allMs, 1e-9))
}

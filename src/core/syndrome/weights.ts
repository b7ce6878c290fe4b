import { z } from 'zod'
import { Failure } from '#core/failure.ts'
import { clopperPearson } from '#core/injection/interval.ts'
import shipped from './weights.json' with { type: 'json' }

const Count = z.int().min(0)
const Assumed = z.strictObject({ value: z.number().gt(0).lt(1), because: z.string().min(1) })

/** What the outcomes of a source are counted for: the rates of methods and how they err together, or only the latter. */
export const CountedFor = z.enum(['all', 'together'])

/**
 * What is known of how often methods are wrong: counts with the place where they were counted, and what is only assumed, with the reason.
 * It says nothing of any one sentence.
 */
export const Weights = z
  .strictObject({
    version: z.string().regex(/^\d+\.\d+\.\d+$/),
    readings: z.strictObject({
      /** Where sentences were compared with what they mean: pairs are summed over these, methods over those that count for all. */
      sources: z.array(z.strictObject({ id: z.string().regex(/^[a-z0-9][a-z0-9.-]{0,63}$/), what: z.string().min(1).max(500), counts: CountedFor.default('all'), sentences: Count })),
      /** Of the sentences that a method has read, how many it got wrong. */
      methods: z.array(z.strictObject({ method: z.string().min(1), read: Count, wrong: Count })),
      /** Of the sentences that both have read: only the first wrong, only the second, both in different ways, both alike. */
      pairs: z.array(z.strictObject({ methods: z.tuple([z.string(), z.string()]), both_read: Count, only_first: Count, only_second: Count, apart: Count, alike: Count })),
    }),
    /** How far confidence kept its word where outcomes were known; null: nobody has compared them, and there is no confidence. */
    calibration: z
      .strictObject({ on: z.string().min(1).max(500), answers: z.int().min(1), right: Count, brier: z.number().min(0).max(1), expected_calibration_error: z.number().min(0).max(1) })
      .nullable(),
    assumed: z.strictObject({
      misread: Assumed, alike: Assumed, alike_of_one_lineage: Assumed, correlation: Assumed, correlation_of_one_lineage: Assumed,
      broken: Assumed, example: Assumed, representation: Assumed,
    }),
  })
  .superRefine(({ readings: { methods, pairs } }, context) => {
    for (const { method, read, wrong } of methods) if (wrong > read) context.addIssue({ code: 'custom', message: `${method} got ${wrong} sentences wrong and has read ${read}` })
    for (const { methods: [a, b], both_read: both, only_first: one, only_second: two, apart, alike } of pairs) {
      if (a >= b) context.addIssue({ code: 'custom', message: `${a} and ${b} are not two methods in alphabetical order` })
      if (one + two + apart + alike > both) context.addIssue({ code: 'custom', message: `${a} and ${b} got more sentences wrong than both have read` })
    }
    const names = [...methods.map(({ method }) => method), ...pairs.map((pair) => pair.methods.join(' and '))]
    for (const name of names.filter((each, i) => names.indexOf(each) !== i)) context.addIssue({ code: 'custom', message: `${name} is counted twice` })
  })
export type Weights = z.infer<typeof Weights>

/**
 * Weights from what a file says.
 *
 * @throws {Failure} `REQUEST_MALFORMED` naming everything that is wrong.
 */
export function readWeights(value: unknown): Weights {
  const read = Weights.safeParse(value)
  if (read.success) return read.data
  throw new Failure('REQUEST_MALFORMED', `the weights are not usable: ${read.error.issues.map(({ path, message }) => [path.join('.'), message].filter((part) => part !== '').join(': ')).join('; ')}`)
}

/** Those that ship. */
export const WEIGHTS: Weights = readWeights(shipped)

/** From so many sentences, or graded answers, on a count says more than what is assumed. */
export const MEASURED_FROM = 50
/** And a correlation needs so many wrong ones of each. */
const WRONG_FROM = 5

/** A figure, and whether it was measured: then with its 95 % interval. */
export type Estimate = { readonly value: number; readonly low: number | null; readonly high: number | null; readonly of: number; readonly isMeasured: boolean }

/** What is reckoned with: the upper end of what was measured, so that few counts speak against whom they are about. */
export function cautious({ value, high }: Estimate): number {
  return high ?? value
}

/** How often a method gets a sentence wrong that it has read: counts with half a sentence added to each side, so that none is never. */
export function misreadRate(method: string, { readings, assumed }: Weights): Estimate {
  const counted = readings.methods.find((each) => each.method === method)
  if (counted === undefined || counted.read < MEASURED_FROM) return taken(assumed.misread.value, counted?.read ?? 0)
  return { value: (counted.wrong + 0.5) / (counted.read + 1), ...clopperPearson(counted.wrong, counted.read), of: counted.read, isMeasured: true }
}

/** How often two methods are wrong in the same way, of the sentences that the first has wrong and both have read. */
export function alikeRate(a: Lineage, b: Lineage, { readings, assumed }: Weights): Estimate {
  if (isOneLineage(a, b)) return taken(assumed.alike_of_one_lineage.value)
  const { pair, isTurned } = pairOf(a.method, b.method, readings)
  const wrong = pair === undefined ? 0 : pair.apart + pair.alike + (isTurned ? pair.only_second : pair.only_first)
  if (pair === undefined || wrong < WRONG_FROM) return taken(assumed.alike.value, wrong)
  return { value: (pair.alike + 0.5) / (wrong + 1), ...clopperPearson(pair.alike, wrong), of: wrong, isMeasured: true }
}

/**
 * How far two methods are wrong together: the phi coefficient of being wrong, over the sentences that both have read, with its interval by
 * Fisher's transformation. 0: as often as chance has it; 1: always.
 *
 * @see R. A. Fisher, Metron 1 (1921), for the interval
 */
export function correlation(a: Lineage, b: Lineage, { readings, assumed }: Weights): Estimate {
  if (isOneLineage(a, b)) return taken(assumed.correlation_of_one_lineage.value)
  const { pair } = pairOf(a.method, b.method, readings)
  if (pair === undefined) return taken(assumed.correlation.value)
  const { both_read: all, only_first: first, only_second: second } = pair
  const together = pair.apart + pair.alike
  const [wrongFirst, wrongSecond] = [first + together, second + together]
  if (all < MEASURED_FROM || wrongFirst < WRONG_FROM || wrongSecond < WRONG_FROM || wrongFirst === all || wrongSecond === all) return taken(assumed.correlation.value, all)
  const neither = all - first - second - together
  const phi = (together * neither - first * second) / Math.sqrt(wrongFirst * wrongSecond * (all - wrongFirst) * (all - wrongSecond))
  const [middle, reach] = [Math.atanh(Math.min(Math.max(phi, -0.999999), 0.999999)), 1.96 / Math.sqrt(all - 3)]
  return { value: phi, low: Math.tanh(middle - reach), high: Math.tanh(middle + reach), of: all, isMeasured: true }
}

/** What two candidates can have in common. */
export type Lineage = { readonly method: string; readonly lineage: string }

/** Whether two are one witness: what made them is the same, so that what is wrong in one is wrong in the other. */
export function isOneLineage(a: Lineage, b: Lineage): boolean {
  return a.method === b.method || a.lineage === b.lineage
}

/**
 * Whether two count as two witnesses: nothing that made them is the same, and how far they are wrong together was measured, over enough sentences that
 * both have read. What nobody has compared is not taken for independent.
 */
export function areTwoWitnesses(a: Lineage, b: Lineage, { readings }: Weights): boolean {
  return !isOneLineage(a, b) && (pairOf(a.method, b.method, readings).pair?.both_read ?? 0) >= MEASURED_FROM
}

/** How many lineages some are: those that have method or lineage in common, directly or through others, are one. */
export function lineagesOf(some: readonly Lineage[]): number {
  return familiesOf(some).length
}

/**
 * As how many witnesses some count: the most lineages of them of which any two are {@link areTwoWitnesses}.
 *
 * Cost: 2ⁿ for n lineages that were all compared with each other; a unit has at most nine.
 */
export function witnessesAmong(some: readonly Lineage[], weights: Weights): number {
  const areTwo = (one: readonly Lineage[], other: readonly Lineage[]) => one.some((a) => other.some((b) => areTwoWitnesses(a, b, weights)))
  const most = (chosen: readonly Lineage[][], left: readonly Lineage[][]): number => left.reduce((best, family, i) => (
    chosen.every((other) => areTwo(family, other)) ? Math.max(best, most([...chosen, family], left.slice(i + 1))) : best
  ), chosen.length)
  return most([], familiesOf(some))
}

function familiesOf(some: readonly Lineage[]): readonly Lineage[][] {
  const families: Lineage[][] = []
  for (const one of some) {
    const own = families.filter((family) => family.some((other) => isOneLineage(one, other)))
    for (const family of own) families.splice(families.indexOf(family), 1)
    families.push([one, ...own.flat()])
  }
  return families
}

function pairOf(a: string, b: string, { pairs }: Weights['readings']) {
  const [first, second] = [a, b].sort()
  return { pair: pairs.find(({ methods }) => methods[0] === first && methods[1] === second), isTurned: a !== first }
}

function taken(value: number, of = 0): Estimate {
  return { value, low: null, high: null, of, isMeasured: false }
}

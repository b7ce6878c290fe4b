import { z } from 'zod'
import { Failure } from '#core/failure.ts'
import { reliabilityOf } from '#core/injection/reliability.ts'
import { CountedFor, MEASURED_FROM, readWeights, type Weights } from './weights.ts'

/** What several methods made of one sentence, once somebody knows what it means. */
export const ReadingOutcome = z.strictObject({
  sentence: z.string().max(100_000).optional(),
  /** By method: `right`, `unread`, or `wrong` with a label; the same label is the same wrong meaning. */
  readings: z.record(z.string().regex(/^[a-z0-9][a-z0-9:._/-]{0,99}$/), z.string().regex(/^(?:right|unread|wrong [A-Za-z0-9_-]{1,40})$/)),
})
export type ReadingOutcome = z.infer<typeof ReadingOutcome>

/** Recorded outcomes, from which weights are counted: `acgs weights update --from FILE`. */
export const Outcomes = z.strictObject({
  source: z.strictObject({ id: z.string().regex(/^[a-z0-9][a-z0-9.-]{0,63}$/), what: z.string().min(1).max(400) }),
  /**
   * `all`: how often each method is wrong, and how methods err together. `together`: only the latter, where the readings are of other versions, or of sentences
   * chosen because somebody was wrong: they say nothing of how often.
   */
  counts: CountedFor.default('all'),
  outcomes: z.array(ReadingOutcome).min(1).max(1_000_000),
  /** Answers to other texts, with the confidence that they were given with: what calibration is counted on. */
  graded: z.array(z.strictObject({ confidence: z.number().min(0).max(1), right: z.boolean() })).max(1_000_000).default([]),
})
export type Outcomes = z.infer<typeof Outcomes>

/** @throws {Failure} `REQUEST_MALFORMED` naming what is wrong. */
export function readOutcomes(value: unknown): Outcomes {
  const read = Outcomes.safeParse(value)
  if (read.success) return read.data
  throw new Failure('REQUEST_MALFORMED', `these are no outcomes: ${read.error.issues.slice(0, 5).map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ')}`)
}

/**
 * Weights that have also counted some outcomes. What is only assumed stays assumed; graded answers take the place of the calibration there was, because
 * the weights it was about are others now. Fewer than 50 say too little: then the calibration goes, and replies carry no confidence.
 *
 * @throws {Failure} `CONFLICT` when the source has been counted before.
 */
export function countOutcomes(weights: Weights, { source, counts, outcomes, graded }: Outcomes): Weights {
  if (weights.readings.sources.some(({ id }) => id === source.id)) throw new Failure('CONFLICT', `the outcomes of \`${source.id}\` are counted already: give the new ones another source id`)
  const methods = new Map(weights.readings.methods.map((each) => [each.method, { ...each }]))
  const pairs = new Map(weights.readings.pairs.map((each) => [each.methods.join(' '), { ...each }]))
  for (const { readings } of outcomes) {
    const read = Object.entries(readings).filter(([, outcome]) => outcome !== 'unread').sort(([a], [b]) => (a < b ? -1 : 1))
    for (const [method, outcome] of counts === 'all' ? read : []) {
      const counted = methods.get(method) ?? { method, read: 0, wrong: 0 }
      methods.set(method, { method, read: counted.read + 1, wrong: counted.wrong + Number(outcome !== 'right') })
    }
    for (const [i, [first, one]] of read.entries()) {
      for (const [second, other] of read.slice(i + 1)) {
        const counted = pairs.get(`${first} ${second}`) ?? { methods: [first, second] as [string, string], both_read: 0, only_first: 0, only_second: 0, apart: 0, alike: 0 }
        const [isFirst, isSecond] = [one !== 'right', other !== 'right']
        pairs.set(`${first} ${second}`, {
          ...counted, both_read: counted.both_read + 1,
          only_first: counted.only_first + Number(isFirst && !isSecond), only_second: counted.only_second + Number(isSecond && !isFirst),
          apart: counted.apart + Number(isFirst && isSecond && one !== other), alike: counted.alike + Number(isFirst && isSecond && one === other),
        })
      }
    }
  }
  const { answers, brier, expected_calibration_error: error } = reliabilityOf(graded.map(({ confidence, right }) => ({ confidence, isRight: right })))
  const byName = <T>(map: ReadonlyMap<string, T>) => [...map].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value)
  return readWeights({
    ...weights,
    readings: { sources: [...weights.readings.sources, { ...source, counts, sentences: outcomes.length }], methods: byName(methods), pairs: byName(pairs) },
    calibration: brier === null || error === null || answers < MEASURED_FROM ? null : { on: `${source.what}: ${answers} answers`, answers, right: graded.filter(({ right }) => right).length, brier, expected_calibration_error: error },
  })
}

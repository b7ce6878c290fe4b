import { seeded } from '#core/proof/random-world.ts'
import { candidateId } from '#core/stabilizers/representation.ts'
import { decode } from '#core/syndrome/decode.ts'
import type { Measurement } from '#core/syndrome/measure.ts'
import type { Candidate } from '#core/synthesis/candidate.ts'
import { aimed, summarize, type Result } from './measure.ts'

const TARGET_MS = 5
const [WARMUP, RUNS] = [200, 1_000]

/** What each reader makes of each sentence: the same number is the same meaning. */
type Meanings = readonly (readonly number[])[]

/** Decoding alone, over outcomes of all comparisons that seven readers can have. */
export async function run(): Promise<readonly Result[]> {
  const random = seeded(7)
  const mostly = (count: number, sentences: number, wrong: number): Meanings => Array.from({ length: count }, (_, i) => Array.from({ length: sentences }, () => (random() < wrong ? i + 1 : 0)))
  const cases: readonly (readonly [string, Meanings, readonly number[]])[] = [
    ['7 readers that agree, 5 sentences', mostly(7, 5, 0), []],
    ['7 readers, one wrong in one sentence of 5', mostly(7, 5, 0).with(3, [0, 0, 4, 0, 0]), []],
    ['7 readers, each sentence of 10 wrong with 0.2', mostly(7, 10, 0.2), []],
    ['7 readers of 7 meanings, 1 sentence', Array.from({ length: 7 }, (_, i) => [i]), []],
    ['7 readers of 7 meanings, 5 sentences', Array.from({ length: 7 }, (_, i) => [i, i, i, i, i]), []],
    ['7 readers, each sentence of 5 wrong with 0.2, an example that 2 contradict', mostly(7, 5, 0.2), [1, 5]],
  ]
  return cases.map(([name, meanings, contradicting]) => {
    const [measurements, candidates] = [measured(meanings, contradicting), readers(meanings)]
    const samples = Array.from({ length: WARMUP + RUNS }, () => {
      const started = performance.now()
      decode(measurements, candidates)
      return performance.now() - started
    })
    return aimed(summarize(`${name}: ${decode(measurements, candidates).kind}`, 'ms', samples.slice(WARMUP)), 'at most', TARGET_MS)
  })
}

function readers(meanings: Meanings): readonly Candidate[] {
  return meanings.map((of, i) => ({ method: `model:${i}`, lineage: `${i}`, readsText: true, cedar: '', readings: of.map((_, s) => ({ kind: 'silent', sentence: s + 1 })) }))
}

function measured(meanings: Meanings, contradicting: readonly number[]): readonly Measurement[] {
  const pairs = meanings.flatMap((mine, i) => meanings.slice(i + 1).map((theirs, k): Measurement => {
    const j = i + 1 + k
    const apart = mine.flatMap((each, s) => (each === theirs[s] ? [] : [s + 1]))
    return { stabilizer: 'same-meaning', candidates: [i, j], representations: [candidateId(i), candidateId(j)], outcome: apart.length === 0 ? { value: 1 } : { value: -1, evidence: { sentences: apart } } }
  }))
  const examples = contradicting.length === 0 ? [] : meanings.map((_, i): Measurement => ({ stabilizer: 'decides', candidates: [i], representations: [candidateId(i), 'examples'], outcome: contradicting.includes(i) ? { value: -1, evidence: {} } : { value: 1 } }))
  return [...pairs, ...examples]
}

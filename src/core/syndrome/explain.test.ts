import assert from 'node:assert/strict'
import test from 'node:test'
import { pick, seeded, type Random } from '#core/proof/random-world.ts'
import { candidateId } from '#core/stabilizers/representation.ts'
import type { Candidate, Method } from '#core/synthesis/candidate.ts'
import { partsIn } from './decode.ts'
import { EXACT_MAX, explanationsOf, type Puzzle } from './explain.ts'
import type { Measurement } from './measure.ts'
import { commonCauseWeight, faultModel } from './mechanisms.ts'
import { WEIGHTS } from './weights.ts'

/** What some readers made of some sentences: 0 is right, any other number one wrong meaning, null unread. */
type Truth = { readonly candidates: readonly Candidate[]; readonly classes: readonly (readonly (number | null)[])[]; readonly measurements: readonly Measurement[]; readonly sentences: readonly number[] }

const METHODS: readonly Method[] = ['controlled-english', 'shallow-parse', 'principles']

function truth(random: Random): Truth {
  const count = 1 + Math.floor(random() * 3)
  const sentences = Array.from({ length: 1 + Math.floor(random() * 2) }, (_, i) => i + 1)
  const classes = Array.from({ length: count }, () => sentences.map(() => (random() < 0.15 ? null : random() < 0.5 ? 0 : pick(random, [1, 2]))))
  const candidates = classes.map((of, i): Candidate => ({
    method: METHODS[i] as Method, readsText: true, lineage: random() < 0.2 ? 'one' : `${i}`, cedar: '',
    readings: of.map((each, s) => (each === null ? { kind: 'unread', sentence: s + 1, because: '' } : { kind: 'silent', sentence: s + 1 })),
  }))
  const measurements: Measurement[] = []
  for (const [i, mine] of classes.entries()) {
    for (const [j, theirs] of classes.entries()) {
      const both = sentences.filter((s) => mine[s - 1] !== null && theirs[s - 1] !== null)
      if (j <= i || both.length === 0) continue
      const apart = both.filter((s) => mine[s - 1] !== theirs[s - 1])
      measurements.push({ stabilizer: 'same-meaning', candidates: [i, j], representations: [candidateId(i), candidateId(j)], outcome: apart.length === 0 ? { value: 1 } : { value: -1, evidence: { sentences: apart } } })
    }
  }
  const wrong = Array.from({ length: Math.floor(random() * 2) }, () => random() < 0.3)
  for (const isWrong of wrong) {
    const answers = new Map<string, boolean>()
    for (const [i, mine] of classes.entries()) {
      const key = mine.join()
      const agrees = mine.every((each) => each === 0) ? !isWrong : answers.get(key) ?? random() < 0.6
      answers.set(key, agrees)
      const outcome: Measurement['outcome'] = agrees ? { value: 1 } : mine.includes(null) ? { value: 0, why: 'idle', because: '' } : { value: -1, evidence: {} }
      measurements.push({ stabilizer: 'decides', candidates: [i], representations: [candidateId(i), 'examples'], outcome })
    }
  }
  return { candidates, classes, measurements, sentences }
}

/**
 * By the definition: every set of mechanisms there can be (any readers wrong together in any sentence, any example wrong), the classes that it gives
 * each reader, and whether exactly what was measured follows from them.
 */
function byDefinition({ candidates, measurements, sentences }: Truth): { readonly weight: number; readonly count: number } {
  const readers = candidates.map((_, i) => i)
  const groups = readers.reduce<readonly (readonly number[])[]>((made, i) => [...made, ...made.map((group) => [...group, i])], [[]]).filter((group) => group.length > 0)
  const unread = (i: number, s: number) => candidates[i]?.readings[s - 1]?.kind === 'unread'
  const misread = sentences.flatMap((s) => groups.filter((group) => group.every((i) => !unread(i, s))).map((group) => ({ s, group, weight: commonCauseWeight(group.map((i) => candidates[i] as Candidate), WEIGHTS) })))
  const checks = measurements.filter(({ stabilizer, outcome }) => stabilizer === 'decides' && outcome.value !== 0)
  const hasExample = measurements.some(({ stabilizer }) => stabilizer === 'decides')
  let [best, count] = [Infinity, 0]
  for (let bits = 0; bits < 2 ** misread.length; bits++) {
    const atWork = misread.filter((_, k) => (bits & (1 << k)) !== 0)
    const classOf = (i: number, s: number) => atWork.findIndex((mechanism) => mechanism.s === s && mechanism.group.includes(i))
    if (readers.some((i) => sentences.some((s) => atWork.filter((mechanism) => mechanism.s === s && mechanism.group.includes(i)).length > 1))) continue
    const comparisonsFollow = measurements.every(({ stabilizer, candidates: [i, j], outcome }) => {
      if (stabilizer !== 'same-meaning') return true
      const apart = sentences.filter((s) => !unread(i as number, s) && !unread(j as number, s) && classOf(i as number, s) !== classOf(j as number, s))
      return apart.join() === (outcome.value === -1 ? (outcome.evidence as { sentences: readonly number[] }).sentences : []).join()
    })
    if (!comparisonsFollow) continue
    for (const isExampleWrong of hasExample ? [false, true] : [false]) {
      const seen = new Map<string, number>()
      const examplesFollow = checks.every(({ candidates: [i], outcome }) => {
        const meaning = sentences.map((s) => classOf(i as number, s))
        if (meaning.every((each) => each === -1)) return isWhole(i as number) ? outcome.value === (isExampleWrong ? -1 : 1) : true
        if (!isWhole(i as number)) return true
        const before = seen.get(meaning.join())
        seen.set(meaning.join(), outcome.value)
        return before === undefined || before === outcome.value
      })
      if (!examplesFollow) continue
      const weight = atWork.reduce((sum, mechanism) => sum + mechanism.weight, 0) - (isExampleWrong ? Math.log(WEIGHTS.assumed.example.value) : 0)
      if (weight < best - 1e-9) [best, count] = [weight, 1]
      else if (weight <= best + 1e-9) count++
    }
  }
  return { weight: best, count }

  function isWhole(i: number): boolean {
    return sentences.every((s) => !unread(i, s))
  }
}

function bySearch({ candidates, measurements }: Truth, search: (puzzle: Puzzle) => { readonly weight: number; readonly count: number }) {
  const model = faultModel(measurements, candidates, WEIGHTS)
  assert.equal(model.contradiction, null)
  const weights = model.mechanisms.map(({ weight }) => weight)
  const parts = partsIn(model).filter((part) => part.length > 0).map((part) => search({ weights, causes: part.map((i) => model.causes[i]?.by ?? []), allows: model.allows }))
  return { weight: parts.reduce((sum, part) => sum + part.weight, 0), count: parts.reduce((product, part) => product * part.count, 1) }
}

function lightest(puzzle: Puzzle) {
  const found = explanationsOf(puzzle)
  return found.kind === 'found' ? { weight: found.all[0].weight, count: found.all.length } : { weight: Infinity, count: 0 }
}

/** Takes what explains most for its weight, again and again. */
function greedy({ weights, causes }: Puzzle) {
  const chosen = new Set<number>()
  for (let open = causes; open.length > 0; open = open.filter((by) => !by.some((each) => chosen.has(each)))) {
    const worth = (mechanism: number) => open.filter((by) => by.includes(mechanism)).length / (weights[mechanism] as number)
    chosen.add([...new Set(open.flat())].sort((a, b) => worth(b) - worth(a))[0] as number)
  }
  return { weight: [...chosen].reduce((sum, each) => sum + (weights[each] as number), 0), count: 1 }
}

/** Where sentences that nobody disputes are one mechanism with a weight of their own, which the definition does not know. */
const isComparable = ({ measurements, sentences }: Truth) => sentences.length === 1 || !measurements.some(({ stabilizer, outcome }) => stabilizer === 'decides' && outcome.value === -1) || measurements.some(({ stabilizer, outcome }) => stabilizer === 'same-meaning' && outcome.value === -1)

const truths = () => {
  const random = seeded(12)
  return Array.from({ length: 400 }, () => truth(random)).filter(isComparable)
}

test('the lightest explanation, and how many are as light, are those of the definition', () => {
  let [fired, explained] = [0, 0]
  for (const each of truths()) {
    const [wanted, got] = [byDefinition(each), bySearch(each, lightest)]
    if (wanted.count === 0) { assert.equal(got.count, 0); continue }
    assert.equal(got.count, wanted.count, JSON.stringify(each, null, 1))
    assert.ok(Math.abs(got.weight - wanted.weight) < 1e-9, JSON.stringify({ wanted, got, each }))
    if (wanted.weight > 0) fired++
    explained++
  }
  assert.ok(fired > 150 && explained > 250, `${fired} fired, ${explained} explained`)
})

test('twin: taking what explains most for its weight is not the same, and this would be seen', () => {
  const differing = truths().filter((each) => {
    const [wanted, got] = [byDefinition(each), bySearch(each, greedy)]
    return wanted.count !== got.count || Math.abs(wanted.weight - got.weight) > 1e-9
  })
  assert.ok(differing.length > 20, `${differing.length}`)
})

test('every set that can produce the syndrome and is near enough is listed once, the lightest first', () => {
  const random = seeded(5)
  for (let round = 0; round < 60; round++) {
    const count = 1 + Math.floor(random() * 9)
    const weights = Array.from({ length: count }, () => 1 + Math.floor(random() * 4))
    const causes = Array.from({ length: 1 + Math.floor(random() * 5) }, () => [...new Set(Array.from({ length: 1 + Math.floor(random() * 3) }, () => Math.floor(random() * count)))])
    const concerned = [...new Set(causes.flat())].sort((a, b) => a - b)
    const allows = (isAtWork: (mechanism: number) => boolean) => !(isAtWork(0) && !isAtWork(1))
    const all: { mechanisms: number[]; weight: number }[] = []
    for (let bits = 0; bits < 2 ** concerned.length; bits++) {
      const mechanisms = concerned.filter((_, k) => (bits & (1 << k)) !== 0)
      if (!causes.every((by) => by.some((each) => mechanisms.includes(each))) || !allows((each) => mechanisms.includes(each))) continue
      all.push({ mechanisms, weight: mechanisms.reduce((sum, each) => sum + (weights[each] as number), 0) })
    }
    const best = Math.min(...all.map(({ weight }) => weight))
    const wanted = all.filter(({ weight }) => weight <= best + 3)
    const found = explanationsOf({ weights, causes, allows }, 3)
    const got = found.kind === 'found' ? found.all : []
    const key = ({ mechanisms, weight }: { readonly mechanisms: readonly number[]; readonly weight: number }) => `${mechanisms.join()} ${weight}`
    assert.deepEqual(got.map(key).sort(), wanted.map(key).sort())
    assert.deepEqual(got.map(({ weight }) => weight), got.map(({ weight }) => weight).toSorted((a, b) => a - b))
  }
})

test('beyond 20 mechanisms the search ends: with the lightest, or without an answer', () => {
  const many = EXACT_MAX + 8
  const easy = explanationsOf({ weights: Array.from({ length: many }, (_, i) => 1 + i / 100), causes: Array.from({ length: many - 1 }, (_, i) => [i, i + 1]).filter((_, i) => i % 2 === 0), allows: () => true })
  assert.ok(easy.kind === 'found' && easy.all.length === 1 && easy.all[0].mechanisms.every((each) => each % 2 === 0))
  const hard = explanationsOf({ weights: Array.from({ length: many }, () => 1), causes: Array.from({ length: many }, (_, i) => Array.from({ length: many }, (_, j) => j).filter((j) => (i * j) % 7 < 3 || i === j)), allows: () => false })
  assert.equal(hard.kind, 'unfinished')
})

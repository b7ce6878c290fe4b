import assert from 'node:assert/strict'
import test from 'node:test'
import { independently } from '#core/injection/trial.ts'
import { candidateId } from '#core/stabilizers/representation.ts'
import type { Candidate, Method } from '#core/synthesis/candidate.ts'
import { decode, locatesKnownFault } from './decode.ts'
import type { Measurement } from './measure.ts'
import { WEIGHTS, type Weights } from './weights.ts'

const candidate = (method: Method, readsText = true): Candidate => ({ method, readsText, lineage: method, cedar: '', readings: [] })
const EVIDENCE = { sentences: [2], request: 'shown' }
const candidates = [candidate('controlled-english'), candidate('shallow-parse'), candidate('principles', false)]
const fires = (stabilizer: string, ...on: number[]): Measurement => ({ stabilizer, candidates: on, representations: on.map(candidateId), outcome: { value: -1, evidence: EVIDENCE } })
const holds = (stabilizer: string, ...on: number[]): Measurement => ({ stabilizer, candidates: on, representations: on.map(candidateId), outcome: { value: 1 } })

test('nothing fires: clean', () => {
  assert.deepEqual(decode([holds('well-typed', 0), holds('same-meaning', 0, 1)], candidates), { kind: 'clean' })
})

test('two readers that disagree are a tie, not a choice', () => {
  const diagnosis = decode([fires('same-meaning', 0, 1)], candidates)
  assert.deepEqual(diagnosis, { kind: 'ambiguous', between: ['controlled-english', 'shallow-parse'], disagreement: EVIDENCE })
})

test('a reader that contradicts an example is blamed, and the disagreement with it is explained', () => {
  const diagnosis = decode([fires('same-meaning', 0, 1), fires('decides', 1), holds('decides', 0)], candidates)
  assert.equal(diagnosis.kind, 'explained')
  assert.deepEqual(diagnosis.kind === 'explained' && diagnosis.faults.map(({ method, shownBy }) => [method, shownBy]), [['shallow-parse', 'decides']])
})

test('when every reader is blamed nothing is left to believe', () => {
  assert.equal(decode([fires('decides', 0), fires('decides', 1)], candidates).kind, 'unexplained')
})

test('where an example stands against all of a long text, it is named, whichever is likelier wrong', () => {
  for (const length of [1, 40]) {
    const readings = Array.from({ length }, (_, i) => ({ kind: 'norms' as const, sentence: i + 1, norms: [] }))
    const both = [{ ...candidate('controlled-english'), readings }, { ...candidate('shallow-parse'), readings }]
    const diagnosis = decode([holds('same-meaning', 0, 1), fires('decides', 0), fires('decides', 1)], both)
    assert.ok(diagnosis.kind === 'unexplained')
    assert.match(diagnosis.because, /^example 1 contradicts what the readers agree on/)
  }
})

test('a check that gave no answer is never a pass', () => {
  const silent: Measurement = { stabilizer: 'same-meaning', candidates: [0, 1], representations: [candidateId(0), candidateId(1)], outcome: { value: 0, why: 'failed', because: 'timeout' } }
  assert.deepEqual(decode([holds('well-typed', 0), silent], candidates), { kind: 'incomplete', because: 'same-meaning: timeout' })
})

test('a check that had nothing to look at is no reason to doubt', () => {
  assert.equal(decode([{ stabilizer: 'covers', candidates: [1], representations: [candidateId(1), 'text'], outcome: { value: 0, why: 'idle', because: 'has not read sentence 2' } }], candidates).kind, 'clean')
})

test('an example does not settle a disagreement in several sentences', () => {
  const pair: Measurement = { stabilizer: 'same-meaning', candidates: [0, 1], representations: [candidateId(0), candidateId(1)], outcome: { value: -1, evidence: { sentences: [1, 2], request: 'shown' } } }
  assert.equal(decode([pair, fires('decides', 1), holds('decides', 0)], candidates).kind, 'ambiguous')
})

test('the fault that health is probed with is located', () => assert.ok(locatesKnownFault()))

const reader = (method: Method, lineage: string = method): Candidate => ({ method, readsText: true, lineage, cedar: '', readings: [] })
/** Every reader is as good as another, and all err apart. */
const NEUTRAL = independently(['controlled-english', 'shallow-parse', 'model:a', 'model:b', 'model:c', 'model:d'])
const three = [reader('controlled-english'), reader('shallow-parse'), reader('model:a')]
const differ = (sentences: readonly number[], ...on: number[]): Measurement => ({ stabilizer: 'same-meaning', candidates: on, representations: on.map(candidateId), outcome: { value: -1, evidence: { sentences } } })
const blamedIn = (diagnosis: ReturnType<typeof decode>) => (diagnosis.kind === 'explained' ? diagnosis.faults.map(({ candidate, sentences }) => [candidate, sentences]) : diagnosis.kind)

test('one against two of other lineages is blamed, in the sentences where they differ and nowhere else', () => {
  assert.deepEqual(blamedIn(decode([holds('same-meaning', 0, 1), differ([2, 5], 0, 2), differ([2, 5], 1, 2)], three)), [[2, [2, 5]]])
})

test('an example blames a reader wholly where it differs in one sentence, and only there where it differs in several', () => {
  const shown = [holds('same-meaning', 0, 1), fires('decides', 2), holds('decides', 0), holds('decides', 1)]
  assert.deepEqual(blamedIn(decode([...shown, differ([1, 2], 0, 2), differ([1, 2], 1, 2)], three)), [[2, [1, 2]]])
  assert.deepEqual(blamedIn(decode([...shown, differ([2], 0, 2), differ([2], 1, 2)], three)), [[2, null]])
})

test('every reader may be wrong somewhere else: each is blamed where the two others agree', () => {
  assert.deepEqual(blamedIn(decode([differ([1, 2], 0, 1), differ([1, 3], 0, 2), differ([2, 3], 1, 2)], three, NEUTRAL)), [[0, [1]], [1, [2]], [2, [3]]])
})

test('three meanings of one sentence are a question', () => {
  assert.equal(decode([differ([1], 0, 1), differ([1], 0, 2), differ([1], 1, 2)], three).kind, 'ambiguous')
})

test('two of one lineage are one witness: against them nobody is blamed', () => {
  const two = [reader('controlled-english'), reader('model:a', 'one model'), reader('model:b', 'one model')]
  assert.equal(decode([holds('same-meaning', 1, 2), differ([1], 0, 1), differ([1], 0, 2)], two).kind, 'ambiguous')
  const apart = [reader('controlled-english'), reader('model:a', 'one model'), reader('model:b', 'another model')]
  assert.deepEqual(blamedIn(decode([holds('same-meaning', 1, 2), differ([1], 0, 1), differ([1], 0, 2)], apart, NEUTRAL)), [[0, [1]]])
})

test('two that nobody has compared outvote nobody, and two that were compared no one that is seldom wrong: those are questions', () => {
  const readings = { ...NEUTRAL.readings, methods: [{ method: 'controlled-english', read: 100_000, wrong: 5 }] }
  const unmeasured = [reader('controlled-english'), reader('model:a'), reader('model:b')]
  const measurements = [holds('same-meaning', 1, 2), differ([1], 0, 1), differ([1], 0, 2)]
  assert.deepEqual(blamedIn(decode(measurements, unmeasured, NEUTRAL)), [[0, [1]]])
  assert.equal(decode(measurements, unmeasured, { ...WEIGHTS, readings }).kind, 'ambiguous')
  assert.equal(decode(measurements, unmeasured, { ...NEUTRAL, readings: { ...NEUTRAL.readings, pairs: [] } }).kind, 'ambiguous')
})

test('to be blamed in several sentences takes two witnesses in every one of them', () => {
  const readings = { ...NEUTRAL.readings, methods: [{ method: 'model:a', read: 1_000, wrong: 300 }] }
  const partly: Candidate = { ...reader('shallow-parse'), readings: [{ kind: 'silent', sentence: 1 }, { kind: 'unread', sentence: 2, because: 'no verb' }] }
  const measurements = [holds('same-meaning', 0, 1), differ([1, 2], 0, 2), differ([1], 1, 2)]
  assert.equal(decode(measurements, [three[0] as Candidate, partly, three[2] as Candidate], { ...NEUTRAL, readings }).kind, 'ambiguous')
  assert.deepEqual(blamedIn(decode([holds('same-meaning', 0, 1), differ([1, 2], 0, 2), differ([1, 2], 1, 2)], three, { ...NEUTRAL, readings })), [[2, [1, 2]]])
})

test('who does not read the text is no witness against a reader, whatever was counted of it', () => {
  const weights = independently(['controlled-english', 'model:a', 'principles'])
  const measurements = [holds('same-meaning', 1, 2), differ([1], 0, 1), differ([1], 0, 2)]
  assert.equal(decode(measurements, [reader('controlled-english'), reader('model:a'), candidate('principles', false)], weights).kind, 'ambiguous')
})

test('two readers that disagree are a question, however unequal their weights', () => {
  const readings = { sources: [], pairs: [], methods: [{ method: 'controlled-english', read: 10_000, wrong: 0 }, { method: 'shallow-parse', read: 1_000, wrong: 900 }] }
  assert.equal(decode([fires('same-meaning', 0, 1)], candidates, { ...WEIGHTS, readings }).kind, 'ambiguous')
})

test('what the author says is never set aside: an example that all contradict is asked about', () => {
  const diagnosis = decode([holds('same-meaning', 0, 1), holds('same-meaning', 0, 2), holds('same-meaning', 1, 2), fires('decides', 0), fires('decides', 1), fires('decides', 2)], three)
  assert.equal(diagnosis.kind, 'unexplained')
})

test('checks that contradict each other are explained by nothing', () => {
  const diagnosis = decode([holds('same-meaning', 0, 1), holds('same-meaning', 1, 2), differ([1], 0, 2)], three)
  assert.ok(diagnosis.kind === 'unexplained' && diagnosis.because.includes('other checks'))
})

test('who has not read a sentence does not stand for what another says of it', () => {
  const absent: Candidate = { ...reader('shallow-parse'), readings: [{ kind: 'unread', sentence: 1, because: 'no verb' }] }
  assert.equal(decode([holds('same-meaning', 0, 1), differ([1], 0, 2), holds('same-meaning', 1, 2)], [three[0] as Candidate, absent, three[2] as Candidate]).kind, 'ambiguous')
})

test('what the constitution says of a candidate is no fault of its reader', () => {
  const within: Measurement = { stabilizer: 'within', candidates: [0], representations: [candidateId(0), 'constitution'], outcome: { value: -1, evidence: {} } }
  assert.equal(decode([within], candidates).kind, 'clean')
})

test('norms that differ from what they were made of are our fault, not their reader’s', () => {
  const conforms = (value: 1 | -1, i: number): Measurement => ({ stabilizer: 'conforms', candidates: [i], representations: [candidateId(i), 'norms'], outcome: value === 1 ? { value } : { value, evidence: {} } })
  const diagnosis = decode([holds('same-meaning', 0, 1), conforms(-1, 0), conforms(-1, 1)], candidates)
  assert.ok(diagnosis.kind === 'unexplained' && diagnosis.because.includes('norms'))
})

test('two lineages against two others are equally light to blame: a question, though on either side two agree', () => {
  const four = (['model:a', 'model:b', 'model:c', 'model:d'] as const).map((method) => reader(method))
  const halves = [holds('same-meaning', 0, 1), holds('same-meaning', 2, 3), ...[[0, 2], [0, 3], [1, 2], [1, 3]].map((pair) => differ([1], ...pair))]
  assert.deepEqual(decode(halves, four, NEUTRAL), { kind: 'ambiguous', between: ['model:a', 'model:c'], disagreement: { sentences: [1] } })
})

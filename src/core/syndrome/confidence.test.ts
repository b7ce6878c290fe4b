import assert from 'node:assert/strict'
import test from 'node:test'
import { independently } from '#core/injection/trial.ts'
import { seeded } from '#core/proof/random-world.ts'
import { candidateId } from '#core/stabilizers/representation.ts'
import type { Candidate, Method, Reading } from '#core/synthesis/candidate.ts'
import type { Norm } from '#core/unit/norm.ts'
import type { SemanticUnit } from '#core/unit/semantic-unit.ts'
import { agreement, classPosterior, confidenceIn } from './confidence.ts'
import type { Correction } from './correct.ts'
import { decode } from './decode.ts'
import type { Measurement } from './measure.ts'
import { WEIGHTS, type Weights } from './weights.ts'

const NORM: Norm = { id: 'N1', sentence: 1, source: '', modality: 'permit', principals: [], actions: [], resources: [], when: null, unless: null, obligation: null }
const sentences = [1, 2]
const norms = sentences.map((sentence): Norm => ({ ...NORM, id: `N${sentence}`, sentence }))
const unit = { sentences: sentences.map((number) => ({ number, text: '', start: 0, end: 1, mayRule: true, isExplanation: false })) } as unknown as SemanticUnit
const correction = { norms } as unknown as Correction
const reads = (...read: readonly number[]): readonly Reading[] => sentences.map((sentence): Reading => (read.includes(sentence) ? { kind: 'norms', sentence, norms: [] } : { kind: 'unread', sentence, because: '' }))
const reader = (method: Method, readings = reads(1, 2)): Candidate => ({ method, lineage: method, readsText: true, cedar: '', readings })
const [A, B, C] = [reader('controlled-english'), reader('shallow-parse'), reader('model:a')]
const METHODS = [A, B, C].map(({ method }) => method)
const counted = (wrong: number): Weights => ({
  ...WEIGHTS, calibration: { on: 'a test', answers: 1, right: 1, brier: 0, expected_calibration_error: 0 },
  readings: { sources: [], pairs: [], methods: [A, B, C].map(({ method }) => ({ method, read: 1_000, wrong })) },
})
const compared = (i: number, j: number, apart: readonly number[] = []): Measurement => ({ stabilizer: 'same-meaning', candidates: [i, j], representations: [candidateId(i), candidateId(j)], outcome: apart.length === 0 ? { value: 1 } : { value: -1, evidence: { sentences: apart } } })
const sure = (candidates: readonly Candidate[], measurements: readonly Measurement[], weights = counted(50)) => confidenceIn({ unit, candidates }, measurements, decode(measurements, candidates, weights), correction, weights)

test('more witnesses that agree make it surer, and a method that is oftener wrong less sure', () => {
  const [one, two, three] = [sure([A], []), sure([A, B], [compared(0, 1)]), sure([A, B, C], [compared(0, 1), compared(0, 2), compared(1, 2)])]
  assert.ok(one.value !== null && two.value !== null && three.value !== null && one.value < two.value && two.value < three.value && three.value < 1)
  const worse = sure([A, B], [compared(0, 1)], counted(200))
  assert.ok(worse.value !== null && worse.value < two.value)
})

test('a sentence that one reader alone has read is as sure as that reader', () => {
  const { value } = sure([A, reader('shallow-parse', reads(1))], [compared(0, 1)])
  assert.ok(value !== null && Math.abs(value - agreement([A, B], counted(50)) * agreement([A], counted(50))) < 1e-12)
})

test('who is set aside for what looks at it alone confirms nobody', () => {
  const broken: Measurement = { stabilizer: 'well-typed', candidates: [1], representations: [candidateId(1)], outcome: { value: -1, evidence: {} } }
  assert.equal(sure([A, B], [broken]).value, agreement([A], counted(50)) ** sentences.length)
})

test('who was outvoted makes it less sure than who agreed', () => {
  // Of two that nobody has compared, neither outvotes a third.
  const weights = { ...counted(50), readings: independently(METHODS).readings }
  const { value } = sure([A, B, C], [compared(0, 1), compared(0, 2, [2]), compared(1, 2, [2])], weights)
  const all = sure([A, B, C], [compared(0, 1), compared(0, 2), compared(1, 2)], weights)
  assert.equal(sure([A, B, C], [compared(0, 1), compared(0, 2, [2]), compared(1, 2, [2])]).value, null)
  assert.ok(value !== null && all.value !== null && value > 0.5 && value < all.value)
})

test('no number without a reason to have one: not calibrated, not measured, no meaning', () => {
  const because = (confidence: ReturnType<typeof sure>) => (confidence.value === null ? confidence.because : '')
  assert.match(because(sure([A], [], { ...counted(50), calibration: null })), /never compared/)
  assert.match(because(sure([A, reader('model:b')], [compared(0, 1)])), /how often model:b is wrong was never measured/)
  assert.match(because(sure([A, B], [compared(0, 1, [1])])), /ambiguous/)
  assert.match(because(confidenceIn({ unit, candidates: [A, B, C] }, [], { kind: 'outvoted', between: [], disagreement: null }, correction, counted(50))), /nothing of single requests/)
})

test('the posterior of a class is the share of worlds in which it is right, counted', () => {
  const random = seeded(8)
  const [misread, same] = [0.3, 0.25]
  const counts = new Map<string, { right: number; of: number; predicted: number }>()
  for (let trial = 0; trial < 200_000; trial++) {
    // Each candidate is right, or wrong: as one that is wrong already, or in a new way.
    const meanings: number[] = []
    for (let i = 0; i < 3; i++) {
      const wrong = [...new Set(meanings.filter((each) => each !== 0))]
      meanings.push(random() >= misread ? 0 : wrong.length > 0 && random() < same ? (wrong[Math.floor(random() * wrong.length)] as number) : i + 1)
    }
    const classes = [...Map.groupBy([0, 1, 2], (i) => meanings[i]).values()]
    const [largest] = classes.toSorted((a, b) => b.length - a.length)
    if (largest === undefined || largest.length < 2) continue
    const key = classes.map((members) => members.length).sort().join()
    const count = counts.get(key) ?? { right: 0, of: 0, predicted: 0 }
    counts.set(key, { right: count.right + Number(meanings[largest[0] as number] === 0), of: count.of + 1, predicted: count.predicted + classPosterior(classes, largest[0] as number, { misread, alike: misread * same }) })
  }
  assert.deepEqual([...counts.keys()].sort(), ['1,2', '3'])
  for (const { right, of, predicted } of counts.values()) assert.ok(Math.abs(right / of - predicted / of) < 0.02, `${right / of} ${predicted / of}`)
})

import assert from 'node:assert/strict'
import test from 'node:test'
import { candidateId } from '#core/stabilizers/representation.ts'
import type { Candidate, Method } from '#core/synthesis/candidate.ts'
import { decode, locatesKnownFault } from './decode.ts'
import type { Measurement } from './measure.ts'

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

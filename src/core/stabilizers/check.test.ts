import assert from 'node:assert/strict'
import { test } from 'node:test'
import { evidenceOf, isOf, type EvidenceOf } from './check.ts'
import { STABILIZERS } from './table.ts'

test('what is asked of one stabilizer is the evidence of that one, where it fired', () => {
  const evidence: EvidenceOf['decides'] = { example: 'a nurse views', wanted: 'allow', decided: 'deny', against: [2] }
  const fired = { stabilizer: 'decides', outcome: { value: -1, evidence } } as const
  assert.equal(evidenceOf('decides', fired)?.against, evidence.against)
  assert.equal(evidenceOf('same-meaning', fired), null)
  assert.equal(evidenceOf('decides', { stabilizer: 'decides', outcome: { value: 1 } }), null)
})

test('an id that the table does not have does not compile', () => {
  assert.ok(STABILIZERS.every((stabilizer) => isOf(stabilizer.id, { stabilizer: stabilizer.id })))
  // @ts-expect-error: there is `decides`.
  assert.equal(isOf('decide', { stabilizer: 'decides' }), false)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Decision } from '../decide.ts'
import { SharedDecisions } from './shared-decisions.ts'

const decisionOf = (hits: readonly number[]): Decision => ({ decision: 'allow', verdict: 'permitted', determining: hits.map(String), obligations: [], errors: [], missing: [] })

test('the same rules share one decision, others never do, however many there were', () => {
  const shared = new SharedDecisions()
  const ask = (hits: readonly number[]) => shared.of(Int32Array.from([...hits, 7, 7]), hits.length, () => decisionOf(hits))
  assert.equal(ask([1, 2]), ask([1, 2]))
  assert.ok(Object.isFrozen(ask([1, 2])))
  fc.assert(fc.property(fc.array(fc.nat(5), { maxLength: 6 }), (hits) => { assert.deepEqual(ask(hits), decisionOf(hits)) }), { numRuns: 2_000 })
  for (let i = 0; i < 10_000; i++) assert.deepEqual(ask([i, i + 1]).determining, [String(i), String(i + 1)])
})

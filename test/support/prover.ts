import assert from 'node:assert/strict'
import { after } from 'node:test'
import { createProver } from '#adapters/solver/prover.ts'
import { LIMITS } from '#core/proof/questions.ts'

/** A prover for all tests of a file, closed after them; none of its engines may have disagreed by then. */
export function agreeingProver() {
  const reports: unknown[] = []
  const prover = createProver({ ...LIMITS, disagreed: (report) => reports.push(report) })
  after(async () => {
    await prover[Symbol.asyncDispose]()
    assert.deepEqual(reports, [])
  })
  return prover
}

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { authorize, parsePolicies, parseSchema } from '#adapters/cedar/cedar.ts'
import { createProver } from '#adapters/solver/prover.ts'
import { selfTest } from './self-test.ts'

test('the self-test compares terms with Cedar and the solver with known answers, within its time', async () => {
  await using prover = createProver({ rlimit: 20_000_000, timeoutMs: 5_000 })
  const started = performance.now()
  const found = await selfTest({ parseSchema, parsePolicies, engines: prover.engines })
  const elapsedMs = performance.now() - started
  console.log(`self-test: ${JSON.stringify(found)} in ${elapsedMs.toFixed(0)} ms with the solver's start`)
  assert.deepEqual(found.failures, [])
  assert.equal(found.worlds, 200)
  // The worlds are worth something only if they decide differently.
  assert.ok(found.allowed > 20 && found.allowed < 180, `${found.allowed} of 200 allowed`)
  assert.ok(found.erring > 20, `${found.erring} of 200 erring`)
  assert.deepEqual([found.refuted, found.proved], [2, 2])
})

test('sabotage: a Cedar that skips one rule, or a solver that always says unsat, does not pass', async () => {
  await using prover = createProver({ rlimit: 20_000_000, timeoutMs: 5_000 })
  const forgetful = await selfTest({
    parseSchema, parsePolicies, worlds: 50,
    engines: { ...prover.engines, replay: (question) => authorize({ ...question, policies: { ...question.policies, text: question.policies.text.replace('forbid', 'permit') } }) },
  })
  assert.notDeepEqual(forgetful.failures, [])
  const yesMan = await selfTest({ parseSchema, parsePolicies, worlds: 2, engines: { ...prover.engines, solve: async (asks) => asks.map(() => ({ kind: 'unsat' }) as const) } })
  assert.equal(yesMan.failures.length, 2)
  const other = await selfTest({ parseSchema, parsePolicies, worlds: 2, engines: { ...prover.engines, sat: () => ({ kind: 'unknown', reason: 'is broken' }) } })
  assert.deepEqual([other.failures.length, other.failures.every((each) => each.includes('by the SAT engine'))], [4, true])
})

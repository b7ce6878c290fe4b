import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { parsePolicies, parseSchema } from '#adapters/cedar/cedar.ts'
import { createProver } from '#adapters/solver/prover.ts'
import type { PolicySet } from '#core/policy/policy.ts'
import { LIMITS } from '#core/proof/questions.ts'
import { comparingByClasses } from './meaning-classes.ts'

const prover = createProver(LIMITS)
after(() => prover[Symbol.asyncDispose]())
const SCHEMA = parseSchema('entity User { n: Long, m: Long }; entity Doc; action view appliesTo { principal: User, resource: Doc };')
const permit = (condition: string) => parsePolicies(`permit (principal, action, resource) when { ${condition} };`, SCHEMA)

/** A prover that counts what it is asked. */
function counting(sameMeaning = prover.sameMeaning) {
  let asked = 0
  return { count: () => asked, decidedOn: prover.decidedOn, sameMeaning: (a: PolicySet, b: PolicySet) => { asked++; return sameMeaning(a, b, SCHEMA) } }
}

const pairs = <T>(items: readonly T[]) => items.flatMap((a, i) => items.slice(i + 1).map((b) => [a, b] as const))

test('candidates that agree take one proof less than there are', async () => {
  const use = counting()
  const compare = comparingByClasses(use, SCHEMA)
  const alike = ['principal.n > 5', '5 < principal.n', '!(principal.n <= 5)', 'principal.n >= 6', 'if principal.n > 5 then true else false'].map(permit)
  const answers = await Promise.all(pairs(alike).map(async ([a, b]) => (await compare(a, b, SCHEMA)).answer.kind))
  assert.deepEqual(new Set(answers), new Set(['proved']))
  assert.equal(use.count(), 4)
})

test('a request that told two apart tells others apart without a proof, and only where it does', async () => {
  const use = counting()
  const compare = comparingByClasses(use, SCHEMA)
  const [right, reworded, wrong, other] = ['principal.n > 5', '!(principal.n <= 5)', 'principal.n > 6', 'principal.m > 0'].map(permit) as [PolicySet, PolicySet, PolicySet, PolicySet]
  for (const [a, b] of pairs([right, reworded, wrong, other])) {
    const { answer } = await compare(a, b, SCHEMA)
    // The same as asking each time, and the request that is shown tells these two apart.
    assert.equal(answer.kind, (await prover.sameMeaning(a, b, SCHEMA)).answer.kind)
    if (answer.kind !== 'refuted') continue
    const decided = prover.decidedOn(answer.counterexample, SCHEMA)
    assert.notEqual(decided(a).decision, decided(b).decision)
  }
  assert.ok(use.count() < 6, String(use.count()))
})

test('what is not known stays unknown, and is not asked of the same two again', async () => {
  const use = counting(async (a, b, schema) => ({ ...(await prover.sameMeaning(a, b, schema)), answer: { kind: 'unknown', reason: 'timeout' } }))
  const compare = comparingByClasses(use, SCHEMA)
  const [a, b] = [permit('principal.n > 5'), permit('5 < principal.n')]
  for (let i = 0; i < 2; i++) assert.deepEqual((await compare(a, b, SCHEMA)).answer, { kind: 'unknown', reason: 'timeout' })
  assert.equal(use.count(), 1)
})

test('a comparison that throws is no answer, and the next one is made all the same', async () => {
  let isDown = true
  const compare = comparingByClasses({ decidedOn: prover.decidedOn, sameMeaning: async (a, b, schema) => { if (isDown) throw new Error('the solver died'); return prover.sameMeaning(a, b, schema) } }, SCHEMA)
  const [a, b] = [permit('principal.n > 5'), permit('5 < principal.n')]
  await assert.rejects(compare(a, b, SCHEMA), /the solver died/)
  isDown = false
  assert.equal((await compare(a, b, SCHEMA)).answer.kind, 'proved')
})

test('sabotage: where classes are joined without proof a fault is not seen', async () => {
  const gullible = comparingByClasses({ decidedOn: prover.decidedOn, sameMeaning: async (a, b, schema) => ({ ...(await prover.sameMeaning(a, b, schema)), answer: { kind: 'proved' } }) }, SCHEMA)
  const [right, wrong] = [permit('principal.n > 5'), permit('principal.n > 6')]
  assert.equal((await gullible(right, wrong, SCHEMA)).answer.kind, 'proved')
  assert.equal((await comparingByClasses(prover, SCHEMA)(right, wrong, SCHEMA)).answer.kind, 'refuted')
})

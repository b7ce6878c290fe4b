import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { parsePolicies, parseSchema } from '#adapters/cedar/cedar.ts'
import { createProver } from '#adapters/solver/prover.ts'
import type { PolicySet } from '#core/policy/policy.ts'
import { randomRules, validated } from '#test/random-policy.ts'
import { reworded } from '#core/injection/reword.ts'
import { importTwin } from '#test/twin.ts'
import { lookWith } from './look.ts'
import { majority, proveMajority } from './majority.ts'
import { LIMITS } from './questions.ts'
import { pick, randomScene, seeded } from './random-world.ts'
import { SELF_TEST_SCHEMA } from './self-test.ts'

const prover = createProver(LIMITS)
after(() => prover[Symbol.asyncDispose]())

const SCHEMA = parseSchema('entity User { n: Long }; entity Doc; action view, edit appliesTo { principal: User, resource: Doc };')
const parse = (text: string) => parsePolicies(text, SCHEMA)
const voters = (...texts: readonly string[]) => texts.map((text) => ({ policy: parse(text), weight: 1 }))
const isMajority = async (policy: string, of: ReturnType<typeof voters>) => (await proveMajority(parse(policy), of, SCHEMA, prover.engines)).answer.kind

const above = (n: number, duty = '') => `${duty === '' ? '' : `@obligation("${duty}") `}permit(principal, action, resource) when { principal.n > ${n} };`

test('the majority is right although each voter is wrong somewhere else', async () => {
  const three = voters(above(5), `${above(5)} forbid(principal, action == Action::"edit", resource);`, above(3))
  assert.equal(await isMajority(above(5), three), 'proved')
  assert.equal(await isMajority(above(3), three), 'refuted')
  assert.equal(await isMajority(above(4), voters(above(3), above(4), above(9))), 'proved')
})

test('halves deny, weights count, and what a permit demands is voted on too', async () => {
  assert.equal(await isMajority('', voters(above(5), '')), 'proved')
  assert.equal(await isMajority(above(5), voters(above(5), '').map((voter, i) => ({ ...voter, weight: i === 0 ? 1.5 : 1 }))), 'proved')
  assert.equal(await isMajority(above(5, 'log'), voters(above(5, 'log'), above(5, 'log'), above(5))), 'proved')
  assert.equal(await isMajority(above(5), voters(above(5, 'log'), above(5, 'log'), above(5))), 'refuted')
  assert.equal(await isMajority(above(5), voters(above(5, 'log'), above(5, 'tell'), above(5))), 'proved')
})

/** What is proved of a majority and Cedar decides otherwise, in some of many random worlds; null: nothing. */
async function falselyProved(prove: typeof proveMajority, rounds: number): Promise<string | null> {
  const schema = parseSchema(SELF_TEST_SCHEMA)
  const random = seeded(8)
  // A twin is contradicted by Cedar, and says so aloud.
  await using asked = createProver({ ...LIMITS, disagreed: () => {} })
  const counts = { proved: 0, refuted: 0, unknown: 0 }
  for (let i = 0; i < rounds; i++) {
    const environment = pick(random, schema.environments)
    const rules = randomRules(schema, environment, random, { count: 3 })
    const variants = [rules.slice(1), rules, reworded(rules, random), [...rules.slice(0, 1), ...rules.slice(2)], reworded(rules.slice(1), random)].map((each) => validated(each, schema))
    if (variants.some((each) => each === null)) continue
    const [judged, ...voters] = Array.from({ length: 4 }, () => pick(random, variants) as PolicySet) as [PolicySet, ...PolicySet[]]
    const { answer } = await prove(judged, voters.map((policy) => ({ policy, weight: 1 })), schema, asked.engines)
    counts[answer.kind]++
    for (let k = 0; answer.kind === 'proved' && k < 40; k++) {
      const scene = { ...randomScene(schema, environment, random), action: environment.action }
      const [principal, resource] = [`${environment.principal}::${JSON.stringify(scene.principal)}`, `${environment.resource}::${JSON.stringify(scene.resource)}`]
      const decided = (policies: PolicySet) => lookWith({ schema, semantics: 'decision-point' }, asked.engines.replay).decided(policies, { ...scene, principal, resource })
      const { isAllowed, obligations } = decided(judged)
      const said = majority(voters.map((policy) => ({ weight: 1, decided: decided(policy) })))
      if (isAllowed !== said.isAllowed || obligations.join() !== said.obligations.join()) return `${JSON.stringify(scene)}\n${[judged, ...voters].map(({ text }) => text).join('\n---\n')}`
    }
  }
  assert.ok(Math.min(counts.proved, counts.refuted) > rounds / 10, JSON.stringify(counts))
  return null
}

test('what is proved of a majority, Cedar decides in random worlds', async () => {
  assert.equal(await falselyProved(proveMajority, 60), null)
})

test('the sabotage twin is caught: a third is enough', async () => {
  const { proveMajority: twin } = await importTwin<{ readonly proveMajority: typeof proveMajority }>('src/core/proof/', ['majority.ts'], { file: 'majority.ts', from: 'terms.bool(isEnough(holding, all, halves))', to: 'terms.bool(3 * holding >= all)' }, 'third')
  assert.notEqual(await falselyProved(twin, 60), null)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { authorize, parsePolicies, parseSchema } from '#adapters/cedar/cedar.ts'
import { Failure } from '#core/failure.ts'
import type { PolicySet, Rule } from '#core/policy/policy.ts'
import { renderRules } from '#core/policy/render.ts'
import { randomRules, randomSchemaText } from '#test/random-policy.ts'
import { agreeingProver } from '#test/prover.ts'
import { ask, type Said } from './differential.ts'
import { lint, type RuleFindings } from './lint.ts'
import { proveEquivalent, type Options } from './questions.ts'
import { pick, randomScene, seeded, WHOLE_POOL } from './random-world.ts'

const SLOW = process.env['ACGS_SLOW'] === '1'
const prover = agreeingProver()

const SCHEMA = parseSchema(`
entity User { n: Long, admin: Bool, name: String };
entity Doc { owner: User, open: Bool };
action view, edit appliesTo { principal: User, resource: Doc };
action idle;
`)

const proved = (found: readonly RuleFindings[]) =>
  found.map(({ rule, ...questions }) => `${rule.id}: ${Object.entries(questions).filter(([, proof]) => proof.answer.kind === 'proved').map(([name]) => name).join(' ')}`)

async function look(text: string, options: Options = {}): Promise<readonly string[]> {
  const found = await lint(parsePolicies(text, SCHEMA), SCHEMA, prover.engines, options)
  return proved(found)
}

test('rules that no request satisfies, that never tell, or that can go are found; the others are shown to matter', async () => {
  assert.deepEqual(await look(`
    @id("own") permit (principal, action, resource) when { resource.owner == principal };
    @id("own-open") permit (principal, action == Action::"view", resource) when { resource.owner == principal && resource.open };
    @id("never") permit (principal, action, resource) when { principal.name like "a*" && principal.name like "b*" };
    @id("secret") permit (principal, action == Action::"edit", resource) when { principal.n > 7 && principal.admin };
    @id("no-admin") forbid (principal, action == Action::"edit", resource) when { principal.admin };
    @id("no-admin-open") forbid (principal, action == Action::"edit", resource) when { principal.admin && resource.open };
    @id("idle") forbid (principal, action == Action::"idle", resource);
  `), [
    'own: neverFails', 'own-open: redundant neverFails', 'never: vacuous shadowed redundant neverFails', 'secret: shadowed redundant neverFails',
    'no-admin: neverFails', 'no-admin-open: shadowed redundant neverFails', 'idle: vacuous shadowed redundant neverFails',
  ])
})

test('of two rules that say the same each is redundant, an obligation makes one matter, and so does a failure that denies', async () => {
  assert.deepEqual(await look('@id("a") permit (principal, action, resource); @id("b") permit (principal, action, resource) when { true };'), ['a: redundant neverFails', 'b: redundant neverFails'])
  assert.deepEqual(await look('@id("a") permit (principal, action, resource); @id("b") @obligation("log") permit (principal, action, resource) when { principal.admin };'), ['a: neverFails', 'b: neverFails'])
  const failing = '@id("a") permit (principal, action, resource); @id("b") permit (principal, action, resource) when { principal.n + 1 > 0 };'
  assert.deepEqual(await look(failing), ['a: neverFails', 'b: '])
  assert.deepEqual(await look(failing, { semantics: 'cedar' }), ['a: neverFails', 'b: redundant'])
  const [, b] = await lint(parsePolicies(failing, SCHEMA), SCHEMA, prover.engines)
  const failure = b?.neverFails.answer
  assert.equal(failure?.kind === 'refuted' && failure.counterexample.entities.find(({ uid }) => uid.type === 'User')?.attrs['n'], '9223372036854775807')
})

test('what is said of rules of random policies agrees with equivalence without them, and with Cedar on random requests', async () => {
  const random = seeded(21)
  const counts = { rules: 0, vacuous: 0, shadowed: 0, redundant: 0, refuted: 0, unknown: 0, attacked: 0 }
  for (let sets = 0; sets < (SLOW ? 200 : 12);) {
    const schema = parseSchema(randomSchemaText(random))
    const environment = pick(random, schema.environments)
    const rules = randomRules(schema, environment, random, { count: 4, depth: 1 })
    const policy = validated(rules, schema)
    if (policy === null) continue
    sets++
    const only = environment
    const scenes = Array.from({ length: 12 }, () => randomScene(schema, environment, random, WHOLE_POOL))
    for (const { rule, vacuous, shadowed, redundant, neverFails } of await lint(policy, schema, prover.engines, { only })) {
      counts.rules++
      const rest = without(policy, rule)
      const { answer } = await proveEquivalent(policy, rest, schema, prover.engines, { only })
      assert.equal(redundant.answer.kind, answer.kind, `${policy.text}\nwithout ${rule.id}`)
      const alone: PolicySet = { text: renderRules([{ ...rule, effect: 'permit' }]), rules: [{ ...rule, effect: 'permit' }] }
      for (const scene of scenes) {
        const whole: Said = ask(schema, environment, policy, scene, authorize)
        const one: Said = ask(schema, environment, alone, scene, authorize)
        const about = (): string => `${schema.text}\n${policy.text}\n${rule.id}\n${JSON.stringify(scene)}`
        const isAllowed = whole.decision === 'allow' && whole.erring.length === 0
        const isSatisfied = one.decision === 'allow'
        if (vacuous.answer.kind === 'proved') assert.ok(!isSatisfied, about())
        if (shadowed.answer.kind === 'proved' && rule.effect === 'permit') assert.ok(!(isSatisfied && isAllowed), about())
        if (shadowed.answer.kind === 'proved' && rule.effect === 'forbid' && isSatisfied) assert.ok(whole.determining.length > 1, about())
        if (neverFails.answer.kind === 'proved') assert.deepEqual(one.erring, [], about())
        counts.attacked++
      }
      for (const [name, { answer: said }] of Object.entries({ vacuous, shadowed, redundant })) {
        if (said.kind === 'proved') counts[name as 'vacuous']++
        else counts[said.kind]++
      }
      if (vacuous.answer.kind === 'proved') assert.equal(shadowed.answer.kind, 'proved')
    }
  }
  console.log(JSON.stringify({ seed: 21, ...counts }))
  assert.ok(counts.redundant > counts.rules / 20 && counts.refuted > counts.rules, 'too one-sided to show anything')
})

function validated(rules: readonly Rule[], schema: ReturnType<typeof parseSchema>): PolicySet | null {
  try {
    return parsePolicies(renderRules(rules), schema)
  } catch (error) {
    if (error instanceof Failure && error.code === 'POLICY_INVALID') return null
    throw error
  }
}

function without(policy: PolicySet, rule: Rule): PolicySet {
  const rules = policy.rules.filter((each) => each !== rule)
  return { text: renderRules(rules), rules }
}

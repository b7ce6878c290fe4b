import assert from 'node:assert/strict'
import { test } from 'node:test'
import { authorize, parseSchema } from '#adapters/cedar/cedar.ts'
import type { Expression } from '#core/policy/expression.ts'
import type { PolicySet, Rule } from '#core/policy/policy.ts'
import type { Environment, Schema } from '#core/policy/schema.ts'
import { randomRules, randomSchemaText, validated } from '#test/random-policy.ts'
import { reworded } from '#core/injection/reword.ts'
import { agreeingProver } from '#test/prover.ts'
import { ask } from './differential.ts'
import type { Counterexample, Proof } from './proof.ts'
import { alwaysDenies, disjoint, implies, neverErrors, proveEquivalent } from './questions.ts'
import { pick, randomScene, seeded, WHOLE_POOL, type Random } from './random-world.ts'

const SLOW = process.env['ACGS_SLOW'] === '1'
const prover = agreeingProver()

type Place = { readonly schema: Schema; readonly environment: Environment }

/** A policy related to another: in other words, with less, with more, changed in one place, or not at all. */
function relative(of: PolicySet, { schema, environment }: Place, random: Random): PolicySet | null {
  const more = randomRules(schema, environment, random, { count: 1, depth: 1 }).map((rule) => ({ ...rule, id: `more${Math.floor(random() * 1e9)}` }))
  switch (pick(random, ['reworded', 'less', 'more', 'mutant', 'unrelated'])) {
    case 'reworded': return validated(reworded(of.rules, random), schema)
    case 'less': return validated(of.rules.slice(1), schema)
    case 'more': return validated([...of.rules, ...more], schema)
    case 'mutant': return validated(mutant(of.rules, random), schema)
    default: return validated(randomRules(schema, environment, random, { count: 2, depth: 1 }), schema)
  }
}

const TURNED: { readonly [kind: string]: Expression['kind'] } = {
  and: 'or', or: 'and', eq: 'neq', neq: 'eq', less: 'lessEq', lessEq: 'less', greater: 'greaterEq', greaterEq: 'greater',
  add: 'sub', sub: 'add', containsAll: 'containsAny', containsAny: 'containsAll',
}

/** The same rules with one node of one condition turned into another of the same type. */
function mutant(rules: readonly Rule[], random: Random): readonly Rule[] {
  const places: object[] = []
  const collect = (part: unknown): void => {
    if (typeof part !== 'object' || part === null) return
    if ('kind' in part && (String(part.kind) in TURNED || part.kind === 'bool' || part.kind === 'long')) places.push(part)
    Object.values(part).forEach(collect)
  }
  for (const { when, unless } of rules) [...when, ...unless].forEach(collect)
  const chosen = pick(random, places)
  const change = (part: unknown): unknown => {
    if (typeof part !== 'object' || part === null) return part
    if (Array.isArray(part)) return part.map(change)
    const copy = Object.fromEntries(Object.entries(part).map(([name, value]) => [name, change(value)]))
    if (part !== chosen) return copy
    const { kind, value } = part as { kind: string; value?: unknown }
    if (kind === 'bool') return { ...copy, value: !value }
    if (kind === 'long') return { ...copy, value: value === '3' ? '4' : '3' }
    return { ...copy, kind: TURNED[kind] }
  }
  return rules.map((rule) => ({ ...rule, when: change(rule.when) as Rule['when'], unless: change(rule.unless) as Rule['unless'] }))
}

function randomPlace(random: Random): Place {
  const schema = parseSchema(randomSchemaText(random))
  return { schema, environment: pick(random, schema.environments) }
}

test('equivalent is an equivalence relation, implies a preorder that it refines, disjoint symmetric and inherited by what implies', async () => {
  const random = seeded(31)
  const counts = { seed: 31, triples: 0, questions: 0, proved: 0, refuted: 0, unknown: 0, chains: 0 }
  const ask = async (proof: Promise<Proof>): Promise<Proof['answer']['kind']> => {
    const { answer } = await proof
    counts.questions++
    counts[answer.kind]++
    return answer.kind
  }
  while (counts.triples < (SLOW ? 400 : 25)) {
    const place = randomPlace(random)
    const { schema, environment: only } = place
    const a = validated(randomRules(schema, only, random, { count: 2, depth: 1 }), schema)
    const b = a === null ? null : relative(a, place, random)
    const c = b === null ? null : relative(b, place, random)
    if (a === null || b === null || c === null) continue
    counts.triples++
    const { engines } = prover
    const about = (): string => `${schema.text}\n${[a, b, c].map(({ text }) => text).join('\n----\n')}`
    const same = (x: PolicySet, y: PolicySet) => ask(proveEquivalent(x, y, schema, engines, { only }))
    const below = (x: PolicySet, y: PolicySet) => ask(implies(x, y, schema, engines, { only }))
    const apart = (x: PolicySet, y: PolicySet) => ask(disjoint(x, y, schema, engines, { only }))
    assert.equal(await same(a, a), 'proved', about())
    assert.equal(await below(b, b), 'proved', about())
    const [ab, bc, ac] = [await same(a, b), await same(b, c), await same(a, c)]
    assert.equal(await same(b, a), ab, about())
    const [aB, bA, bC, aC] = [await below(a, b), await below(b, a), await below(b, c), await below(a, c)]
    const [aa, abApart, bcApart, acApart] = [await apart(a, a), await apart(a, b), await apart(b, c), await apart(a, c)]
    assert.equal(await apart(c, b), bcApart, about())
    assert.equal(aa, await ask(alwaysDenies(a, schema, engines, { only })), about())
    const follows = (premises: readonly string[], conclusion: string): void => {
      if (!premises.every((each) => each === 'proved')) return
      counts.chains++
      assert.equal(conclusion, 'proved', about())
    }
    follows([ab, bc], ac)
    follows([ab, ac], bc)
    follows([aB, bC], aC)
    follows([ab], aB)
    follows([ab], bA)
    follows([aB, bcApart], acApart)
    follows([aa], abApart)
    if ([aB, bA].every((each) => each === 'proved') && ![a, b].some(({ rules }) => rules.some(({ annotations }) => 'obligation' in annotations))) follows([aB, bA], ab)
  }
  console.log(JSON.stringify(counts))
  assert.ok(counts.chains > counts.triples, 'the laws were hardly put to the test')
  assert.ok(counts.unknown < counts.questions / 50)
})

test('every answer about mutants stands: refuted on requests that Cedar decides so, proved against requests drawn at random', async () => {
  const random = seeded(32)
  const counts = { seed: 32, pairs: 0, refuted: 0, proved: 0, unknown: 0, replayed: 0, attacked: 0, toldApartByChance: 0, failing: 0 }
  const questions = [
    { prove: proveEquivalent, breaks: (x: boolean, y: boolean) => x !== y },
    { prove: implies, breaks: (x: boolean, y: boolean) => x && !y },
    { prove: disjoint, breaks: (x: boolean, y: boolean) => x && y },
  ] as const
  while (counts.pairs < (SLOW ? 1_000 : 40)) {
    const { schema, environment } = randomPlace(random)
    // Without obligations, what differs is the decision, which random requests can show.
    const rules = randomRules(schema, environment, random, { count: 2 }).map((rule) => ({ ...rule, annotations: {} }))
    const policy = validated(rules, schema)
    if (policy === null || policy.rules.every(({ when, unless }) => when.length + unless.length === 0)) continue
    const other = validated(mutant(policy.rules, random), schema)
    if (other === null) continue
    counts.pairs++
    const isAllowed = (which: PolicySet, scene: Parameters<typeof ask>[3]): boolean => {
      const said = ask(schema, environment, which, scene, authorize)
      return said.decision === 'allow' && said.erring.length === 0
    }
    const scenes = Array.from({ length: 15 }, () => randomScene(schema, environment, random, WHOLE_POOL))
    const failures: Proof = await neverErrors(policy, schema, prover.engines, { only: environment })
    counts[failures.answer.kind]++
    if (scenes.some((scene) => ask(schema, environment, policy, scene, authorize).erring.length > 0)) {
      counts.failing++
      assert.equal(failures.answer.kind, 'refuted', `a rule fails, and is said not to\n${schema.text}\n${policy.text}`)
    }
    const decisions = scenes.map((scene) => [isAllowed(policy, scene), isAllowed(other, scene)] as const)
    for (const { prove, breaks } of questions) {
      const proof: Proof = await prove(policy, other, schema, prover.engines, { only: environment })
      const answer: Proof['answer'] = proof.answer
      counts[answer.kind]++
      const about = (): string => `${prove.name}\n${schema.text}\n${policy.text}\n----\n${other.text}\n${JSON.stringify(answer)}`
      if (answer.kind === 'proved') for (const [x, y] of decisions) assert.ok(!breaks(x, y), about())
      if (decisions.some(([x, y]) => breaks(x, y))) {
        counts.toldApartByChance++
        assert.equal(answer.kind, 'refuted', about())
      }
      counts.attacked += decisions.length
      if (answer.kind !== 'refuted') continue
      const decide = (which: PolicySet, { entities, ...request }: Counterexample): boolean => {
        const said = authorize({ policies: which, schema, request, entities })
        return said.decision === 'allow' && said.errors.length === 0
      }
      assert.ok(breaks(decide(policy, answer.counterexample), decide(other, answer.counterexample)), about())
      counts.replayed++
    }
  }
  console.log(JSON.stringify(counts))
  assert.ok(counts.proved > counts.pairs / 4 && counts.refuted > counts.pairs / 4 && counts.toldApartByChance > 0, 'too one-sided to show anything')
})

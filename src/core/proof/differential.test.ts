import assert from 'node:assert/strict'
import { test } from 'node:test'
import { authorize, parseSchema } from '#adapters/cedar/cedar.ts'
import { createProver } from '#adapters/solver/prover.ts'
import { TRUE } from '#core/policy/expression.ts'
import type { PolicySet } from '#core/policy/policy.ts'
import { renderRules } from '#core/policy/render.ts'
import type { Environment, Schema } from '#core/policy/schema.ts'
import { randomRules, randomSchemaText, validated } from '#test/random-policy.ts'
import { reworded } from '#core/injection/reword.ts'
import { ask, interpreter, type Said } from './differential.ts'
import type { Proof } from './proof.ts'
import { proveArticles, proveEquivalent } from './questions.ts'
import { pick, randomScene, seeded, WHOLE_POOL, type Random } from './random-world.ts'
import type { Scene } from './world.ts'

const SLOW = process.env['ACGS_SLOW'] === '1'
const replay: typeof authorize = (question) => authorize(question)

/** A random schema with one of its environments. */
function randomPlace(random: Random): { schema: Schema; environment: Environment } {
  const schema = parseSchema(randomSchemaText(random))
  return { schema, environment: pick(random, schema.environments) }
}

function compare(seed: number, sets: number, worlds: number, carelessness: number) {
  const random = seeded(seed)
  const counts = { sets: 0, refusedByCedar: 0, evaluations: 0, allowed: 0, forbidden: 0, erring: 0 }
  while (counts.sets < sets) {
    const { schema, environment } = randomPlace(random)
    const rules = randomRules(schema, environment, random, { count: 1 + Math.floor(random() * 4), carelessness })
    const policy = carelessness === 0 ? validated(rules, schema) : { text: renderRules(rules), rules }
    if (policy === null) {
      counts.refusedByCedar++
      continue
    }
    const interpret = interpreter(schema, environment, policy)
    counts.sets++
    for (let i = 0; i < worlds; i++) {
      const scene = randomScene(schema, environment, random, WHOLE_POOL)
      const ours: Said = interpret(scene)
      const theirs: Said = ask(schema, environment, policy, scene, replay)
      assert.deepEqual(ours, theirs, `terms and Cedar differ\n${schema.text}\n${policy.text}\n${JSON.stringify({ environment, scene }, null, 1)}`)
      counts.evaluations++
      if (theirs.decision === 'allow') counts.allowed++
      else if (theirs.determining.length > 0) counts.forbidden++
      if (theirs.erring.length > 0) counts.erring++
    }
  }
  console.log(JSON.stringify(counts))
  return counts
}

test('terms decide as Cedar does, with the same determining and erring rules: validated policies over random schemas', () => {
  const { evaluations, allowed, forbidden, erring } = compare(1, SLOW ? 2_000 : 110, 10, 0)
  assert.ok(allowed > evaluations / 10 && forbidden > evaluations / 50 && erring > evaluations / 100, 'the worlds are too much alike to show anything')
})

test('terms decide as Cedar does where optional attributes are read without asking', () => {
  const { evaluations, erring } = compare(2, SLOW ? 2_000 : 90, 10, 0.3)
  assert.ok(erring > evaluations / 20, 'too few rules fail to show anything')
})

test('every difference that the solver finds between random policies is one for Cedar, and where it finds none, random requests find none', async () => {
  const disagreements: unknown[] = []
  await using prover = createProver({ rlimit: 20_000_000, timeoutMs: 5_000, disagreed: (report) => disagreements.push(report) })
  const random = seeded(3)
  const counts = { pairs: 0, refuted: 0, proved: 0, unknown: 0, environments: 0, attacked: 0 }
  while (counts.pairs < (SLOW ? 2_000 : 60)) {
    const { schema, environment } = randomPlace(random)
    const left = validated(randomRules(schema, environment, random, { count: 2 }), schema)
    if (left === null) continue
    // Half of the pairs mean the same, in other words; a quarter lacks a rule; a quarter is unrelated.
    const roll = random()
    const others = roll < 0.5 ? reworded(left.rules, random) : roll < 0.75 ? left.rules.slice(1) : randomRules(schema, environment, random, { count: 2 })
    const right = validated(others, schema)
    if (right === null) continue
    counts.pairs++
    const { answer, environments } = await proveEquivalent(left, right, schema, prover.engines)
    counts[answer.kind]++
    counts.environments += environments.length
    if (answer.kind === 'unknown') assert.match(answer.reason, /^(timeout|unsupported|solver gave up)/)
    if (roll < 0.5) assert.notEqual(answer.kind, 'refuted', `${schema.text}\n${left.text}\n----\n${right.text}\n${JSON.stringify(answer)}`)
    if (answer.kind !== 'proved') continue
    for (let i = 0; i < 12; i++) {
      const scene = randomScene(schema, environment, random, WHOLE_POOL)
      const isAllowed = (policy: PolicySet): boolean => {
        const said = ask(schema, environment, policy, scene, replay)
        return said.decision === 'allow' && said.erring.length === 0
      }
      assert.equal(isAllowed(left), isAllowed(right), `proved to be equivalent, and decided differently\n${schema.text}\n${left.text}\n----\n${right.text}\n${JSON.stringify(scene)}`)
      counts.attacked++
    }
  }
  console.log(JSON.stringify(counts))
  assert.deepEqual(disagreements, [])
  assert.ok(counts.refuted > counts.pairs / 6 && counts.proved > counts.pairs / 3, 'too one-sided to show anything')
  assert.ok(counts.unknown < counts.pairs / 20)
})

test('a decision proved independent of an attribute does not change with it, on random requests', async () => {
  const disagreements: unknown[] = []
  await using prover = createProver({ rlimit: 20_000_000, timeoutMs: 5_000, disagreed: (report) => disagreements.push(report) })
  const random = seeded(4)
  const counts = { policies: 0, refuted: 0, proved: 0, unknown: 0, attacked: 0 }
  while (counts.policies < (SLOW ? 500 : 30)) {
    const { schema, environment } = randomPlace(random)
    const policy = validated(randomRules(schema, environment, random, { count: 2 }), schema)
    const type = environment.principal
    const attribute = pick(random, Object.keys(schema.entityTypes.get(type)?.shape.attributes ?? {}))
    if (policy === null || attribute === undefined) continue
    counts.policies++
    const article = { id: 'fair', principle: 'p', kind: 'independent-of', text: '', hard: true, weight: 1 } as const
    const bound = { article, environments: [{ environment, matches: TRUE, unless: null }], protected: [{ kind: 'attribute', type, path: [attribute] }], obligation: null } as const
    const [proof] = await proveArticles(policy, schema, [bound], prover.engines)
    counts[(proof as Proof).answer.kind]++
    if (proof?.answer.kind !== 'proved') continue
    for (let i = 0; i < 10; i++) {
      const scene = randomScene(schema, environment, random, WHOLE_POOL)
      const drawn = new Map(randomScene(schema, environment, random, WHOLE_POOL).entities.map(({ uid, attrs }) => [JSON.stringify(uid), attrs]))
      const entities = scene.entities.map((entity) => {
        if (entity.uid.type !== type) return entity
        const { [attribute]: _, ...others } = entity.attrs
        const other = drawn.get(JSON.stringify(entity.uid)) ?? {}
        return { ...entity, attrs: Object.hasOwn(other, attribute) ? { ...others, [attribute]: other[attribute] } : others }
      })
      const isAllowed = (world: Scene): boolean => {
        const said = ask(schema, environment, policy, world, replay)
        return said.decision === 'allow' && said.erring.length === 0
      }
      assert.equal(isAllowed(scene), isAllowed({ ...scene, entities }), `proved to be independent of ${type}.${attribute}\n${schema.text}\n${policy.text}\n${JSON.stringify(scene)}`)
      counts.attacked++
    }
  }
  console.log(JSON.stringify(counts))
  assert.deepEqual(disagreements, [])
  assert.ok(counts.refuted > counts.policies / 20 && counts.proved > counts.policies / 4, 'too one-sided to show anything')
})

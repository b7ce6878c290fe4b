import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { authorize, checkEntities, parsePolicies, parseSchema } from '#adapters/cedar/cedar.ts'
import { answer, answerByCedar, type Reply } from '#core/decision/answer.ts'
import { decide, type Decision } from '#core/decision/decide.ts'
import { EntityStore } from '#core/decision/entity-store.ts'
import { CEDAR_JSON, fieldsOf, type Found } from '#core/decision/typed-json.ts'
import { Failure } from '#core/failure.ts'
import type { Uid } from '#core/policy/expression.ts'
import { obligations, uidText, type PolicySet } from '#core/policy/policy.ts'
import { renderRules } from '#core/policy/render.ts'
import type { Environment, Schema } from '#core/policy/schema.ts'
import { pick, randomScene, seeded, type Random } from '#core/proof/random-world.ts'
import type { Scene } from '#core/proof/world.ts'
import type { CedarEntity } from '#core/unit/semantic-unit.ts'
import { randomRules, randomSchemaText } from '#test/random-policy.ts'

const SLOW = process.env['ACGS_SLOW'] === '1'
const PACKS = ['ai-agents', 'data-protection'].map((name) => parseSchema(readFileSync(new URL(`../packs/${name}/schema.cedarschema`, import.meta.url), 'utf8')))

/** What decides for the decision point: the evaluator, or Cedar's engine over a slice of the entities. */
const ENGINES = ['evaluator', 'cedar'] as const
type Engine = (typeof ENGINES)[number]

type Place = { readonly schema: Schema; readonly environment: Environment; readonly policies: PolicySet }

/** A set of rules that Cedar's strict validation accepts, over a pack's schema or a random one. */
function randomPlace(random: Random): Place {
  for (;;) {
    try {
      const schema = randomSchema(random)
      const environment = pick(random, schema.environments)
      const policies = parsePolicies(renderRules(randomRules(schema, environment, random, { count: 1 + Math.floor(random() * 4) })), schema)
      return { schema, environment, policies }
    } catch (error) {
      if (!(error instanceof Failure) || !['SCHEMA_INVALID', 'POLICY_INVALID'].includes(error.code)) throw error
    }
  }
}

function randomSchema(random: Random): Schema {
  return random() < 0.5 ? pick(random, PACKS) : parseSchema(randomSchemaText(random))
}

function storeOf(entities: readonly CedarEntity[], make: new () => EntityStore = EntityStore): EntityStore {
  const store = new make()
  store.apply({ version: 1, isWhole: true, upserted: entities, deleted: [] })
  return store
}

/** What the decision point answers from a store and from the question alone. */
function answered({ schema, environment, policies }: Place, scene: Scene, entities: EntityStore, engine: Engine): Reply {
  const active = { application: 'app', revision: 1, digest: '', policies, schema, withdrawn: [], sentenceOf: new Map() }
  const question = { subject: { type: environment.principal, id: scene.principal }, action: { name: environment.action }, resource: { type: environment.resource, id: scene.resource }, context: scene.context }
  const ground = { application: 'app', active, entities, now: () => new Date() }
  return (engine === 'cedar' ? answerByCedar(question, ground, authorize, 'body') : answer(question, ground, 'body')).reply
}

function requestOf({ environment }: Place, scene: Scene) {
  return {
    principal: uidText({ type: environment.principal, id: scene.principal }), action: environment.action,
    resource: uidText({ type: environment.resource, id: scene.resource }), context: scene.context,
  }
}

/** Cedar alone over everything there is, except that an erring rule denies. */
function failingClosed(question: Parameters<typeof decide>[0]): Decision {
  const { decision, determining, errors } = authorize(question)
  if (errors.length > 0) return { decision: 'deny', verdict: 'error', determining: [], obligations: [], errors, missing: [] }
  const duties = question.policies.rules.filter(({ id }) => decision === 'allow' && determining.includes(id)).flatMap(obligations)
  return { decision, verdict: decision === 'allow' ? 'permitted' : determining.length > 0 ? 'forbidden' : 'not_permitted', determining, obligations: [...new Set(duties)].sort(), errors, missing: [] }
}

/** How often the decision point and Cedar, given everything and the schema, come to different answers. */
function compare(seed: number, scenes: number, engine: Engine, make: new () => EntityStore = EntityStore, share = 1) {
  const random = seeded(seed)
  const counts = { compared: 0, allowed: 0, forbidden: 0, erring: 0, missingLess: 0, different: 0 }
  for (let i = 0; i < scenes / 16; i++) {
    const place = randomPlace(random)
    for (let j = 0; j < 16; j++) {
      const scene = randomScene(place.schema, place.environment, random)
      const entities = scene.entities.filter(() => random() < share)
      const question = { policies: place.policies, schema: place.schema, request: requestOf(place, scene), entities }
      const want = share === 1 ? failingClosed(question) : decide(question, authorize)
      const got = answered(place, scene, storeOf(entities, make), engine)
      counts.compared++
      if (want.decision === 'allow') counts.allowed++
      if (want.verdict === 'forbidden') counts.forbidden++
      if (want.verdict === 'error') counts.erring++
      const said = { decision: got.decision ? 'allow' : 'deny', verdict: got.context.verdict, determining: got.context.determining.map(({ rule }) => rule), obligations: got.context.obligations, missing: got.context.missing }
      const { errors: _, ...expected } = want
      // What the evaluator did not read cannot have changed its answer: it may miss less, and decide then.
      const missesLess = engine === 'evaluator' && want.missing.length > 0 && said.missing.every((each) => want.missing.includes(each))
      if (missesLess && said.missing.length < want.missing.length) {
        counts.missingLess++
        continue
      }
      try {
        assert.deepEqual(said, expected)
      } catch (error) {
        counts.different++
        if (make === EntityStore) throw new Error(`${place.schema.text}\n${place.policies.text}\n${JSON.stringify({ scene: { ...scene, entities } })}`, { cause: error })
      }
    }
  }
  return counts
}

for (const engine of ENGINES) {
  test(`${engine} decides from a store as Cedar does from all entities there are: rules and stores at random, over packs and random schemas`, () => {
    const counts = compare(11, SLOW ? 40_000 : 800, engine)
    assert.ok(Math.min(counts.allowed * 5, counts.forbidden * 20, counts.erring * 400) > counts.compared, `too much alike to show anything: ${JSON.stringify(counts)}`)
    assert.equal(counts.missingLess, 0)
  })

  test(`${engine}, and where entities are missing, the same are missed`, () => {
    const { compared, allowed, erring, missingLess } = compare(12, SLOW ? 40_000 : 640, engine, EntityStore, 0.7)
    assert.ok(allowed > compared / 20 && erring - missingLess > compared / 20, 'too much alike to show anything')
  })
}

test('a store that forgets what something is in, or what it refers to, is noticed', () => {
  class Orphans extends EntityStore {
    override get(uid: Uid) {
      const found = super.get(uid)
      return found === null ? null : { ...found, parents: found.parents.slice(1) }
    }
  }
  class Blanks extends EntityStore {
    override get(uid: Uid) {
      const found = super.get(uid)
      return found === null || uid.id !== 'b' ? found : { ...found, attrs: Object.fromEntries(Object.entries(found.attrs).slice(1)) }
    }
  }
  for (const engine of ENGINES) for (const make of [Orphans, Blanks]) assert.ok(compare(11, 240, engine, make).different > 0, `${engine} ${make.name}`)
})

for (const engine of ENGINES) test(`${engine}: an entity or an attribute that is missing and that no rule reads changes nothing; what a rule reads denies and is named`, () => {
  const random = seeded(13)
  const counts = { unread: 0, missed: 0 }
  for (let i = 0; i < (SLOW ? 4_000 : 80); i++) {
    const place = randomPlace(random)
    for (let j = 0; j < 4; j++) {
      const scene = randomScene(place.schema, place.environment, random)
      const bare = (entity: CedarEntity) => ({ ...entity, attrs: Object.fromEntries(Object.entries(entity.attrs).filter(() => random() < 0.8)) })
      const holed = scene.entities.filter(() => random() < 0.85).map((entity) => (random() < 0.5 ? bare(entity) : entity))
      const got = answered(place, scene, storeOf(holed), engine)
      if (got.context.missing.length > 0) {
        counts.missed++
        assert.deepEqual([got.decision, got.context.verdict], [false, 'error'])
        continue
      }
      // Whatever an entity or a promised attribute would have been, the decision is the same.
      const absent = scene.entities.filter(({ uid }) => !holed.some((each) => uidText(each.uid) === uidText(uid)))
      for (let k = 0; k < 3; k++) {
        const other = new Map(randomScene(place.schema, place.environment, random).entities.map(({ uid, attrs }) => [uidText(uid), attrs]))
        const filled = [...holed, ...absent.map((entity) => ({ ...entity, attrs: other.get(uidText(entity.uid)) ?? {} }))].map((entity) => {
          const promised = Object.entries(place.schema.entityTypes.get(entity.uid.type)?.shape.attributes ?? {}).filter(([name, { required }]) => required && !Object.hasOwn(entity.attrs, name))
          return { ...entity, attrs: { ...entity.attrs, ...Object.fromEntries(promised.map(([name]) => [name, other.get(uidText(entity.uid))?.[name]])) } }
        })
        const want = decide({ policies: place.policies, schema: place.schema, request: requestOf(place, scene), entities: filled }, authorize)
        assert.deepEqual([got.context.verdict, got.context.determining.map(({ rule }) => rule)], [want.verdict, want.determining], `${place.policies.text}\n${JSON.stringify({ scene, holed })}`)
      }
      counts.unread++
    }
  }
  assert.ok(counts.unread > 50 && counts.missed > 50, JSON.stringify(counts))
})

test('a value passes as of its type exactly when it does with Cedar', () => {
  const random = seeded(14)
  const counts = { right: 0, wrong: 0 }
  for (let i = 0; i < (SLOW ? 20_000 : 500); i++) {
    const schema = randomSchema(random)
    const scene = randomScene(schema, pick(random, schema.environments), random)
    const ids = ['a', 'k', 'nobody']
    const types = [...schema.entityTypes.keys()]
    const strange = (): unknown => pick<() => unknown>(random, [
      () => true, () => 1, () => 1.5, () => '12', () => 'x', () => null, () => [], () => [1, 'x'], () => ({}), () => 2 ** 52, () => '9223372036854775808', () => '-9223372036854775808',
      () => ({ __entity: { type: pick(random, types), id: pick(random, ids) } }), () => ({ type: pick(random, types), id: pick(random, ids) }), () => ({ __extn: { fn: 'ip', arg: '::1' } }), () => ({ type: 'User' }),
    ])()
    const mutated = (value: unknown): unknown => {
      if (random() < 0.3) return strange()
      if (Array.isArray(value)) return value.map(mutated)
      return typeof value === 'object' && value !== null && !('__entity' in value) ? Object.fromEntries(Object.entries(value).map(([name, each]) => [name, mutated(each)])) : value
    }
    const entity = pick(random, scene.entities)
    const attrs = Object.fromEntries(Object.entries(entity.attrs).map(([name, value]) => [name, random() < 0.4 ? mutated(value) : value]))
    const found: Found = { problems: [], ignored: [] }
    const shape = schema.entityTypes.get(entity.uid.type)?.shape ?? { kind: 'record', attributes: {} }
    fieldsOf(shape, attrs, 'entity', schema, found, CEDAR_JSON)
    let isRight = true
    try {
      checkEntities([{ ...entity, attrs }], schema)
    } catch (error) {
      // What is absent or unknown is judged by who reads it, so it is left out of the comparison.
      if (/missing|not exist|unexpected|should not|to have an attribute/i.test((error as Error).message)) continue
      isRight = false
    }
    if (found.ignored.length > 0) continue
    // Cedar's binding takes an empty array for a record that promises nothing; the decision point does not.
    if (isRight && JSON.stringify(attrs).includes('[]') && found.problems.length > 0 && found.problems.every(({ message }) => message === 'is not an object')) continue
    counts[isRight ? 'right' : 'wrong']++
    assert.equal(found.problems.length === 0, isRight, `${JSON.stringify(attrs)} of ${JSON.stringify(shape)}: ${JSON.stringify(found.problems)}`)
  }
  assert.ok(counts.right > 50 && counts.wrong > 50, JSON.stringify(counts))
})

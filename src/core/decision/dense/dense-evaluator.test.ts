import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parsePolicies, parseSchema } from '#adapters/cedar/cedar.ts'
import { uidText, type Rule } from '#core/policy/policy.ts'
import type { Schema } from '#core/policy/schema.ts'
import { pick, randomScene, seeded, type Random } from '#core/proof/random-world.ts'
import type { CedarEntity } from '#core/unit/semantic-unit.ts'
import { randomRules, randomSchemaText } from '#test/random-policy.ts'
import { importTwin, type Sabotage } from '#test/twin.ts'
import type { Decides } from '../answer.ts'
import { DescribedEntities } from '../described-entities.ts'
import { readContext } from '../entity-graph.ts'
import { EntityStore } from '../entity-store.ts'
import { Evaluator } from '../evaluator.ts'
import { EntityValue, RecordValue } from '../value.ts'
import { compileRules, DenseEvaluator, type Question } from './dense-evaluator.ts'

const EVALUATIONS = Number(process.env['ACGS_TRUTH'] ?? 20_000)
const SEED = Number(process.env['ACGS_SEED'] ?? 20_261_128)

type Dense = { readonly DenseEvaluator: typeof DenseEvaluator; readonly EntityStore: typeof EntityStore; readonly EntityValue: typeof EntityValue; readonly RecordValue: typeof RecordValue; readonly readContext: typeof readContext }
const dense: Dense = { DenseEvaluator, EntityStore, EntityValue, RecordValue, readContext }

/** What is decided about: entities and rules that others may take the place of, and questions. */
type World = { readonly schema: Schema; readonly entities: () => readonly CedarEntity[]; readonly rules: () => readonly Rule[]; readonly question: () => Asked }
type Asked = Omit<Question, 'context'> & { readonly context: { readonly [name: string]: unknown } }

/** Few rules have one word of masks, more have two, many have lists of words. */
const sizeOf = (random: Random) => {
  const roll = random()
  return roll < 0.1 ? 100 + Math.floor(random() * 100) : roll < 0.3 ? 40 + Math.floor(random() * 50) : 1 + Math.floor(random() * 8)
}

function renamed(rules: readonly Rule[], obligation: Random): readonly Rule[] {
  return rules.map((rule, i) => ({ ...rule, id: `rule${i}`, annotations: obligation() < 0.5 ? { obligation: pick(obligation, ['log', 'tell, log', 'ask']) } : {} }))
}

/** @param carelessness How often rules read what may not be there. @param breakage How often something about an entity does not fit the schema. */
function typed(random: Random, carelessness: number, breakage: number): World {
  const schema = parseSchema(randomSchemaText(random))
  const environments = schema.environments
  const rules = () => {
    const size = sizeOf(random)
    const found: Rule[] = []
    while (found.length < size) found.push(...randomRules(schema, pick(random, environments), random, { count: 1 + Math.floor(random() * 4), depth: random() < 0.7 ? 1 : 2, carelessness }))
    return renamed(found.slice(0, size), random)
  }
  const entities = () => randomScene(schema, pick(random, environments), random).entities.map((entity) => (random() < breakage ? broken(random, entity) : entity))
  const question = () => {
    const environment = pick(random, environments)
    const { principal, resource, context } = randomScene(schema, environment, random)
    const action = schema.actions.get(environment.action)?.uid
    assert.ok(action !== undefined)
    return { principal: { type: environment.principal, id: principal }, action, resource: { type: environment.resource, id: resource }, context }
  }
  return { schema, entities, rules, question }
}

/** Lacks something that its type promises, has something of another type, or is in what its type cannot be in. */
function broken(random: Random, entity: CedarEntity): CedarEntity {
  const { attrs } = entity
  const name = pick(random, Object.keys(attrs))
  const roll = random()
  if (roll < 0.2 || name === undefined) return { ...entity, parents: [...entity.parents, { type: 'Kind', id: 'a' }] }
  if (roll < 0.4) return { ...entity, tags: { k: null } }
  return { ...entity, attrs: roll < 0.7 ? Object.fromEntries(Object.entries(attrs).filter(([each]) => each !== name)) : { ...attrs, [name]: [[]] } }
}

type Counts = { evaluations: number; fast: number; updates: number; switched: number; verdicts: { [verdict: string]: number } }

/** The first decision that differs from the general evaluator's on the same entities, read anew; null when there is none. */
function firstDifference(make: (random: Random) => World, evaluations: number, { DenseEvaluator, EntityStore: Store, EntityValue: Name, RecordValue: OwnRecord, readContext: readOwn }: Dense): { readonly difference: unknown; readonly counts: Counts } {
  const random = seeded(SEED)
  const counts: Counts = { evaluations: 0, fast: 0, updates: 0, switched: 0, verdicts: {} }
  while (counts.evaluations < evaluations) {
    const world = make(random)
    const { schema } = world
    const given = new Map(world.entities().map((entity) => [uidText(entity.uid), entity]))
    const store = new Store(random() < 0.5 ? 4 : 1_000)
    let version = 0
    const apply = (upserted: readonly CedarEntity[], deleted: readonly CedarEntity['uid'][] = [], isWhole = false) => store.apply({ version: ++version, isWhole, upserted, deleted })
    apply([...given.values()])
    let rules = world.rules()
    let engine = new DenseEvaluator(rules, store.readBy(schema))
    let reference = new Evaluator(rules)
    let anew = readAnew(given, schema)
    const questions = Array.from({ length: 12 }, () => world.question())
    for (let i = 0; i < 60; i++) {
      const { principal, action, resource, context } = pick(random, questions)
      const name = ({ type, id }: { type: string; id: string }) => new EntityValue(type, id)
      const lacked = random() < 0.2 ? pick(random, Object.keys(context)) : undefined
      const want = reference.decide({ principal: name(principal), action: name(action), resource: name(resource), context: without(readContext(context, schema, action), lacked, RecordValue) }, anew)
      const before = engine.doubts
      const got = engine.decide({ principal: new Name(principal.type, principal.id), action, resource, context: without(readOwn(context, schema, action), lacked, OwnRecord) })
      counts.evaluations++
      counts.verdicts[want.verdict] = (counts.verdicts[want.verdict] ?? 0) + 1
      if (engine.doubts === before) counts.fast++
      if (JSON.stringify(want) !== JSON.stringify(got)) return { difference: { rules, entities: [...given.values()], principal, action, resource, context, want, got }, counts }
      if (i % 6 === 5) {
        const isWhole = random() < 0.1
        const upserted = world.entities().filter(() => isWhole || random() < 0.1)
        const deleted = [...given.values()].filter(() => random() < 0.04).map(({ uid }) => uid)
        if (isWhole) given.clear()
        for (const uid of deleted) given.delete(uidText(uid))
        for (const entity of upserted) given.set(uidText(entity.uid), entity)
        apply(upserted, deleted, isWhole)
        anew = readAnew(given, schema)
        counts.updates++
      }
      if (i % 20 === 19) {
        rules = world.rules()
        engine = new DenseEvaluator(rules, store.readBy(schema))
        reference = new Evaluator(rules)
        counts.switched++
      }
    }
  }
  return { difference: null, counts }
}

function readAnew(given: ReadonlyMap<string, CedarEntity>, schema: Schema) {
  const store = new EntityStore()
  store.apply({ version: 1, isWhole: true, upserted: [...given.values()], deleted: [] })
  return store.readBy(schema)
}

/** A context in which a promised attribute is absent. */
function without({ fields }: RecordValue, lacked: string | undefined, Kind: typeof RecordValue): RecordValue {
  return lacked === undefined ? new Kind(fields) : new Kind(new Map([...fields].filter(([name]) => name !== lacked)), new Map([[lacked, `context.${lacked}`]]))
}

const WORLDS: { readonly [name: string]: (random: Random) => World } = {
  'entities that fit the schema': (random) => typed(random, 0.02, 0),
  'some entities that do not, rules that may fail': (random) => typed(random, 0.1, 0.1),
}
const text = (value: unknown) => JSON.stringify(value, (_key, each: unknown) => (typeof each === 'bigint' ? `${each}n` : each), 1)

for (const [name, make] of Object.entries(WORLDS)) {
  test(`compiled rules decide as the general evaluator does, ${name}: ${EVALUATIONS / 2} evaluations, seed ${SEED}`, (t) => {
    const { difference, counts } = firstDifference(make, EVALUATIONS / 2, dense)
    t.diagnostic(JSON.stringify(counts))
    assert.equal(difference, null, text(difference))
    // Were everything left to the general evaluator, nothing would have been compared.
    assert.ok(counts.fast > counts.evaluations / 2, `${counts.fast} of ${counts.evaluations} were decided by masks`)
  })
}

const TWINS: { readonly [name: string]: Sabotage } = {
  'one bit of a mask is dropped': { file: 'dense/masks.ts', from: 'for (const place of places) set(place)', to: 'for (const place of places.slice(1)) set(place)' },
  'one bit of a larger mask is dropped': { file: 'dense/masks.ts', from: 'for (const place of places) words.set(', to: 'for (const place of places) if (place !== 33) words.set(' },
  'an update is forgotten by the masks': { file: 'dense/dense-evaluator.ts', from: 'if (row > 0) for (const keeper of this.#keepersOf.get(table) ?? []) keeper.drop(row)', to: '' },
  'an update is forgotten by those who read the entity': { file: 'dense/dense-evaluator.ts', from: 'this.#keepers[Math.floor(reader / ROWS_MAX)]?.drop(reader % ROWS_MAX)', to: 'void reader' },
  'what is below keeps its stale ancestors': { file: 'stored-entities.ts', from: 'for (const { members } of [...below])', to: 'for (const { members } of [])' },
  'an update is forgotten by the entities read': { file: 'stored-entities.ts', from: 'table.remove(row)', to: '' },
  'rows outlive the entities that room is made of': { file: 'stored-entities.ts', from: 'this.#forget(entity.name, tell)\n      }\n    })\n  }\n\n  /** Forgets what was read of', to: 'this.#forget(entity.name, () => {})\n      }\n    })\n  }\n\n  /** Forgets what was read of' },
  'doubt is a no': { file: 'dense/compiled-environment.ts', from: 'if (answer === DOUBT) return false\n      if (answer === NO) holding', to: 'if (answer !== YES) holding' },
  'doubt about what rules begin with is a no': { file: 'dense/compiled-environment.ts', from: 'if (answer === DOUBT) return false\n        if (answer === YES) continue', to: 'if (answer === YES) continue' },
  'a no lets rules go on that begin with it': { file: 'dense/compiled-environment.ts', from: 'low &= ~leader.low', to: '' },
  'an unknown parent is no doubt': { file: 'dense/masks.ts', from: 'if (this.#byGroup.size > 0 && isAboveDoubtful(entity)) return null', to: '' },
  'a condition of one side comes before what may fail': { file: 'dense/split-rules.ts', from: 'conjuncts.slice(0, mixed)', to: 'conjuncts' },
  'answers outlive their decision': { file: 'dense/program.ts', from: 'if (known >> 2 !== this.#decision)', to: 'if (known === 0)' },
  'a forbid counts like a permit': { file: 'dense/split-rules.ts', from: 'const isPermit = rule.effect ===', to: 'const isPermit = rule.effect !== ' },
  'rules keep no order': { file: 'dense/compiled-environment.ts', from: '.sort((a, b) => a.order - b.order)', to: '' },
  'a group’s own member is not in it': { file: 'dense/masks.ts', from: '...(this.#byGroup.get(entity.name.key) ?? NONE)', to: '' },
  'unless is when': { file: 'dense/conjuncts.ts', from: '...unless.flatMap(negated)', to: '...unless.flatMap(parts)' },
  'what was promised and is absent is a no': { file: 'dense/relation.ts', from: 'value.absent === null ? NO : DOUBT', to: 'NO' },
  'a value missing equals another': { file: 'dense/program.ts', from: 'one === 0 || other === 0 ? DOUBT : ', to: '' },
  'what is neither true nor false is false': { file: 'dense/program.ts', from: 'truth === TRUE || truth === FALSE ? code[at + YES_AT - TRUE + truth] as number : DOUBT', to: 'code[at + YES_AT + (truth === TRUE ? 0 : 1)] as number' },
  'an attribute of the context that is missing is false': { file: 'dense/program.ts', from: "typeof truth === 'boolean' ? code[at + YES_AT + (truth ? 0 : 1)] as number : DOUBT", to: 'code[at + YES_AT + (truth === true ? 0 : 1)] as number' },
  'at most is less than': { file: 'dense/program.ts', from: "this.#addOrder(GREATER, { ...expression, kind: 'greater' }, compiling, no, yes)", to: "this.#addOrder(LESS, { ...expression, kind: 'less' }, compiling, yes, no)" },
  'an order is the same from the other side': { file: 'dense/program.ts', from: 'slots.isPrincipalFirst ? order : turned', to: 'order' },
  'what is no integer that fits is not ordered': { file: 'dense/program.ts', from: "if (typeof one !== 'number' || typeof other !== 'number') at = this.#ask(at, ps, p, rs, r, context)\n          else ", to: '' },
  'one alternative is enough for all': { file: 'dense/program.ts', from: 'this.add(expression.left, compiling, yes, this.add(expression.right, compiling, yes, no))', to: 'this.add(expression.left, compiling, yes, no)' },
}

for (const [name, sabotage] of Object.entries(TWINS)) {
  test(`the sabotage twin is caught: ${name}`, async () => {
    const twin = await importTwin<Dense>('src/core/decision/', ['dense/dense-evaluator.ts', 'entity-store.ts', 'entity-graph.ts', 'value.ts'], sabotage, name)
    assert.ok(Object.values(WORLDS).some((make) => firstDifference(make, 10_000, twin).difference !== null))
  })
}

const BOUNDS: readonly Sabotage[] = [
  { file: 'dense/dense-evaluator.ts', from: 'const READERS_MAX = 2 ** 20', to: 'const READERS_MAX = 2' },
  { file: 'dense/dense-evaluator.ts', from: 'const INTS_MAX = 2 ** 26', to: 'const INTS_MAX = 40' },
  { file: 'dense/dense-evaluator.ts', from: 'const UNUSED_MIN = 2 ** 16', to: 'const UNUSED_MIN = -4' },
  { file: 'dense/masks.ts', from: 'const ROW_MAX = 128', to: 'const ROW_MAX = 2' },
  { file: 'dense/slots.ts', from: 'const SLOTS_MAX = 127', to: 'const SLOTS_MAX = 1' },
  { file: 'dense/lists.ts', from: 'const DROPPED_MIN = 1 << 14', to: 'const DROPPED_MIN = 1' },
  { file: 'dense/program.ts', from: 'const DECISIONS = 1 << 29', to: 'const DECISIONS = 4' },
]

for (const bound of BOUNDS) {
  test(`what is bounded is bounded without another decision: ${bound.to}`, async () => {
    const twin = await importTwin<Dense>('src/core/decision/', ['dense/dense-evaluator.ts', 'entity-store.ts', 'entity-graph.ts', 'value.ts'], bound, bound.to)
    for (const make of Object.values(WORLDS)) {
      const { difference, counts } = firstDifference(make, 2_000, twin)
      assert.equal(difference, null, text(difference))
      assert.ok(counts.fast > counts.evaluations / 2, `${counts.fast} of ${counts.evaluations} were decided by masks`)
    }
  })
}

const TEAMS = parseSchema('entity Team; entity User in [Team] { active: Bool, boss?: User }; action view appliesTo { principal: User, resource: Team };')
const rulesOf = (text: string) => parsePolicies(text, TEAMS).rules
const uid = (type: string, id: string) => ({ type, id })
const user = (id: string, attrs: CedarEntity['attrs'], ...teams: string[]): CedarEntity => ({ uid: uid('User', id), attrs, parents: teams.map((each) => uid('Team', each)) })
const view: Question = { principal: uid('User', 'ana'), action: uid('Action', 'view'), resource: uid('Team', 'red'), context: new RecordValue(new Map()) }
const red: CedarEntity = { uid: uid('Team', 'red'), attrs: {}, parents: [] }

test('what is decided follows the store, from one decision to the next and while rules are compiled', async () => {
  const store = new EntityStore()
  let version = 0
  const apply = (upserted: readonly CedarEntity[], deleted: readonly CedarEntity['uid'][] = []) => store.apply({ version: ++version, isWhole: false, upserted, deleted })
  let pauses = 0
  const engine = await compileRules(rulesOf('@id("members") permit(principal, action, resource) when { principal in resource && principal.active };'), TEAMS, store, async () => {
    pauses++
    apply([user('ana', { active: true }, 'red')])
  })
  assert.equal(pauses, 2)
  assert.deepEqual([engine.decide(view).verdict, engine.decide(view).missing], ['error', ['Team::"red"']])
  apply([red])
  assert.deepEqual(engine.decide(view).determining, ['members'])
  apply([user('ana', { active: false }, 'red')])
  assert.equal(engine.decide(view).verdict, 'not_permitted')
  apply([user('ana', {}, 'red')])
  assert.deepEqual(engine.decide(view).missing, ['User::"ana".active'])
  apply([], [uid('User', 'ana')])
  assert.deepEqual(engine.decide(view).missing, ['User::"ana"'])
})

test('a question that describes an entity is decided by what it says, and the store goes on as before', async () => {
  const store = new EntityStore()
  store.apply({ version: 1, isWhole: true, upserted: [red, user('ana', { active: false })], deleted: [] })
  const engine: Decides = await compileRules(rulesOf('permit(principal, action, resource) when { principal.active };'), TEAMS, store, async () => {})
  const stored = store.readBy(TEAMS)
  const type = TEAMS.entityTypes.get('User')
  assert.ok(type !== undefined)
  const described = new DescribedEntities(stored, [{ uid: view.principal, type, properties: new Map([['active', true]]), none: new Set() }])
  const request = { principal: new EntityValue('User', 'ana'), action: new EntityValue('Action', 'view'), resource: new EntityValue('Team', 'red'), context: view.context }
  assert.deepEqual([stored, described, stored].map((entities) => engine.decide(request, entities).verdict), ['not_permitted', 'permitted', 'not_permitted'])
})

test('masks decide where nothing that is read is in doubt, and again once what was missing is there', () => {
  const store = new EntityStore()
  store.apply({ version: 1, isWhole: true, upserted: [red, user('ana', { active: 'x', boss: { __entity: uid('User', 'bo') } })], deleted: [] })
  const verdicts = (rules: string) => {
    const engine = new DenseEvaluator(rulesOf(rules), store.readBy(TEAMS))
    return { engine, decided: () => ({ verdict: engine.decide(view).verdict, doubts: engine.doubts }) }
  }
  // What cannot be used and no rule asks for is nobody's doubt.
  assert.deepEqual(verdicts('permit(principal, action, resource) when { principal has boss };').decided(), { verdict: 'permitted', doubts: 0 })
  const { decided } = verdicts('permit(principal, action, resource) when { principal has boss && principal.boss.active };')
  assert.deepEqual(decided(), { verdict: 'error', doubts: 1 })
  store.apply({ version: 2, isWhole: false, upserted: [user('bo', { active: true })], deleted: [] })
  assert.deepEqual(decided(), { verdict: 'permitted', doubts: 1 })
})

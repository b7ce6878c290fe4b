import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseSchema } from '#adapters/cedar/cedar.ts'
import { uidText, type Rule } from '#core/policy/policy.ts'
import type { Schema } from '#core/policy/schema.ts'
import { pick, randomScene, seeded, type Random } from '#core/proof/random-world.ts'
import type { CedarEntity } from '#core/unit/semantic-unit.ts'
import { randomRules, randomSchemaText } from '#test/random-policy.ts'
import { randomQuestions } from '#test/random-questions.ts'
import { importTwin, type Sabotage } from '#test/twin.ts'
import { readContext, readEntities } from '../entity-graph.ts'
import { Evaluator } from '../evaluator.ts'
import { EntityValue, RecordValue } from '../value.ts'
import { DenseEvaluator, type Question } from './dense-evaluator.ts'
import { LiveEntities } from './live-entities.ts'

const EVALUATIONS = Number(process.env['ACGS_TRUTH'] ?? 20_000)
const SEED = Number(process.env['ACGS_SEED'] ?? 20_261_128)

type Dense = { readonly DenseEvaluator: typeof DenseEvaluator; readonly LiveEntities: typeof LiveEntities; readonly EntityValue: typeof EntityValue; readonly RecordValue: typeof RecordValue; readonly readContext: typeof readContext }
const dense: Dense = { DenseEvaluator, LiveEntities, EntityValue, RecordValue, readContext }

/** What is decided about: entities and rules that another may take the place of, and questions. */
type World = { readonly schema: Schema | null; readonly entities: () => readonly CedarEntity[]; readonly rules: () => readonly Rule[]; readonly question: () => Asked }
type Asked = Omit<Question, 'context'> & { readonly context: { readonly [name: string]: unknown } }

/** Few rules have one word of masks, many have several. */
const sizeOf = (random: Random) => (random() < 0.4 ? 40 + Math.floor(random() * 60) : 1 + Math.floor(random() * 8))

function renamed(rules: readonly Rule[], obligation: Random): readonly Rule[] {
  return rules.map((rule, i) => ({ ...rule, id: `rule${i}`, annotations: obligation() < 0.5 ? { obligation: pick(obligation, ['log', 'tell, log', 'ask']) } : {} }))
}

function untyped(random: Random): World {
  const rules = () => {
    // Rules of any types fail often, and one that does decides everything.
    const size = random() < 0.1 ? sizeOf(random) : 1 + Math.floor(random() * 2)
    const found: Rule[] = []
    while (found.length < size) found.push(...randomQuestions(random, 0).rules)
    return renamed(found.slice(0, size), random)
  }
  return { schema: null, entities: () => randomQuestions(random, 0).entities, rules, question: () => randomQuestions(random, 1).requests[0] as Asked }
}

function typed(random: Random): World {
  const schema = parseSchema(randomSchemaText(random))
  const environments = schema.environments
  const rules = () => {
    const size = sizeOf(random)
    const found: Rule[] = []
    while (found.length < size) found.push(...randomRules(schema, pick(random, environments), random, { count: 1 + Math.floor(random() * 4), depth: random() < 0.7 ? 1 : 2, carelessness: 0.02 }))
    return renamed(found.slice(0, size), random)
  }
  const entities = () => randomScene(schema, pick(random, environments), random).entities
  const question = () => {
    const environment = pick(random, environments)
    const { principal, resource, context } = randomScene(schema, environment, random)
    const action = schema.actions.get(environment.action)?.uid
    assert.ok(action !== undefined)
    return { principal: { type: environment.principal, id: principal }, action, resource: { type: environment.resource, id: resource }, context }
  }
  return { schema, entities, rules, question }
}

type Counts = { evaluations: number; fast: number; updates: number; switched: number; verdicts: { [verdict: string]: number } }

/** The first decision that differs from the general evaluator's on the same entities, read anew; null when there is none. */
function firstDifference(make: (random: Random) => World, evaluations: number, { DenseEvaluator, LiveEntities, EntityValue: Name, RecordValue: OwnRecord, readContext: readOwn }: Dense): { readonly difference: unknown; readonly counts: Counts } {
  const random = seeded(SEED)
  const counts: Counts = { evaluations: 0, fast: 0, updates: 0, switched: 0, verdicts: {} }
  while (counts.evaluations < evaluations) {
    const world = make(random)
    const given = new Map(world.entities().map((entity) => [uidText(entity.uid), entity]))
    const live = new LiveEntities(world.schema)
    live.apply({ upserted: [...given.values()] })
    let rules = world.rules()
    let engine = new DenseEvaluator(rules, live, world.schema)
    let reference = new Evaluator(rules)
    let graph = readEntities([...given.values()], world.schema)
    const questions = Array.from({ length: 12 }, () => world.question())
    for (let i = 0; i < 60; i++) {
      const { principal, action, resource, context } = pick(random, questions)
      const name = ({ type, id }: { type: string; id: string }) => new EntityValue(type, id)
      const lacked = random() < 0.2 ? pick(random, Object.keys(context)) : undefined
      const want = reference.decide({ principal: name(principal), action: name(action), resource: name(resource), context: without(readContext(context, world.schema, action), lacked, RecordValue) }, graph)
      const before = engine.doubts
      const got = engine.decide({ principal: new Name(principal.type, principal.id), action, resource, context: without(readOwn(context, world.schema, action), lacked, OwnRecord) })
      counts.evaluations++
      counts.verdicts[want.verdict] = (counts.verdicts[want.verdict] ?? 0) + 1
      if (engine.doubts === before) counts.fast++
      if (JSON.stringify(want) !== JSON.stringify(got)) return { difference: { rules, entities: [...given.values()], principal, action, resource, context, want, got }, counts }
      if (i % 6 === 5) {
        const others = world.entities()
        const upserted = others.filter(() => random() < 0.15).filter((entity) => keepsAcyclic(given, entity))
        const deleted = [...given.values()].filter(() => random() < 0.04).map(({ uid }) => uid)
        for (const uid of deleted) given.delete(uidText(uid))
        for (const entity of upserted.slice(0, 1)) given.set(uidText(entity.uid), entity)
        live.apply({ upserted: upserted.slice(0, 1), deleted })
        graph = readEntities([...given.values()], world.schema)
        counts.updates++
      }
      if (i % 20 === 19) {
        rules = world.rules()
        const next = new DenseEvaluator(rules, live, world.schema)
        if (random() < 0.5) next.prepare()
        engine.close()
        engine = next
        reference = new Evaluator(rules)
        counts.switched++
      }
    }
  }
  return { difference: null, counts }
}

/** A context in which a promised attribute is absent. */
function without({ fields }: RecordValue, lacked: string | undefined, Kind: typeof RecordValue): RecordValue {
  return lacked === undefined ? new Kind(fields) : new Kind(new Map([...fields].filter(([name]) => name !== lacked)), new Map([[lacked, `context.${lacked}`]]))
}

function keepsAcyclic(given: ReadonlyMap<string, CedarEntity>, entity: CedarEntity): boolean {
  const seen = new Set<string>()
  const open = entity.parents.map(uidText)
  for (let key = open.pop(); key !== undefined; key = open.pop()) {
    if (key === uidText(entity.uid)) return false
    if (seen.has(key)) continue
    seen.add(key)
    open.push(...(given.get(key)?.parents ?? []).map(uidText))
  }
  return true
}

const WORLDS = { 'typed by a schema': typed, 'without a schema, of any types': untyped }
const text = (value: unknown) => JSON.stringify(value, (_key, each: unknown) => (typeof each === 'bigint' ? `${each}n` : each), 1)

for (const [name, make] of Object.entries(WORLDS)) {
  test(`compiled rules decide as the general evaluator does, ${name}: ${EVALUATIONS / 2} evaluations, seed ${SEED}`, (t) => {
    const { difference, counts } = firstDifference(make, EVALUATIONS / 2, dense)
    t.diagnostic(JSON.stringify(counts))
    assert.equal(difference, null, text(difference))
    // Were everything left to the general evaluator, nothing would have been compared.
    assert.ok(counts.fast > counts.evaluations / 20, `${counts.fast} of ${counts.evaluations} were decided by masks`)
  })
}

const TWINS: { readonly [name: string]: Sabotage } = {
  'one bit of a mask is dropped': { file: 'dense/side.ts', from: 'for (const place of places) mask |= 1 << place', to: 'for (const place of places.slice(1)) mask |= 1 << place' },
  'one bit of a larger mask is dropped': { file: 'dense/side.ts', from: 'for (const place of places) words.set(', to: 'for (const place of places) if (place !== 33) words.set(' },
  'an update is forgotten by the masks': { file: 'dense/dense-evaluator.ts', from: 'for (const side of this.#sidesOf.get(table) ?? []) side.drop(row)', to: '' },
  'an update is forgotten by those who read the entity': { file: 'dense/dense-evaluator.ts', from: 'this.#sides[Math.floor(reader / ROWS_MAX)]?.drop(reader % ROWS_MAX)', to: 'void reader' },
  'what is below keeps its stale ancestors': { file: 'dense/live-entities.ts', from: 'for (const key of found) for (const child of this.#children.get(key) ?? []) found.add(child)', to: '' },
  'doubt is a no': { file: 'dense/compiled-environment.ts', from: 'if (answer === DOUBT) return false', to: 'if (answer === DOUBT) return true' },
  'an unknown parent is no doubt': { file: 'dense/side.ts', from: 'if (this.#byGroup.size > 0 && entity.unknown.length > 0) return null', to: '' },
  'a condition of one side comes before what may fail': { file: 'dense/compiled-environment.ts', from: 'conjuncts.slice(0, mixed)', to: 'conjuncts' },
  'answers outlive their decision': { file: 'dense/compiled-environment.ts', from: 'if (known >> 2 === this.#decision)', to: 'if (known !== 0)' },
  'a forbid counts like a permit': { file: 'dense/compiled-environment.ts', from: 'const isPermit = rule.effect ===', to: 'const isPermit = rule.effect !== ' },
  'rules keep no order': { file: 'dense/compiled-environment.ts', from: '.sort((a, b) => a.order - b.order)', to: '' },
  'a group’s own member is not in it': { file: 'dense/side.ts', from: '...(this.#byGroup.get(entity.name.key) ?? NONE)', to: '' },
  'unless is when': { file: 'dense/conjuncts.ts', from: '...unless.flatMap(negated)', to: '...unless.flatMap(parts)' },
  'what was promised and is absent is a no': { file: 'dense/relation.ts', from: 'value.absent === null ? NO : DOUBT', to: 'NO' },
  'a value missing equals another': { file: 'dense/relation.ts', from: 'a === 0 || b === 0 ? DOUBT : ', to: '' },
}

for (const [name, sabotage] of Object.entries(TWINS)) {
  test(`the sabotage twin is caught: ${name}`, async () => {
    const twin = await importTwin<Dense>('src/core/decision/', ['dense/dense-evaluator.ts', 'dense/live-entities.ts', 'entity-graph.ts', 'value.ts'], sabotage, name)
    assert.ok(Object.values(WORLDS).some((make) => firstDifference(make, 10_000, twin).difference !== null))
  })
}

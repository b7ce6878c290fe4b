import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { authorize, parseSchema } from '#adapters/cedar/cedar.ts'
import { DenseEvaluator } from '#core/decision/dense/dense-evaluator.ts'
import { readContext, readEntities } from '#core/decision/entity-graph.ts'
import { EntityStore } from '#core/decision/entity-store.ts'
import { Evaluator } from '#core/decision/evaluator.ts'
import { EntityValue } from '#core/decision/value.ts'
import type { Uid } from '#core/policy/expression.ts'
import { uidText, type PolicySet } from '#core/policy/policy.ts'
import { renderRules } from '#core/policy/render.ts'
import type { Environment, Schema } from '#core/policy/schema.ts'
import { ask, interpreter, type Said } from '#core/proof/differential.ts'
import { pick, randomScene, seeded, type Random } from '#core/proof/random-world.ts'
import type { Scene } from '#core/proof/world.ts'
import type { CedarEntity } from '#core/unit/semantic-unit.ts'
import { randomRules, randomSchemaText } from '#test/random-policy.ts'

const EVALUATIONS = Number(process.env['ACGS_TRUTH'] ?? 20_000)
const SEED = Number(process.env['ACGS_SEED'] ?? 20_261_128)
/** Evaluations over one schema; entities change after every few of them, revisions a few times. */
const PER_SCHEMA = 80

/** One policy as each of the four has it, while entities change below it. */
type Revision = { readonly policy: PolicySet; readonly masks: DenseEvaluator; readonly general: Evaluator; readonly terms: Map<Environment, (scene: Scene) => Said> }

function revisionOf(schema: Schema, store: EntityStore, random: Random): Revision {
  const rules = Array.from({ length: 2 + Math.floor(random() * 6) }, () => randomRules(schema, pick(random, schema.environments), random, { count: 1, carelessness: 0.2 })).flat()
  const named = rules.map((rule, i) => ({ ...rule, id: `rule${i}` }))
  return { policy: { text: renderRules(named), rules: named }, masks: new DenseEvaluator(named, store.readBy(schema)), general: new Evaluator(named), terms: new Map() }
}

function compare(t: TestContext, evaluations: number): void {
  const random = seeded(SEED)
  const counts = { seed: SEED, evaluations: 0, allowed: 0, forbidden: 0, erring: 0, byMasks: 0, lacking: 0, schemas: 0, updates: 0, revisions: 0 }
  while (counts.evaluations < evaluations) {
    const schema = parseSchema(randomSchemaText(random))
    counts.schemas++
    const drawn = () => randomScene(schema, pick(random, schema.environments), random).entities
    const all = new Map(drawn().map((entity) => [uidText(entity.uid), entity]))
    // With room for few, what was read is forgotten and read again all the time.
    const store = new EntityStore(random() < 0.5 ? 4 : 1_000)
    apply(store, [...all.values()])
    let lacking: Uid | null = null
    let revision = revisionOf(schema, store, random)
    for (let i = 0; i < PER_SCHEMA; i++) {
      const { masks, general, policy, terms } = revision
      const environment = pick(random, schema.environments)
      const entities = [...all.values()].filter(({ uid }) => lacking === null || uidText(uid) !== uidText(lacking))
      const scene: Scene = { ...randomScene(schema, environment, random), entities }
      const action = schema.actions.get(environment.action)?.uid ?? assert.fail(environment.action)
      const name = (type: string, id: string) => new EntityValue(type, id)
      const request = { principal: name(environment.principal, scene.principal), action: name(action.type, action.id), resource: name(environment.resource, scene.resource), context: readContext(scene.context, schema, action) }
      const agree = (what: string, got: unknown, want: unknown): void => {
        if (!isDeepStrictEqual(got, want)) assert.deepEqual(got, want, `${what}, seed ${SEED}\n${schema.text}\n${policy.text}\n${JSON.stringify({ environment, scene }, null, 1)}`)
      }

      const want = ask(schema, environment, policy, scene, authorize)
      const graph = readEntities(entities, schema)
      const { decision, determining, errors } = general.evaluate(request, graph)
      agree('the general evaluator and Cedar differ', { decision, determining: determining.toSorted(), erring: errors.map(({ rule }) => rule).sort() }, want)

      const before = masks.doubts
      const decided = masks.decide({ ...request, action })
      if (masks.doubts === before) counts.byMasks++
      agree('masks and the general evaluator differ', decided, general.decide(request, graph))
      if (want.erring.length > 0) agree('a rule fails and the decision point does not say so', decided.verdict, 'error')
      else if (lacking === null) {
        const verdict = want.decision === 'allow' ? 'permitted' : want.determining.length > 0 ? 'forbidden' : 'not_permitted'
        agree('the decision point and Cedar differ', [decided.verdict, decided.determining.toSorted()], [verdict, want.determining])
      }
      // The prover’s worlds have every entity.
      if (lacking === null) {
        const interpret = terms.get(environment) ?? interpreter(schema, environment, policy)
        terms.set(environment, interpret)
        agree('terms and Cedar differ', interpret(scene), want)
      } else counts.lacking++

      counts.evaluations++
      if (want.decision === 'allow') counts.allowed++
      else if (want.determining.length > 0) counts.forbidden++
      if (want.erring.length > 0) counts.erring++

      if (i % 4 === 3) {
        lacking = change(all, store, lacking, drawn(), random)
        counts.updates++
      }
      if (i % 13 === 12) {
        revision = revisionOf(schema, store, random)
        counts.revisions++
      }
    }
  }
  t.diagnostic(JSON.stringify(counts))
  for (const part of [counts.allowed, counts.forbidden, counts.erring]) assert.ok(part > counts.evaluations / 50, JSON.stringify(counts))
  assert.ok(counts.byMasks > counts.evaluations / 3 && counts.lacking > counts.evaluations / 50 && counts.lacking < counts.evaluations / 3, JSON.stringify(counts))
}

/** Changes one entity's attributes, or all of every entity, or takes one away, which the next change brings back. */
function change(all: Map<string, CedarEntity>, store: EntityStore, lacking: Uid | null, drawn: readonly CedarEntity[], random: Random): Uid | null {
  const back = lacking === null ? undefined : all.get(uidText(lacking))
  if (back === undefined && random() < 0.2) {
    const { uid } = pick(random, [...all.values()])
    apply(store, [], [uid])
    return uid
  }
  const other = pick(random, drawn)
  // With its own parents in another hierarchy, one alone could become its own ancestor.
  const upserted = random() < 0.3 ? drawn : [{ ...other, parents: all.get(uidText(other.uid))?.parents ?? [] }]
  for (const entity of upserted) all.set(uidText(entity.uid), entity)
  const missing = back !== undefined && !upserted.some(({ uid }) => uidText(uid) === uidText(back.uid)) ? [back] : []
  apply(store, [...missing, ...upserted])
  return null
}

function apply(store: EntityStore, upserted: readonly CedarEntity[], deleted: readonly Uid[] = []): void {
  store.apply({ version: store.version + 1, isWhole: false, upserted, deleted })
}

test(`terms, the general evaluator, masks and Cedar answer alike while entities and revisions change: ${EVALUATIONS} evaluations, seed ${SEED}`, (t) => compare(t, EVALUATIONS))

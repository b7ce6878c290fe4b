import type { PolicySet } from '#core/policy/policy.ts'
import { uidText } from '#core/policy/policy.ts'
import type { Problem } from '#core/failure.ts'
import type { Uid } from '#core/policy/expression.ts'
import type { Action, EntityType, Schema } from '#core/policy/schema.ts'
import type { CedarEntity, CedarRequest } from '#core/unit/semantic-unit.ts'
import { conclude, type Authorize, type Decision } from './decide.ts'
import type { ReadQuestion } from './question.ts'
import { meet, readsOf, type Met } from './reads.ts'
import type { Stored } from './stored-entities.ts'
import { CEDAR_JSON, fieldsOf, valueOf, type Found } from './values.ts'

type Json = { readonly [name: string]: unknown }

/** What Cedar's engine is given of one question: those few entities that rules can read for such a request, of each the attributes that they ask for. */
export type Slice = {
  readonly request: CedarRequest
  readonly entities: readonly CedarEntity[]
  /** What a rule that fits the types and the action reads, whichever way it is evaluated, and nobody supplied; sorted. */
  readonly missing: readonly string[]
  /** What such a rule reads, and does not fit the schema. Cedar gets it left out. */
  readonly unusable: readonly Problem[]
}

/** By what a question is decided: the rules, their schema, and what is stored. */
type By = { readonly policies: PolicySet; readonly schema: Schema; readonly stored: Stored }

/** Decides as the evaluator does, by Cedar's engine. Where something is missing it is the stricter of the two: see {@link Slice}. */
export function decideByCedar(question: ReadQuestion<unknown>, by: By, authorize: Authorize): Decision {
  const { policies } = by
  const { request, entities, missing, unusable } = sliceOf(question, by)
  return unusable.length + missing.length > 0
    ? conclude(policies, { decision: 'deny', determining: [], errors: unusable.map(({ place, message }) => ({ rule: '', message: `${place} ${message}` })) }, missing)
    : conclude(policies, authorize({ policies, schema: null, request, entities }), [])
}

export function sliceOf({ principal, action, resource, context, described }: ReadQuestion<unknown>, { policies, schema, stored }: By): Slice {
  const request = { principal: uidText(principal), action: action.text, resource: uidText(resource), context: Object.fromEntries(context) }
  const properties = new Map(described.map(({ uid, properties, none }): readonly [string, Json] => [uidText(uid), Object.fromEntries([...properties, ...[...none].map((name) => [name, NONE] as const)])]))
  const scene = new Scene(schema, stored, properties)
  const reads = readsOf(policies, schema, { principal: principal.type, action: action.text, resource: resource.type })
  const { met, missing } = meet(reads, { schema, request, lookup: (text, named) => scene.entity(text, named ?? (text === request.principal ? principal : resource)), stored: (_, named) => stored.get(named) })
  const slice = [...met].map(([text, each]) => scene.asked(text, each))
  return { request, entities: [...slice, ...groupsOf(action.action, schema)], missing: [...new Set([...missing, ...scene.untold])].sort(), unusable: scene.unusable }
}

/** The entities of one question: properties laid over what is stored, and of each as much as rules ask. */
class Scene {
  /** What is stored, is asked for and does not fit the schema of the active revision. */
  readonly unusable: Problem[] = []
  /**
   * What a rule asks of an entity that only the question describes, and the question does not say: what it is in, an optional attribute.
   * Taken for "in nothing" and "has none", it would let it past a prohibition.
   */
  readonly untold = new Set<string>()
  readonly #schema: Schema
  readonly #entities: Stored
  readonly #properties: ReadonlyMap<string, Json>
  readonly #read = new Map<string, CedarEntity | null>()

  constructor(schema: Schema, entities: Stored, properties: ReadonlyMap<string, Json>) {
    this.#schema = schema
    this.#entities = entities
    this.#properties = properties
  }

  /** As it is stored, with its properties; null when nothing is known of it. */
  entity(text: string, uid: Uid): CedarEntity | null {
    const known = this.#read.get(text)
    if (known !== undefined) return known
    const stored = this.#entities.get(uid)
    const properties = this.#properties.get(text)
    const entity = properties === undefined ? stored : { parents: [], ...stored, uid, attrs: laidOver(stored?.attrs ?? {}, properties) }
    this.#read.set(text, entity)
    return entity
  }

  /** As Cedar must get it, without what nobody asks for; everything that it is in as its parents, so that Cedar needs none of those. */
  asked(text: string, { entity: { uid, attrs, tags }, asked, above }: Met): CedarEntity {
    const type = this.#schema.entityTypes.get(uid.type) as EntityType // What was met has a type.
    const found: Found = { problems: this.unusable, ignored: [] }
    const properties = this.#properties.get(text) ?? {}
    const stored = Object.fromEntries(Object.entries(attrs).filter(([name]) => asked.has(name) && !Object.hasOwn(properties, name)))
    const kept = Object.fromEntries(fieldsOf(type.shape, stored, text, this.#schema, found, CEDAR_JSON))
    if (this.#entities.get(uid) === null) this.#noteUntold(text, type, asked, properties)
    const strange = above.find((each) => !type.ancestors.includes(each.type))
    if (strange !== undefined) this.unusable.push({ place: text, message: `is in ${uidText(strange)}, which its type cannot be in` })
    const { tags: ofType } = type
    const read = ofType === null ? [] : Object.entries(tags ?? {}).map(([name, value]) => [name, valueOf(ofType, value, `${text} tag ${name}`, this.#schema, found, CEDAR_JSON)] as const).filter(([, value]) => value !== null)
    const brought = Object.fromEntries(Object.entries(properties).filter(([name]) => asked.has(name)))
    return { uid, attrs: laidOver(kept, brought), parents: above, ...(read.length === 0 ? {} : { tags: Object.fromEntries(read) }) }
  }

  /** Of an entity that only the question describes. */
  #noteUntold(text: string, { shape }: EntityType, asked: Met['asked'], properties: Json): void {
    for (const name of asked) {
      if (name === null) this.untold.add(text)
      else if (shape.attributes[name]?.required === false && !Object.hasOwn(properties, name)) this.untold.add(`${text}.${name}`)
    }
  }
}

/** Without a schema Cedar knows an action's groups from an entity only. */
function groupsOf({ uid, ancestors }: Action, schema: Schema): readonly CedarEntity[] {
  return ancestors.length === 0 ? [] : [{ uid, attrs: {}, parents: ancestors.map((group) => (schema.actions.get(group) as Action).uid) }]
}

/** That an entity has no such attribute, which the question says with a null. */
const NONE = Symbol('none')

function laidOver(stored: Json, properties: Json): Json {
  return Object.fromEntries(Object.entries({ ...stored, ...properties }).filter(([, value]) => value !== NONE))
}

import { Failure, type Problem } from '#core/failure.ts'
import { malformed } from '#core/json.ts'
import type { Uid } from '#core/policy/expression.ts'
import { uidText } from '#core/policy/policy.ts'
import type { Action, EntityType, Schema } from '#core/policy/schema.ts'
import type { ActiveRevision } from '#core/revision/active.ts'
import type { CedarEntity } from '#core/unit/semantic-unit.ts'
import { conclude, type Authorize, type Decision } from './decide.ts'
import type { EntityStore } from './entity-store.ts'
import { meet, readsOf, type Met } from './reads.ts'
import { unknownId, valueOf, valuesOf, type Found } from './values.ts'

type Json = { readonly [name: string]: unknown }

/** One question as AuthZEN asks it: may this subject do this to this resource? */
export type Question = {
  readonly subject: Named
  readonly action: { readonly name: string; readonly properties?: Json | undefined }
  readonly resource: Named
  readonly context?: Json | undefined
}
type Named = { readonly type: string; readonly id: string; readonly properties?: Json | undefined }

/** What the decision point replies; the context is the same for every kind of yes and no. */
export type Reply = {
  readonly decision: boolean
  readonly context: {
    /** The number of the revision that decided; null when nothing is active. */
    readonly revision: number | null
    readonly verdict: Decision['verdict']
    readonly determining: readonly { readonly rule: string; readonly sentence: string | null }[]
    /** By language. */
    readonly reason_admin: { readonly en: string }
    readonly reason_user: { readonly en: string }
    readonly obligations: readonly string[]
    /** What a rule reads and nobody supplied. */
    readonly missing: readonly string[]
    /** Places in the question that the schema does not know: no rule can read them. */
    readonly ignored: readonly string[]
  }
}

/** By what a question is decided: what is active (null: nothing, and everything is denied), the entities, the time. */
export type Ground = { readonly application: string; readonly active: ActiveRevision | null; readonly entities: EntityStore; readonly now: Date }

const FOR_USERS: { readonly [verdict in Decision['verdict']]: string } = {
  permitted: 'This is allowed.',
  forbidden: 'A rule forbids this.',
  not_permitted: 'No rule allows this.',
  error: 'It could not be decided whether this is allowed, so it is not.',
}

/**
 * Answers a question from what is active, the entities and what the question itself brings along, failing closed.
 *
 * Properties are attributes of that entity for this question only, and go before what is stored; null says that it has none. An action's properties are attributes of
 * the context, as Cedar's actions have none. What `@concept("now")` marks is filled in here.
 *
 * @param place How the question is called in problems, e.g. `body`.
 * @throws {Failure} REQUEST_MALFORMED with every place, when the schema does not know the type or the action, or a value is not of its type.
 */
export function answer(question: Question, { application, active, entities, now }: Ground, authorize: Authorize, place: string): Reply {
  if (active === null) {
    return {
      decision: false,
      context: {
        revision: null, verdict: 'not_permitted', determining: [], obligations: [], missing: [], ignored: [],
        reason_admin: { en: `nothing is active for the application \`${application}\`, so everything is denied: activate a revision` },
        reason_user: { en: FOR_USERS.not_permitted },
      },
    }
  }
  const { policies, schema } = active
  const found: Found = { problems: [], ignored: [] }
  const [action, uid] = actionNamed(question.action.name, schema, place)
  const [principal, resource] = [uidOf(question.subject), uidOf(question.resource)]
  found.problems.push(
    ...typeProblems(principal, action.principals, schema, uid, `${place}.subject`),
    ...typeProblems(resource, action.resources, schema, uid, `${place}.resource`),
  )
  if (found.problems.length > 0) throw malformed(found.problems)

  const context = contextOf(question, action, schema, place, found, now.getTime())
  const properties = propertiesOf(question, schema, place, found)
  if (found.problems.length > 0) throw malformed(found.problems)

  const request = { principal: uidText(principal), action: uid, resource: uidText(resource), context }
  const scene = new Scene(schema, entities, properties)
  const reads = readsOf(policies, schema, { principal: principal.type, action: uid, resource: resource.type })
  const { met, missing } = meet(reads, { schema, request, lookup: (text, named) => scene.entity(text, named ?? (text === request.principal ? principal : resource)), stored: (_, named) => entities.get(named) })
  const slice = [...met].map(([text, each]) => scene.asked(text, each))
  const untold = [...new Set([...missing, ...scene.untold])].sort()
  const unusable = scene.unusable.map(({ place, message }) => ({ rule: '', message: `${place} ${message}` }))
  const decision = unusable.length + untold.length > 0
    ? conclude(policies, { decision: 'deny', determining: [], errors: unusable }, untold)
    : conclude(policies, authorize({ policies, schema: null, request, entities: [...slice, ...groupsOf(action, schema)] }), [])
  return replyOf(decision, active, found.ignored)
}

/** The reply to a question within a batch that cannot be answered: a deny that says why. */
export function refusal(failure: Failure, active: ActiveRevision | null): Reply & { readonly context: { readonly error: { readonly status: 400; readonly message: string; readonly problems: readonly Problem[] } } } {
  return {
    decision: false,
    context: {
      revision: active?.revision ?? null, verdict: 'error', determining: [], obligations: [], missing: [], ignored: [],
      reason_admin: { en: failure.message }, reason_user: { en: FOR_USERS.error },
      error: { status: 400, message: failure.message, problems: failure.problems },
    },
  }
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
  readonly #entities: EntityStore
  readonly #properties: ReadonlyMap<string, Json>
  readonly #read = new Map<string, CedarEntity | null>()

  constructor(schema: Schema, entities: EntityStore, properties: ReadonlyMap<string, Json>) {
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
    const kept = valuesOf(type.shape, stored, text, this.#schema, found)
    if (this.#entities.get(uid) === null) this.#noteUntold(text, type, asked, properties)
    const strange = above.find((each) => !type.ancestors.includes(each.type))
    if (strange !== undefined) this.unusable.push({ place: text, message: `is in ${uidText(strange)}, which its type cannot be in` })
    const { tags: ofType } = type
    const read = ofType === null ? [] : Object.entries(tags ?? {}).map(([name, value]) => [name, valueOf(ofType, value, `${text} tag ${name}`, this.#schema, found, null)] as const)
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

function actionNamed(name: string, schema: Schema, place: string): readonly [Action, string] {
  const exact = schema.actions.get(name)
  const asked = [...schema.actions].filter(([, { principals }]) => principals.length > 0)
  const same = exact === undefined ? asked.filter(([, { uid }]) => uid.id === name) : [[name, exact] as const].filter(([, { principals }]) => principals.length > 0)
  const [only] = same
  if (only !== undefined && same.length === 1) return [only[1], only[0]]
  const known = same.length > 1 ? same.map(([uid]) => uid) : asked.map(([, { uid }]) => uid.id)
  const message = same.length > 1 ? `\`${name}\` is the id of several actions: name one as ${listed(known)}` : `\`${name}\` is none of the actions: there are ${listed(known)}`
  throw new Failure('REQUEST_MALFORMED', `${place}.action.name: ${message}`, { problems: [{ place: `${place}.action.name`, message }], details: { known } })
}

function typeProblems(uid: Uid, types: readonly string[], schema: Schema, action: string, place: string): readonly Problem[] {
  if (!schema.entityTypes.has(uid.type)) return [{ place: `${place}.type`, message: `\`${uid.type}\` is none of the types: for \`${action}\` there are ${listed(types)}` }]
  if (!types.includes(uid.type)) return [{ place: `${place}.type`, message: `\`${action}\` is not asked of a \`${uid.type}\`: for it there are ${listed(types)}` }]
  const problem = unknownId(schema, uid)
  return problem === null ? [] : [{ place: `${place}.id`, message: problem }]
}

function contextOf({ context = {}, action: { properties = {} } }: Question, action: Action, schema: Schema, place: string, found: Found, now: number): Json {
  const given = valuesOf(action.context, context, `${place}.context`, schema, found, now)
  const ofAction = valuesOf(action.context, properties, `${place}.action.properties`, schema, found, now)
  for (const name of Object.keys(properties)) {
    if (Object.hasOwn(context, name)) found.problems.push({ place: `${place}.action.properties.${name}`, message: 'is given in the context too: give it once' })
  }
  return { ...given, ...ofAction }
}

/** That an entity has no such attribute, which the question says with a null. */
const NONE = Symbol('none')

function laidOver(stored: Json, properties: Json): Json {
  return Object.fromEntries(Object.entries({ ...stored, ...properties }).filter(([, value]) => value !== NONE))
}

/** By uid text: of subject and resource, those properties that their type has. */
function propertiesOf({ subject, resource }: Question, schema: Schema, place: string, found: Found): ReadonlyMap<string, Json> {
  const properties = new Map<string, Json>()
  for (const [name, { type, id, properties: given }] of [['subject', subject], ['resource', resource]] as const) {
    if (given === undefined) continue
    const key = uidText({ type, id })
    const at = `${place}.${name}.properties`
    const shape = schema.entityTypes.get(type)?.shape ?? { kind: 'record', attributes: {} }
    const none = Object.keys(given).filter((attribute) => given[attribute] === null && Object.hasOwn(shape.attributes, attribute) && shape.attributes[attribute]?.required === false)
    const said = Object.fromEntries(Object.entries(given).filter(([attribute]) => !none.includes(attribute)))
    const values: Json = { ...valuesOf(shape, said, at, schema, found), ...Object.fromEntries(none.map((attribute) => [attribute, NONE])) }
    if (Object.keys(values).length === 0) continue
    const before = properties.get(key) ?? {}
    for (const [attribute, value] of Object.entries(values)) {
      if (Object.hasOwn(before, attribute) && JSON.stringify(before[attribute]) !== JSON.stringify(value)) found.problems.push({ place: `${at}.${attribute}`, message: 'is another value than the subject has, and both are one entity' })
    }
    properties.set(key, { ...before, ...values })
  }
  return properties
}

function replyOf({ decision, verdict, determining, obligations, errors, missing }: Decision, { revision, sentenceOf, withdrawn }: ActiveRevision, ignored: readonly string[]): Reply {
  const rules = determining.map((rule) => ({ rule, sentence: sentenceOf.get(rule) ?? null }))
  const said = rules.map(({ rule, sentence }) => (sentence === null ? rule : `${rule} (“${sentence}”)`)).join(', ')
  const reason = {
    permitted: `permitted by ${said}`,
    forbidden: `forbidden by ${said}`,
    not_permitted: withdrawn.length === 0 ? 'no rule permits it' : `no rule permits it; what rests on the revoked ${withdrawn.map((id) => `certificate ${id}`).join(', ')} permits no more`,
    // A rule that fails over what is missing says nothing new.
    error: missing.length > 0 ? `missing: ${missing.join(', ')}; store it, or send it with the question`
      : errors.map(({ rule, message }) => (rule === '' ? message : `${rule} could not be evaluated: ${message}`)).join('; '),
  }[verdict]
  return {
    decision: decision === 'allow',
    context: { revision, verdict, determining: rules, reason_admin: { en: reason }, reason_user: { en: FOR_USERS[verdict] }, obligations, missing, ignored },
  }
}

function uidOf({ type, id }: Named): Uid {
  return { type, id }
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, 50).map((name) => `\`${name}\``).join(', ')
  return names.length > 50 ? `${shown} and ${names.length - 50} more` : shown
}

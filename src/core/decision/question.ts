import { Failure, type Problem } from '#core/failure.ts'
import { malformed } from '#core/json.ts'
import type { Uid } from '#core/policy/expression.ts'
import type { Action, EntityType, Schema } from '#core/policy/schema.ts'
import { fieldsOf, unknownId, type Build, type Found, type Place } from './typed-json.ts'

type Json = { readonly [name: string]: unknown }

/** One question as AuthZEN asks it: may this subject do this to this resource? */
export type Question = {
  readonly subject: Named
  readonly action: { readonly name: string; readonly properties?: Json | undefined }
  readonly resource: Named
  readonly context?: Json | undefined
}
type Named = { readonly type: string; readonly id: string; readonly properties?: Json | undefined }

/** A question, every value read by the schema. */
export type ReadQuestion<T> = {
  readonly principal: Uid
  readonly action: NamedAction
  readonly resource: Uid
  readonly context: ReadonlyMap<string, T>
  /** What the question says of its entities: one or two of them, or none. */
  readonly described: readonly Described<T>[]
  /** Places that the schema does not know: no rule can read them. */
  readonly ignored: readonly string[]
}

/** What a question says of an entity. */
export type Described<T> = {
  readonly uid: Uid
  readonly type: EntityType
  readonly properties: ReadonlyMap<string, T>
  /** Optional attributes that it does not have, which the question says with a null. */
  readonly none: ReadonlySet<string>
}

export type NamedAction = { readonly action: Action; readonly text: string }

/**
 * Reads a question by a schema.
 *
 * @param now For what the schema marks with `@concept("now")`, in milliseconds since 1970.
 * @param same Whether two values are one.
 * @throws {Failure} REQUEST_MALFORMED with every place, when the schema does not know the type or the action, or a value is not of its type.
 */
export function readQuestion<T>(question: Question, schema: Schema, now: number, place: string, build: Build<T>, same: (a: T, b: T) => boolean): ReadQuestion<T> {
  const found: Found = { problems: [], ignored: [], charactersMax: CHARACTERS_MAX }
  const action = actionNamed(question.action.name, schema, place)
  const [principal, resource] = [uidOf(question.subject), uidOf(question.resource)]
  addTypeProblems(principal, action.action.principals, schema, action.text, { of: place, key: 'subject' }, found)
  addTypeProblems(resource, action.action.resources, schema, action.text, { of: place, key: 'resource' }, found)
  if (found.problems.length > 0) throw malformed(found.problems)

  const context = contextOf(question, action.action, schema, place, found, build, now)
  const described = describedIn(question, schema, place, found, build, same)
  if (found.problems.length > 0) throw malformed(found.problems)
  return { principal, action, resource, context, described, ignored: found.ignored }
}

/** A longer string in a question is a problem. */
export const CHARACTERS_MAX = 10_000

/** By what names an action can be asked for, and those that several have. */
type ActionNames = { readonly named: ReadonlyMap<string, NamedAction>; readonly shared: ReadonlyMap<string, readonly string[]>; readonly ids: readonly string[] }
const namesOf = new WeakMap<Schema, ActionNames>()

export function actionNames(schema: Schema): ActionNames {
  const known = namesOf.get(schema)
  if (known !== undefined) return known
  const asked = [...schema.actions].filter(([, { principals }]) => principals.length > 0).map(([text, action]) => ({ text, action }))
  const byId = Map.groupBy(asked, ({ action }) => action.uid.id)
  const named = new Map<string, NamedAction>()
  const shared = new Map<string, readonly string[]>()
  for (const [id, all] of byId) {
    const [only] = all
    if (only !== undefined && all.length === 1) named.set(id, only)
    else shared.set(id, all.map(({ text }) => text))
  }
  // INVARIANT: a uid goes before an id that reads like one, and names no other action, not even when its own is never asked for.
  for (const [text, action] of schema.actions) {
    shared.delete(text)
    if (action.principals.length > 0) named.set(text, { text, action })
    else named.delete(text)
  }
  const made = { named, shared, ids: asked.map(({ action }) => action.uid.id) }
  namesOf.set(schema, made)
  return made
}

function actionNamed(name: string, schema: Schema, place: string): NamedAction {
  const { named, shared, ids } = actionNames(schema)
  const only = named.get(name)
  if (only !== undefined) return only
  const same = shared.get(name)
  const known = same ?? ids
  const message = same !== undefined ? `\`${name}\` is the id of several actions: name one as ${listed(known)}` : `\`${name}\` is none of the actions: there are ${listed(known)}`
  throw new Failure('REQUEST_MALFORMED', `${place}.action.name: ${message}`, { problems: [{ place: `${place}.action.name`, message }], details: { known } })
}

function addTypeProblems(uid: Uid, types: readonly string[], schema: Schema, action: string, place: { readonly of: string; readonly key: string }, { problems }: Found): void {
  const at = (member: string, message: string): void => { problems.push({ place: `${place.of}.${place.key}.${member}`, message } satisfies Problem) }
  if (!schema.entityTypes.has(uid.type)) return at('type', `\`${uid.type}\` is none of the types: for \`${action}\` there are ${listed(types)}`)
  if (!types.includes(uid.type)) return at('type', `\`${action}\` is not asked of a \`${uid.type}\`: for it there are ${listed(types)}`)
  const problem = unknownId(schema, uid)
  if (problem !== null) at('id', problem)
}

function contextOf<T>({ context = NOTHING, action: { properties } }: Question, action: Action, schema: Schema, place: Place, found: Found, build: Build<T>, now: number): ReadonlyMap<string, T> {
  const given = fieldsOf(action.context, context, { of: place, key: 'context' }, schema, found, build, now)
  if (properties === undefined) return given
  const ofAction = fieldsOf(action.context, properties, { of: { of: place, key: 'action' }, key: 'properties' }, schema, found, build, now)
  for (const name of Object.keys(properties)) {
    if (Object.hasOwn(context, name)) found.problems.push({ place: `${String(place)}.action.properties.${name}`, message: 'is given in the context too: give it once' })
  }
  return new Map([...given, ...ofAction])
}
const NOTHING: Json = {}

/** Of subject and resource, those properties that their type has. */
function describedIn<T>({ subject, resource }: Question, schema: Schema, place: string, found: Found, build: Build<T>, same: (a: T, b: T) => boolean): readonly Described<T>[] {
  const first = describedBy(subject, schema, { of: { of: place, key: 'subject' }, key: 'properties' }, found, build)
  const second = describedBy(resource, schema, { of: { of: place, key: 'resource' }, key: 'properties' }, found, build)
  if (first === null) return second === null ? [] : [second]
  if (second === null) return [first]
  if (subject.type !== resource.type || subject.id !== resource.id) return [first, second]
  for (const name of [...second.properties.keys(), ...second.none]) {
    const [one, other] = [first.properties.get(name), second.properties.get(name)]
    const isSaid = one !== undefined || first.none.has(name)
    const isSame = one === undefined ? other === undefined : other !== undefined && same(one, other)
    if (isSaid && !isSame) found.problems.push({ place: `${place}.resource.properties.${name}`, message: 'is another value than the subject has, and both are one entity' })
  }
  return [{ ...first, properties: new Map([...first.properties, ...second.properties]), none: new Set([...first.none, ...second.none]) }]
}

function describedBy<T>({ type: name, id, properties }: Named, schema: Schema, place: Place, found: Found, build: Build<T>): Described<T> | null {
  const type = schema.entityTypes.get(name)
  if (properties === undefined || type === undefined) return null
  const { attributes } = type.shape
  const none = new Set<string>()
  for (const attribute of Object.keys(properties)) {
    if (properties[attribute] === null && Object.hasOwn(attributes, attribute) && attributes[attribute]?.required === false) none.add(attribute)
  }
  const said = none.size === 0 ? properties : Object.fromEntries(Object.entries(properties).filter(([attribute]) => !none.has(attribute)))
  const values = fieldsOf(type.shape, said, place, schema, found, build)
  return values.size === 0 && none.size === 0 ? null : { uid: { type: name, id }, type, properties: values, none }
}

function uidOf({ type, id }: Named): Uid {
  return { type, id }
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, 50).map((name) => `\`${name}\``).join(', ')
  return names.length > 50 ? `${shown} and ${names.length - 50} more` : shown
}

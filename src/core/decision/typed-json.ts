import type { Problem } from '#core/failure.ts'
import { rawJSON, step } from '#core/json.ts'
import type { Uid } from '#core/policy/expression.ts'
import { uidText } from '#core/policy/policy.ts'
import { concepts, type RecordType, type Schema, type Type } from '#core/policy/schema.ts'
import { uidOf } from '#core/revision/entities.ts'
import { CONSTRUCTORS, flawOfExtension, isLong } from '#core/revision/extension-value.ts'

type Json = { readonly [name: string]: unknown }

/** What came to light while values were read by their types. */
export type Found = {
  readonly problems: Problem[]
  /** Places that the type does not have: no rule can read them. */
  readonly ignored: string[]
  /** A longer string is a problem: every pattern of every rule may walk over it. Unbounded without this. */
  readonly charactersMax?: number
}

/** Where a value stands; made a text only for whoever must be told. */
export type Place = string | { readonly of: Place; readonly key: string | number }

export function placeText(place: Place): string {
  return typeof place === 'string' ? place : step(placeText(place.of), place.key)
}

/** What values become as they are read. */
export type Build<T> = {
  readonly plain: (value: boolean | string) => T
  readonly long: (integer: number | bigint) => T
  readonly entity: (uid: Uid) => T
  /** @param arg Known to be a text that `fn` makes a value of. */
  readonly extension: (fn: string, arg: string) => T
  readonly set: (items: readonly T[]) => T
  /** Promised attributes may be absent. */
  readonly record: (fields: ReadonlyMap<string, T>, type: RecordType, place: Place) => T
}

/** As Cedar's JSON says them without a schema: entities and extension values marked as such, an integer beyond 2⁵³ that very integer. */
export const CEDAR_JSON: Build<unknown> = {
  plain: (value) => value,
  long: (integer) => (typeof integer === 'number' ? integer : rawJSON(String(integer))),
  entity: (uid) => ({ __entity: uid }),
  extension: (fn, arg) => ({ __extn: { fn, arg } }),
  set: (items) => items,
  record: (fields) => Object.fromEntries(fields),
}

/**
 * Reads a record by its type. Promised attributes that are absent stay absent: whether that matters depends on who reads them.
 *
 * @param place How the whole is called in problems, e.g. `context`.
 * @param now For a context: what an attribute of the concept `now` becomes, in milliseconds since 1970. A value given for it is a problem.
 */
export function fieldsOf<T>(type: RecordType, json: unknown, place: Place, schema: Schema, found: Found, build: Build<T>, now: number | null = null): ReadonlyMap<string, T> {
  const fields = new Map<string, T>()
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    found.problems.push({ place: placeText(place), message: 'is not an object' })
    return fields
  }
  const names = Object.keys(json)
  if (names.length > MEMBERS_MAX) {
    found.problems.push({ place: placeText(place), message: `has ${names.length} members, and no more than ${MEMBERS_MAX} are read` })
    return fields
  }
  const clocks = now === null ? NO_CLOCKS : clocksOf(type)
  for (const name of names) {
    const attribute = Object.hasOwn(type.attributes, name) ? type.attributes[name] : undefined
    if (attribute === undefined) {
      if (found.ignored.length < IGNORED_MAX) found.ignored.push(placeText({ of: place, key: name }))
    } else if (clocks.has(name)) found.problems.push({ place: placeText({ of: place, key: name }), message: 'is filled in by the decision point: leave it out' })
    else {
      const value = valueOf(attribute.type, (json as Json)[name], { of: place, key: name }, schema, found, build, now)
      if (value !== null) fields.set(name, value)
    }
  }
  if (now !== null) fillClocks(fields, type, now, build)
  return fields
}

/** Fills in the attributes of the concept `now`, in milliseconds since 1970. */
export function fillClocks<T>(fields: Map<string, T>, type: RecordType, now: number, build: Build<T>): void {
  for (const [name, own] of clocksOf(type)) {
    if (own.kind === 'long') fields.set(name, build.long(now))
    else if (own.kind === 'extension' && own.name === 'datetime') fields.set(name, build.extension('datetime', new Date(now).toISOString()))
  }
}

/** A batch reads its defaults for every question, so that what one record costs is bounded; so is what a reply repeats of it. */
export const MEMBERS_MAX = 200
const IGNORED_MAX = 20

type Clocks = ReadonlyMap<string, Type>
const NO_CLOCKS: Clocks = new Map()
const clocks = new WeakMap<RecordType, Clocks>()

/** The attributes of the concept `now`. */
export function clocksOf(type: RecordType): Clocks {
  const known = clocks.get(type)
  if (known !== undefined) return known
  const marked = Object.entries(type.attributes).filter(([, { annotations }]) => concepts(annotations).includes('now'))
  const made = marked.length === 0 ? NO_CLOCKS : new Map(marked.map(([name, { type: own }]) => [name, own]))
  clocks.set(type, made)
  return made
}

/** One value, as {@link fieldsOf} reads those of a record; null, and a problem, when it is not of its type. */
export function valueOf<T>(type: Type, json: unknown, place: Place, schema: Schema, found: Found, build: Build<T>, now: number | null = null): T | null {
  const refuse = (message: string): null => {
    found.problems.push({ place: placeText(place), message })
    return null
  }
  switch (type.kind) {
    case 'bool': return typeof json === 'boolean' ? build.plain(json) : refuse('is not true or false')
    case 'string': {
      if (typeof json !== 'string') return refuse('is not a string')
      return json.length > (found.charactersMax ?? json.length) ? refuse(`is longer than ${found.charactersMax} characters`) : build.plain(json)
    }
    case 'long': {
      if (typeof json === 'number' && Number.isSafeInteger(json)) return build.long(json)
      if (typeof json !== 'bigint' && (typeof json !== 'string' || !/^-?\d{1,40}$/.test(json))) return refuse('is not an integer')
      const integer = BigInt(json)
      return isLong(integer) ? build.long(integer) : refuse('is not an integer of 64 bits')
    }
    case 'entity': {
      const uid = uidOf(json)
      if (uid === null) return refuse(`is not an entity: write it as { "type": "${type.name}", "id": "…" }`)
      if (uid.type !== type.name) return refuse(`is not an entity of type \`${type.name}\``)
      const problem = unknownId(schema, uid)
      return problem === null ? build.entity(uid) : refuse(problem)
    }
    case 'set': {
      if (!Array.isArray(json)) return refuse('is not an array')
      const items = json.map((each, i) => valueOf(type.element, each, { of: place, key: i }, schema, found, build, now))
      return items.every((item): item is T & {} => item !== null) ? build.set(items) : null
    }
    case 'record': {
      const before = found.problems.length
      const fields = fieldsOf(type, json, place, schema, found, build, now)
      return found.problems.length === before ? build.record(fields, type, place) : null
    }
    case 'extension': {
      const fn = CONSTRUCTORS[type.name] ?? type.name
      const call = isRecord(json) && '__extn' in json ? json['__extn'] : json
      const arg = isRecord(call) && call['fn'] === fn ? call['arg'] : json
      if (typeof arg !== 'string') return refuse(`is not a ${type.name}: write it as a string`)
      const flaw = flawOfExtension(type.name, arg)
      return flaw === null ? build.extension(fn, arg) : refuse(flaw)
    }
  }
}

/** Why an id cannot be one of its type; null when it can. Only an enumerated type knows its ids beforehand. */
export function unknownId(schema: Schema, uid: { readonly type: string; readonly id: string }): string | null {
  const ids = schema.entityTypes.get(uid.type)?.ids ?? null
  return ids === null || ids.includes(uid.id) ? null : `\`${uidText(uid)}\` is none of the ids of its type: ${ids.join(', ')}`
}

function isRecord(json: unknown): json is Json {
  return typeof json === 'object' && json !== null && !Array.isArray(json)
}

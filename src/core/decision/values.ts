import type { Problem } from '#core/failure.ts'
import { step } from '#core/json.ts'
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
}

const { rawJSON } = JSON as unknown as { readonly rawJSON: (digits: string) => unknown }

/**
 * A record's values as Cedar's JSON says them without a schema: entities and extension values marked as such, a Long written as digits the
 * very integer. Promised attributes that are absent stay absent: whether that matters depends on who reads them.
 *
 * @param place How the whole is called in problems, e.g. `context`.
 * @param now For a context: what an attribute of the concept `now` becomes, in milliseconds since 1970. A value given for it is a problem.
 */
export function valuesOf(type: RecordType, json: unknown, place: string, schema: Schema, found: Found, now: number | null = null): Json {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    found.problems.push({ place, message: 'is not an object' })
    return {}
  }
  const names = Object.keys(json)
  if (names.length > MEMBERS_MAX) {
    found.problems.push({ place, message: `has ${names.length} members, and no more than ${MEMBERS_MAX} are read` })
    return {}
  }
  const values: { [name: string]: unknown } = {}
  for (const name of names) {
    const attribute = Object.hasOwn(type.attributes, name) ? type.attributes[name] : undefined
    const at = step(place, name)
    if (attribute === undefined) {
      if (found.ignored.length < IGNORED_MAX) found.ignored.push(at)
    }
    else if (now !== null && concepts(attribute.annotations).includes('now')) found.problems.push({ place: at, message: 'is filled in by the decision point: leave it out' })
    else values[name] = valueOf(attribute.type, (json as Json)[name], at, schema, found, now)
  }
  if (now !== null) {
    for (const [name, { type: own, annotations }] of Object.entries(type.attributes)) {
      if (!concepts(annotations).includes('now')) continue
      if (own.kind === 'long') values[name] = now
      else if (own.kind === 'extension' && own.name === 'datetime') values[name] = extension('datetime', new Date(now).toISOString())
    }
  }
  return values
}

/** A batch reads its defaults for every question, so that what one record costs is bounded; so is what a reply repeats of it. */
const MEMBERS_MAX = 200
const IGNORED_MAX = 20

/** One value, as {@link valuesOf} reads those of a record. */
export function valueOf(type: Type, json: unknown, place: string, schema: Schema, found: Found, now: number | null): unknown {
  const refuse = (message: string): undefined => {
    found.problems.push({ place, message })
    return undefined
  }
  switch (type.kind) {
    case 'bool': return typeof json === 'boolean' ? json : refuse('is not true or false')
    case 'string': return typeof json === 'string' ? json : refuse('is not a string')
    case 'long': {
      if (typeof json === 'number' && Number.isSafeInteger(json)) return json
      if (typeof json !== 'bigint' && (typeof json !== 'string' || !/^-?\d{1,40}$/.test(json))) return refuse('is not an integer')
      const integer = BigInt(json)
      return isLong(integer) ? rawJSON(String(integer)) : refuse('is not an integer of 64 bits')
    }
    case 'entity': {
      const uid = uidOf(json)
      if (uid === null) return refuse(`is not an entity: write it as { "type": "${type.name}", "id": "…" }`)
      if (uid.type !== type.name) return refuse(`is not an entity of type \`${type.name}\``)
      const problem = unknownId(schema, uid)
      return problem === null ? { __entity: uid } : refuse(problem)
    }
    case 'set': return Array.isArray(json) ? json.map((each, i) => valueOf(type.element, each, step(place, i), schema, found, now)) : refuse('is not an array')
    case 'record': return valuesOf(type, json, place, schema, found, now)
    case 'extension': {
      const fn = CONSTRUCTORS[type.name] ?? type.name
      const call = isRecord(json) && '__extn' in json ? json['__extn'] : json
      const arg = isRecord(call) && call['fn'] === fn ? call['arg'] : json
      if (typeof arg !== 'string') return refuse(`is not a ${type.name}: write it as a string`)
      const flaw = flawOfExtension(type.name, arg)
      return flaw === null ? extension(fn, arg) : refuse(flaw)
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

function extension(fn: string, arg: string): unknown {
  return { __extn: { fn, arg } }
}

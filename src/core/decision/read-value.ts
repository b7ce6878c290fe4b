import type { Problem } from '#core/failure.ts'
import { step } from '#core/json.ts'
import { uidText } from '#core/policy/policy.ts'
import type { RecordType, Schema, Type } from '#core/policy/schema.ts'
import { uidOf } from '#core/revision/entities.ts'
import { CONSTRUCTORS } from '#core/revision/extension-value.ts'
import { EvaluationError } from './evaluation-error.ts'
import { FUNCTIONS } from './extension/functions.ts'
import { longOf, toLong } from './long.ts'
import { EntityValue, RecordValue, SetValue, typeName, type Value } from './value.ts'

type Json = { readonly [name: string]: unknown }

/**
 * Reads values of Cedar's JSON, each problem with its place. Without a type an entity is `{"__entity": …}` and an extension value
 * `{"__extn": …}`; by a type both may go without, and a Long may be a string of digits. Integers beyond 2⁵³ arrive as bigint.
 *
 * For files, where all of it must fit. Of questions and of what is stored, `typed-json.ts` passes over what a type does not have and leaves absent
 * what it promises: whether that matters depends on what rules read.
 *
 * @see https://docs.cedarpolicy.com/auth/entities-syntax.html
 */
export class ValueReader {
  readonly problems: Problem[] = []
  readonly #schema: Schema | null

  /** @param schema Knows the ids of enumerated types. */
  constructor(schema: Schema | null) {
    this.#schema = schema
  }

  /** A value without a known type; null when it is none. */
  value(json: unknown, place: string): Value | null {
    switch (typeof json) {
      case 'boolean': return json
      case 'number': return Number.isSafeInteger(json) ? json + 0 : this.#add(place, 'is not an integer that a number holds exactly')
      case 'bigint': return toLong(json) ?? this.#add(place, 'is not an integer of 64 bits')
      case 'string': return json.isWellFormed() ? json : this.#add(place, 'holds half a character (a lone surrogate)')
      case 'object': break
      default: return this.#add(place, 'is not a value')
    }
    if (Array.isArray(json)) return this.#set(json, place, (each, at) => this.value(each, at))
    if (json === null) return this.#add(place, 'is null, which is no value')
    if (isOnly(json, '__entity')) return this.#entity(json, place)
    if (isOnly(json, '__extn')) return this.#extension(json['__extn'], place)
    if (isOnly(json, '__expr')) return this.#add(place, 'is an `__expr`, which Cedar no longer reads: write `__entity` or `__extn`')
    return this.fields(json as Json, place, (each, _name, at) => this.value(each, at))
  }

  /** A value of a type; null when it is none. */
  typed(type: Type, json: unknown, place: string): Value | null {
    switch (type.kind) {
      case 'bool': return typeof json === 'boolean' ? json : this.#add(place, 'is not true or false')
      case 'string': return typeof json === 'string' ? this.value(json, place) : this.#add(place, 'is not a string')
      case 'long':
        if (typeof json === 'number' || typeof json === 'bigint') return this.value(json, place)
        return (typeof json === 'string' ? longOf(json) : null) ?? this.#add(place, 'is not an integer of 64 bits')
      case 'entity': {
        const entity = this.#entity(json, place)
        return entity === null || entity.type === type.name ? entity : this.#add(place, `is \`${String(entity)}\`, not a ${type.name}`)
      }
      case 'set': return Array.isArray(json) ? this.#set(json, place, (each, at) => this.typed(type.element, each, at)) : this.#add(place, 'is not a list')
      case 'record': return this.record(type, json, place)
      case 'extension': {
        const call = isObject(json) && isOnly(json, '__extn') ? json['__extn'] : json
        const value = typeof call === 'string' ? this.#call(CONSTRUCTORS[type.name] ?? type.name, [call], place) : this.#extension(call, place)
        return value === null || typeName(value) === type.name ? value : this.#add(place, `is not a value of the type ${type.name}`)
      }
    }
  }

  record(type: RecordType, json: unknown, place: string): RecordValue | null {
    if (!isObject(json)) return this.#add(place, 'is not an object')
    for (const [name, { required }] of Object.entries(type.attributes)) {
      if (required && !Object.hasOwn(json, name)) this.#add(step(place, name), 'is missing')
    }
    return this.fields(json, place, (each, name, at) => {
      const attribute = Object.hasOwn(type.attributes, name) ? type.attributes[name] : undefined
      return attribute === undefined ? this.#add(at, 'is an attribute that the schema does not have') : this.typed(attribute.type, each, at)
    })
  }

  /** A record, each of its fields as `read` reads it; null when one of them is none. */
  fields(json: Json, place: string, read: (each: unknown, name: string, place: string) => Value | null): RecordValue | null {
    const fields = new Map<string, Value>()
    const names = Object.keys(json)
    for (const name of names) {
      const value = read(json[name], name, step(place, name))
      if (value !== null) fields.set(name, value)
    }
    return fields.size === names.length ? new RecordValue(fields) : null
  }

  #set(json: readonly unknown[], place: string, read: (each: unknown, place: string) => Value | null): SetValue | null {
    const items = json.map((each, i) => read(each, step(place, i)))
    return items.every((item) => item !== null) ? new SetValue(items) : null
  }

  #entity(json: unknown, place: string): EntityValue | null {
    const uid = uidOf(json)
    if (uid === null) return this.#add(place, 'is not a reference to an entity: write it as { "__entity": { "type": "…", "id": "…" } }')
    const ids = this.#schema?.entityTypes.get(uid.type)?.ids ?? null
    if (ids !== null && !ids.includes(uid.id)) return this.#add(place, `is \`${uidText(uid)}\`, which is none of the ids of its type`)
    return new EntityValue(uid.type, uid.id)
  }

  #extension(json: unknown, place: string): Value | null {
    if (!isObject(json) || typeof json['fn'] !== 'string' || Object.keys(json).length !== 2) return this.#add(place, 'is not an extension value: write it as { "__extn": { "fn": "…", "arg": "…" } }')
    const { fn, arg, args } = json
    const given = Array.isArray(args) ? args : [arg]
    const values = given.map((each, i) => this.value(each, Array.isArray(args) ? step(place, i) : place))
    return values.every((value) => value !== null) ? this.#call(fn, values, place) : null
  }

  #call(name: string, args: readonly Value[], place: string): Value | null {
    const found = FUNCTIONS.get(name)
    const [first] = args
    if (found === undefined || first === undefined || found.arity !== args.length) return this.#add(place, `is made by \`${name}\`, which makes no value of ${args.length === 1 ? 'one argument' : `${args.length} arguments`}`)
    const value = found.call(first, args[1] ?? first)
    return value instanceof EvaluationError ? this.#add(place, `is no value: ${value.message}`) : value
  }

  #add(place: string, message: string): null {
    if (this.problems.length < PROBLEMS_MAX) this.problems.push({ place, message })
    return null
  }
}

const PROBLEMS_MAX = 50

function isObject(json: unknown): json is Json {
  return typeof json === 'object' && json !== null && !Array.isArray(json)
}

function isOnly(json: object, name: string): json is Json {
  return Object.hasOwn(json, name) && Object.keys(json).length === 1
}

import assert from 'node:assert/strict'
import type { RecordType } from '#core/policy/schema.ts'
import { EvaluationError } from './evaluation-error.ts'
import { FUNCTIONS } from './extension/functions.ts'
import { toLong } from './long.ts'
import { placeText, type Build, type Place } from './typed-json.ts'
import { EntityValue, RecordValue, SetValue, type Value } from './value.ts'

/** Values of the evaluator, read by their types. */
export const VALUES: Build<Value> = {
  plain: (value) => value,
  long: (integer) => {
    if (typeof integer === 'number') return integer + 0 // Not -0.
    const value = toLong(integer)
    assert(value !== null)
    return value
  },
  entity: ({ type, id }) => new EntityValue(type, id),
  extension: (fn, arg) => {
    const value = FUNCTIONS.get(fn)?.call(arg, arg)
    assert(value !== undefined && !(value instanceof EvaluationError), `${fn} makes no value of what is one`)
    return value
  },
  set: (items) => new SetValue(items),
  record: recordOf,
}

/** @param name How the record is called to whoever should supply what it lacks. */
export function recordOf(fields: ReadonlyMap<string, Value>, type: RecordType, name: Place): RecordValue {
  const promised = promisedBy(type)
  let absent: Map<string, string> | null = null
  for (const each of promised) if (!fields.has(each)) (absent ??= new Map()).set(each, `${placeText(name)}.${each}`)
  return new RecordValue(fields, absent)
}

/** The attributes that a type promises. */
export function promisedBy(type: RecordType): readonly string[] {
  const known = promises.get(type)
  if (known !== undefined) return known
  const made = Object.keys(type.attributes).filter((name) => type.attributes[name]?.required === true)
  promises.set(type, made)
  return made
}
const promises = new WeakMap<RecordType, readonly string[]>()

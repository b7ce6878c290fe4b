import { createHash } from 'node:crypto'

/** Any value that JSON can carry. Integers beyond 2⁵³ travel as strings of digits. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/**
 * The one byte sequence of a JSON value: what is signed, hashed and compared. Cost: some 4 ns a byte.
 *
 * Members that are `undefined` are left out, as `JSON.stringify` does.
 * @throws {TypeError} for what JSON cannot carry exactly: bigint, NaN, infinities, lone surrogates, and objects of a class, a Map or a Date
 *   among them, of which nothing would be left.
 * @see RFC 8785 (JSON Canonicalization Scheme)
 */
export function canonical(value: unknown): string {
  switch (typeof value) {
    case 'string':
      if (!value.isWellFormed()) throw new TypeError('a string with a lone surrogate has no canonical form')
      return JSON.stringify(value)
    case 'number':
      if (!Number.isFinite(value)) throw new TypeError(`not a JSON number: ${value}`)
      return `${value === 0 ? 0 : value}` // −0 as 0
    case 'boolean': return value ? 'true' : 'false'
    case 'object': return value === null ? 'null' : Array.isArray(value) ? canonicalArray(value) : canonicalObject(value as { readonly [key: string]: unknown })
    default: throw new TypeError(`not a JSON value: ${typeof value}`)
  }
}

function canonicalArray(items: readonly unknown[]): string {
  let text = '['
  for (let i = 0; i < items.length; i++) text += (i === 0 ? '' : ',') + canonical(items[i])
  return `${text}]`
}

function canonicalObject(object: { readonly [key: string]: unknown }): string {
  const prototype: unknown = Object.getPrototypeOf(object)
  if (prototype !== Object.prototype && prototype !== null) throw new TypeError(`not a JSON value: ${object.constructor?.name}`)
  let text = '{'
  for (const key of sorted(Object.keys(object))) {
    const member = object[key]
    if (member !== undefined) text += (text === '{' ? '' : ',') + named(key) + canonical(member)
  }
  return `${text}}`
}

/** By UTF-16 code unit, as the RFC demands. Most objects have few members, which are put in their places faster than they are handed to `sort`. */
function sorted(keys: string[]): readonly string[] {
  if (keys.length > 16) return keys.sort()
  for (let i = 1; i < keys.length; i++) {
    const key = keys[i] as string
    let place = i
    for (; place > 0 && (keys[place - 1] as string) > key; place--) keys[place] = keys[place - 1] as string
    keys[place] = key
  }
  return keys
}

/** A member's name as it is written, with its colon. The same few come again and again. */
function named(key: string): string {
  const known = names.get(key)
  if (known !== undefined) return known
  const written = `${canonical(key)}:`
  if (names.size < NAMES_MAX) names.set(key, written)
  return written
}
const names = new Map<string, string>()
const NAMES_MAX = 2_048

/** SHA-256 of a text's UTF-8 bytes, lower-case hex, 64 characters. */
export function sha256(text: string | Uint8Array): string {
  return createHash('sha256').update(text).digest('hex')
}

/** SHA-256 of a value's canonical bytes, lower-case hex, 64 characters. */
export function digest(value: unknown): string {
  return sha256(canonical(value))
}

/** The digest of a value that nobody changes: for each object it is made once, and remembered as long as the object is. */
export function digestOnce(value: object): string {
  const found = digests.get(value) ?? digest(value)
  digests.set(value, found)
  return found
}
const digests = new WeakMap<object, string>()

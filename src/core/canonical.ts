import { createHash } from 'node:crypto'

/** Any value that JSON can carry. Integers beyond 2⁵³ travel as strings of digits. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/**
 * The one byte sequence of a JSON value: what is signed, hashed and compared.
 *
 * Members that are `undefined` are left out, as `JSON.stringify` does.
 * @throws {TypeError} for what JSON cannot carry exactly: bigint, NaN, infinities, lone surrogates.
 * @see RFC 8785 (JSON Canonicalization Scheme)
 */
export function canonical(value: unknown): string {
  switch (typeof value) {
    case 'string':
      if (!value.isWellFormed()) throw new TypeError('a string with a lone surrogate has no canonical form')
      return JSON.stringify(value)
    case 'number':
      if (!Number.isFinite(value)) throw new TypeError(`not a JSON number: ${value}`)
      return JSON.stringify(value)
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
  let text = '{'
  for (const key of Object.keys(object).sort()) { // by UTF-16 code unit, as the RFC demands
    const member = object[key]
    if (member !== undefined) text += `${text.length === 1 ? '' : ','}${canonical(key)}:${canonical(member)}`
  }
  return `${text}}`
}

/** SHA-256 of a text's UTF-8 bytes, lower-case hex, 64 characters. */
export function sha256(text: string | Uint8Array): string {
  return createHash('sha256').update(text).digest('hex')
}

/** SHA-256 of a value's canonical bytes, lower-case hex, 64 characters. */
export function digest(value: unknown): string {
  return sha256(canonical(value))
}

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
  if (value === null || typeof value === 'boolean') return String(value)
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new TypeError(`not a JSON number: ${value}`)
    return JSON.stringify(value)
  }
  if (typeof value === 'string') {
    if (!value.isWellFormed()) throw new TypeError('a string with a lone surrogate has no canonical form')
    return JSON.stringify(value)
  }
  if (Array.isArray(value)) return `[${value.map((item) => canonical(item)).join(',')}]`
  if (typeof value === 'object') {
    const members = Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)) // by UTF-16 code unit, as the RFC demands
    return `{${members.map(([key, member]) => `${canonical(key)}:${canonical(member)}`).join(',')}}`
  }
  throw new TypeError(`not a JSON value: ${typeof value}`)
}

/** SHA-256 of a text's UTF-8 bytes, lower-case hex, 64 characters. */
export function sha256(text: string | Uint8Array): string {
  return createHash('sha256').update(text).digest('hex')
}

/** SHA-256 of a value's canonical bytes, lower-case hex, 64 characters. */
export function digest(value: unknown): string {
  return sha256(canonical(value))
}

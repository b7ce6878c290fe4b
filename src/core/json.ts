import assert from 'node:assert/strict'
import { Failure } from '#core/failure.ts'
import type { Problem } from '#core/failure.ts'

const LEVELS_MAX = 64
const PROBLEMS_MAX = 20

/**
 * Reads a JSON text without losing anything: what JavaScript cannot hold exactly, or what two readers could understand differently,
 * is refused with its place instead of being changed silently.
 *
 * Refused: integers beyond 2⁵³ (unless they are wanted as bigint) and numbers beyond the range of doubles, a member named twice, `__proto__`, lone surrogates and U+0000 (no
 * signature or database could carry them), more than 64 levels (or `levelsMax`), bytes that are not UTF-8.
 *
 * @param place How the whole is called in messages, e.g. `body`.
 * @param integers `bigint`: an integer beyond 2⁵³ becomes a bigint, every other number stays a number.
 * @param lists Members of the object that the text is, whose arrays become a {@link JsonList}: as many objects as a long list makes take several
 *   times the memory of its text.
 * @throws {Failure} REQUEST_MALFORMED with every problem, or with line and column when it is not JSON at all.
 */
export function parseJson(bytes: Uint8Array, place = 'body', levelsMax = LEVELS_MAX, integers: 'refused' | 'bigint' = 'refused', lists: readonly string[] = []): unknown {
  let text: string
  try {
    text = UTF8.decode(bytes)
  } catch (cause) {
    throw malformed([{ place, message: 'is not UTF-8' }], cause)
  }
  if (lists.length === 0) {
    const plain = readPlain(text, bytes, levelsMax)
    if (plain !== undefined) return plain
  }
  if (text.trim() === '') throw malformed([{ place, message: 'is empty; a JSON document was expected' }])
  const { breaksAt, problems, hasBig, extents } = walk(text, place, levelsMax, integers, new Set(lists))
  let value: unknown
  try {
    value = JSON.parse(extents.size === 0 || breaksAt !== null ? text : emptied(text, extents), hasBig ? exactInteger : undefined)
  } catch (cause) {
    throw malformed([{ place: `${place}, ${lineAndColumn(text, breaksAt ?? text.length)}`, message: 'is not JSON' }], cause)
  }
  assert(breaksAt === null || problems.length > 0) // Two readers of one text must agree on whether it is JSON.
  if (problems.length > 0) throw malformed(problems)
  for (const [name, extent] of extents) (value as { [name: string]: unknown })[name] = new JsonList(text, extent, hasBig)
  return value
}

const UTF8 = new TextDecoder('utf-8', { fatal: true })

/**
 * What a text says, when a glance suffices to see that nothing is lost or changed; undefined when it must be looked at closely, for whatever
 * reason. Most texts are plain, and walking costs several times what parsing does.
 *
 * Nothing is escaped, so that strings are what stands there; no integer is too large; as many members came out as there are colons between
 * strings, so that none was given twice.
 */
function readPlain(text: string, bytes: Uint8Array, levelsMax: number): unknown {
  if (text.includes('\\') || text.includes('__proto__') || text.includes('\u0000')) return undefined
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  let [level, deepest, colons, isInString] = [0, 0, 0, false]
  // Of UTF-8 these bytes are never part of anything else.
  for (let i = 0; i < bytes.length; i++) {
    const code = bytes[i]
    if (code === 0x22) isInString = !isInString
    else if (isInString) continue
    else if (code === 0x3a) colons++
    else if (code === 0x7b || code === 0x5b) {
      if (++level > deepest) deepest = level
    } else if (code === 0x7d || code === 0x5d) level--
  }
  return deepest <= levelsMax && membersIn(value) === colons ? value : undefined
}

/** So many members has what was parsed, at every depth; NaN when a number may not be the one that was written. */
function membersIn(value: unknown): number {
  if (typeof value === 'number') return Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value)) ? 0 : Number.NaN
  if (typeof value !== 'object' || value === null) return 0
  let count = 0
  if (Array.isArray(value)) for (const each of value) count += membersIn(each)
  else for (const name in value) count += 1 + membersIn((value as { readonly [name: string]: unknown })[name])
  return count
}

/** An array of a JSON text: each element is read when its turn comes, and anew each time. */
export class JsonList implements Iterable<unknown> {
  readonly length: number
  readonly #text: string
  readonly #extent: Extent
  readonly #hasBig: boolean

  constructor(text: string, extent: Extent, hasBig: boolean) {
    this.#text = text
    this.#extent = extent
    this.#hasBig = hasBig
    this.length = extent.from.length
  }

  *[Symbol.iterator](): Generator<unknown> {
    const { from, end } = this.#extent
    for (const [i, start] of from.entries()) {
      const next = from[i + 1]
      yield JSON.parse(this.#text.slice(start, next === undefined ? end - 1 : next - 1), this.#hasBig ? exactInteger : undefined)
    }
  }
}

/** Where an array stands in a text: from its bracket to behind the other one, and where each element begins. */
type Extent = { readonly start: number; end: number; readonly from: number[] }

/** The text with these arrays empty. */
function emptied(text: string, extents: ReadonlyMap<string, Extent>): string {
  const parts: string[] = []
  let at = 0
  for (const { start, end } of extents.values()) {
    parts.push(text.slice(at, start), '[]')
    at = end
  }
  return parts.join('') + text.slice(at)
}

/** For `JSON.parse`: an integer beyond 2⁵³ becomes that bigint. @see the proposal “JSON.parse source text access” */
export function exactInteger(_key: string, value: unknown, context?: { source?: string }): unknown {
  return typeof value === 'number' && isBig(context?.source ?? '') ? BigInt(context?.source as string) : value
}

/** A number as its digits, which `JSON.stringify` writes as they stand. */
export const { rawJSON } = JSON as unknown as { readonly rawJSON: (digits: string) => unknown }

function isBig(token: string): boolean {
  return /^-?\d+$/.test(token) && !Number.isSafeInteger(Number(token))
}

export function malformed(problems: readonly Problem[], cause?: unknown): Failure {
  const sorted = problems.toSorted((a, b) => (a.place < b.place ? -1 : a.place > b.place ? 1 : 0))
  const shown = sorted.slice(0, PROBLEMS_MAX)
  const more = sorted.length > shown.length ? ` (and ${sorted.length - shown.length} more)` : ''
  return new Failure('REQUEST_MALFORMED', shown.map(({ place, message }) => `${place}: ${message}`).join('; ') + more, { problems: shown, cause })
}

/** One path step, as in `body.items[2]` or `body["a b"]`. */
export function step(path: string, key: string | number): string {
  if (typeof key === 'number') return `${path}[${key}]`
  return /^[A-Za-z_$][\w$]*$/.test(key) ? `${path}.${key}` : `${path}[${JSON.stringify(key.length > 80 ? `${key.slice(0, 80)}…` : key)}]`
}

function lineAndColumn(text: string, offset: number): string {
  const before = text.slice(0, offset)
  return `line ${before.split('\n').length}, column ${offset - before.lastIndexOf('\n')}`
}

type Open = { kind: 'object'; keys: Set<string>; key: string } | { kind: 'array'; index: number }
type Expected = 'value' | 'value or ]' | 'key' | 'key or }' | ':' | ', or end' | 'nothing'

const TOKEN = /[[\]{},:]|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y
const BLANK = /[ \t\n\r]*/y

/**
 * Walks a text by JSON's grammar, and finds where it stops being JSON and what `JSON.parse` would lose or change.
 *
 * Linear, and without recursion, so that depth cannot hurt. Stops at the first break, and where it is nested too deep.
 */
function walk(text: string, root: string, levelsMax: number, integers: 'refused' | 'bigint', lists: ReadonlySet<string>): {
  breaksAt: number | null; problems: Problem[]; hasBig: boolean; extents: Map<string, Extent>
} {
  const problems: Problem[] = []
  let hasBig = false
  const extents = new Map<string, Extent>()
  let list: Extent | null = null
  const open: Open[] = []
  let expected: Expected = 'value'
  let offset = skip(BLANK, text, 0)
  // Only what is wrong needs its path: making it for every value would take longer than all the rest.
  const here = () => open.reduce((path, each) => step(path, each.kind === 'array' ? each.index : each.key), root)

  while (offset < text.length) {
    const end = text[offset] === '"' ? endOfString(text, offset) : skip(TOKEN, text, offset)
    if (end === offset) return { breaksAt: offset, problems, hasBig, extents }
    const token = text.slice(offset, end)
    const top = open.at(-1)
    const takesValue = expected === 'value' || expected === 'value or ]'

    if (token === '{' || token === '[') {
      if (!takesValue) return { breaksAt: offset, problems, hasBig, extents }
      if (open.length >= levelsMax) return { breaksAt: offset, problems: [...problems, { place: root, message: `is nested more than ${levelsMax} levels deep` }], hasBig, extents }
      if (token === '[' && open.length === 1 && top?.kind === 'object' && lists.has(top.key)) extents.set(top.key, (list = { start: offset, end, from: [] }))
      else if (list !== null && open.length === 2 && expected === 'value or ]') list.from.push(offset)
      open.push(token === '{' ? { kind: 'object', keys: new Set(), key: '' } : { kind: 'array', index: 0 })
      expected = token === '{' ? 'key or }' : 'value or ]'
    } else if (token === '}' || token === ']') {
      const closes = token === '}' ? 'object' : 'array'
      const mayClose = expected === ', or end' || expected === (closes === 'object' ? 'key or }' : 'value or ]')
      if (top?.kind !== closes || !mayClose) return { breaksAt: offset, problems, hasBig, extents }
      open.pop()
      if (list !== null && open.length === 1) {
        list.end = end
        list = null
      }
      expected = open.length === 0 ? 'nothing' : ', or end'
    } else if (token === ',') {
      if (expected !== ', or end' || top === undefined) return { breaksAt: offset, problems, hasBig, extents }
      if (top.kind === 'array') top.index++
      if (list !== null && open.length === 2) list.from.push(end)
      expected = top.kind === 'array' ? 'value' : 'key'
    } else if (token === ':') {
      if (expected !== ':') return { breaksAt: offset, problems, hasBig, extents }
      expected = 'value'
    } else if (top?.kind === 'object' && token[0] === '"' && (expected === 'key' || expected === 'key or }')) {
      const key = unquote(token)
      top.key = key
      if (top.keys.has(key)) problems.push({ place: here(), message: 'is given twice' })
      if (key === '__proto__') problems.push({ place: here(), message: 'is not a name that is accepted' })
      top.keys.add(key)
      addFlaws(problems, key, here)
      expected = ':'
    } else {
      if (!takesValue) return { breaksAt: offset, problems, hasBig, extents }
      if (list !== null && open.length === 2 && expected === 'value or ]') list.from.push(offset)
      if (token[0] === '"') addFlaws(problems, unquote(token), here)
      else if (integers === 'bigint' && isBig(token)) hasBig = true
      else if (!/^[tfn]/.test(token)) addLoss(problems, token, here)
      expected = open.length === 0 ? 'nothing' : ', or end'
    }
    if (problems.length > PROBLEMS_MAX) return { breaksAt: offset, problems, hasBig, extents }
    offset = skip(BLANK, text, end)
  }
  return { breaksAt: expected === 'nothing' ? null : text.length, problems, hasBig, extents }
}

function skip(pattern: RegExp, text: string, from: number): number {
  pattern.lastIndex = from
  return pattern.test(text) ? pattern.lastIndex : from
}

/** Where the string that begins at `from` ends, or `from` when it does not. By hand: a regular expression recurses on a megabyte of escapes. */
function endOfString(text: string, from: number): number {
  for (let i = from + 1; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === 0x22) return i + 1
    if (code < 0x20) return from
    if (code !== 0x5c) continue
    const escaped = text[++i]
    if (escaped === 'u' && /^[0-9a-fA-F]{4}$/.test(text.slice(i + 1, i + 5))) i += 4
    else if (escaped === undefined || !'"\\/bfnrt'.includes(escaped)) return from
  }
  return from
}

function unquote(token: string): string {
  return token.includes('\\') ? (JSON.parse(token) as string) : token.slice(1, -1)
}

function addFlaws(problems: Problem[], content: string, here: () => string): void {
  if (!content.isWellFormed()) problems.push({ place: here(), message: 'holds half a character (a lone surrogate)' })
  else if (content.includes('\0')) problems.push({ place: here(), message: 'holds the character U+0000' })
}

function addLoss(problems: Problem[], token: string, here: () => string): void {
  const number = Number(token)
  if (!Number.isFinite(number)) problems.push({ place: here(), message: 'is a number that is too large' })
  else if (Number.isInteger(number) && !Number.isSafeInteger(number)) {
    problems.push({ place: here(), message: 'is an integer beyond ±(2^53 − 1), which would not survive exactly; write it as a string' })
  }
}

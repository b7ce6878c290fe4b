import { lexiconOf, type Lexicon } from '#core/unit/lexicon.ts'
import { negated } from '#core/unit/morphology.ts'
import type { Schema } from '#core/policy/schema.ts'
import { FUNCTION_WORDS, GENERIC_WORDS, NUMBER_WORDS } from './controlled-english-words.ts'

/** What a sentence is made of. A word keeps its spelling; `words` are its parts when it is written with hyphens. */
export type Token =
  | { readonly kind: 'word'; readonly text: string; readonly lower: string; readonly words: readonly string[] }
  | { readonly kind: 'number'; readonly text: string; readonly digits: string; readonly unit: string | null }
  | { readonly kind: 'quoted'; readonly text: string }
  /** `'s` or the apostrophe of a plural. */
  | { readonly kind: 'possessive'; readonly text: string }
  | { readonly kind: 'comma'; readonly text: string }

export type Tokens = { readonly kind: 'tokens'; readonly tokens: readonly Token[] } | { readonly kind: 'unread'; readonly because: string }

/** One clause on which the grammar works: its tokens, the schema's words, and what has been tried already. */
export type Text = {
  readonly tokens: readonly Token[]
  readonly lexicon: Lexicon
  readonly memo: Map<string, readonly Hit<unknown>[]>
  /** Rules tried so far, the furthest token that any of them accepted, a hint, and what English leaves open in the clause whatever follows. */
  readonly effort: { tried: number; furthest: number; hint: string | null; open: string | null }
  /** Values that the schema lists for texts, `@values("draft, final")`, lower case. */
  readonly listed: ReadonlySet<string>
}

/** Something that a rule recognized, and the position behind it. */
export type Hit<T> = { readonly value: T; readonly to: number }

/** Ends the search: the clause is too open to be read. */
export class TooOpen extends Error {}

const TRIED_MAX = 40_000

export function textOf(tokens: readonly Token[], schema: Schema): Text {
  return { tokens, lexicon: lexiconOf(schema), memo: new Map(), effort: { tried: 0, furthest: 0, hint: null, open: null }, listed: listedOf(schema) }
}

const NUMBER = /^(?:\d{1,3}(?:,\d{3})+|\d+)(?![\d.,]*\d)/
const WORD = /^\p{Script=Latin}[\p{Script=Latin}\p{N}_]*(?:-[\p{Script=Latin}\p{N}_]+)*/u

/** The tokens of a clause; unread, with the place named, where it has something that no rule could ever account for. */
export function tokenize(clause: string): Tokens {
  const text = clause.normalize('NFC').replace(/[’ʼ]/g, "'").replace(/[“”]/g, '"')
  const tokens: Token[] = []
  const unread = (because: string): Tokens => ({ kind: 'unread', because })
  const hidden = /[\p{Cf}\p{Co}\p{Cn}]|(?![\t\n\r])\p{Cc}/u.exec(text)
  if (hidden !== null) return unread(
    `it has an invisible character (U+${(hidden[0].codePointAt(0) as number).toString(16).toUpperCase().padStart(4, '0')}): write it without`,
  )
  let at = 0
  while (at < text.length) {
    const rest = text.slice(at)
    const space = /^\s+/.exec(rest)
    if (space !== null) {
      at += space[0].length
      continue
    }
    if (/^[.!]\s*$/.test(rest)) break
    const quoted = /^"([^"]*)"/.exec(rest) ?? /^'([^']*)'(?![\p{L}\p{N}])/u.exec(rest)
    const previous = tokens.at(-1)
    const isBehindWord = previous?.kind === 'word' && /\S/.test(text[at - 1] ?? ' ')
    if (quoted !== null && !(isBehindWord && rest.startsWith("'"))) {
      if ((quoted[1] as string).trim() === '') return unread('something in quotation marks is empty')
      // A full stop or comma may stand inside the marks.
      tokens.push({ kind: 'quoted', text: (quoted[1] as string).trim() })
      at += quoted[0].length
      continue
    }
    const possessive = isBehindWord ? (/^'s(?![\p{L}\p{N}])/iu.exec(rest) ?? (/s$/i.test(previous.text) ? /^'(?![\p{L}\p{N}])/u.exec(rest) : null)) : null
    if (possessive !== null) {
      if (previous?.kind === 'word' && ['it', 'that', 'who', 'there'].includes(previous.lower)) tokens.push(wordToken('is'))
      else tokens.push({ kind: 'possessive', text: possessive[0] })
      at += possessive[0].length
      continue
    }
    if (rest.startsWith(',')) {
      tokens.push({ kind: 'comma', text: ',' })
      at++
      continue
    }
    const money = /^([$€£¥])\s?(?=\d)/.exec(rest)
    const number = NUMBER.exec(money === null ? rest : rest.slice(money[0].length))
    if (number !== null) {
      const after = rest.slice((money?.[0].length ?? 0) + number[0].length)
      const sign = money === null ? (/^\s?([$€£¥])/.exec(after)?.[0] ?? '') : ''
      if (/^[\p{L}\p{N}%:/'-]/u.test(after.slice(sign.length))) return unread(
        `\`${/^\S+/.exec(rest)?.[0] ?? ''}\` is no whole number: times, dates, shares and fractions have no place in a rule unless an attribute carries them as a number`,
      )
      tokens.push({ kind: 'number', text: number[0], digits: number[0].replaceAll(',', ''), unit: money?.[1] ?? (sign.trim() || null) })
      at += (money?.[0].length ?? 0) + number[0].length + sign.length
      continue
    }
    const word = WORD.exec(rest)
    if (word === null || word[0].normalize('NFKC') !== word[0] || /^[\p{L}\p{M}]/u.test(rest.slice(word[0].length))) {
      const place = /^[^\s,]+/.exec(rest)?.[0] ?? rest[0] ?? ''
      return unread(
        /\p{L}/u.test(place)
          ? `\`${place}\` has letters that only look like the usual ones, or of another alphabet: write it in Latin letters`
          : `\`${place}\` is not understood: write whole words and whole numbers`
      )
    }
    const short = contraction(word[0], rest.slice(word[0].length))
    if (short !== null) {
      tokens.push(...short.words.map(wordToken))
      at += short.length
      continue
    }
    tokens.push(wordToken(word[0]))
    at += word[0].length
  }
  return { kind: 'tokens', tokens }
}

function wordToken(text: string): Token {
  return { kind: 'word', text, lower: text.toLowerCase(), words: text.includes('-') && negated(text) === null ? text.split('-') : [text] }
}

/** `can't`, `cannot`, `aren’t`, `won't`: the verb and `not`. */
function contraction(word: string, after: string): { words: readonly string[]; length: number } | null {
  if (/^cannot$/i.test(word)) return { words: ['can', 'not'], length: word.length }
  const tail = /^'t(?![\p{L}\p{N}])/iu.exec(after)
  if (tail === null || !/n$/i.test(word)) return null
  const verb = /^can$/i.test(word) ? 'can' : /^won$/i.test(word) ? 'will' : /^shan$/i.test(word) ? 'shall' : word.slice(0, -1)
  return { words: [verb, 'not'], length: word.length + tail[0].length }
}

/** The results of a rule at a position; each rule is tried once at each. */
export function remember<T>(text: Text, rule: string, at: number, parse: () => readonly Hit<T>[]): readonly Hit<T>[] {
  const key = `${rule}@${at}`
  const known = text.memo.get(key)
  if (known !== undefined) return known as readonly Hit<T>[]
  if (++text.effort.tried > TRIED_MAX) throw new TooOpen()
  // A rule that begins with itself finds nothing there.
  text.memo.set(key, [])
  const found = distinct(parse())
  text.effort.tried += found.length
  text.memo.set(key, found)
  return found
}

const HITS_MAX = 60

function distinct<T>(hits: readonly Hit<T>[]): readonly Hit<T>[] {
  if (hits.length < 2) return hits
  const seen = new Set<string>()
  const found = hits.filter((hit) => {
    const key = JSON.stringify(hit)
    return !seen.has(key) && seen.add(key)
  })
  if (found.length > HITS_MAX) throw new TooOpen()
  return found
}

export function hit<T>(value: T, to: number): Hit<T> {
  return { value, to }
}

/** Continues from each hit. */
export function then<A, B>(hits: readonly Hit<A>[], next: (value: A, to: number) => readonly Hit<B>[]): readonly Hit<B>[] {
  return hits.flatMap(({ value, to }) => next(value, to))
}

const phrases = new Map<string, readonly string[]>()

/** The position behind a fixed phrase, or null when it does not stand here. */
export function eat(text: Text, at: number, phrase: string): number | null {
  let words = phrases.get(phrase)
  if (words === undefined) phrases.set(phrase, (words = phrase.split(' ')))
  for (const [index, word] of words.entries()) {
    const token = text.tokens[at + index]
    if (token === undefined || (word === ',' ? token.kind !== 'comma' : token.kind !== 'word' || token.lower !== word)) return null
  }
  return reach(text, at + words.length)
}

/** The position behind the longest of several fixed phrases. */
export function eatAny(text: Text, at: number, list: readonly string[]): number | null {
  let best: number | null = null
  for (const phrase of list) {
    const to = eat(text, at, phrase)
    if (to !== null && (best === null || to > best)) best = to
  }
  return best
}

/** Where it goes on when a word may or may not stand here. */
export function maybe(text: Text, at: number, ...list: readonly string[]): number {
  return eatAny(text, at, list) ?? at
}

export function reach(text: Text, to: number): number {
  if (to > text.effort.furthest) text.effort.furthest = to
  return to
}

/** The word at a position in lower case, empty when there is none. */
export function lowerAt(text: Text, at: number): string {
  const token = text.tokens[at]
  return token?.kind === 'word' ? token.lower : ''
}

/** The words that a token of content carries; null for a function word and for one that the schema does not know. */
export function contentAt(text: Text, at: number): readonly string[] | null {
  const token = text.tokens[at]
  if (token?.kind !== 'word') return null
  // "US" is a region where the schema writes it so, and no pronoun.
  const isValue = /^\p{Lu}+$/u.test(token.text) && text.lexicon.values([token.text]).some(({ id }) => id === token.text)
  if (FUNCTION_WORDS.has(token.lower) && !isValue) return null
  return isKnown(text, token) ? token.words : null
}

export function isKnown({ lexicon, listed }: Text, token: Token & { kind: 'word' }): boolean {
  if (lexicon.knows(token.text) || GENERIC_WORDS.has(token.lower) || listed.has(token.lower)) return true
  const own = token.words.filter((word) => !FUNCTION_WORDS.has(word.toLowerCase()))
  return token.words.length > 1 && own.length > 0 && (own.every((word) => lexicon.knows(word)) || lexicon.knows(token.words.join('')))
}

/** The number at a position, in digits or as a word up to ten. */
export function numberAt(text: Text, at: number): { readonly digits: string; readonly unit: string | null } | null {
  const token = text.tokens[at]
  if (token?.kind === 'number') return { digits: token.digits, unit: token.unit }
  const index = token?.kind === 'word' ? NUMBER_WORDS.indexOf(token.lower) : -1
  return index < 0 ? null : { digits: String(index), unit: null }
}

const listedCache = new WeakMap<Schema, ReadonlySet<string>>()

function listedOf(schema: Schema): ReadonlySet<string> {
  const known = listedCache.get(schema)
  if (known !== undefined) return known
  const attributes = [
    ...[...schema.entityTypes.values()].map((type) => type.shape),
    ...[...schema.actions.values()].map((action) => action.context),
  ].flatMap((record) => Object.values(record.attributes))
  const found = new Set(
    attributes.flatMap(({ annotations }) => (annotations['values'] ?? '').toLowerCase().split(/[\s,_-]+/)).filter((word) => word !== ''),
  )
  listedCache.set(schema, found)
  return found
}

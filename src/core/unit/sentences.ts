import type { Schema } from '#core/policy/schema.ts'
import { lexiconOf, says, type Phrase } from './lexicon.ts'
import { lemmas } from './morphology.ts'
import type { Sentence } from './semantic-unit.ts'

/**
 * The sentences of a description, numbered from 1, with exact offsets: `description.slice(start, end) === text`.
 *
 * A sentence ends at `.`, `!` or `?` before white space (not behind an abbreviation), at an empty line, and where a list item
 * begins. A line that ends in a colon and the list below it are one sentence; `clausesOf` takes it apart. Clauses joined by
 * semicolons stay together.
 */
export function sentencesOf(description: string, schema: Schema, explanations: readonly number[]): Sentence[] {
  return blocks(description)
    .flatMap(({ start, end, isList }) => (isList ? [{ start, end }] : split(description, start, end)))
    .map(({ start, end }) => trim(description, start, end))
    .filter(({ start, end }) => /[\p{L}\p{N}]/u.test(description.slice(start, end)))
    .map(({ start, end }, index) => {
      const text = description.slice(start, end)
      const number = index + 1
      return { number, text, start, end, mayRule: mayRule(text, schema), isExplanation: explanations.includes(number) }
    })
}

/**
 * What a sentence says one after the other: itself, its parts between semicolons, or, for a list below an introduction
 * ("Nurses may:"), the introduction with each item. A sentence is read when every one of these is.
 */
export function clausesOf(text: string): readonly string[] {
  const items = itemsOf(text)
  if (items.length > 0) {
    const lines = text.split('\n')
    const intro = lines.slice(0, lines.findIndex((line) => ITEM.test(line))).join(' ').trim().slice(0, -1)
    const last = items.length - 1
    return items.map((item, index) => `${intro} ${item.replace(index === last ? /[.;,]+$/ : /(?:[.;,]|[;,]? and|[;,]? or)+$/, '')}`)
  }
  const parts = outsideQuotes(text, ';')
  return parts.length > 1 ? parts.map((part) => part.trim().replace(/^(?:and|but) /i, '')).filter((part) => part !== '' && part !== '.') : [text]
}

/** The items of a list below an introduction, as they stand; none where there is no such list. */
export function itemsOf(text: string): readonly string[] {
  const lines = text.split('\n')
  const isItem = (line: string) => ITEM.test(line)
  const first = lines.findIndex(isItem)
  if (first <= 0 || !lines.slice(0, first).join(' ').trim().endsWith(':')) return []
  const items: string[] = []
  for (const line of lines.slice(first)) {
    if (isItem(line)) items.push(line.replace(ITEM, '').trim())
    else items[items.length - 1] += ` ${line.trim()}`
  }
  return items
}

/** `- `, `* `, `• `, `1. `, `2) `, `(a) `. */
const ITEM = /^[ \t]*(?:[-*•‣–]|\(?(?:\d{1,3}|[a-zA-Z]|[ivx]{1,4})[.)])[ \t]+/

type Span = { readonly start: number; readonly end: number }

/** Paragraphs, headings and list items; a list with its introduction is one block. */
function blocks(text: string): (Span & { isList: boolean })[] {
  const found: (Span & { isList: boolean })[] = []
  let open: { start: number; end: number; isList: boolean; kind: 'prose' | 'item' | 'list' } | null = null
  const close = () => {
    if (open !== null) found.push({ start: open.start, end: open.end, isList: open.kind === 'list' })
    open = null
  }
  let blankBefore = false
  for (const { start, end } of lines(text)) {
    const line = text.slice(start, end)
    if (line.trim() === '') {
      blankBefore = true
      continue
    }
    const item = ITEM.exec(line)
    const intro = open !== null && text.slice((open as Span).start, (open as Span).end).trimEnd().endsWith(':')
    if (open !== null && (open as { kind: string }).kind !== 'item' && item !== null && (intro || (open as { kind: string }).kind === 'list')) {
      const before = open as { start: number; kind: 'prose' | 'item' | 'list' }
      if (before.kind === 'prose' && /[.!?]\s/.test(text.slice(before.start, start).replace(/\s+$/, ''))) {
        // Prose before the introduction stays apart from it.
        const body = split(text, before.start, start)
        const last = body.pop() as Span
        found.push(...body.map((span) => ({ ...span, isList: false })))
        open = { start: trim(text, last.start, last.end).start, end, isList: true, kind: 'list' }
      } else open = { start: before.start, end, isList: true, kind: 'list' }
    } else if (item !== null) {
      close()
      open = { start: start + item[0].length, end, isList: false, kind: 'item' }
    } else if (blankBefore || open === null || /^\s*#{1,6}\s/.test(line)) {
      close()
      open = { start, end, isList: false, kind: 'prose' }
      if (/^\s*#{1,6}\s/.test(line)) close()
    } else open = { ...(open as { start: number; end: number; isList: boolean; kind: 'prose' | 'item' | 'list' }), end }
    blankBefore = false
  }
  close()
  return found
}

function lines(text: string): Span[] {
  const found: Span[] = []
  let start = 0
  for (const match of text.matchAll(/\r\n|\n|\r|\u2028|\u2029/g)) {
    found.push({ start, end: match.index })
    start = match.index + match[0].length
  }
  found.push({ start, end: text.length })
  return found
}

const ABBREVIATION = /(?:^|[\s(])(?:e\.g|i\.e|cf|vs|approx|incl|excl|Dr|Mr|Mrs|Ms|Prof|St|No|Nos|Art|Sec|Fig|Inc|Ltd|Co|resp|p|pp|[A-Z]|etc)\.$/

function split(text: string, from: number, to: number): Span[] {
  const found: Span[] = []
  let start = from
  let quote: string | null = null
  const within = text.slice(from, to)
  const lastOf = { '"': from + within.lastIndexOf('"'), '”': from + within.lastIndexOf('”') }
  for (let at = from; at < to; at++) {
    const char = text[at] as string
    if (quote !== null) {
      if (char === quote) quote = null
      continue
    }
    // A quotation that never ends is no quotation.
    if (char === '"' && at < lastOf['"']) quote = '"'
    if (char === '“' && at < lastOf['”']) quote = '”'
    if (!/[.!?]/.test(char)) continue
    let end = at + 1
    while (end < to && /[.!?)"”’']/.test(text[end] as string)) end++
    if (end < to && !/\s/.test(text[end] as string)) continue
    const next = text.slice(end, to).trimStart()
    if (char === '.' && ABBREVIATION.test(text.slice(start, at + 1))) {
      const isNumber = /(?:No|Nos|Art|Sec|Fig|p|pp)\.$/.test(text.slice(start, at + 1))
      if (isNumber ? /^\d/.test(next) : !(/etc\.$/.test(text.slice(start, at + 1)) && /^\p{Lu}/u.test(next))) continue
    }
    found.push({ start, end })
    start = end
    at = end - 1
  }
  found.push({ start, end: to })
  return found
}

function trim(text: string, start: number, end: number): Span {
  const slice = text.slice(start, end)
  const lead = slice.length - slice.trimStart().length
  return { start: start + lead, end: start + Math.max(lead, slice.trimEnd().length) }
}

function outsideQuotes(text: string, separator: string): string[] {
  const parts = ['']
  let isQuoted = false
  for (const char of text) {
    if (/["“”]/.test(char)) isQuoted = !isQuoted
    if (char === separator && !isQuoted) parts.push('')
    else parts[parts.length - 1] += char
  }
  return parts
}

const RULING = new Set(
  (
    'may can could must shall should will would ought need needs might cannot only not never no nobody none nor neither without unless except ' +
    'allow permit forbid prohibit deny grant restrict limit reserve entitle authorize authorise enable block ban bar prevent refuse revoke require oblige ' +
    'mandatory compulsory optional right access accessible permission responsible ensure duty bound supposed expected free able unable ' +
    'exclude exempt disallow reject let stop keep subject available privilege approve approval consent log notify record ' +
    'confidential private secret taboo protected classified hands off avoid beware refrain belong stay remain ' +
    // What speaks about other sentences can take them back.
    'apply applies rule rules sentence exception above below following previous suspend void waive repeal override instead ignore disregard cease ' +
    'likewise same ditto similarly also too vice versa conversely otherwise else opposite reverse contrary wrong false untrue incorrect mistake error ' +
    'nonsense joke kid kidding mean equal define deem count consider treat regard forget cancel undo strike scrap drop retract withdraw revert ' +
    'first priority precedence precede outrank trump prevail confidentiality secrecy privacy hide hidden lock locked open close'
  ).split(' '),
)

/** "That is wrong", "It was a joke", "Forget this": a pronoun that stands for what was said. "This page" and "a clinic that cares" are none. */
const POINTS_BACK =
  /^\W*(?:it|they|so|such)\b|^\W*(?:that|this|these|those)(?:['’]s\b|\s+(?:is|was|are|were|be|been|has|had|have|does|do|did|goes|go|holds|hold|includes?|concerns?|covers?|extends?|ends?|stops?|starts?)\b)|\b(?:that|this|these|those|it|them|so)\s*(?:[.!?;:,)]|$)/i

/**
 * Whether a sentence, left unread, could hide a rule. Generous on purpose: what is left unread and may rule makes the whole request
 * undetermined. A word that is not written in Latin letters alone, or that hides a character, can be any word.
 */
function mayRule(text: string, schema: Schema): boolean {
  const lexicon = lexiconOf(schema)
  if (/[\p{Cf}\p{Cc}\p{Co}\p{Cn}]/u.test(text.replace(/[\n\r\t]/g, ''))) return true
  const words = text.match(/[\p{L}\p{M}\p{N}_]+(?:['’][\p{L}]+)?/gu) ?? []
  const isHeading = /^#{1,6}\s/.test(text)
  if (POINTS_BACK.test(text) || /[=≠≡<>→⇒←⇐↔⇔∀∃¬∧∨|&+^~✓✔✗✘❌✅]/.test(text)) return true
  const isRuling = words.some((word) => {
    if (/[^\p{Script=Latin}\p{N}_'’]/u.test(word) || word !== word.normalize('NFKC')) return true
    if (/n['’]t$/i.test(word) || lemmas(word.replace(/['’].*$/, '')).some((form) => RULING.has(form))) return true
    return !isHeading && lexicon.isVerb([word.replace(/['’].*$/, '')])
  })
  return isRuling || (!isHeading && namesCase(words, schema))
}

/** So few words that name something of the schema say something of it, whatever they are: "Doctors as well". */
const FRAGMENT_MAX = 4
/** And what goes on for so long can say anything. */
const REMARK_MAX = 60

/** "Sealed charts are for doctors", "Charts: doctors": what is acted on beside who acts, or beside a state or value that it can have. */
function namesCase(words: readonly string[], schema: Schema): boolean {
  if (words.length > REMARK_MAX) return true
  const { entries } = lexiconOf(schema)
  const said = words.map((word) => word.replace(/['’].*$/, ''))
  const isSaid = (phrase: Phrase) => said.some((_, start) => says(said.slice(start, start + phrase.length), phrase))
  const found = entries.filter(({ kind, phrase }) => kind !== 'action' && isSaid(phrase))
  const types = new Set(found.filter(({ kind }) => kind === 'type').map(({ name }) => name))
  const isTarget = schema.environments.some(({ resource }) => types.has(resource))
  const isActor = schema.environments.some(({ principal, resource }) => types.has(principal) && (principal !== resource || types.size > 1))
  const isState = found.some(({ kind }) => kind === 'value' || kind === 'attribute')
  return (found.length > 0 && words.length <= FRAGMENT_MAX) || (isTarget && (isActor || isState)) || (isActor && isState)
}

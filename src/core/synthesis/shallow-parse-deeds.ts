import { noun, type Deed, type Noun, type Tail } from '#core/unit/statement.ts'
import { isParticiple, nounAt, type Scope } from './shallow-parse-phrases.ts'
import { codes, ended, say, Unread, type Token } from './shallow-parse-tokens.ts'

export type Subject = {
  readonly nouns: readonly Noun[]
  readonly except: readonly Noun[]
  readonly isOnly: boolean
  /** Nobody, no nurse. */
  readonly isNone: boolean
  /** An adverbial subject ("it is forbidden to …") or none. */
  readonly isAnyone: boolean
}

export const ANYONE: Subject = { nouns: [], except: [], isOnly: false, isNone: false, isAnyone: true }

export function withoutLead(tokens: readonly Token[]): readonly Token[] {
  const start = tokens.findIndex(({ code }) => code !== 'c' && code !== ',')
  const end = tokens.findLastIndex(({ code }) => code !== ',')
  return start < 0 ? [] : tokens.slice(start, end + 1)
}

export function subjectOf(tokens: readonly Token[], scope: Scope): Subject {
  let rest = withoutLead(tokens)
  const isOnly = rest[0]?.code === 'o'
  if (isOnly) rest = rest.slice(1)
  if (rest.length === 0) throw new Unread('who? the subject is missing')
  const cut = rest.findIndex(({ code }) => code === 'x')
  const except = cut < 0 ? [] : nounList(rest.slice(cut + 1), scope, true).nouns
  if (cut >= 0) rest = withoutTrail(rest.slice(0, cut))
  let isNone = false
  if (rest[0]?.code === '0') {
    isNone = true
    rest = [{ ...(rest[0] as Token), code: '1' }, ...rest.slice(1)]
  } else if (rest[0]?.code === '!') {
    isNone = true
    rest = rest.slice(1)
  } else if (rest[0]?.code === 'N') {
    isNone = true
    rest = rest.slice(1).map((token) => (token.code === 'n' ? { ...token, code: 'c', value: 'or' } : token))
  }
  if (rest.some(({ code }) => code === 'u')) {
    if (rest[0]?.code === 'u') throw new Unread(`\`${(rest[0] as Token).text}\` could be anyone: name them`)
  }
  const { nouns } = nounList(rest, scope, true)
  const isAnyone = nouns.every(isBlank)
  return { nouns: isAnyone ? [] : nouns, except, isOnly, isNone, isAnyone }
}

function isBlank(one: Noun): boolean {
  return one.words.length === 0 && one.quoted === null && one.modifiers.length === 0 && !one.other
}

/** "nurses, doctors and patients"; all tokens. What hangs on the first or on the last may belong to all: both are tried. */
export function nounList(tokens: readonly Token[], scope: Scope, isSubject = false): { nouns: Noun[] } {
  const nouns: Noun[] = []
  const isDetermined: boolean[] = []
  let joint: Token | null = null
  let isApart = false
  let at = 0
  for (;;) {
    isDetermined.push(/[dyeq]/.test(tokens[at]?.code ?? ''))
    const { value, next } = nounAt(tokens, at, scope, false, isSubject)
    nouns.push(value)
    at = next
    if (at >= tokens.length) break
    if (!/[,c]/.test(tokens[at]?.code ?? '')) throw new Unread(`\`${say(tokens.slice(at))}\` is not understood here`)
    isApart = tokens[at]?.code === ',' && tokens[at + 1]?.code === 'c'
    while (/[,c]/.test(tokens[at]?.code ?? '')) {
      if (tokens[at]?.code === 'c') joint = tokens[at] as Token
      at++
    }
    if (at >= tokens.length) throw new Unread('the list breaks off')
  }
  if (nouns.length > 1 && joint === null) throw new Unread('join the list with `and` or `or`')
  return { nouns: shared(nouns, isDetermined, isApart && nouns.length === 2, scope) }
}

/** Lets the adjectives of the first noun, and the modifiers of the last, belong to all, where they may. */
function shared(nouns: readonly Noun[], isDetermined: readonly boolean[], isApart: boolean, scope: Scope): Noun[] {
  if (nouns.length < 2) return [...nouns]
  const first = nouns[0] as Noun
  const last = nouns[nouns.length - 1] as Noun
  let list = [...nouns]
  const isName = (words: readonly string[]) => scope.lexicon.types(words).length > 0
  const head = first.words.findIndex((_, index) => isName(first.words.slice(index)))
  const adjectives = head > 0 ? first.words.slice(0, head) : []
  const owns = first.modifiers.filter(({ kind }) => kind === 'own')
  const areBare = list.slice(1).every(({ words, modifiers }, index) => !isDetermined[index + 1] && isName(words) && modifiers.every(({ kind }) => kind !== 'own'))
  if ((adjectives.length > 0 || owns.length > 0) && areBare && scope.choose(2) === 1) {
    list = list.map((one, index) => (index === 0 ? one : { ...one, words: [...adjectives, ...one.words], modifiers: [...owns, ...one.modifiers] }))
  }
  const hanging = last.modifiers.filter(({ kind }) => kind !== 'own')
  const isFree = list.slice(0, -1).every(({ modifiers }) => modifiers.every(({ kind }) => kind === 'own'))
  if (hanging.length > 0 && isFree && !isApart && scope.choose(2) === 1) {
    list = list.map((one, index) => (index === list.length - 1 ? one : { ...one, modifiers: [...one.modifiers, ...hanging] }))
  }
  return list
}

/** How many tokens a verb of the schema has here: with its particle ("turn on"), else one; 0 when there is none. */
export function verbLength(tokens: readonly Token[], at: number, scope: Scope): number {
  const first = tokens[at]
  if (first === undefined) return 0
  if (first.code === 'D') return 1
  if (first.code !== 'w' && first.code !== 'Q') return 0
  const particle = tokens[at + 1]
  if (particle?.code === 'p' && scope.lexicon.isVerb([first.text, particle.text])) return 2
  if (first.value === 'verb' || scope.lexicon.isVerb([first.text]) || /^(?:access|use)(?:ing|d|ed|es)?$/i.test(first.text)) return 1
  return 0
}

/** Verbs without an object: "read", "viewed and edited", "turned on". */
export function verbPhrases(tokens: readonly Token[], scope: Scope): { verb: string[] | null; tails: Tail[] }[] {
  const found: { verb: string[] | null; tails: Tail[] }[] = []
  let at = 0
  for (;;) {
    const length = verbLength(tokens, at, scope)
    if (length === 0) {
      throw new Unread(at < tokens.length ? `\`${say(tokens.slice(at))}\` names no action of the schema` : 'the sentence breaks off where a verb is expected')
    }
    found.push({ verb: verbOf(tokens.slice(at, at + length)), tails: [] })
    at += length
    if (at >= tokens.length) return found
    if (/[pfw]/.test(tokens[at]?.code ?? '') && tokens[at]?.code === 'p') {
      const tails = tailsOf(tokens.slice(at), scope)
      return found.map(({ verb }) => ({ verb, tails }))
    }
    if (!/[,c]/.test(tokens[at]?.code ?? '')) throw new Unread(`\`${say(tokens.slice(at))}\` is not understood here`)
    while (/[,c]/.test(tokens[at]?.code ?? '')) at++
    // "viewed by nurses and edited by doctors" would need agents for each.
    if (tokens[at]?.code === 'b') at++
  }
}

export function verbOf(tokens: readonly Token[]): string[] | null {
  return tokens[0]?.code === 'D' ? null : tokens.map(({ text }) => text)
}

/** "view, edit and share documents", "open folders and view documents": deeds with their objects. */
export function predicate(all: readonly Token[], it: readonly Noun[], scope: Scope): { deeds: Deed[]; isNarrowed: boolean } {
  const groups = deedGroups(withoutTrail(all), scope)
  const deeds: Deed[] = []
  let isNarrowed = false
  let mentioned = it
  for (const group of groups) {
    const verbs: (string[] | null)[] = []
    let at = 0
    let split: readonly Token[] | null = null
    for (;;) {
      const length = verbLength(group, at, scope)
      const particle = group[at + 2]
      if (length === 1 && group[at + 1]?.code === 'u' && particle?.code === 'p' && scope.lexicon.isVerb([(group[at] as Token).text, particle.text])) {
        // "turn them on"
        verbs.push([(group[at] as Token).text, particle.text])
        ended(group, at + 3)
        split = [group[at + 1] as Token]
        break
      }
      if (length === 0) {
        if (verbs.length > 0) break
        throw new Unread(at < group.length ? `\`${say(group.slice(at, at + 1))}\` names no action of the schema` : 'the sentence breaks off where a verb is expected')
      }
      verbs.push(verbOf(group.slice(at, at + length)))
      at += length
      const after = /^[,c]+/.exec(codes(group.slice(at)))
      if (after === null || verbLength(group, at + after[0].length, scope) === 0) break
      at += after[0].length
    }
    if (group[at]?.code === 'o') {
      isNarrowed = true
      at++
    }
    const { object, tails } = objects(split ?? group.slice(at), mentioned, scope)
    deeds.push(...verbs.map((verb) => ({ verb, object, tails })))
    mentioned = [...it, ...mentionedIn(deeds)]
  }
  if (isNarrowed && groups.length > 1) throw new Unread('write a sentence for each thing that may be done')
  return { deeds, isNarrowed }
}

/** Where a second deed begins: behind a joint, a verb as it stands in the dictionary, with an object behind it. */
function deedGroups(tokens: readonly Token[], scope: Scope): (readonly Token[])[] {
  const starts = [0]
  let seenObject = false
  for (let at = 0; at < tokens.length; at++) {
    const code = (tokens[at] as Token).code
    const length = verbLength(tokens, at, scope)
    if (at > 0 && length === 0 && !/[,c]/.test(code)) seenObject = true
    // The particle of "turn on" is no object.
    if (length === 2) at++
    if (code !== 'c' || !seenObject || !opensDeed(tokens, at + 1, scope)) continue
    starts.push(at + 1)
    seenObject = false
  }
  // "… or if they are not blocked": the joint is said of something that stands elsewhere.
  if (tokens.at(-1)?.code === 'c') throw new Unread('say what is joined in one place, or write a sentence for each')
  return starts.map((start, index) => withoutTrailJoint(tokens.slice(start, starts[index + 1] ?? tokens.length)))
}

function withoutTrailJoint(tokens: readonly Token[]): readonly Token[] {
  const end = tokens.findLastIndex(({ code }) => code !== ',' && code !== 'c')
  return tokens.slice(0, end + 1)
}

function opensDeed(tokens: readonly Token[], at: number, scope: Scope): boolean {
  const verb = tokens[at] as Token | undefined
  const length = verbLength(tokens, at, scope)
  if (verb === undefined || length === 0 || !isBase(verb, scope)) return false
  const next = tokens[at + length]
  return next !== undefined && /[wdyqfeu1]/.test(next.code)
}

/** A verb as it stands in the dictionary. */
export function isBase(token: Token, scope: Scope): boolean {
  const lower = token.text.toLowerCase()
  return token.code === 'D' || scope.lexicon.entries.some(({ kind, phrase }) => kind === 'action' && phrase.includes(lower)) || token.tags.has('Infinitive')
}

/** "themselves", until the subject is known. */
export const SELF: Noun = noun(['themselves'])

/** What the deed is done to, and what follows: "charts and bills", "emails to external mailboxes". */
export function objects(tokens: readonly Token[], it: readonly Noun[], scope: Scope): { object: Noun[]; tails: Tail[] } {
  if (tokens.length === 0) return { object: [], tails: [] }
  const first = tokens[0] as Token
  const cut = tokens.findIndex((token, index) => isTail(token) && (index === 0 || nounEndsBefore(tokens, index, scope)))
  const body = tokens.slice(0, cut < 0 ? tokens.length : cut)
  const tails = cut < 0 ? [] : tailsOf(tokens.slice(cut), scope, it)
  if (first.code === 'u') {
    ended(body, 1)
    if (first.value === 'self') return { object: [SELF], tails }
    return { object: [antecedent(first, it)], tails }
  }
  if (body.length === 0) return { object: [], tails }
  const { nouns } = nounList(body, scope)
  return { object: nouns.every(isBlank) ? [] : nouns, tails }
}

const TAILS = new Set(['to', 'on', 'by', 'via', 'through', 'into', 'onto', 'outside', 'on behalf of', 'as', 'for'])

function isTail(token: Token): boolean {
  return token.code === 'p' && TAILS.has(token.text.toLowerCase())
}

/** The preposition stands behind a noun, not behind a participle ("assigned to them") nor within a relative clause. */
function nounEndsBefore(tokens: readonly Token[], at: number, scope: Scope): boolean {
  if (tokens.slice(0, at).some(({ code }) => /[rb]/.test(code))) return false
  const before = tokens[at - 1] as Token
  const isState = /^p(?:w)(?:$|[^wq'])/.test(codes(tokens.slice(at))) && scope.lexicon.entries.some(({ kind, phrase }) => kind === 'attribute' && phrase.join(' ').endsWith(`${(tokens[at] as Token).text} ${tokens[at + 1]?.text ?? ''}`.toLowerCase()))
  return !isState && !(at > 1 && isParticiple(before) && ['to', 'by'].includes((tokens[at] as Token).text.toLowerCase()))
}

function tailsOf(tokens: readonly Token[], scope: Scope, it: readonly Noun[] = []): Tail[] {
  const tails: Tail[] = []
  let at = 0
  while (at < tokens.length) {
    const preposition = tokens[at] as Token
    if (preposition.code !== 'p') throw new Unread(`\`${say(tokens.slice(at))}\` is not understood here`)
    // "push to it".
    const pronoun = tokens[at + 1]
    const isIt = pronoun?.code === 'u' && pronoun.value === 'it'
    const { value, next } = isIt ? { value: antecedent(pronoun, it), next: at + 2 } : nounAt(tokens, at + 1, scope)
    tails.push({ preposition: preposition.text.toLowerCase(), noun: value })
    at = next
  }
  return tails
}

/** The one thing named before that "it" or "them" can be. */
export function antecedent(pronoun: Token, it: readonly Noun[]): Noun {
  const distinct = it.filter((one, index) => it.findIndex((other) => other.words.join(' ').toLowerCase() === one.words.join(' ').toLowerCase()) === index)
  const [one, ...more] = distinct
  if (one === undefined || more.length > 0) {
    throw new Unread(`\`${pronoun.text}\` could be ${more.length > 0 ? 'several things' : 'anything'}: name it`)
  }
  return one
}

export function mentionedIn(deeds: readonly Deed[]): Noun[] {
  const found = deeds.flatMap(({ object }) => object)
  return found.filter((one, index) => found.indexOf(one) === index)
}

export function withoutTrail(tokens: readonly Token[]): readonly Token[] {
  const end = tokens.findLastIndex(({ code }) => code !== ',' && code !== 'c')
  const isDangling = end < tokens.length - 1 && tokens[tokens.length - 1]?.code === 'c'
  return isDangling ? tokens : tokens.slice(0, end + 1)
}

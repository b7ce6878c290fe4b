import type { Lexicon } from '#core/unit/lexicon.ts'
import { lemmas } from '#core/unit/morphology.ts'
import { noun, type Condition, type Modifier, type Noun, type Operand, type Operator, type Ref } from '#core/unit/statement.ts'
import { conditionOf, valuedIn, withCondition } from './shallow-parse-conditions.ts'
import { codes, THIS, Unread, type Token } from './shallow-parse-tokens.ts'

/** What every part of one attempt at a clause shares. */
export type Scope = {
  readonly lexicon: Lexicon
  /**
   * Decides where English does not: which of `count` structures is meant. A clause is attempted with every sequence of answers,
   * and is read only when all attempts that make sense mean the same.
   */
  readonly choose: (count: number) => number
  /**
   * The same where the first structure is what most people mean. An attempt with another one counts only where the schema can say it, and the
   * first as well.
   */
  readonly other: (count: number) => number
}

type Chunk<T> = { readonly value: T; readonly next: number }

/** Adjectives and a name. */
const WORDS_MAX = 10

/** Prepositions whose phrase belongs to the noun before it. */
const BELONGING = new Set(['of', 'in', 'within', 'from', 'at', 'inside', 'for', 'against'])

/**
 * The noun phrase that begins at `from`: determiners, possessives, words, an id in quotes, and whatever hangs on it.
 *
 * @param isNested It stands in another noun's modifier: what follows may hang on that one instead.
 * @param mayBeIts "Its driver" can stand here, as someone whom the sentence's thing names.
 */
export function nounAt(tokens: readonly Token[], from: number, scope: Scope, isNested = false, mayBeIts = false): Chunk<Noun> {
  let at = from
  let modifiers: Modifier[] = []
  let words: string[] = []
  let quoted: string | null = null
  let other = false
  let definite: { isDefinite?: boolean } = {}
  // "that patient": the one spoken of.
  if (tokens[at]?.code === 'r' && /^that$/i.test((tokens[at] as Token).text) && tokens[at + 1]?.code === 'w') {
    definite = { isDefinite: true }
    at++
  }
  while (/[dBe]/.test(tokens[at]?.code ?? '')) {
    const { code, text } = tokens[at] as Token
    if (code === 'd') definite = { isDefinite: /^the$/i.test(text) }
    if (code === 'e') other = true
    at++
  }
  if (tokens[at]?.code === 'y') {
    const whose = tokens[at] as Token
    at++
    const isSaid = tokens[at]?.code === '*'
    if (isSaid) at++
    const isIts = whose.value === 'it' && !isSaid
    modifiers.push({ kind: 'own', isSaid, ...(isIts ? { isIts } : {}) })
    if (isIts && !mayBeIts) throw new Unread(`\`${whose.text}\` could be anyone's: name the owner`)
  }
  if (tokens[at]?.code === '1') at++
  else {
    while (tokens[at]?.code === 'w' || tokens[at]?.code === '\'' || tokens[at]?.code === '*' || tokens[at]?.code === 'Q') {
      const token = tokens[at] as Token
      if (token.code === '*' || (token.code === 'Q' && words.length > 0)) break
      if (token.code === '\'') {
        modifiers = [{ kind: 'of', preposition: 'of', noun: noun(words, { modifiers, other, ...definite }) }]
        words = []
        other = false
        definite = { isDefinite: true }
      } else if (words.length > 0 && opensParticiple(tokens, at)) break
      else words.push(known(token, scope))
      at++
    }
    // A quoted text before its noun ("the "legal" group") names the same id.
    if (tokens[at]?.code === 'q') {
      quoted = (tokens[at] as Token).value
      at++
      if (words.length === 0 && tokens[at]?.code === 'w') {
        while (tokens[at]?.code === 'w') words.push(known(tokens[at++] as Token, scope))
        // "the "sealed" charts" are of a kind, and not the one with that id.
        if (/[^s]s$/i.test(words[words.length - 1] ?? '')) throw new Unread(`\`"${quoted}" ${words.join(' ')}\` could be one or several: say what "${quoted}" is`)
      }
    }
    if (words.length > 0 && /^ones$/i.test(tokens[at]?.text ?? '')) at++
    const isElliptic = modifiers.some((modifier) => modifier.kind === 'own' && modifier.isSaid)
    if (words.length === 0 && quoted === null && !isElliptic) {
      throw new Unread(at < tokens.length ? `a noun is expected before \`${(tokens[at] as Token).text}\`` : 'the sentence breaks off where a noun is expected')
    }
  }
  if (words.length > WORDS_MAX) throw new Unread(`\`${words.slice(0, 3).join(' ')} …\` are too many words for one thing`)
  const after = modifiersAt(tokens, at, scope, isNested)
  return { value: noun(words, { quoted, other, ...definite, modifiers: [...modifiers, ...after.value] }), next: after.next }
}

/** "tickets assigned to them": a participle behind its noun, before a preposition. */
function opensParticiple(tokens: readonly Token[], at: number): boolean {
  const token = tokens[at] as Token
  const preposition = tokens[at + 1]
  if (preposition?.code !== 'p' || !isParticiple(token)) return false
  const word = preposition.text.toLowerCase()
  return word === 'to' || word === 'by' || (word === 'with' && tokens[at + 2]?.code === 'u')
}

export function isParticiple(token: Token): boolean {
  if (token.code !== 'w' || /(?:s|ing)$/i.test(token.text)) return /^belonging$/i.test(token.text)
  return token.tags.has('PastTense') || token.tags.has('Participle') || /(?:ed|en)$/i.test(token.text) || lemmas(token.text).length > 1
}

/** A content word; an adverb that the schema does not know changes what is said in a way that nothing here could keep. */
export function known(token: Token, scope: Scope): string {
  if (token.tags.has('Adverb') && !token.text.split('-').every((part) => scope.lexicon.knows(part))) {
    throw new Unread(`\`${token.text}\` is not understood: say exactly when`)
  }
  return token.text
}

function modifiersAt(tokens: readonly Token[], from: number, scope: Scope, isNested: boolean): Chunk<Modifier[]> {
  const found: Modifier[] = []
  let at = from
  while (at < tokens.length) {
    const next = modifierAt(tokens, at, scope)
    if (next === null) break
    // Whether it hangs on this noun or on the one before: both are tried.
    if (isNested && scope.choose(2) === 1) break
    const { value, next: end } = next()
    found.push(value)
    at = end
  }
  return { value: found, next: at }
}

function modifierAt(tokens: readonly Token[], at: number, scope: Scope): (() => Chunk<Modifier>) | null {
  const token = tokens[at] as Token
  const rest = codes(tokens.slice(at))
  const word = token.text.toLowerCase()
  const to = (end: number) => tokens.slice(at, end)
  // "To the same region" leads there, and "with the same" is in company.
  const isJoining = ['of', 'in', 'within', 'from', 'at', 'inside', 'on'].includes(word)
  if (isJoining && /^pd?f/.test(rest)) return () => sameAt(tokens, at)
  if (token.code === 'p' && word === 'with') {
    return () => ({ value: such(withCondition(tokens.slice(at + 1, endOf(tokens, at + 1)), THIS, scope)), next: endOf(tokens, at + 1) })
  }
  if (/^pk/.test(rest) && BELONGING.has(word)) return () => quantityAt(tokens, at + 1, scope)
  if (token.code === 'k') return () => quantityAt(tokens, at, scope)
  if (/^p#l/.test(rest) && BELONGING.has(word)) return () => quantityAt(tokens, at + 1, scope)
  if (/^pw(?![w'q])/.test(rest) && ['on', 'in', 'under', 'off'].includes(word) && isState(to(at + 2), scope)) {
    return () => ({ value: such({ kind: 'is', of: { kind: 'this' }, words: to(at + 2).map(({ text }) => text) }), next: at + 2 })
  }
  if (/^pd?w+k?#/.test(rest) && BELONGING.has(word)) {
    const end = endOf(tokens, at + 1)
    return () => ({ value: such(withCondition(to(end).slice(1), THIS, scope)), next: end })
  }
  const named = /^pd?(w+)/.exec(rest)
  if (named !== null && ['on', 'under'].includes(word)) {
    const end = at + named[0].length
    const valued = valuedIn(tokens.slice(at + 1, end).filter(({ code }) => code === 'w').map(({ text }) => text), { kind: 'this' }, scope)
    if (valued !== null) return () => ({ value: such(valued), next: end })
  }
  if (token.code === 'p' && BELONGING.has(word) && /^p[dBefy*w1q]/.test(rest)) {
    return () => {
      const inner = nounAt(tokens, at + 1, scope, true)
      return { value: { kind: 'of', preposition: word, noun: inner.value }, next: inner.next }
    }
  }
  if (token.code === 'r') {
    const end = endOf(tokens, at + 1)
    return () => ({ value: such(conditionOf(relative(to(end)), { kind: 'this' }, scope)), next: end })
  }
  if (/^ub~?d?w+p(?:$|[,scM])/.test(rest) || /^[u](?:t~)?w/.test(rest) || (opensParticiple(tokens, at) && token.code === 'w')) {
    const end = endOf(tokens, at + 1)
    const body = token.code === 'u' ? to(end) : [THIS, BE, ...to(end)]
    return () => ({ value: such(conditionOf(body, { kind: 'this' }, scope)), next: end })
  }
  return null
}

const BE: Token = { code: 'b', text: 'are', value: '', tags: new Set() }

function such(condition: Condition): Modifier {
  return { kind: 'such', condition }
}

/** "on duty", "in production": the words of a yes or no of the schema, with the preposition or without. */
function isState(tokens: readonly Token[], scope: Scope): boolean {
  const words = tokens.map(({ text }) => text.toLowerCase())
  const has = (phrase: string) => scope.lexicon.entries.some(({ kind, phrase: name }) => kind === 'attribute' && name.join(' ') === phrase)
  const [, ...bare] = words
  const isType = scope.lexicon.types(bare).length > 0
  return !isType && [words.join(' '), bare.join(' '), `is ${words.join(' ')}`, `is ${bare.join(' ')}`].some(has)
}

/** Where a clause that hangs on a noun ends: before a subordinator, a modal, an exception, or at the end. */
function endOf(tokens: readonly Token[], from: number): number {
  const end = tokens.findIndex((token, index) => index >= from && (/[sMFAo]/.test(token.code) || (token.code === 'x' && !joins(tokens, index))))
  return end < 0 ? tokens.length : end
}

/** "paid but not shipped": and. */
function joins(tokens: readonly Token[], at: number): boolean {
  const word = (tokens[at] as Token).text.toLowerCase()
  const before = codes(tokens.slice(0, at))
  return (word === 'but' || word === 'but not') && /[rb][^M]*$/.test(before) && /^x~?[wbhp]/.test(codes(tokens.slice(at)))
}

/** The tokens of a relative clause, with the noun that it hangs on in the place of the pronoun. */
export function relative(tokens: readonly Token[]): readonly Token[] {
  const [pronoun, ...rest] = tokens as [Token, ...Token[]]
  if (pronoun.value === 'whose') return [{ ...THIS, value: 'whose' }, ...rest]
  const word = pronoun.text.toLowerCase()
  if (word.startsWith('of ')) return [...rest, { code: 'p', text: 'of', value: '', tags: new Set() }, THIS]
  if (word.startsWith('to ')) return [...rest, { code: 'p', text: 'to', value: '', tags: new Set() }, THIS]
  // "that they own", "whom they treat": the noun is what it is done to.
  return /^[uydw]/.test(codes(rest)) && !startsWithVerb(rest) ? rest : [THIS, ...rest]
}

function startsWithVerb(tokens: readonly Token[]): boolean {
  const [first, second] = tokens
  if (first?.code !== 'w') return false
  return first.tags.has('Verb') || (second !== undefined && /[dyupfe]/.test(second.code))
}

/** "in the same department [as the owner]", "of the same ward". */
function sameAt(tokens: readonly Token[], from: number): Chunk<Modifier> {
  const { words, as, next } = sameWords(tokens, from)
  return { value: { kind: 'same', words, as }, next }
}

export function sameWords(tokens: readonly Token[], from: number): { words: string[]; as: Ref | null; next: number } {
  let at = from
  while (/[pdf]/.test(tokens[at]?.code ?? '')) at++
  const words: string[] = []
  while (tokens[at]?.code === 'w') words.push((tokens[at++] as Token).text)
  if (words.length === 0) throw new Unread('the same what?')
  if (tokens[at]?.code === 'p' && (tokens[at] as Token).text.toLowerCase() === 'as') {
    throw new Unread('`the same … as` is read only without `as`')
  }
  return { words, as: null, next: at }
}

/** "of at most 1,000 euros", "over 10,000", "of 5 or more": the one quantity of the noun. */
function quantityAt(tokens: readonly Token[], from: number, scope: Scope): Chunk<Modifier> {
  const { value, next } = comparisonAt(tokens, from, scope)
  return { value: such({ kind: 'compare', left: { kind: 'attribute', words: [], of: { kind: 'this' } }, ...value }), next }
}

type Comparison = { readonly operator: Operator; readonly values: readonly Operand[] }

/** An operator with what stands behind it. */
export function comparisonAt(tokens: readonly Token[], from: number, scope: Scope): Chunk<Comparison> {
  const token = tokens[from]
  if (token?.code === 'k' || token?.code === 'v') {
    const { value, next } = operandAt(tokens, from + 1, scope)
    return { value: { operator: token.value as Operator, values: [value] }, next }
  }
  const { value, next } = operandAt(tokens, from, scope)
  const tail = tokens[next]
  if (tail?.code === 'l') return { value: { operator: tail.value as Operator, values: [value] }, next: next + 1 }
  return { value: { operator: '==', values: [value] }, next }
}

/** The sign of a currency beside a number. */
export function symbolOf({ text }: Token): string | null {
  return /^[$€£¥%]/.exec(text)?.[0] ?? null
}

export function operandAt(tokens: readonly Token[], from: number, scope: Scope): Chunk<Operand> {
  const token = tokens[from]
  if (token?.code === '#') {
    const symbol = symbolOf(token)
    const behind = tokens[from + 1]
    const isUnit = symbol === null && behind?.code === 'w' && tokens[from + 2]?.code !== 'w'
    return { value: { kind: 'number', digits: token.value, unit: isUnit ? behind.text : symbol }, next: from + (isUnit ? 2 : 1) }
  }
  if (token?.code === 'w' && tokens[from + 1]?.code === '#' && /^\p{Lu}{3}$/u.test(token.text)) {
    return { value: { kind: 'number', digits: (tokens[from + 1] as Token).value, unit: token.text }, next: from + 2 }
  }
  if (token?.code === 'q') return { value: { kind: 'text', value: token.value, quoted: true }, next: from + 1 }
  if (token?.code === 'y') {
    let at = from + 1
    if (tokens[at]?.code === '*') at++
    const words: string[] = []
    while (tokens[at]?.code === 'w') words.push((tokens[at++] as Token).text)
    if (words.length === 0) throw new Unread(`\`${token.text}\` what?`)
    return { value: { kind: 'attribute', words, of: pronoun(token) }, next: at }
  }
  const { value, next } = nounAt(tokens, from, scope)
  return { value: attribute(value), next }
}

/** A noun as something that has a value: "the amount", "the amount of the payment". */
function attribute({ words, modifiers, quoted, other }: Noun): Operand {
  const [first, ...more] = modifiers
  if (quoted !== null || other || more.length > 0) throw new Unread(`\`${words.join(' ')}\` is not understood as a value`)
  if (first === undefined) return { kind: 'attribute', words, of: null }
  if (first.kind === 'own') return { kind: 'attribute', words, of: { kind: 'they' } }
  if (first.kind !== 'of') throw new Unread(`\`${words.join(' ')}\` is not understood as a value`)
  // "the number of recipients" is how many there are: the schema has that under their name.
  if (words.join(' ').toLowerCase() === 'number') return attribute(first.noun)
  return { kind: 'attribute', words, of: { kind: 'noun', noun: first.noun } }
}

export function pronoun(token: Token): Ref {
  if (token.value === 'it') return { kind: 'it' }
  return token.value === 'he' || token.value === 'self' ? { kind: 'subject' } : { kind: 'they' }
}

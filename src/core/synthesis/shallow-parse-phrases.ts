import type { Lexicon } from '#core/unit/lexicon.ts'
import { lemmas } from '#core/unit/morphology.ts'
import { noun, type Condition, type Modifier, type Noun, type Operand, type Operator, type Ref } from '#core/unit/statement.ts'
import { codes, THIS, Unread, type Token } from './shallow-parse-tokens.ts'

/** What every part of one attempt at a clause shares. */
export type Scope = {
  readonly lexicon: Lexicon
  /**
   * Decides where English does not: which of `count` structures is meant. A clause is attempted with every sequence of answers,
   * and is read only when all attempts that make sense mean the same.
   */
  readonly choose: (count: number) => number
}

const NOT: Token = { code: '~', text: 'not', value: '', tags: new Set() }

type Chunk<T> = { readonly value: T; readonly next: number }

/** Prepositions whose phrase belongs to the noun before it. */
const BELONGING = new Set(['of', 'in', 'within', 'from', 'at', 'inside', 'for', 'against'])

/**
 * The noun phrase that begins at `from`: determiners, possessives, words, an id in quotes, and whatever hangs on it.
 *
 * @param isNested It stands in another noun's modifier: what follows may hang on that one instead.
 */
export function nounAt(tokens: readonly Token[], from: number, scope: Scope, isNested = false): Chunk<Noun> {
  let at = from
  let modifiers: Modifier[] = []
  let words: string[] = []
  let quoted: string | null = null
  let other = false
  // "that patient": the one spoken of.
  if (tokens[at]?.code === 'r' && /^that$/i.test((tokens[at] as Token).text) && tokens[at + 1]?.code === 'w') at++
  while (/[dBef]/.test(tokens[at]?.code ?? '')) {
    if (tokens[at]?.code === 'e') other = true
    at++
  }
  if (tokens[at]?.code === 'y') {
    const whose = tokens[at] as Token
    at++
    const isSaid = tokens[at]?.code === '*'
    if (isSaid) at++
    modifiers.push(whose.value === 'it' && !isSaid ? { kind: 'of', preposition: 'of', noun: noun([], { modifiers: [] }) } : { kind: 'own', isSaid })
    if (whose.value === 'it' && !isSaid) throw new Unread(`\`${whose.text}\` could be anyone's: name the owner`)
  }
  if (tokens[at]?.code === '1') at++
  else {
    while (tokens[at]?.code === 'w' || tokens[at]?.code === '\'' || tokens[at]?.code === '*' || tokens[at]?.code === 'Q') {
      const token = tokens[at] as Token
      if (token.code === '*' || (token.code === 'Q' && words.length > 0)) break
      if (token.code === '\'') {
        modifiers = [{ kind: 'of', preposition: 'of', noun: noun(words, { modifiers, other }) }]
        words = []
        other = false
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
      }
    }
    if (words.length > 0 && /^ones$/i.test(tokens[at]?.text ?? '')) at++
    const isElliptic = modifiers.some((modifier) => modifier.kind === 'own' && modifier.isSaid)
    if (words.length === 0 && quoted === null && !isElliptic) throw new Unread(at < tokens.length ? `a noun is expected before \`${(tokens[at] as Token).text}\`` : 'the sentence breaks off where a noun is expected')
  }
  const after = modifiersAt(tokens, at, scope, isNested)
  return { value: noun(words, { quoted, other, modifiers: [...modifiers, ...after.value] }), next: after.next }
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
function known(token: Token, scope: Scope): string {
  if (token.tags.has('Adverb') && !token.text.split('-').every((part) => scope.lexicon.knows(part))) throw new Unread(`\`${token.text}\` is not understood: say exactly when`)
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
  if (/^pf/.test(rest) || (token.code === 'p' && /^pdf/.test(rest))) return () => sameAt(tokens, at)
  if (token.code === 'p' && word === 'with') return () => ({ value: such(withCondition(tokens.slice(at + 1, endOf(tokens, at + 1)), THIS, scope)), next: endOf(tokens, at + 1) })
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
function relative(tokens: readonly Token[]): readonly Token[] {
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

function sameWords(tokens: readonly Token[], from: number): { words: string[]; as: Ref | null; next: number } {
  let at = from
  while (/[pdf]/.test(tokens[at]?.code ?? '')) at++
  const words: string[] = []
  while (tokens[at]?.code === 'w') words.push((tokens[at++] as Token).text)
  if (words.length === 0) throw new Unread('the same what?')
  if (tokens[at]?.code === 'p' && (tokens[at] as Token).text.toLowerCase() === 'as') throw new Unread('`the same … as` is read only without `as`')
  return { words, as: null, next: at }
}

/** "of at most 1,000 euros", "over 10,000", "of 5 or more": the one quantity of the noun. */
function quantityAt(tokens: readonly Token[], from: number, scope: Scope): Chunk<Modifier> {
  const { value, next } = comparisonAt(tokens, from, scope)
  return { value: such({ kind: 'compare', left: { kind: 'attribute', words: [], of: { kind: 'this' } }, ...value }), next }
}

type Comparison = { readonly operator: Operator; readonly values: readonly Operand[] }

/** An operator with what stands behind it. */
function comparisonAt(tokens: readonly Token[], from: number, scope: Scope): Chunk<Comparison> {
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

function operandAt(tokens: readonly Token[], from: number, scope: Scope): Chunk<Operand> {
  const token = tokens[from]
  if (token?.code === '#') {
    const symbol = /^[$€£¥%]/.exec(token.text)?.[0] ?? null
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

function pronoun(token: Token): Ref {
  if (token.value === 'it') return { kind: 'it' }
  return token.value === 'he' || token.value === 'self' ? { kind: 'subject' } : { kind: 'they' }
}

/** "with more than 100 pages", "with a gross of up to 5,000", "with consent". */
function withCondition(tokens: readonly Token[], self: Token, scope: Scope): Condition {
  return conditionOf([self, { code: 'h', text: 'with', value: '', tags: new Set() }, ...tokens], { kind: 'this' }, scope)
}

/**
 * What tokens without their subordinator say: clauses joined by and, or.
 *
 * @param self What a clause that hangs on a noun speaks about; null in a condition of its own.
 */
export function conditionOf(all: readonly Token[], self: Ref | null, scope: Scope): Condition {
  const { parts, joints } = segments(all)
  if (parts.length === 0 || parts.some((part) => part.length === 0)) throw new Unread('the sentence breaks off where a condition is expected')
  const conditions: Condition[] = []
  let before: Clause = { subject: [], head: [], isNegated: false, isRelation: false }
  for (const part of parts) {
    const { condition, clause } = clauseOf(part, before, self, scope)
    conditions.push(condition)
    before = clause
  }
  return join(conditions, joints, scope)
}

/** Clauses at the joints; lists ("one of A, B or C", "between A and B") stay whole. */
function segments(tokens: readonly Token[]): { parts: Token[][]; joints: ('and' | 'or' | ',')[] } {
  const parts: Token[][] = [[]]
  const joints: ('and' | 'or' | ',')[] = []
  let inBetween = 0
  let inList = false
  for (const [index, token] of tokens.entries()) {
    const open = parts[parts.length - 1] as Token[]
    if (token.code === 'K') inBetween = 1
    if (token.code === 'j') inList = true
    const isJoint = token.code === 'c' || token.code === ',' || token.code === 'n' || (token.code === 'x' && /^but/i.test(token.text))
    if (!isJoint || (inBetween === 1 && token.value === 'and') || (inList && /^(?:[c,]+[wq#](?:$|[c,]|l))/.test(codes(tokens.slice(index)))) || (inList && tokens[index - 1]?.code === ',')) {
      if (isJoint && inBetween === 1) inBetween = 2
      open.push(token)
      continue
    }
    inBetween = 0
    const negates = token.code === 'n' || /not$/i.test(token.text)
    if (open.length === 0 && joints.length > 0 && joints[joints.length - 1] === ',' && token.code === 'c') joints[joints.length - 1] = token.value as 'and' | 'or'
    else {
      joints.push(token.code === ',' ? ',' : token.value === 'or' ? 'or' : 'and')
      parts.push([])
    }
    if (negates) (parts[parts.length - 1] as Token[]).push({ code: '~', text: 'not', value: '', tags: new Set() })
  }
  // A comma that closes a clause joins nothing.
  if (parts.length > 1 && parts[parts.length - 1]?.length === 0 && joints[joints.length - 1] === ',') {
    parts.pop()
    joints.pop()
  }
  return { parts, joints }
}

/** A comma takes the joint that follows; and with or is tried both ways. */
function join(conditions: readonly Condition[], joints: readonly ('and' | 'or' | ',')[], scope: Scope): Condition {
  const said = joints.map((joint, index) => (joint === ',' ? (joints.slice(index).find((later) => later !== ',') ?? 'and') : joint))
  if (new Set(said).size <= 1) return combine(conditions, said[0] ?? 'and')
  const split: 'and' | 'or' = scope.choose(2) === 0 ? 'or' : 'and'
  const groups: Condition[][] = [[conditions[0] as Condition]]
  for (const [index, joint] of said.entries()) {
    const next = conditions[index + 1] as Condition
    if (joint === split) groups.push([next])
    else (groups[groups.length - 1] as Condition[]).push(next)
  }
  const inner = split === 'or' ? 'and' : 'or'
  return combine(groups.map((group) => combine(group, inner)), split)
}

function combine(parts: readonly Condition[], joint: 'and' | 'or'): Condition {
  return parts.length === 1 ? (parts[0] as Condition) : { kind: joint === 'or' ? 'any' : 'all', parts }
}

/** A clause's subject and the beginning of its predicate, which the next may leave out. */
type Clause = { readonly subject: readonly Token[]; readonly head: readonly Token[]; readonly isNegated: boolean; readonly isRelation: boolean }

function clauseOf(part: readonly Token[], before: Clause, self: Ref | null, scope: Scope): { condition: Condition; clause: Clause } {
  let tokens = part
  if (tokens[0]?.code === 'r') tokens = relative(tokens)
  if (tokens[0]?.code === 's' && tokens[0].value === 'if') tokens = tokens.slice(1)
  tokens = tokens.map((token, index) => (token.code === 'N' && tokens[index - 1]?.code === 'b' ? NOT : token))
  if (tokens[0]?.code === 'B' || tokens[0]?.code === 'N') tokens = tokens[0].code === 'N' ? [NOT, ...tokens.slice(1)] : tokens.slice(1)
  const whole = complete(tokens, before, scope)
  return { condition: read(whole, self, scope), clause: clauseParts(whole, scope) }
}


/** Gives a fragment the subject, and the beginning of the predicate, of the clause before it. */
function complete(tokens: readonly Token[], before: Clause, scope: Scope): readonly Token[] {
  const at = predicateAt(tokens, scope)
  if (at > 0 || tokens[0]?.code === 'i') return tokens
  if (at === 0) return before.subject.length > 0 && !isAdverbial(tokens) ? [...before.subject, ...tokens] : tokens
  // "they created or approved": the same did both.
  if (before.isRelation && /^w(?:$|[udye1Tr])/.test(codes(tokens))) return [...before.subject, ...tokens]
  if (before.head.length === 0) return tokens
  // "is not open or pending" may deny one or both.
  if (before.isNegated && tokens[0]?.code !== '~') throw new Unread('say `not` again, or `neither … nor`, for each of what is joined')
  const head = before.isNegated ? before.head.filter(({ code }) => code !== '~') : before.head
  return [...before.subject, ...head, ...tokens]
}

function isAdverbial(tokens: readonly Token[]): boolean {
  return tokens[0]?.code === 'p'
}

/** Where the predicate begins: a form of be, have or do, a comparison verb, or the verb; -1 when there is none. */
function predicateAt(tokens: readonly Token[], scope: Scope): number {
  const sure = tokens.findIndex(({ code }) => /[bhtv]/.test(code))
  const clauseStart = tokens.findIndex(({ code }, index) => code === 'r' && index > 0)
  if (sure >= 0 && (clauseStart < 0 || sure < clauseStart)) return sure
  const text = codes(tokens)
  // "they own", "they treat the patient", "T treat the patient", "the steward owns it".
  const match = /^(?:u|T(?!$)|[dye]+\*?w+?(?=w))(?=w)/.exec(text)
  if (match === null) return sure
  if (match[0].length > 1 || tokens[0]?.code === 'w') {
    const verb = tokens.findIndex((token, index) => index > 1 && token.code === 'w' && token.tags.has('Verb') && !scope.lexicon.types([token.text]).length)
    return verb
  }
  return match[0].length
}

function clauseParts(tokens: readonly Token[], scope: Scope): Clause {
  const at = predicateAt(tokens, scope)
  if (at < 0) return { subject: [], head: [], isNegated: false, isRelation: false }
  const head = /^[bhtv~]+(?:b~?)?/.exec(codes(tokens.slice(at)))?.[0] ?? ''
  return { subject: tokens.slice(0, at), head: tokens.slice(at, at + head.length), isNegated: head.includes('~'), isRelation: head === '' }
}

/** What one clause says. */
function read(tokens: readonly Token[], self: Ref | null, scope: Scope): Condition {
  const text = codes(tokens)
  if (/^ib~?[!d]?w+$/.test(text)) return negate(/[~!]/.test(text), { kind: 'is', of: null, words: wordsOf(tokens.slice(2)) })
  if (/^ibk#w+$/.test(text)) return amountOf(tokens.slice(2))
  const at = predicateAt(tokens, scope)
  if (at < 0) return bare(tokens, scope)
  const subject = tokens.slice(0, at)
  const predicate = tokens.slice(at)
  const shape = codes(predicate)
  const isNegated = /^(?:[bht]+~|~)/.test(shape)
  const rest = predicate.slice(/^(?:[bht]*~?)b?~?/.exec(shape)?.[0].length ?? 0)
  const verb = predicate[0] as Token
  const done = (condition: Condition) => negate(isNegated, condition)

  if (verb.code === 'v' || rest[0]?.code === 'v') return done(compareWith(subject, verb.code === 'v' ? predicate : rest, self, scope))
  if (verb.code === 'h' && !/^h~?b/.test(shape)) return done(having(subject, rest, self, scope, verb))
  if (verb.code === 'b' || /^h~?b/.test(shape)) return done(being(subject, rest, self, scope))
  if (verb.code === 't') return done(relation(subject, rest, self, scope))
  return relation(subject, predicate, self, scope)
}

function negate(isNegated: boolean, condition: Condition): Condition {
  return isNegated ? { kind: 'not', of: condition } : condition
}

/** A condition without a predicate: "approved", "on duty", "in an emergency", "human approval", "the patient's consent", "the patient consents". */
function bare(tokens: readonly Token[], scope: Scope): Condition {
  const text = codes(tokens)
  if (/^p?f|^pdf/.test(text)) throw new Unread('the same as whose?')
  if (/^p?k#w+$/.test(text) && /^(?:k|pk)/.test(text)) return amountOf(tokens.slice(text.indexOf('k')))
  const isVague = tokens.some(({ code, text: word }) => code === 'd' && !/^an?$/i.test(word))
  if (/^~?p?[d!]?w+$/.test(text) && !isVague) {
    return negate(/[~!]/.test(text), { kind: 'is', of: null, words: tokens.filter(({ code }) => /[pw]/.test(code)).map((token) => (token.code === 'w' ? known(token, scope) : token.text)) })
  }
  const last = tokens[tokens.length - 1] as Token
  if (/^[dy]?\*?w+$/.test(text) && tokens.length > 1 && (last.tags.has('Verb') || /[^s]s$/i.test(last.text))) return { kind: 'is', of: refOf(tokens.slice(0, -1), null, scope), words: [last.text] }
  if (/^p?d?w/.test(text) || /^y/.test(text)) {
    const start = tokens[0]?.code === 'p' ? 1 : 0
    const { value, next } = nounAt(tokens, start, scope)
    const [owner, ...more] = value.modifiers
    if (next === tokens.length && owner?.kind === 'of' && more.length === 0 && value.quoted === null && !value.other) {
      return { kind: 'is', of: { kind: 'noun', noun: owner.noun }, words: [...(start === 1 ? [(tokens[0] as Token).text] : []), ...value.words] }
    }
  }
  throw new Unread(`\`${say(tokens)}\` is not understood as a condition`)
}

/** "at least 2 approvals": how many there are. */
function amountOf([operator, amount, ...rest]: readonly Token[]): Condition {
  const left: Operand = { kind: 'attribute', words: wordsOf(rest), of: null }
  return { kind: 'compare', left, operator: operator?.value as Operator, values: [{ kind: 'number', digits: amount?.value as string, unit: null }] }
}

/** "is at most 500", "is open", "is the owner of the document", "is in their ward", "is assigned to them". */
function being(subject: readonly Token[], rest: readonly Token[], self: Ref | null, scope: Scope): Condition {
  const text = codes(rest)
  if (rest.length === 0) throw new Unread('the sentence breaks off behind `is`')
  if (/^(?:k|#|q|K|j|[^pw]*#l)/.test(text) || (/^w#/.test(text) && subject.length > 0)) return compareWith(subject, rest, self, scope)
  if (/^pdf|^pf/.test(text)) {
    const { words, as, next } = sameWords(rest, 0)
    ended(rest, next)
    return { kind: 'same', of: refOf(subject, self, scope), words, as }
  }
  if (/^p[yqde]/.test(text) || /^p[wd]*q$/.test(text)) {
    const place = nounAt(rest, 1, scope)
    ended(rest, place.next)
    const preposition = (rest[0] as Token).text.toLowerCase()
    if (!['in', 'within', 'of', 'inside', 'from'].includes(preposition)) throw new Unread(`\`${say(rest)}\` is not understood as a place`)
    return { kind: 'within', of: refOf(subject, self, scope), noun: place.value }
  }
  // "projects they are a member of", "of which they are the author"
  if (self !== null && subject[0]?.code !== 'T' && /^d?w+pT?$/.test(text)) {
    return { kind: 'relates', subject: refOf(subject, null, scope), verb: wordsOf(rest.filter(({ code }) => code !== 'T')), object: self }
  }
  if (/^[dye]/.test(text) || (/^w+p/.test(text) && /^of$/i.test(rest.find(({ code }) => code === 'p')?.text ?? ''))) {
    // "the declared purpose is the purpose of the record" compares two values.
    const left = valueOwner(subject, scope)
    if (left !== null && scope.choose(2) === 0) return compared(left, rest, scope)
    const what = nounAt(rest, 0, scope)
    ended(rest, what.next)
    return { kind: 'isa', of: refOf(subject, self, scope), noun: what.value }
  }
  const by = rest.findIndex((token) => token.code === 'p' && ['to', 'by', 'with'].includes(token.text.toLowerCase()))
  if (by > 0 && /^w+p(?:u|T|[dyew1r])/.test(text) && !isBooleanWith(rest, scope)) {
    const preposition = (rest[by] as Token).text.toLowerCase()
    const other = refAt(rest, by + 1, self, scope)
    const verb = wordsOf(rest.slice(0, by))
    const thing = refOf(subject, self, scope)
    // "is owned by them": they own it.
    return preposition === 'by' ? { kind: 'relates', subject: other, verb, object: thing } : { kind: 'relates', subject: thing, verb: [...verb, preposition], object: other }
  }
  if (!/^p?w+(?:p[d]?w+)?$/.test(text)) throw new Unread(`\`${say(rest)}\` is not understood behind \`is\``)
  const words = rest.filter(({ code }) => code !== 'd').map((token) => (token.code === 'w' ? known(token, scope) : token.text))
  const owner = valueOwner(subject, scope)
  const isWhose = subject[0]?.value === 'whose'
  // "whose status is open" compares, "whose account is frozen" asks the account: the schema decides.
  if (owner !== null && scope.choose(2) === 0) return { kind: 'compare', left: owner, operator: '==', values: [{ kind: 'text', value: words.join(' '), quoted: false }] }
  if (isWhose) return { kind: 'is', of: self ?? { kind: 'this' }, words: [...wordsOf(subject.slice(1)), ...words] }
  return { kind: 'is', of: subject.length === 0 ? null : refOf(subject, self, scope), words }
}

/** "approved by a human": words of a yes or no that has both. */
function isBooleanWith(rest: readonly Token[], scope: Scope): boolean {
  const words = rest.filter(({ code }) => code === 'w').map(({ text }) => text)
  return words.length > 1 && words.slice(1).every((word) => scope.lexicon.types([word]).length === 0) && words.every((word) => scope.lexicon.knows(word))
}

/** The attribute that a subject names ("the status", "whose status"); null for a thing ("the document", "they"). */
function valueOwner(subject: readonly Token[], scope: Scope): Operand | null {
  const text = codes(subject)
  const whose = subject[0]?.value === 'whose'
  const isPlain = whose || /^[dy]*\*?w+$/.test(text) || /^d?w+(?:pd?w+)$/.test(text)
  if (!isPlain) return null
  const words = subject.filter(({ code }) => code === 'w').map(({ text: word }) => word)
  if (whose) return { kind: 'attribute', words, of: { kind: 'this' } }
  const named = wordsBefore(subject)
  const isAttribute = scope.lexicon.entries.some(({ kind, phrase }) => kind === 'attribute' && phrase.join(' ') === named.join(' ').toLowerCase())
  if (!isAttribute || scope.lexicon.types(named).length > 0) return null
  return operandAt(subject, 0, scope).value
}

function wordsBefore(tokens: readonly Token[]): string[] {
  const end = tokens.findIndex(({ code }) => code === 'p')
  return wordsOf(tokens.slice(0, end < 0 ? tokens.length : end).filter(({ code }) => code === 'w'))
}

/** "has at least 2 stars", "has a priority of 5 or more", "has given consent". */
function having(subject: readonly Token[], rest: readonly Token[], self: Ref | null, scope: Scope, verb: Token): Condition {
  const text = codes(rest)
  const of = subject.length === 0 ? null : refOf(subject, self, scope)
  const amount = /^(?:k?#)w+$/.test(text)
  if (amount && of !== null) {
    const digits = rest.find(({ code }) => code === '#') as Token
    return {
      kind: 'compare', left: { kind: 'attribute', words: wordsOf(rest.filter(({ code }) => code === 'w')), of },
      operator: (rest[0]?.code === 'k' ? rest[0].value : '==') as Operator, values: [{ kind: 'number', digits: digits.value, unit: null }],
    }
  }
  const quantity = /^d?(w+)(?:p(?=[kK#q])|(?=[kKq#]))/.exec(text)
  if (quantity !== null && of !== null) {
    const words = wordsOf(rest.slice(0, quantity[0].length).filter(({ code }) => code === 'w'))
    return compared({ kind: 'attribute', words, of }, rest.slice(quantity[0].length), scope)
  }
  // "they have reported": what is done, to the noun that the clause hangs on.
  if (self !== null && subject[0]?.code !== 'T' && text === 'w') return relation(subject, rest, self, scope)
  if (/^[d!]?w+$/.test(text)) {
    const said = rest.filter(({ code }) => code === 'w').map((token) => known(token, scope))
    const valued = text.startsWith('!') || of === null ? null : valuedIn(said, of, scope)
    if (valued !== null && scope.choose(2) === 0) return valued
    // "users with MFA": of the user, or of the request.
    const whom = verb.text === 'with' && scope.choose(2) === 1 ? null : of
    return negate(text.startsWith('!'), { kind: 'is', of: whom, words: [verb.text === 'with' ? 'with' : 'has', ...said] })
  }
  if (of !== null && /^w[dy]w+$/.test(text) && scope.choose(2) === 1) {
    // "have verified their email": the name of a yes or no.
    return { kind: 'is', of, words: ['has', ...wordsOf(rest)] }
  }
  if (/^w(?:u|[dyew1])/.test(text)) return relation(subject, rest, self, scope)
  throw new Unread(`\`${say(rest)}\` is not understood behind \`${verb.text}\``)
}

/** "the enterprise plan", "status open": an attribute with its value beside it; null when no attribute is named. */
function valuedIn(words: readonly string[], of: Ref, scope: Scope): Condition | null {
  const isAttribute = (part: readonly string[]) => scope.lexicon.entries.some(({ kind, phrase }) => kind === 'attribute' && phrase.join(' ') === part.join(' ').toLowerCase())
  for (let cut = 1; cut < words.length; cut++) {
    const [first, last] = [words.slice(0, cut), words.slice(cut)]
    const [name, value] = isAttribute(last) ? [last, first] : isAttribute(first) ? [first, last] : []
    if (name === undefined || value === undefined) continue
    return { kind: 'compare', left: { kind: 'attribute', words: name, of }, operator: '==', values: [{ kind: 'text', value: value.join(' '), quoted: false }] }
  }
  return null
}

/** "they treat the patient", "they own", "it belongs to them". */
function relation(subject: readonly Token[], predicate: readonly Token[], self: Ref | null, scope: Scope): Condition {
  const text = codes(predicate)
  const match = /^(w)(p(?=[uTdyew1r]))?/.exec(text)
  if (match === null || subject.length === 0) throw new Unread(`\`${say([...subject, ...predicate])}\` is not understood as a condition`)
  const verb = predicate.slice(0, match[0].length).map(({ text: word }) => word)
  const from = refOf(subject, self, scope)
  if (match[0].length === predicate.length) {
    // "the patient consents"
    if (self === null || subject[0]?.code === 'T') return { kind: 'is', of: from, words: verb }
    return { kind: 'relates', subject: from, verb, object: self }
  }
  return { kind: 'relates', subject: from, verb, object: refAt(predicate, match[0].length, self, scope) }
}

function refAt(tokens: readonly Token[], at: number, self: Ref | null, scope: Scope): Ref {
  return refOf(tokens.slice(at), self, scope)
}

function refOf(tokens: readonly Token[], self: Ref | null, scope: Scope): Ref {
  const [first, second] = tokens
  if (first?.code === 'T' && first.value !== 'whose' && second === undefined) return self ?? { kind: 'this' }
  if (first?.code === 'u' && second === undefined) return pronoun(first)
  if (first === undefined) throw new Unread('a condition says nothing about whom')
  const { value, next } = nounAt(tokens, 0, scope)
  ended(tokens, next)
  return { kind: 'noun', noun: value }
}

function compareWith(subject: readonly Token[], rest: readonly Token[], self: Ref | null, scope: Scope): Condition {
  return compared(leftOf(subject, self, scope), rest, scope)
}

function leftOf(subject: readonly Token[], self: Ref | null, scope: Scope): Operand {
  const [first] = subject
  if (first?.code === 'T' && first.value === 'whose') {
    const { value, next } = nounAt(subject, 1, scope)
    ended(subject, next)
    if (value.modifiers.length > 0 || value.quoted !== null || value.other) throw new Unread(`\`${say(subject)}\` is not understood as a value`)
    return { kind: 'attribute', words: value.words, of: { kind: 'this' } }
  }
  if (subject.length === 1 && (first?.code === 'T' || first?.code === 'u')) return { kind: 'attribute', words: [], of: refOf(subject, self, scope) }
  if (subject.length === 0) throw new Unread('a comparison says not of what')
  const { value, next } = operandAt(subject, 0, scope)
  ended(subject, next)
  return value
}

function compared(left: Operand, rest: readonly Token[], scope: Scope): Condition {
  const text = codes(rest)
  if (text.startsWith('K')) {
    const low = operandAt(rest, 1, scope)
    if (rest[low.next]?.value !== 'and') throw new Unread('`between` needs two ends')
    const high = operandAt(rest, low.next + 1, scope)
    ended(rest, high.next)
    return { kind: 'all', parts: [{ kind: 'compare', left, operator: '>=', values: [low.value] }, { kind: 'compare', left, operator: '<=', values: [high.value] }] }
  }
  if (text.startsWith('j')) {
    const values = rest.slice(1).filter(({ code }) => !/[c,d]/.test(code))
    if (!/^j(?:d?[wq#][,c]*)+$/.test(text) || /[,c]$/.test(text)) throw new Unread(`\`${say(rest)}\` is not understood as a list`)
    return {
      kind: 'compare', left, operator: '==',
      values: values.map((token): Operand => (token.code === '#' ? { kind: 'number', digits: token.value, unit: null } : { kind: 'text', value: token.text, quoted: token.code === 'q' })),
    }
  }
  const { value, next } = comparisonAt(rest, 0, scope)
  ended(rest, next)
  return { kind: 'compare', left, ...value }
}

function wordsOf(tokens: readonly Token[]): string[] {
  return tokens.filter(({ code }) => /[wp]/.test(code)).map(({ text }) => text)
}

export function say(tokens: readonly Token[]): string {
  return tokens.map(({ text }) => text).join(' ').trim()
}

/** Every word has had its place. */
export function ended(tokens: readonly Token[], at: number): void {
  if (at < tokens.length) throw new Unread(`\`${say(tokens.slice(at))}\` is not understood here`)
}

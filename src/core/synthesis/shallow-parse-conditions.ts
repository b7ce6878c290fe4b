import { noun, type Condition, type Operand, type Operator, type Ref } from '#core/unit/statement.ts'
import { comparisonAt, known, nounAt, operandAt, pronoun, relative, sameWords, symbolOf, type Scope } from './shallow-parse-phrases.ts'
import { codes, ended, NOT, say, Unread, type Token } from './shallow-parse-tokens.ts'

/** "with more than 100 pages", "with a gross of up to 5,000", "with consent". */
export function withCondition(tokens: readonly Token[], self: Token, scope: Scope): Condition {
  return conditionOf([self, { code: 'h', text: 'with', value: '', tags: new Set() }, ...tokens], { kind: 'this' }, scope)
}

/**
 * What tokens without their subordinator say: clauses joined by and, or.
 *
 * @param self What a clause that hangs on a noun speaks about; null in a condition of its own.
 */
export function conditionOf(all: readonly Token[], self: Ref | null, scope: Scope): Condition {
  const { parts, joints } = segments(all)
  if (parts.length === 0 || parts.some((part) => part.length === 0)) {
    throw new Unread('the sentence breaks off where a condition is expected')
  }
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
  if (!isNegated) return condition
  // "does not exceed" is the comparison "at most": where the amount is absent, neither holds.
  const flipped = condition.kind === 'compare' ? FLIPPED[condition.operator] : undefined
  return condition.kind === 'compare' && flipped !== undefined ? { ...condition, operator: flipped } : { kind: 'not', of: condition }
}

const FLIPPED: { readonly [operator in Operator]?: Operator } = { '<': '>=', '<=': '>', '>': '<=', '>=': '<' }

/** A condition without a predicate: "approved", "on duty", "in an emergency", "human approval", "the patient's consent", "the patient consents". */
function bare(tokens: readonly Token[], scope: Scope): Condition {
  const text = codes(tokens)
  if (/^p?f|^pdf/.test(text)) throw new Unread('the same as whose?')
  if (tokens[0]?.code === 'p' && /^by$/i.test(tokens[0].text)) throw new Unread(`\`${say(tokens)}\` is who acts, and no condition: say who may`)
  if (/^p?k#w+$/.test(text) && /^(?:k|pk)/.test(text)) return amountOf(tokens.slice(text.indexOf('k')))
  const isVague = tokens.some(({ code, text: word }) => code === 'd' && !/^an?$/i.test(word))
  if (/^~?p?[d!]?w+$/.test(text) && !isVague) {
    return negate(/[~!]/.test(text), { kind: 'is', of: null, words: tokens.filter(({ code }) => /[pw]/.test(code)).map((token) => (token.code === 'w' ? known(token, scope) : token.text)) })
  }
  const last = tokens[tokens.length - 1] as Token
  if (/^[dy]?\*?w+$/.test(text) && tokens.length > 1 && (last.tags.has('Verb') || /[^s]s$/i.test(last.text))) {
    return { kind: 'is', of: refOf(tokens.slice(0, -1), null, scope), words: [last.text] }
  }
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
  return { kind: 'compare', left, operator: operator?.value as Operator, values: [{ kind: 'number', digits: amount?.value as string, unit: amount === undefined ? null : symbolOf(amount) }] }
}

/** "is at most 500", "is open", "is the owner of the document", "is in their ward", "is assigned to them". */
function being(subject: readonly Token[], rest: readonly Token[], self: Ref | null, scope: Scope): Condition {
  const text = codes(rest)
  if (rest.length === 0) throw new Unread('the sentence breaks off behind `is`')
  if (/^w$/.test(text) && /^(?:theirs|hers)$/i.test((rest[0] as Token).text)) {
    return { kind: 'isa', of: refOf(subject, self, scope), noun: noun([], { modifiers: [{ kind: 'own', isSaid: true }] }) }
  }
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
    // "patients they are treated by": those treat them.
    if (/^by$/i.test(rest.find(({ code }) => code === 'p')?.text ?? '')) {
      return { kind: 'relates', subject: self, verb: wordsOf(rest.filter(({ code }) => code === 'w')), object: refOf(subject, null, scope) }
    }
    const of = refOf(subject, null, scope)
    if (/^of$/i.test(rest.find(({ code }) => code === 'p')?.text ?? '')) return { kind: 'isa', of, noun: noun(wordsOf(rest.filter(({ code }) => code === 'w'))), whose: self }
    return { kind: 'relates', subject: of, verb: wordsOf(rest.filter(({ code }) => code !== 'T')), object: self }
  }
  if (/^[dye]/.test(text) || (/^w+p/.test(text) && /^of$/i.test(rest.find(({ code }) => code === 'p')?.text ?? ''))) {
    // "the declared purpose is the purpose of the record" compares two values.
    const left = valueOwner(subject, scope)
    if (left !== null && scope.choose(2) === 0) return compared(left, rest, scope)
    const what = nounAt(rest, 0, scope, false, true)
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
    if (preposition === 'by') return { kind: 'relates', subject: other, verb, object: thing }
    return { kind: 'relates', subject: thing, verb: [...verb, preposition], object: other }
  }
  if (!/^p?w+(?:p[d]?w+)?$/.test(text)) throw new Unread(`\`${say(rest)}\` is not understood behind \`is\``)
  const words = rest.filter(({ code }) => code !== 'd').map((token) => (token.code === 'w' ? known(token, scope) : token.text))
  const owner = valueOwner(subject, scope)
  const isWhose = subject[0]?.value === 'whose'
  // "whose status is open" compares, "whose account is frozen" asks the account: the schema decides.
  if (owner !== null && scope.choose(2) === 0) {
    return { kind: 'compare', left: owner, operator: '==', values: [{ kind: 'text', value: words.join(' '), quoted: false }] }
  }
  if (isWhose) return { kind: 'is', of: self ?? { kind: 'this' }, words: [...wordsOf(subject.slice(1)), ...words] }
  return { kind: 'is', of: subject.length === 0 ? null : refOf(subject, self, scope), words }
}

/** "approved by a human": words of a yes or no that has both. */
function isBooleanWith(rest: readonly Token[], scope: Scope): boolean {
  const words = rest.filter(({ code }) => code === 'w').map(({ text }) => text)
  return !rest.some(({ code }) => code === 'y') && words.length > 1 && words.slice(1).every((word) => scope.lexicon.types([word]).length === 0) && words.every((word) => scope.lexicon.knows(word))
}

/** The attribute that a subject names ("the status", "whose status"); null for a thing ("the document", "they"). */
function valueOwner(subject: readonly Token[], scope: Scope): Operand | null {
  const text = codes(subject)
  const whose = subject[0]?.value === 'whose'
  const isPlain = whose || /^[dy]*\*?w+$/.test(text) || /^d?w+(?:pd?w+)$/.test(text)
  if (!isPlain) return null
  const words = subject.filter(({ code }) => code === 'w').map(({ text: word }) => word)
  if (whose && !/^Td?w+$/.test(text)) throw new Unread(`\`whose ${say(subject)}\` is not understood`)
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
      operator: (rest[0]?.code === 'k' ? rest[0].value : '==') as Operator, values: [{ kind: 'number', digits: digits.value, unit: symbolOf(digits) }],
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
export function valuedIn(words: readonly string[], of: Ref, scope: Scope): Condition | null {
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
    if (value.modifiers.length > 0 || value.quoted !== null || value.other) {
      throw new Unread(`\`${say(subject)}\` is not understood as a value`)
    }
    return { kind: 'attribute', words: value.words, of: { kind: 'this' } }
  }
  if (subject.length === 1 && (first?.code === 'T' || first?.code === 'u')) {
    return { kind: 'attribute', words: [], of: refOf(subject, self, scope) }
  }
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
    return {
      kind: 'all',
      parts: [{ kind: 'compare', left, operator: '>=', values: [low.value] }, { kind: 'compare', left, operator: '<=', values: [high.value] }],
    }
  }
  if (text.startsWith('j')) {
    if (!/^jd?(?:w+|q|#)(?:[,c]+d?(?:w+|q|#))*$/.test(text)) throw new Unread(`\`${say(rest)}\` is not understood as a list`)
    return { kind: 'compare', left, operator: '==', values: listed(rest.slice(1)) }
  }
  const { value, next } = comparisonAt(rest, 0, scope)
  ended(rest, next)
  return { kind: 'compare', left, ...value }
}

/** The values between the joints of a list. */
function listed(tokens: readonly Token[]): Operand[] {
  const groups: Token[][] = [[]]
  for (const token of tokens) {
    if (/[,c]/.test(token.code)) groups.push([])
    else if (token.code !== 'd') (groups[groups.length - 1] as Token[]).push(token)
  }
  return groups
    .filter((group) => group.length > 0)
    .map((group): Operand => {
      const [first] = group
      if (first?.code === '#') return { kind: 'number', digits: first.value, unit: symbolOf(first) }
      return { kind: 'text', value: say(group), quoted: first?.code === 'q' }
    })
}

function wordsOf(tokens: readonly Token[]): string[] {
  return tokens.filter(({ code }) => /[wp]/.test(code)).map(({ text }) => text)
}

import { canonical } from '#core/canonical.ts'
import type { Expression } from '#core/policy/expression.ts'
import type { Schema } from '#core/policy/schema.ts'
import { sayDifference } from '#core/unit/ground-differences.ts'
import { groundStatement, together, unplaced, type Grounded, type Meaning } from '#core/unit/ground.ts'
import { openForm } from '#core/unit/open-forms.ts'
import { SENSES_MAX } from '#core/unit/norm.ts'
import type { Sentence } from '#core/unit/semantic-unit.ts'
import { clausesOf } from '#core/unit/sentences.ts'
import type { Statement } from '#core/unit/statement.ts'
import { numbered, openReading, type Reader, type Reading } from './candidate.ts'
import { otherwise } from './controlled-english-open.ts'
import { clausesAs } from './controlled-english-sentences.ts'
import { isKnown, lowerAt, textOf, TooOpen, tokenize, type Text } from './controlled-english-tokens.ts'
import { ACCESS, DUTY_VERBS, FUNCTION_WORDS, HINTS, NUMBER_WORDS } from './controlled-english-words.ts'

type Read = Grounded

/**
 * Reads sentences by a grammar of English rules whose verbs, nouns and adjectives are the schema's: a sentence is read when the
 * grammar accounts for each of its words, and every way of doing so that the schema gives a meaning means the same.
 *
 * Everything else is unread, with the word or the choice that made it so.
 */
export const readControlledEnglish: Reader = (unit) => unit.sentences.map((sentence) => readSentence(sentence, unit.schema))

function readSentence(sentence: Sentence, schema: Schema): Reading {
  const { number, text: source } = sentence
  if (sentence.isExplanation) return { kind: 'silent', sentence: number }
  const open = openForm(source, schema)
  if (open !== null) return sentence.mayRule ? openReading(open, sentence, (one) => readSentence(one, schema)) : { kind: 'silent', sentence: number }
  const parts = clausesOf(source)
  const clauses = parts.length > CLAUSES_MAX ? [tooMany(parts.length)] : parts.map((clause) => readClause(clause, schema))
  const unread = clauses.filter((clause) => clause.kind === 'unread')
  const [first] = unread.filter(({ isOpen }) => isOpen === true).concat(unread)
  if (first !== undefined) {
    const { because, isOpen } = first
    const senses = sensesOf(clauses)
    return sentence.mayRule
      ? { kind: 'unread', sentence: number, because, ...(isOpen === undefined ? {} : { isOpen }), ...(senses === null ? {} : { senses: senses.map((norms) => numbered(norms, sentence)) }) }
      : { kind: 'silent', sentence: number }
  }
  return { kind: 'norms', sentence: number, norms: numbered(clauses.flatMap((clause) => (clause.kind === 'norms' ? clause.norms : [])), sentence) }
}

/** Every way to understand all clauses together; null when one of them was not understood, or there are too many ways. */
function sensesOf(clauses: readonly Read[]): readonly (readonly Meaning[])[] | null {
  const ways = clauses.map((clause) => (clause.kind === 'norms' ? [clause.norms] : clause.senses ?? []))
  if (ways.reduce((product, { length }) => product * length, 1) > SENSES_MAX || ways.some(({ length }) => length === 0)) return null
  return ways.reduce<readonly (readonly Meaning[])[]>((made, senses) => made.flatMap((each) => senses.map((norms) => [...each, ...norms])), [[]])
}

/** So many parts between semicolons, or items of a list, are a sentence that a person can still check. */
const CLAUSES_MAX = 100

function tooMany(count: number): Read {
  return { kind: 'unread', because: `the sentence has ${count} parts: write several of at most ${CLAUSES_MAX}` }
}

/** So many words are a rule that a person can still check. */
const TOKENS_MAX = 120
const WAYS_MAX = 96

function readClause(clause: string, schema: Schema): Read {
  const tokenized = tokenize(clause)
  if (tokenized.kind === 'unread') return tokenized
  const { tokens } = tokenized
  if (tokens.length > TOKENS_MAX) return {
    kind: 'unread',
    because: `the sentence has ${tokens.length} words: write several of at most ${TOKENS_MAX}`,
  }
  const isNot = (index: number) => {
    const token = tokens[index]
    return token?.kind === 'word' && ['not', 'never'].includes(token.lower)
  }
  if (tokens.some((_, index) => isNot(index) && isNot(index + 1))) return { kind: 'unread', because: 'it denies twice: say it once, or not at all' }
  const text = textOf(tokens, schema)
  const unknown = unknownWord(text)
  const ways = waysOf(text)
  if (text.effort.open !== null && unknown === null) return { kind: 'unread', because: text.effort.open, isOpen: true }
  if (ways === null || ways.length > WAYS_MAX) return {
    kind: 'unread',
    because: unknown ?? 'the sentence can be understood in too many ways: make it shorter',
  }
  if (ways.length === 0) return { kind: 'unread', because: unknown ?? text.effort.hint ?? stopped(text) }

  const meanings = new Map<string, readonly Meaning[]>()
  const reasons: (Grounded & { kind: 'unread' })[] = []
  const others: (readonly Meaning[])[] = []
  let said: string | null = null
  for (const way of ways) {
    const grounded = ground(way, schema)
    // What English leaves open beside this structure counts where the schema can say it.
    for (const other of grounded.kind === 'norms' ? otherwise(way, text) : []) {
      const also = ground(other, schema)
      if (also.kind === 'norms') others.push(also.norms)
    }
    if (grounded.kind === 'unread' && grounded.senses === undefined) reasons.push(grounded)
    if (grounded.kind === 'unread' && grounded.senses !== undefined) said ??= grounded.because
    for (const sense of grounded.kind === 'norms' ? [grounded.norms] : (grounded.senses ?? [])) {
      const key = keyOf(sense)
      if (!meanings.has(key)) meanings.set(key, sense)
    }
  }
  for (const sense of others) if (!meanings.has(keyOf(sense))) meanings.set(keyOf(sense), sense)
  const [norms, ...more] = meanings.values()
  const open = reasons.find(({ isOpen }) => isOpen === true)
  if (open !== undefined && (norms !== undefined || unknown === null)) return open
  if (norms === undefined) return { kind: 'unread', because: unknown ?? reasons[0]?.because ?? stopped(text) }
  const quotes = tokens.flatMap((token) => (token.kind === 'quoted' ? [token.text] : []))
  if (more.length > 0) {
    const senses = [...meanings.values()]
    return { kind: 'unread', because: said ?? sayDifference(senses), isOpen: true, ...(senses.some((each) => unplaced(quotes, each) !== null) ? {} : { senses }) }
  }
  const lost = unplaced(quotes, norms)
  return lost === null ? { kind: 'norms', norms } : { kind: 'unread', because: `\`"${lost}"\` is neither an id nor a value here: say what it is, or write it without quotation marks` }
}

/** Every structure of the clause, each once; null when there are too many to try. */
function waysOf(text: Text): readonly (readonly Statement[])[] | null {
  try {
    return [...new Map(clausesAs(text).map((way) => [JSON.stringify(way), way])).values()]
  } catch (error) {
    if (error instanceof TooOpen) return null
    throw error
  }
}

function ground(way: readonly Statement[], schema: Schema): Read {
  // Grounding tells the parts of a statement apart by identity; here equal parts are shared.
  return together(way.map((statement) => groundStatement(JSON.parse(JSON.stringify(statement)) as Statement, schema)))
}

/** What norms mean, however they are put: "unless" is "when not", and the order of conditions is nothing. */
function keyOf(norms: readonly Meaning[]): string {
  const keys = norms.map(({ when, unless, ...rest }) => {
    const parts = [...(when === null ? [] : conjuncts(when, true)), ...(unless === null ? [] : conjuncts(unless, false))]
    return canonical({ ...rest, parts: [...new Set(parts)].sort() })
  })
  return JSON.stringify([...new Set(keys)].sort())
}

function conjuncts(expression: Expression, isHeld: boolean): string[] {
  if (expression.kind === 'not') return conjuncts(expression.of, !isHeld)
  if (expression.kind === (isHeld ? 'and' : 'or')) return [...conjuncts(expression.left, isHeld), ...conjuncts(expression.right, isHeld)]
  if (expression.kind === (isHeld ? 'or' : 'and')) return [JSON.stringify([...new Set([...alternatives(expression, isHeld)])].sort())]
  return [`${isHeld ? '' : '!'}${canonical(expression)}`]
}

function alternatives(expression: Expression, isHeld: boolean): string[] {
  if (expression.kind === 'not') return alternatives(expression.of, !isHeld)
  if (expression.kind === (isHeld ? 'or' : 'and')) return [
    ...alternatives(expression.left, isHeld),
    ...alternatives(expression.right, isHeld),
  ]
  return [JSON.stringify(conjuncts(expression, isHeld).sort())]
}

/** The first word that neither English grammar nor the schema knows, with how to say it. */
function unknownWord(text: Text): string | null {
  const grammar = new Set([...FUNCTION_WORDS, ...ACCESS, ...DUTY_VERBS, ...NUMBER_WORDS])
  for (const [index, token] of text.tokens.entries()) {
    if (token.kind !== 'word' || (token.lower === 'most' && lowerAt(text, index - 1) === 'at')) continue
    const hint = HINTS.get(token.lower)
    if (hint !== undefined && !text.lexicon.knows(token.text)) return `\`${token.text}\` leaves open what is ruled: ${hint}`
    if (!grammar.has(token.lower) && !PHRASE_WORDS.has(token.lower) && !isKnown(text, token)) return `\`${token.text}\` is no word of the schema; say it with the schema's names, or put an id or a value in quotation marks`
  }
  return null
}

/** Words of the grammar's fixed phrases. */
const PHRASE_WORDS = new Set(
  (
    'allowed permitted authorized authorised entitled free able forbidden prohibited banned barred prevented disallowed strictly required obliged right permission have need needs require requires order provided long condition case ' +
    'exception excluding apart besides save more less most least fewer greater higher larger lower smaller exactly equal equals exceed exceeds exceeding excess maximum minimum beyond different anything everything perform take want operation ' +
    'whereas event members belong belongs granted given euros euro dollars dollar pounds'
  ).split(' '),
)

function stopped(text: Text): string {
  const at = text.effort.furthest
  const near = text.tokens[Math.min(at, text.tokens.length - 1)]
  if (near === undefined) return 'no rule is found'
  return at >= text.tokens.length ? 'no rule is found: say who may, must not or must do what' : `it is not understood at \`${near.text}\`: say who may, must not or must do what, and when`
}

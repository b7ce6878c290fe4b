import { canonical } from '#core/canonical.ts'
import type { Schema } from '#core/policy/schema.ts'
import { sayDifference } from '#core/unit/ground-differences.ts'
import { groundStatement, together, unplaced, type Grounded, type Meaning } from '#core/unit/ground.ts'
import { lexiconOf } from '#core/unit/lexicon.ts'
import { openForm } from '#core/unit/open-forms.ts'
import { SENSES_MAX } from '#core/unit/norm.ts'
import type { Sentence } from '#core/unit/semantic-unit.ts'
import { clausesOf } from '#core/unit/sentences.ts'
import type { Statement } from '#core/unit/statement.ts'
import { numbered, openReading, type Reader, type Reading } from './candidate.ts'
import { attemptsAt } from './shallow-parse-attempts.ts'
import { quotedIn } from './shallow-parse-tokens.ts'

/**
 * Reads sentences by part-of-speech tags and the frames of clauses; the other method beside the grammar of controlled English.
 *
 * A sentence is read when every structure that it can have, and that the schema gives a meaning, means the same. Cost: about
 * two milliseconds a sentence; the tagger loads once, in about 0.3 s and 55 MB.
 */
export const readShallowParse: Reader = (unit) => unit.sentences.map((sentence) => readSentence(sentence, unit.schema))

function readSentence(sentence: Sentence, schema: Schema): Reading {
  const { number } = sentence
  if (sentence.isExplanation) return { kind: 'silent', sentence: number }
  const lexicon = lexiconOf(schema)
  const left = openForm(sentence.text, schema)
  if (left !== null) return sentence.mayRule ? openReading(left, sentence, (one) => readSentence(one, schema)) : { kind: 'silent', sentence: number }
  const tried = attemptsAt(clausesOf(sentence.text), lexicon).map((attempt) => ({ attempt, found: attempt.kind === 'unread' ? attempt : groundAll(attempt.statements, schema) }))
  const isRead = tried.some(({ attempt, found }) => !attempt.isOther && found.kind === 'norms')
  const counting = tried.filter(({ attempt, found }) => !attempt.isOther || (isRead && found.kind === 'norms'))
  const attempts = counting.map(({ attempt }) => attempt)
  const grounded = counting.map(({ found }) => found)
  const meanings = new Map(grounded.flatMap((one) => (one.kind === 'norms' ? [one.norms] : sensesIn(one)).map((norms) => [canonical(norms), norms] as const)))
  const [norms, ...others] = meanings.values()
  const open = grounded.find((one) => one.kind === 'unread' && 'isOpen' in one && sensesIn(one).length === 0)
  const said = grounded.find((one) => one.kind === 'unread' && sensesIn(one).length > 0)
  const loses = (sense: readonly Meaning[]) => unplaced(clausesOf(sentence.text).flatMap(quotedIn), sense)
  const lost = norms === undefined ? null : loses(norms)
  if (lost !== null) return { kind: 'unread', sentence: number, because: `\`"${lost}"\` is neither an id nor a value here: say what it is, or write it without quotation marks` }
  if (norms !== undefined && others.length === 0 && open === undefined) return { kind: 'norms', sentence: number, norms: numbered(norms, sentence) }
  if (norms !== undefined && others.length > 0) {
    const senses = [...meanings.values()]
    const areAll = open === undefined && senses.length <= SENSES_MAX && senses.every((each) => loses(each) === null)
    return { kind: 'unread', sentence: number, because: said?.kind === 'unread' ? said.because : sayDifference(senses), isOpen: true, ...(areAll ? { senses: senses.map((each) => numbered(each, sentence)) } : {}) }
  }
  if (!sentence.mayRule) return { kind: 'silent', sentence: number }
  const failed = grounded.filter((one) => one.kind === 'unread')
  // A structure whose words the schema does not know says more than one that breaks off.
  if (open?.kind === 'unread') return { kind: 'unread', sentence: number, because: open.because, isOpen: true }
  const best = failed.find((_, index) => attempts[index]?.kind === 'statements') ?? failed[0]
  return { kind: 'unread', sentence: number, because: best?.kind === 'unread' ? best.because : 'no rule is found' }
}

function sensesIn(one: object): readonly (readonly Meaning[])[] {
  return 'senses' in one ? (one as Grounded & { kind: 'unread' }).senses ?? [] : []
}

/** The norms of all statements of one structure; unread when one of them is. */
function groundAll(statements: readonly Statement[], schema: Schema): Grounded {
  // Deeds share their object here; grounding tells parts apart by identity, so each gets its own.
  return together(statements.map((statement) => groundStatement(JSON.parse(JSON.stringify(statement)) as Statement, schema)))
}

import { Failure } from '#core/failure.ts'
import { policyOfNorms } from '#core/policy/assemble.ts'
import { rulesIn } from '#core/policy/norm-sections.ts'
import type { PolicySet } from '#core/policy/policy.ts'
import type { Schema } from '#core/policy/schema.ts'
import { semanticHash } from '#core/policy/semantic-hash.ts'
import type { Counterexample, Proof } from '#core/proof/proof.ts'
import { meets } from '#core/unit/example.ts'
import { normsOf, type Candidate } from '#core/synthesis/candidate.ts'
import { mayHideRule, type SemanticUnit } from '#core/unit/semantic-unit.ts'
import type { Row } from './decision-table.ts'
import { hasRead, type ReadNorms, type Representations } from './representation.ts'
import type { Differing, Looking, OutcomeOf, Showing, Unanswered } from './check.ts'

/** Whether two readers give the sentences that both have read one meaning. */
export async function sameMeaning({ unit, candidates }: Representations, use: Looking, [i = 0, j = 0]: readonly number[]): Promise<OutcomeOf<'same-meaning'>> {
  return compared(candidates[i] as Candidate, candidates[j] as Candidate, unit, use)
}

/** Whether a candidate gives the sentences that it has read the meaning that the norms give them. */
export async function conforms({ unit, candidates, norms }: Representations, use: Looking, [i = 0]: readonly number[]): Promise<OutcomeOf<'conforms'>> {
  return norms === null ? withoutNorms() : compared(candidates[i] as Candidate, norms, unit, use)
}

/** Whether a candidate decides every row of the decision table as the norms do. */
export async function conformsToTable({ unit, candidates, norms, table }: Representations, use: Looking, [i = 0]: readonly number[]): Promise<OutcomeOf<'conforms-to-table'>> {
  if (norms === null || table === null) return withoutNorms()
  const policies = comparable(candidates[i] as Candidate, norms, unit, use)
  if ('value' in policies) return policies
  for (const row of table.rows) {
    let said
    try {
      said = deciderOf(row, unit.schema, use)(policies)
    } catch (error) {
      if (error instanceof Failure) return { value: 0, why: 'failed', because: `a request of the decision table could not be read: ${error.message}` }
      throw error
    }
    if (said.decision === row.decision && said.obligations.join() === row.obligations.join()) continue
    return { value: -1, evidence: { sentences: differing(candidates[i] as Candidate, norms, unit, () => true), norms: row.norms, values: row.values, wanted: row.decision, obligations: row.obligations, decided: said.decision, request: row.request } }
  }
  const [leftOut] = table.leftOut
  return leftOut === undefined ? { value: 1 } : { value: 0, why: 'idle', because: `not everything is tabulated: ${leftOut.environment.action} by ${leftOut.environment.principal}: ${leftOut.because}` }
}

/** Whether the rules that the document shows, read back from it, mean what a candidate means. */
export async function isRoundTrip({ unit, candidates, norms, document }: Representations, use: Looking, [i = 0]: readonly number[]): Promise<OutcomeOf<'round-trip'>> {
  if (norms === null || document === null) return withoutNorms()
  const policies = comparable(candidates[i] as Candidate, norms, unit, use)
  if ('value' in policies) return policies
  const cedar = rulesIn(document)
  if (cedar === null) return { value: -1, evidence: { because: 'the document does not show one set of rules' } }
  const shown = parsed(cedar, unit.schema, use)
  if (shown instanceof Failure) return { value: -1, evidence: { because: 'the rules in the document cannot be read', message: shown.message } }
  const outcome = await equivalence(shown, policies, unit.schema, use)
  return outcome.value === -1 ? { value: -1, evidence: { sentences: differing(candidates[i] as Candidate, norms, unit, () => true), request: outcome.evidence } } : outcome
}

/** Whether a candidate decides an example as the author does. */
export async function decides({ unit, candidates }: Representations, use: Looking, [i = 0]: readonly number[], time: number): Promise<OutcomeOf<'decides'>> {
  const [candidate, example] = [candidates[i] as Candidate, unit.request.examples[time] as SemanticUnit['request']['examples'][number]]
  const policies = parsed(candidate.cedar, unit.schema, use)
  if (policies instanceof Failure) return unreadable(candidate)
  const decided = use.decide(policies, unit.schema, example)
  const { decision, verdict, determining, errors, missing } = decided
  if (verdict === 'error') return { value: 0, why: 'failed', because: `“${example.name}” could not be evaluated: ${[...missing.map((what) => `${what} is missing`), ...errors.map(({ message }) => message)].join('; ')}` }
  if (meets(decided, example)) return { value: 1 }
  // What it has not read it has not contradicted.
  const missed = firstUnread(candidate, unit)
  if (missed !== null) return { value: 0, why: 'idle', because: `${candidate.method} has not read sentence ${missed}, which may decide example ${example.name}` }
  return { value: -1, evidence: { example: example.name, wanted: example.decision, decided: decision, against: sentencesOf(candidate, determining) } }
}

/** Of the rules that determined a decision, the sentences: a rule has the id of its norm, and more behind it where an obligation divided it. */
function sentencesOf(candidate: Candidate, rules: readonly string[]): readonly number[] {
  const norms = normsOf(candidate.readings)
  const found = rules.flatMap((rule) => norms.filter(({ id }) => rule === id || (rule.startsWith(id) && /^[abxy]+$/.test(rule.slice(id.length)))).map(({ sentence }) => sentence))
  return [...new Set(found)].sort((a, b) => a - b)
}

/** What is compared with a candidate: another, or norms, which make a policy of their own. */
type Stated = ReadNorms & Partial<Pick<Candidate, 'cedar'>>

async function compared(a: Candidate, b: Stated, unit: SemanticUnit, use: Looking): Promise<Showing<Differing>> {
  for (const { cedar, method } of [a, b]) if (cedar !== undefined && parsed(cedar, unit.schema, use) instanceof Failure) return unreadable({ method })
  const both = (sentence: number) => hasRead(a, sentence) && hasRead(b, sentence)
  if (!unit.sentences.some(({ number }) => both(number))) return { value: 0, why: 'idle', because: 'no sentence was read by both' }
  const outcome = await equivalence(meant(a, both, unit, use), meant(b, both, unit, use), unit.schema, use)
  return outcome.value === -1 ? { value: -1, evidence: { sentences: differing(a, b, unit, both), request: outcome.evidence } } : outcome
}

async function equivalence(a: PolicySet, b: PolicySet, schema: Schema, use: Looking): Promise<Showing<Counterexample>> {
  return outcomeOf(await use.sameMeaning(a, b, schema))
}

/** What is meant by some sentences: the policy as it is written where it says nothing else, else what was read in them. */
function meant({ cedar, readings }: Pick<Stated, 'readings' | 'cedar'>, wanted: (sentence: number) => boolean, unit: SemanticUnit, use: Looking): PolicySet {
  const isWhole = readings.every((reading) => reading.kind !== 'norms' || wanted(reading.sentence))
  if (cedar !== undefined && isWhole) return use.parse(cedar, unit.schema)
  return policyOf({ readings }, unit.schema, wanted)
}

/** The policy that one reader's norms for some sentences make. */
export function policyOf({ readings }: Pick<Candidate, 'readings'>, schema: Schema, wanted: (sentence: number) => boolean): PolicySet {
  return policyOfNorms(normsOf(readings.filter(({ sentence }) => wanted(sentence))), schema)
}

/** The sentences whose norms are not written alike: the disagreement is about some of them. */
function differing(a: Stated, b: Stated, unit: SemanticUnit, both: (sentence: number) => boolean): readonly number[] {
  return unit.sentences.map(({ number }) => number).filter((number) => both(number) && hashOfSentence(a, number, unit.schema) !== hashOfSentence(b, number, unit.schema))
}

/** The semantic hash of what was read in one sentence, worked out once for whoever asks in how many ways. */
function hashOfSentence({ readings }: Stated, number: number, schema: Schema): string {
  const known = hashes.get(readings)
  const own = known?.schema === schema ? known.of : new Map<number, string>()
  if (known?.of !== own) hashes.set(readings, { schema, of: own })
  const found = own.get(number) ?? semanticHash(policyOf({ readings }, schema, (sentence) => sentence === number).rules, schema)
  own.set(number, found)
  return found
}
const hashes = new WeakMap<Stated['readings'], { readonly schema: Schema; readonly of: Map<number, string> }>()

/** A candidate's policy, where it is about the same sentences as the norms: what is made of all norms can only be compared as a whole. */
function comparable(candidate: Candidate, norms: ReadNorms, unit: SemanticUnit, use: Looking): PolicySet | Unanswered {
  const policies = parsed(candidate.cedar, unit.schema, use)
  if (policies instanceof Failure) return unreadable(candidate)
  const rules = (of: Pick<Candidate, 'readings'>, sentence: number) => of.readings.some((reading) => reading.sentence === sentence && reading.kind === 'norms')
  const only = unit.sentences.find(({ number }) => (rules(candidate, number) && !hasRead(norms, number)) || (rules(norms, number) && !hasRead(candidate, number)))
  return only === undefined ? policies : { value: 0, why: 'idle', because: `sentence ${only.number} was not read by both, ${candidate.method} and ${norms.method}` }
}

export function firstUnread({ readings }: Pick<Candidate, 'readings'>, unit: SemanticUnit): number | null {
  return readings.find((reading) => reading.kind === 'unread' && mayHideRule(unit, reading.sentence))?.sentence ?? null
}

export function outcomeOf(proof: Pick<Proof, 'answer'>): Showing<Counterexample> {
  switch (proof.answer.kind) {
    case 'proved': return { value: 1 }
    case 'refuted': return { value: -1, evidence: proof.answer.counterexample }
    case 'unknown': return { value: 0, why: 'failed', because: proof.answer.reason }
  }
}

function withoutNorms(): Unanswered {
  return { value: 0, why: 'idle', because: 'no candidate comes from the reader whose norms are compared' }
}

export function unreadable({ method }: Pick<Candidate, 'method'>): Unanswered {
  return { value: 0, why: 'idle', because: `the candidate of ${method} does not parse` }
}

export function parsed(cedar: string, schema: Schema, use: Looking): PolicySet | Failure {
  try {
    return use.parse(cedar, schema)
  } catch (error) {
    if (error instanceof Failure && error.code === 'POLICY_INVALID') return error
    throw error
  }
}

/** The request of a row, read once for all candidates by whoever decides it. */
function deciderOf(row: Row, schema: Schema, { decidedOn }: Looking): ReturnType<Looking['decidedOn']> {
  const known = deciders.get(row)
  if (known?.by === decidedOn) return known.decide
  const decide = decidedOn(row.request, schema)
  deciders.set(row, { by: decidedOn, decide })
  return decide
}
const deciders = new WeakMap<Row, { readonly by: Looking['decidedOn']; readonly decide: ReturnType<Looking['decidedOn']> }>()

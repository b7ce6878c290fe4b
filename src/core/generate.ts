import { attributesOf } from './constitution/article.ts'
import { judge, score, standingOf, type Examination, type Verdict } from './compliance/judge.ts'
import type { Certificate } from './certificate/statement.ts'
import type { PolicySet } from './policy/policy.ts'
import { semanticHash } from './policy/semantic-hash.ts'
import type { Schema } from './policy/schema.ts'
import type { Proof } from './proof/proof.ts'
import { inquire, type Inquiry } from './questions/inquire.ts'
import { normExamples, type NormExample } from './questions/norm-examples.ts'
import type { Asking } from './questions/question.ts'
import { withRemedies } from './questions/remedies.ts'
import { representationsOf } from './stabilizers/representation.ts'
import { isOf, type Instruments } from './stabilizers/check.ts'
import { confidenceIn, type Confidence } from './syndrome/confidence.ts'
import { correct, type Correction } from './syndrome/correct.ts'
import { decode, type Diagnosis } from './syndrome/decode.ts'
import type { Jury } from './syndrome/majority.ts'
import { measure, syndromeOf, type Measurement, type Syndrome } from './syndrome/measure.ts'
import type { VerdictMemory } from './syndrome/memory.ts'
import { vote } from './syndrome/vote.ts'
import type { Weights } from './syndrome/weights.ts'
import type { Candidate } from './synthesis/candidate.ts'
import { meets } from './unit/example.ts'
import type { SemanticUnit } from './unit/semantic-unit.ts'

/** What generation may do to the world. Everything else it calls is pure. */
export type Capabilities = Examining & {
  /** Asks every synthesizer for a candidate; may call other processes. */
  readonly propose: (unit: SemanticUnit) => Promise<readonly Candidate[]>
  /**
   * Asks one synthesizer again, with a request about which readers disagree; null when it would say the same again. Absent where every
   * synthesizer is deterministic.
   */
  readonly proposeAgain?: (unit: SemanticUnit, asked: AskedAgain) => Promise<Candidate | null>
  /** Judges the evidence again and signs what it judged; null when its own verdict is not compliant. */
  readonly certify: (evidence: Evidence) => Promise<Certificate | null>
  /** Stores the whole generation and appends its digests to the ledger, both or neither. */
  readonly append: (generation: Generation) => Promise<LedgerReceipt | null>
}

/** Why a synthesizer is asked again: what the others contradict, and how often it has been asked before. It is not told what they say. */
export type AskedAgain = { readonly method: Candidate['method']; readonly disagreement: unknown; readonly before: number }

/** What it takes to examine candidates: Cedar, the prover, and the constitution bound to the unit's schema. */
export type Examining = Instruments & Jury & Asking & {
  /** What was measured before. */
  readonly memory: VerdictMemory
  /** How often methods are wrong, alone and together. */
  readonly weights: Weights
}

/** From which the verdict follows, for whoever judges again. */
export type Evidence = { readonly unit: SemanticUnit; readonly candidates: readonly Candidate[] }

/** Where a generation stands in the ledger: entry number, from 0, and the tree's root after it (RFC 6962, hex). */
export type LedgerReceipt = { readonly index: number; readonly root: string }

/** Everything between a request and its certificate: what is stored, shown, explained and replayed. */
export type Generation = Assessment & {
  readonly unit: SemanticUnit
  readonly candidates: readonly Candidate[]
  /** Candidates that took the place of earlier ones by the same method, in this order. */
  readonly askedAgain: readonly AskedAgain[]
  /** Null unless compliant. */
  readonly certificate: Certificate | null
  /** For each norm of the policy what shows it; none while the text is still to be asked about, or without a policy. */
  readonly normExamples: readonly NormExample[]
}

export type Assessment = {
  readonly measurements: readonly Measurement[]
  readonly syndrome: Syndrome
  readonly diagnosis: Diagnosis
  /** What the text leaves open, and what came of asking; null where it leaves nothing open. */
  readonly inquiry: Inquiry | null
  /** The first is the policy that goes on; there are several only while the text is ambiguous. */
  readonly corrections: readonly [Correction, ...Correction[]]
  /** Why what was corrected cannot be believed; none where it can. */
  readonly objections: readonly string[]
  /** How likely the first correction is what the text means. */
  readonly confidence: Confidence
  readonly semanticHash: string
  readonly examination: Examination
  /** 0..1; null when no hard article applies. */
  readonly score: number | null
  readonly verdict: Verdict
}

/**
 * From a governance request to a certified policy, or to the reason why there is none.
 *
 *     Request → SemanticUnit → Candidate[] → Measurement[] → Syndrome → Diagnosis → Policy → Proof[] → Verdict → Certificate → LedgerEntry
 *              toUnit         propose       measure                    decode      correct  prove     judge     certify       append
 *
 * @returns The generation, and its place in the ledger (null where there is none).
 * @throws {Failure} when a step could not be carried out. A refusal is not a failure: it is a verdict, stored like any other.
 */
export async function generate(unit: SemanticUnit, can: Capabilities): Promise<{ generation: Generation; ledger: LedgerReceipt | null }> {
  const { candidates, assessment, askedAgain } = await settleByAsking(unit, await can.propose(unit), can)
  const { inquiry, corrections: [correction] } = assessment
  const isAsked = inquiry !== null && inquiry.kind !== 'settled'
  const [certificate, shownBy] = await Promise.all([
    assessment.verdict.kind === 'compliant' ? can.certify({ unit, candidates }) : null,
    isAsked ? [] : normExamples(unit, correction, can),
  ])
  const isContested = assessment.verdict.kind === 'compliant' && certificate === null
  const generation = { unit, candidates, askedAgain, ...assessment, verdict: isContested ? CONTESTED : assessment.verdict, certificate, normExamples: shownBy }
  return { generation, ledger: await can.append(generation) }
}

/** So often in all a synthesizer is asked again; then it is a question for a person. */
const ASKED_AGAIN_MAX = 2

/** Assesses candidates; while readers disagree and nobody can be corrected, asks those again that may say something else. */
async function settleByAsking(unit: SemanticUnit, proposed: readonly Candidate[], can: Capabilities): Promise<{ candidates: readonly Candidate[]; assessment: Assessment; askedAgain: readonly AskedAgain[] }> {
  let candidates = proposed
  let assessment = await assess({ unit, candidates }, can)
  const askedAgain: AskedAgain[] = []
  while (can.proposeAgain !== undefined && assessment.diagnosis.kind === 'ambiguous' && askedAgain.length < ASKED_AGAIN_MAX) {
    const { between, disagreement } = assessment.diagnosis
    const timesAsked = (method: string) => askedAgain.filter((each) => each.method === method).length
    let isAnswered = false
    for (const { method } of candidates.filter((each) => between.includes(each.method)).sort((a, b) => timesAsked(a.method) - timesAsked(b.method))) {
      const asked = { method, disagreement, before: timesAsked(method) }
      const again = await can.proposeAgain(unit, asked)
      if (again === null) continue
      candidates = candidates.map((each) => (each.method === method ? again : each))
      askedAgain.push(asked)
      isAnswered = true
      break
    }
    if (!isAnswered) break
    assessment = await assess({ unit, candidates }, can)
  }
  return { candidates, assessment, askedAgain }
}

/** Whoever signs has the last word; that two judgements of the same evidence differ is a mistake of ours, and never a yes. */
const CONTESTED: Verdict = {
  kind: 'undetermined',
  doubts: [{ about: 'diagnosis', message: 'the certifier judged the same evidence and does not find it compliant', remedy: 'report it with the generation’s id' }],
}

/** From candidates to a verdict: what generation does before it asks for a certificate, and the certifier does again before it signs. */
export async function assess({ unit, candidates }: Evidence, can: Examining): Promise<Assessment> {
  const measurements = await measure(representationsOf(unit, candidates), can, can.memory)
  const syndrome = syndromeOf(measurements)
  const decoded = decode(measurements, candidates, can.weights)
  const usable = withoutUnreadable(candidates, measurements)
  const voted = await vote(unit, usable, measurements, decoded, correct(unit, usable, decoded), can, can.weights)
  const { inquiry, diagnosis, corrections: meant } = await inquire(unit, usable, measurements, voted, can)
  const { objections } = voted
  // What is proved, hashed and certified is what Cedar reads from the text, never what we meant it to say.
  const corrections = meant.map((each) => ({ ...each, policy: can.parse(each.policy.text, unit.schema) }))
  const examinations = await examineAll(corrections, unit, can)
  // What goes on is measured again: the readers left standing may each have passed by not having read everything.
  const missed = inquiry?.kind === 'open' ? [] : unit.request.examples.filter((example) => !meets(can.decide((corrections[0] as Correction).policy, unit.schema, example), example)).map(({ name }) => name)
  const verdict = withRemedies(judge(unit, diagnosis, corrections, examinations, missed, objections), inquiry, { unit, measurements, bound: can.bound.bound })
  const [correction, ...others] = corrections
  const [examination] = examinations
  if (correction === undefined || examination === undefined) throw new Error('a unit without readers cannot be assessed')
  const confidence: Confidence = inquiry === null ? confidenceIn({ unit, candidates }, measurements, diagnosis, correction, can.weights) : { value: null, because: inquiry.kind === 'settled' ? 'the author’s answers chose the meaning: how often that goes wrong was never measured' : 'the text can be understood in several ways' }
  return { measurements, syndrome, diagnosis, inquiry, corrections: [correction, ...others], objections, confidence, semanticHash: semanticHash(correction.policy.rules, unit.schema), examination, score: score(examination), verdict }
}

/** Each policy that the text may mean, up to the first that breaks nothing: only what all of them break is a violation. */
async function examineAll(corrections: readonly Correction[], { schema, request }: SemanticUnit, can: Examining): Promise<readonly Examination[]> {
  const examinations: Examination[] = []
  for (const { policy } of corrections) {
    const examination = await examine(policy, schema, can)
    examinations.push(examination)
    if (standingOf(examination, request.complianceThreshold).kind !== 'refuted') break
  }
  return examinations
}

/** Candidates of which those that do not parse have no say: nothing can be made from them. */
function withoutUnreadable(candidates: readonly Candidate[], measurements: readonly Measurement[]): readonly Candidate[] {
  const isUnreadable = (i: number) => measurements.some((measurement) => isOf('well-typed', measurement) && measurement.candidates[0] === i && measurement.outcome.value === -1)
  return candidates.map((candidate, i) => (isUnreadable(i) ? { ...candidate, readsText: false } : candidate))
}

/** Every article that the schema binds, proved, refuted or unknown for one policy. */
export async function examine(policy: PolicySet, schema: Schema, can: Pick<Examining, 'bound' | 'proveArticles'>): Promise<Examination> {
  const { bound, inapplicable } = can.bound
  const proofs = await can.proveArticles(policy, schema, bound)
  return { proofs: bound.map((article, i) => ({ article: article.article, proof: proofs[i] as Proof, mentions: attributesOf(article) })), inapplicable }
}

import { violationsOf, type Doubt } from '#core/compliance/judge.ts'
import { describe } from '#core/compliance/explain.ts'
import { digest } from '#core/canonical.ts'
import type { Assessment } from '#core/generate.ts'
import type { Outcome } from '#core/stabilizers/check.ts'
import { STABILIZERS, TABLE_VERSION, type Stabilizer } from '#core/stabilizers/table.ts'
import type { Diagnosis } from '#core/syndrome/decode.ts'
import type { Measurement } from '#core/syndrome/measure.ts'
import { areTwoWitnesses, isOneLineage, WEIGHTS } from '#core/syndrome/weights.ts'
import type { Candidate } from '#core/synthesis/candidate.ts'
import { finding, standingOf, type Category, type Finding, type Standing, type Strategy } from './diagnostic.ts'

/** One check that was run, or was not and why: of the stabilizer table, or of an article of the constitution. */
export type Execution = {
  /** From 0; the checks of the table in the order of the syndrome, then the articles. */
  readonly position: number
  readonly stabilizer: string
  readonly group: Stabilizer['group']
  readonly tableVersion: string
  /** Methods whose candidates it looked at. */
  readonly candidates: readonly string[]
  readonly outcome: 1 | -1 | 0
  /** Why it was not run or gave no answer; null otherwise. */
  readonly reason: string | null
  /** Of what it shows; null where it does not fire. */
  readonly evidenceDigest: string | null
  /** Null: not measured. */
  readonly durationMs: number | null
}

/** What was diagnosed of a unit: of a generation, or of a document that was validated. */
export type UnitDiagnostic = {
  readonly status: Standing
  readonly executions: readonly Execution[]
  readonly findings: readonly Finding[]
  /** Of the checks that had something to look at, the share that hold; null when there were none. */
  readonly healthScore: number | null
  readonly complianceScore: number | null
  /** Candidates that were blamed, or one for a disagreement that nobody could be blamed for. */
  readonly faultsDetected: number
  /** Candidates that were set aside; what was left has been measured again. */
  readonly faultsCorrected: number
}

type Assessed = Pick<Assessment, 'measurements' | 'diagnosis' | 'corrections' | 'objections' | 'examination' | 'score' | 'verdict'>

/**
 * Says of an assessment what each check came to, what was found, and what would settle it.
 *
 * @param durationMs How long a check took, by its outcome; it is told apart from what is signed.
 */
export function diagnoseAssessment(assessed: Assessed, candidates: readonly Candidate[], durationMs: (outcome: Outcome) => number | null = () => null): UnitDiagnostic {
  const { diagnosis, corrections: [{ setAside }], objections, score } = assessed
  const executions = executionsOf(assessed, candidates, durationMs)
  const findings = [...findingsOf(assessed), ...uncompared(diagnosis, candidates)]
  const isUnsettled = diagnosis.kind === 'ambiguous' || diagnosis.kind === 'unexplained'
  return {
    status: standingOf(findings), executions, findings, healthScore: healthOf(assessed), complianceScore: score,
    faultsDetected: setAside.length + (isUnsettled ? 1 : 0), faultsCorrected: objections.length === 0 ? setAside.length : 0,
  }
}

function executionsOf({ measurements, examination }: Assessed, candidates: readonly Candidate[], durationMs: (outcome: Outcome) => number | null): readonly Execution[] {
  const ofTable = measurements.map(({ stabilizer, candidates: looksAt, outcome }, position): Execution => ({
    position, stabilizer, group: groupOf(stabilizer), tableVersion: TABLE_VERSION, candidates: looksAt.map((i) => candidates[i]?.method ?? String(i)),
    outcome: outcome.value, reason: outcome.value === 0 ? outcome.because : null, evidenceDigest: outcome.value === -1 ? digest(outcome.evidence ?? null) : null,
    durationMs: durationMs(outcome),
  }))
  const ofArticles = examination.proofs.map(({ article, proof: { answer } }, i): Execution => ({
    position: measurements.length + i, stabilizer: article.id, group: 'STAB-CONST001', tableVersion: TABLE_VERSION, candidates: [],
    outcome: answer.kind === 'proved' ? 1 : answer.kind === 'refuted' ? -1 : 0, reason: answer.kind === 'unknown' ? answer.reason : null,
    evidenceDigest: answer.kind === 'refuted' ? digest(answer.counterexample) : null, durationMs: null,
  }))
  return [...ofTable, ...ofArticles]
}

function groupOf(stabilizer: string): Stabilizer['group'] {
  return STABILIZERS.find(({ id }) => id === stabilizer)?.group ?? 'STAB-SEMAN001'
}

/** A check that gave no answer is not one that holds; one that had nothing to look at says nothing. */
function healthOf({ measurements, examination }: Assessed): number | null {
  const hadSomething = ({ outcome }: Measurement) => outcome.value !== 0 || outcome.why === 'failed'
  const holds = [...measurements.filter(hadSomething).map(({ outcome }) => outcome.value === 1), ...examination.proofs.map(({ proof }) => proof.answer.kind === 'proved')]
  return holds.length === 0 ? null : holds.filter(Boolean).length / holds.length
}

const OF_DOUBT: Readonly<Record<Doubt['about'], readonly [Category, Strategy]>> = {
  unread: ['reading', 'reword'], ambiguous: ['meaning', 'answer'], diagnosis: ['meaning', 'reword'], proof: ['proof', 'retry'], principle: ['constitution', 'annotate'],
  empty: ['reading', 'reword'], consensus: ['reading', 'reword'], models: ['reading', 'restate'], example: ['meaning', 'restate'],
}

function findingsOf({ diagnosis, objections, examination, verdict }: Assessed): readonly Finding[] {
  const faults = diagnosis.kind !== 'explained' ? [] : diagnosis.faults.map(({ method, shownBy }) =>
    finding(shownBy, shownBy === 'never-errors' ? 'evaluation' : 'meaning', 'error', `the candidate of ${method} is wrong and was set aside: ${shownBy} fires`, 'reword', `reword what ${method} misread: the others carry the policy alone`))
  // What is refuted is refused whatever else is open: then nothing else says that the readers do not agree.
  const open = verdict.kind === 'undetermined' ? [] : [...unsettled(diagnosis), ...objections.map((message) => finding('correction', 'meaning', 'critical', message, 'reword', 'reword the sentences that were read differently'))]
  const isRefusing = verdict.kind === 'violates' ? new Set(verdict.violations.map(({ article }) => article)) : new Set<string>()
  const violations = violationsOf(examination).map(({ article, text, hard, counterexample, mentions }) =>
    finding(article, 'constitution', hard || isRefusing.has(article) ? 'critical' : 'error', `${article} does not hold: ${describe(counterexample, mentions)}`, 'reword', `change the rules so that ${article} holds: ${text}`))
  const doubts = (verdict.kind === 'undetermined' ? verdict.doubts : []).map(({ about, message, remedy }) => {
    const [category, strategy] = OF_DOUBT[about]
    return finding(about, category, 'critical', message, strategy, remedy)
  })
  return [...faults, ...open, ...violations, ...doubts]
}

/** Readers that disagree and were never compared: whoever runs them can have it counted. */
function uncompared(diagnosis: Diagnosis, candidates: readonly Candidate[]): readonly Finding[] {
  if (diagnosis.kind !== 'ambiguous') return []
  const readers = candidates.filter(({ readsText }) => readsText)
  const pairs = readers.flatMap((one, i) => readers.slice(i + 1).flatMap((other) => (isOneLineage(one, other) || areTwoWitnesses(one, other, WEIGHTS) ? [] : [`${one.method} and ${other.method}`])))
  if (pairs.length === 0) return []
  return [finding('witnesses', 'meaning', 'error', `nobody has counted how often these err together, so that they count as one witness and outvote nobody: ${pairs.join(', ')}`, 'answer',
    'answer the question; for texts to come, record what became of their readings and count it (`acgs weights update`)')]
}

function unsettled(diagnosis: Diagnosis): readonly Finding[] {
  switch (diagnosis.kind) {
    case 'clean':
    case 'explained': return []
    case 'outvoted': return [finding('outvoted', 'meaning', 'error', `${diagnosis.between.join(' and ')} read the text differently, and most readers decide`, 'answer', 'say what the shown request shall be decided as (`context.examples`), or reword the sentence')]
    case 'ambiguous': return [finding('ambiguous', 'meaning', 'critical', `${diagnosis.between.join(' and ')} read the text differently`, 'answer', 'say what the shown request shall be decided as (`context.examples`), or reword the sentence')]
    case 'incomplete': return [finding('diagnosis', 'meaning', 'critical', `a check gave no answer: ${diagnosis.because}`, 'retry', 'simplify what it names, complete the example, or try again when the prover is available')]
    case 'unexplained': return [finding('diagnosis', 'meaning', 'critical', diagnosis.because, 'reword', 'correct the examples or reword the sentences that contradict them')]
  }
}

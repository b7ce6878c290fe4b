import { describe } from '#core/compliance/explain.ts'
import { applicable, violationsOf, type Doubt, type Violation } from '#core/compliance/judge.ts'
import type { Generation, LedgerReceipt } from '#core/generate.ts'
import { renderDocument } from '#core/document.ts'
import { renderNorm } from '#core/policy/english.ts'
import { uidText } from '#core/policy/policy.ts'
import { renderExpression } from '#core/policy/render.ts'
import type { Norm } from '#core/unit/norm.ts'
import { mayHideRule } from '#core/unit/semantic-unit.ts'
import { isOfModel } from '#core/synthesis/candidate.ts'
import type { z } from 'zod'
import type { Inquiry } from '#core/questions/inquire.ts'
import type { GenerateReply, Questionnaire } from './contract.ts'

/** The hash and digest of the constitution that was enforced. */
type Shown = { readonly hash: string; readonly digest: string }

/** What a verdict is called outside: the word that lists, metrics and the ledger use. */
export function verdictName({ verdict }: Pick<Generation, 'verdict'>): 'certified' | 'refused' | 'undetermined' {
  return verdict.kind === 'compliant' ? 'certified' : verdict.kind === 'violates' ? 'refused' : 'undetermined'
}

/** The members that a certified and a refused generation show alike. */
export function evidence(generation: Generation, shown: Shown, ledger: LedgerReceipt | null) {
  const { unit, candidates, measurements, corrections: [{ norms, policy, unread, independentWitnesses, vote }], examination, inquiry, normExamples } = generation
  return {
    generation_id: unit.id,
    applicable: applicable(examination),
    independent_witnesses: independentWitnesses,
    revises: unit.request.revises ?? null,
    questionnaire: inquiry === null ? null : questionnaire(inquiry),
    open_examples: normExamples.flatMap((each) => (each.kind === 'open' ? [{ norm: each.norm, question: each.question, decided: each.decided }] : [])),
    redundant_norms: normExamples.flatMap(({ kind, norm }) => (kind === 'redundant' ? [norm] : [])),
    norms: norms.map(renderedNorm),
    unread: unread.map((each) => ({ ...each, may_rule: mayHideRule(unit, each.sentence) })),
    cedar: policy.text,
    schema: unit.schema.text,
    syndrome: measurements.map(({ stabilizer, candidates: looksAt, outcome }) => ({
      stabilizer,
      candidates: looksAt.map((i) => candidates[i]?.method ?? String(i)),
      value: outcome.value,
      ...(outcome.value === 0 ? { because: outcome.because } : {}),
      ...(outcome.value === -1 ? { evidence: outcome.evidence } : {}),
    })),
    diagnosis: generation.diagnosis,
    vote: voteShown(vote),
    proofs: examination.proofs.map(({ article, proof }) => ({
      article: article.id,
      principle: article.principle,
      hard: article.hard,
      answer: proof.answer.kind,
      ...(proof.answer.kind === 'unknown' ? { reason: proof.answer.reason } : {}),
      ...(proof.answer.kind === 'refuted' ? { counterexample: proof.answer.counterexample } : {}),
      environments: proof.environments,
      engines: proof.engines,
      limits: { rlimit: proof.limits.rlimit, timeout_ms: proof.limits.timeoutMs },
      input_digest: proof.inputDigest,
      basis: proof.basis,
    })),
    constitutional_hash: shown.hash,
    constitutional_digest: shown.digest,
    ledger,
  }
}

/** The reply to a certified generation: the inherited members, each with its meaning or null, and ours. */
export function certifiedReply(generation: Generation, shown: Shown, ledger: LedgerReceipt | null, elapsed: { readonly ms: number; readonly at: Date }) {
  const { measurements, diagnosis, corrections: [{ independentWitnesses, setAside, vote }], candidates, certificate, score, confidence } = generation
  const document = renderDocument(generation)
  return {
    ...evidence(generation, shown, ledger),
    status: 'completed',
    policy_content: document.markdown,
    policy: {
      title: document.title,
      content: document.markdown,
      sections: document.sections.map(({ title, content, constitutionalBasis }) => ({ title, content, constitutional_basis: [...constitutionalBasis] })),
    },
    constitutional_compliance_score: score,
    confidence_score: confidence.value,
    confidence: confidence.value === null ? { calibrated_on: null, reason: confidence.because } : { calibrated_on: confidence.calibratedOn, reason: null },
    semantic_hash: generation.semanticHash,
    generation_time_ms: elapsed.ms,
    processing_time_ms: elapsed.ms,
    consensus_data: { consensus_achieved: independentWitnesses >= 2 && diagnosis.kind !== 'outvoted', representations_count: candidates.length, corrections_applied: setAside.length, semantic_diversity: null },
    recommendations: recommendations(generation),
    metadata: {
      qec_sft_enabled: true,
      lsu_id: generation.unit.id,
      stabilizers_executed: measurements.filter(({ outcome }) => outcome.value !== 0).length,
      system_health_score: null,
      errors_corrected: setAside.length,
      syndrome_diagnosis_id: null,
    },
    generation_metadata: { models_used: candidates.filter(isOfModel).map(({ method }) => method), consensus_method: vote === null ? 'agreement of the readers, proved' : 'weighted majority of the readers at every request, proved', fault_tolerance_applied: setAside.length > 0, error_corrections: setAside.length },
    certificate,
    timestamp: elapsed.at.toISOString(),
  } as unknown as GenerateReply
}

function voteShown(vote: Generation['corrections'][0]['vote']) {
  if (vote === null) return null
  const { voters, effectiveWitnesses, from, proof } = vote
  return { voters: voters.map((voter) => ({ ...voter })), effective_witnesses: effectiveWitnesses, from, proof: { answer: proof.answer.kind, input_digest: proof.inputDigest } }
}

/** What a 422 adds to its problem document. */
export function notCertified(generation: Generation, shown: Shown, ledger: LedgerReceipt | null): Record<string, unknown> {
  const { verdict, score, unit } = generation
  const violations: readonly Violation[] = verdict.kind === 'violates' ? verdict.violations : violationsOf(generation.examination)
  const doubts: readonly Doubt[] = verdict.kind === 'undetermined' ? verdict.doubts : []
  return {
    ...evidence(generation, shown, ledger),
    compliance_score: score,
    required_threshold: unit.request.complianceThreshold,
    violations: violations.map(({ mentions, ...violation }) => ({ ...violation, summary: describe(violation.counterexample, mentions) })),
    doubts,
    recommendations: recommendations(generation),
  }
}

/** In one sentence, why there is no certificate. */
export function refusalSentence({ verdict }: Generation): string {
  if (verdict.kind === 'violates') {
    const [first, ...others] = verdict.violations
    if (first === undefined) return 'the policy reaches too low a score'
    const settles = first.remedy === undefined ? '' : `; to settle it, ${first.remedy}`
    return `${first.article} is violated by: ${describe(first.counterexample, first.mentions)}${settles}${others.length === 0 ? '' : ` (and ${others.map(({ article }) => article).join(', ')})`}`
  }
  if (verdict.kind === 'undetermined') return verdict.doubts.map(({ message, remedy }) => `${message}; to settle it, ${remedy}`).join('. ')
  return 'the policy is compliant'
}

/** What would make the policy better or certifiable: derived from what was found, never a stock phrase. */
function recommendations({ verdict, examination, corrections: [{ unread, independentWitnesses }], unit }: Generation): string[] {
  return [
    ...(verdict.kind === 'undetermined' ? verdict.doubts.map(({ remedy }) => remedy) : []),
    ...(verdict.kind === 'violates' ? verdict.violations.flatMap(({ remedy }) => remedy ?? []) : []),
    ...violationsOf(examination).map(({ article, text }) => `${article} does not hold: ${text}`),
    ...unread.filter(({ sentence }) => !mayHideRule(unit, sentence) && unit.sentences[sentence - 1]?.isExplanation !== true).map(({ sentence }) => `sentence ${sentence} was taken to rule nothing: declare it as explanation, or reword it`),
    ...(independentWitnesses < 2 ? ['only one reader has read every sentence: nothing was cross-checked there'] : []),
  ]
}

function questionnaire(inquiry: Inquiry): z.input<typeof Questionnaire> {
  switch (inquiry.kind) {
    case 'open': {
      const { sentences, meanings, question, answers, atMost } = inquiry
      return { state: 'open', sentences, meanings, at_most: atMost, question, answers: answers.map(({ said, ...left }) => ({ ...said, meanings: left.meanings, sentences: [...left.sentences] })) }
    }
    case 'settled': {
      const { sentences, examples, understandings, closing } = inquiry
      return {
        state: 'settled', sentences, examples, understandings,
        closing: closing.map(({ inputDigest, engines, limits: { rlimit, timeoutMs }, basis }) => ({ input_digest: inputDigest, engines: [...engines], limits: { rlimit, timeout_ms: timeoutMs }, basis })),
      }
    }
    case 'contradicted': return { state: 'contradicted', sentences: inquiry.sentences, examples: inquiry.examples }
    case 'unknown': return { state: 'unknown', sentences: inquiry.sentences, because: inquiry.because, remedy: inquiry.remedy }
  }
}

function renderedNorm(norm: Norm) {
  return {
    id: norm.id,
    sentence: norm.sentence,
    source: norm.source,
    modality: norm.modality,
    meaning: renderNorm(norm),
    principals: [...norm.principals],
    actions: norm.actions.map(uidText),
    resources: [...norm.resources],
    when: norm.when === null ? null : renderExpression(norm.when),
    unless: norm.unless === null ? null : renderExpression(norm.unless),
    obligation: norm.obligation,
  }
}

import type { Article, Inapplicable } from '#core/constitution/article.ts'
import { isCarried } from '#core/policy/assemble.ts'
import type { Counterexample, Proof } from '#core/proof/proof.ts'
import type { Correction } from '#core/syndrome/correct.ts'
import type { Diagnosis } from '#core/syndrome/decode.ts'
import { mayHideRule, type SemanticUnit } from '#core/unit/semantic-unit.ts'

/** An article that the policy breaks, and a request on which it does. `remedy`: what would settle it. */
export type Violation = { readonly remedy?: string; readonly mentions: readonly string[]; readonly article: string; readonly principle: string; readonly text: string; readonly hard: boolean; readonly counterexample: Counterexample }

/** Something that must be known and is not, with what would settle it. */
export type Doubt = { readonly about: 'unread' | 'ambiguous' | 'diagnosis' | 'proof' | 'principle' | 'empty' | 'consensus' | 'models' | 'example'; readonly message: string; readonly remedy: string; readonly sentence?: number }

export type Verdict =
  | { readonly kind: 'compliant' }
  | { readonly kind: 'violates'; readonly violations: readonly Violation[] }
  | { readonly kind: 'undetermined'; readonly doubts: readonly Doubt[] }

/** The articles of a constitution over one schema, each applicable one with its proof. */
export type Examination = {
  /** `mentions`: the attributes that the article speaks of here; what is worth saying of a counterexample. */
  readonly proofs: readonly { readonly article: Article; readonly proof: Proof; readonly mentions: readonly string[] }[]
  readonly inapplicable: readonly Inapplicable[]
}

/**
 * Compliant only when every applicable hard article is proved, the score reaches the threshold and nothing is in doubt. A refuted hard
 * article refuses whatever else is open: what is already unconstitutional does not become better by being understood.
 *
 * @param objections Why what was corrected cannot be believed.
 * @param missed Names of examples that the policy decides otherwise than the author.
 * @param examinations One for each policy that the text may mean; a violation counts only when every one of them has it or another.
 */
export function judge(unit: SemanticUnit, diagnosis: Diagnosis, corrections: readonly Correction[], examinations: readonly Examination[], missed: readonly string[] = [], objections: readonly string[] = []): Verdict {
  const standings = examinations.map((examination) => standingOf(examination, unit.request.complianceThreshold))
  const [first] = standings
  if (first !== undefined && standings.every(({ kind }) => kind === 'refuted')) return { kind: 'violates', violations: first.violations }
  const doubts = distinct([...doubtsOf(unit, diagnosis, corrections, examinations), ...missed.map(exampleDoubt), ...objections.map(correctionDoubt)])
  return doubts.length > 0 ? { kind: 'undetermined', doubts } : { kind: 'compliant' }
}

/** Each doubt once: what is not known of one meaning of the text is often not known of another either. */
function distinct(doubts: readonly Doubt[]): readonly Doubt[] {
  return [...new Map(doubts.map((doubt) => [`${doubt.about} ${doubt.message}`, doubt])).values()]
}

function correctionDoubt(message: string): Doubt {
  return { about: 'diagnosis', message, remedy: 'reword the sentences that were read differently, or say by examples (`context.examples`) what they mean' }
}

function exampleDoubt(name: string): Doubt {
  return { about: 'example', message: `${name} is decided otherwise than the author wants`, remedy: 'correct the example, or the sentences that decide it' }
}

/**
 * How a policy stands before the constitution, whatever else is known of it: `refuted` when a hard article is, or when the score stays
 * below the threshold with nothing open; `unknown` when a hard article is open, or open ones keep the score below; else `proved`.
 *
 * The violations are the hard ones, or, where it is the score that refuses, all.
 */
export function standingOf(examination: Examination, threshold: number): { readonly kind: 'proved' | 'refuted' | 'unknown'; readonly violations: readonly Violation[] } {
  const violations = violationsOf(examination)
  const hard = violations.filter((violation) => violation.hard)
  if (hard.length > 0) return { kind: 'refuted', violations: hard }
  const isOpen = (wanted: (article: Article) => boolean) => examination.proofs.some(({ article, proof }) => wanted(article) && proof.answer.kind === 'unknown')
  const value = score(examination)
  if (value !== null && value < threshold) return isOpen(() => true) ? { kind: 'unknown', violations } : { kind: 'refuted', violations }
  return { kind: isOpen((article) => article.hard) ? 'unknown' : 'proved', violations: [] }
}

/** How many articles of the constitution speak about the schema at all, and what the others miss: what every reply begins with. */
export function applicable({ proofs, inapplicable }: Examination): { articles: number; of: number; missing: { article: string; concepts: string[] }[] } {
  return { articles: proofs.length, of: proofs.length + inapplicable.length, missing: inapplicable.map(({ article, missing }) => ({ article: article.id, concepts: [...missing] })) }
}

/** The weighted share of the applicable articles that are proved, 0..1; null when no hard article applies. */
export function score({ proofs }: Examination): number | null {
  if (!proofs.some(({ article }) => article.hard)) return null
  const weigh = (some: Examination['proofs']) => some.reduce((sum, { article }) => sum + article.weight, 0)
  return weigh(proofs.filter(({ proof }) => proof.answer.kind === 'proved')) / weigh(proofs)
}

export function violationsOf({ proofs }: Examination): readonly Violation[] {
  return proofs.flatMap(({ article, proof, mentions }) =>
    proof.answer.kind === 'refuted' ? [{ mentions, article: article.id, principle: article.principle, text: article.text, hard: article.hard, counterexample: proof.answer.counterexample }] : [],
  )
}

function doubtsOf(unit: SemanticUnit, diagnosis: Diagnosis, corrections: readonly Correction[], examinations: readonly Examination[]): readonly Doubt[] {
  const doubts: Doubt[] = []
  const first = corrections[0]
  if (diagnosis.kind === 'ambiguous') {
    doubts.push({ about: 'ambiguous', message: `${diagnosis.between.join(' and ')} read the text differently`, remedy: 'say what the shown request shall be decided as (`context.examples`), or reword the sentence' })
  }
  if (diagnosis.kind === 'unexplained') doubts.push({ about: 'diagnosis', message: diagnosis.because, remedy: 'correct the examples or reword the sentences that contradict them' })
  if (diagnosis.kind === 'incomplete') doubts.push({ about: 'diagnosis', message: `a check gave no answer: ${diagnosis.because}`, remedy: 'simplify what it names, complete the example, or try again when the prover is available' })
  for (const { sentence, because } of first?.unread ?? []) {
    if (!mayHideRule(unit, sentence)) continue
    doubts.push({ about: 'unread', sentence, message: `sentence ${sentence} was not read: ${because}`, remedy: `reword it, or mark it as explanation: \`"context": {"explanations": [${sentence}]}\`` })
  }
  if (first !== undefined && first.policy.rules.length === 0) {
    doubts.push({ about: 'empty', message: 'no sentence permits or forbids anything', remedy: 'say who may or must not do what' })
  }
  // A permission may hide in what was not read, or in what is still to be asked.
  if (first !== undefined && corrections.length === 1 && !doubts.some(({ about }) => about === 'unread' || about === 'empty')) {
    for (const norm of first.norms) {
      if (norm.modality !== 'oblige' || isCarried(norm, first.norms, unit.schema)) continue
      doubts.push({ about: 'empty', sentence: norm.sentence, message: `sentence ${norm.sentence} demands \`${norm.obligation}\` where nothing is permitted, so that it would never be demanded`, remedy: `write a sentence that permits what it speaks of, correct it, or leave it out` })
    }
  }
  // Open soft articles matter only when the score is short without them.
  const isShort = examinations.some((each) => (score(each) ?? 1) < unit.request.complianceThreshold)
  for (const { article, proof } of examinations.flatMap(({ proofs }) => proofs)) {
    if ((article.hard || isShort) && proof.answer.kind === 'unknown') doubts.push({ about: 'proof', message: `${article.id} is neither proved nor refuted: ${proof.answer.reason}`, remedy: 'simplify the rule that is named, or try again when the prover is available' })
  }
  const examination = examinations[0]
  for (const principle of unit.request.principles) {
    if (examination === undefined || examination.proofs.some(({ article }) => article.principle === principle)) continue
    const missing = [...new Set(examination.inapplicable.filter(({ article }) => article.principle === principle).flatMap((each) => each.missing))]
    doubts.push({ about: 'principle', message: `the principle ${principle} binds nothing in this schema`, remedy: `annotate the schema with ${missing.map((concept) => `@concept("${concept}")`).join(', ')}, or do not name the principle` })
  }
  if (unit.request.consensusRequired && first !== undefined && first.independentWitnesses < 2) {
    doubts.push({ about: 'consensus', message: `consensus was required and ${first.independentWitnesses === 0 ? 'no' : 'only one'} reader has read every sentence`, remedy: 'reword the sentences that only one reader has read, or do not require consensus' })
  }
  if (unit.request.consensusRequired && diagnosis.kind === 'outvoted') {
    doubts.push({ about: 'consensus', message: `consensus was required and ${diagnosis.between.join(' and ')} read the text differently`, remedy: 'reword the sentence that they read differently, or do not require consensus' })
  }
  if (unit.request.multiModelValidation) {
    doubts.push({ about: 'models', message: 'validation by several language models was required and none is configured', remedy: 'leave out `requirements.multi_model_validation`' })
  }
  return doubts
}

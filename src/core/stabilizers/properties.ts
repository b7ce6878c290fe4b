import { Failure } from '#core/failure.ts'
import { normsIn, sayWhatBinds } from '#core/policy/norm-sections.ts'
import type { PolicySet } from '#core/policy/policy.ts'
import type { Proof } from '#core/proof/proof.ts'
import { normsOf, type Candidate } from '#core/synthesis/candidate.ts'
import { mayHideRule, type SemanticUnit } from '#core/unit/semantic-unit.ts'
import { distinguish } from './distinguish.ts'
import { firstUnread, outcomeOf, parsed, unreadable } from './meaning.ts'
import type { Representations } from './representation.ts'
import type { Looking, OutcomeOf } from './check.ts'

/** Whether a candidate is Cedar that the schema takes. */
export async function isWellTyped({ unit, candidates }: Representations, use: Looking, [i = 0]: readonly number[]): Promise<OutcomeOf<'well-typed'>> {
  const { cedar, method } = candidates[i] as Candidate
  const policies = parsed(cedar, unit.schema, use)
  return policies instanceof Failure ? { value: -1, evidence: { method, problems: policies.problems, message: policies.message } } : { value: 1 }
}

/** Whether no rule of a candidate can fail to evaluate. */
export async function neverErrors({ unit, candidates }: Representations, use: Looking, [i = 0]: readonly number[]): Promise<OutcomeOf<'never-errors'>> {
  const policies = parsed((candidates[i] as Candidate).cedar, unit.schema, use)
  return policies instanceof Failure ? { value: 0, why: 'idle', because: 'the candidate does not parse' } : outcomeOf(await use.neverErrors(policies, unit.schema))
}

/** Whether a reader has read every sentence that may rule. */
export async function isCovered({ unit, candidates }: Representations, _: Looking, [i = 0]: readonly number[]): Promise<OutcomeOf<'covers'>> {
  const { readings, method } = candidates[i] as Candidate
  const unread = readings.filter((reading) => reading.kind === 'unread' && mayHideRule(unit, reading.sentence))
  // Not understanding is an abstention, not a fault: nothing that this reader says is thereby wrong.
  return unread.length === 0 ? { value: 1 } : { value: 0, why: 'idle', because: `${method} has not read sentence ${unread.map(({ sentence }) => sentence).join(', ')}` }
}

/** Whether for every norm there is a request that only this norm decides. */
export async function distinguishes({ unit, norms, table }: Representations, use: Looking): Promise<OutcomeOf<'examples-distinguish'>> {
  const all = norms === null ? [] : normsOf(norms.readings)
  if (table === null || all.length === 0) return { value: 0, why: 'idle', because: 'no sentence was read as a norm' }
  const found = await distinguish(all, table, unit.schema, use.sameMeaning)
  const idle = found.flatMap((each) => (each.kind === 'nothing' ? [{ norm: each.norm.id, sentence: each.norm.sentence }] : []))
  if (idle.length > 0) return { value: -1, evidence: { decideNothing: idle } }
  const unknown = found.find((each) => each.kind === 'unknown')
  return unknown === undefined ? { value: 1 } : { value: 0, why: 'failed', because: `whether ${unknown.norm.id} decides anything is not known: ${unknown.because}` }
}

/** Whether the document says every norm, and no other, in the words that its meaning has. */
export async function saysTheNorms({ norms, document }: Representations): Promise<OutcomeOf<'says-the-norms'>> {
  if (norms === null || document === null) return { value: 0, why: 'idle', because: 'there is no document without norms' }
  const [wanted, said] = [normsIn(sayWhatBinds(normsOf(norms.readings), '')), normsIn(document)]
  const other = [...new Set([...wanted.keys(), ...said.keys()])].filter((id) => wanted.get(id) !== said.get(id))
  return other.length === 0 ? { value: 1 } : { value: -1, evidence: { norms: other.map((id) => ({ norm: id, means: wanted.get(id) ?? null, saidAs: said.get(id) ?? null })) } }
}

/** Whether no hard article forbids what a candidate means. */
export async function isWithin({ unit, candidates }: Representations, use: Looking, [i = 0]: readonly number[]): Promise<OutcomeOf<'within'>> {
  const candidate = candidates[i] as Candidate
  const policies = parsed(candidate.cedar, unit.schema, use)
  if (policies instanceof Failure) return unreadable(candidate)
  if (!use.bound.bound.some(({ article }) => article.hard)) return { value: 0, why: 'idle', because: 'no hard article binds the schema' }
  const proofs = await proofsOf(policies, candidates.slice(0, i), unit, use)
  const hard = use.bound.bound.flatMap(({ article }, k) => (article.hard ? [{ article: article.id, answer: proofs[k]?.answer }] : []))
  const broken = hard.flatMap(({ article, answer }) => (answer?.kind === 'refuted' ? [{ article, request: answer.counterexample }] : []))
  if (broken.length > 0) {
    // A sentence that it has not read may permit what must be, or forbid what must not.
    const missed = firstUnread(candidate, unit)
    return missed === null ? { value: -1, evidence: { articles: broken } } : { value: 0, why: 'idle', because: `${candidate.method} has not read sentence ${missed}, on which ${broken[0]?.article} may depend` }
  }
  const open = hard.find(({ answer }) => answer?.kind !== 'proved')
  return open === undefined ? { value: 1 } : { value: 0, why: 'failed', because: `whether it obeys ${open.article} is not known${open.answer?.kind === 'unknown' ? `: ${open.answer.reason}` : ''}` }
}

/**
 * The proofs of the articles for a policy, or for the first one before it that means the same: what a policy permits and demands is all that articles
 * speak of, except whether a rule can fail.
 */
async function proofsOf(policies: PolicySet, before: readonly Candidate[], unit: SemanticUnit, use: Looking): Promise<readonly Proof[]> {
  const { bound } = use.bound
  for (const { cedar, readsText } of before) {
    const other = parsed(cedar, unit.schema, use)
    if (!readsText || other instanceof Failure || (await use.sameMeaning(other, policies, unit.schema)).answer.kind !== 'proved') continue
    const canFail = bound.some(({ article }) => article.kind === 'never-error') && (await use.neverErrors(policies, unit.schema)).answer.kind !== (await use.neverErrors(other, unit.schema)).answer.kind
    if (!canFail) return use.proveArticles(other, unit.schema, bound)
  }
  return use.proveArticles(policies, unit.schema, bound)
}

import { z } from 'zod'
import { diagnosticIdOf } from '#core/diagnostic/diagnostic.ts'
import { Failure, type FailureCode } from '#core/failure.ts'
import type { Generation, LedgerReceipt } from '#core/generate.ts'
import { PROBLEMS } from '#http/problem.ts'
import type { GenerateReply } from './contract.ts'
import { certifiedReply, notCertified, refusalSentence } from './reply.ts'

/** What the client of a request is told, but for its place in the ledger: a reply, or a problem. */
export type Outcome =
  | { readonly kind: 'certified'; readonly reply: GenerateReply }
  | { readonly kind: 'problem'; readonly code: FailureCode | 'INTERNAL'; readonly detail: string; readonly details: Readonly<Record<string, unknown>> }

const Stored = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('certified'), reply: z.custom<GenerateReply>((value) => typeof value === 'object' && value !== null) }),
  z.strictObject({
    kind: z.literal('problem'), code: z.custom<FailureCode | 'INTERNAL'>((value) => typeof value === 'string' && Object.hasOwn(PROBLEMS, value)),
    detail: z.string(), details: z.record(z.string(), z.unknown()),
  }),
])

export function outcomeOf(generation: Generation, shown: { readonly hash: string; readonly digest: string }, elapsed: { readonly ms: number; readonly at: Date }): Outcome {
  const { verdict } = generation
  if (verdict.kind === 'compliant') return { kind: 'certified', reply: certifiedReply(generation, shown, null, elapsed) }
  return { kind: 'problem', code: verdict.kind === 'violates' ? 'POLICY_REFUSED' : 'POLICY_UNDETERMINED', detail: refusalSentence(generation), details: notCertified(generation, shown, null) }
}

/** What is told of a request that could not be carried out; a mistake of ours says nothing of itself. */
export function outcomeOfError(error: unknown): Outcome {
  if (error instanceof Failure) return { kind: 'problem', code: error.code, detail: error.message, details: error.problems.length > 0 ? { ...error.details, problems: error.problems } : error.details }
  return { kind: 'problem', code: 'INTERNAL', detail: 'something went wrong on our side', details: {} }
}

/** An outcome as it was stored: the same members in the same order. */
export function readOutcome(text: string): Outcome {
  return Stored.parse(JSON.parse(text))
}

/** Whether it tells of a policy that was judged and not certified. */
export function isJudged({ code }: Extract<Outcome, { kind: 'problem' }>): boolean {
  return code === 'POLICY_REFUSED' || code === 'POLICY_UNDETERMINED'
}

/**
 * The reply that an outcome stands for.
 *
 * @throws {Failure} the problem that it stands for.
 */
export function answerWith(outcome: Outcome, ledger: LedgerReceipt | null): GenerateReply {
  // Neither is stored with the outcome: the release before this knows the id of a diagnostic as null.
  if (outcome.kind === 'certified') return { ...outcome.reply, metadata: { ...outcome.reply.metadata, syndrome_diagnosis_id: diagnosticIdOf(outcome.reply.generation_id) }, ledger }
  if (outcome.code === 'INTERNAL') throw new Error(outcome.detail)
  throw new Failure(outcome.code, outcome.detail, { details: isJudged(outcome) ? { ...outcome.details, syndrome_diagnosis_id: diagnosticIdOf(String(outcome.details['generation_id'])), ledger } : outcome.details })
}

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parsePolicies } from '#adapters/cedar/cedar.ts'
import { createExaminer, type Examiner } from '#adapters/examiner.ts'
import { createProver } from '#adapters/solver/prover.ts'
import { standingOf } from '#core/compliance/judge.ts'
import { parseConstitution } from '#core/constitution/constitution.ts'
import { examine } from '#core/generate.ts'
import type { Court } from '#core/injection/trial.ts'
import { LIMITS } from '#core/proof/questions.ts'
import { ROOT, THRESHOLD } from './policies.ts'

/** What every part of the measurement asks of the world: the shipped constitution, the prover with its shipped limits, and who judges trials. */
export type Context = { readonly examiner: Examiner; readonly prover: ReturnType<typeof createProver>; readonly court: Court }

export async function withContext<T>(use: (context: Context) => Promise<T>): Promise<T> {
  await using prover = createProver(LIMITS)
  const examiner = createExaminer(parseConstitution(readFileSync(join(ROOT, 'constitutions/acgs.yaml'), 'utf8')), prover)
  const court: Court = {
    parse: parsePolicies, sameMeaning: prover.sameMeaning, decidedOn: prover.decidedOn, isMajority: prover.isMajority,
    standing: async (policy, schema) => standingOf(await examine(policy, schema, examiner.examining(schema)), THRESHOLD).kind,
  }
  return await use({ examiner, prover, court })
}

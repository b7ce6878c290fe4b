import { z } from 'zod'

import { digest, type Json } from '#core/canonical.ts'

const json = z.unknown().transform((value) => value as Json)
const texts = z.array(z.string())

/** A generation as the table `policy_generations` holds it. The names are those that dashboards and the runbook query. */
export const GenerationRow = z.object({
  generation_id: z.string().min(1),
  title: z.string(),
  description: z.string(),
  policy_content: z.string().nullable(),
  semantic_hash: z.string().nullable(),
  stakeholders: texts,
  constitutional_principles: texts,
  priority: z.enum(['low', 'medium', 'high', 'critical']),
  context: json,
  constitutional_compliance_score: z.number().nullable(),
  confidence_score: z.number().nullable(),
  constitutional_hash: z.string(),
  generation_time_ms: z.number(),
  model_consensus_data: json,
  recommendations: texts,
  user_id: z.string().nullable(),
  verdict: z.enum(['certified', 'refused', 'undetermined']),
  violated_articles: texts,
  certificate_id: z.string().nullable(),
  certificate: json,
  request: json,
  evidence: json,
  created_at: z.date(),
})
export type GenerationRow = z.infer<typeof GenerationRow>

export const GENERATION_COLUMNS = Object.keys(GenerationRow.shape) as (keyof GenerationRow)[]

/**
 * SHA-256, in hex, of everything in the row: what the ledger remembers. The evidence, by far the longest, stands in it by its digest.
 *
 * @param evidenceDigest That digest, for who has it already.
 */
export function digestOfRow(row: GenerationRow, evidenceDigest = digest(row.evidence)): string {
  return digest({ ...row, evidence: evidenceDigest, created_at: row.created_at.toISOString() })
}

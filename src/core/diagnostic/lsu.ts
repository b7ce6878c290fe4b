import { z } from 'zod'
import type { Assessment } from '#core/generate.ts'
import { ExampleBody, GenerateBody } from '#core/unit/request.ts'
import { finding, type Finding } from './diagnostic.ts'

const TEXT_MAX = 100_000

/** What kinds of constraints a document may state. */
const CONSTRAINT_TYPES = ['temporal', 'logical', 'security', 'performance'] as const

/**
 * A logical semantic unit as a document: the schema that was published. Unknown members are refused.
 *
 * Of `structured_data` that is read which tells what the text is about; the rest is kept as it is.
 */
export const Lsu = z.strictObject({
  id: z.string().regex(/^(LSU-[0-9]{6}|(gen|lsu)_[0-9A-Za-z-]{6,64})$/, 'must be LSU- and six digits, or an id that this service gave').describe('`LSU-000001`, or an id that this service gave'),
  description: z.string().trim().min(10).max(500),
  domain: z.enum(['governance', 'policy', 'security', 'compliance', 'operations']),
  constraints: z.array(z.strictObject({
    type: z.enum(CONSTRAINT_TYPES),
    value: z.json(),
    description: z.string().max(500).optional(),
    metadata: z.record(z.string(), z.json()).optional(),
  })).max(100).default([]).describe('Kept, and not checked: no engine of ours reads them'),
  content: z.strictObject({
    text: z.string().max(TEXT_MAX).nullable().default(null).describe('The rules in sentences: what is read, measured and proved'),
    structured_data: z.looseObject({
      domain: z.string().max(100).optional().describe('Name of a shipped domain pack'),
      schema: z.string().max(500_000).optional().describe('A Cedar schema of your own, as text'),
      examples: z.array(ExampleBody).max(100).default([]).describe('Decisions that are expected'),
      explanations: z.array(z.number().int().min(1)).max(1_000).default([]).describe('Numbers of sentences that explain and rule nothing'),
    }).nullable().default(null),
    embeddings: z.array(z.number()).max(16_384).nullable().default(null).describe('Kept, and not checked: they have no defined meaning here'),
  }),
  semantic_hash: z.string().regex(/^[a-f0-9]{16}$/, 'must be 16 hexadecimal digits, in lower case').nullable().default(null),
  constitutional_hash: z.string().regex(/^[a-f0-9]{16}$/, 'must be 16 hexadecimal digits, in lower case').nullable().default(null),
  version: z.int().min(1).max(2_147_483_647).default(1),
  compliance_validated: z.boolean().default(false),
})
export type Lsu = z.infer<typeof Lsu>

/** The governance request that says what the document says; null when it has no text. */
export function requestOf({ description, content: { text, structured_data } }: Lsu): GenerateBody | null {
  if (text === null || text.trim() === '') return null
  const { domain, schema, examples = [], explanations = [] } = structured_data ?? {}
  return {
    title: description, description: text, stakeholders: [], constitutional_principles: [], priority: 'medium',
    context: { examples, explanations, ...(domain === undefined ? {} : { domain }), ...(schema === undefined ? {} : { schema }) },
    requirements: { consensus_required: false, multi_model_validation: false },
  }
}

/** The same finding, with what would settle it said of the document's own members: nobody can answer a document, and it has no `context`. */
export function inDocument(found: Finding): Finding {
  const action = found.remedy.action
    .replace('`"context": {"explanations":', '`"structured_data": {"explanations":')
    .replace('`context.examples`', '`content.structured_data.examples`')
    .replace(/^answer question (q_[0-9a-f]+): (.*)$/s, 'add an example to `content.structured_data.examples` that says: $2')
  return { ...found, remedy: { ...found.remedy, action } }
}

/** What is in a document and nothing was asked about, with the reason. */
export function uncheckedIn({ constraints, content }: Lsu): readonly { readonly what: string; readonly because: string }[] {
  return [
    ...(constraints.length > 0 ? [{ what: 'constraints', because: 'no engine of ours reads them: say them as sentences of content.text' }] : []),
    ...(content.embeddings === null ? [] : [{ what: 'content.embeddings', because: 'they have no defined meaning here' }]),
  ]
}

/**
 * What a document claims of itself and is not so.
 *
 * @param assessed What its text came to; null when there was nothing to read.
 */
export function claimFindings(lsu: Lsu, constitutionalHash: string, assessed: Pick<Assessment, 'semanticHash' | 'verdict'> | null): readonly Finding[] {
  const claims: Finding[] = []
  if (lsu.constitutional_hash !== null && lsu.constitutional_hash !== constitutionalHash) {
    claims.push(finding('constitutional_hash', 'claim', 'critical', `it was written for the constitution ${lsu.constitutional_hash}, and ${constitutionalHash} is in force`, 'restate', `judge it under ${constitutionalHash}, and write that into constitutional_hash`))
  }
  if (assessed === null) return claims
  if (lsu.compliance_validated && assessed.verdict.kind !== 'compliant') {
    claims.push(finding('compliance_validated', 'claim', 'critical', 'it claims to be validated, and what it says is not found compliant', 'restate', 'set compliance_validated to false until nothing critical is found'))
  }
  // A different hash does not say that the meaning is another one.
  if (lsu.semantic_hash !== null && lsu.semantic_hash !== assessed.semanticHash) {
    claims.push(finding('semantic_hash', 'claim', 'error', `its semantic_hash is ${lsu.semantic_hash}, and that of what its text is found to mean is ${assessed.semanticHash}`, 'restate', `write ${assessed.semanticHash} into semantic_hash if the text says what is meant`))
  }
  return claims
}

/** That there is nothing to read, or nothing to read it against. */
export function unreadable(about: 'content.text' | 'content.structured_data.domain', message: string, action: string): Finding {
  return finding(about, 'reading', 'critical', message, about === 'content.text' ? 'restate' : 'annotate', action)
}

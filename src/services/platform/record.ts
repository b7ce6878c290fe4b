import { evidenceOf, type GenerationRow } from '#adapters/postgres/generations.ts'
import type { Json } from '#core/canonical.ts'
import type { Generation } from '#core/generate.ts'
import { renderDocument } from '#core/document.ts'
import type { GenerateBody } from '#core/unit/request.ts'
import { verdictName } from './reply.ts'

/** A generation as it is stored: the columns that dashboards query, and the whole of it as evidence. */
export function rowOf(generation: Generation, body: GenerateBody, by: { readonly subject: string; readonly at: Date; readonly elapsedMs: number; readonly constitutionalHash: string }): GenerationRow {
  const { unit, certificate, verdict, corrections: [{ independentWitnesses, setAside }], candidates } = generation
  return {
    generation_id: unit.id,
    title: unit.request.title,
    description: unit.request.description,
    policy_content: certificate === null ? null : renderDocument(generation).markdown,
    semantic_hash: generation.semanticHash,
    stakeholders: [...unit.request.stakeholders],
    constitutional_principles: [...unit.request.principles],
    priority: unit.request.priority,
    context: plain(body.context),
    constitutional_compliance_score: generation.score,
    confidence_score: generation.confidence.value,
    constitutional_hash: by.constitutionalHash,
    generation_time_ms: by.elapsedMs,
    model_consensus_data: { independent_witnesses: independentWitnesses, methods: candidates.map(({ method }) => method), set_aside: [...setAside] },
    recommendations: verdict.kind === 'undetermined' ? verdict.doubts.map(({ remedy }) => remedy) : verdict.kind === 'violates' ? verdict.violations.flatMap(({ remedy }) => remedy ?? []) : [],
    user_id: by.subject,
    verdict: verdictName(generation),
    violated_articles: verdict.kind === 'violates' ? verdict.violations.map(({ article }) => article) : [],
    certificate_id: certificate?.id ?? null,
    certificate: certificate === null ? null : plain(certificate),
    request: plain(body),
    evidence: evidenceOf(generation),
    created_at: by.at,
  }
}

function plain(value: unknown): Json {
  return JSON.parse(JSON.stringify(value)) as Json
}

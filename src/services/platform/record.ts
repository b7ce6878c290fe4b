import type { DiagnosticRow, LsuRow } from '#adapters/postgres/diagnostics.ts'
import { evidenceOf, type GenerationRow } from '#adapters/postgres/generations.ts'
import { digest, type Json } from '#core/canonical.ts'
import { diagnosticIdOf } from '#core/diagnostic/diagnostic.ts'
import type { UnitDiagnostic } from '#core/diagnostic/of-assessment.ts'
import type { Generation } from '#core/generate.ts'
import { renderDocument } from '#core/document.ts'
import type { GenerateBody } from '#core/unit/request.ts'
import type { SemanticUnit } from '#core/unit/semantic-unit.ts'
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

/** What was diagnosed of a unit, as it is stored. */
export function diagnosticRowOf({ status, findings, healthScore, complianceScore, faultsDetected, faultsCorrected }: Omit<UnitDiagnostic, 'executions'>, by: Pick<DiagnosticRow, 'diagnostic_id' | 'kind' | 'target_system' | 'subject' | 'constitutional_hash' | 'duration_ms' | 'created_at'> & Partial<Pick<DiagnosticRow, 'not_measured'>>): DiagnosticRow {
  return {
    not_measured: [], ...by, depth: 'standard', status, errors_detected: findings.length, critical_errors: findings.filter(({ severity }) => severity === 'critical').length,
    faults_detected: faultsDetected, faults_corrected: faultsCorrected, health_score: healthScore, compliance_score: complianceScore, findings: findings.map((each) => ({ ...each })), measured: {},
  }
}

/** A generation's diagnostic and its unit, as they are stored beside it. */
export function diagnosedRows(generation: Generation, diagnosed: UnitDiagnostic, by: { readonly subject: string; readonly at: Date; readonly constitutionalHash: string }): { readonly row: DiagnosticRow; readonly unit: LsuRow } {
  const { unit: { id }, verdict } = generation
  return {
    row: diagnosticRowOf(diagnosed, { diagnostic_id: diagnosticIdOf(id) ?? id, kind: 'generation', target_system: id, subject: by.subject, constitutional_hash: by.constitutionalHash, duration_ms: null, created_at: by.at }),
    unit: {
      lsu_id: id, generation_id: id, digest: unitDigest(generation.unit), document: null, version: 1, semantic_hash: generation.semanticHash,
      schema_digest: generation.unit.schema.digest, compliance_validated: verdict.kind === 'compliant',
    },
  }
}

function unitDigest(unit: SemanticUnit): string {
  return digest({ ...unit, schema: unit.schema.digest })
}

function plain(value: unknown): Json {
  return JSON.parse(JSON.stringify(value)) as Json
}

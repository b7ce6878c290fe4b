import type { DiagnosticRow, LsuRow } from '#adapters/postgres/diagnostics.ts'
import { finding } from '#core/diagnostic/diagnostic.ts'
import type { Execution } from '#core/diagnostic/of-assessment.ts'

/** A row that could be real, for tests of what is done with rows; `n` makes it another one, a minute later. */
export function diagnosticRow(n: number, changed: Partial<DiagnosticRow> = {}): DiagnosticRow {
  return {
    diagnostic_id: `diag_${n}`, kind: 'generation', target_system: `gen_${n}`, subject: 'ada', depth: 'standard', status: 'unhealthy', errors_detected: 1, critical_errors: 1, faults_detected: 0, faults_corrected: 0,
    health_score: 0.1 + 0.2, compliance_score: null, findings: [finding('unread', 'reading', 'critical', 'sentence 2 was not read: “Ünïcode”', 'reword', 'reword it')], measured: { a: [1, null] },
    not_measured: [{ what: 'b', because: 'c' }], constitutional_hash: 'cdd01ef066bc6cf2', duration_ms: 1.25, created_at: new Date(Date.UTC(2026, 10, 24, 12, n)), ...changed,
  }
}

export const lsuRow: LsuRow = { lsu_id: 'LSU-000001', generation_id: null, digest: 'd', document: { text: 'a\\u0000b is text' }, version: 3, semantic_hash: '93b0c1d2e3f40516', schema_digest: 's', compliance_validated: false }

export function execution(position: number, outcome: Execution['outcome'], changed: Partial<Execution> = {}): Execution {
  return {
    position, stabilizer: 'same-meaning', group: 'STAB-SEMAN001', tableVersion: '1.0.0', candidates: ['controlled-english', 'a "quoted", {one}'], outcome, reason: outcome === 0 ? 'timeout' : null,
    evidenceDigest: outcome === -1 ? 'e' : null, durationMs: 0.5, ...changed,
  }
}

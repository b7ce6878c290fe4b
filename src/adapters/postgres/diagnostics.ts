import { z } from 'zod'
import type { Json } from '#core/canonical.ts'
import type { Execution } from '#core/diagnostic/of-assessment.ts'
import { CATEGORIES, SEVERITIES, STRATEGIES } from '#core/diagnostic/diagnostic.ts'
import type { Queryable } from './connect.ts'
import { newestFirst } from './newest-first.ts'
import { documentText } from './generations.ts'

const StoredFinding = z.object({
  about: z.string(), category: z.enum(CATEGORIES), severity: z.enum(SEVERITIES), message: z.string(),
  remedy: z.object({ strategy: z.enum(STRATEGIES), action: z.string(), autoExecutable: z.literal(false) }),
})

/** A diagnostic as the table `system_diagnostics` holds it. */
export const DiagnosticRow = z.object({
  diagnostic_id: z.string(),
  kind: z.enum(['system', 'component', 'generation', 'lsu']),
  target_system: z.string(),
  subject: z.string(),
  depth: z.string(),
  status: z.enum(['healthy', 'degraded', 'unhealthy']),
  errors_detected: z.int(),
  critical_errors: z.int(),
  faults_detected: z.int(),
  faults_corrected: z.int(),
  health_score: z.number().nullable(),
  compliance_score: z.number().nullable(),
  findings: z.array(StoredFinding),
  measured: z.record(z.string(), z.unknown()),
  not_measured: z.array(z.object({ what: z.string(), because: z.string() })),
  constitutional_hash: z.string(),
  duration_ms: z.number().nullable(),
  created_at: z.date(),
})
export type DiagnosticRow = z.infer<typeof DiagnosticRow>

const COLUMNS = Object.keys(DiagnosticRow.shape) as (keyof DiagnosticRow)[]
const DOCUMENTS: readonly (keyof DiagnosticRow)[] = ['findings', 'measured', 'not_measured']
const SummaryRow = DiagnosticRow.omit({ findings: true, measured: true, not_measured: true })
export type DiagnosticSummary = z.infer<typeof SummaryRow>

/** The unit that a diagnostic is of, as the table `lsu_records` holds it. */
export type LsuRow = {
  readonly lsu_id: string
  readonly generation_id: string | null
  readonly digest: string
  /** Null: the unit stands whole in the evidence of its generation. */
  readonly document: Json | null
  readonly version: number
  readonly semantic_hash: string | null
  readonly schema_digest: string | null
  readonly compliance_validated: boolean
}

const ExecutionRow = z.object({
  position: z.int(), stabilizer_id: z.string(), stabilizer_group: z.enum(['STAB-SEMAN001', 'STAB-CONST001', 'STAB-PERF0001']), table_version: z.string(), candidates: z.array(z.string()),
  outcome: z.union([z.literal(1), z.literal(-1), z.literal(0)]), reason: z.string().nullable(), evidence_digest: z.string().nullable(), duration_ms: z.number().nullable(),
})
export type ExecutionRow = z.infer<typeof ExecutionRow>

/** Stores a diagnostic; one that is there already stays as it is. */
export async function recordDiagnostic(db: Queryable, row: DiagnosticRow): Promise<void> {
  await db.query(`insert into system_diagnostics (${COLUMNS.join(', ')}) values (${placeholders(1)}) on conflict do nothing`, valuesOf(row))
}

/**
 * Stores what was diagnosed of a unit, the unit, and every check that was made on it: one statement.
 *
 * Where a generation is appended to the ledger this comes before, since that holds the tip of the ledger until the transaction ends.
 */
export async function recordUnitDiagnostic(tx: Queryable, row: DiagnosticRow, unit: LsuRow, executions: readonly Execution[], executedAt: Date): Promise<void> {
  const own = [row.diagnostic_id, unit.generation_id, row.subject, row.constitutional_hash, row.created_at]
  const values = [
    ...own, unit.lsu_id, unit.digest, unit.document === null ? null : documentText('document', unit.document), unit.version, unit.semantic_hash, unit.schema_digest, unit.compliance_validated,
    documentText('executions', executions), executedAt,
  ]
  await tx.query(
    `with diagnosed as (insert into system_diagnostics (${COLUMNS.join(', ')}) values (${placeholders(values.length + 1)}) on conflict do nothing returning id),
     unit as (
       insert into lsu_records (diagnostic_id, generation_id, subject, constitutional_hash, created_at, lsu_id, digest, document, version, semantic_hash, schema_digest, compliance_validated)
       values ($1, $2, $3, $4, $5::timestamptz, $6, $7, $8::jsonb, $9, $10, $11, $12) on conflict do nothing)
     insert into stabilizer_executions (diagnostic, position, stabilizer_id, stabilizer_group, table_version, candidates, outcome, reason, evidence_digest, duration_ms, executed_at)
     select diagnosed.id, position, stabilizer, "group", "tableVersion", candidates, outcome, reason, "evidenceDigest", "durationMs", $14::timestamptz
     from diagnosed, jsonb_to_recordset($13::jsonb) as told (position smallint, stabilizer text, "group" text, "tableVersion" text, candidates text[], outcome smallint, reason text, "evidenceDigest" text, "durationMs" double precision)`,
    [...values, ...valuesOf(row)],
  )
}

/** So many are forgotten by one statement: others do not wait long for it. */
const FORGOTTEN_AT_ONCE = 500

/** Forgets diagnostics of so long ago, with their units and every check that was made on them. The generations stay. @returns How many. */
export async function forgetDiagnostics(db: Queryable, keptDays: number, atOnce = FORGOTTEN_AT_ONCE): Promise<number> {
  let forgotten = 0
  for (let last = atOnce; last === atOnce;) {
    const { rowCount } = await db.query(
      `with old as (select id, diagnostic_id from system_diagnostics where created_at < now() - make_interval(days => $1) order by created_at limit $2),
       executions as (delete from stabilizer_executions using old where diagnostic = old.id),
       units as (delete from lsu_records using old where lsu_records.diagnostic_id = old.diagnostic_id)
       delete from system_diagnostics using old where system_diagnostics.id = old.id`,
      [keptDays, atOnce],
    )
    last = rowCount ?? 0
    forgotten += last
  }
  return forgotten
}

export type DiagnosticFilters = {
  readonly kind?: DiagnosticRow['kind']
  readonly status?: DiagnosticRow['status']
  readonly target?: string
  /**
   * Only those in which candidates were found faulty: `detected` all of them, `corrected` where some were set aside, `unsettled` where nobody
   * could be blamed.
   */
  readonly correction?: 'detected' | 'corrected' | 'unsettled'
  /** Whose; without it, everybody's. */
  readonly subject?: string
  /** Created at or after. */
  readonly from?: Date
  /** Created before. */
  readonly to?: Date
  /** 1..200, 50 by default. */
  readonly limit?: number
  /** From the page before. */
  readonly cursor?: string
}

const OF_CORRECTION = { detected: 'faults_detected > 0', corrected: 'faults_detected > 0 and faults_corrected > 0', unsettled: 'faults_detected > 0 and faults_detected > faults_corrected' }

/** The newest first. `next` is the cursor of the page after this one; null on the last. */
export async function listDiagnostics(db: Queryable, filters: DiagnosticFilters = {}): Promise<{ diagnostics: readonly DiagnosticSummary[]; next: string | null }> {
  const { correction } = filters
  const { rows: diagnostics, next } = await newestFirst(db, { table: 'system_diagnostics', id: 'diagnostic_id', row: SummaryRow }, [
    [filters.kind, (p) => `kind = ${p}`],
    [filters.status, (p) => `status = ${p}`],
    [filters.target, (p) => `target_system = ${p}`],
    [filters.subject, (p) => `subject = ${p}`],
    [filters.from, (p) => `created_at >= ${p}`],
    [filters.to, (p) => `created_at < ${p}`],
  ], filters, correction === undefined ? [] : [OF_CORRECTION[correction]])
  return { diagnostics, next }
}

/** One diagnostic whole, with the checks that were made; null when there is none of that id. */
export async function readDiagnostic(db: Queryable, id: string): Promise<(DiagnosticRow & { readonly executions: readonly ExecutionRow[] }) | null> {
  if (id.includes('\0')) return null
  const { rows } = await db.query(`select ${COLUMNS.join(', ')} from system_diagnostics where diagnostic_id = $1`, [id])
  if (rows[0] === undefined) return null
  const executed = await db.query(`select ${Object.keys(ExecutionRow.shape).join(', ')} from stabilizer_executions where diagnostic = (select id from system_diagnostics where diagnostic_id = $1) order by position`, [id])
  return { ...DiagnosticRow.parse(rows[0]), executions: executed.rows.map((row) => ExecutionRow.parse(row)) }
}

const LastHourRow = z.object({ certified: z.int(), refused: z.int(), undetermined: z.int(), failed: z.int(), p95_ms: z.number().nullable(), median_undetermined_score: z.number().nullable() })
export type LastHour = z.infer<typeof LastHourRow>

/** Generations of all processes that ended within the last hour, how long the slowest twentieth took at least, and the median score of what stayed undetermined. */
export async function lastHour(db: Queryable): Promise<LastHour> {
  const { rows } = await db.query(
    `select count(*) filter (where verdict = 'certified')::int as certified, count(*) filter (where verdict = 'refused')::int as refused,
       count(*) filter (where verdict = 'undetermined')::int as undetermined, percentile_cont(0.95) within group (order by generation_time_ms) as p95_ms,
       percentile_cont(0.5) within group (order by constitutional_compliance_score) filter (where verdict = 'undetermined') as median_undetermined_score,
       (select count(*) from generation_requests where state <> 'accepted' and ended_at > now() - interval '1 hour' and state = 'failed')::int as failed
     from policy_generations where created_at > now() - interval '1 hour'`,
  )
  return LastHourRow.parse(rows[0])
}

const ActivityRow = z.object({ version: z.string(), bytes: z.coerce.number(), connections: z.int(), connections_max: z.coerce.number().int(), waiting_for_locks: z.int(), oldest_transaction_seconds: z.number() })

/** What PostgreSQL says of itself and of our connections: those of all processes on this database. */
export async function databaseActivity(db: Queryable): Promise<z.infer<typeof ActivityRow>> {
  const { rows } = await db.query(
    `select current_setting('server_version') as version, pg_database_size(current_database()) as bytes, current_setting('max_connections') as connections_max,
       count(*) filter (where application_name like 'acgs-pgp-v8%')::int as connections, count(*) filter (where wait_event_type = 'Lock')::int as waiting_for_locks,
       coalesce(extract(epoch from now() - min(xact_start) filter (where pid <> pg_backend_pid())), 0)::float8 as oldest_transaction_seconds
     from pg_stat_activity where datname = current_database()`,
  )
  return ActivityRow.parse(rows[0])
}

const FiringRow = z.object({ stabilizer: z.string(), held: z.int(), fired: z.int(), not_run: z.int() })

/** How often each check of the last day held, fired and was not run. */
export async function lastDayOfStabilizers(db: Queryable): Promise<readonly z.infer<typeof FiringRow>[]> {
  const { rows } = await db.query(
    `select stabilizer_id as stabilizer, count(*) filter (where outcome = 1)::int as held, count(*) filter (where outcome = -1)::int as fired, count(*) filter (where outcome = 0)::int as not_run
     from stabilizer_executions where executed_at > now() - interval '1 day' group by stabilizer_id order by stabilizer_id`,
  )
  return rows.map((row) => FiringRow.parse(row))
}

function valuesOf(row: DiagnosticRow): unknown[] {
  return COLUMNS.map((column) => (DOCUMENTS.includes(column) ? documentText(column, row[column] as Json) : row[column]))
}

function placeholders(from: number): string {
  return COLUMNS.map((column, i) => `$${from + i}${DOCUMENTS.includes(column) ? '::jsonb' : column === 'created_at' ? '::timestamptz' : ''}`).join(', ')
}

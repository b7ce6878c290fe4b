import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { testDatabase, type TestDatabase } from '#test/database.ts'

const ROWS = 20_000

let db: TestDatabase
before(async () => {
  db = await testDatabase()
  await db.query(
    `insert into policy_generations (generation_id, title, description, stakeholders, constitutional_principles, priority, context, constitutional_hash, generation_time_ms, model_consensus_data, recommendations,
       user_id, status, verdict, violated_articles, certificate_id, certificate, request, evidence, created_at)
     select 'gen-' || n, 'Title', 'Description', '[]', case when n % 500 = 0 then '["privacy"]' else '[]' end::jsonb, (array['low', 'medium', 'high', 'critical'])[1 + n % 4], '{}', 'cdd01ef066bc6cf2', 1, '{}', '[]',
       'author-' || n % 200, 'completed', case when n % 2 = 0 then 'certified' else 'refused' end, case when n % 500 = 1 then '{privacy.consent}' else '{}' end::text[],
       case when n % 2 = 0 then 'cert-' || n end, case when n % 2 = 0 then '{}' end::jsonb, '{}', '{}', date_trunc('milliseconds', now() - n * interval '30 minutes')
     from generate_series(1, ${ROWS}) n`,
  )
  await db.query(
    `insert into ledger_entries (index, kind, at, subject, entry, leaf_hash, root)
     select n - 1, 'generation.certified', date_trunc('milliseconds', now()), 'gen-' || n, '{}', sha256(''), sha256('') from generate_series(1, ${ROWS}) n`,
  )
  await db.query(
    `insert into generation_requests (generation_id, subject, idempotency_key, request_digest, request, state, accepted_at, ended_at, attempt, silent, held_until)
     select 'gen-' || n, 'author-' || n % 200, 'key-' || n, 'd', case when n > ${ROWS} - 20 then '{}' end::jsonb, case when n > ${ROWS} - 20 then 'accepted' else 'finished' end, date_trunc('milliseconds', now()),
       case when n > ${ROWS} - 20 then null else now() - n * interval '1 minute' end, 0, 0, now() from generate_series(1, ${ROWS}) n`,
  )
  await db.query(`insert into auth.oidc_payloads (model, id, payload, expires_at) select 'Used', 'jti-' || n, '{}', now() + n * interval '1 minute' from generate_series(1, ${ROWS}) n`)
  await db.query(
    `insert into system_diagnostics (diagnostic_id, kind, target_system, subject, depth, status, errors_detected, critical_errors, faults_detected, faults_corrected, findings, measured, not_measured, constitutional_hash, created_at)
     select 'diag-' || n, 'generation', 'gen-' || n, 'author-' || n % 200, 'standard', 'healthy', 0, 0, case when n % 500 = 0 then 1 else 0 end, 0, '[]', '{}', '[]', 'cdd01ef066bc6cf2', now() - n * interval '30 minutes'
     from generate_series(1, ${ROWS}) n`,
  )
  await db.query(
    `insert into stabilizer_executions (diagnostic, position, stabilizer_id, stabilizer_group, table_version, candidates, outcome, executed_at)
     select n, p, 'check-' || p, 'STAB-SEMAN001', '1.0.0', '{}', 1, now() - n * interval '30 minutes' from generate_series(1, ${ROWS}) n, generate_series(0, 4) p`,
  )
  await db.query(
    `insert into lsu_records (diagnostic_id, lsu_id, subject, digest, version, constitutional_hash, compliance_validated, created_at)
     select 'diag-' || n, 'LSU-' || n, 'author-' || n % 200, 'd', 1, 'cdd01ef066bc6cf2', true, now() - n * interval '30 minutes' from generate_series(1, ${ROWS}) n`,
  )
  await db.query('analyze') // The runbook's ANALYZE, as the owner of the tables.
})
after(() => db[Symbol.asyncDispose]())

type Plan = { readonly 'Node Type': string; readonly 'Index Name'?: string; readonly 'Relation Name'?: string; readonly Plans?: readonly Plan[] }
async function planOf(sql: string): Promise<{ indexes: readonly string[]; read: readonly string[] }> {
  const { rows } = await db.query<{ 'QUERY PLAN': [{ Plan: Plan }] }>(`explain (analyze, format json) ${sql}`)
  const nodes: Plan[] = []
  const visit = (plan: Plan): void => {
    nodes.push(plan)
    for (const each of plan.Plans ?? []) visit(each)
  }
  visit(rows[0]!['QUERY PLAN'][0].Plan)
  return { indexes: nodes.flatMap((node) => node['Index Name'] ?? []), read: nodes.filter((node) => node['Node Type'] === 'Seq Scan').map((node) => node['Relation Name'] ?? '?') }
}

/** The runbook's query, and what the product asks again and again; by which index each is answered. */
const QUERIES: readonly (readonly [what: string, sql: string, index: string])[] = [
  ['the runbook: generations of a day', `SELECT * FROM policy_generations WHERE created_at > NOW() - INTERVAL '1 day'`, 'policy_generations_newest'],
  ['a page of the newest', 'select title from policy_generations order by created_at desc, generation_id desc limit 51', 'policy_generations_newest'],
  ['the page after it', `select title from policy_generations where (created_at, generation_id) < (now() - interval '30 days', 'gen-1') order by created_at desc, generation_id desc limit 51`, 'policy_generations_newest'],
  ['one generation', `select title from policy_generations where generation_id = 'gen-77'`, 'policy_generations_generation_id_key'],
  ['one certificate', `select from policy_generations where certificate_id = 'cert-78'`, 'policy_generations_by_certificate'],
  ['of one author', `select title from policy_generations where user_id = 'author-7' order by created_at desc, generation_id desc limit 51`, 'policy_generations_by_user'],
  ['by a violated article', `select title from policy_generations where violated_articles @> array['privacy.consent'::text]`, 'policy_generations_by_article'],
  ['by a named principle', `select title from policy_generations where constitutional_principles ? 'privacy'`, 'policy_generations_by_principle'],
  ['entries about a generation', `select index from ledger_entries where subject = 'gen-77' order by index`, 'ledger_entries_by_subject'],
  ['a root', 'select root from ledger_entries where index = 77', 'ledger_entries_pkey'],
  ['what an append asks', 'select size, frontier, root, (select root from ledger_entries where index = 76) as known from ledger_tip for update', 'ledger_entries_pkey'],
  ['the request of a key', `select from generation_requests where subject = 'author-7' and idempotency_key = 'key-7'`, 'generation_requests_by_key'],
  ['requests that nobody holds', `select generation_id from generation_requests where state = 'accepted' and held_until < now() order by held_until limit 4`, 'generation_requests_to_do'],
  ['requests to forget', `select from generation_requests where state <> 'accepted' and ended_at < now() - interval '13 days'`, 'generation_requests_by_end'],
  ['one diagnostic', `select findings from system_diagnostics where diagnostic_id = 'diag-77'`, 'system_diagnostics_diagnostic_id_key'],
  ['a page of the newest diagnostics', 'select status from system_diagnostics order by created_at desc, diagnostic_id desc limit 51', 'system_diagnostics_newest'],
  ['diagnostics of one author', `select status from system_diagnostics where subject = 'author-7' order by created_at desc, diagnostic_id desc limit 51`, 'system_diagnostics_by_subject'],
  ['corrections', `select status from system_diagnostics where faults_detected > 0 order by created_at desc, diagnostic_id desc limit 51`, 'system_diagnostics_with_faults'],
  ['the checks of a diagnostic', `select outcome from stabilizer_executions where diagnostic = (select id from system_diagnostics where diagnostic_id = 'diag-77') order by position`, 'stabilizer_executions_pkey'],
  ['checks of the last day', `select stabilizer_id, count(*) from stabilizer_executions where executed_at > now() - interval '1 day' group by stabilizer_id`, 'stabilizer_executions_newest'],
  ['what a document was found to be', `select compliance_validated from lsu_records where lsu_id = 'LSU-77' order by created_at desc`, 'lsu_records_by_lsu'],
  ['a used assertion', `select payload from auth.oidc_payloads where model = 'Used' and id = 'jti-7'`, 'oidc_payloads_pkey'],
  ['assertions to forget', `select id from auth.oidc_payloads where expires_at < now() order by expires_at limit 10`, 'oidc_payloads_expires_at'],
]
for (const [what, sql, index] of QUERIES) {
  test(`${what}: answered by an index, however many there are`, async () => {
    const { indexes, read } = await planOf(sql)
    assert.deepEqual(read.filter((table) => table !== 'ledger_tip'), [])
    assert.ok(indexes.includes(index), `by ${indexes.join(', ')}`)
  })
}

test('the runbook’s look at the use of indexes shows them, and without the index its query reads everything', async () => {
  const { rows } = await db.query<{ indexname: string }>(`SELECT schemaname, relname as tablename, indexrelname as indexname, idx_scan, idx_tup_read, idx_tup_fetch FROM pg_stat_user_indexes`)
  for (const [, , index] of QUERIES) assert.ok(rows.some((row) => row.indexname === index), index)
  // Those that begin with something else, too: PostgreSQL 18 can skip over that.
  await db.query('drop index policy_generations_newest, policy_generations_by_verdict, policy_generations_by_priority, policy_generations_by_user')
  assert.deepEqual((await planOf(QUERIES[0]![1])).read, ['policy_generations'])
})

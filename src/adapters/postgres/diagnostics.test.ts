import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Failure } from '#core/failure.ts'
import { testDatabase, type TestDatabase } from '#test/database.ts'
import { diagnosticRow as row, execution, lsuRow as unit } from '#test/diagnostic-row.ts'
import { generationRow } from '#test/generation-row.ts'
import { databaseActivity, forgetDiagnostics, lastDayOfStabilizers, lastHour, listDiagnostics, readDiagnostic, recordDiagnostic, recordUnitDiagnostic } from './diagnostics.ts'
import { recordGeneration } from './generations.ts'

test('what is stored comes back as it was: the diagnostic, its unit and every check', async () => {
  await using db = await testDatabase()
  const executions = [execution(0, 1), execution(1, -1), execution(2, 0, { durationMs: null, candidates: [] })]
  await recordUnitDiagnostic(db, row(1), unit, executions, new Date())
  const there = await readDiagnostic(db, 'diag_1')
  assert.deepEqual(there, {
    ...row(1),
    executions: executions.map(({ stabilizer, group, tableVersion, evidenceDigest, durationMs, ...each }) => ({ ...each, stabilizer_id: stabilizer, stabilizer_group: group, table_version: tableVersion, evidence_digest: evidenceDigest, duration_ms: durationMs })),
  })
  const { rows } = await db.query('select lsu_id, document, version, subject, compliance_validated from lsu_records')
  assert.deepEqual(rows, [{ lsu_id: 'LSU-000001', document: unit.document, version: 3, subject: 'ada', compliance_validated: false }])
  assert.deepEqual(await lastDayOfStabilizers(db), [{ stabilizer: 'same-meaning', held: 1, fired: 1, not_run: 1 }])
})

test('what is there already stays as it is, and a unit without checks is one too', async () => {
  await using db = await testDatabase()
  await recordUnitDiagnostic(db, row(1), unit, [], new Date())
  await recordUnitDiagnostic(db, row(1, { subject: 'eve' }), { ...unit, lsu_id: 'LSU-000002' }, [], new Date())
  await recordDiagnostic(db, row(1, { subject: 'eve' }))
  assert.equal((await readDiagnostic(db, 'diag_1'))?.subject, 'ada')
  assert.equal((await db.query('select from lsu_records')).rowCount, 1)
})

test('a document that cannot be stored is refused, and a check without a reason for not being run is a bug', async () => {
  await using db = await testDatabase()
  await assert.rejects(recordUnitDiagnostic(db, row(1), { ...unit, document: 'a\0b' }, [], new Date()), (error: Failure) => error.code === 'REQUEST_MALFORMED')
  await assert.rejects(recordDiagnostic(db, row(1, { findings: row(1).findings.map((each) => ({ ...each, message: 'a\0b' })) })), (error: Failure) => error.code === 'REQUEST_MALFORMED')
  await assert.rejects(recordUnitDiagnostic(db, row(1), unit, [execution(0, 0, { reason: null })], new Date()), /check constraint/)
  assert.equal(await readDiagnostic(db, 'diag_1'), null)
  assert.equal(await readDiagnostic(db, 'diag\0'), null)
})

test('a page begins where the one before ended, also among those of one instant, and filters hold', async () => {
  await using db = await testDatabase()
  const at = new Date(Date.UTC(2026, 10, 24))
  for (let n = 1; n <= 7; n++) await recordDiagnostic(db, row(n, { created_at: at, subject: n % 2 === 0 ? 'ada' : 'eve', faults_detected: n > 4 ? 2 : 0, faults_corrected: n > 5 ? (n > 6 ? 2 : 1) : 0 }))
  const seen: string[] = []
  for (let cursor: string | null | undefined; cursor !== null;) {
    const { diagnostics, next } = await listDiagnostics(db, { limit: 2, ...(cursor === undefined ? {} : { cursor }) })
    seen.push(...diagnostics.map(({ diagnostic_id }) => diagnostic_id))
    cursor = next
  }
  assert.deepEqual(seen, [7, 6, 5, 4, 3, 2, 1].map((n) => `diag_${n}`))
  const ids = async (filters: Parameters<typeof listDiagnostics>[1]) => (await listDiagnostics(db, filters)).diagnostics.map(({ diagnostic_id }) => Number(diagnostic_id.slice(5)))
  assert.deepEqual(await ids({ subject: 'ada' }), [6, 4, 2])
  assert.deepEqual(await ids({ correction: 'detected' }), [7, 6, 5])
  assert.deepEqual(await ids({ correction: 'corrected' }), [7, 6])
  assert.deepEqual(await ids({ correction: 'unsettled' }), [6, 5])
  assert.deepEqual(await ids({ target: 'gen_3' }), [3])
  assert.deepEqual(await ids({ kind: 'system' }), [])
  assert.deepEqual(await ids({ to: at }), [])
  assert.equal((await ids({ from: at, status: 'unhealthy' })).length, 7)
  await assert.rejects(listDiagnostics(db, { cursor: 'x' }), (error: Failure) => error.code === 'REQUEST_MALFORMED')
})

test('an empty database has no rates, and says what it is', async () => {
  await using db = await testDatabase()
  assert.deepEqual(await lastHour(db), { certified: 0, refused: 0, undetermined: 0, failed: 0, p95_ms: null, median_undetermined_score: null })
  const { bytes, connections, version } = await databaseActivity(db)
  assert.ok(bytes > 0 && connections >= 1 && /^\d+/.test(version))
})

test('what is older than it is kept is forgotten whole, in as many steps as it takes, and nothing else', async () => {
  await using db = await testDatabase()
  const daysAgo = (days: number) => new Date(Date.now() - days * 86_400_000)
  const ages = [400, 370, 366, 364, 0]
  for (const [n, days] of ages.entries()) await recordUnitDiagnostic(db, row(n, { created_at: daysAgo(days) }), { ...unit, lsu_id: `LSU-${n}` }, [execution(0, 1), execution(1, -1)], daysAgo(days))
  assert.equal(await forgetDiagnostics(db, 365, 2), 3)
  assert.deepEqual((await listDiagnostics(db)).diagnostics.map(({ diagnostic_id }) => diagnostic_id), ['diag_4', 'diag_3'])
  assert.equal(await left(db), 2 * (1 + 1 + 2))
  assert.equal((await readDiagnostic(db, 'diag_3'))?.executions.length, 2)
  assert.equal(await forgetDiagnostics(db, 365), 0)
})

const FAILS = { ...generationRow(1), title: 'a\0b' }
const left = async (db: TestDatabase) => Number((await db.query<{ n: string }>('select (select count(*) from system_diagnostics) + (select count(*) from lsu_records) + (select count(*) from stabilizer_executions) as n')).rows[0]?.n)

test('of a generation that is not stored nothing is diagnosed either', async () => {
  await using db = await testDatabase()
  await assert.rejects(db.transaction(async (tx) => {
    await recordUnitDiagnostic(tx, row(1), unit, [execution(0, 1)], new Date())
    await recordGeneration(tx, FAILS)
  }))
  assert.equal(await left(db), 0)
})

test('sabotage twin: outside of its transaction something would be left of it', async () => {
  await using db = await testDatabase()
  await assert.rejects(db.transaction(async (tx) => {
    await recordUnitDiagnostic(db, row(1), unit, [execution(0, 1)], new Date())
    await recordGeneration(tx, FAILS)
  }))
  assert.equal(await left(db), 3)
})

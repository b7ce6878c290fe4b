import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Database } from '#adapters/postgres/connect.ts'
import { recordGeneration } from '#adapters/postgres/generations.ts'
import { Failure } from '#core/failure.ts'
import { createHealth, type Component } from '#http/health.ts'
import { breakerTurned } from '#telemetry/events.ts'
import { createLog } from '#telemetry/log.ts'
import { createMetrics } from '#telemetry/metrics.ts'
import { testDatabase } from '#test/database.ts'
import { generationRow } from '#test/generation-row.ts'
import { createSystemLook } from './diagnose-system.ts'

const IS_OUT: Database = {
  query: async () => { throw new Failure('DATABASE_UNAVAILABLE', 'out') }, transaction: async () => { throw new Failure('DATABASE_UNAVAILABLE', 'out') }, connections: () => 0, [Symbol.asyncDispose]: async () => {},
}

async function lookAt(database: Database, components: readonly Component[], before: (telemetry: { log: ReturnType<typeof createLog>; metrics: ReturnType<typeof createMetrics> }) => void = () => {}, hasRedis = false) {
  const telemetry = { log: createLog({ service: 'test', level: 'silent' }), metrics: createMetrics({ service: 'test', version: '8.0.0', constitutionalHash: 'cdd01ef066bc6cf2', description: 'test' }) }
  before(telemetry)
  const health = createHealth({ service: 'test', version: '8.0.0', constitution: { hash: 'cdd01ef066bc6cf2', digest: '0'.repeat(64) }, components, telemetry, intervalMs: 60_000, timeoutMs: 500 })
  return createSystemLook({ health, metrics: telemetry.metrics, database, pool: () => ({ max: 2, threads: 1, busy: 1, waiting: 3 }), databaseConnectionsMax: 10, hasRedis, complianceThreshold: 0.8 })
}
const component = (name: string, status: 'healthy' | 'degraded' | 'unhealthy', isCritical = false, detail = 'why'): Component => ({ name, isCritical, probe: () => (status === 'healthy' ? { status } : { status, detail }) })

test('each component is looked at now; what is not well is found, and named with what would settle it', async () => {
  await using db = await testDatabase()
  let probed = 0
  const { look } = await lookAt(db, [component('database', 'unhealthy', true), component('solver', 'degraded'), component('other', 'unhealthy'), { name: 'well', isCritical: true, probe: () => (probed++, { status: 'healthy' }) }])
  const { findings, healthScore, measured } = await look(null, 'standard')
  assert.deepEqual(findings.map(({ about, severity, category }) => `${about} ${severity} ${category}`), ['database critical component', 'solver error component', 'other error component'])
  assert.match(findings[0]?.message ?? '', /^database is unhealthy: why$/)
  assert.match(findings[2]?.remedy.action ?? '', /other: why/)
  assert.deepEqual([probed, healthScore, measured['solver_pool']], [1, 0.25, { max: 2, threads: 1, busy: 1, waiting: 3 }])
})

test('what was never looked at is not well', async () => {
  await using db = await testDatabase()
  const { look } = await lookAt(db, [component('database', 'healthy', true)])
  const { findings, healthScore } = await look(null, 'basic')
  assert.deepEqual([findings.map(({ about, severity }) => `${about} ${severity}`), healthScore], [['database critical'], 0])
})

test('a breaker that is open is found; of one component only its own', async () => {
  await using db = await testDatabase()
  const { look } = await lookAt(db, [component('pgc', 'healthy'), component('solver', 'healthy')], (telemetry) => breakerTurned(telemetry, { service: 'pgc', state: 'open' }))
  for (const target of [null, 'pgc']) assert.deepEqual((await look(target, 'standard')).findings.map(({ category, remedy }) => `${category} ${remedy.strategy}`), ['breaker wait'], String(target))
  assert.deepEqual((await look('solver', 'standard')).findings, [])
})

test('while the database is out, what it would tell is said to be not measured, and nothing is well for it', async () => {
  const { look } = await lookAt(IS_OUT, [component('database', 'unhealthy', true)])
  const { measured, notMeasured, findings } = await look(null, 'comprehensive')
  for (const what of ['generations_last_hour', 'queue', 'database', 'stabilizers_last_day']) assert.ok(notMeasured.some((each) => each.what === what), what)
  assert.deepEqual([measured['generations_last_hour'], measured['queue'], measured['slo'], findings.length], [null, null, [], 1])
})

test('a failure of another kind is not taken for a database that is out', async () => {
  const broken: Database = { ...IS_OUT, query: async () => { throw new Error('a mistake of ours') } }
  await assert.rejects((await lookAt(broken, [])).look(null, 'standard'), /a mistake of ours/)
})

test('objectives are measured over the last hour, once there are enough; the slow, the failed and the undetermined are found', async () => {
  await using db = await testDatabase()
  const { look } = await lookAt(db, [], undefined, true)
  const store = async (from: number, to: number) => {
    for (let n = from; n < to; n++) {
      const undetermined = { verdict: 'undetermined', certificate: null, certificate_id: null, policy_content: null, constitutional_compliance_score: 0.5 } as const
      await db.transaction((tx) => recordGeneration(tx, generationRow(n, { ...undetermined, created_at: new Date(Date.now() - n), generation_time_ms: 700 })))
    }
  }
  await store(0, 19)
  const few = await look(null, 'standard')
  assert.deepEqual(few.findings, [], 'nothing is said of 19')
  assert.deepEqual(few.notMeasured.map(({ what }) => what), ['slo.availability', 'slo.latency', 'slo.failures', 'slo.compliance'])
  await store(19, 20)
  await db.query(`insert into generation_requests (generation_id, subject, request_digest, state, accepted_at, ended_at, attempt, silent, held_until, outcome) values ('f', 's', 'd', 'failed', date_trunc('milliseconds', now()), now(), 1, 0, now(), '{}')`)
  await db.query(`insert into generation_requests (generation_id, subject, request_digest, request, state, accepted_at, attempt, silent, held_until) values ('w', 's', 'd', '{}', 'accepted', date_trunc('milliseconds', now() - interval '1 minute'), 1, 0, now())`)
  const { findings, measured } = await look(null, 'standard')
  assert.deepEqual(findings.map(({ about, category }) => `${about} ${category}`), ['slo.latency latency', 'slo.failures rate', 'slo.compliance constitution', 'queue queue'])
  assert.deepEqual((measured['slo'] as { met: boolean }[]).map(({ met }) => met), [false, false, false])
  assert.match(findings[1]?.message ?? '', /4\.8 %/)
})

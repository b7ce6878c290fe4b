import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { readConfig, ROOT } from '#config'
import { loadConstitution } from '#adapters/constitution.ts'
import { createExaminer } from '#adapters/examiner.ts'
import { loadPacks } from '#adapters/packs.ts'
import { acceptRequest, endRequest, readRequest } from '#adapters/postgres/generation-requests.ts'
import { digest } from '#core/canonical.ts'
import { GenerateBody } from '#core/unit/request.ts'
import { toUnit } from '#core/unit/to-unit.ts'
import { propose } from '#services/synthesis/propose.ts'
import { createLog } from '#telemetry/log.ts'
import { createMetrics } from '#telemetry/metrics.ts'
import { testDatabase, type TestDatabase } from '#test/database.ts'
import { agreeingProver } from '#test/prover.ts'
import { createAttempt, EndedElsewhere } from './attempt.ts'

const { constitutional } = readConfig({ env: {} })
const { constitution, shown } = loadConstitution(constitutional, constitutional.hash)
const examiner = createExaminer(constitution, agreeingProver())
const packs = loadPacks(join(ROOT, 'packs'))
const telemetry = { log: createLog({ service: 'test', level: 'silent' }), metrics: createMetrics({ service: 'test', version: '8.0.0', constitutionalHash: shown.hash, description: 'test' }) }
// Refused, so that nobody has to sign.
const body = GenerateBody.parse({ title: 'Exports', description: 'Nurses may export charts.', context: { domain: 'data-protection' } })

/** One attempt at a request that is written down; `before` runs ahead of it. */
async function attempted(db: TestDatabase, id: string, { key, attempt }: { key: string | null; attempt: number }, before: () => Promise<unknown> = async () => {}) {
  const request = { id, subject: 'ada', key, body, at: new Date() }
  await acceptRequest(db, { ...request, digest: digest(body) }, 'a', 60)
  await before()
  const unit = toUnit(id, body, { packs, constitution, parseSchema: examiner.parseSchema, threshold: 0.8 })
  return createAttempt({ examiner, database: db, telemetry, shown, propose, certify: () => assert.fail('nothing is certified') })({ request: { ...request, attempt, silent: 1, postponed: 0, steps: [] }, steps: [] }, unit)
}
const count = async (db: TestDatabase) => (await db.query(`select (select count(*)::int from policy_generations) as generations, (select count(*)::int from ledger_entries) as entries, (select count(*)::int from system_diagnostics) as diagnostics`)).rows[0]

test('what is told is kept where it may have to be told again: under a key, and to the client of an attempt that was overtaken', async () => {
  await using db = await testDatabase()
  for (const [id, how, isKept] of [['gen_1', { key: null, attempt: 1 }, false], ['gen_2', { key: 'k', attempt: 1 }, true], ['gen_3', { key: null, attempt: 2 }, true]] as const) {
    const { outcome, generation } = await attempted(db, id, how)
    assert.equal(generation.verdict.kind, 'violates')
    const there = await readRequest(db, id)
    assert.deepEqual([there?.state, there?.outcome], ['finished', isKept ? JSON.stringify(outcome) : null], id)
  }
  assert.deepEqual(await count(db), { generations: 3, entries: 3, diagnostics: 3 })
})

test('of an attempt whose request somebody else has ended nothing is kept', async () => {
  await using db = await testDatabase()
  const end = () => endRequest(db, 'gen_1', { state: 'finished', at: new Date(), steps: [], outcome: null })
  await assert.rejects(attempted(db, 'gen_1', { key: null, attempt: 1 }, end), (error) => error instanceof EndedElsewhere)
  assert.deepEqual(await count(db), { generations: 0, entries: 0, diagnostics: 0 })
})

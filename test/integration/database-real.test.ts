import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect, type Database } from '#adapters/postgres/connect.ts'
import { migrate, readMigrations } from '#adapters/postgres/migrate.ts'
import { listGenerations, recordGeneration } from '#adapters/postgres/generations.ts'
import { verifyLedger } from '#adapters/postgres/ledger-verify.ts'
import { Failure } from '#core/failure.ts'
import { generationRow } from '#test/generation-row.ts'
import { needsPostgres, query, startPostgres, type TestPostgres } from '#test/postgres.ts'
import { runAcgs } from '#test/product.ts'

let pg: TestPostgres
let db: Database
before(async () => {
  if (needsPostgres.skip !== false) return
  pg = await startPostgres({ shared_preload_libraries: 'pg_stat_statements' })
  db = connect(pg.url, { name: 'test', connectionsMax: 4, connectTimeoutMs: 2_000 })
  await migrate(db, readMigrations('migrations'))
  for (let n = 0; n < 3; n++) await db.transaction((tx) => recordGeneration(tx, generationRow(n)))
})
after(async () => {
  await db?.[Symbol.asyncDispose]()
  await pg?.[Symbol.asyncDispose]()
})
const slow = async (...args: string[]) => {
  const { status, stdout, stderr } = await runAcgs(['ops', 'slow-queries', ...args], { DATABASE_URL: pg.url })
  return { status, stdout, stderr }
}

test('the slowest statements are those that the server has counted, without the values in them', { ...needsPostgres }, async () => {
  const without = await slow('--json')
  assert.equal(without.status, 4, without.stderr)
  assert.match(JSON.parse(without.stdout).because, /CREATE EXTENSION pg_stat_statements/)
  await query(pg.superuserUrl.replace(/postgres$/, 'acgs_db'), 'create extension pg_stat_statements')
  await db.query('select pg_sleep(0.3), $1::text', ['a-secret-value'])
  for (let i = 0; i < 3; i++) await listGenerations(db)
  const found = await slow('--by', 'max', '--limit', '5', '--json')
  assert.equal(found.status, 0, found.stderr)
  const { server, statements, since } = JSON.parse(found.stdout)
  assert.match(server, /^15\./)
  assert.ok(since !== null && statements.length === 5)
  assert.match(statements[0].query, /select pg_sleep\(\$\d\), \$\d::text/)
  assert.ok(statements[0].max_ms >= 300 && statements[0].calls === 1)
  assert.ok(statements.every((each: { max_ms: number }, at: number) => at === 0 || each.max_ms <= statements[at - 1].max_ms), 'in their order')
  assert.doesNotMatch(found.stdout, /a-secret-value/)
  const table = await slow('--by', 'total')
  assert.match(table.stdout, /total ms +mean +max +calls +rows\n.*select pg_sleep/)
})

test('a server that is restarted under load costs a 503 each, and nothing that was recorded', { ...needsPostgres }, async () => {
  const recorded: number[] = []
  let refused = 0
  let isOver = false
  let next = 100
  const work = Array.from({ length: 4 }, async () => {
    while (!isOver) {
      const n = next++
      try {
        await db.transaction((tx) => recordGeneration(tx, generationRow(n)))
        recorded.push(n)
      } catch (error) {
        assert.ok(error instanceof Failure && error.code === 'DATABASE_UNAVAILABLE', String(error))
        refused++
        await sleep(20)
      }
    }
  })
  await sleep(200)
  await pg.restart()
  const before = recorded.length
  while (recorded.length < before + 20) await sleep(20)
  isOver = true
  await Promise.all(work)
  assert.ok(refused > 0)
  const { rows } = await db.query<{ id: string }>('select generation_id as id from policy_generations')
  const there = new Set(rows.map(({ id }) => id))
  assert.deepEqual(recorded.filter((n) => !there.has(generationRow(n).generation_id)), [])
  assert.deepEqual((await verifyLedger(db)).problems, [])
})

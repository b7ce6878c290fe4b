import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

import { sha256 } from '#core/canonical.ts'
import { emptyDatabase } from '#test/database.ts'
import { connect } from './connect.ts'
import { migrate, readMigrations, type Migration } from './migrate.ts'

function migration(number: number, sql: string): Migration {
  return { number, name: `000${number}_x.sql`, sql, digest: sha256(sql), isBreaking: false }
}
const first = migration(1, 'create table a (x int)')
const third = migration(3, 'create table c (x int); insert into c values (1)')

test('what is missing is applied in order, once, by however many start together', async () => {
  await using db = await emptyDatabase()
  await using other = connect(db.url, { name: 'test' })
  const applied = await Promise.all([migrate(db, [first, third]), migrate(other, [first, third])])
  assert.deepEqual(applied.flat(), ['0001_x.sql', '0003_x.sql'])
  assert.deepEqual(await migrate(db, [first, third]), [])
  assert.equal((await db.query('select x from c')).rowCount, 1)
})

test('all or nothing: a migration that fails leaves the database as it was', async () => {
  await using db = await emptyDatabase()
  await assert.rejects(migrate(db, [first, migration(2, 'create table b (x nonsense)')]), { code: 'DATABASE_UNAVAILABLE', message: /`0002_x.sql` failed: .*nonsense/ })
  await assert.rejects(db.query('select from a'), /does not exist/)
})

test('a migration that was changed after it was applied is refused', async () => {
  await using db = await emptyDatabase()
  await migrate(db, [first])
  await assert.rejects(migrate(db, [{ ...first, digest: sha256('other') }]), { code: 'DATABASE_UNAVAILABLE', message: /changed after this database applied it/ })
})

test('a migration that comes too late in the order is refused', async () => {
  await using db = await emptyDatabase()
  await migrate(db, [first, third])
  await assert.rejects(migrate(db, [first, migration(2, 'select 1'), third]), { code: 'DATABASE_UNAVAILABLE', message: /too late/ })
})

test('the release before keeps working on what a newer one has migrated', async () => {
  await using db = await emptyDatabase()
  await migrate(db, [first, third])
  assert.deepEqual(await migrate(db, [first]), [])
})

test('what a newer release has changed so that older ones cannot work on it is refused by them, by name', async () => {
  await using db = await emptyDatabase()
  await migrate(db, [first, { ...third, isBreaking: true }])
  await assert.rejects(migrate(db, [first]), { code: 'DATABASE_UNAVAILABLE', message: /`0003_x.sql` of a newer release .*start that release/ })
  assert.deepEqual(await migrate(db, [first, { ...third, isBreaking: true }]), [])
})

test('a database from before breaking migrations were marked goes on', async () => {
  await using db = await emptyDatabase()
  await migrate(db, [first])
  await db.query('alter table schema_migrations drop column is_breaking')
  assert.deepEqual(await migrate(db, [first, third]), ['0003_x.sql'])
})

test('a migration does not hold up the release before: it gives up, lets others pass, and comes again when the table is free', async () => {
  await using db = await emptyDatabase()
  await migrate(db, [first])
  await using reader = connect(db.url, { name: 'test', connectionsMax: 2 })
  const adds = migration(2, 'alter table a add column y int')
  const wait = { lockMs: 50, pauseMs: 50, timesMax: 1_000 }
  let migrated: Promise<unknown> | undefined
  await reader.transaction(async (tx) => {
    await tx.query('select from a') // The table is in use until this ends.
    await assert.rejects(migrate(db, [first, adds], 'public', { ...wait, timesMax: 2 }), { code: 'DATABASE_UNAVAILABLE', message: /waits for a table that is in use all the time: end what uses it/ })
    migrated = migrate(db, [first, adds], 'public', wait)
    await waits(db)
    assert.equal((await reader.query('select from a')).rowCount, 0, 'and whoever comes after it is not kept waiting for it')
  })
  assert.deepEqual(await migrated, ['0002_x.sql'])
})

/** Until somebody waits for a lock on a table. */
async function waits(db: { readonly query: (sql: string) => Promise<{ rowCount: number | null }> }): Promise<void> {
  while ((await db.query('select from pg_locks where not granted and relation is not null')).rowCount === 0) await new Promise((resolve) => setTimeout(resolve, 5))
}

test('who waits for another process that migrates can be told to give up, and says for whom it waits when nobody finishes', async () => {
  await using db = await emptyDatabase()
  const wait = { lockMs: 30, pauseMs: 5, timesMax: 3 }
  await db.transaction(async (other) => {
    await other.query('select pg_advisory_xact_lock($1)', [0x61636773])
    await assert.rejects(migrate(db, [], 'public', wait), { code: 'DATABASE_UNAVAILABLE', message: /waits for another process that migrates/ })
    const asked = new AbortController()
    const given = migrate(db, [], 'public', { ...wait, timesMax: 1_000_000 }, asked.signal)
    setTimeout(() => asked.abort(), 50)
    await assert.rejects(given, { name: 'AbortError' })
  })
  assert.deepEqual(await migrate(db, [], 'public', wait), [])
})

test('files are named by number and words, and no two share a number', () => {
  const folder = mkdtempSync(join(tmpdir(), 'migrations-'))
  try {
    writeFileSync(join(folder, '0001_a.sql'), '-- a')
    writeFileSync(join(folder, 'notes.md'), 'not one')
    writeFileSync(join(folder, '0002_c.sql'), '-- c\n--! breaking\ndrop table b;')
    assert.deepEqual(readMigrations(folder).map(({ name, isBreaking }) => [name, isBreaking]), [['0001_a.sql', false], ['0002_c.sql', true]])
    writeFileSync(join(folder, '0001_b.sql'), '-- b')
    assert.throws(() => readMigrations(folder), /has the number of `0001_a.sql`/)
    rmSync(join(folder, '0001_b.sql'))
    writeFileSync(join(folder, '2_b.sql'), '-- b')
    assert.throws(() => readMigrations(folder), /is not named like/)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('every shipped migration says on its first line what it brings', () => {
  for (const folder of ['migrations', 'migrations/auth']) {
    for (const { name, sql } of readMigrations(fileURLToPath(new URL(`../../../${folder}`, import.meta.url)))) assert.match(sql, /^-- [A-Z].{20,}\.\n/, name)
  }
})

test('a database from when all migrations were one list goes on', async () => {
  await using db = await emptyDatabase()
  const auth = readMigrations(fileURLToPath(new URL('../../../migrations/auth', import.meta.url)))
  await migrate(db, [first, migration(2, 'create schema auth; create table auth.oidc_payloads (model text, id text, payload jsonb, grant_id text, user_code text, uid text, consumed_at timestamptz, expires_at timestamptz, primary key (model, id))'), third])
  await db.query("insert into auth.oidc_payloads (model, id, payload) values ('ReplayDetection', 'x', '{}')")
  assert.deepEqual(await migrate(db, [first, third]), [])
  assert.equal((await migrate(db, auth, 'auth')).length, auth.length)
  assert.equal((await db.query('select from auth.oidc_payloads')).rowCount, 1)
})

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { certificateKeyIn, keysIn } from '#adapters/keys/certificate-key.ts'
import { recordGeneration } from '#adapters/postgres/generations.ts'
import { programFor, runProgram } from '#adapters/postgres/programs.ts'
import { signCheckpoint } from '#core/ledger/checkpoint.ts'
import { backupFolder, on } from '#test/backups.ts'
import { contentsOf } from '#test/fill-database.ts'
import { generationRow } from '#test/generation-row.ts'
import { needsPostgres, query, startPostgres, type TestPostgres } from '#test/postgres.ts'
import { runAcgs } from '#test/product.ts'

const { folder, outside, backups, fill, dataFolder, remove, ops } = backupFolder()
let pg: TestPostgres | null = null
after(async () => {
  await pg?.[Symbol.asyncDispose]()
  remove()
})

test('a real server is backed up by pg_dump, custom and plain, and restored into an empty database', { ...needsPostgres }, async (t) => {
  pg = await startPostgres()
  await fill(pg.url)
  const there = await on(pg.url, contentsOf)
  await query(pg.superuserUrl.replace(/postgres$/, 'acgs_db'), 'create extension pg_stat_statements')
  for (const format of ['custom', 'plain'] as const) {
    await t.test(format, async () => {
      const server = pg as TestPostgres
      const file = join(backups, `real.${format}`)
      const made = await ops(['backup', file, '--format', format, '--json'], { url: server.url })
      assert.equal(made.status, 0, made.said + made.text)
      assert.deepEqual([made.json().entries, made.json().format], [12, format])
      assert.match(made.json().program, /^pg_dump \d+/)
      const verified = await ops(['verify', file, '--json'], { url: server.url })
      // Plain SQL makes extensions too, which takes a superuser.
      if (format === 'plain') return assert.match(verified.said, /`psql` failed: .*extension.*: plain SQL makes .* give DATABASE_URL a superuser, or restore a custom backup/s)
      assert.equal(verified.status, 0, verified.said)
      assert.deepEqual([verified.json().valid, verified.json().behind], [true, 0])
      await restoresAs(server, file, there)
      const cut = join(backups, 'cut.custom') // Without a digest beside it, only the program finds out.
      writeFileSync(cut, readFileSync(file).subarray(0, -20_000))
      const refused = await ops(['verify', cut], { url: server.url })
      assert.equal(refused.status, 2, refused.said)
      assert.match(refused.said, /cannot be used: it was changed or cut off \(`pg_restore` failed: /)
    })
  }
  await t.test('a verification that is interrupted removes its scratch database', async () => {
    const server = pg as TestPostgres
    const scratch = () => query(server.url, `select 1 from pg_database where datname like 'acgs_scratch%'`)
    const child = spawn('./acgs', ['ops', 'verify', join(backups, 'real.custom'), '--data', outside], { env: { ...process.env, DATABASE_URL: server.url }, stdio: ['ignore', 'ignore', 'pipe'] })
    let said = ''
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
    const ended = once(child, 'close')
    while (child.exitCode === null && (await scratch()).length === 0) await sleep(10)
    child.kill('SIGINT')
    const [status] = await ended
    assert.deepEqual([status, await scratch()], [130, []], said)
    assert.match(said, /interrupted: the scratch database was removed/)
  })
  await t.test('plain, where no extension is in it: also what the runbook’s own line has written', async () => {
    const server = pg as TestPostgres
    await query(server.superuserUrl.replace(/postgres$/, 'acgs_db'), 'drop extension pg_stat_statements')
    const file = join(backups, 'bare.sql')
    assert.equal((await ops(['backup', file, '--format', 'plain'], { url: server.url })).status, 0)
    rmSync(`${file}.sha256`) // As `pg_dump … > FILE` leaves it.
    await restoresAs(server, file, there)
    // Sabotage by hand: one body is another, and the restore is taken back.
    const text = readFileSync(file, 'utf8')
    assert.ok(text.includes('Records 3\tNurses'))
    writeFileSync(file, text.replace('Records 3\tNurses', 'Records 9\tNurses'))
    await query(server.url, 'create database taken_back')
    const again = server.url.replace('acgs_db', 'taken_back')
    const refused = await ops(['restore', file], { url: again })
    assert.equal(refused.status, 3, refused.said)
    assert.match(refused.text, /not valid, and nothing of it was kept[^]*generation `gen-000003` was changed/)
    assert.deepEqual(await query(again, `select 1 from pg_tables where schemaname in ('public', 'auth')`), [])
  })
  await t.test('a plain backup with commands in it has none of them run on this machine', async () => {
    const server = pg as TestPostgres
    const [file, trace] = [join(backups, 'evil.sql'), join(outside, '..', 'trace')]
    assert.equal((await ops(['backup', file, '--format', 'plain'], { url: server.url })).status, 0)
    rmSync(`${file}.sha256`)
    const text = readFileSync(file, 'utf8').replace(/^\\(un)?restrict .*\n/gm, '')
    writeFileSync(file, text.replace('-- PostgreSQL database dump complete', `\\! touch ${trace}\n-- PostgreSQL database dump complete`))
    const refused = await ops(['verify', file], { url: server.url })
    assert.deepEqual([refused.status, existsSync(trace)], [1, false], refused.said)
    assert.match(refused.said, /backslash commands are restricted/)
    // Sabotage by hand: the program alone would have run it.
    await query(server.url, 'create database run_by_psql')
    await runProgram(programFor('psql', 0, ''), [`--file=${file}`, '--output=/dev/null'], server.url.replace('acgs_db', 'run_by_psql'))
    assert.equal(existsSync(trace), true)
  })
  await t.test('between the versions: from 15 into the embedded 18, and back', async () => {
    const server = pg as TestPostgres
    const up = join(backups, 'from-15.acgs')
    assert.equal((await ops(['export', up], { url: server.url })).status, 0)
    const data = dataFolder('up')
    const imported = await ops(['import', up, '--json'], { data })
    assert.equal(imported.status, 0, imported.said + imported.text)
    const down = join(backups, 'from-18.acgs')
    assert.equal((await ops(['export', down], { data })).status, 0)
    await query(server.url, 'create database down')
    const back = server.url.replace('acgs_db', 'down')
    assert.equal((await ops(['import', down], { url: back })).status, 0)
    assert.deepEqual(await on(back, contentsOf), there)
    const dump = await ops(['import', join(backups, 'real.custom')], { url: back })
    assert.deepEqual([dump.status, /restore it with .*ops restore/.test(dump.said)], [2, true], dump.said)
  })
  await t.test('what is no table is content as well; what a refused restore has made is removed, and a schema that was there stays', async () => {
    const server = pg as TestPostgres
    await query(server.url, 'create database others')
    const others = server.url.replace('acgs_db', 'others')
    for (const [make, name] of [['create schema keep; create sequence keep.invoice', 'keep.invoice'], ['create function mine() returns int language sql as $$ select 1 $$', 'mine()'], ['create type mood as enum (\'well\')', 'mood']] as const) {
      await query(others, make)
      const refused = await ops(['restore', join(backups, 'real.custom')], { url: others })
      assert.deepEqual([refused.status, refused.said.includes(name)], [3, true], refused.said)
      await query(others, make.includes('sequence') ? 'drop sequence keep.invoice' : make.includes('function') ? 'drop function mine()' : 'drop type mood')
    }
    const changed = join(backups, 'changed.sql')
    writeFileSync(changed, readFileSync(join(backups, 'bare.sql'), 'utf8').replace('-- PostgreSQL database dump complete', 'create sequence public.slipped_in;\ncreate type public.slipped as enum ();\n-- PostgreSQL database dump complete'))
    const invalid = await ops(['restore', changed], { url: others })
    assert.equal(invalid.status, 3, invalid.said)
    assert.deepEqual(await query(others, `select nspname from pg_namespace where nspname !~ '^pg_|^information' order by 1`), [{ nspname: 'keep' }, { nspname: 'public' }])
    assert.deepEqual(await query(others, `select relname from pg_class c join pg_namespace n on n.oid = c.relnamespace where nspname = 'public'`), [])
  })
  await t.test('what is older than a checkpoint that was kept, or contradicts it, is refused and removed again; an older one is taken where that is said', async () => {
    const server = pg as TestPostgres
    await query(server.url, 'create database older')
    const older = server.url.replace('acgs_db', 'older')
    const restored = async (size: number, ...more: string[]) => {
      const data = dataFolder(`knows-${size}`)
      writeFileSync(join(data, 'ledger', 'checkpoint'), signCheckpoint({ origin: 'acgs-pgp-v8', size, root: 'ab'.repeat(32) }, certificateKeyIn(keysIn(outside))).note)
      return ops(['restore', join(backups, 'real.custom'), '--json', ...more], { url: older, data })
    }
    const late = await restored(14)
    assert.deepEqual([late.status, late.json().valid, late.json().behind], [3, false, 2], late.said)
    assert.match(late.json().problems[0].message, /14 entries are known from elsewhere and only 12 are here/)
    const other = await restored(5, '--accept-older')
    assert.equal(other.status, 3, other.said)
    assert.match(other.json().problems[0].message, /the first 5 entries are not those that are known from elsewhere/)
    const strangers = join(folder, 'strangers')
    certificateKeyIn(keysIn(strangers)) // Makes a key: whose checkpoints stand in the backup is not known there.
    const signedByOthers = await ops(['restore', join(backups, 'real.custom'), '--json'], { url: older, data: strangers })
    assert.deepEqual([signedByOthers.status, signedByOthers.json().valid], [3, false], signedByOthers.said + signedByOthers.text)
    assert.deepEqual(await query(older, `select relname from pg_class c join pg_namespace n on n.oid = c.relnamespace where nspname = 'public'`), [])
    const accepted = await restored(14, '--accept-older')
    assert.deepEqual([accepted.status, accepted.json().behind], [0, 2], accepted.said + accepted.text)
  })
  await t.test('a role that may not make databases verifies on an embedded PostgreSQL of its own; one that may not read everything is told so', async () => {
    const server = pg as TestPostgres
    await query(server.superuserUrl.replace(/postgres$/, 'acgs_db'), `create role reader login password 'reader'; grant select on all tables in schema public to reader`)
    const url = server.url.replace('acgs_user:acgs_password', 'reader:reader')
    const verified = await ops(['verify', join(backups, 'real.custom'), '--json'], { url })
    assert.equal(verified.status, 0, verified.said)
    assert.deepEqual(readdirSync(outside).filter((name) => name.startsWith('postgres')), [], 'its folder is gone')
    const closed = await ops(['export', join(backups, 'closed')], { url })
    assert.equal(closed.status, 1)
    assert.match(closed.said, /may not read `auth\.oidc_payloads`/)
    assert.equal(existsSync(join(backups, 'closed')), false)
  })
})

test('divided by trust: a superuser backs everything up, and each role has its own part again afterwards', { ...needsPostgres }, async () => {
  const server = pg as TestPostgres
  const at = (database: string, who = 'postgres:secret') => `postgresql://${who}@127.0.0.1:${server.port}/${database}`
  await query(server.superuserUrl, `create role acgs_platform login password 'p'; create role acgs_auth login password 'a'`)
  /** As `acgs keys init` writes it into database.sql. */
  const make = async (name: string) => {
    await query(server.superuserUrl, `create database ${name}`)
    await query(server.superuserUrl, `revoke all on database ${name} from public; grant connect on database ${name} to acgs_platform, acgs_auth`)
    await query(at(name), 'revoke all on schema public from public; grant usage, create on schema public to acgs_platform; create schema auth authorization acgs_auth')
  }
  await make('divided')
  for (const [process, secrets] of [['platform', { ACGS_SECURITY_PEER_KEY_FILE: 'peer' }], ['auth', { ACGS_SECURITY_SIGNING_KEY_FILE: 'signing', ACGS_SECURITY_SERVICE_ACCOUNTS_FILE: 'accounts' }]] as const) {
    const made = await runAcgs(['migrate', process], { DATABASE_URL: at('divided', process === 'platform' ? 'acgs_platform:p' : 'acgs_auth:a'), ...secrets })
    assert.equal(made.status, 0, made.stderr)
  }
  await on(at('divided', 'acgs_platform:p'), (db) => db.transaction((tx) => recordGeneration(tx, generationRow(1))))
  const file = join(backups, 'divided.dump')
  const closed = await ops(['backup', file], { url: at('divided', 'acgs_platform:p') })
  assert.deepEqual([closed.status, /permission denied/.test(closed.said), existsSync(file)], [1, true, false], closed.said)
  assert.equal((await ops(['backup', file], { url: at('divided') })).status, 0)
  await make('again')
  const data = join(outside, '..', 'no-checkpoint')
  const restored = await ops(['restore', file, '--keep-owners'], { url: at('again'), data })
  assert.equal(restored.status, 0, restored.said + restored.text)
  assert.deepEqual(await query(at('again'), `select schemaname, tableowner from pg_tables where schemaname in ('public', 'auth') group by 1, 2 order by 1`), [{ schemaname: 'auth', tableowner: 'acgs_auth' }, { schemaname: 'public', tableowner: 'acgs_platform' }])
  await on(at('again', 'acgs_platform:p'), (db) => db.transaction((tx) => recordGeneration(tx, generationRow(2))))
  await assert.rejects(query(at('again', 'acgs_platform:p'), 'select from auth.oidc_payloads'), /permission denied/)
})

test('a server newer than every pg_dump here is said, with what works instead', { ...needsPostgres }, () => {
  assert.throws(() => programFor('pg_dump', 99, 'use `--format export`'), { code: 'NOT_FOUND', message: /`pg_dump` \d+ is too old for a server of version 99: install .*postgresql-client-99.*or use `--format export`/ })
  assert.throws(() => programFor('pg_dump', 15, 'x', []), { code: 'NOT_FOUND', message: /not installed/ })
})

let restores = 0
async function restoresAs(server: TestPostgres, file: string, there: Awaited<ReturnType<typeof contentsOf>>): Promise<void> {
  const name = `into_${++restores}`
  await query(server.url, `create database ${name}`)
  const url = server.url.replace('acgs_db', name)
  const restored = await ops(['restore', file, '--json'], { url })
  assert.equal(restored.status, 0, restored.said + restored.text)
  assert.deepEqual([restored.json().valid, restored.json().entries], [true, 12])
  assert.deepEqual(await on(url, contentsOf), there)
  await on(url, async (db) => void (await db.transaction((tx) => recordGeneration(tx, generationRow(60)))))
  assert.equal((await ops(['restore', file], { url })).status, 3, 'not empty any more')
}

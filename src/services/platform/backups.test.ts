import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { backUp } from '#adapters/postgres/backup.ts'
import { recordGeneration } from '#adapters/postgres/generations.ts'
import { readMigrations } from '#adapters/postgres/migrate.ts'
import { createLog } from '#telemetry/log.ts'
import { createMetrics } from '#telemetry/metrics.ts'
import { scrape } from '#telemetry/scrape.ts'
import { noScratchLeft, testDatabase, type TestDatabase } from '#test/database.ts'
import { filledDatabase } from '#test/fill-database.ts'
import { generationRow } from '#test/generation-row.ts'
import { temporaryFolder } from '#test/server.ts'
import { watchBackups, type Backups } from './backups.ts'

const filled = filledDatabase()
const { signer: OURS, parts: PARTS, folder } = filled

type Watch = Backups & { readonly values: () => Promise<Record<string, number>>; readonly said: () => { status: string; detail?: string } }
function watching(name: string, given: Partial<Parameters<typeof watchBackups>[0]> = {}): Watch {
  const backups = join(folder, name)
  mkdirSync(backups, { recursive: true })
  const metrics = createMetrics({ service: 's', version: '8.0.0', constitutionalHash: 'cdd01ef066bc6cf2', description: 'test' })
  const watch = watchBackups({
    folder: backups, hours: 168, url: filled.db.url, dataFolder: join(folder, 'data'), parts: PARTS, known: () => null, keys: () => [OURS.publicKey],
    telemetry: { metrics, log: createLog({ service: 's', level: 'silent' }) }, intervalMs: 3_600_000, settledMs: 0, ...given,
  })
  return {
    ...watch,
    values: async () => Object.fromEntries([...(await scrape(metrics, undefined)).text.matchAll(/^acgs_pgp_v8_(backup\S*) (\S+)$/gm)].map(([, series, value]) => [series as string, Number(value)])),
    said: () => watch.component.probe(AbortSignal.timeout(1_000)) as { status: string; detail?: string },
  }
}
const write = (name: string, file: string) => backUp({ db: filled.db, url: filled.db.url, kind: 'export', file: join(folder, name, file), release: '8.0.0', at: new Date() })
const agedBy = (file: string, hours: number) => utimesSync(file, new Date(Date.now() - hours * 3_600_000), new Date(Date.now() - hours * 3_600_000))

test('the newest backup is restored into a scratch database and verified; the metrics, the component and a note beside it say so', async () => {
  const { file } = await write('valid', 'a.acgs')
  writeFileSync(join(folder, 'valid', 'env_20261130.txt'), '') // The runbook's other copies are no backups.
  await using watch = watching('valid')
  await watch.look()
  const values = await watch.values()
  assert.deepEqual([values['backup_state{state="valid"}'], values['backup_validations_total{result="valid"}']], [1, 1])
  assert.ok(values['backup_timestamp_seconds']! > 1e9 && values['backup_validation_timestamp_seconds']! > 1e9)
  assert.deepEqual(watch.said().status, 'healthy')
  assert.match(watch.said().detail ?? '', /a\.acgs: 12 ledger entries, restored and verified at/)
  assert.ok(existsSync(`${file}.validated.json`))
  await noScratchLeft(filled.db)

  await watch.look()
  assert.equal((await watch.values())['backup_validations_total{result="valid"}'], 1, 'not again before its time')
  await using other = watching('valid')
  await other.look()
  assert.deepEqual([(await other.values())['backup_state{state="valid"}'], (await other.values())['backup_validations_total{result="valid"}']], [1, 0], 'nor by another replica')
  await using later = watching('valid', { now: () => new Date(Date.now() + 169 * 3_600_000) })
  await later.look()
  assert.equal((await later.values())['backup_validations_total{result="valid"}'], 1, 'again after a week')
})

test('a backup that was changed, cut off or emptied, or is of another ledger, is not valid, though an older one is', async () => {
  const name = 'invalid'
  const good = await write(name, 'good.acgs')
  agedBy(good.file, 2)
  const bad = join(folder, name, 'bad.acgs')
  for (const bytes of [Buffer.from([0x1f, 0x8b, 8, 0, 0]), Buffer.alloc(0), Buffer.from('--\n-- PostgreSQL database dump\n')]) {
    writeFileSync(bad, bytes)
    await using watch = watching(name)
    await watch.look()
    const values = await watch.values()
    assert.deepEqual([values['backup_state{state="invalid"}'], values['backup_state{state="valid"}'], values['backup_validations_total{result="invalid"}']], [1, 0, 1])
    assert.deepEqual(watch.said(), { status: 'unhealthy', detail: 'bad.acgs is not valid: see the log' })
  }
  rmSync(bad)
  await using foreign = await testDatabase()
  for (const n of [31, 32, 33]) await foreign.transaction((tx) => recordGeneration(tx, generationRow(n)))
  await backUp({ db: foreign, url: foreign.url, kind: 'export', file: bad, release: '8.0.0', at: new Date() })
  await using watch = watching(name)
  await watch.look()
  assert.equal((await watch.values())['backup_state{state="invalid"}'], 1, 'valid by itself, and not the beginning of this ledger')
})

test('a backup that a checkpoint outside of the database speaks against is not valid, though the database of today agrees with it', async () => {
  await write('checkpoint', 'a.acgs')
  await using watch = watching('checkpoint', { known: () => ({ size: 5, root: 'ab'.repeat(32) }) })
  await watch.look()
  assert.equal((await watch.values())['backup_state{state="invalid"}'], 1)
  assert.match(readFileSync(join(folder, 'checkpoint', 'a.acgs.validated.json'), 'utf8'), /the first 5 entries are not those that are known from elsewhere/)
})

test('of two replicas that look at once, one tries', async () => {
  await write('replicas', 'a.acgs')
  const gate = Promise.withResolvers<void>()
  let tried = 0
  const tryOne = async () => {
    tried++
    await gate.promise
    return { code: 'NOT_FOUND', because: 'as told' }
  }
  const until = async (count: number) => {
    for (const deadline = Date.now() + 60_000; tried < count && !isLooked; await sleep(10)) assert.ok(Date.now() < deadline)
  }
  let isLooked = false
  await using one = watching('replicas', { tryOne })
  await until(1)
  await using two = watching('replicas', { tryOne })
  await Promise.race([two.look().then(() => { isLooked = true }), until(2)])
  gate.resolve() // Before anything is asserted: whoever tries is waited for at the end.
  assert.equal(tried, 1)
})

test('nothing to try, something that cannot be tried, and a folder that is not there are told apart', async () => {
  await using none = watching('none')
  await none.look()
  assert.equal((await none.values())['backup_state{state="missing"}'], 1)
  assert.match(none.said().detail ?? '', /there is no backup/)

  await write('failed', 'a.acgs')
  let tried = 0
  await using failed = watching('failed', { tryOne: async () => (tried++, { code: 'NOT_FOUND', because: '`pg_restore` is not installed' }) })
  await failed.look()
  await failed.look()
  const values = await failed.values()
  assert.deepEqual([tried, values['backup_state{state="untried"}'], values['backup_validations_total{result="failed"}']], [1, 1, 1])
  assert.equal(failed.said().status, 'degraded')
  await using again = watching('failed', { now: () => new Date(Date.now() + 2 * 3_600_000) })
  await again.look()
  assert.equal((await again.values())['backup_state{state="valid"}'], 1, 'tried again after an hour')

  writeFileSync(join(folder, 'failed', 'b.acgs'), Buffer.alloc(5_000))
  await again.look()
  assert.deepEqual([again.said().status, /^b\.acgs is the newest file in the folder and no backup/.test(again.said().detail ?? '')], ['degraded', true], 'zeros, as a crashed disk leaves')
  const noted = join(folder, 'failed', 'a.acgs.validated.json')
  writeFileSync(noted, readFileSync(noted, 'utf8').replace(/"at": "\d{4}/, '"at": "2099'))
  await using distrusting = watching('failed', { tryOne: async () => (tried++, { code: 'FILE_UNREADABLE', because: 'cut off' }) })
  await distrusting.look()
  assert.equal((await distrusting.values())['backup_state{state="invalid"}'], 1, 'a note from the future is not believed')

  await using gone = watching('none', { folder: join(folder, 'nowhere') })
  await gone.look()
  assert.deepEqual(gone.said(), { status: 'degraded', detail: 'the folder of backups cannot be read: see database.backup_folder' })
})

test('who ends while a backup is tried leaves no scratch database', async () => {
  await write('ending', 'a.acgs')
  const watch = watching('ending')
  for (let [seen, deadline] = [0, Date.now() + 60_000]; seen === 0; assert.ok(Date.now() < deadline, 'no scratch database was made')) seen = (await filled.db.query(`select from pg_database where datname like 'acgs_scratch%'`)).rowCount ?? 0
  await watch[Symbol.asyncDispose]()
  await noScratchLeft(filled.db)
  assert.deepEqual(readdirSync(join(folder, 'ending')).filter((name) => name.includes('validated')), [], 'and does not say that it was tried')
})

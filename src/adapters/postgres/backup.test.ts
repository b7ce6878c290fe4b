import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Failure } from '#core/failure.ts'
import { noScratchLeft, testDatabase, type TestDatabase } from '#test/database.ts'
import { filledDatabase } from '#test/fill-database.ts'
import { generationRow } from '#test/generation-row.ts'
import { temporaryFolder } from '#test/server.ts'
import { smallDisk, whyNoDisk } from '#test/small-disk.ts'
import { importTwin } from '#test/twin.ts'
import { backUp, kindOf, validateBackup } from './backup.ts'
import { withoutPassword } from './programs.ts'
import { recordGeneration } from './generations.ts'
import { readMigrations } from './migrate.ts'

const filled = filledDatabase()
const { signer: OURS, parts: PARTS, folder } = filled
const write = (from: TestDatabase, file: string) => backUp({ db: from, url: from.url, kind: 'export', file, release: '8.0.0', at: new Date() })

test('a backup that cannot be written leaves nothing, and replaces nothing', async () => {
  const there = join(folder, 'there')
  writeFileSync(there, 'kept')
  await assert.rejects(write(filled.db, there), { code: 'FILE_UNREADABLE', message: /is there already/ })
  mkdirSync(join(folder, 'a'))
  writeFileSync(join(folder, 'a', 'file'), '')
  await assert.rejects(write(filled.db, join(folder, 'a', 'file', 'below')), { code: 'FILE_UNREADABLE' })
  assert.deepEqual(readdirSync(folder).filter((name) => name.includes('partial')), [])
  assert.equal(existsSync(`${there}.sha256`), false)
})

test('a backup on a disk that only reads leaves nothing, and says what to do', { skip: whyNoDisk() ?? false }, async () => {
  using disk = smallDisk('1m', 'ro')
  for (const file of [join(disk.folder, 'backup'), join(disk.folder, 'below', 'backup')]) {
    await assert.rejects(write(filled.db, file), { code: 'FILE_UNREADABLE', message: /^cannot write `.*`: the disk is read-only: mount it so that it can be written, or name another place$/ })
  }
  assert.deepEqual(readdirSync(disk.folder), [])
})

test('whoever is quicker with a file of its name, or of its digest’s, keeps it, and the backup is not there without its digest', async () => {
  for (const name of ['raced', 'raced.sha256']) {
    const at = join(folder, name)
    const backup = write(filled.db, join(folder, 'raced'))
    while (!readdirSync(folder).some((each) => each.startsWith('raced.partial'))) await new Promise((resolve) => setImmediate(resolve))
    writeFileSync(at, 'theirs')
    await assert.rejects(backup, { code: 'FILE_UNREADABLE', message: /raced(\.sha256)?` is there already: name another file$/ })
    assert.deepEqual(readdirSync(folder).filter((each) => each.startsWith('raced')), [name])
    assert.equal(readFileSync(at, 'utf8'), 'theirs')
    rmSync(at)
  }
})

type Module = Pick<typeof import('./backup.ts'), 'validateBackup'>

/** What is no backup of this ledger is not valid, though each ledger is valid by itself. */
async function findsWhatIsForeign(module: Module, foreign: string, own: string): Promise<void> {
  const tried = (file: string) => module.validateBackup({ file, url: filled.db.url, dataFolder: folder, live: filled.db, parts: PARTS, known: [], keys: [OURS.publicKey] })
  assert.deepEqual([(await tried(own)).valid, (await tried(foreign)).valid], [true, false])
}

test('a backup is the beginning of today’s ledger, or it is none of it', async () => {
  const own = (await write(filled.db, join(folder, 'own.acgs'))).file
  assert.equal(kindOf(own), 'export')
  await using elsewhere = await testDatabase()
  for (const n of [31, 32, 33]) await elsewhere.transaction((tx) => recordGeneration(tx, generationRow(n)))
  const foreign = (await write(elsewhere, join(folder, 'foreign.acgs'))).file
  await findsWhatIsForeign({ validateBackup }, foreign, own)
  const twin = await importTwin<Module>('src/adapters/postgres/', ['backup.ts'], { file: 'backup.ts', from: '...(today?.at == null ? [] : [today.at])', to: '' }, 'not compared with today')
  await assert.rejects(findsWhatIsForeign(twin, foreign, own), assert.AssertionError)

  // A backup from the future: the database was put back since.
  for (const n of [34, 35]) await elsewhere.transaction((tx) => recordGeneration(tx, generationRow(n)))
  await filled.db.transaction((tx) => recordGeneration(tx, generationRow(70)))
  const newer = (await write(filled.db, join(folder, 'newer.acgs'))).file
  const back = await validateBackup({ file: newer, url: filled.db.url, dataFolder: folder, live: elsewhere, parts: PARTS, known: [], keys: null })
  assert.equal(back.valid, false)
  assert.match(back.problems.map(({ message }) => message).join(), /the backup has 13 entries and the database only 5/)
  const behind = await validateBackup({ file: own, url: filled.db.url, dataFolder: folder, live: filled.db, parts: PARTS, known: [], keys: null })
  assert.deepEqual([behind.valid, behind.behind], [true, 1])
  // A checkpoint that was kept elsewhere is believed, also where there is no database of today.
  const rewritten = await validateBackup({ file: own, url: filled.db.url, dataFolder: folder, live: null, parts: PARTS, known: [{ size: 5, root: 'ab'.repeat(32) }, { size: 20, root: 'cd'.repeat(32) }], keys: null })
  assert.deepEqual([rewritten.valid, rewritten.behind], [false, 8])
  assert.match(rewritten.problems.map(({ message }) => message).join(), /the first 5 entries are not those that are known from elsewhere/)
  await assert.rejects(validateBackup({ file: own, url: filled.db.url, dataFolder: folder, live: filled.db, parts: PARTS, known: [], keys: null, signal: AbortSignal.abort() }), (error) => !(error instanceof Failure))
  await noScratchLeft(filled.db)
})

test('a password is not in the arguments of a program, wherever it stands in the URL', () => {
  for (const url of ['postgresql://u:s%2Fecret@h:5432/d?sslmode=require', 'postgresql://u@h:5432/d?password=s%2Fecret&sslmode=require']) {
    assert.deepEqual(withoutPassword(url), { target: ['--no-password', '--dbname=postgresql://u@h:5432/d?sslmode=require'], password: 's/ecret' })
  }
})

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { createWriteStream, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { after, before, test } from 'node:test'
import { createGzip, gunzipSync, gzipSync } from 'node:zlib'
import { fileURLToPath } from 'node:url'
import { Failure } from '#core/failure.ts'
import { checkpointKey } from '#test/checkpoint-key.ts'
import { emptyDatabase, testDatabase, type TestDatabase } from '#test/database.ts'
import { contentsOf, fillDatabase } from '#test/fill-database.ts'
import { rewriteLedger } from '#test/tampering.ts'
import { importTwin } from '#test/twin.ts'
import { contentOf } from './empty.ts'
import { exportDatabase, importInto, type Parts } from './export.ts'
import { generationRow } from '#test/generation-row.ts'
import { recordGeneration } from './generations.ts'
import { verifyLedger } from './ledger-verify.ts'
import { ledgerTip, type KnownState } from './ledger.ts'
import { migrate, readMigrations } from './migrate.ts'

const OURS = checkpointKey()
const KEYS = [OURS.publicKey]
const folderOf = (path: string) => fileURLToPath(new URL(`../../../${path}`, import.meta.url))
const PARTS: Parts = { public: readMigrations(folderOf('migrations')), auth: readMigrations(folderOf('migrations/auth')) }
const folder = mkdtempSync(join(tmpdir(), 'acgs-export-'))
const whole = join(folder, 'whole')
const other = join(folder, 'other')

let source: TestDatabase
let tip: KnownState
before(async () => {
  source = await testDatabase()
  tip = await fillDatabase(source, { signer: OURS })
  await write(source, whole)
})
after(async () => {
  await source[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

function write(db: TestDatabase, file: string): Promise<void> {
  return exportDatabase(db, { release: '8.0.0', at: new Date() }, (lines) => pipeline(Readable.from(lines), createGzip(), createWriteStream(file)))
}
const bring = (db: TestDatabase, file: string, against: readonly KnownState[] = [tip], parts = PARTS) => importInto(db, file, { parts, against: () => against, keys: KEYS })

/** The file with other lines, whose digest is made to fit. */
function rewritten(change: (lines: string[]) => string[]): string {
  const lines = change(gunzipSync(readFileSync(whole)).toString().trimEnd().split('\n').slice(0, -1))
  const text = `${lines.join('\n')}\n`
  writeFileSync(other, gzipSync(`${text}${JSON.stringify({ end: true, rows: lines.filter((line) => line.startsWith('[')).length, sha256: createHash('sha256').update(text).digest('hex') })}\n`))
  return other
}

async function refuses(file: string, because: RegExp, parts = PARTS): Promise<void> {
  await using target = await emptyDatabase()
  await assert.rejects(bring(target, file, [], parts), (error) => error instanceof Failure && error.code === 'FILE_UNREADABLE' && because.test(error.message) ? true : assert.fail(String(error)))
  assert.deepEqual(await contentOf(target), [], 'nothing was written')
}

test('every row of every table comes back with every digit, and the ledger goes on from there', async () => {
  await using target = await emptyDatabase()
  const imported = await bring(target, whole)
  assert.equal(imported.kind, 'imported')
  assert.deepEqual([imported.report.valid, imported.report.entries, imported.report.root], [true, tip.size, tip.root])
  const [there, back] = [await contentsOf(source), await contentsOf(target)]
  assert.deepEqual(back, there)
  assert.deepEqual(Object.entries(there).filter(([, rows]) => rows.length === 0).map(([table]) => table), [], 'no table is left out of this test')
  await target.transaction((tx) => recordGeneration(tx, generationRow(50)))
  assert.equal((await ledgerTip(target)).size, tip.size + 1)
  assert.deepEqual((await verifyLedger(target, [tip], KEYS)).problems, [])
  await assert.rejects(target.query('delete from ledger_entries'), /only grows/, 'what guards the ledger is on again')
})

test('a database that has anything in it is left alone', async () => {
  await using target = await emptyDatabase()
  await target.query('create table kept (value text)')
  await assert.rejects(bring(target, whole), (error) => error instanceof Failure && error.code === 'CONFLICT' && /public\.kept/.test(error.message))
  assert.deepEqual(await contentOf(target), ['public.kept'])
})

test('a file that was cut off anywhere, or has one other byte, is refused, and nothing is written', async () => {
  const bytes = readFileSync(whole)
  for (const length of [0, 1, 20, Math.floor(bytes.length / 2), bytes.length - 9, bytes.length - 1]) {
    writeFileSync(other, bytes.subarray(0, length))
    await refuses(other, /cut off|changed|empty/)
  }
  for (let at = 30; at < bytes.length; at += Math.floor(bytes.length / 15)) {
    const flipped = Buffer.from(bytes)
    flipped[at]! ^= 1
    writeFileSync(other, flipped)
    await refuses(other, /cut off|changed|no export|not one that we write/)
  }
  const lines = gunzipSync(bytes).toString().trimEnd().split('\n')
  writeFileSync(other, gzipSync(`${lines.toSpliced(5, 1).join('\n')}\n`)) // a valid archive of something else
  await refuses(other, /its digest is another/)
  writeFileSync(other, gzipSync('hello\n'))
  await refuses(other, /no export|cut off/)
})

test('a file of a newer release, of other migrations, or that does not fit the tables is refused by name', async () => {
  await refuses(whole, /newer release \(`0009_accepted_requests\.sql` is not known here\)/, { ...PARTS, public: PARTS.public.filter(({ number }) => number < 9) })
  await refuses(whole, /`0001_generations_and_ledger\.sql` is not the one of this release/, { ...PARTS, public: PARTS.public.map((each) => (each.number === 1 ? { ...each, digest: 'x' } : each)) })
  await refuses(rewritten((lines) => [lines[0]!.replace('"version":1', '"version":2'), ...lines.slice(1)]), /format 2/)
  await refuses(rewritten((lines) => [lines[0]!.replace('"name":"title","type":"text"', '"name":"titel","type":"text"'), ...lines.slice(1)]), /other columns/)
  await refuses(rewritten((lines) => [lines[0]!.replace(`"size":${tip.size}`, `"size":${tip.size - 1}`), ...lines.slice(1)]), /another ledger/)
})

test('a file with a changed row or without an entry is not valid, whoever made its digest fit, and nothing is kept', async () => {
  const changes: readonly ((lines: string[]) => string[])[] = [
    (lines) => lines.map((line) => line.replace('"Records 3"', '"Records 4"')),
    (lines) => lines.filter((line) => !line.includes('certificate.revoked')),
    (lines) => lines.filter((line) => !line.startsWith('["cert-1"')),
  ]
  for (const change of changes) {
    await using target = await emptyDatabase()
    const imported = await bring(target, rewritten(change))
    assert.equal(imported.kind, 'not_valid')
    assert.deepEqual(await contentOf(target), [])
  }
})

test('an export older than a known checkpoint is refused; without the comparison it would pass', async () => {
  await using target = await emptyDatabase()
  const later = { size: tip.size + 2, root: 'ab'.repeat(32) }
  const imported = await bring(target, whole, [later])
  assert.equal(imported.kind, 'not_valid')
  assert.match(imported.report.problems.map(({ message }) => message).join(), /only \d+ are here: the end was cut off, or an old backup/)
  assert.deepEqual(await contentOf(target), [])
  assert.equal((await bring(target, whole, [])).kind, 'imported')
})

test('a ledger that was rewritten to the same length is not imported over the checkpoint that is known', async () => {
  await using forged = await testDatabase()
  await fillDatabase(forged)
  await rewriteLedger(forged, (entries) => [...entries.slice(0, 2), entries[3]!, entries[2]!, ...entries.slice(4)])
  await write(forged, other)
  await using target = await emptyDatabase()
  assert.equal((await bring(target, other)).kind, 'not_valid')
  assert.deepEqual(await contentOf(target), [])
})

test('what an older release has written is brought up to date', async () => {
  await using old = await emptyDatabase()
  await migrate(old, PARTS.public.filter(({ number }) => number < 9))
  // What that release wrote, written by this one, which appends by functions that came later.
  const appending = PARTS.public.find(({ name }) => name === '0011_ledger_append.sql')
  assert.ok(appending)
  await old.query(appending.sql)
  for (let n = 0; n < 3; n++) await old.transaction((tx) => recordGeneration(tx, generationRow(n)))
  await old.query('drop function ledger_append, ledger_root, ledger_node')
  await write(old, other)
  await using target = await emptyDatabase()
  const imported = await bring(target, other, [await ledgerTip(old)])
  assert.ok(imported.kind === 'imported')
  assert.deepEqual(imported.applied, PARTS.public.filter(({ number }) => number >= 9).map(({ name }) => name))
  assert.deepEqual(await migrate(target, PARTS.public), [])
})

type Module = Pick<typeof import('./export.ts'), 'importInto'>

/** Nothing that is wrong with a file or with where it goes gets through, each by the one guard that sees it. */
async function letsNothingThrough(module: Module): Promise<void> {
  const at = async (file: string, against: readonly KnownState[], into: (target: TestDatabase) => Promise<unknown> = async () => {}) => {
    await using target = await emptyDatabase()
    await into(target)
    const came = await module.importInto(target, file, { parts: PARTS, against: () => against, keys: KEYS }).then(({ kind }) => kind, (error: Error) => error)
    return { came, there: await contentOf(target) }
  }
  const lines = gunzipSync(readFileSync(whole)).toString()
  writeFileSync(other, gzipSync(lines.replace('ünïcode', 'unicode'))) // An entity, which no entry of the ledger digests.
  const entity = await at(other, [])
  assert.deepEqual([entity.came instanceof Failure, entity.there], [true, []], 'a changed entity')
  const older = await at(whole, [{ size: tip.size + 1, root: 'ab'.repeat(32) }])
  assert.deepEqual([older.came, older.there], ['not_valid', []], 'an older export')
  const body = await at(rewritten((all) => all.map((line) => line.replace('"Records 3"', '"Records 4"'))), [])
  assert.deepEqual([body.came, body.there], ['not_valid', []], 'a changed body')
  const full = await at(whole, [], (target) => target.query('create schema somebodys; create table somebodys.kept (value text)'))
  assert.deepEqual([full.came instanceof Failure, full.there], [true, ['somebodys.kept']], 'a database with something in it')
}

test('an import lets nothing through; without any one of its guards something would come', async () => {
  await letsNothingThrough({ importInto })
  const twins = {
    'the digest is not compared': { from: `if (end.sha256 !== hash.digest('hex') || end.rows !== rows)`, to: 'if (end.rows !== rows)' },
    'known states are left aside': { from: 'verifyLedgerIn(tx, against(header.ledger.size), keys)', to: 'verifyLedgerIn(tx, [], keys)' },
    'what is not valid is kept': { from: 'if (!report.valid) throw new NotValid(report)', to: '' },
    'a full database is taken': { from: 'await refuseFull(tx)', to: '' },
  }
  for (const [name, sabotage] of Object.entries(twins)) {
    const twin = await importTwin<Module>('src/adapters/postgres/', ['export.ts'], { file: 'export.ts', ...sabotage }, name)
    await assert.rejects(letsNothingThrough(twin), assert.AssertionError, name)
  }
})

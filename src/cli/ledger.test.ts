import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { certificateKeyIn, keysIn } from '#adapters/keys/certificate-key.ts'
import { signCheckpoint } from '#core/ledger/checkpoint.ts'
import { emptyDatabase, testDatabase } from '#test/database.ts'
import { runAcgs } from '#test/product.ts'

test('where there is no ledger, verifying says so and makes none', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'acgs-ledger-'))
  try {
    const typo = join(folder, 'typo')
    const none = await runAcgs(['ledger', 'verify', '--data', typo])
    assert.deepEqual([none.status, none.stdout], [2, ''], none.stderr)
    assert.match(none.stderr, /there is no database in .*typo.*--data/)
    assert.equal(existsSync(typo), false)

    mkdirSync(join(folder, 'other'))
    assert.equal((await runAcgs(['ledger', 'verify', '--data', join(folder, 'other')])).status, 2)
    assert.deepEqual(readdirSync(join(folder, 'other')), [])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test('a database in which nothing was ever recorded is not made into one with a ledger', async () => {
  await using empty = await emptyDatabase()
  const none = await runAcgs(['ledger', 'verify'], { DATABASE_URL: empty.url })
  assert.equal(none.status, 2, none.stdout + none.stderr)
  assert.match(none.stderr, /there is no ledger in this database/)
  assert.equal((await empty.query(`select from pg_tables where schemaname = 'public'`)).rowCount, 0)
  await using db = await testDatabase()
  assert.equal((await runAcgs(['ledger', 'verify'], { DATABASE_URL: db.url })).status, 0)
})

test('a database that does not answer is named, with what to do', async () => {
  const out = await runAcgs(['ledger', 'verify'], { DATABASE_URL: 'postgresql://someone:secret@127.0.0.1:1/acgs_db' })
  assert.equal(out.status, 1, out.stdout)
  assert.match(out.stderr, /\(someone@127\.0\.0\.1:1\/acgs_db\): start it, or correct DATABASE_URL/)
  assert.doesNotMatch(out.stderr, /secret/)
})

test('a ledger that is shorter than what was signed is told with what to do', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'acgs-ledger-'))
  try {
    mkdirSync(join(folder, 'ledger'))
    writeFileSync(join(folder, 'ledger', 'checkpoint'), signCheckpoint({ origin: 'acgs-pgp-v8', size: 3, root: 'ab'.repeat(32) }, certificateKeyIn(keysIn(folder))).note)
    await using db = await testDatabase()
    const older = await runAcgs(['ledger', 'verify', '--data', folder], { DATABASE_URL: db.url })
    assert.equal(older.status, 3, older.stderr)
    assert.match(older.stdout, /3 entries are known from elsewhere and only 0 are here.*\nrestore a newer backup; .*“When entries are lost for good”/)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

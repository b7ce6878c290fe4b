import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { guardLedger, ledgerTip } from '#adapters/postgres/ledger.ts'
import { ledgerTree } from '#adapters/postgres/ledger-tree.ts'
import { recordGeneration } from '#adapters/postgres/generations.ts'
import { Failure } from '#core/failure.ts'
import { openCheckpoint } from '#core/ledger/checkpoint.ts'
import { checkpointSigner, type SignCheckpoint } from '#services/compliance/checkpoint.ts'
import { createLog } from '#telemetry/log.ts'
import { createMetrics } from '#telemetry/metrics.ts'
import { checkpointKey, noteStore } from '#test/checkpoint-key.ts'
import { testDatabase, type TestDatabase } from '#test/database.ts'
import { generationRow } from '#test/generation-row.ts'
import { TAMPERINGS } from '#test/tampering.ts'
import { createCheckpoints, type Checkpoints } from './ledger-checkpoints.ts'

const telemetry = { log: createLog({ service: 'test', level: 'silent' }), metrics: createMetrics({ service: 'test', version: '8', constitutionalHash: 'h', description: 'd' }) }
const OURS = checkpointKey()
const keys = () => [OURS.publicKey]
const running: Checkpoints[] = []
afterEach(async () => {
  for (const each of running.splice(0)) await each.close()
})

/** What survives when the database does not: the file of the platform, and the memory of compliance. */
const elsewhere = () => ({ file: noteStore(), signed: noteStore() })

async function start(db: TestDatabase, { file, signed } = elsewhere(), { intervalMs = 5, wrap = (sign) => sign }: { intervalMs?: number; wrap?: (sign: SignCheckpoint) => SignCheckpoint } = {}) {
  const sign = wrap(checkpointSigner({ signer: OURS, keys, origin: 'o', last: signed }))
  const checkpoints = createCheckpoints({ database: db, tree: ledgerTree(db), sign, keys, origin: 'o', file, telemetry, intervalMs })
  running.push(checkpoints)
  await checkpoints.start()
  const guarded = guardLedger(db, checkpoints.known)
  return { checkpoints, record: (n: number) => guarded.transaction((tx) => recordGeneration(tx, generationRow(n))) }
}

async function ledgerOf(entries: number): Promise<TestDatabase> {
  const db = await testDatabase()
  for (let n = 0; n < entries; n++) await db.transaction((tx) => recordGeneration(tx, generationRow(n)))
  return db
}

test('a checkpoint is signed at the start, while the ledger grows, and at the end; kept in the table and outside of it', async () => {
  await using db = await testDatabase()
  const places = elsewhere()
  const { checkpoints, record } = await start(db, places)
  assert.equal(checkpoints.newest()?.size, 0)
  assert.deepEqual(checkpoints.state(), { status: 'healthy' })
  for (let n = 0; n < 20; n++) await record(n)
  assert.equal((await checkpoints.covering(20))?.size, 20)
  await checkpoints.close()
  await db.transaction((tx) => recordGeneration(tx, generationRow(20)))
  await checkpoints.close()
  const opened = openCheckpoint(places.file.note ?? '', keys(), 'o')
  assert.deepEqual({ size: opened.size, root: opened.root }, await ledgerTip(db))
  assert.equal(places.signed.note, places.file.note)
  const { rows } = await db.query<{ size: string; note: string }>('select size, note from ledger_checkpoints order by size')
  assert.ok(rows.every(({ size, note }) => openCheckpoint(note, keys(), 'o').size === Number(size)) && rows.at(-1)?.size === '21')
})

test('no more than one is signed in an interval, however much is recorded', async () => {
  await using db = await testDatabase()
  let asked = 0
  const { checkpoints, record } = await start(db, elsewhere(), { intervalMs: 400, wrap: (sign) => (request) => (asked++, sign(request)) })
  const started = performance.now()
  for (let n = 0; n < 10; n++) await record(n)
  assert.equal((await checkpoints.covering(10))?.size, 10)
  assert.ok(asked <= 2 + (performance.now() - started) / 400, `${asked}`)
})

for (const { how, tamper } of TAMPERINGS) {
  test(`${how}: found at the start and while it runs, and nothing more is recorded`, async () => {
    await using db = await ledgerOf(8)
    const places = elsewhere()
    const first = await start(db, places)
    await tamper(db)
    await assert.rejects(first.record(50), { code: 'LEDGER_CORRUPT' })
    await first.checkpoints.close()
    assert.equal(first.checkpoints.state().status, 'unhealthy')

    const again = await start(db, places)
    assert.equal(again.checkpoints.state().status, 'unhealthy')
    assert.match(again.checkpoints.state().detail ?? '', /(cut off|rewritten).*acgs ledger verify/)
    await assert.rejects(again.record(51), { code: 'LEDGER_CORRUPT' })
    assert.equal(openCheckpoint(places.file.note ?? '', keys(), 'o').size, 8, 'what was signed stays')

    // Put back together with the file, compliance still knows; without either, nobody does.
    const file = noteStore()
    const fooled = await start(db, { file, signed: places.signed })
    assert.equal(fooled.checkpoints.state().status, 'unhealthy')
    await assert.rejects(fooled.record(52), { code: 'LEDGER_CORRUPT' })
    const sabotaged = await start(db)
    assert.deepEqual(sabotaged.checkpoints.state(), { status: 'healthy' })
    await sabotaged.record(53)
  })
}

test('over a ledger that others sign nothing is signed or recorded, until their keys are known here; what they have signed stays', async () => {
  await using db = await ledgerOf(3)
  const places = elsewhere()
  await (await start(db, places)).checkpoints.close()
  const stored = async () => (await db.query<{ size: string; note: string }>('select size, note from ledger_checkpoints order by size')).rows
  const before = await stored()
  const theirs = checkpointKey()
  const known = [theirs.publicKey]
  const { file, signed } = elsewhere()
  const sign = checkpointSigner({ signer: theirs, keys: () => known, origin: 'o', last: signed })
  const checkpoints = createCheckpoints({ database: db, tree: ledgerTree(db), sign, keys: () => known, origin: 'o', file, telemetry, intervalMs: 5 })
  running.push(checkpoints)
  await checkpoints.start()
  assert.equal(checkpoints.state().status, 'unhealthy')
  assert.match(checkpoints.state().detail ?? '', /keys that are not here.*certificate\.jwks\.json/)
  await assert.rejects(guardLedger(db, checkpoints.known).transaction((tx) => recordGeneration(tx, generationRow(40))), { code: 'LEDGER_CORRUPT' })
  assert.deepEqual([await stored(), file.note], [before, null])
  known.push(OURS.publicKey)
  await checkpoints.close()
  assert.equal(checkpoints.state().status, 'healthy')
  assert.deepEqual(await stored(), before, 'one for as many entries that can be verified is not replaced')

  // As an earlier release left it: theirs in the place of ours, which is outside.
  await db.query('update ledger_checkpoints set note = $1 where size = 3', [file.note])
  assert.deepEqual((await start(db, places)).checkpoints.state(), { status: 'healthy' })
  assert.deepEqual((await stored()).map(({ note }) => note), before.map(({ note }) => note))
})

test('a file that cannot be believed is reported and left as it is', async () => {
  await using db = await ledgerOf(3)
  const places = elsewhere()
  await (await start(db, places)).checkpoints.close()
  const good = places.file.note ?? ''
  for (const note of ['nonsense', good.replace('\n3\n', '\n2\n'), good.slice(0, -20)]) {
    places.file.note = note
    const { checkpoints } = await start(db, places)
    assert.equal(checkpoints.state().status, 'unhealthy', JSON.stringify(note))
    assert.equal(places.file.note, note)
    places.file.note = null // Taken away by whoever looked at it.
    await checkpoints.close()
    assert.deepEqual(checkpoints.state(), { status: 'healthy' })
    assert.equal(places.file.note, good)
  }
})

test('while nobody signs, recording goes on and the component says so; then all of it is signed', async () => {
  await using db = await ledgerOf(2)
  let isAway = true
  const wrap = (sign: SignCheckpoint): SignCheckpoint => async (request) => {
    if (isAway) throw new Failure('PEER_UNAVAILABLE', 'compliance does not answer')
    return sign(request)
  }
  const { checkpoints, record } = await start(db, elsewhere(), { wrap })
  assert.deepEqual(checkpoints.state(), { status: 'degraded', detail: 'compliance does not answer' })
  await record(10)
  isAway = false
  await checkpoints.close()
  assert.deepEqual(checkpoints.state(), { status: 'healthy' })
  assert.equal(checkpoints.newest()?.size, 3)
})

test('a platform that was killed between signing and keeping takes over what was signed', async () => {
  await using db = await ledgerOf(2)
  const places = elsewhere()
  await (await start(db, places)).checkpoints.close()
  const old = places.file.note
  await db.transaction((tx) => recordGeneration(tx, generationRow(2)))
  await (await start(db, places)).checkpoints.close()
  places.file.note = old
  await db.transaction((tx) => recordGeneration(tx, generationRow(3)))
  const { checkpoints } = await start(db, places)
  assert.deepEqual([checkpoints.state(), checkpoints.newest()?.size], [{ status: 'healthy' }, 4])
})

test('who signs something else than what was asked for is not believed', async () => {
  await using db = await ledgerOf(2)
  const other = checkpointKey()
  for (const wrap of [
    (): SignCheckpoint => checkpointSigner({ signer: other, keys: () => [other.publicKey], origin: 'o', last: noteStore() }),
    (): SignCheckpoint => (request) => checkpointSigner({ signer: OURS, keys, origin: 'o', last: noteStore() })({ ...request, size: 1 }),
    (): SignCheckpoint => checkpointSigner({ signer: OURS, keys, origin: 'another', last: noteStore() }),
  ]) {
    const places = elsewhere()
    const { checkpoints } = await start(db, places, { wrap })
    assert.equal(checkpoints.state().status, 'unhealthy')
    assert.deepEqual([checkpoints.newest(), places.file.note], [null, null])
  }
})

test('a disk that is full is reported, and the checkpoint is kept once there is room', async () => {
  await using db = await ledgerOf(2)
  const places = elsewhere()
  let isFull = true
  const file = { name: 'full', read: places.file.read, write: (note: string) => {
    if (isFull) throw new Failure('FILE_UNREADABLE', 'cannot write')
    places.file.write(note)
  } }
  const { checkpoints } = await start(db, { file: file as never, signed: places.signed })
  assert.equal(checkpoints.state().status, 'unhealthy')
  isFull = false
  await checkpoints.close()
  assert.deepEqual(checkpoints.state(), { status: 'healthy' })
  assert.equal(places.file.note, places.signed.note)
})

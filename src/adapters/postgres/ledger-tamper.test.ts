import assert from 'node:assert/strict'
import { test } from 'node:test'

import { sha256 } from '#core/canonical.ts'
import { signCheckpoint } from '#core/ledger/checkpoint.ts'
import { checkpointKey } from '#test/checkpoint-key.ts'
import { testDatabase, type TestDatabase } from '#test/database.ts'
import { generationRow } from '#test/generation-row.ts'
import { TAMPERINGS } from '#test/tampering.ts'
import { recordGeneration } from './generations.ts'
import { storeCheckpoint } from './ledger-entries.ts'
import { verifyLedger } from './ledger-verify.ts'
import { append, contradiction, guardLedger, ledgerTip, type KnownState } from './ledger.ts'

const OURS = checkpointKey()
const KEYS = [OURS.publicKey]

/** 8 generations with a checkpoint after every second one; the last is the one that is kept outside. */
async function signedLedger(): Promise<{ db: TestDatabase; outside: KnownState }> {
  const db = await testDatabase()
  for (let n = 0; n < 8; n++) {
    await db.transaction((tx) => recordGeneration(tx, generationRow(n)))
    if (n % 2 === 1) await storeCheckpoint(db, signCheckpoint({ origin: 'o', ...(await ledgerTip(db)) }, OURS), new Date(), KEYS)
  }
  return { db, outside: await ledgerTip(db) }
}

/** Where each is found with one checkpoint outside, and with those in the database beside it. */
const WHERE: Record<string, { readonly outside: readonly [number, number]; readonly all: readonly [number, number] }> = {
  'an entry edited': { outside: [0, 7], all: [4, 5] },
  'an entry deleted': { outside: [7, 7], all: [4, 5] },
  'the end cut off': { outside: [6, 7], all: [6, 7] },
  'two entries changed places': { outside: [0, 7], all: [4, 5] },
  'everything from an entry on rewritten to the same length': { outside: [0, 7], all: [4, 5] },
  'put back to an earlier state, checkpoints included': { outside: [5, 7], all: [5, 7] },
}

for (const { how, tamper } of TAMPERINGS) {
  test(`${how}, and everything made to agree: the checkpoint outside of the database shows it, and where`, async () => {
    const { db, outside } = await signedLedger()
    await using _ = db
    assert.deepEqual((await verifyLedger(db, [outside], KEYS)).problems, [])
    assert.equal(await contradiction(db, outside), null)
    await tamper(db)

    // Sabotage: without the check the database is what an honest one would be, so it is the check that finds it.
    assert.deepEqual((await verifyLedger(db)).problems, [])
    const finds = (report: Awaited<ReturnType<typeof verifyLedger>>, [from, to]: readonly [number, number]) => {
      assert.equal(report.valid, false)
      assert.ok(report.problems.some((problem) => problem.from === from && problem.to === to), JSON.stringify(report.problems))
    }
    const where = WHERE[how]
    assert(where !== undefined)
    finds(await verifyLedger(db, [outside]), where.outside)
    finds(await verifyLedger(db, [outside], KEYS), where.all)

    assert.match((await contradiction(db, outside)) ?? '', /cut off|rewritten/)
    const entry = { kind: 'application.put', at: '2026-11-24T12:00:00.000Z', subject: { application: 'clinic' }, digests: {} } as const
    await assert.rejects(guardLedger(db, () => outside).transaction((tx) => append(tx, entry)), { code: 'LEDGER_CORRUPT' })
    await db.transaction((tx) => append(tx, entry)) // Sabotage: unguarded, it is appended.
  })
}

test('a checkpoint in the database that was changed, moved or made by another is found', async () => {
  const { db } = await signedLedger()
  await using _ = db
  const problems = async () => (await verifyLedger(db, [], KEYS)).problems.map(({ message }) => message).join('\n')
  await db.query(`update ledger_checkpoints set note = replace(note, 'o', 'p') where size = 2`)
  await db.query('update ledger_checkpoints set size = 5 where size = 4')
  await db.query('update ledger_checkpoints set note = $1 where size = 6', [signCheckpoint({ origin: 'o', size: 6, root: 'ab'.repeat(32) }, checkpointKey()).note])
  assert.match(await problems(), /for 2 entries was changed.*\n.*for 5 entries is one for 4\n.*for 6 entries was changed.*no trusted key/)
  await db.query('delete from ledger_checkpoints')
  assert.equal(await problems(), '')
})

test('what appends must agree with stays true while the ledger grows, for one that is empty too', async () => {
  await using db = await testDatabase()
  let known: KnownState = { size: 0, root: sha256('') }
  const guarded = guardLedger(db, () => known)
  for (let n = 0; n < 5; n++) {
    await guarded.transaction((tx) => recordGeneration(tx, generationRow(n)))
    if (n % 2 === 0) known = await ledgerTip(db)
  }
  assert.equal((await ledgerTip(db)).size, 5)
})

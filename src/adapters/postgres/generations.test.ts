import assert from 'node:assert/strict'
import { test } from 'node:test'

import { testDatabase } from '#test/database.ts'
import { generationRow, refusedRow } from '#test/generation-row.ts'
import { listGenerations, readGeneration, recordGeneration } from './generations.ts'
import { verifyLedger } from './ledger-verify.ts'
import { ledgerTip } from './ledger.ts'

test('what is stored comes back as it was, byte for byte, with its place in the ledger', async () => {
  await using db = await testDatabase()
  const row = generationRow(1)
  const receipt = await db.transaction((tx) => recordGeneration(tx, row))
  assert.equal(receipt.index, 0)
  assert.deepEqual(await readGeneration(db, row.generation_id), { ...row, ledger: receipt })
  assert.equal(await readGeneration(db, 'another'), null)
  assert.equal(await readGeneration(db, 'nul\0'), null)
})

test('the same generation recorded twice is one row, one entry, one receipt', async () => {
  await using db = await testDatabase()
  const first = await db.transaction((tx) => recordGeneration(tx, generationRow(1)))
  await db.transaction((tx) => recordGeneration(tx, generationRow(2)))
  assert.deepEqual(await db.transaction((tx) => recordGeneration(tx, generationRow(1))), first)
  assert.equal((await ledgerTip(db)).size, 2)
  assert.equal((await listGenerations(db)).generations.length, 2)
})

test('every filter selects what it names, and filters together narrow', async () => {
  await using db = await testDatabase()
  await db.transaction(async (tx) => {
    await recordGeneration(tx, generationRow(1))
    await recordGeneration(tx, refusedRow(2, { priority: 'high', constitutional_principles: ['fairness'] }))
    await recordGeneration(tx, refusedRow(3, { verdict: 'undetermined', violated_articles: [], user_id: 'author-2' }))
  })
  const numbers = async (filters: Parameters<typeof listGenerations>[1]) => (await listGenerations(db, filters)).generations.map(({ title }) => Number(title.split(' ')[1]))
  assert.deepEqual(await numbers({}), [3, 2, 1])
  assert.deepEqual(await numbers({ verdict: 'certified' }), [1])
  assert.deepEqual(await numbers({ article: 'privacy.consent' }), [2])
  assert.deepEqual(await numbers({ article: 'privacy' }), [])
  assert.deepEqual(await numbers({ principle: 'privacy' }), [3, 1])
  assert.deepEqual(await numbers({ priority: 'high' }), [2])
  assert.deepEqual(await numbers({ userId: 'author-2' }), [3])
  assert.deepEqual(await numbers({ from: generationRow(2).created_at }), [3, 2])
  assert.deepEqual(await numbers({ to: generationRow(2).created_at }), [1])
  assert.deepEqual(await numbers({ principle: 'privacy', userId: 'author-1' }), [1])
  assert.deepEqual(await numbers({ title: "'; drop table policy_generations" } as never), [3, 2, 1])
})

test('pages cover everything once, also when rows share an instant and others arrive in between', async () => {
  await using db = await testDatabase()
  const at = new Date('2026-11-24T12:00:00.123Z')
  for (let n = 0; n < 7; n++) await db.transaction((tx) => recordGeneration(tx, refusedRow(n, { created_at: at })))
  const seen: string[] = []
  for (let cursor: string | null | undefined; cursor !== null; ) {
    const page = await listGenerations(db, { limit: 3, ...(cursor === undefined ? {} : { cursor }) })
    seen.push(...page.generations.map(({ generation_id }) => generation_id))
    cursor = page.next
    await db.transaction((tx) => recordGeneration(tx, refusedRow(100 + seen.length))) // newer than all: on no later page
  }
  assert.deepEqual(seen, [6, 5, 4, 3, 2, 1, 0].map((n) => `gen-00000${n}`))
})

test('a cursor that no page gave is refused', async () => {
  await using db = await testDatabase()
  for (const cursor of ['', 'x', 'bnVsbA', Buffer.from('["2026-11-24T12:00:00Z"]').toString('base64url'), Buffer.from('["yesterday","a"]').toString('base64url')]) {
    await assert.rejects(listGenerations(db, { cursor }), { code: 'REQUEST_MALFORMED' })
  }
})

test('a character that PostgreSQL cannot store is refused, and nothing is left behind', async () => {
  await using db = await testDatabase()
  for (const changed of [{ title: 'a\0b' }, { title: 'a\ud800b' }, { context: { 'a\0b': 1 } }, { evidence: ['\\\0'] }]) {
    await assert.rejects(db.transaction((tx) => recordGeneration(tx, generationRow(1, changed))), { code: 'REQUEST_MALFORMED' }, JSON.stringify(changed))
  }
  await assert.rejects(db.transaction((tx) => recordGeneration(tx, generationRow(1, { evidence: new Map([['a', 1]]) as never }))), /not a JSON value: Map/)
  assert.deepEqual((await listGenerations(db)).generations, [])
  assert.equal((await verifyLedger(db)).valid, true)
})

test('a certified generation without its certificate cannot be stored', async () => {
  await using db = await testDatabase()
  await assert.rejects(db.transaction((tx) => recordGeneration(tx, generationRow(1, { certificate: null, certificate_id: null }))), /check constraint/)
  await assert.rejects(db.transaction((tx) => recordGeneration(tx, generationRow(1, { verdict: 'refused' }))), /check constraint/)
})

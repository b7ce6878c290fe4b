import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { EntityStore } from '#core/decision/entity-store.ts'
import type { CedarEntity } from '#core/unit/semantic-unit.ts'
import { testDatabase, type TestDatabase } from '#test/database.ts'
import { insertApplication, listApplications, lockApplication, readApplication } from './applications.ts'
import { keep } from '#core/revision/entities.ts'
import { ancestorsStored, changeEntities, changesSince, readChanges, storedEntities, type EntityChange } from './entities.ts'
import { ledgerTip } from './ledger.ts'

const at = new Date('2026-11-24T12:00:00.000Z')
const user = (id: string, n = 0): CedarEntity => ({ uid: { type: 'User', id }, attrs: { n }, parents: [] })
const team = (id: string, ...parents: string[]): CedarEntity => ({ uid: { type: 'Team', id }, attrs: {}, parents: parents.map((parent) => ({ type: 'Team', id: parent })) })

async function store(): Promise<TestDatabase> {
  const db = await testDatabase()
  await db.transaction((tx) => insertApplication(tx, { name: 'clinic', schema: { text: 'entity User;', digest: 'ab'.repeat(32) }, by: 'test', at }))
  return db
}
const change = (db: TestDatabase, { upserted = [], deleted = [] }: { upserted?: readonly CedarEntity[]; deleted?: EntityChange['deleted'] }) =>
  db.transaction(async (tx) => changeEntities(tx, 'clinic', { upserted: upserted.map(keep), deleted }, { version: (await lockApplication(tx, 'clinic'))?.entitiesVersion ?? -1, by: 'author-1', at }))
const stored = async (db: TestDatabase) => {
  const all: CedarEntity[] = []
  for await (const some of storedEntities(db, 'clinic')) all.push(...some)
  return all
}

test('an application is made once; entities in it are counted without the deleted ones', async () => {
  await using db = await store()
  assert.equal(await db.transaction((tx) => insertApplication(tx, { name: 'clinic', schema: { text: 'other', digest: '' }, by: 'other', at })), false)
  await change(db, { upserted: [user('a'), user('b')] })
  await change(db, { deleted: [{ type: 'User', id: 'a' }] })
  const [only] = await listApplications(db)
  assert.deepEqual([only?.schema.text, only?.entitiesVersion, only?.entities, only?.activeRevision, only?.createdBy], ['entity User;', 2, 1, null, 'test'])
  assert.deepEqual(await readApplication(db, 'clinic'), only)
  assert.equal(await readApplication(db, 'none'), null)
})

test('every change is one version and one entry in the ledger; what changes nothing is neither', async () => {
  await using db = await store()
  const first = await change(db, { upserted: [user('a'), user('b')] })
  assert.deepEqual([first.version, first.upserted, first.ledger?.index], [1, 2, 0])
  const same = await change(db, { upserted: [user('b'), user('a')], deleted: [{ type: 'User', id: 'none' }] })
  assert.deepEqual(same, { version: 1, upserted: 0, deleted: [], ledger: null })
  const second = await change(db, { upserted: [user('a', 1), user('b')], deleted: [{ type: 'User', id: 'b' }, { type: 'User', id: 'b' }] })
  assert.deepEqual([second.version, second.upserted, second.deleted], [2, 1, [{ type: 'User', id: 'b' }]])
  assert.equal((await ledgerTip(db)).size, 2)
  assert.deepEqual(await stored(db), [user('a', 1)])
})

test('a change that fails leaves nothing behind', async () => {
  await using db = await store()
  await change(db, { upserted: [user('a')] })
  await assert.rejects(db.transaction(async (tx) => {
    await changeEntities(tx, 'clinic', { upserted: [user('b')].map(keep), deleted: 'the rest' }, { version: 1, by: 'author-1', at })
    throw new Error('interrupted')
  }), /interrupted/)
  assert.deepEqual(await stored(db), [user('a')])
  assert.deepEqual([(await readApplication(db, 'clinic'))?.entitiesVersion, (await ledgerTip(db)).size], [1, 1])
})

test('changes since a version are told one by one; from before a replacement everything is', async () => {
  await using db = await store()
  assert.deepEqual(await changesSince(db, 'clinic', 0)(undefined), { version: 0, isWhole: true, upserted: [], deleted: [], next: null })
  await change(db, { upserted: [user('a'), user('b')] })
  await change(db, { upserted: [user('c')], deleted: [{ type: 'User', id: 'b' }] })
  assert.deepEqual(await changesSince(db, 'clinic', 1)(undefined), { version: 2, isWhole: false, upserted: [user('c')], deleted: [{ type: 'User', id: 'b' }], next: null })
  assert.deepEqual(await changesSince(db, 'clinic', 2)(undefined), { version: 2, isWhole: false, upserted: [], deleted: [], next: null })
  assert.deepEqual(await changesSince(db, 'clinic', 0)(undefined), { version: 2, isWhole: true, upserted: [user('a'), user('c')], deleted: [], next: null })

  const replaced = await change(db, { upserted: [user('c'), user('d')], deleted: 'the rest' })
  assert.deepEqual(replaced.deleted, [{ type: 'User', id: 'a' }])
  assert.deepEqual(await changesSince(db, 'clinic', 2)(undefined), { version: 3, isWhole: false, upserted: [user('d')], deleted: [{ type: 'User', id: 'a' }], next: null })
  assert.deepEqual(await changesSince(db, 'clinic', 1)(undefined), { version: 3, isWhole: true, upserted: [user('c'), user('d')], deleted: [], next: null })
  // A store that was put back to an earlier state: whoever has seen more must forget it.
  assert.equal((await changesSince(db, 'clinic', 9)(undefined)).isWhole, true)
  await assert.rejects(changesSince(db, 'none', 0)(undefined), /no application `none`/)
})

test('pages that are read while the store changes lead to one state of it', async () => {
  await using db = await store()
  const name = fc.constantFrom('a', 'b', 'c', 'd', 'e')
  const step = fc.record({ upserted: fc.uniqueArray(fc.tuple(name, fc.nat(2)), { maxLength: 3, selector: ([id]) => id }), deleted: fc.oneof({ weight: 5, arbitrary: fc.array(name, { maxLength: 2 }) }, { weight: 1, arbitrary: fc.constant(null) }) })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 4 }), fc.array(step, { maxLength: 6 }), fc.boolean(), async (before, during, fromStart) => {
      const run = ({ upserted, deleted }: typeof before[number]) => change(db, {
        upserted: upserted.map(([id, n]) => user(id, n)), deleted: deleted === null ? 'the rest' : deleted.filter((id) => !upserted.some(([other]) => other === id)).map((id) => ({ type: 'User', id })),
      })
      for (const each of before) await run(each)
      const held = new EntityStore()
      if (!fromStart) await held.follow(changesSince(db, 'clinic', 0))
      const left = [...during]
      const since = held.version
      await held.follow(async (cursor) => {
        const next = left.shift()
        if (next !== undefined) await run(next)
        const page = await readChanges(db, 'clinic', { since, cursor, limit: 1 })
        assert.ok(page !== null)
        return page
      })
      const here = ['a', 'b', 'c', 'd', 'e'].flatMap((id) => held.get({ type: 'User', id }) ?? [])
      assert.deepEqual([here, held.size], [await stored(db), here.length])
    }),
    { numRuns: 60 },
  )
})

test('a cursor that no page gave is refused', async () => {
  await using db = await store()
  await assert.rejects(readChanges(db, 'clinic', { since: 0, cursor: 'nonsense', limit: 1 }), /cursor/)
})

test('what is above is found at every height, cycles included', async () => {
  await using db = await store()
  await change(db, { upserted: [team('a', 'b'), team('b', 'c', 'gone'), team('c', 'a'), team('x')] })
  const above = await ancestorsStored(db, 'clinic', [{ type: 'Team', id: 'b' }, { type: 'Team', id: 'nowhere' }])
  assert.deepEqual(above.map(({ uid }) => uid.id).sort(), ['a', 'b', 'c'])
  assert.deepEqual(above.find(({ uid }) => uid.id === 'b')?.parents, [{ type: 'Team', id: 'c' }, { type: 'Team', id: 'gone' }])
})

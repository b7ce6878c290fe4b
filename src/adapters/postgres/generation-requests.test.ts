import assert from 'node:assert/strict'
import { test } from 'node:test'

import { digest } from '#core/canonical.ts'
import { GenerateBody } from '#core/unit/request.ts'
import { testDatabase } from '#test/database.ts'
import type { Queryable } from './connect.ts'
import {
  acceptRequest, endRequest, forgetRequests, keepRequests, postponeRequest, queueOfRequests, readRequest, readRequestByKey, releaseRequests, takeRequest,
} from './generation-requests.ts'

const body = GenerateBody.parse({ title: 'Documents', description: 'Users may read documents of theirs.', context: { domain: 'ai-agents', note: { n: 1.5 } } })
const at = new Date('2026-11-28T10:00:00.123Z')
const request = (id: string, key: string | null = null, subject = 'ada') => ({ id, subject, key, body, at, digest: digest(body) })
const expire = (db: Queryable) => db.query(`update generation_requests set held_until = now() - interval '1 second'`)
const ended = (outcome: string | null = null) => ({ state: 'finished', at: new Date(), steps: [], outcome }) as const

test('what is accepted comes back as it was, once its holder has not been heard of', async () => {
  await using db = await testDatabase()
  assert.equal(await acceptRequest(db, request('gen_1', 'k'), 'a', 5), true)
  assert.equal(await takeRequest(db, 'b', 5, []), null, 'it is held')
  await expire(db)
  assert.equal(await takeRequest(db, 'a', 5, ['gen_1']), null, 'its holder does not begin a second time')
  assert.deepEqual(await takeRequest(db, 'b', 5, []), { id: 'gen_1', subject: 'ada', key: 'k', body, at, attempt: 2, silent: 2, postponed: 0, steps: [] })
  assert.equal(await takeRequest(db, 'c', 5, []), null, 'it is held again')
})

test('what nobody holds is taken at once, and by one of many', async () => {
  await using db = await testDatabase()
  for (let n = 0; n < 5; n++) await acceptRequest(db, request(`gen_${n}`), null, 5)
  const taken = await Promise.all(Array.from({ length: 12 }, (_, n) => takeRequest(db, `p${n}`, 5, [])))
  const ids = taken.flatMap((each) => (each === null ? [] : [each.id]))
  assert.equal(new Set(ids).size, ids.length)
  while (ids.length < 5) ids.push((await takeRequest(db, 'late', 5, []))?.id ?? assert.fail('one was lost'))
  assert.equal(await takeRequest(db, 'late', 5, []), null)
})

test('whoever says that it still works keeps it, and says how far it has come; who has lost it does not get it back', async () => {
  await using db = await testDatabase()
  await acceptRequest(db, request('gen_1'), 'a', 5)
  await expire(db)
  const steps = [{ attempt: 1, step: 'prove', at: at.toISOString() }] as const
  await keepRequests(db, 'a', 5, [{ id: 'gen_1', steps }])
  assert.equal(await takeRequest(db, 'b', 5, []), null)
  assert.deepEqual((await readRequest(db, 'gen_1'))?.steps, steps)
  await expire(db)
  assert.deepEqual((await takeRequest(db, 'b', 5, []))?.steps, steps)
  await expire(db)
  await keepRequests(db, 'a', 60, [{ id: 'gen_1', steps: [] }])
  assert.equal((await takeRequest(db, 'c', 5, []))?.attempt, 3)
})

test('a request ends once: whoever comes second is told so', async () => {
  await using db = await testDatabase()
  await acceptRequest(db, request('gen_1'), 'a', 5)
  const both = await Promise.all(['first', 'second'].map((outcome) => db.transaction(async (tx) => {
    const isMine = await endRequest(tx, 'gen_1', ended(outcome))
    await tx.query('select pg_sleep(0.05)')
    return isMine
  })))
  assert.deepEqual(both.toSorted(), [false, true])
  await expire(db)
  assert.equal(await takeRequest(db, 'b', 5, []), null)
  assert.equal((await readRequest(db, 'gen_1'))?.state, 'finished')
})

test('a key is of one subject, until what it stands for is forgotten', async () => {
  await using db = await testDatabase()
  assert.equal(await acceptRequest(db, request('gen_1', 'k'), null, 5), true)
  assert.equal(await acceptRequest(db, request('gen_2', 'k'), null, 5), false)
  assert.equal(await acceptRequest(db, request('gen_3', 'k', 'ben'), null, 5), true)
  assert.equal((await readRequestByKey(db, 'ada', 'k'))?.generation_id, 'gen_1')
  await forgetRequests(db, 0)
  assert.equal((await readRequestByKey(db, 'ada', 'k'))?.generation_id, 'gen_1', 'what is not finished is never forgotten')
  await db.transaction((tx) => endRequest(tx, 'gen_1', ended()))
  await forgetRequests(db, 24)
  assert.equal(await acceptRequest(db, request('gen_4', 'k'), null, 5), false)
  await db.query(`update generation_requests set ended_at = now() - interval '25 hours' where state <> 'accepted'`)
  await forgetRequests(db, 24)
  assert.equal(await acceptRequest(db, request('gen_4', 'k'), null, 5), true)
})

test('what has to wait for something is laid aside for a while, and what is left is taken at once', async () => {
  await using db = await testDatabase()
  await acceptRequest(db, request('gen_1'), 'a', 5)
  await postponeRequest(db, 'a', 'gen_1', 60)
  assert.equal(await takeRequest(db, 'b', 5, []), null)
  await db.query(`update generation_requests set held_until = now()`)
  const again = await takeRequest(db, 'b', 5, [])
  assert.deepEqual([again?.attempt, again?.silent, again?.postponed], [2, 1, 1])
  await postponeRequest(db, 'a', 'gen_1', 60)
  assert.equal(await releaseRequests(db, 'b'), 1, 'whoever has lost it cannot lay it aside')
  assert.equal((await takeRequest(db, 'c', 5, []))?.silent, 2)
})

test('the queue says how many wait, how many are under way, and how old the oldest is', async () => {
  await using db = await testDatabase()
  assert.deepEqual(await queueOfRequests(db), { waiting: 0, underWay: 0, oldestSeconds: 0 })
  const now = new Date()
  await acceptRequest(db, { ...request('gen_1'), at: new Date(now.getTime() - 30_000) }, 'a', 5)
  await acceptRequest(db, { ...request('gen_2'), at: now }, null, 5)
  await acceptRequest(db, { ...request('gen_3'), at: now }, 'a', 5)
  await db.transaction((tx) => endRequest(tx, 'gen_3', ended()))
  const { waiting, underWay, oldestSeconds } = await queueOfRequests(db)
  assert.deepEqual([waiting, underWay], [1, 1])
  assert.ok(oldestSeconds >= 29 && oldestSeconds < 60, String(oldestSeconds))
})

test('what a newer release has accepted is left to it, and keeps nobody from the rest', async () => {
  await using db = await testDatabase()
  await acceptRequest(db, request('gen_1'), null, 5)
  await db.query(`update generation_requests set request = request || '{"of_tomorrow": true}'`)
  await acceptRequest(db, request('gen_2'), null, 5)
  assert.equal(await takeRequest(db, 'a', 5, []), null)
  assert.equal((await takeRequest(db, 'a', 5, []))?.id, 'gen_2')
  assert.equal(await takeRequest(db, 'a', 5, []), null)
})

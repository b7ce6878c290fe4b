import assert from 'node:assert/strict'
import { test } from 'node:test'
import { unauthenticated, type Audience } from './authenticate.ts'
import { rememberCallers } from './remember-callers.ts'

test('whom it let in is known for a moment and not longer; what was refused never is', async () => {
  const state = { asked: 0, at: 0, isValid: true }
  const remembered = rememberCallers(async (header, audience) => {
    state.asked++
    if (header === undefined || !state.isValid || audience === 'peers') throw unauthenticated('signature', 'the signature does not fit')
    return { subject: header, clientId: 'c', roles: ['service'] }
  }, { forMs: 1_000, now: () => state.at })
  const judge = async (header: string | undefined, audience?: Audience) => remembered(header, audience)

  assert.deepEqual([(await judge('a')).subject, (await judge('a')).subject, (await judge('b')).subject, state.asked], ['a', 'a', 'b', 2])
  await assert.rejects(judge('a', 'peers'), { code: 'UNAUTHENTICATED' }) // Known to others is not known to these.
  state.isValid = false
  assert.equal((await judge('a')).subject, 'a')
  state.at = 1_000
  for (let i = 0; i < 2; i++) await assert.rejects(judge('a'), { code: 'UNAUTHENTICATED' })
  await assert.rejects(judge(undefined), { code: 'UNAUTHENTICATED' })
  assert.equal(state.asked, 6)
  state.isValid = true
  for (let i = 0; i < 3_000; i++) assert.equal((await judge(`t${i}`)).subject, `t${i}`) // However many there are, each is itself.
})

test('what a connection sent before is known there as long as anywhere, for the same audience and the same characters only', async () => {
  const state = { asked: 0, at: 0 }
  const remembered = rememberCallers(async (header, audience) => {
    state.asked++
    if (audience === 'peers') throw unauthenticated('audience', 'the token is meant for somebody else')
    return { subject: `${header} ${state.asked}`, clientId: 'c', roles: ['service'] }
  }, { forMs: 1_000, now: () => state.at })
  const [one, other] = [{}, {}]
  const judge = async (header: string, connection: object, audience?: Audience) => (await remembered(header, audience, connection)).subject

  assert.deepEqual([await judge('a', one), await judge('a', one), await judge('a', one), await judge('a', other)], ['a 1', 'a 1', 'a 1', 'a 1'])
  assert.deepEqual([await judge('b', one), await judge('b', one), await judge('a', one), await judge('b', other)], ['b 2', 'b 2', 'a 1', 'b 2'])
  await assert.rejects(judge('a', one, 'peers'), { code: 'UNAUTHENTICATED' })
  await assert.rejects(judge('a', one, 'peers'), { code: 'UNAUTHENTICATED' })
  assert.equal(state.asked, 4)
  state.at = 1_000
  assert.deepEqual([await judge('a', one), await judge('a', one)], ['a 5', 'a 5'])
})

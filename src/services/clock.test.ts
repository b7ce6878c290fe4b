import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readConfig } from '#config'
import { importTwin } from '#test/twin.ts'
import { clockComponent, type Clock } from './clock.ts'

const config = readConfig({ env: {} })
const ahead = (name: string, seconds: number): Clock => ({ name, read: async () => Date.now() + seconds * 1000 })
const out: Clock = { name: 'auth', read: () => Promise.reject(new Error('out')) }
const hangs: Clock = { name: 'gs', read: () => new Promise(() => {}) }
const judge = (...clocks: Clock[]) => clockComponent({ ...config, monitoring: { ...config.monitoring, probeTimeoutMs: 100 } }, clocks).probe(new AbortController().signal)

test('a clock that every other contradicts is wrong, whichever way, and the process is not ready', async () => {
  assert.deepEqual(await judge(ahead('the database', 600)), { status: 'unhealthy', detail: 'the clock of this machine is 600 s behind that of the database: set it, by NTP or by hand' })
  assert.deepEqual(await judge(ahead('the database', -600), ahead('auth', -600)), { status: 'unhealthy', detail: 'the clock of this machine is 600 s ahead of that of the database and auth: set it, by NTP or by hand' })
})

test('when only one is far off, that one is wrong: it is named, and the process goes on', async () => {
  assert.deepEqual(await judge(ahead('the database', 0), ahead('auth', 600)), { status: 'degraded', detail: 'the clock of auth is 600 s ahead of that of this machine: set it there, by NTP or by hand' })
})

test('a difference that tokens do not stand is told; one that they do is none', async () => {
  assert.equal((await judge(ahead('auth', -20))).status, 'degraded')
  assert.equal((await judge(ahead('auth', 3))).status, 'healthy')
})

test('who is out or hangs says nothing about clocks', async () => {
  assert.deepEqual(await judge(out, hangs), { status: 'healthy' })
  assert.equal((await judge(out, hangs, ahead('the database', 600))).status, 'unhealthy')
})

test('what the way there and back explains is no difference', async () => {
  const slow: Clock = { name: 'auth', read: async () => {
    const read = Date.now()
    await new Promise((resolve) => setTimeout(resolve, 40))
    return read
  } }
  assert.deepEqual(await judge(slow), { status: 'healthy' })
})

test('sabotage twins: one that believes its own clock, and one that believes any single other, are noticed', async () => {
  for (const [from, to] of [['far.length === known.length', 'far.length > known.length'], ['far.length === known.length', 'far.length > 0']] as const) {
    const twin = await importTwin<{ clockComponent: typeof clockComponent }>('src/services/', ['clock.ts'], { file: 'clock.ts', from, to }, to)
    const statuses = await Promise.all([[600], [0, 600]].map(async (seconds) => (await twin.clockComponent(config, seconds.map((each, n) => ahead(String(n), each))).probe(new AbortController().signal)).status))
    assert.notDeepEqual(statuses, ['unhealthy', 'degraded'], to)
  }
})

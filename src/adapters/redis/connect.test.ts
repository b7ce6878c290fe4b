import assert from 'node:assert/strict'
import { createServer, type AddressInfo } from 'node:net'
import { test } from 'node:test'
import { Failure } from '#core/failure.ts'
import { freePorts } from '#test/product.ts'
import { needsRedis, startRedis } from '#test/redis.ts'
import { connectRedis } from './connect.ts'

const LIMITS = { name: 'test', connectTimeoutMs: 300, timeoutMs: 150 }
const isAway = (error: unknown) => error instanceof Failure && error.code === 'CACHE_UNAVAILABLE'

async function took(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now()
  await work()
  return performance.now() - started
}

test('what was set comes back, byte by byte, until its time is over', needsRedis, async () => {
  await using server = await startRedis()
  await using redis = connectRedis({ url: server.url, ...LIMITS })
  const bytes = Buffer.from([0, 255, 13, 10, 128, 36])
  assert.equal(await redis.get('k'), null)
  await redis.set('k', bytes, 60_000)
  assert.deepEqual(await redis.get('k'), bytes)
  assert.match(await server.command('CLIENT', 'LIST'), /name=acgs-pgp-v8-test /)
  assert.equal((await redis.info('stats')).get('keyspace_hits'), '1')
  assert.match(await server.command('PTTL', 'k'), /^:5\d{4}\r\n/)
})

test('a script is sent once and runs by its digest, also after Redis has forgotten it', needsRedis, async () => {
  await using server = await startRedis()
  await using redis = connectRedis({ url: server.url, ...LIMITS })
  const script = "return {redis.call('INCR', KEYS[1]), tonumber(ARGV[1])}"
  for (const n of [1, 2, 3]) assert.deepEqual(await redis.count(script, ['n'], [7]), [n, 7])
  assert.match(await server.command('INFO', 'commandstats'), /cmdstat_eval:calls=1,/)
  await server.command('SCRIPT', 'FLUSH')
  assert.deepEqual(await redis.count(script, ['n'], [7]), [4, 7])
})

test('killed, it is away at once; started again, it answers without anybody connecting', needsRedis, async () => {
  await using server = await startRedis()
  await using redis = connectRedis({ url: server.url, ...LIMITS })
  await redis.ping()
  await server.signal('SIGKILL')
  for (let i = 0; i < 3; i++) await assert.rejects(redis.get('k'), isAway)
  await server.start()
  await redis.ping()
})

test('paused, every question is given up in time, and the late answers of a connection are never taken for others', needsRedis, async () => {
  await using server = await startRedis()
  await using redis = connectRedis({ url: server.url, ...LIMITS })
  await redis.set('a', Buffer.from('of a'), 60_000)
  await redis.set('b', Buffer.from('of b'), 60_000)
  await server.signal('SIGSTOP')
  assert.ok(await took(() => assert.rejects(redis.get('a'), isAway)) < 5_000)
  assert.ok(await took(() => assert.rejects(redis.get('a'), isAway)) < 5_000) // It connects anew, and the kernel accepts for who is paused.
  await server.signal('SIGCONT')
  for (let i = 0; i < 20; i++) assert.equal(String(await redis.get('b').catch(() => 'of b')), 'of b')
  assert.equal(String(await redis.get('b')), 'of b')
})

test('where nobody listens it is away, and once closed it stays so', async () => {
  const [port = 0] = await freePorts(1)
  await using redis = connectRedis({ url: `redis://127.0.0.1:${port}`, ...LIMITS })
  await assert.rejects(redis.ping(), /Redis does not answer: .*ECONNREFUSED/)
  await redis[Symbol.asyncDispose]()
  await assert.rejects(redis.ping(), isAway)
})

test('a password that Redis refuses, or that is not given, is told as that', needsRedis, async () => {
  await using server = await startRedis()
  const { host } = new URL(server.url)
  const refuses = async (url: string, said: RegExp) => {
    await using redis = connectRedis({ url, ...LIMITS })
    await assert.rejects(redis.ping(), (error) => isAway(error) && said.test((error as Failure).message))
  }
  await refuses(`redis://:given@${host}`, /^Redis refuses the user or the password: .*: correct both in REDIS_URL$/)
  await server.command('CONFIG', 'SET', 'requirepass', 'right')
  await refuses(server.url, /^Redis refuses the user or the password: NOAUTH .*: correct both in REDIS_URL$/)
  await refuses(`redis://:wrong@${host}`, /^Redis refuses the user or the password: WRONGPASS .*: correct both in REDIS_URL$/)
})

for (const [what, says] of [['says nothing', null], ['says something else', 'HTTP/1.1 400 Bad Request\r\n\r\n'], ['hangs up', '']] as const) {
  test(`where somebody listens who ${what}, it is away in time`, async () => {
    const server = createServer((socket) => {
      socket.on('error', () => {})
      if (says !== null) socket.end(says)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    try {
      await using redis = connectRedis({ url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`, ...LIMITS })
      for (let i = 0; i < 2; i++) assert.ok(await took(() => assert.rejects(redis.get('k'), isAway)) < 5_000)
    } finally {
      server.close()
    }
  })
}

test('a guard stands in front of every question', async () => {
  const away = new Failure('CACHE_UNAVAILABLE', 'left alone')
  await using redis = connectRedis({ url: 'redis://127.0.0.1:1', ...LIMITS, guard: () => Promise.reject(away) })
  for (const ask of [() => redis.get('k'), () => redis.set('k', Buffer.from(''), 1), () => redis.ping(), () => redis.info('stats'), () => redis.count('', [], [])]) await assert.rejects(ask(), (error) => error === away)
})

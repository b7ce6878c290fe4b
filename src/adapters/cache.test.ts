import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { connectRedis } from '#adapters/redis/connect.ts'
import { needsRedis, startRedis } from '#test/redis.ts'
import { importTwin } from '#test/twin.ts'
import * as ours from './cache.ts'

type Module = Pick<typeof ours, 'createCache'>
const TTL = 1_000

/** A cache with a clock of its own; what it makes says which question it was made for, and how often something was made. */
function cacheOf({ module = ours, store = null, bytesMax = 1_000_000, basis = 'v1', secret = 'ours', ttlMs = () => TTL }: {
  module?: Module; store?: ours.ByteStore | null; bytesMax?: number; basis?: unknown; secret?: string; ttlMs?: () => number
} = {}) {
  let at = 1_000_000
  let made = 0
  const seen: string[] = []
  const cache = module.createCache<{ question: string; n: number }>({
    kind: 'test', basis, store, bytesMax, ttlMs, secret: Buffer.from(secret), write: JSON.stringify, read: (text) => JSON.parse(text), now: () => at,
    observed: ({ operation, tier, result }) => seen.push(`${operation} ${tier} ${result}`),
  })
  return {
    seen,
    made: () => made,
    pass: (ms: number) => { at += ms },
    ask: async (question: string) => {
      const value = await cache.through({ question }, async () => ({ question, n: ++made }), (value) => value.question === question)
      await new Promise((resolve) => setImmediate(resolve)) // What is written is not waited for.
      assert.equal(value.question, question, 'another question’s answer')
      return value.n
    },
    cache,
  }
}

function storeOf(): ours.ByteStore & { readonly bytes: Map<string, Buffer> } {
  const bytes = new Map<string, Buffer>()
  return { bytes, get: async (key) => bytes.get(key) ?? null, set: async (key, value) => void bytes.set(key, value) }
}

test('what was made once is remembered until its time is over, which may change meanwhile', async () => {
  let ttl = TTL
  const world = cacheOf({ ttlMs: () => ttl })
  assert.deepEqual([await world.ask('a'), await world.ask('a'), await world.ask('b')], [1, 1, 2])
  world.pass(TTL)
  assert.equal(await world.ask('a'), 1)
  world.pass(1)
  assert.equal(await world.ask('a'), 3)
  ttl = 5 * TTL
  world.pass(4 * TTL)
  assert.equal(await world.ask('a'), 3)
  ttl = 0
  assert.deepEqual([await world.ask('a'), await world.ask('a')], [4, 5])
  assert.deepEqual(world.seen, [
    'get memory miss', 'set memory stored', 'get memory hit', 'get memory miss', 'set memory stored', 'get memory hit', 'get memory expired', 'set memory stored', 'get memory hit',
  ])
})

test('what was not used for longest is forgotten first, and what does not fit at all is not kept', async () => {
  const world = cacheOf({ bytesMax: 50 }) // Two entries of 24 bytes.
  for (const question of ['a', 'b', 'a', 'c', 'a', 'b']) await world.ask(question)
  assert.equal(world.made(), 4)
  const tiny = cacheOf({ bytesMax: 10 })
  for (let i = 0; i < 3; i++) await tiny.ask('a')
  assert.equal(tiny.made(), 3)
})

test('a hundred who ask at once wait for one making; one that fails is kept for nobody', async () => {
  const world = cacheOf()
  assert.deepEqual(new Set(await Promise.all(Array.from({ length: 100 }, () => world.ask('a')))), new Set([1]))
  let tries = 0
  const failing = () => world.cache.through('x', async () => { tries++; throw new Error('no') })
  await Promise.all(Array.from({ length: 10 }, () => assert.rejects(failing(), /no/)))
  await assert.rejects(failing(), /no/)
  assert.equal(tries, 2)
})

test('what one process made another reads, when both have the same secret and the same basis', async () => {
  const store = storeOf()
  assert.equal(await cacheOf({ store }).ask('a'), 1)
  const other = cacheOf({ store })
  assert.deepEqual([await other.ask('a'), await other.ask('a'), other.made()], [1, 1, 0])
  assert.deepEqual(other.seen, ['get memory miss', 'get redis hit', 'get memory hit'])
  const ofOtherBasis = cacheOf({ store, basis: 'v2' })
  await ofOtherBasis.ask('a')
  assert.ok(ofOtherBasis.seen.includes('get redis miss') && ofOtherBasis.made() === 1)
  const ofOtherSecret = cacheOf({ store, secret: 'theirs' })
  await ofOtherSecret.ask('a')
  assert.ok(ofOtherSecret.seen.includes('get redis rejected') && ofOtherSecret.made() === 1)
})

test('an entry that is too old is told apart from one that there never was', async () => {
  const store = storeOf()
  const world = cacheOf({ store })
  await world.ask('a')
  world.pass(TTL + 1)
  await world.ask('a')
  assert.deepEqual(world.seen.filter((each) => each.startsWith('get')), ['get memory miss', 'get redis miss', 'get memory expired', 'get redis expired'])
  assert.equal(world.made(), 2)
})

/** Whatever the store returns, the answer is the one to the question; and only what was written for it is a hit. */
async function isNeverWrong(module: Module): Promise<void> {
  const store = storeOf()
  const writer = cacheOf({ module, store })
  const keys: string[] = []
  for (const question of ['a', 'b']) {
    await writer.ask(question)
    keys.push([...store.bytes.keys()].find((key) => !keys.includes(key)) as string)
  }
  const [ofA = Buffer.of(), ofB = Buffer.of()] = keys.map((key) => store.bytes.get(key) as Buffer)
  const Forged = fc.oneof(
    fc.constant(ofB),
    fc.constant(Buffer.concat([ofB.subarray(0, 40), ofA.subarray(40)])),
    fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)),
    fc.nat(ofA.length - 1).chain((at) => fc.integer({ min: 1, max: 255 }).map((flip) => Buffer.from(ofA.map((byte, i) => (i === at ? byte ^ flip : byte))))),
    fc.nat(ofA.length - 1).map((length) => ofA.subarray(0, length)),
    fc.uint8Array({ minLength: 1, maxLength: 9 }).map((more) => Buffer.concat([ofA, more])),
  )
  await fc.assert(fc.asyncProperty(Forged, async (bytes) => {
    // Its caller does not look: what is not caught here is answered with.
    const cache = module.createCache<{ question: string }>({
      kind: 'test', basis: 'v1', secret: Buffer.from('ours'), store: { get: async () => bytes, set: async () => {} }, ttlMs: () => TTL, bytesMax: 0, now: () => 1_000_000,
      write: JSON.stringify, read: (text) => JSON.parse(text), observed: () => {},
    })
    assert.deepEqual(await cache.through({ question: 'a' }, async () => ({ question: 'a', made: 'now' })), { question: 'a', made: 'now' })
  }), { numRuns: 400, seed: 17 })
}

test('another entry’s bytes, changed ones and nonsense are a miss', () => isNeverWrong(ours))

test('the property notices who does not look at the seal, and a seal that says nothing of its key, or of its time', async () => {
  const twins = {
    'does not look': { from: ' || !timingSafeEqual(seal, sealOf(key, at, text))', to: '' },
    'of any key': { from: '`${key.length} ${key} `', to: "''" },
    'of any time': { from: '.update(at).update(text)', to: '.update(text)' },
  }
  for (const [name, sabotage] of Object.entries(twins)) {
    const twin = await importTwin<Module>('src/adapters/', ['cache.ts'], { file: 'cache.ts', ...sabotage }, name)
    await assert.rejects(isNeverWrong(twin), name)
  }
})

test('a store that fails, for reading or for writing, costs nothing but the making', async () => {
  const world = cacheOf({ store: { get: () => Promise.reject(new Error('away')), set: () => Promise.reject(new Error('away')) } })
  assert.deepEqual([await world.ask('a'), await world.ask('a')], [1, 1])
  assert.deepEqual(world.seen, ['get memory miss', 'get redis error', 'set memory stored', 'set redis error', 'get memory hit'])
})

test('Redis flushed, killed, paused and back: never a wrong answer, never an error, and never longer than its time-outs', needsRedis, async (t) => {
  await using server = await startRedis()
  await using redis = connectRedis({ url: server.url, name: 'test', connectTimeoutMs: 300, timeoutMs: 100 })
  const asked = async (label: string) => {
    const times: number[] = []
    const world = cacheOf({ store: redis, bytesMax: 0 }) // Nothing in the process: every question goes to Redis.
    for (let i = 0; i < 8; i++) {
      const started = performance.now()
      await world.ask(`q${i % 4}`)
      times.push(performance.now() - started)
      await sleep(5)
    }
    times.sort((a, b) => a - b)
    t.diagnostic(`${label}: median ${times[4]?.toFixed(1)} ms, longest ${times[7]?.toFixed(1)} ms, ${world.made()} of 8 made`)
    assert.ok((times[7] as number) < 5_000, label)
    return world
  }
  assert.equal((await asked('there')).made(), 4)
  const again = await asked('there, again')
  assert.equal(again.made(), 0)
  assert.match(await server.command('INFO', 'stats'), /keyspace_hits:1[2-9]/)
  await server.command('FLUSHDB')
  assert.equal((await asked('flushed')).made(), 4)
  await server.signal('SIGSTOP')
  assert.equal((await asked('paused')).made(), 8)
  await server.signal('SIGCONT')
  assert.ok((await asked('going on')).made() <= 4)
  await server.signal('SIGKILL')
  assert.equal((await asked('killed')).made(), 8)
  await server.start()
  assert.equal((await asked('started again')).made(), 4)
})

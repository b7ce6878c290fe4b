import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { z } from 'zod'
import { connectRedis } from '#adapters/redis/connect.ts'
import { countShared } from '#adapters/redis/shared-count.ts'
import { Failure } from '#core/failure.ts'
import { createLog } from '#telemetry/log.ts'
import { createMetrics } from '#telemetry/metrics.ts'
import { scrape } from '#telemetry/scrape.ts'
import { needsRedis, startRedis } from '#test/redis.ts'
import { importTwin } from '#test/twin.ts'
import { unauthenticated } from './authenticate.ts'
import { clientAddress } from './client-address.ts'
import { route, type Caller, type Endpoint } from './contract.ts'
import { createHealth } from './health.ts'
import * as ours from './rate-limit.ts'
import type { SharedCount } from './rate-limit.ts'
import { createServer } from './server.ts'

type Module = Pick<typeof ours, 'createRateLimits'>
const MINUTE = 60_000
const generate = { method: 'POST', path: '/generate', summary: 'g', access: ['author'], limit: 'generation', reply: z.strictObject({}), failures: [] } as const satisfies Endpoint
const diagnose = { method: 'POST', path: '/diagnose', summary: 'd', access: ['author'], limit: 'diagnosis', reply: z.strictObject({}), failures: [] } as const satisfies Endpoint
const ofPeers = { method: 'POST', path: '/peers', summary: 'p', access: ['service', 'author'], audience: 'peers', reply: z.strictObject({}), failures: [] } as const satisfies Endpoint
const decide = { method: 'POST', path: '/decide', summary: 'd', access: ['service'], limit: 'none', reply: z.strictObject({}), failures: [] } as const satisfies Endpoint
const open = { method: 'GET', path: '/open', summary: 'o', access: 'public', reply: z.strictObject({}), failures: [] } as const satisfies Endpoint

function telemetry() {
  return { log: createLog({ service: 'acgs-test', level: 'silent' }), metrics: createMetrics({ service: 'acgs-test', version: '8.0.0', constitutionalHash: 'cdd01ef066bc6cf2', description: 'test' }) }
}

/** Limits with a clock of their own. */
function limits({ service = 'test', perMinute = { address: 3, generation: 2, diagnosis: 1 }, shared = null, module = ours }: { service?: string; perMinute?: ours.PerMinute; shared?: SharedCount | null; module?: Module } = {}) {
  let at = 0
  const made = module.createRateLimits({ service, perMinute: () => perMinute, addressOf: (remote) => remote ?? null, shared, telemetry: telemetry(), now: () => at })
  const headers = new Map<string, string>()
  const reply = { getHeader: (name: string) => headers.get(name), header: (name: string, value: string) => headers.set(name, value) }
  return {
    headers,
    to: (ms: number) => { at = ms },
    /** Whether a request from there is admitted. */
    from: async (address: string): Promise<boolean> => {
      headers.clear()
      try {
        await made.arrived(open, { socket: { remoteAddress: address }, headers: {} } as never, reply)
        return true
      } catch (error) {
        assert.ok(error instanceof Failure && error.code === 'RATE_LIMITED')
        return false
      }
    },
    limits: made,
  }
}

/** No minute admits more than the limit, wherever it begins; and nobody is refused who had fewer in the last one. */
async function slides(module: Module): Promise<void> {
  await fc.assert(fc.asyncProperty(fc.array(fc.nat(30_000), { minLength: 20, maxLength: 60 }), async (pauses) => {
    const world = limits({ module })
    const admitted: number[] = []
    let at = 0
    for (const pause of pauses) {
      world.to(at += pause)
      const inLastMinute = admitted.filter((each) => each > at - MINUTE).length
      assert.equal(await world.from('a'), inLastMinute < 3, `at ${at}, after ${admitted.join()}`)
      if (inLastMinute < 3) admitted.push(at)
    }
  }), { numRuns: 100, seed: 5 })
}

test('a limit slides: no minute admits more, and nobody waits longer than they must', () => slides(ours))

test('the property notices a limit that is one too many, and one that begins anew', async () => {
  for (const [name, from, to] of [['one too many', 'const admitted = times.length < limit', 'const admitted = times.length <= limit'], ['begins anew', 'times.shift()', 'times.length = 0']] as const) {
    const twin = await importTwin<Module>('src/http/', ['rate-limit.ts'], { file: 'rate-limit.ts', from, to }, name)
    await assert.rejects(slides(twin), name)
  }
})

test('the reply says how many are left and when the next place is free; each address counts for itself', async () => {
  const world = limits()
  for (const [at, left] of [[0, 2], [10_000, 1], [20_000, 0]] as const) {
    world.to(at)
    assert.ok(await world.from('198.51.100.1'))
    assert.deepEqual(Object.fromEntries(world.headers), { 'ratelimit-policy': '"address";q=3;w=60', ratelimit: `"address";r=${left};t=${60 - at / 1000}` })
  }
  assert.ok(!(await world.from('198.51.100.1')))
  assert.equal(world.headers.get('ratelimit'), '"address";r=0;t=40')
  assert.ok(await world.from('198.51.100.2'))
  for (let i = 0; i < 3; i++) await world.from(`2001:db8:1:2::${i}`)
  assert.ok(!(await world.from('2001:db8:1:2:ffff::9')), 'another address of the same holder')
})

test('a limit of 0 costs nothing and counts nothing', async () => {
  const world = limits({ perMinute: { address: 0, generation: 0, diagnosis: 0 }, shared: () => Promise.reject(new Error('nobody is asked')) })
  assert.equal(world.limits.arrived(open, { socket: { remoteAddress: 'a' }, headers: {} } as never, { getHeader: () => undefined, header: () => assert.fail() }), null)
})

test('what the replicas admitted together is what counts; who is refused here is not asked about', async () => {
  let asked = 0
  let answer: ours.Count | null = { admitted: true, remaining: 7, freeInMs: 1 }
  const world = limits({ shared: async () => (asked++, answer ?? assert.fail()) })
  assert.ok(await world.from('a'))
  assert.equal(world.headers.get('ratelimit'), '"address";r=7;t=1')
  answer = { admitted: false, remaining: 0, freeInMs: 5_000 }
  for (let i = 0; i < 5; i++) assert.ok(!(await world.from('a')), 'the others have had enough')
  answer = { admitted: true, remaining: 1, freeInMs: 1 } // What the others refused has not been counted here.
  for (let i = 0; i < 2; i++) assert.ok(await world.from('a'))
  const before = asked
  assert.ok(!(await world.from('a')))
  assert.equal(asked, before)
})

test('what is counted together is of one service, one limit and one caller, whose name is not to be read there', async () => {
  const keys: string[] = []
  const shared: SharedCount = async (key) => (keys.push(key), { admitted: true, remaining: 1, freeInMs: 1 })
  const nobody = { getHeader: () => undefined, header: () => {} }
  for (const service of ['platform', 'compliance']) {
    const { from, limits: its } = limits({ service, shared })
    for (const who of ['198.51.100.1', '198.51.100.2']) {
      await from(who)
      for (const endpoint of [generate, diagnose]) await its.asked(endpoint, { socket: { remoteAddress: who }, headers: {} } as never, nobody, async () => ({ subject: who, clientId: who, roles: ['author'] }))
    }
  }
  assert.equal(keys.length, 12)
  assert.equal(new Set(keys).size, 12)
  assert.ok(keys.every((key) => !key.includes('198.51')))
})

test('of very many callers, who was away longest is forgotten first, so that nobody fills the memory', async () => {
  const world = limits({ perMinute: { address: 1, generation: 0, diagnosis: 0 } })
  await world.from('first')
  for (let n = 0; n < 20_000; n++) await world.from(`caller ${n}`)
  assert.deepEqual([await world.from('caller 19999'), await world.from('first')], [false, true])
})

test('while nobody can be asked, each counts for itself: a limit is never lifted', async () => {
  const world = limits({ shared: () => Promise.reject(new Failure('CACHE_UNAVAILABLE', 'away')) })
  assert.deepEqual(await Promise.all(Array.from({ length: 5 }, () => world.from('a'))), [true, true, true, false, false])
})

test('two replicas count together in Redis, by its clock, and keep nothing longer than it counts', needsRedis, async () => {
  await using server = await startRedis()
  const settings = { url: server.url, name: 'test', connectTimeoutMs: 5_000, timeoutMs: 5_000 }
  await using one = connectRedis(settings)
  await using two = connectRedis(settings)
  const taken = await Promise.all(Array.from({ length: 20 }, (_, i) => countShared(i % 2 === 0 ? one : two, 'k', 7, MINUTE)))
  assert.equal(taken.filter(({ admitted }) => admitted).length, 7)
  assert.deepEqual(taken.map(({ remaining }) => remaining).toSorted().toReversed().slice(0, 8), [6, 5, 4, 3, 2, 1, 0, 0])
  for (const { freeInMs } of taken) assert.ok(freeInMs > 50_000 && freeInMs <= MINUTE, String(freeInMs))
  assert.match(await server.command('PTTL', 'k'), /^:5\d{4}\r\n/)
  assert.equal((await countShared(one, 'k', 3, MINUTE)).admitted, false) // The limit was lowered.
  assert.equal((await countShared(two, 'k', 8, MINUTE)).admitted, true)
  // Times that lie ahead are of a clock that was set back.
  await server.command('DEL', 'k')
  for (let i = 0; i < 3; i++) await server.command('RPUSH', 'k', String(Date.now() + 3_600_000))
  assert.deepEqual((await countShared(one, 'k', 2, MINUTE)).remaining, 1)
  await server.command('FLUSHDB')
  assert.equal((await countShared(one, 'k', 2, MINUTE)).remaining, 1)
})

test('a limit in Redis slides', needsRedis, async () => {
  await using server = await startRedis()
  await using redis = connectRedis({ url: server.url, name: 'test', connectTimeoutMs: 5_000, timeoutMs: 5_000 })
  const admitted: number[] = []
  const window = 300
  for (const end = Date.now() + 1_500; Date.now() < end; await new Promise((resolve) => setTimeout(resolve, 15))) {
    const before = Date.now()
    if ((await countShared(redis, 'k', 4, window)).admitted) admitted.push(before)
  }
  assert.ok(admitted.length >= 8, `${admitted.length} were admitted`)
  // Between being asked and being counted there may be some milliseconds.
  for (const at of admitted) assert.ok(admitted.filter((each) => each >= at && each < at + window - 100).length <= 4)
})

async function served(perMinute: ours.PerMinute) {
  const constitution = { hash: 'cdd01ef066bc6cf2', digest: 'ab'.repeat(32) }
  const its = telemetry()
  const authenticate = async (header: string | undefined): Promise<Caller> => {
    if (header === undefined) throw unauthenticated('missing', 'this needs a token')
    const [subject = '', role = 'author'] = header.split(' ')
    return { subject, clientId: subject, roles: [role as 'author' | 'service'] }
  }
  const server = await createServer({
    service: 'acgs-test', title: 'Test', version: '8.0.0', description: 'For tests.', constitution, telemetry: its, authenticate, bodyBytesMax: 2_048,
    health: createHealth({ service: 'acgs-test', version: '8.0.0', constitution, components: [], telemetry: its, intervalMs: 1_000, timeoutMs: 1_000 }),
    routes: [route(generate, () => ({})), route(diagnose, () => ({})), route(ofPeers, () => ({})), route(decide, () => ({})), route(open, () => ({}))],
    limits: ours.createRateLimits({ service: 'test', perMinute: () => perMinute, addressOf: clientAddress({ trusted: ['127.0.0.1'], header: 'x-forwarded-for' }), shared: null, telemetry: its }),
  })
  return {
    ask: (method: 'GET' | 'POST', url: string, { as, from = '198.51.100.1' }: { as?: string; from?: string } = {}) =>
      server.app.inject({ method, url, headers: { 'x-forwarded-for': from, ...(as === undefined ? {} : { authorization: as }) } }),
    limited: async (name: string) => Number(new RegExp(`rate_limited_requests_total\\{limit="${name}"\\} (\\d+)`).exec((await scrape(its.metrics, undefined)).text)?.[1]),
    [Symbol.asyncDispose]: async () => void await server.close({ drainMs: 0, deadlineMs: 0 }),
  }
}

test('who asks too often gets 429 with Retry-After and what it was counted under, in every header that a reply has', async () => {
  await using at = await served({ address: 100, generation: 2, diagnosis: 0 })
  for (const left of [1, 0]) {
    const { statusCode, headers } = await at.ask('POST', '/generate', { as: 'ana' })
    assert.equal(statusCode, 200)
    assert.equal(headers['ratelimit-policy'], '"address";q=100;w=60, "generation";q=2;w=60')
    assert.match(String(headers['ratelimit']), new RegExp(`^"address";r=${left + 98};t=\\d+, "generation";r=${left};t=\\d+$`))
  }
  const refused = await at.ask('POST', '/generate', { as: 'ana' })
  const { code, detail, limit, limit_per_minute, retry_after_seconds, trace_id } = refused.json()
  assert.deepEqual([refused.statusCode, code, limit, limit_per_minute], [429, 'RATE_LIMITED', 'generation', 2])
  assert.match(detail, /^more than 2 generations a minute were asked for by this subject: ask again in \d+ s$/)
  assert.equal(refused.headers['retry-after'], String(retry_after_seconds))
  assert.ok(retry_after_seconds >= 50 && retry_after_seconds <= 60 && trace_id !== undefined)
  assert.match(String(refused.headers['ratelimit']), /"generation";r=0;t=\d+$/)
  assert.equal(refused.headers['x-constitutional-hash'], 'cdd01ef066bc6cf2')
  assert.equal((await at.ask('POST', '/generate', { as: 'ben' })).statusCode, 200, 'each subject for itself')
  assert.deepEqual([await at.limited('generation'), await at.limited('address')], [1, 0])
})

test('an operation that diagnoses has a limit of its own, beside that of generations', async () => {
  await using at = await served({ address: 0, generation: 1, diagnosis: 2 })
  const asked = async (url: string) => (await at.ask('POST', url, { as: 'ana' })).statusCode
  assert.deepEqual([await asked('/generate'), await asked('/generate')], [200, 429])
  assert.deepEqual([await asked('/diagnose'), await asked('/diagnose'), await asked('/diagnose')], [200, 200, 429])
  assert.deepEqual([await at.limited('generation'), await at.limited('diagnosis')], [1, 1])
})

test('everything from one address counts: what there is not, what is refused, what needs no token', async () => {
  await using at = await served({ address: 4, generation: 0, diagnosis: 0 })
  assert.deepEqual([
    (await at.ask('GET', '/open')).statusCode, (await at.ask('GET', '/nowhere')).statusCode, (await at.ask('POST', '/generate')).statusCode, (await at.ask('GET', '/docs')).statusCode,
  ], [200, 404, 401, 200])
  for (const [method, url] of [['GET', '/open'], ['GET', '/nowhere'], ['POST', '/generate'], ['GET', '/openapi.json']] as const) assert.equal((await at.ask(method, url, { as: 'ana' })).statusCode, 429, url)
  assert.equal(await at.limited('address'), 4)
  assert.equal((await at.ask('GET', '/open', { from: '198.51.100.2' })).statusCode, 200)
  assert.equal((await at.ask('GET', '/open', { from: '1.1.1.1, 198.51.100.1' })).statusCode, 429, 'what the client adds does not help it')
})

test('probes, decisions and our own processes are not counted; whoever else asks what is for those is', async () => {
  await using at = await served({ address: 2, generation: 0, diagnosis: 0 })
  for (let i = 0; i < 5; i++) {
    for (const probe of ['/health', '/livez', '/readyz', '/metrics']) assert.notEqual((await at.ask('GET', probe)).statusCode, 429, probe)
    assert.equal((await at.ask('POST', '/decide', { as: 'shop service' })).statusCode, 200)
    assert.equal((await at.ask('POST', '/peers', { as: 'platform service' })).statusCode, 200)
  }
  const codes: number[] = []
  for (const as of [undefined, 'ana', undefined, 'ana']) codes.push((await at.ask('POST', '/peers', as === undefined ? {} : { as })).statusCode)
  assert.deepEqual(codes, [401, 200, 429, 429])
})

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { startProduct, type Product } from '#test/product.ts'
import { needsRedis, startRedis, type TestRedis } from '#test/redis.ts'

const folder = mkdtempSync(join(tmpdir(), 'acgs-redis-config-'))
const file = join(folder, 'config.yaml')
/** Nothing is remembered in the process, so that every text is asked of Redis. */
const configure = (more = '') => writeFileSync(file, `caching:\n  memory_bytes_max: 0\n${more}`)

let redis: TestRedis
let product: Product
let author = ''
const settings = () => ({ REDIS_URL: redis.url, ACGS_ERROR_HANDLING_BREAKER_REST_MS: '1000', ACGS_MONITORING_PROBE_INTERVAL_MS: '200', ACGS_REDIS_TIMEOUT_MS: '300', LOG_LEVEL: 'warn' })
before(async () => {
  if (needsRedis.skip !== false) return
  configure()
  redis = await startRedis()
  product = await startProduct({ args: ['--config', file], env: settings() })
  author = await product.token('author')
})
after(async () => {
  await product?.[Symbol.asyncDispose]()
  await redis?.[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

const TEXTS = [
  'Nurses may view charts of patients of their own ward unless the chart is sealed. Patients may view their own chart and customers may view their own customer record. Patients and customers may view their own access log. Anyone may appeal a decision.',
  'Nurses may export charts.',
] as const
let asked = 0
async function generate(description: string): Promise<{ status: number; body: any; ms: number; headers: Headers }> {
  const started = performance.now()
  const response = await fetch(`${product.url.platform}/api/v1/generate-policy`, {
    method: 'POST', headers: { authorization: `Bearer ${author}`, 'content-type': 'application/json' },
    body: JSON.stringify({ title: `Request ${++asked}`, description, context: { domain: 'data-protection' } }),
  })
  const body = await response.json()
  return { status: response.status, body, ms: performance.now() - started, headers: response.headers }
}
const metric = async (series: string) => Number((await (await fetch(`${product.url.platform}/metrics`)).text()).split('\n').find((line) => line.startsWith(`acgs_pgp_v8_${series} `))?.split(' ').at(-1))
const lookups = (result: string) => metric(`cache_operations_total{operation="get",cache_type="redis",result="${result}"}`)
const breaker = () => metric('circuit_breaker_state{service="redis"}')
const health = async () => (await fetch(`${product.url.platform}/health`)).json() as Promise<{ status: string; components: Record<string, { status: string; detail: string | null }> }>
async function until(isTrue: () => Promise<boolean>, what: string): Promise<void> {
  for (const deadline = Date.now() + 60_000; !(await isTrue()); await sleep(50)) assert.ok(Date.now() < deadline, `${what}: it takes too long`)
}
/** What a caller gets to see, without what differs every time. */
const meaning = ({ status, body }: { status: number; body: any }) => ({ status, cedar: body.cedar, norms: body.norms, unread: body.unread, verdict: body.certificate === undefined ? body.code : 'certified' })

/** Twenty requests; every one is answered as without Redis. */
async function traffic(t: TestContext, label: string, expected: readonly unknown[]): Promise<void> {
  const times: number[] = []
  for (let i = 0; i < 20; i++) {
    const reply = await generate(TEXTS[i % 2] as string)
    assert.deepEqual(meaning(reply), expected[i % 2], label)
    times.push(reply.ms)
  }
  times.sort((a, b) => a - b)
  t.diagnostic(`${label}: 20 generations, median ${times[10]?.toFixed(0)} ms, longest ${times[19]?.toFixed(0)} ms, 0 errors`)
}

test('Redis there, flushed, paused, killed and back: the same answers, no error, and the state of things is to be seen', needsRedis, async (t) => {
  const expected = [meaning(await generate(TEXTS[0])), meaning(await generate(TEXTS[1]))]
  assert.deepEqual(expected.map(({ status }) => status), [200, 422])

  await t.test('what was read once comes from Redis, and both count it', async (t) => {
    await traffic(t, 'there', expected)
    // On a machine that is busy with other things an answer may come too late, and is made anew.
    assert.ok(await lookups('hit') >= 15 && await lookups('miss') >= 2)
    assert.ok(await metric('cache_hit_rate{cache_type="redis"}') > 60)
    assert.ok(Number(/keyspace_hits:(\d+)/.exec(await redis.command('INFO', 'stats'))?.[1]) >= 15)
    assert.deepEqual((await health()).components['cache_manager']?.detail, 'in memory and in Redis')
  })

  await t.test('flushed', async (t) => {
    const before = await lookups('miss')
    await redis.command('FLUSHDB')
    await traffic(t, 'flushed', expected)
    assert.ok(await lookups('miss') > before)
  })

  await t.test('the bytes of another entry, and an entry that somebody else wrote, are never answered with', async (t) => {
    const keys = (await redis.command('KEYS', 'acgs:cache:*')).split('\r\n').filter((line) => line.startsWith('acgs:'))
    assert.equal(keys.length, 2)
    const [one = '', two = ''] = keys
    await redis.command('RENAME', one, 'aside')
    await redis.command('RENAME', two, one)
    await redis.command('RENAME', 'aside', two)
    const before = await lookups('rejected')
    await traffic(t, 'swapped', expected)
    const afterSwap = await lookups('rejected')
    assert.ok(afterSwap > before)
    for (const key of keys) await redis.command('SET', key, `${'x'.repeat(40)}[{"method":"controlled-english","readsText":true,"lineage":"controlled-english 1","cedar":"permit(principal, action, resource);","readings":[]}]`)
    await traffic(t, 'forged', expected)
    assert.ok(await lookups('rejected') > afterSwap)
  })

  for (const [label, out, back] of [
    ['paused', () => redis.signal('SIGSTOP'), () => redis.signal('SIGCONT')],
    ['killed', () => redis.signal('SIGKILL'), () => redis.start()],
  ] as const) {
    await t.test(label, async (t) => {
      await out()
      await traffic(t, label, expected)
      await until(async () => await breaker() === 1, 'the breaker opens')
      await until(async () => (await health()).components['cache_manager']?.status === 'degraded', 'it is seen to be out')
      assert.equal((await fetch(`${product.url.platform}/health`)).status, 200)
      await traffic(t, `${label}, and left alone`, expected)
      await back()
      await until(async () => await breaker() === 0, 'the breaker closes again')
      await until(async () => (await health()).components['cache_manager']?.status === 'healthy', 'it is seen to be back')
      await traffic(t, `${label}, and back`, expected)
    })
  }
})

test('what one platform has read another one finds, over the same database', needsRedis, async () => {
  const { dataFolder } = product
  await until(async () => (await generate(TEXTS[0]), await lookups('hit') > 0), 'it is in Redis')
  await product.kill('SIGTERM')
  product = await startProduct({ dataFolder, env: settings(), args: ['--config', file] })
  author = await product.token('author') // Of an issuer on another port.
  assert.equal((await generate(TEXTS[0])).status, 200)
  assert.deepEqual([await lookups('miss'), await lookups('rejected'), await lookups('hit') + await lookups('error')], [0, 0, 1])
})

test('SIGHUP: a limit and a time to live hold at once, the rest waits, and a file that is not valid changes nothing', needsRedis, async () => {
  const hangUp = async (says: RegExp) => {
    process.kill(product.pid, 'SIGHUP')
    await until(async () => says.test(product.printed()), String(says))
  }
  configure('  candidates_ttl_seconds: 1\nsecurity:\n  generations_per_minute: 3\n  token_ttl_seconds: 600\n')
  await hangUp(/configuration read again: .*security\.generations_per_minute.*caching\.candidates_ttl_seconds changed; only after a restart: security\.token_ttl_seconds/)
  await sleep(1_100)
  const replies = []
  for (let i = 0; i < 4; i++) replies.push(await generate(TEXTS[0]))
  assert.deepEqual(replies.map(({ status }) => status), [200, 200, 200, 429])
  assert.match(String(replies[3]?.headers.get('retry-after')), /^\d+$/)
  assert.equal(replies[3]?.headers.get('ratelimit-policy'), '"generation";q=3;w=60')
  assert.equal(await lookups('expired'), 1)
  assert.match(await redis.command('KEYS', 'acgs:limit:*'), /acgs:limit:platform:generation:[0-9a-f]{32}/)

  configure('security:\n  generations_per_minute: many\n')
  await hangUp(/nothing taken over: .*generations_per_minute/)
  assert.equal((await generate(TEXTS[0])).status, 429)
  configure()
  await hangUp(/configuration read again: .*changed\n/)
  assert.equal((await generate(TEXTS[0])).status, 200)

  const { status, stdout } = await product.acgs('ops', 'cache', '--json', '--config', file)
  const said = JSON.parse(stdout)
  assert.equal(status, 0)
  assert.deepEqual([said.platform.expired, said.redis.policy, said.redis.bytesMax], [1, 'noeviction', null])
  assert.match(said.advice.join(), /no maxmemory/)
})

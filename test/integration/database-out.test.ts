import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from '#adapters/postgres/connect.ts'
import { startEmbedded, type EmbeddedPostgres } from '#adapters/postgres/embedded.ts'
import { startProduct, type Product } from '#test/product.ts'
import { temporaryFolder } from '#test/server.ts'

const REST_MS = 1_500
const dataDir = temporaryFolder()
let database: EmbeddedPostgres
let product: Product
let author = ''
let service = ''
let operator = ''
before(async () => {
  database = await startEmbedded({ dataDir, portPreferred: 0, isThrowaway: true })
  product = await startProduct({ env: {
    DATABASE_URL: database.url, ACGS_ERROR_HANDLING_BREAKER_REST_MS: String(REST_MS), ACGS_MONITORING_PROBE_INTERVAL_MS: '200', ACGS_DATABASE_CONNECT_TIMEOUT_MS: '2000', LOG_LEVEL: 'silent',
  } })
  ;[author, service, operator] = [await product.token('author'), await product.token('service'), await product.token('operator')]
})
after(async () => {
  await product?.[Symbol.asyncDispose]()
  await database?.stop()
  rmSync(dataDir, { recursive: true, force: true })
})

async function ask(url: string, { token, body, headers = {} }: { token?: string; body?: unknown; headers?: Record<string, string> } = {}) {
  const started = performance.now()
  const response = await fetch(url, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { ...headers, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  return { status: response.status, headers: response.headers, body: (await response.json()) as any, ms: performance.now() - started }
}
const generate = () => ask(`${product.url.platform}/api/v1/generate-policy`, { token: author, body: { title: 'Exports', description: 'Nurses may export charts.', context: { domain: 'data-protection' } } })
const decide = () => ask(`${product.url.compliance}/access/v1/evaluation`, {
  token: service, headers: { 'x-acgs-application': 'data-protection' },
  body: { subject: { type: 'Nurse', id: 'ana' }, action: { name: 'viewChart' }, resource: { type: 'Chart', id: '1' }, context: { emergency: false } },
})
const breaker = async () => Number(/circuit_breaker_state\{service="database"\} (\d)/.exec(await (await fetch(`${product.url.platform}/metrics`)).text())?.[1])
async function until(isTrue: () => Promise<boolean>, what: string): Promise<void> {
  for (const deadline = Date.now() + 60_000; !(await isTrue()); await sleep(50)) assert.ok(Date.now() < deadline, `${what}: it takes too long`)
}
async function stored(): Promise<{ generations: number; entries: number }> {
  await using db = connect(database.url, { name: 'test', connectionsMax: 1 })
  const { rows } = await db.query<{ generations: string; entries: string }>('select (select count(*) from policy_generations) as generations, (select count(*) from ledger_entries) as entries')
  return { generations: Number(rows[0]?.generations), entries: Number(rows[0]?.entries) }
}

test('without its database the platform says so at once, accepts nothing, and decisions go on; then it comes back by itself', async (t) => {
  assert.equal((await generate()).status, 422) // A refusal is recorded like any other verdict.
  const decided = await decide()
  assert.equal(decided.status, 200)
  const before = await stored()
  assert.equal(await breaker(), 0)

  const { port } = database
  await database.stop()
  for (let i = 0; i < 6; i++) {
    const { status, headers, body } = await generate()
    assert.deepEqual([status, body.code, headers.get('retry-after')], [503, 'DATABASE_UNAVAILABLE', '5'])
    assert.match(body.detail, /^the database (does not answer|is starting or going down|has failed \d+ times in a row and is left alone for a while)$/)
  }
  await until(async () => await breaker() === 1, 'the breaker opens')
  const times: number[] = []
  for (let i = 0; i < 10; i++) times.push((await ask(`${product.url.platform}/api/v1/generations`, { token: author })).ms)
  t.diagnostic(`out: a list is refused after ${times.toSorted((a, b) => a - b)[5]?.toFixed(1)} ms (median)`)
  // The breaker is quicker than the probe.
  await until(async () => !(await fetch(`${product.url.platform}/readyz`)).ok, 'it is not ready any more')
  const ready = await ask(`${product.url.platform}/readyz`)
  assert.deepEqual([ready.status, /database/.test(ready.body.because.join())], [503, true])
  assert.deepEqual(ready.body.because.filter((each: string) => each.startsWith('database')), ['database: the database does not answer: start it, or correct DATABASE_URL'])
  for (const url of [product.url.platform, product.url.auth]) {
    await until(async () => !(await fetch(`${url}/readyz`)).ok, 'it is not ready any more')
    const health = await ask(`${url}/health`)
    assert.deepEqual([health.status, health.body.components.database.detail], [503, 'the database does not answer: start it, or correct DATABASE_URL'])
    assert.doesNotMatch(JSON.stringify(health.body), /DATABASE_UNAVAILABLE|57P0|ECONN|password|postgres(ql)?:/)
  }
  const { status, body } = await ask(`${product.url.platform}/api/v1/status`)
  assert.deepEqual([status, body.overall_status, body.ledger], [200, 'degraded', null])
  assert.deepEqual([(await decide()).status, (await decide()).body], [200, decided.body])
  const diagnosed = await ask(`${product.url.platform}/api/v1/diagnose`, { token: operator, body: { diagnostic_depth: 'comprehensive' } })
  assert.deepEqual([diagnosed.status, diagnosed.body.status, diagnosed.body.diagnostic_id], [200, 'unhealthy', null], 'it can be diagnosed all the same, and is told that nothing of that is kept')
  for (const about of ['component database critical', 'breaker database error']) {
    assert.ok(diagnosed.body.findings.some((each: any) => `${each.category} ${each.about} ${each.severity}` === about), about)
  }
  assert.ok(['queue', 'diagnostic_id'].every((what) => diagnosed.body.not_measured.some((each: any) => each.what === what)))

  database = await startEmbedded({ dataDir, portPreferred: port, isThrowaway: true })
  assert.equal(database.port, port)
  await until(async () => await breaker() === 0, 'the breaker closes without anybody asking')
  await until(async () => (await fetch(`${product.url.platform}/readyz`)).ok, 'it is ready again')
  assert.deepEqual(await stored(), before, 'nothing was half-accepted')
  assert.equal((await generate()).status, 422)
  assert.equal((await stored()).generations, before.generations + 1)
})

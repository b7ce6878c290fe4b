import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from '#adapters/postgres/connect.ts'
import { startEmbedded, type EmbeddedPostgres } from '#adapters/postgres/embedded.ts'
import { startProduct, type Product } from '#test/product.ts'
import { filled, smallDisk, whyNoDisk } from '#test/small-disk.ts'

const noDisk = whyNoDisk()
const skip = noDisk ?? false
let disk: ReturnType<typeof smallDisk> | undefined
let database: EmbeddedPostgres | undefined
let product: Product
let author = ''
let service = ''
before(async () => {
  if (noDisk !== null) return
  disk = smallDisk('96m')
  database = await startEmbedded({ dataDir: join(disk.folder, 'data'), portPreferred: 0, isThrowaway: true })
  product = await startProduct({ env: { DATABASE_URL: database.url, ACGS_MONITORING_PROBE_INTERVAL_MS: '200', LOG_LEVEL: 'silent' } })
  ;[author, service] = [await product.token('author'), await product.token('service')]
})
after(async () => {
  await product?.[Symbol.asyncDispose]()
  await database?.stop()
  disk?.[Symbol.dispose]()
})

let asked = 0
async function generate(): Promise<{ status: number; code: string | undefined; retryAfter: string | null }> {
  const response = await fetch(`${product.url.platform}/api/v1/generate-policy`, {
    method: 'POST', headers: { authorization: `Bearer ${author}`, 'content-type': 'application/json' },
    body: JSON.stringify({ title: `Exports ${asked++}`, description: 'Nurses may export charts.', context: { domain: 'data-protection' } }),
  })
  return { status: response.status, code: ((await response.json()) as { code?: string }).code, retryAfter: response.headers.get('retry-after') }
}
async function decides(): Promise<boolean> {
  const response = await fetch(`${product.url.compliance}/access/v1/evaluation`, {
    method: 'POST', headers: { authorization: `Bearer ${service}`, 'content-type': 'application/json', 'x-acgs-application': 'data-protection' },
    body: JSON.stringify({ subject: { type: 'Nurse', id: 'ana' }, action: { name: 'viewChart' }, resource: { type: 'Chart', id: '1' }, context: { emergency: false } }),
  })
  return response.status === 200
}
async function readiness(): Promise<{ isReady: boolean; because: string }> {
  const response = await fetch(`${product.url.platform}/readyz`)
  return { isReady: response.ok, because: ((await response.json()) as { because: string[] }).because.join('; ') }
}
async function until(isTrue: () => Promise<boolean>, what: string): Promise<void> {
  for (const deadline = Date.now() + 60_000; !(await isTrue()); await sleep(50)) assert.ok(Date.now() < deadline, `${what}: it takes too long`)
}
const breaker = async () => /circuit_breaker_state\{service="database"\} (\d)/.exec(await (await fetch(`${product.url.platform}/metrics`)).text())?.[1]

test('when the disk of the database is full, that is what is said, nothing is accepted, and it goes on by itself when there is room', { skip }, async () => {
  assert.equal((await generate()).status, 422)
  {
    using _ = filled((disk as { folder: string }).folder)
    await until(async () => (await generate()).status === 503, 'nothing can be recorded any more')
    assert.deepEqual(await generate(), { status: 503, code: 'DATABASE_UNAVAILABLE', retryAfter: '5' })
    await until(async () => /^database: its disk is full: make room there$/.test((await readiness()).because), 'not ready, and why')
    assert.equal(await decides(), true)
    assert.equal(await breaker(), '0', 'what can still be read is read')
  }
  await until(async () => (await readiness()).isReady, 'ready again')
  assert.equal((await generate()).status, 422)
})

test('a database that became read-only is named as that, and goes on by itself', { skip }, async () => {
  const set = async (how: 'on' | 'off') => {
    await using db = connect((database as EmbeddedPostgres).url, { name: 'test', connectionsMax: 1 })
    await db.query('set default_transaction_read_only = off')
    await db.query(`alter database acgs_db set default_transaction_read_only = ${how}`)
    await db.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()')
  }
  await set('on')
  await until(async () => (await readiness()).because === 'database: it only reads: DATABASE_URL must name the server that writes', 'not ready, and why')
  assert.deepEqual(await generate(), { status: 503, code: 'DATABASE_UNAVAILABLE', retryAfter: '5' })
  assert.equal(await decides(), true)
  await set('off')
  await until(async () => (await readiness()).isReady, 'ready again')
  assert.equal((await generate()).status, 422)
})

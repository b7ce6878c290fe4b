import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from '#adapters/postgres/connect.ts'
import { testDatabase, type TestDatabase } from '#test/database.ts'
import { backupFolder } from '#test/backups.ts'
import { runAcgs, startProduct, type Product } from '#test/product.ts'

const CONNECTIONS = 3
/** What of a driver or a server must never be seen outside: addresses, error names, its own words. */
const LEAKS = /ECONN|ETIMEDOUT|127\.0\.0\.1|postgresql:|pg_|relation|terminat|timeout exceeded|canceling|SQLSTATE|\b(08|25|40|53|55|57|58)[0-9A-Z]{3}\b/i

const { backups, remove, ops } = backupFolder()
let db: TestDatabase
let product: Product
let author = ''
let service = ''
before(async () => {
  db = await testDatabase()
  product = await startProduct({ env: {
    DATABASE_URL: db.url, ACGS_DATABASE_CONNECTIONS_MAX: String(CONNECTIONS), ACGS_DATABASE_CONNECT_TIMEOUT_MS: '1000', ACGS_DATABASE_BACKUP_FOLDER: backups, LOG_LEVEL: 'silent',
  } })
  ;[author, service] = [await product.token('author'), await product.token('service')]
})
after(async () => {
  await product?.[Symbol.asyncDispose]()
  await db?.[Symbol.asyncDispose]()
  remove()
})

async function ask(path: string, { token = author, body, signal }: { token?: string; body?: unknown; signal?: AbortSignal } = {}): Promise<{ status: number; text: string }> {
  const response = await fetch(`${path.startsWith('/access') ? product.url.compliance : product.url.platform}${path}`, {
    method: body === undefined ? 'GET' : 'POST', headers: { authorization: `Bearer ${token}`, 'x-acgs-application': 'data-protection', ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }), ...(signal === undefined ? {} : { signal }),
  })
  return { status: response.status, text: await response.text() }
}
const generate = (n: number, signal?: AbortSignal) => ask('/api/v1/generate-policy', { body: { title: `Exports ${n}`, description: `Nurses may export charts. Nurses may view charts of ward ${n}.`, context: { domain: 'data-protection' } }, ...(signal === undefined ? {} : { signal }) })
const list = () => ask('/api/v1/generations')
/** The runbook's count, by process. */
const counted = async () => Object.fromEntries((await db.query<{ name: string; count: string; stuck: string }>(
  `select application_name as name, count(*) as count, count(*) filter (where state like 'idle in transaction%' and state_change < clock_timestamp() - interval '2 seconds') as stuck
   from pg_stat_activity where datname = current_database() and application_name like '%acgs-pgp-v8%' and application_name <> 'acgs-pgp-v8-test' group by 1 order by 1`)).rows.map(({ name, count, stuck }) => [name, { count: Number(count), stuck: Number(stuck) }]))
async function until(isTrue: () => Promise<boolean>, what: string): Promise<void> {
  for (const deadline = Date.now() + 60_000; !(await isTrue()); await sleep(50)) assert.ok(Date.now() < deadline, `${what}: it takes too long`)
}

test('every process says who it is, and no connection leaks: not by refusals, failures or callers that hang up', async () => {
  const work = Array.from({ length: 24 }, async (_, n) => {
    const hangUp = n % 4 === 3 ? AbortSignal.timeout(20 + n * 5) : undefined
    await generate(n, hangUp).catch(() => {})
    await ask(`/api/v1/generations/${n}-is-nowhere`)
    await list()
    await ask('/access/v1/evaluation', { token: service, body: { subject: { type: 'Nurse', id: 'ana' }, action: { name: 'viewChart' }, resource: { type: 'Chart', id: '1' } } })
  })
  await Promise.all(work)
  const found = await counted()
  assert.deepEqual(Object.keys(found).filter((name) => !/^acgs-pgp-v8-(platform|platform-holds|platform-replicas|auth|validation)$/.test(name)), [])
  assert.ok(found['acgs-pgp-v8-platform']!.count >= 1 && found['acgs-pgp-v8-platform']!.count <= CONNECTIONS, JSON.stringify(found))
  assert.ok((found['acgs-pgp-v8-platform-holds']?.count ?? 0) <= 2)
  assert.equal(found['acgs-pgp-v8-platform-replicas']?.count, 1)
  await until(async () => Object.values(await counted()).every(({ stuck }) => stuck === 0), 'no transaction is left open')
  const text = await (await fetch(`${product.url.platform}/metrics`)).text()
  const shown = Number(/active_connections\{connection_type="database"\} (\d+)/.exec(text)?.[1])
  const now = await counted()
  assert.equal(shown, (now['acgs-pgp-v8-platform']?.count ?? 0) + (now['acgs-pgp-v8-platform-holds']?.count ?? 0) + (now['acgs-pgp-v8-platform-replicas']?.count ?? 0), 'the metric says what the server says')
})

test('when every connection is in use callers are told to come back, without a word of the database, and nothing stays behind', async () => {
  await using blocker = connect(db.url, { name: 'test', connectionsMax: 1 })
  let isOver = () => {}
  const blocked = blocker.transaction(async (tx) => {
    await tx.query('lock table policy_generations in access exclusive mode')
    await new Promise<void>((resolve) => { isOver = resolve })
  })
  const waiting = Array.from({ length: CONNECTIONS }, () => list())
  await until(async () => ((await db.query(`select from pg_stat_activity where application_name = 'acgs-pgp-v8-platform' and wait_event_type = 'Lock'`)).rowCount ?? 0) >= CONNECTIONS, 'all connections wait')
  const refused = await Promise.all([list(), list(), ask('/api/v1/applications')])
  for (const { status, text } of refused) {
    assert.deepEqual([status, JSON.parse(text).code], [503, 'DATABASE_UNAVAILABLE'])
    assert.doesNotMatch(text, LEAKS)
  }
  const slow = await runAcgs(['ops', 'slow-queries', '--json'], { DATABASE_URL: db.url })
  assert.equal(slow.status, 4, slow.stderr)
  const { counted: isCounted, because, active } = JSON.parse(slow.stdout)
  assert.equal(isCounted, false)
  assert.match(because, /does not count statements.*shared_preload_libraries/)
  assert.ok(active.some((each: { application: string; waits: string }) => each.application === 'acgs-pgp-v8-platform' && /^Lock/.test(each.waits)), 'who waits for what is shown all the same')
  isOver()
  await blocked
  assert.deepEqual((await Promise.all(waiting)).map(({ status }) => status), Array.from({ length: CONNECTIONS }, () => 200))
  assert.equal((await list()).status, 200)
})

test('when its connections are cut callers see a 503 at most, never the words of the server, and the pool comes back by itself', async () => {
  const seen: { status: number; text: string }[] = []
  let isOver = false
  const load = Array.from({ length: 4 }, async (_, n) => {
    while (!isOver) seen.push(await (n === 0 ? generate(100 + seen.length) : list()))
  })
  for (let i = 0; i < 8; i++) {
    await sleep(150)
    await db.query(`select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name like 'acgs-pgp-v8-%' and application_name <> 'acgs-pgp-v8-test'`)
  }
  isOver = true
  await Promise.all(load)
  const others = seen.filter(({ status }) => ![200, 422].includes(status))
  for (const { status, text } of others) {
    assert.deepEqual([status, JSON.parse(text).code], [503, 'DATABASE_UNAVAILABLE'], text)
    assert.doesNotMatch(text, LEAKS)
  }
  await until(async () => (await list()).status === 200, 'it answers again')
  for (const path of ['/health', '/readyz', '/api/v1/status']) assert.doesNotMatch((await ask(path)).text.replaceAll(product.url.platform, ''), LEAKS)
})

test('the folder of backups is watched: none, then the first', async () => {
  const component = async () => JSON.parse((await ask('/health')).text).components.backups
  await until(async () => (await component()).status === 'degraded', 'that there is none is said')
  const made = await ops(['backup', `${backups}/first.acgs`, '--format', 'export'], { url: db.url })
  assert.equal(made.status, 0, made.said)
})

test('who ends leaves no connection', async () => {
  await product.kill('SIGTERM')
  await until(async () => Object.keys(await counted()).length === 0, 'all connections are gone')
})

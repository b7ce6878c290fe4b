import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { after, before, test } from 'node:test'
import { startProduct, type Product } from '#test/product.ts'
import { request } from '../../bench/load/requests.ts'

let product: Product
let token = ''
let asked = 0
before(async () => {
  product = await startProduct({ env: { LOG_LEVEL: 'warn', ACGS_GENERATION_ENGINE_AT_ONCE_MAX: '1', ACGS_GENERATION_ENGINE_WAITING_MAX: '2', ACGS_GENERATION_ENGINE_WAIT_TIMEOUT_MS: '120000' } })
  token = await product.token('author')
})
after(() => product?.[Symbol.asyncDispose]())

const generate = async (headers: Record<string, string> = {}, signal?: AbortSignal) => {
  const { body, outcome } = request(1, asked++)
  const response = await fetch(`${product.url.platform}/api/v1/generate-policy`, {
    method: 'POST', headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers }, body: JSON.stringify(body), ...(signal === undefined ? {} : { signal }),
  })
  return { status: response.status, wanted: outcome === 'certified' ? 200 : 422, retryAfter: response.headers.get('retry-after'), body: (await response.json()) as { code?: string; reason?: string } }
}
const listed = async () => ((await (await fetch(`${product.url.platform}/api/v1/generations?limit=200`, { headers: { authorization: `Bearer ${token}` } })).json()) as { generations: unknown[] }).generations.length
const metric = async (series: string) => Number((await (await fetch(`${product.url.platform}/metrics`)).text()).split('\n').find((line) => line.startsWith(`acgs_pgp_v8_${series} `))?.split(' ').at(-1))

test('what is more than fits is told when to come back and is not written down; the rest is served, and so is everybody afterwards', async () => {
  const replies = await Promise.all(Array.from({ length: 12 }, () => generate()))
  const served = replies.filter(({ status }) => status !== 503)
  for (const { status, wanted } of served) assert.equal(status, wanted)
  assert.ok(served.length >= 3 && served.length < 12, `${served.length} were served`)
  for (const { retryAfter, body } of replies.filter(({ status }) => status === 503)) {
    assert.deepEqual([body.code, body.reason], ['OVERLOADED', 'full'])
    assert.ok(Number(retryAfter) >= 1 && Number(retryAfter) <= 60, `Retry-After: ${retryAfter}`)
  }
  assert.equal(await metric('overloaded_requests_total{because="full"}'), 12 - served.length)
  assert.equal(await listed(), served.length)

  for (let n = 0; n < 3; n++) {
    const { status, wanted } = await generate()
    assert.equal(status, wanted)
  }
  assert.equal(await metric('admission_waiting'), 0)
})

const SOMAXCONN = '/proc/sys/net/core/somaxconn'
const needsRoom = { skip: existsSync(SOMAXCONN) && Number(readFileSync(SOMAXCONN, 'utf8')) >= 1_000 ? false : `${SOMAXCONN} is below 1000, or not there` }

test('as many connections as come in one moment are taken, be the process busy with something else', needsRoom, async () => {
  const { hostname: host, port } = new URL(product.url.platform)
  process.kill(product.pid, 'SIGSTOP')
  const sockets = Array.from({ length: 900 }, () => connect({ host, port: Number(port) }).on('error', () => {}))
  try {
    await Promise.all(sockets.map((socket) => once(socket, 'connect', { signal: AbortSignal.timeout(30_000) })))
    process.kill(product.pid, 'SIGCONT')
    const last = sockets.at(-1) as Socket
    last.write('GET /livez HTTP/1.1\r\nhost: x\r\n\r\n')
    assert.match(String((await once(last, 'data'))[0]), /^HTTP\/1\.1 200/)
  } finally {
    process.kill(product.pid, 'SIGCONT')
    for (const socket of sockets) socket.destroy()
  }
})

test('who goes away while waiting is not served, and holds nobody up; who does not wait is accepted all the same', async () => {
  const before = await listed()
  const leaving = new AbortController()
  const first = generate()
  const waiting = [generate({}, leaving.signal), generate({}, leaving.signal)].map((each) => each.then(() => 'served', () => 'gone'))
  while ((await metric('admission_waiting')) < 2) if (await Promise.race([first.then(() => true), new Promise<false>((resolve) => setImmediate(resolve, false))])) break
  const accepted = await generate({ prefer: 'respond-async' })
  assert.equal(accepted.status, 202)
  leaving.abort()
  const outcomes = await Promise.all(waiting)
  const { status, wanted } = await first
  assert.equal(status, wanted)
  const next = await generate()
  assert.equal(next.status, next.wanted)
  assert.equal(await metric('admission_waiting'), 0)
  // The first, the next and the accepted one; of the two that left, at most who had begun.
  for (const deadline = Date.now() + 30_000; (await listed()) < before + 3;) assert.ok(Date.now() < deadline, 'they are not all there')
  assert.ok((await listed()) <= before + 4, `${outcomes}`)
})

import assert from 'node:assert/strict'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect, type Database } from '#adapters/postgres/connect.ts'
import { startProduct, type Product } from '#test/product.ts'

/** The embedded default: one process that is there, and is there again after its death. */
let product: Product
let author = ''
before(async () => {
  product = await startProduct({ keep: true })
  author = await product.token('author')
})
after(async () => {
  await product[Symbol.asyncDispose]()
  rmSync(product.dataFolder, { recursive: true, force: true })
})

const example = (name: string) => JSON.parse(readFileSync(new URL(`../../examples/${name}`, import.meta.url), 'utf8')) as object
const at = (path: string) => `${product.url.platform}${path}`
async function generate(body: object, headers: Record<string, string> = {}) {
  const response = await fetch(at('/api/v1/generate-policy'), { method: 'POST', headers: { authorization: `Bearer ${author}`, 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) })
  const text = await response.text()
  return { status: response.status, headers: response.headers, text, body: JSON.parse(text) as any }
}
async function read(id: string, token = author) {
  const response = await fetch(at(`/api/v1/generations/${id}`), { headers: { authorization: `Bearer ${token}` } })
  return { status: response.status, body: (await response.json()) as any }
}
const events = async (id: string, headers: Record<string, string> = {}) => fetch(at(`/api/v1/generations/${id}/events`), { headers: { authorization: `Bearer ${author}`, ...headers }, signal: AbortSignal.timeout(30_000) })
async function untilFinished(id: string, withinMs: number): Promise<void> {
  for (const deadline = Date.now() + withinMs; (await read(id)).body.state !== 'finished'; await sleep(50)) assert.ok(Date.now() < deadline, `${id} is not finished within ${withinMs} ms`)
}
const withoutTrace = (text: string) => text.replace(/"trace_id":"[0-9a-f]+"/, '')

test('a certified and a refused request are answered again under their key, byte for byte', async () => {
  for (const [name, status] of [['clinic.json', 200], ['export-everything.json', 422]] as const) {
    const first = await generate(example(name), { 'idempotency-key': name })
    const second = await generate(example(name), { 'idempotency-key': `"${name}"` })
    assert.deepEqual([first.status, second.status], [status, status])
    assert.equal(withoutTrace(second.text), withoutTrace(first.text))
    assert.equal(typeof first.body.ledger.index, 'number')
  }
  const other = await generate(example('library.json'), { 'idempotency-key': 'clinic.json' })
  assert.deepEqual([other.status, other.body.code], [422, 'IDEMPOTENCY_KEY_REUSED'])
})

test('what was put in the place of a kept answer, or of a request, is not told, and the ledger shows it', async () => {
  await using db = database()
  const answerOf = (key: string) => `(select outcome from generation_requests where idempotency_key = '${key}')`
  for (const [change, back] of [
    [`outcome = ${answerOf('clinic.json')}`, `outcome = $1`], ["state = 'failed', outcome = " + answerOf('clinic.json'), "state = 'finished', outcome = $1"], ["request_digest = 'another'", 'request_digest = $2'],
  ] as const) {
    const { rows: [kept] } = await db.query<{ outcome: string; request_digest: string }>(`select outcome, request_digest from generation_requests where idempotency_key = 'export-everything.json'`)
    await db.query(`update generation_requests set ${change} where idempotency_key = 'export-everything.json'`)
    const verified = await product.acgs('ledger', 'verify', '--json')
    const { status, body } = await generate(example('export-everything.json'), { 'idempotency-key': 'export-everything.json' })
    assert.notEqual(status, 200, change)
    if (change.startsWith('outcome')) {
      assert.deepEqual([status, body.code], [500, 'LEDGER_CORRUPT'])
      assert.match(verified.stdout, /what is kept of generation `gen_[^`]+` to be told again was changed/)
      assert.notEqual(verified.status, 0)
    }
    await db.query(`update generation_requests set ${back} where idempotency_key = 'export-everything.json' and $1::text is not null and $2::text is not null`, [kept?.outcome, kept?.request_digest])
    assert.equal((await product.acgs('ledger', 'verify')).status, 0, 'as it was')
  }
})

test('of two under one key at once, one is told that it is under way and where', async () => {
  const body = { ...example('clinic.json'), title: 'The clinic, twice' }
  const both = await Promise.all([1, 2].map(() => generate(body, { 'idempotency-key': 'twice' })))
  const [done, told] = both.toSorted((a, b) => a.status - b.status)
  assert.deepEqual([done?.status, told?.status, told?.body.code, told?.body.reason], [200, 409, 'CONFLICT', 'in_flight'])
  assert.equal(told?.body.generation_id, done?.body.generation_id)
})

test('a key that is none is refused, and nothing is accepted', async () => {
  const { status, body } = await generate(example('clinic.json'), { 'idempotency-key': 'a b' })
  assert.deepEqual([status, body.code, body.problems[0].place], [400, 'REQUEST_MALFORMED', 'headers.idempotency-key'])
})

test('whoever does not wait is told where to read, and follows step by step', async () => {
  const { status, headers, body } = await generate({ ...example('clinic.json'), title: 'The clinic, later' }, { prefer: 'respond-async' })
  assert.deepEqual([status, body.status, headers.get('preference-applied')], [202, 'accepted', 'respond-async'])
  const id = body.generation_id as string
  assert.equal(headers.get('location'), `/api/v1/generations/${id}`)
  const stream = await events(id)
  assert.deepEqual([stream.status, stream.headers.get('content-type')], [200, 'text/event-stream; charset=utf-8'])
  const text = await stream.text()
  assert.deepEqual([...text.matchAll(/^event: (\w+)/gm)].map(([, event]) => event), ['accepted', 'step', 'step', 'step', 'step', 'step', 'finished'])
  assert.deepEqual([...text.matchAll(/"step":"(\w+)"/g)].map(([, step]) => step), ['propose', 'measure', 'prove', 'certify', 'append'])
  assert.equal((await read(id)).body.verdict, 'certified')

  assert.deepEqual([...(await (await events(id, { 'last-event-id': '1.4' })).text()).matchAll(/^id: (.*)$/gm)].map(([, each]) => each), ['1.5', 'end'])
  assert.equal((await events(id, { 'last-event-id': 'end' })).status, 204)
  assert.equal((await events('gen_none')).status, 404)
})

test('another author sees neither the request nor its events', async () => {
  const { body } = await generate({ ...example('clinic.json'), title: 'The clinic, mine' }, { prefer: 'respond-async' })
  const council = await product.token('council')
  assert.equal((await read(body.generation_id, council)).status, 403)
  await untilFinished(body.generation_id, 15_000)
  await using db = database()
  await db.query(`update generation_requests set subject = 'somebody-else' where generation_id = $1`, [body.generation_id])
  assert.equal((await events(body.generation_id)).status, 404)
})

test('another author’s questions are nobody’s to answer, and whether there are any is not told', async () => {
  const { body: { generation_id: id, questionnaire: { question } } } = await generate({ title: 'Charts', description: 'Nurses and doctors on duty may view charts.', context: { schema: 'entity Nurse { onDuty: Bool }; entity Doctor { onDuty: Bool }; entity Chart; action view appliesTo { principal: [Nurse, Doctor], resource: Chart };' } })
  const answer = async () => {
    const response = await fetch(at(`/api/v1/generations/${id}/answers`), { method: 'POST', headers: { authorization: `Bearer ${author}`, 'content-type': 'application/json' }, body: JSON.stringify({ answers: [{ question: question.id, decision: 'deny' }] }) })
    return { status: response.status, text: await response.text() }
  }
  await using db = database()
  const { rows: [row] } = await db.query<{ user_id: string }>('select user_id from policy_generations where generation_id = $1', [id])
  const given = async (subject: string | undefined) => {
    for (const [table, column] of [['policy_generations', 'user_id'], ['generation_requests', 'subject']]) await db.query(`update ${table} set ${column} = $2 where generation_id = $1`, [id, subject])
  }
  await given('somebody-else')
  const foreign = await answer()
  await given(row?.user_id)
  assert.deepEqual([foreign.status, foreign.text.includes(question.id)], [404, false], foreign.text)
  assert.equal((await answer()).status, 200)
})

test('a client that goes away does not stop its request', async () => {
  const body = { ...example('clinic.json'), title: 'The clinic, abandoned' }
  const gone = new AbortController()
  const asked = fetch(at('/api/v1/generate-policy'), { method: 'POST', headers: { authorization: `Bearer ${author}`, 'content-type': 'application/json', 'idempotency-key': 'abandoned' }, body: JSON.stringify(body), signal: gone.signal })
  for (const deadline = Date.now() + 10_000; (await rowsOf('abandoned')) === 0;) assert.ok(Date.now() < deadline)
  gone.abort()
  await assert.rejects(asked)
  for (const deadline = Date.now() + 15_000; ; await sleep(50)) {
    const { status } = await generate(body, { 'idempotency-key': 'abandoned' })
    if (status === 200) break
    assert.equal(status, 409)
    assert.ok(Date.now() < deadline)
  }
})

test('after kill -9, what was accepted is finished by the next start, once', async () => {
  const accepted = await Promise.all(Array.from({ length: 12 }, (_, n) => generate({ ...example('clinic.json'), title: `The clinic, killed ${n}` }, { prefer: 'respond-async', 'idempotency-key': `killed-${n}` })))
  await product.kill('SIGKILL')
  product = await startProduct({ dataFolder: product.dataFolder })
  author = await product.token('author')
  for (const { status, body } of accepted) {
    assert.equal(status, 202)
    await untilFinished(body.generation_id, 15_000)
  }
  await using db = database()
  const { rows } = await db.query(`select count(*)::int as n from ledger_entries where subject = any ($1)`, [accepted.map(({ body }) => body.generation_id)])
  assert.equal(rows[0]?.['n'], accepted.length)
  const verified = await product.acgs('ledger', 'verify', '--json')
  assert.equal(verified.status, 0, verified.stdout + verified.stderr)
})

test('SIGTERM ends streams at once, finishes what is under way, and loses nothing', async () => {
  const { body } = await generate({ ...example('clinic.json'), title: 'The clinic, ended' }, { prefer: 'respond-async' })
  const waiting = generate({ ...example('clinic.json'), title: 'The clinic, at the end' })
  const stream = await events(body.generation_id)
  const ended = product.kill('SIGTERM')
  await stream.text()
  assert.equal((await waiting).status, 200)
  assert.equal(await ended, 0)
  product = await startProduct({ dataFolder: product.dataFolder })
  author = await product.token('author')
  await untilFinished(body.generation_id, 15_000)
})

/** The embedded database, for what no reply shows. */
function database(): Database {
  const [, , , port] = readFileSync(join(product.dataFolder, 'postgres', 'postmaster.pid'), 'utf8').split('\n')
  const password = readFileSync(join(product.dataFolder, 'postgres-password'), 'utf8').trim()
  return connect(`postgresql://acgs_user:${password}@127.0.0.1:${port}/acgs_db`, { name: 'test', connectionsMax: 1 })
}

async function rowsOf(key: string): Promise<number> {
  await using db = database()
  return (await db.query('select from generation_requests where idempotency_key = $1', [key])).rowCount ?? 0
}

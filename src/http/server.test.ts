import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { Failure } from '#core/failure.ts'
import { createLog } from '#telemetry/log.ts'
import { createMetrics } from '#telemetry/metrics.ts'
import { unauthenticated } from './authenticate.ts'
import { Answer, route } from './contract.ts'
import type { Caller, Route } from './contract.ts'
import { createHealth } from './health.ts'
import type { Component } from './health.ts'
import { createServer, type Edge } from './server.ts'

const HASH = 'cdd01ef066bc6cf2'
const constitution = { hash: HASH, digest: 'ab'.repeat(32) }

const echo = {
  method: 'POST', path: '/api/v1/echo/{id}', summary: 'Echo', access: 'public',
  params: z.strictObject({ id: z.string().regex(/^[a-z]+$/) }),
  query: z.strictObject({ times: z.coerce.number().int().max(3).optional() }),
  body: z.strictObject({ text: z.string().max(20), nested: z.strictObject({ n: z.number() }).optional(), context: z.record(z.string(), z.unknown()).optional() }),
  reply: z.strictObject({ id: z.string(), text: z.string(), times: z.number() }), failures: [],
} as const
const guarded = { method: 'GET', path: '/api/v1/guarded', summary: 'Guarded', access: ['operator'], reply: z.strictObject({ who: z.string() }), failures: [] } as const
const getEcho = { method: 'GET', path: '/api/v1/echo/{id}', summary: 'Read', access: 'public', params: z.strictObject({ id: z.string() }), reply: z.strictObject({ id: z.string() }), failures: [] } as const
const broken = { method: 'GET', path: '/api/v1/broken', summary: 'A bug', access: 'public', reply: z.strictObject({}), failures: [] } as const
const lying = { method: 'GET', path: '/api/v1/lying', summary: 'Breaks its promise', access: 'public', reply: z.strictObject({ n: z.number() }), failures: [] } as const
const refusing = { method: 'GET', path: '/api/v1/refusing', summary: 'Refuses', access: 'public', reply: z.strictObject({}), failures: ['POLICY_REFUSED'] } as const
const slow = { method: 'GET', path: '/api/v1/slow', summary: 'Slow', access: 'public', query: z.strictObject({ ms: z.coerce.number() }), reply: z.strictObject({ aborted: z.boolean() }), failures: [] } as const
const large = {
  method: 'POST', path: '/api/v1/large', summary: 'Large', access: 'public', body: z.strictObject({ n: z.unknown(), text: z.string() }),
  reply: z.strictObject({ kind: z.string() }), failures: [], exactIntegers: true,
} as const
const unchanged = { method: 'GET', path: '/api/v1/unchanged', summary: 'Unchanged', access: 'public', reply: z.strictObject({ n: z.number() }), failures: [] } as const
const made = { method: 'POST', path: '/api/v1/made', summary: 'Made', access: 'public', reply: z.strictObject({}), failures: [] } as const

const routes: Route[] = [
  route(echo, ({ params, query, body }) => ({ id: params.id, text: body.text, times: query.times ?? 1 })),
  route(getEcho, ({ params }) => ({ id: params.id })),
  route(guarded, ({ caller }) => ({ who: caller.subject })),
  route(broken, () => { throw new Error('the secret text of a request') }),
  route(lying, () => ({ n: 'one' }) as unknown as { n: number }),
  route(refusing, () => {
    throw new Failure('POLICY_REFUSED', 'article `privacy.consent` is violated', { details: { compliance_score: 0.4, required_threshold: 0.8, violations: [{ article: 'privacy.consent' }] } })
  }),
  route(slow, async ({ query, signal }) => {
    await sleep(query.ms, undefined, { signal }).catch(() => undefined)
    return { aborted: signal.aborted }
  }),
  route(large, ({ body }) => ({ kind: typeof body.n }), { bodyBytesMax: 2_000_000 }),
  route(unchanged, () => Answer.notModified({ etag: '"7"' })),
  route(made, () => new Answer({}, { status: 201, headers: { location: '/api/v1/made/1' } })),
]

async function start(components: Component[] = [], edge: Edge = { tls: null, proxies: { trusted: [], header: 'x-forwarded-for' }, connectionsMax: null }) {
  const lines: string[] = []
  const log = createLog({ service: 'acgs-test', level: 'debug', destination: { write: (line: string) => { lines.push(line) } } })
  const metrics = createMetrics({ service: 'acgs-test', version: '8.0.0', constitutionalHash: HASH, description: 'test' })
  const telemetry = { log, metrics }
  const health = createHealth({ service: 'acgs-test', version: '8.0.0', constitution, components, telemetry, intervalMs: 50, timeoutMs: 40 })
  const authenticate = async (header: string | undefined): Promise<Caller> => {
    if (header === undefined) throw unauthenticated('missing', 'this needs a token')
    if (header === 'Bearer out') throw new Failure('AUTH_UNAVAILABLE', 'the keys of Auth cannot be had', { details: { reason: 'unavailable' } })
    if (header === 'Bearer author') return { subject: 'a', clientId: 'a', roles: ['author'] }
    if (header === 'Bearer operator') return { subject: 'o', clientId: 'o', roles: ['operator'] }
    throw unauthenticated('signature', 'the signature does not "fit"')
  }
  const server = await createServer({
    service: 'acgs-test', title: 'Test', version: '8.0.0', description: 'For tests <b>.', constitution, routes, health, telemetry, authenticate, bodyBytesMax: 2_048, edge,
  })
  const scrape = async () => (await server.app.inject('/metrics')).body
  return {
    server, health, lines, metrics, scrape, inject: server.app.inject.bind(server.app),
    [Symbol.asyncDispose]: async () => { await server.close({ drainMs: 0, deadlineMs: 100 }) },
  }
}

const STANDARD = {
  'x-constitutional-hash': HASH, 'x-constitutional-digest': constitution.digest, 'x-acgs-service': 'acgs-test', 'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY', 'x-xss-protection': '0', 'referrer-policy': 'strict-origin-when-cross-origin',
}
function assertStandard(headers: Record<string, unknown>, what: string) {
  for (const [name, value] of Object.entries(STANDARD)) assert.equal(headers[name], value, `${what}: ${name}`)
  assert.equal(headers['strict-transport-security'], undefined, `${what}: nothing is said of TLS without it`)
  for (const name of ['content-security-policy', 'x-request-id']) assert.ok(headers[name], `${what}: ${name}`)
}
const json = { 'content-type': 'application/json' }

test('of TLS something is said only to whom a trusted proxy says uses it, errors included', async () => {
  for (const header of ['x-forwarded-for', 'forwarded'] as const) {
    await using at = await start([], { tls: null, proxies: { trusted: ['10.0.0.0/8'], header }, connectionsMax: null })
    const said = async (remoteAddress: string, headers: Record<string, string>, url = '/livez') => (await at.inject({ url, remoteAddress, headers })).headers['strict-transport-security'] !== undefined
    const https = { 'x-forwarded-proto': 'https', forwarded: 'for=203.0.113.9;proto=https, for=10.0.0.2;proto=http' }
    assert.equal(await said('10.0.0.1', https), true, header)
    assert.equal(await said('10.0.0.1', https, '/there-is-none'), true, header)
    assert.equal(await said('198.51.100.1', https), false, 'whoever is not trusted')
    assert.equal(await said('10.0.0.1', { 'x-forwarded-proto': 'http', forwarded: 'for=203.0.113.9;proto=http;by=10.0.0.1' }), false)
    assert.equal(await said('10.0.0.1', {}), false)
    assert.equal(await said('10.0.0.1', header === 'forwarded' ? { 'x-forwarded-proto': 'https' } : { forwarded: 'proto=https' }), false, 'the header that is not named is not read')
  }
})

test('a request that keeps the promise is answered with the promised reply', async () => {
  await using at = await start()
  const reply = await at.inject({ method: 'POST', url: '/api/v1/echo/abc?times=2', headers: json, payload: '{"text":"hi"}' })
  assert.equal(reply.statusCode, 200)
  assert.match(String(reply.headers['content-type']), /^application\/json/)
  assert.deepEqual(reply.json(), { id: 'abc', text: 'hi', times: 2 })
  for (const nothing of [undefined, '{}', ' { } \n']) {
    const created = await at.inject({ method: 'POST', url: '/api/v1/made', headers: json, ...(nothing === undefined ? {} : { payload: nothing }) })
    assert.deepEqual([created.statusCode, created.headers.location], [201, '/api/v1/made/1'], `with ${nothing}`)
  }
})

const BAD: { name: string; method?: 'POST' | 'GET' | 'DELETE' | 'PUT'; url?: string; headers?: Record<string, string>; payload?: string | Buffer; want: [number, string, RegExp] }[] = [
  { name: 'malformed JSON', payload: '{\n  "text": oops }', want: [400, 'REQUEST_MALFORMED', /line 2, column 11: is not JSON/] },
  { name: 'half a JSON', payload: '{"text": "a', want: [400, 'REQUEST_MALFORMED', /line 1, column \d+: is not JSON/] },
  { name: 'an empty body', payload: '', want: [400, 'REQUEST_MALFORMED', /is empty/] },
  { name: 'a body of blanks', payload: '  ', want: [400, 'REQUEST_MALFORMED', /is empty/] },
  { name: 'bytes that are not UTF-8', payload: Buffer.from([0x22, 0xff, 0x22]), want: [400, 'REQUEST_MALFORMED', /UTF-8/] },
  { name: 'an integer beyond 2^53', payload: '{"text":"a","context":{"list":[1,9007199254740993]}}', want: [400, 'REQUEST_MALFORMED', /body\.context\.list\[1\]: is an integer beyond/] },
  { name: 'a huge exponent', payload: '{"text":"a","context":{"n":1e400}}', want: [400, 'REQUEST_MALFORMED', /body\.context\.n: is a number that is too large/] },
  { name: 'a member given twice', payload: '{"text":"a","te\\u0078t":"b"}', want: [400, 'REQUEST_MALFORMED', /body\.text: is given twice/] },
  { name: '__proto__', payload: '{"text":"a","context":{"__proto__":{"admin":true}}}', want: [400, 'REQUEST_MALFORMED', /body\.context\.__proto__/] },
  { name: 'a lone surrogate', payload: '{"text":"\\ud800"}', want: [400, 'REQUEST_MALFORMED', /body\.text: holds half a character/] },
  { name: 'U+0000', payload: '{"text":"a\\u0000"}', want: [400, 'REQUEST_MALFORMED', /body\.text: holds the character U\+0000/] },
  { name: 'a thousand levels', payload: `{"text":"a","context":{"x":${'['.repeat(900)}${']'.repeat(900)}}}`, want: [400, 'REQUEST_MALFORMED', /nested more than 64/] },
  { name: 'a wrong type', payload: '{"text":7}', want: [400, 'REQUEST_MALFORMED', /body\.text: expected string/] },
  { name: 'too long a text', payload: '{"text":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}', want: [400, 'REQUEST_MALFORMED', /body\.text: too big/] },
  { name: 'a missing member', payload: '{}', want: [400, 'REQUEST_MALFORMED', /body\.text: is missing/] },
  { name: 'an unknown member', payload: '{"text":"a","txet":1,"nested":{"n":1,"m":2}}', want: [400, 'REQUEST_MALFORMED', /body\.nested\.m: is not a member.*body\.txet: is not a member/] },
  { name: 'a list instead of an object', payload: '[]', want: [400, 'REQUEST_MALFORMED', /body: expected object/] },
  { name: 'a wrong parameter', url: '/api/v1/echo/A1', payload: '{"text":"a"}', want: [400, 'REQUEST_MALFORMED', /params\.id/] },
  { name: 'a wrong query', url: '/api/v1/echo/abc?times=9', payload: '{"text":"a"}', want: [400, 'REQUEST_MALFORMED', /query\.times/] },
  { name: 'an unknown query member', url: '/api/v1/echo/abc?x=1', payload: '{"text":"a"}', want: [400, 'REQUEST_MALFORMED', /query\.x/] },
  { name: 'a body where none is expected', url: '/api/v1/made', payload: '{"a":1}', want: [400, 'REQUEST_MALFORMED', /none is expected/] },
  { name: 'U+0000 in the address', method: 'GET', url: '/api/v1/echo/a%00', want: [400, 'REQUEST_MALFORMED', /U\+0000/] },
  { name: 'an address that cannot be decoded', method: 'GET', url: '/api/v1/echo/%E0%A4', want: [400, 'REQUEST_MALFORMED', /cannot be read/] },
  { name: 'another content type', headers: { 'content-type': 'text/plain' }, payload: '{"text":"a"}', want: [415, 'UNSUPPORTED_MEDIA_TYPE', /application\/json/] },
  { name: 'no content type', headers: { 'content-type': '' }, payload: '{"text":"a"}', want: [415, 'UNSUPPORTED_MEDIA_TYPE', /application\/json/] },
  { name: 'a content type that only begins alike', headers: { 'content-type': 'application/jsonp' }, payload: '{"text":"a"}', want: [415, 'UNSUPPORTED_MEDIA_TYPE', /application\/json/] },
  { name: 'a compressed body', headers: { ...json, 'content-encoding': 'gzip' }, payload: 'x', want: [415, 'UNSUPPORTED_MEDIA_TYPE', /compressed/] },
  { name: 'an oversized body', payload: `{"text":"${'a'.repeat(3_000)}"}`, want: [413, 'REQUEST_TOO_LARGE', /2048 bytes/] },
  { name: 'an unknown path', method: 'GET', url: '/nowhere', want: [404, 'NOT_FOUND', /docs/] },
  { name: 'a wrong method', method: 'DELETE', want: [405, 'METHOD_NOT_ALLOWED', /answers POST, GET, HEAD only/] },
  { name: 'another constitution', headers: { ...json, 'x-constitutional-hash': '0000000000000000' }, payload: '{"text":"a"}', want: [400, 'CONSTITUTION_MISMATCH', /expects another/] },
  { name: 'another constitution on an unknown path', method: 'GET', url: '/nowhere', headers: { 'x-constitutional-hash': 'x' }, want: [400, 'CONSTITUTION_MISMATCH', /expects another/] },
  { name: 'no token', method: 'GET', url: '/api/v1/guarded', want: [401, 'UNAUTHENTICATED', /needs a token/] },
  { name: 'a wrong token', method: 'GET', url: '/api/v1/guarded', headers: { authorization: 'Bearer x' }, want: [401, 'UNAUTHENTICATED', /signature/] },
  { name: 'a wrong role', method: 'GET', url: '/api/v1/guarded', headers: { authorization: 'Bearer author' }, want: [403, 'FORBIDDEN', /role `operator`; the token has `author`/] },
  { name: 'Auth being out', method: 'GET', url: '/api/v1/guarded', headers: { authorization: 'Bearer out' }, want: [503, 'AUTH_UNAVAILABLE', /cannot be had/] },
  { name: 'a refusal', method: 'GET', url: '/api/v1/refusing', want: [422, 'POLICY_REFUSED', /privacy\.consent/] },
  { name: 'a bug of ours', method: 'GET', url: '/api/v1/broken', want: [500, 'INTERNAL', /quote the trace id/] },
  { name: 'a reply that breaks its promise', method: 'GET', url: '/api/v1/lying', want: [500, 'INTERNAL', /quote the trace id/] },
]

test('every bad request gets a problem document that names the place, with all standard headers', async (t) => {
  await using at = await start()
  for (const { name, method = 'POST', url = '/api/v1/echo/abc', headers = json, payload, want: [status, code, detail] } of BAD) {
    await t.test(name, async () => {
      const reply = await at.inject({ method, url, headers: method === 'GET' && headers === json ? {} : headers, ...(payload === undefined ? {} : { payload }) })
      const body = reply.json()
      assert.equal(reply.statusCode, status, reply.body)
      assert.equal(body.code, code)
      assert.equal(body.status, status)
      assert.equal(reply.headers['content-type'], 'application/problem+json')
      assert.match(body.detail, detail)
      assert.match(body.trace_id, /^[0-9a-f]{32}$/)
      assert.ok(body.type && body.title)
      assertStandard(reply.headers, name)
    })
  }
})

test('an endpoint may take a larger body than the others, and integers beyond 2^53', async () => {
  await using at = await start()
  const post = (url: string, n: string, length: number) => at.inject({ method: 'POST', url, headers: json, payload: `{"n":${n},"text":"${'x'.repeat(length)}"}` })
  assert.deepEqual((await post('/api/v1/large', '9007199254740993', 1_000_000)).json(), { kind: 'bigint' })
  assert.deepEqual((await post('/api/v1/large', '1', 10)).json(), { kind: 'number' })
  const tooLarge = await post('/api/v1/large', '1', 2_000_000)
  assert.equal(tooLarge.statusCode, 413)
  assert.match(tooLarge.json().detail, /2000000/)
  assert.match((await post('/api/v1/echo/abc', '1', 10_000)).json().detail, /2048/)
})

test('what the caller has already is answered with 304 and no body', async () => {
  await using at = await start()
  const { statusCode, headers, body } = await at.inject('/api/v1/unchanged')
  assert.deepEqual([statusCode, headers['etag'], body, headers['content-type']], [304, '"7"', '', undefined])
})

test('a request without token and with a huge body is refused before the body is read', async () => {
  const posted = { method: 'POST', path: '/p', summary: 'P', access: ['author'], body: z.unknown(), reply: z.strictObject({}), failures: [] } as const
  routes.push(route(posted, () => ({})))
  await using at = await start()
  routes.pop()
  const reply = await at.inject({ method: 'POST', url: '/p', headers: json, payload: '{ not json' })
  assert.equal(reply.statusCode, 401)
})

test('401 and 403 say how to authenticate, without letting the message break out of its quotes', async () => {
  await using at = await start()
  const missing = await at.inject('/api/v1/guarded')
  assert.equal(missing.headers['www-authenticate'], 'Bearer realm="acgs"')
  const wrong = await at.inject({ url: '/api/v1/guarded', headers: { authorization: 'Bearer x' } })
  assert.equal(wrong.headers['www-authenticate'], `Bearer realm="acgs", error="invalid_token", error_description="the signature does not 'fit'"`)
  const role = await at.inject({ url: '/api/v1/guarded', headers: { authorization: 'Bearer author' } })
  assert.match(String(role.headers['www-authenticate']), /error="insufficient_scope"/)
  assert.equal((await at.inject({ url: '/api/v1/guarded', headers: { authorization: 'Bearer operator' } })).json().who, 'o')
  assert.equal((await at.inject({ url: '/api/v1/guarded', headers: { authorization: 'Bearer out' } })).headers['retry-after'], '5')
})

test('failed authentications are counted by their reason', async () => {
  await using at = await start()
  await at.inject('/api/v1/guarded')
  for (const token of ['x', 'author', 'out']) await at.inject({ url: '/api/v1/guarded', headers: { authorization: `Bearer ${token}` } })
  const text = await at.scrape()
  for (const reason of ['missing', 'signature', 'role', 'unavailable']) assert.match(text, new RegExp(`authentication_failures_total\\{reason="${reason}"\\} 1`))
})

test('a mismatch of constitutions names both hashes and is counted; probes and metrics do not look', async () => {
  await using at = await start()
  const headers = { 'x-constitutional-hash': '0000000000000000' }
  const body = (await at.inject({ url: '/docs', headers })).json()
  assert.deepEqual([body.error, body.expected_hash, body.provided_hash], ['Constitutional hash mismatch', HASH, '0000000000000000'])
  for (const url of ['/health', '/livez', '/readyz', '/startupz', '/metrics']) assert.notEqual((await at.inject({ url, headers })).statusCode, 400, url)
  assert.equal((await at.inject({ url: '/docs', headers: { 'x-constitutional-hash': HASH } })).statusCode, 200)
  assert.match(await at.scrape(), /constitutional_hash_mismatches_total 1/)
})

test('a refusal carries its extra members', async () => {
  await using at = await start()
  const body = (await at.inject('/api/v1/refusing')).json()
  assert.equal(body.compliance_score, 0.4)
  assert.deepEqual(body.violations, [{ article: 'privacy.consent' }])
})

test('a bug says nothing of itself to the caller, and its text is not in the log either', async () => {
  await using at = await start()
  const reply = await at.inject('/api/v1/broken')
  assert.doesNotMatch(reply.body, /secret/)
  const line = at.lines.map((text) => JSON.parse(text)).find((entry) => entry.msg === 'request failed')
  assert.ok(line.err.stack.length > 0)
  assert.equal(line.trace_id, reply.json().trace_id)
  assert.doesNotMatch(at.lines.join(''), /secret/)
})

test('texts of requests are not logged, whatever is wrong with them', async () => {
  await using at = await start()
  for (const payload of ['{"text":"geheim"}', '{"text":"geheim geheim geheim geheim"}', '{"text":geheim}', '{"geheim":1}']) {
    await at.inject({ method: 'POST', url: '/api/v1/echo/abc', headers: json, payload })
  }
  assert.ok(at.lines.length > 4)
  assert.doesNotMatch(at.lines.filter((line) => !line.includes('"places":["body.geheim"')).join(''), /geheim/)
})

test('a request id that is well formed comes back; another is replaced', async () => {
  await using at = await start()
  assert.equal((await at.inject({ url: '/livez', headers: { 'x-request-id': 'abc-1' } })).headers['x-request-id'], 'abc-1')
  const forged = (await at.inject({ url: '/livez', headers: { 'x-request-id': 'a b"c' } })).headers['x-request-id']
  assert.match(String(forged), /^[0-9a-f-]{36}$/)
})

test('a trace is continued, and its id is in the log and in problems', async () => {
  await using at = await start()
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
  const reply = await at.inject({ url: '/nowhere', headers: { traceparent: `00-${traceId}-00f067aa0ba902b7-01`, 'x-request-id': 'r1' } })
  assert.equal(reply.json().trace_id, traceId)
  const line = JSON.parse(at.lines.findLast((text) => text.includes('request answered'))!)
  assert.deepEqual([line.trace_id, line.request_id, line.service, line.level], [traceId, 'r1', 'acgs-test', 'info'])
})

test('405 has the Allow header', async () => {
  await using at = await start()
  assert.equal((await at.inject({ method: 'DELETE', url: '/api/v1/echo/abc' })).headers.allow, 'POST, GET, HEAD')
})

test('answers are timed by the pattern of their path, never by the path', async () => {
  await using at = await start()
  await at.inject('/api/v1/echo/secret-id')
  await at.inject('/nowhere/secret-id')
  const text = await at.scrape()
  assert.match(text, /response_time_seconds_count\{endpoint="\/api\/v1\/echo\/\{id\}",method="GET"\} 1/)
  assert.match(text, /response_time_seconds_count\{endpoint="unmatched",method="GET"\} 1/)
  assert.match(text, /response_time_seconds_count\{endpoint="\/api\/v1\/echo\/\{id\}",method="POST"\} 0/)
  assert.doesNotMatch(text, /secret-id/)
})

/** Sends raw bytes and reads until the other side closes. */
async function raw(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  const chunks: Buffer[] = []
  socket.on('data', (chunk) => chunks.push(Buffer.from(chunk)))
  socket.on('error', () => undefined)
  socket.write(text)
  await new Promise((resolve) => socket.once('close', resolve))
  return Buffer.concat(chunks).toString()
}

test('what is not even a request still gets a problem document and every header', async (t) => {
  await using at = await start()
  const { port } = await at.server.listen({ host: '127.0.0.1', port: 0 })
  const cases: [string, string, number][] = [
    ['nonsense', 'nonsense\r\n\r\n', 400],
    ['no host', 'GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n', 400],
    ['two lengths', 'POST /api/v1/made HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n', 400],
    ['length and chunks', 'POST /api/v1/made HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n', 400],
    ['huge headers', `GET /livez HTTP/1.1\r\nHost: x\r\nA: ${'a'.repeat(20_000)}\r\n\r\n`, 431],
    ['an unknown method', 'FOO /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', 400],
    ['a method that HTTP knows and we do not', 'PROPFIND /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', 405],
    ['an expectation', 'GET /livez HTTP/1.1\r\nHost: x\r\nExpect: miracles\r\nConnection: close\r\n\r\n', 417],
  ]
  for (const [name, text, status] of cases) {
    await t.test(name, async () => {
      const reply = await raw(port, text)
      assert.match(reply, new RegExp(`^HTTP/1.1 ${status} `), reply)
      const [head, body] = reply.split('\r\n\r\n') as [string, string]
      const headers = Object.fromEntries(head.split('\r\n').slice(1).map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)]))
      if (name !== 'an expectation') assertStandard(headers, name)
      assert.equal(JSON.parse(body.replace(/^[0-9a-f]+\r\n/, '').replace(/\r\n.*$/s, '')).status, status)
    })
  }
})

test('the document describes every endpoint, and the page shows it without scripts', async () => {
  await using at = await start()
  const document = (await at.inject('/openapi.json')).json()
  assert.equal(document.openapi, '3.1.0')
  for (const { path, method } of at.server.endpoints) assert.ok(document.paths[path][method.toLowerCase()], `${method} ${path}`)
  const page = await at.inject('/docs')
  assert.match(page.body, /\/api\/v1\/echo\/\{id\}/)
  assert.match(page.body, /For tests &#60;b&#62;\./)
  assert.doesNotMatch(page.body, /<script|\son\w+=|javascript:/i)
  assert.match(String(page.headers['content-security-policy']), /default-src 'none'.*style-src 'sha256-/)
})

test('health answers from background probes: fresh and idle is healthy, a missing part degrades, a vital one is 503', async () => {
  let database: 'healthy' | 'unhealthy' = 'healthy'
  let calls = 0
  await using at = await start([
    { name: 'database', isCritical: true, probe: () => { calls++; return { status: database } } },
    { name: 'gs', isCritical: false, probe: () => { throw Object.assign(new Error('secret'), { code: 'ECONNREFUSED' }) } },
    { name: 'cedar', isCritical: false, probe: () => { throw new Failure('SOLVER_FAILED', 'it says nothing: start it') } },
    { name: 'solver', isCritical: false, probe: (signal) => new Promise((resolve) => signal.addEventListener('abort', () => setTimeout(() => resolve({ status: 'healthy' }), 1_000).unref())) },
  ])
  for (const path of ['/readyz', '/startupz']) assert.equal((await at.inject(path)).statusCode, 503, path)
  await at.health.start()
  const first = (await at.inject('/health')).json()
  assert.equal(first.status, 'degraded')
  assert.equal(first.components.gs.detail, 'could not be looked at: ECONNREFUSED')
  assert.equal(first.components.cedar.detail, 'it says nothing: start it', 'a sentence of ours, not its code')
  assert.match(first.components.solver.detail, /no answer within 40 ms/)
  assert.equal(first.constitutional_hash, HASH)
  assert.match(first.timestamp, /Z$/)
  const before = calls
  for (let i = 0; i < 20; i++) await at.inject('/health')
  assert.ok(calls - before <= 2, 'asking calls nothing')
  assert.equal((await at.inject('/readyz')).statusCode, 200)
  database = 'unhealthy'
  await sleep(200)
  const later = await at.inject('/health')
  assert.equal(later.statusCode, 503)
  assert.equal(later.json().status, 'unhealthy')
  const ready = await at.inject('/readyz')
  assert.equal(ready.statusCode, 503)
  assert.match(ready.json().because.join(), /database/)
  assert.equal((await at.inject('/startupz')).statusCode, 200, 'what has started once is not started anew')
  assert.equal((await at.inject('/livez')).statusCode, 200)
  const text = await at.scrape()
  assert.match(text, /component_health\{component="database"\} 0/)
})

test('a fresh, idle process whose probes succeed is healthy', async () => {
  await using at = await start([{ name: 'database', isCritical: true, probe: () => ({ status: 'healthy' }) }])
  await at.health.start()
  assert.equal((await at.inject('/health')).json().status, 'healthy')
  assert.match(await at.scrape(), /component_health\{component="database"\} 1/)
})

test('shutting down: readiness flips first, what arrives is served with Connection: close, what is under way finishes', async () => {
  const at = await start()
  await at.health.start()
  const { port } = await at.server.listen({ host: '127.0.0.1', port: 0 })
  const url = `http://127.0.0.1:${port}`
  const underWay = fetch(`${url}/api/v1/slow?ms=2500`)
  await sleep(50)
  // Long enough for three requests on a machine that is busy with something else.
  const closing = at.server.close({ drainMs: 2_000, deadlineMs: 20_000 })
  await sleep(20)
  const ready = await fetch(`${url}/readyz`)
  assert.equal(ready.status, 503)
  assert.match((await ready.text()), /shutting down/)
  const served = await fetch(`${url}/api/v1/echo/abc`)
  assert.equal(served.status, 200)
  assert.equal(served.headers.get('connection'), 'close')
  assert.equal((await fetch(`${url}/health`)).status, 200)
  assert.deepEqual(await (await underWay).json(), { aborted: false })
  assert.deepEqual(await closing, { cutOff: 0 })
  await assert.rejects(fetch(`${url}/livez`))
})

test('what takes longer than the deadline is told to stop, and then cut off', async () => {
  const at = await start()
  const { port } = await at.server.listen({ host: '127.0.0.1', port: 0 })
  const underWay = fetch(`http://127.0.0.1:${port}/api/v1/slow?ms=5000`)
  await sleep(50)
  const begun = Date.now()
  assert.deepEqual(await at.server.close({ drainMs: 0, deadlineMs: 100 }), { cutOff: 1 })
  assert.ok(Date.now() - begun < 15_000)
  assert.deepEqual(await (await underWay).json(), { aborted: true })
})

test('a caller that goes away aborts its request', async () => {
  await using at = await start()
  const { port } = await at.server.listen({ host: '127.0.0.1', port: 0 })
  await assert.rejects(fetch(`http://127.0.0.1:${port}/api/v1/slow?ms=3000`, { signal: AbortSignal.timeout(60) }))
  await sleep(100)
  assert.deepEqual(await at.server.close({ drainMs: 0, deadlineMs: 2_000 }), { cutOff: 0 }, 'nothing was left to wait for')
})

test('a port in use names the process that holds it, and how to choose another', async () => {
  await using first = await start()
  await using second = await start()
  const { port } = await first.server.listen({ host: '127.0.0.1', port: 0 })
  await assert.rejects(second.server.listen({ host: '127.0.0.1', port, setting: 'ACGS_SERVICES_AUTH_PORT' }), (error) => {
    assert(error instanceof Failure && error.code === 'PORT_IN_USE')
    if (process.platform === 'linux') assert.match(error.message, new RegExp(`in use by process ${process.pid} \\(`))
    assert.match(error.message, /ACGS_SERVICES_AUTH_PORT/)
    return true
  })
})

test('no more connections are open than the edge allows', async () => {
  await using at = await start([], { tls: null, proxies: { trusted: [], header: 'x-forwarded-for' }, connectionsMax: 2 })
  const { port } = await at.server.listen({ host: '127.0.0.1', port: 0 })
  const sockets = Array.from({ length: 10 }, () => connect(port, '127.0.0.1').on('error', () => {}))
  const left = () => sockets.filter(({ closed }) => !closed).length
  for (const deadline = Date.now() + 30_000; left() > 2; await sleep(10)) assert.ok(Date.now() < deadline, `${left()} are open`)
  for (const socket of sockets) socket.destroy()
})

test('connections open at the moment of a scrape are counted', async () => {
  await using at = await start()
  const { port } = await at.server.listen({ host: '127.0.0.1', port: 0 })
  const socket = connect(port, '127.0.0.1')
  await new Promise((resolve) => socket.once('connect', resolve))
  await sleep(20)
  assert.match(await at.scrape(), /active_connections\{connection_type="http"\} 1/)
  socket.destroy()
  await sleep(20)
  assert.match(await at.scrape(), /active_connections\{connection_type="http"\} 0/)
})

test('scrapes that follow each other closely are answered like any other, and what was counted between them is in the next', async () => {
  await using at = await start()
  const { port } = await at.server.listen({ host: '127.0.0.1', port: 0 })
  const get = (path: string, headers: Record<string, string> = {}) => fetch(`http://127.0.0.1:${port}${path}`, { headers })
  const first = await get('/metrics')
  await first.text()
  const again = await Promise.all(Array.from({ length: 20 }, () => get('/metrics')))
  for (const each of again) {
    assert.equal(each.status, 200)
    assertStandard(Object.fromEntries(each.headers), '/metrics')
    assert.equal(each.headers.get('content-type'), first.headers.get('content-type'))
    assert.match(await each.text(), /^# HELP /)
  }
  assert.equal(new Set(again.map(({ headers }) => headers.get('x-request-id'))).size, 20)
  for (let n = 1; n <= 5; n++) {
    await get('/api/v1/broken')
    assert.match(await (await get('/metrics')).text(), new RegExp(`response_time_seconds_count\\{endpoint="/api/v1/broken",method="GET"\\} ${n}\n`))
  }
  assert.match(await at.scrape(), /response_time_seconds_count\{endpoint="\/metrics",method="GET"\} 26\n/)
  assert.equal((await get('/metrics', { 'content-encoding': 'gzip' })).status, 415)
})

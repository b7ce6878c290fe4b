import assert from 'node:assert/strict'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { Failure } from '#core/failure.ts'
import { createLog } from '#telemetry/log.ts'
import { createMetrics } from '#telemetry/metrics.ts'
import { createCall, peerBreaker, type Call } from './call.ts'

const getThing = {
  method: 'GET', path: '/things/{name}', summary: 'A thing', access: ['service'], params: z.strictObject({ name: z.string() }), query: z.strictObject({ n: z.number().optional() }),
  reply: z.strictObject({ n: z.number() }), failures: [],
} as const
const postThing = { method: 'POST', path: '/things', summary: 'Makes one', access: ['service'], body: z.strictObject({ text: z.string() }), reply: z.strictObject({ n: z.number() }), status: 201, failures: [] } as const

type Answering = (request: IncomingMessage, response: ServerResponse, body: string) => void

/** A peer that answers as it is told, and what calls it. */
async function peerThat(answering: Answering, { timeoutMs = 1_000, restMs = 100, token = async () => 't' as string } = {}): Promise<{ call: Call; asked: () => number; answer: (next: Answering) => void; state: () => Promise<number> } & AsyncDisposable> {
  let asked = 0
  let answer = answering
  const server = createServer(async (request, response) => {
    asked++
    let body = ''
    for await (const part of request) body += String(part)
    answer(request, response, body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const metrics = createMetrics({ service: 'acgs-test', version: '8.0.0', constitutionalHash: 'cdd01ef066bc6cf2', description: 'test' })
  const telemetry = { metrics, log: createLog({ service: 'acgs-test', level: 'silent' }) }
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    call: createCall({ peer: 'pgc', url, token, timeoutMs, telemetry, breaker: peerBreaker({ peer: 'pgc', url, telemetry, rules: { failuresMax: 5, restMs } }) }),
    asked: () => asked,
    answer: (next) => { answer = next },
    state: async () => (await metrics.circuitBreakerState.get()).values.find(({ labels }) => labels.service === 'pgc')?.value ?? -1,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const replies = (status: number, body: unknown, type = 'application/json'): Answering => (_, response) => void response.writeHead(status, { 'content-type': type }).end(typeof body === 'string' ? body : JSON.stringify(body))
const failsWith = (code: string, message: RegExp) => (error: unknown) => error instanceof Failure && error.code === code && message.test(error.message)

test('path, query, body and token are those of the contract, and so is the reply', async () => {
  const seen: string[] = []
  await using peer = await peerThat((request, response, body) => {
    seen.push(`${request.method} ${request.url} ${request.headers.authorization} ${body}`)
    response.writeHead(request.method === 'POST' ? 201 : 200).end('{"n":1}')
  })
  assert.deepEqual(await peer.call(getThing, { params: { name: 'a/b' }, query: { n: 2 } }), { n: 1 })
  assert.deepEqual(await peer.call(postThing, { body: { text: 'x' } }), { n: 1 })
  assert.deepEqual(seen, ['GET /things/a%2Fb?n=2 Bearer t ', 'POST /things Bearer t {"text":"x"}'])
})

test('what the peer refuses is the same failure here, with its details and its problems', async () => {
  await using peer = await peerThat(replies(422, {
    type: '/docs#POLICY_REFUSED', title: 't', status: 422, detail: 'it breaks an article', code: 'POLICY_REFUSED', trace_id: 'x', violations: ['a'], problems: [{ place: 'p', message: 'm' }],
  }, 'application/problem+json'))
  await assert.rejects(peer.call(postThing, { body: { text: 'x' } }), (error) => {
    assert.ok(error instanceof Failure)
    assert.deepEqual([error.code, error.message, error.details, error.problems], ['POLICY_REFUSED', 'it breaks an article', { violations: ['a'] }, [{ place: 'p', message: 'm' }]])
    return true
  })
})

test('what only says that the peer cannot be asked is never the fault of who asked us', async (t) => {
  const problem = (status: number, code: string) => replies(status, { detail: 'd', code, status })
  const cases: Record<string, Answering> = {
    'our token is refused': problem(401, 'UNAUTHENTICATED'), 'our role is refused': problem(403, 'FORBIDDEN'), 'another path': problem(404, 'NOT_FOUND'),
    'an error of its own': problem(500, 'INTERNAL'), 'its solver is out': problem(503, 'SOLVER_FAILED'), 'shutting down': problem(503, 'SHUTTING_DOWN'),
    'a code that there is not': problem(422, 'constructor'), 'no problem at all': replies(502, '<html>', 'text/html'), 'a redirection': (_, response) => void response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(),
    'another shape': replies(201, { n: 'one' }), 'no JSON': replies(201, '{'), 'a broken line': (request) => void request.socket.destroy(), 'another status': replies(204, ''),
  }
  for (const [name, answer] of Object.entries(cases)) {
    await t.test(name, async () => {
      await using peer = await peerThat(answer)
      await assert.rejects(peer.call(postThing, { body: { text: 'x' } }), failsWith('PEER_UNAVAILABLE', /^pgc at http/))
    })
  }
})

test('after five failures in a row it is left alone; then one call finds out, and the gauge says so', async () => {
  await using peer = await peerThat(replies(500, {}), { restMs: 150 })
  const ask = () => peer.call(postThing, { body: { text: 'x' } })
  assert.equal(await peer.state(), 0)
  for (let i = 0; i < 5; i++) await assert.rejects(ask(), failsWith('PEER_UNAVAILABLE', /answers 500/))
  await assert.rejects(ask(), failsWith('PEER_UNAVAILABLE', /left alone/))
  assert.deepEqual([peer.asked(), await peer.state()], [5, 1])
  await sleep(200)
  await assert.rejects(ask(), failsWith('PEER_UNAVAILABLE', /answers 500/))
  assert.deepEqual([peer.asked(), await peer.state()], [6, 1])
  peer.answer(replies(201, { n: 3 }))
  await sleep(200)
  assert.deepEqual(await Promise.all([ask(), ask(), ask()]), [{ n: 3 }, { n: 3 }, { n: 3 }])
  assert.equal(await peer.state(), 0)
})

test('a peer that refuses is there: refusals never open the breaker, and one among failures starts the count anew', async () => {
  await using peer = await peerThat(replies(500, {}))
  const ask = () => peer.call(postThing, { body: { text: 'x' } }).catch((error: Failure) => error.code)
  for (let i = 0; i < 4; i++) assert.equal(await ask(), 'PEER_UNAVAILABLE')
  peer.answer(replies(422, { code: 'POLICY_REFUSED', detail: 'd', status: 422 }))
  for (let i = 0; i < 10; i++) assert.equal(await ask(), 'POLICY_REFUSED')
  peer.answer(replies(500, {}))
  for (let i = 0; i < 4; i++) assert.equal(await ask(), 'PEER_UNAVAILABLE')
  assert.deepEqual([peer.asked(), await peer.state()], [18, 0])
})

test('a peer that does not answer is given up in time, and who went away does not wait for it', async () => {
  await using peer = await peerThat(() => {}, { timeoutMs: 80 })
  const started = performance.now()
  await assert.rejects(peer.call(postThing, { body: { text: 'x' } }), failsWith('PEER_UNAVAILABLE', /within 80 ms/))
  assert.ok(performance.now() - started < 15_000)
  const gone = new Failure('SHUTTING_DOWN', 'the caller went away')
  await assert.rejects(peer.call(postThing, { body: { text: 'x' }, signal: AbortSignal.abort(gone) }), (error) => error === gone)
})

test('without a token the peer is not asked, and is not blamed', async () => {
  const away = new Failure('PEER_UNAVAILABLE', 'Auth does not answer')
  await using peer = await peerThat(replies(201, { n: 1 }), { token: () => Promise.reject(away) })
  for (let i = 0; i < 10; i++) await assert.rejects(peer.call(postThing, { body: { text: 'x' } }), (error) => error === away)
  assert.deepEqual([peer.asked(), await peer.state()], [0, 0])
})

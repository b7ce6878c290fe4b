import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Decides } from '#core/decision/answer.ts'
import { Evaluator } from '#core/decision/evaluator.ts'
import { createDecisionPoint } from '#services/compliance/decision-point.ts'
import { activeRevision, decisionPoint, decisionService } from '#test/decision-service.ts'

// The fixture and the cases of OpenID's certification scenario for AuthZEN 1.0, sections 2, 3 and 6.
const SCHEMA = `
  entity user = { role?: String, department?: String };
  entity record = { status: String, owner?: String };
  action read, write appliesTo { principal: user, resource: record };
  action delete appliesTo { principal: user, resource: record, context: { soft?: Bool } };`
const RULES = `
  @id("read") permit(principal, action == Action::"read", resource);
  @id("own") @sentence("Alice may write active records.") permit(principal == user::"alice", action == Action::"write", resource) when { resource.status == "active" };
  @id("admin") permit(principal, action == Action::"write", resource) when { principal has role && principal.role == "admin" && resource.status == "archived" };
  @id("soft") permit(principal, action == Action::"delete", resource) when { context has soft && context.soft };`
const ENTITIES = [
  { uid: { type: 'user', id: 'alice' }, attrs: {}, parents: [] },
  { uid: { type: 'user', id: 'bob' }, attrs: { role: 'admin' }, parents: [] },
  { uid: { type: 'record', id: 'record-1' }, attrs: { status: 'active' }, parents: [] },
  { uid: { type: 'record', id: 'record-2' }, attrs: { status: 'archived' }, parents: [] },
]
const start = async () => decisionService(await decisionPoint(activeRevision('records', SCHEMA, RULES, 7), ENTITIES))

const [alice, bob] = [{ type: 'user', id: 'alice' }, { type: 'user', id: 'bob' }]
const [one, two] = [{ type: 'record', id: 'record-1' }, { type: 'record', id: 'record-2' }]
const [read, write] = [{ name: 'read' }, { name: 'write' }]
const archived = { ...two, properties: { status: 'archived' } }

test('single questions of the scenario are decided as it demands, with whatever else they carry', async () => {
  await using at = await start()
  const cases: [string, unknown, boolean][] = [
    ['2.2.1', { subject: alice, action: read, resource: one }, true],
    ['rule 2', { subject: alice, action: write, resource: one }, true],
    ['rule 3', { subject: bob, action: read, resource: one }, true],
    ['2.2.2', { subject: bob, action: write, resource: one }, false],
    ['2.2.3', { subject: alice, action: read, resource: one, context: { time: '2025-06-27T18:03-07:00', ip: '192.168.1.1' } }, true],
    ['2.2.4', { subject: alice, action: write, resource: archived }, false],
    ['2.2.5', { subject: { ...bob, properties: { role: 'admin' } }, action: write, resource: archived }, true],
    ['2.2.6', { subject: alice, action: { name: 'delete', properties: { soft: true } }, resource: one }, true],
    ['2.2.7', { subject: alice, action: { name: 'delete', properties: { soft: false } }, resource: one }, false],
    ['2.2.8', { subject: { ...alice, properties: { department: 'Sales', role: 'manager' } }, action: { ...read, properties: { method: 'GET' } }, resource: { ...one, properties: { status: 'active', owner: 'bob' } } }, true],
    ['2.2.9', { subject: alice, action: read, resource: one, foo: 'bar', futureField: { nested: true } }, true],
  ]
  for (const [name, question, want] of cases) {
    for (let i = 0; i < 2; i++) {
      const { status, body } = await at.ask(question)
      assert.deepEqual([status, body.decision], [200, want], name)
    }
  }
})

test('what the scenario calls a bad request is 400, as a problem that names the place', async () => {
  await using at = await start()
  const good = { subject: alice, action: read, resource: one }
  const cases: [unknown, RegExp, Record<string, string>?][] = [
    [{ action: read, resource: one }, /body\.subject/], [{ subject: alice, resource: one }, /body\.action/], [{ subject: alice, action: read }, /body\.resource/],
    [{ ...good, subject: { id: 'alice' } }, /body\.subject\.type/], [{ ...good, subject: { type: 'user' } }, /body\.subject\.id/], [{ ...good, action: {} }, /body\.action\.name/],
    [{ ...good, resource: { id: 'record-1' } }, /body\.resource\.type/], [{ ...good, resource: { type: 'record' } }, /body\.resource\.id/],
    [{ ...good, subject: 'alice' }, /body\.subject/], [{ ...good, action: { name: 123 } }, /body\.action\.name/], [{ ...good, context: [] }, /body\.context/],
    ['{"subject":', /not JSON/], ['', /empty/], ['[]', /body/],
    [good, /application\/json/, { 'content-type': 'text/plain' }], [good, /application\/json/, { 'content-type': 'application/xml' }],
    [good, /Content-Encoding/, { 'content-encoding': 'gzip' }],
  ]
  for (const path of ['/access/v1/evaluation', '/access/v1/evaluations']) {
    for (const [body, place, headers] of cases) {
      const got = await at.post(path, body, headers)
      assert.deepEqual([got.status, got.headers['content-type'], got.body.code], [400, 'application/problem+json', 'REQUEST_MALFORMED'], `${path} ${JSON.stringify(body)}`)
      assert.match(got.body.detail, place)
    }
  }
  const bare = await at.server.app.inject({ method: 'POST', url: '/access/v1/evaluation', headers: { authorization: 'Bearer service', 'content-length': '0' } })
  assert.equal(bare.statusCode, 400)
  for (const body of [{ ...good, evaluations: {} }, { ...good, evaluations: [good], options: { evaluations_semantic: 'some' } }, { ...good, evaluations: Array.from({ length: 1_001 }, () => ({})) }]) {
    assert.equal((await at.askAll(body)).status, 400)
  }
  assert.equal(await at.counted('permitted'), 0)
})

test('batches of the scenario are decided in their order, defaults merged entity by entity', async () => {
  await using at = await start()
  const cases: [string, unknown, (boolean | null)[]][] = [
    ['3.2.1', { subject: alice, action: read, evaluations: [{ resource: one }, { resource: two }] }, [true, true]],
    ['3.2.2', { subject: bob, resource: one, evaluations: [{ action: read }, { action: write }] }, [true, false]],
    ['3.2.3', { subject: alice, action: write, evaluations: [{ resource: { ...one, properties: { status: 'active' } } }, { resource: archived }] }, [true, false]],
    ['3.2.4', { action: write, resource: archived, evaluations: [{ subject: alice }, { subject: { ...bob, properties: { role: 'admin' } } }] }, [false, true]],
    ['3.2.5', { evaluations: [{ subject: alice, action: read, resource: one }, { subject: bob, action: write, resource: one }] }, [true, false]],
    ['3.2.6', { subject: alice, action: read, context: { time: 'x' }, evaluations: [{ resource: one }, { resource: two, context: { time: 'y', source: 'z' } }] }, [true, true]],
    ['3.2.7', { subject: alice, action: write, resource: { type: 'record' }, evaluations: [{ resource: { id: 'record-1', properties: { status: 'active' } } }, { resource: archived }] }, [true, false]],
    ['3.4.1', { subject: alice, action: read, evaluations: [{ resource: one }, {}] }, [true, false]],
    ['properties are no default', { subject: { ...alice, properties: { role: 'admin' } }, action: write, evaluations: [{ resource: archived }, { subject: { id: 'alice' }, resource: archived }] }, [true, false]],
    ['a context is no default for parts', { subject: alice, action: { name: 'delete' }, resource: one, context: { soft: true }, evaluations: [{}, { context: {} }] }, [true, false]],
  ]
  for (const [name, batch, want] of cases) {
    const { status, body } = await at.askAll(batch)
    assert.deepEqual([status, body.decision, body.evaluations.map(({ decision }: { decision: boolean }) => decision)], [200, undefined, want], name)
  }
  const failed = (await at.askAll({ subject: alice, action: read, evaluations: [{}, 'x', { resource: one, action: { name: 'fly' } }] })).body.evaluations
  assert.match(failed[0].context.error.message, /body\.evaluations\[0\]\.resource/)
  assert.equal(failed[1].decision, false)
  assert.match(failed[2].context.error.message, /`fly` is none of the actions: there are `delete`, `read`, `write`|`fly` is none/)
  for (const evaluations of [undefined, []]) {
    assert.equal((await at.askAll({ subject: alice, action: read, resource: one, evaluations })).body.decision, true)
  }
})

test('a batch ends after the first deny, or the first permit, where that is asked for', async () => {
  await using at = await start()
  const decided = async (evaluations_semantic: string) => (await at.askAll({ resource: one, options: { evaluations_semantic }, evaluations: [{ subject: bob, action: write }, { subject: bob, action: read }, { subject: alice, action: write }] })).body.evaluations.map(({ decision }: { decision: boolean }) => decision)
  assert.deepEqual(await decided('execute_all'), [false, true, true])
  assert.deepEqual(await decided('deny_on_first_deny'), [false])
  assert.deepEqual(await decided('permit_on_first_permit'), [false, true])
  const broken = await at.askAll({ subject: alice, action: read, options: { evaluations_semantic: 'deny_on_first_deny' }, evaluations: [{}, { resource: one }] })
  assert.equal(broken.body.evaluations.length, 1) // What cannot be read is a deny.
})

test('a request id comes back, and one is made where there is none', async () => {
  await using at = await start()
  const question = { subject: alice, action: read, resource: one }
  assert.equal((await at.ask(question, { 'x-request-id': 'bfe9eb29-ab87' })).headers['x-request-id'], 'bfe9eb29-ab87')
  assert.ok((await at.ask(question)).headers['x-request-id'])
})

test('the discovery document says where to ask, without a token; decisions are for the role service', async () => {
  await using at = await start()
  const found = await at.server.app.inject('/.well-known/authzen-configuration')
  assert.deepEqual(found.json(), {
    policy_decision_point: 'https://pdp.example', access_evaluation_endpoint: 'https://pdp.example/access/v1/evaluation', access_evaluations_endpoint: 'https://pdp.example/access/v1/evaluations',
  })
  assert.equal((await at.ask({}, { authorization: 'Bearer author' })).status, 403)
  assert.equal((await at.server.app.inject({ method: 'POST', url: '/access/v1/evaluation', payload: {} })).statusCode, 401)
})

test('the application is the one named, else the only one; others are told', async () => {
  const point = await decisionPoint(activeRevision('records', SCHEMA, RULES, 7), ENTITIES)
  await using at = await decisionService(point)
  const question = { subject: alice, action: read, resource: one }
  assert.equal((await at.ask(question)).body.context.revision, 7)
  point.know('clinic')
  const unnamed = await at.ask(question)
  assert.equal(unnamed.status, 400)
  assert.deepEqual(unnamed.body.known, ['clinic', 'records'])
  assert.equal((await at.ask(question, { 'x-acgs-application': 'records' })).body.decision, true)
  assert.equal((await at.ask(question, { 'x-acgs-application': 'shop' })).status, 404)
  const nothing = await at.ask(question, { 'x-acgs-application': 'clinic' })
  assert.deepEqual([nothing.status, nothing.body.decision, nothing.body.context.revision], [200, false, null])
  assert.match(nothing.body.context.reason_admin.en, /nothing is active for the application `clinic`/)
  await using none = await decisionService(createDecisionPoint())
  assert.equal((await none.ask(question)).status, 400)
})

test('a caller that must not see an older revision gets a conflict with the one there is', async () => {
  const point = await decisionPoint(activeRevision('records', SCHEMA, RULES, 7), ENTITIES)
  await using at = await decisionService(point)
  const question = { subject: alice, action: read, resource: one }
  assert.equal((await at.ask(question, { 'x-acgs-min-revision': '7' })).status, 200)
  const older = await at.ask(question, { 'x-acgs-min-revision': '8' })
  assert.deepEqual([older.status, older.body.code, older.body.current_revision], [409, 'CONFLICT', 7])
  assert.equal((await at.ask(question, { 'x-acgs-min-revision': 'new' })).status, 400)
  await point.load(activeRevision('records', SCHEMA, '', 8))
  assert.deepEqual((await at.ask(question, { 'x-acgs-min-revision': '8' })).body.context.verdict, 'not_permitted')
})

test('every decision is counted by its verdict', async () => {
  await using at = await start()
  await at.ask({ subject: alice, action: read, resource: one })
  await at.ask({ subject: bob, action: write, resource: one })
  await at.ask({ subject: { type: 'user', id: 'nobody' }, action: read, resource: one })
  await at.askAll({ subject: alice, action: read, evaluations: [{ resource: one }, {}] })
  assert.deepEqual(await Promise.all(['permitted', 'forbidden', 'not_permitted', 'error'].map(at.counted)), [2, 0, 1, 2])
})

test('the time is looked at once for all questions of a request, and never where the schema asks for none', async () => {
  const timed = 'entity user; action read appliesTo { principal: user, resource: user, context: { @concept("now") at: Long } };'
  const serving = async (point: Parameters<typeof decisionService>[0]) => {
    let looks = 0
    // Every look sees another time.
    const at = await decisionService(point, { now: () => new Date(1_000 + looks++) })
    return { ...at, looks: () => looks }
  }
  await using clocked = await serving(await decisionPoint(activeRevision('timed', timed, 'permit(principal, action, resource) when { context.at == 1000 };'), [ENTITIES[0]!]))
  const question = { subject: alice, action: read, resource: alice }
  const { body: { evaluations } } = await clocked.askAll({ evaluations: [question, question, question] })
  assert.deepEqual(evaluations.map(({ decision }: { decision: boolean }) => decision), [true, true, true])
  assert.equal(clocked.looks(), 1)
  assert.equal((await clocked.ask(question)).body.decision, false)
  assert.equal(clocked.looks(), 2)

  await using plain = await serving(await decisionPoint(activeRevision('records', SCHEMA, RULES, 7), ENTITIES))
  assert.equal((await plain.ask({ subject: alice, action: read, resource: one })).body.decision, true)
  assert.equal(plain.looks(), 0)
})

const COUNTED = 'entity user; entity record = { n: Long }; action read appliesTo { principal: user, resource: record, context: { k: Long } };'
const known = [{ uid: { type: 'user', id: 'alice' }, attrs: {}, parents: [] }, { uid: { type: 'record', id: 'record-1' }, attrs: { n: '9007199254740993' }, parents: [] }]
const body = (k: string) => `{"subject":{"type":"user","id":"alice"},"action":{"name":"read"},"resource":{"type":"record","id":"record-1"},"context":{"k":${k}}}`

test('integers arrive exactly, as numbers and as digits', async () => {
  await using at = await decisionService(await decisionPoint(activeRevision('records', COUNTED, 'permit(principal, action, resource) when { context.k == resource.n };'), known))
  for (const [k, want] of [['9007199254740993', true], ['9007199254740992', false], ['"9007199254740993"', true], ['"9007199254740992"', false]] as const) {
    assert.equal((await at.ask(body(k))).body.decision, want, k)
  }
  for (const k of ['9223372036854775808', '1.5', '1e30', '"x"', '[]', 'null']) assert.equal((await at.ask(body(k))).status, 400, k)
})

test('a rule that cannot be evaluated denies and is named; a decision point that took Cedar’s answer alone would allow', async () => {
  const rules = 'permit(principal, action, resource); @id("guard") forbid(principal, action, resource) when { context.k + 9223372036854775807 > 0 };'
  const point = await decisionPoint(activeRevision('records', COUNTED, rules), known)
  await using at = await decisionService(point)
  const { decision, context } = (await at.ask(body('1'))).body
  assert.deepEqual([decision, context.verdict], [false, 'error'])
  assert.match(context.reason_admin.en, /^guard could not be evaluated: /)
  assert.equal(await at.counted('error'), 1)
  await using careless = await decisionService(point, {
    decidesFor: ({ policies }) => ({ decide: (...of) => ({ ...new Evaluator(policies.rules).evaluate(...of), verdict: 'permitted', obligations: [], errors: [] }) }),
  })
  assert.equal((await careless.ask(body('1'))).body.decision, true)
})

test('over the wire it answers as within the process: the same status, headers and body for what is answered and what is refused', async () => {
  await using at = await start()
  const { port } = await at.server.listen({ host: '127.0.0.1', port: 0 })
  const question = JSON.stringify({ subject: alice, action: read, resource: one })
  const headers = { authorization: 'Bearer service', 'content-type': 'application/json', 'x-request-id': 'r-1', traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' }
  const cases: [string, { path?: string; headers?: Record<string, string>; payload?: string }, number][] = [
    ['a question', {}, 200],
    ['several', { path: '/access/v1/evaluations', payload: `{"evaluations":[${question},{}]}` }, 200],
    ['with a query', { path: '/access/v1/evaluation?x=1' }, 200],
    ['no JSON', { payload: '{' }, 400],
    ['an empty body', { payload: '' }, 400],
    ['another type of body', { headers: { ...headers, 'content-type': 'text/plain' } }, 400],
    ['no token', { headers: { 'content-type': 'application/json', 'x-request-id': 'r-1', traceparent: headers.traceparent } }, 401],
    ['another role', { headers: { ...headers, authorization: 'Bearer author' } }, 403],
    ['another constitution', { headers: { ...headers, 'x-constitutional-hash': '0000000000000000' } }, 400],
    ['a compressed body', { headers: { ...headers, 'content-encoding': 'gzip' } }, 400],
    ['a body that is too large', { payload: JSON.stringify({ ...JSON.parse(question), more: 'x'.repeat(1_100_000) }) }, 413],
  ]
  const [before, ends] = [Number(/response_time_seconds_count\{[^}]*evaluation"[^}]*\} (\d+)/.exec(await at.metrics())?.[1] ?? 0), ['date', 'connection', 'keep-alive', 'transfer-encoding']]
  for (const [name, { path = '/access/v1/evaluation', headers: given = headers, payload = question }, status] of cases) {
    const inside = await at.server.app.inject({ method: 'POST', url: path, headers: given, payload })
    const outside = await fetch(`http://127.0.0.1:${port}${path}`, { method: 'POST', headers: given, body: payload })
    const text = await outside.text()
    assert.deepEqual([outside.status, inside.statusCode], [status, status], `${name}: ${text}`)
    assert.equal(text, inside.body, name)
    const seen = (all: Iterable<readonly [string, unknown]>) => Object.fromEntries([...all].filter(([header]) => !ends.includes(header)).map(([header, value]) => [header, String(value)]))
    assert.deepEqual(seen(outside.headers), seen(Object.entries(inside.headers)), name)
  }
  const answered = Number(/response_time_seconds_count\{[^}]*evaluation"[^}]*\} (\d+)/.exec(await at.metrics())?.[1] ?? 0)
  assert.equal(answered - before, 2 * (cases.length - 1))
})

test('a batch that takes long lets others in between, and a string that rules could walk over for long is refused', async () => {
  const point = await decisionPoint(activeRevision('records', 'entity User; entity Doc; action read appliesTo { principal: User, resource: Doc, context: { s: String } };', 'permit(principal, action, resource) when { context.s like "*a*b*" };', 7), [{ uid: { type: 'User', id: 'u' }, attrs: {}, parents: [] }, { uid: { type: 'Doc', id: 'd' }, attrs: {}, parents: [] }])
  const slowly: Decides = { decide: (...of) => {
    for (const until = performance.now() + 5; performance.now() < until;) { /* Busy. */ }
    return point.decidesFor(point.activeOf('records')!).decide(...of)
  } }
  await using at = await decisionService(point, { decidesFor: () => slowly })
  const asked = (s: string) => ({ subject: { type: 'User', id: 'u' }, action: { name: 'read' }, resource: { type: 'Doc', id: 'd' }, context: { s } })
  let turns = 0
  let isOver = false
  const count = () => { turns++; if (!isOver) setImmediate(count) }
  setImmediate(count)
  const { body } = await at.askAll({ evaluations: Array.from({ length: 20 }, () => asked('ab')) })
  isOver = true
  assert.ok(body.evaluations.length === 20 && body.evaluations.every(({ decision }: { decision: boolean }) => decision))
  assert.ok(turns > 8, `${turns} turns of the event loop`)
  assert.equal((await at.ask(asked('a'.repeat(10_000)))).status, 200)
  const { status, body: refused } = await at.ask(asked('a'.repeat(10_001)))
  assert.deepEqual([status, refused.problems[0].place], [400, 'body.context.s'])
})

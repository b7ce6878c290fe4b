import assert from 'node:assert/strict'
import { cpSync, readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { startDivided, type Divided } from '#test/divided.ts'
import { freePorts, runAcgs } from '#test/product.ts'

let divided: Divided
let author = ''
before(async () => {
  divided = await startDivided()
  author = await divided.token('author')
})
after(() => divided?.[Symbol.asyncDispose]())

const clinic = JSON.parse(readFileSync(new URL('../../examples/clinic.json', import.meta.url), 'utf8')) as object

async function ask(url: string, { token, body, method = body === undefined ? 'GET' : 'POST' }: { token?: string; body?: unknown; method?: string } = {}) {
  const response = await fetch(url, {
    method, headers: { ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  return { status: response.status, headers: response.headers, body: (await response.json()) as any }
}
const generate = (body: object = clinic) => ask(`${divided.url.platform}/api/v1/generate-policy`, { token: author, body })
const healthOf = async (name: 'platform' | 'compliance') => (await ask(`${divided.url[name]}/health`)).body
async function until(isTrue: () => Promise<boolean>, what: string): Promise<void> {
  for (const deadline = Date.now() + 60_000; !(await isTrue()); await sleep(50)) assert.ok(Date.now() < deadline, `${what}: it takes too long`)
}

test('each process says what it holds and whom it calls, and all are well', async () => {
  const printed = (name: 'auth' | 'synthesis' | 'compliance' | 'platform') => divided.running.get(name)?.printed() ?? ''
  for (const name of ['auth', 'synthesis', 'compliance', 'platform'] as const) assert.match(printed(name), /division by trust is on/)
  assert.match(printed('synthesis'), /holds: nothing/)
  assert.match(printed('platform'), /holds: the database\n/)
  assert.match(printed('auth'), /holds: the token-signing key, its own schema of the database\n/)
  assert.match(printed('compliance'), /holds: the certificate key, its state/)
  await until(async () => (await healthOf('platform')).status === 'healthy', 'the platform is healthy')
  await until(async () => (await healthOf('compliance')).status === 'healthy', 'compliance is healthy')
})

test('a policy is generated, certified elsewhere and recorded, and the certificate verifies', async () => {
  const { status, body } = await generate()
  assert.equal(status, 200, JSON.stringify(body))
  assert.equal(body.independent_witnesses, 2)
  assert.equal(typeof body.ledger.index, 'number')
  const trust = `${divided.division.folder}/platform/data/keys/certificate.jwks.json`
  const verified = await runAcgs(['verify', '-', '--trust', trust, '--json'], {}, JSON.stringify(body.certificate))
  assert.equal(verified.status, 0, verified.stdout + verified.stderr)
})

test('the divided system is diagnosed from the platform, and a document is read by synthesis', async () => {
  const operator = await divided.token('operator')
  const { status, body } = await ask(`${divided.url.platform}/api/v1/diagnose`, { token: operator, body: { diagnostic_depth: 'comprehensive' } })
  assert.equal(status, 200, JSON.stringify(body))
  for (const peer of ['auth', 'gs', 'pgc', 'database', 'solver']) assert.equal(body.measured.components[peer].status, 'healthy', peer)
  assert.ok(body.measured.database.connections > 0)
  const { body: found } = await ask(`${divided.url.platform}/api/v1/validate-lsu`, { token: author, body: {
    id: 'LSU-000001', description: 'Charts of the clinic', domain: 'policy', content: { text: 'Nurses may view charts of patients of their own ward. Every view of a chart must be logged.', structured_data: { domain: 'data-protection' } },
  } })
  assert.equal(found.validation_status, 'healthy', JSON.stringify(found))
  assert.equal((await ask(`${divided.url.platform}/api/v1/diagnostics/${found.diagnostic_id}`, { token: author })).status, 200)
})

test('from a certificate to a decision across the four: proposed, approved, signed, loaded, decided, revoked', async () => {
  const [council, service] = [await divided.token('council'), await divided.token('service')]
  const app = `${divided.url.platform}/api/v1/applications/clinic`
  const pack = (name: string) => readFileSync(new URL(`../../packs/data-protection/${name}`, import.meta.url), 'utf8')
  assert.equal((await ask(app, { token: author, method: 'PUT', body: { schema: pack('schema.cedarschema') } })).status, 201)
  assert.equal((await ask(`${app}/entities`, { token: author, method: 'PUT', body: { entities: JSON.parse(pack('entities.json')) } })).status, 200)
  const { body: policy } = await generate({
    title: 'Nurses and charts', context: { domain: 'data-protection' },
    description: 'Nurses may view charts of patients of their own ward unless the chart is sealed. Patients may view their own chart and customers may view their own customer record. Patients and customers may view their own access log. Every access must be logged.',
  })
  const proposed = await ask(`${app}/revisions`, { token: author, body: { add: [policy.certificate.id] } })
  assert.equal(proposed.status, 201, JSON.stringify(proposed.body))

  const act = (what: string, token: string, body?: object) => ask(`${app}/revisions/1/${what}`, { token, method: 'POST', ...(body === undefined ? {} : { body }) })
  assert.equal((await act('activate', council)).status, 409)
  const approved = await ask(`${divided.url.auth}/api/v1/auth/approvals`, { token: council, body: { application: 'clinic', revision: 1, digest: proposed.body.digest } })
  assert.equal((await act('approvals', council, { approval_token: approved.body.approval_token })).status, 200)
  const activated = await act('activate', council)
  assert.equal(activated.status, 200, JSON.stringify(activated.body))

  const decides = async () => {
    const response = await fetch(`${divided.url.compliance}/access/v1/evaluation`, {
      method: 'POST', headers: { authorization: `Bearer ${service}`, 'content-type': 'application/json', 'x-acgs-application': 'clinic' },
      body: JSON.stringify({ subject: { type: 'Nurse', id: 'ana' }, action: { name: 'viewChart' }, resource: { type: 'Chart', id: '1' }, context: { emergency: false } }),
    })
    return ((await response.json()) as { decision?: boolean }).decision === true
  }
  await until(decides, 'it decides')
  const operator = await divided.token('operator')
  assert.equal((await ask(`${divided.url.platform}/api/v1/certificates/${policy.certificate.id}/revoke`, { token: operator, body: { reason: 'no longer wanted' } })).status, 200)
  await until(async () => !(await decides()), 'its permits are gone')
})

test('each has its own secrets and refuses those of the others', async () => {
  const names = (name: 'auth' | 'synthesis' | 'compliance' | 'platform') => Object.keys(divided.running.get(name)?.environment ?? {}).filter((key) => /DATABASE|KEY|ACCOUNTS/.test(key)).sort()
  assert.deepEqual(names('platform'), ['ACGS_SECURITY_PEER_KEY_FILE', 'DATABASE_URL'])
  assert.deepEqual(names('synthesis'), [])
  assert.deepEqual(names('compliance'), ['ACGS_SECURITY_CERTIFICATE_KEY_FILE', 'ACGS_SECURITY_PEER_KEY_FILE'])
  assert.deepEqual(names('auth'), ['ACGS_SECURITY_SERVICE_ACCOUNTS_FILE', 'ACGS_SECURITY_SIGNING_KEY_FILE', 'DATABASE_URL'])
  const key = divided.running.get('compliance')?.environment['ACGS_SECURITY_CERTIFICATE_KEY_FILE'] as string
  assert.match(await divided.refusal('platform', { ACGS_SECURITY_CERTIFICATE_KEY_FILE: key }), /`security.certificate_key_file` is of compliance and must not be given to platform: leave it out/)
  assert.match(await divided.refusal('synthesis', { DATABASE_URL: 'postgresql://u:p@127.0.0.1:1/d' }), /`database.url` is of platform and auth and must not be given to synthesis: leave it out/)
  assert.match(await divided.refusal('auth', { PORT: new URL(divided.url.platform).port }), /port \d+ of auth is in use by process/)
})

test('a second platform is refused on the data folder of the first, and with another name for the ledger on its database', async () => {
  const [port] = await freePorts(1)
  const pid = divided.running.get('platform')?.pid
  assert.match(await divided.refusal('platform', { PORT: String(port) }), new RegExp(`the data folder \`.*platform/data\` is in use by process ${pid}; stop it, or choose another folder`))
  const data = `${divided.division.folder}/second`
  cpSync(`${divided.division.folder}/platform/data/keys`, `${data}/keys`, { recursive: true })
  const refused = await divided.refusal('platform', { PORT: String(port), ACGS_SERVICE_DATA_FOLDER: data, ACGS_AUDIT_CHECKPOINT_ORIGIN: 'other' })
  assert.match(refused, new RegExp(`\`audit.checkpoint_origin\` is \`other\` here and \`acgs-pgp-v8\` at .*:${pid}, which works on the same database`))
  assert.equal(refused.trim().split('\n').length, 1)
  // A look that fell on the moment when the refused one was connected shows it until the next.
  await until(async () => (await healthOf('platform')).components.replicas.status === 'healthy', 'the refused one is forgotten')
})

test('neither database role can touch the other’s part', async () => {
  const [platform, auth] = [divided.databaseOf('platform'), divided.databaseOf('auth')]
  assert.equal((await platform.query('select from policy_generations')).rowCount, 2)
  assert.ok((await auth.query('select from auth.oidc_payloads')).rowCount)
  for (const table of ['auth.oidc_payloads', 'auth.schema_migrations']) await assert.rejects(platform.query(`select from ${table}`), /permission denied/)
  for (const table of ['policy_generations', 'ledger_entries', 'ledger_tip', 'approvals', 'revisions', 'schema_migrations']) {
    await assert.rejects(auth.query(`select from public.${table}`), /permission denied/, table)
  }
  await assert.rejects(auth.query('create table public.x (y int)'), /permission denied/)
  await assert.rejects(platform.query('create table auth.x (y int)'), /permission denied/)
  await assert.rejects(auth.query('drop table public.ledger_entries'), /permission denied|must be owner/)
})

test('what is asked here is answered here, and certified elsewhere by the answer and a second reading of the text', async () => {
  const schema = 'entity Nurse { onDuty: Bool }; entity Doctor { onDuty: Bool }; entity Chart; action view appliesTo { principal: [Nurse, Doctor], resource: Chart };'
  const first = await generate({ title: 'Charts', description: 'Nurses and doctors on duty may view charts.', context: { schema } })
  const { generation_id, questionnaire: { question } } = first.body
  const { status, body } = await ask(`${divided.url.platform}/api/v1/generations/${generation_id}/answers`, { token: author, body: { answers: [{ question: question.id, decision: 'deny' }] } })
  assert.equal(status, 200, JSON.stringify(body))
  assert.deepEqual([body.revises, body.questionnaire.state, body.unread], [generation_id, 'settled', []])
  assert.match(body.norms[0].meaning, /every doctor or nurse may view any chart, when the doctor or nurse is on duty/)
})

test('what the processes ask of each other is not open to anyone else, whatever role they hold', async () => {
  const empty = { evidence: {}, author: 'x' }
  for (const role of ['author', 'council', 'operator', 'service']) {
    const token = await divided.token(role)
    for (const path of ['/api/v1/certificates', '/api/v1/bundles', '/api/v1/checkpoints']) {
      assert.equal((await ask(`${divided.url.compliance}${path}`, { token, body: empty })).status, 403, `${role} ${path}`)
    }
    const isAllowed = role === 'operator'
    assert.equal((await ask(`${divided.url.platform}/api/v1/decision-point/heads`, { token })).status, isAllowed ? 200 : 403, role)
  }
  assert.equal((await ask(`${divided.url.compliance}/api/v1/certificates`, { body: empty })).status, 401)
})

test('a platform that was away for a while is followed within a second or two of its return', async () => {
  await divided.running.get('platform')?.kill('SIGTERM')
  await new Promise((resolve) => setTimeout(resolve, 4_000)) // Eight questions that nobody answers.
  await divided.start('platform')
  const schema = 'entity User; entity Doc; action read appliesTo { principal: User, resource: Doc };'
  const put = await fetch(`${divided.url.platform}/api/v1/applications/returned`, { method: 'PUT', headers: { authorization: `Bearer ${author}`, 'content-type': 'application/json' }, body: JSON.stringify({ schema }) })
  assert.equal(put.status, 201)
  const service = await divided.token('service')
  const known = async () => (await fetch(`${divided.url.compliance}/access/v1/evaluation`, {
    method: 'POST', headers: { authorization: `Bearer ${service}`, 'content-type': 'application/json', 'x-acgs-application': 'returned' },
    body: JSON.stringify({ subject: { type: 'User', id: 'a' }, action: { name: 'read' }, resource: { type: 'Doc', id: 'd' } }),
  })).status === 200
  let isKnown = false
  for (const until = Date.now() + 5_000; !isKnown && Date.now() < until; await new Promise((resolve) => setTimeout(resolve, 50))) isKnown = await known()
  assert.ok(isKnown, 'the decision point left the platform alone for too long')
})

test('without Auth, tokens are still judged; without synthesis, text is read here; without compliance, nothing is certified', async (t) => {
  let kept = ''
  const standing = async (id: string) => (await ask(`${divided.url.platform}/api/v1/generations/${id}`, { token: author })).body
  await t.test('Auth is out', async () => {
    await divided.running.get('auth')?.kill('SIGKILL')
    assert.equal((await generate()).status, 200)
    assert.equal((await ask(`${divided.url.platform}/api/v1/generations`, { token: `${author}x` })).status, 401)
    await until(async () => (await healthOf('platform')).components.auth.status === 'unhealthy', 'auth is seen to be out')
    assert.equal((await healthOf('platform')).status, 'degraded')
  })
  await t.test('synthesis is out', async () => {
    await divided.running.get('synthesis')?.kill('SIGKILL')
    const { status, body } = await generate()
    assert.deepEqual([status, body.independent_witnesses], [200, 2])
    await until(async () => (await healthOf('platform')).components.gs.status === 'unhealthy', 'synthesis is seen to be out')
    // One blank more makes another text of it: the same one would not be read again.
    const { description } = clinic as { description: string }
    for (let i = 2; i < 7; i++) assert.equal((await generate({ ...clinic, description: description.replace('. ', `.${' '.repeat(i)}`) })).status, 200)
    const metrics = await (await fetch(`${divided.url.platform}/metrics`)).text()
    assert.match(metrics, /acgs_pgp_v8_circuit_breaker_state\{service="gs"\} 1/)
    assert.match(metrics, /acgs_pgp_v8_circuit_breaker_state\{service="pgc"\} 0/)
  })
  await t.test('compliance is out', async () => {
    const count = async () => (await divided.databaseOf('platform').query('select from policy_generations')).rowCount
    const before = await count()
    await divided.running.get('compliance')?.kill('SIGKILL')
    const { status, headers, body } = await generate()
    assert.deepEqual([status, body.code, headers.get('retry-after')], [503, 'PEER_UNAVAILABLE', '5'])
    assert.match(body.detail, /the request is kept and will be finished: .* do not send it again/)
    kept = body.generation_id
    assert.equal((await standing(kept)).state, 'accepted')
    assert.equal(await count(), before, 'nothing half-done')
    await until(async () => (await healthOf('platform')).components.pgc.status === 'unhealthy', 'compliance is seen to be out')
  })
  await t.test('they come back', async () => {
    await divided.start('auth')
    await Promise.all([divided.start('compliance'), divided.start('synthesis')])
    await until(async () => (await generate()).status === 200, 'it certifies again')
    await until(async () => (await standing(kept)).state === 'finished', 'what was kept is finished')
    const metrics = await (await fetch(`${divided.url.platform}/metrics`)).text()
    assert.ok(Number(/^acgs_pgp_v8_generations_postponed_total (\d+)$/m.exec(metrics)?.[1]) >= 1)
  })
})

import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after, before } from 'node:test'
import type { Role } from '#http/contract.ts'
import { makeAccounts } from '#test/accounts.ts'
import { startProduct, type Product } from '#test/product.ts'

/** From a certificate to a decision through the whole product: proposed, approved, activated, enforced, revoked. */
const scratch = mkdtempSync(join(tmpdir(), 'acgs-revisions-'))
const WHO = { ann: ['author', 'council'], pat: ['author', 'council'], carla: ['council'], cosmo: ['council'], otto: ['operator'], svc: ['service'] } satisfies { [name: string]: Role[] }
type Who = keyof typeof WHO
const accounts = makeAccounts(join(scratch, 'accounts.json'), WHO)
// Ports change with every start here, and what was approved must still have been approved by the same Auth.
const ISSUER = 'http://auth.test'
let env: { [name: string]: string } = { ACGS_SECURITY_SERVICE_ACCOUNTS_FILE: accounts.file, ACGS_SECURITY_TOKEN_ISSUER: ISSUER }
const dataFolder = join(scratch, 'data')
let product: Product
const tokens = new Map<string, string>()

async function start() {
  product = await startProduct({ dataFolder, env })
  for (const who of Object.keys(WHO)) tokens.set(who, await accounts.token(product.url.auth, env['ACGS_SECURITY_TOKEN_ISSUER'] as string, who))
}
before(start)
after(async () => {
  await product[Symbol.asyncDispose]()
  rmSync(scratch, { recursive: true, force: true })
})

async function ask(who: Who, path: string, body?: unknown, { service = 'platform', headers = {}, method }: { service?: 'platform' | 'auth' | 'compliance'; headers?: { [name: string]: string }; method?: string } = {}) {
  const response = await fetch(`${product.url[service]}${path}`, {
    method: method ?? (body === undefined ? 'GET' : 'POST'),
    headers: { authorization: `Bearer ${tokens.get(who)}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, headers: response.headers, body: (text === '' ? null : JSON.parse(text)) as any }
}

const APP = '/api/v1/applications/data-protection/revisions'
const propose = (who: Who, change: object) => ask(who, APP, change)
async function approve(who: Who, n: number, forged: { digest?: string; application?: string; as?: Who } = {}) {
  const { body: { digest } } = await ask('otto', `${APP}/${n}`)
  const signed = await ask(who, '/api/v1/auth/approvals', { application: forged.application ?? 'data-protection', revision: n, digest: forged.digest ?? digest }, { service: 'auth' })
  assert.equal(signed.status, 200, JSON.stringify(signed.body))
  return ask(forged.as ?? who, `${APP}/${n}/approvals`, { approval_token: signed.body.approval_token })
}
const activate = (who: Who, n: number) => ask(who, `${APP}/${n}/activate`, undefined, { method: 'POST' })
const evaluate = async (subject: [string, string], action: string, resource: [string, string], headers = {}) =>
  (await ask('svc', '/access/v1/evaluation', {
    subject: { type: subject[0], id: subject[1] }, action: { name: action }, resource: { type: resource[0], id: resource[1] }, context: action === 'viewChart' ? { emergency: false } : {},
  }, { service: 'compliance', headers: { 'x-acgs-application': 'data-protection', ...headers } })).body
const mayAna = () => evaluate(['Nurse', 'ana'], 'viewChart', ['Chart', '1'])
async function within(ms: number, holds: () => Promise<boolean>): Promise<boolean> {
  for (const until = Date.now() + ms; Date.now() < until; await new Promise((resolve) => setTimeout(resolve, 30))) if (await holds()) return true
  return holds()
}
const ledger = async () => JSON.parse((await product.acgs('ledger', 'verify', '--json')).stdout) as { entries: number; valid: boolean; problems: unknown[] }

async function certified(who: Who, title: string, description: string, context: object = { domain: 'data-protection' }): Promise<string> {
  const { status, body } = await ask(who, '/api/v1/generate-policy', { title, description, context })
  assert.equal(status, 200, JSON.stringify(body).slice(0, 500))
  return body.certificate.id
}
const LOGGED = 'Every access must be logged.'
const SENTENCES = {
  nurses: `Nurses may view charts of patients of their own ward unless the chart is sealed. Patients may view their own chart and customers may view their own customer record. Patients and customers may view their own access log. ${LOGGED}`,
  closed: 'Nobody may export a chart unless the patient has given consent.',
  doctors: `Doctors may view charts of patients they treat unless the chart is sealed. ${LOGGED}`,
}
let nurses: string
let closed: string

test('nothing is active: denied, and the reason says so', async () => {
  const { decision, context } = await mayAna()
  assert.deepEqual([decision, context.revision], [false, null])
  assert.match(context.reason_admin.en, /nothing is active/)
})

test('a proposal says first how many articles apply, and what is missing', async () => {
  nurses = await certified('ann', 'Nurses and charts', SENTENCES.nurses)
  closed = await certified('ann', 'No export', SENTENCES.closed)
  const { status, body } = await propose('pat', { add: [nurses, closed] })
  assert.equal(status, 201, JSON.stringify(body))
  assert.equal(Object.keys(body)[0], 'applicable')
  assert.deepEqual([body.revision, body.verdict, body.missing, body.applicable.of], [1, 'proved', ['1 approval by the council'], 19])
  assert.equal(body.difference, null) // Nothing decides yet: whatever it permits is new.
})

test('it is not activated before it is approved, and approved by nobody who proposed or wrote it, whatever else they hold', async () => {
  assert.deepEqual([(await activate('carla', 1)).status, (await activate('carla', 1)).body.reason], [409, 'not_approved'])
  for (const who of ['ann', 'pat'] as const) {
    const { status, body } = await approve(who, 1)
    assert.deepEqual([status, body.code], [403, 'APPROVAL_INVALID'], who)
  }
  assert.equal((await ask('otto', '/api/v1/auth/approvals', { application: 'data-protection', revision: 1, digest: 'f'.repeat(64) }, { service: 'auth' })).status, 403)
  assert.equal((await approve('carla', 1, { digest: 'f'.repeat(64) })).body.code, 'APPROVAL_INVALID')
  assert.equal((await approve('carla', 1, { application: 'ai-agents' })).body.code, 'APPROVAL_INVALID')
  assert.equal((await approve('carla', 1, { as: 'cosmo' })).body.code, 'APPROVAL_INVALID')
  assert.equal((await ask('carla', `${APP}/1/approvals`, { approval_token: tokens.get('carla') })).body.code, 'APPROVAL_INVALID')
  assert.deepEqual((await ask('otto', `${APP}/1`)).body.approvals, [])
  assert.equal((await mayAna()).decision, false)
})

test('an approval that arrives twice counts once; activated, it decides within a second', async () => {
  const before = (await ledger()).entries
  const twice = await Promise.all([approve('carla', 1), approve('carla', 1)])
  assert.deepEqual(twice.map(({ status }) => status), [200, 200])
  const { body } = await ask('otto', `${APP}/1`)
  assert.deepEqual([body.approvals.map(({ member }: { member: string }) => member), body.missing], [['carla'], []])
  assert.equal((await ledger()).entries, before + 1)
  const both = await Promise.all([activate('carla', 1), activate('cosmo', 1)])
  assert.deepEqual(both.map(({ status, body }) => [status, body.is_active]), [[200, true], [200, true]])
  assert.equal((await ledger()).entries, before + 2)
  assert(await within(5_000, async () => (await mayAna()).decision))
  const no = await evaluate(['Nurse', 'ana'], 'exportChart', ['Chart', '7'])
  assert.deepEqual([no.decision, no.context.verdict, no.context.revision], [false, 'forbidden', 1])
  assert.equal(no.context.determining[0].sentence, SENTENCES.closed)
  assert.equal((await evaluate(['Nurse', 'ana'], 'editChart', ['Chart', '1'])).context.verdict, 'not_permitted')
})

test('rules that are harmless alone break an article together: the set is refuted, stored, and cannot be activated', async () => {
  // Alone it permits nobody anything, whatever their ethnicity; beside permits it makes the ethnicity count.
  const unfair = await certified('ann', 'Unfair to some', 'Nobody may view a chart if the ethnicity of the patient is "Danish".')
  const { status, body } = await propose('pat', { add: [unfair] })
  assert.equal(status, 422)
  assert.equal(body.code, 'POLICY_REFUSED')
  assert(body.articles.some(({ answer, counterexample }: { answer: string; counterexample?: object }) => answer === 'refuted' && counterexample !== undefined))
  const lost = body.difference.environments.find(({ loses }: { loses: unknown[] }) => loses.length > 0)
  assert.match(lost.loses[0].when, /ethnicity == "Danish"/)
  const { status: tried, body: { reason } } = await activate('carla', body.revision)
  assert.deepEqual([tried, reason], [409, 'not_proved'])
})

test('of two proposals that race one is activated; the other is stale and says so', async () => {
  const doctors = await certified('ann', 'Doctors and charts', SENTENCES.doctors)
  const racing = await Promise.all([propose('pat', { add: [doctors] }), propose('ann', { remove: [closed] })])
  assert.deepEqual(racing.map(({ status }) => status), [201, 201])
  const [added, removed] = racing.map(({ body }) => body.difference)
  assert.deepEqual([added.against, added.equivalent, added.unknown, added.entities.count > 30], [1, false, null, true])
  const [{ principal, gains, loses, open, counted }] = added.environments.filter(({ action }: { action: string }) => action === 'Action::"viewChart"')
  assert.deepEqual([principal, loses, open], ['Doctor', [], undefined])
  assert.match(gains[0].english, /treats/)
  assert.ok(counted.pairs > 0 && counted.parts.some(({ part }: { part: string }) => part === 'gains'), JSON.stringify(counted))
  // Nobody was permitted to export anything: that it is no longer forbidden changes nothing.
  assert.deepEqual([removed.against, removed.equivalent, removed.environments], [1, true, []])
  for (const { body } of racing) assert.deepEqual((await ask('otto', `${APP}/${body.revision}`)).body.difference, body.difference)
  const [a, b] = racing.map(({ body }) => body.revision as number) as [number, number]
  assert.notEqual(a, b)
  for (const n of [a, b]) assert.equal((await approve('carla', n)).status, 200)
  const outcomes = await Promise.all([activate('carla', a), activate('cosmo', b)])
  assert.deepEqual(outcomes.map(({ status }) => status).sort(), [200, 409])
  assert.equal(outcomes.find(({ status }) => status === 409)?.body.reason, 'stale')
  const { body } = await ask('otto', APP)
  assert.equal(body.revisions.filter(({ is_active }: { is_active: boolean }) => is_active).length, 1)
})

test('rolled back under a new number, the approvals of then count; a caller may insist on a revision', async () => {
  // Who asks for its return adds no approval of their own, under whichever number; they bring back what others approved.
  const asked = await propose('cosmo', { rollback_to: 1 })
  for (const n of [asked.body.revision, 1]) assert.equal((await approve('cosmo', n)).body.code, 'APPROVAL_INVALID')
  // Nor does what they gave before they asked; another who asks brings it back.
  assert.deepEqual((await propose('carla', { rollback_to: 1 })).body.missing, ['1 approval by the council'])
  const { status, body } = await propose('pat', { rollback_to: 1 })
  assert.equal(status, 201, JSON.stringify(body))
  assert.deepEqual([body.rollback_of, body.missing], [1, []])
  const { status: done } = await activate('cosmo', body.revision)
  assert.equal(done, 200)
  // What decided before says so, and what to do: it cannot be activated.
  assert.deepEqual((await ask('otto', `${APP}/1`)).body.missing, ['it was superseded: bring its content back with `acgs revision rollback data-protection 1`'])
  assert(await within(5_000, async () => (await mayAna()).context.revision === body.revision))
  const late = await ask('svc', '/access/v1/evaluation', { subject: { type: 'Nurse', id: 'ana' }, action: { name: 'viewChart' }, resource: { type: 'Chart', id: '1' }, context: { emergency: false } }, { service: 'compliance', headers: { 'x-acgs-application': 'data-protection', 'x-acgs-min-revision': String(body.revision + 1) } })
  assert.equal(late.status, 409)
})

test('bad input is told apart, and leaves nothing behind', async () => {
  const before = (await ledger()).entries
  const foreign = await certified('ann', 'Another application', 'Agents may send payments if the amount is at most their spending limit. Every payment must be logged.', { domain: 'ai-agents' })
  const problems: [string, Promise<{ status: number; body: any }>, number, RegExp][] = [
    ['unknown certificate', propose('pat', { add: ['0'.repeat(32)] }), 422, /not known here/],
    ['another application’s', propose('pat', { add: [foreign] }), 422, /another schema/],
    ['twice', propose('pat', { add: [nurses] }), 422, /twice/],
    ['removing what is not there', propose('pat', { remove: [foreign] }), 422, /not in the revision/],
    ['nothing', propose('pat', {}), 400, /add/],
    ['both', propose('pat', { add: [nurses], rollback_to: 1 }), 400, /alone/],
    ['rolling back to what never decided', propose('pat', { rollback_to: 2 }), 409, /never decided/],
    ['unknown revision', ask('otto', `${APP}/99`), 404, /no revision 99/],
    ['unknown application', ask('pat', '/api/v1/applications/nowhere/revisions', { add: [nurses] }), 404, /no application/],
    ['superseded', activate('carla', 1), 409, /revision rollback data-protection 1/],
    ['unknown certificate to revoke', ask('otto', `/api/v1/certificates/${'0'.repeat(32)}/revoke`, { reason: 'because' }), 404, /no certificate/],
    ['revoking without a reason', ask('otto', `/api/v1/certificates/${nurses}/revoke`, {}), 400, /reason/],
  ]
  for (const [name, asked, status, message] of problems) {
    const reply = await asked
    assert.equal(reply.status, status, `${name}: ${JSON.stringify(reply.body).slice(0, 300)}`)
    assert.match(reply.body.detail, message, name)
  }
  assert.equal((await ledger()).entries, before + 1) // The certificate for the other application.
})

test('an activation that is cut off by kill -9 is done or not done', async () => {
  for (const delay of [15, 120]) {
    const { body: { revision, base } } = await propose('pat', { remove: [closed] })
    assert.equal((await approve('carla', revision)).status, 200)
    const cut = activate('carla', revision).catch(() => null)
    await new Promise((resolve) => setTimeout(resolve, delay))
    await product.kill('SIGKILL')
    await cut
    await start()
    const { body } = await ask('otto', APP)
    const active = body.revisions.filter(({ is_active }: { is_active: boolean }) => is_active)
    assert.equal(active.length, 1)
    assert([revision, base].includes(active[0].revision))
    assert(await within(5_000, async () => (await mayAna()).context.revision === active[0].revision))
    const { valid, problems } = await ledger()
    assert(valid, JSON.stringify(problems))
    if (active[0].revision === revision) {
      const { body: back } = await propose('pat', { rollback_to: base })
      assert.equal((await activate('cosmo', back.revision)).status, 200)
    }
  }
})

test('a schema that changes under an active revision has it proved again: what no longer fits is shown, and goes on deciding', async () => {
  const shown = (await ask('otto', '/api/v1/applications/data-protection')).body
  const put = (schema: string, digest: string) => ask('ann', '/api/v1/applications/data-protection', { schema }, { method: 'PUT', headers: { 'if-match': `"${digest}"` } })
  const annotated = readFileSync(new URL('../../packs/data-protection/schema.cedarschema', import.meta.url), 'utf8')
  // A consent that the constitution no longer finds: the same types, another reading.
  const bare = annotated.replaceAll('@concept("consent")', '')
  assert.notEqual(bare, annotated)
  const changed = await put(bare, shown.schema_digest)
  assert.equal(changed.status, 200, JSON.stringify(changed.body))
  const status = async () => (await (await fetch(`${product.url.platform}/api/v1/status`)).json()) as any
  const first = (await status()).decisions.active_revisions[0]
  assert(await within(5_000, async () => (await status()).decisions.active_revisions[0].proved_at !== first.proved_at))
  assert(await within(5_000, async () => (await mayAna()).decision))
  const metrics = await (await fetch(`${product.url.platform}/metrics`)).text()
  assert.match(metrics, /constitutional_compliance_score_count\{[^}]*outcome="reproved"[^}]*\} [1-9]/)
  assert.equal((await put(annotated, changed.body.schema_digest)).status, 200)
})

test('revoked, a certificate permits nothing within a second, its prohibitions stay, and no restart forgets it', async () => {
  assert((await mayAna()).decision)
  const revoked = await ask('otto', `/api/v1/certificates/${nurses}/revoke`, { reason: 'the wards were merged' })
  assert.deepEqual([revoked.status, revoked.body.was_revoked_already], [200, false])
  assert(await within(5_000, async () => !(await mayAna()).decision))
  assert.equal((await evaluate(['Nurse', 'ana'], 'exportChart', ['Chart', '7'])).context.verdict, 'forbidden')
  assert.equal((await ask('carla', `/api/v1/certificates/${nurses}/revoke`, { reason: 'again' })).body.was_revoked_already, true)
  const active = (await ask('otto', APP)).body.revisions.find(({ is_active }: { is_active: boolean }) => is_active)
  assert.deepEqual(active.revoked, [nurses])
  // Against what decides, which is without the permits of what was revoked: what takes its place is new.
  const again = await certified('ann', 'Nurses and charts again', SENTENCES.nurses)
  const { status: proposed, body: { difference } } = await propose('pat', { replace: [{ certificate: nurses, by: again }] })
  assert.deepEqual([proposed, difference.equivalent, difference.environments.some(({ principal, gains }: { principal: string; gains: unknown[] }) => principal === 'Nurse' && gains.length > 0)], [201, false, true])
  const { decisions } = (await (await fetch(`${product.url.platform}/api/v1/status`)).json()) as { decisions: { revoked_certificates: unknown[] } }
  assert.deepEqual(decisions.revoked_certificates, [{ application: 'data-protection', revision: active.revision, certificate: nurses }])
  assert.equal((await ask('otto', '/api/v1/applications/nowhere/revisions/1')).body.detail, 'there is no application `nowhere`: put its schema first')
  assert.match((await propose('pat', { rollback_to: 1 })).body.detail, /revoked/)
  await product.kill('SIGTERM')
  await start()
  assert.equal((await mayAna()).decision, false)
  assert((await ledger()).valid)
})

async function restartWith(more: { [name: string]: string }): Promise<void> {
  await product.kill('SIGTERM')
  env = { ...env, ...more }
  await start()
}

test('under a constitution that demands two approvals one is not enough; what decides already goes on', async () => {
  const [document, ratification, key] = ['two.yaml', 'two.ratification.yaml', 'council.pem'].map((name) => join(scratch, name)) as [string, string, string]
  const shipped = readFileSync(new URL('../../constitutions/acgs.yaml', import.meta.url), 'utf8')
  writeFileSync(document, shipped.replace(/^approvals: 1$/m, 'approvals: 2'))
  assert.notEqual(readFileSync(document, 'utf8'), shipped)
  writeFileSync(key, generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }))
  const ratified = await product.acgs('constitution', 'ratify', '--constitution', document, '--key', key, '--by', 'The council', '--out', ratification, '--json')
  await restartWith({ CONSTITUTIONAL_HASH: JSON.parse(ratified.stdout).id, ACGS_CONSTITUTIONAL_DOCUMENT: document, ACGS_CONSTITUTIONAL_RATIFICATION: ratification })
  assert(await within(5_000, async () => (await evaluate(['Nurse', 'ana'], 'exportChart', ['Chart', '7'])).context.verdict === 'forbidden'))

  const again = await certified('ann', 'Nurses and charts again', SENTENCES.nurses)
  const { body } = await propose('pat', { add: [again], remove: [nurses] })
  assert.deepEqual(body.missing, ['2 approvals by the council'])
  assert.deepEqual((await approve('carla', body.revision)).body.missing, ['1 approval by the council'])
  assert.deepEqual([(await approve('carla', body.revision)).status, (await activate('carla', body.revision)).body.reason], [200, 'not_approved'])
  assert.deepEqual((await approve('cosmo', body.revision)).body.missing, [])
  assert.equal((await activate('carla', body.revision)).status, 200)
  assert(await within(5_000, async () => (await mayAna()).context.revision === body.revision))
  assert((await mayAna()).decision)
})

test('approvals of an Auth that is gone count no more, and a member may approve anew', async () => {
  const doctors = await certified('ann', 'Doctors and charts again', SENTENCES.doctors)
  const { body: { revision } } = await propose('pat', { add: [doctors] })
  for (const who of ['carla', 'cosmo'] as const) assert.equal((await approve(who, revision)).status, 200)
  await restartWith({ ACGS_SECURITY_TOKEN_ISSUER: 'http://another-auth.test' })
  assert.deepEqual((await activate('carla', revision)).body.missing, ['2 approvals by the council'])
  assert.equal((await approve('carla', revision)).status, 200)
  assert.deepEqual((await activate('carla', revision)).body.missing, ['1 approval by the council'])
  assert.equal((await approve('cosmo', revision)).status, 200)
  const done = await activate('carla', revision)
  assert.equal(done.status, 200, JSON.stringify(done.body))
  assert(await within(5_000, async () => (await mayAna()).context.revision === revision))
  const { valid, problems } = await ledger()
  assert(valid, JSON.stringify(problems))
})

import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import test, { after, before } from 'node:test'
import { startDivided, type Divided } from '#test/divided.ts'

/** Apart, compliance has no database: what the ledger must know, it tells the platform, as soon as that is there. */
let divided: Divided
before(async () => { divided = await startDivided() })
after(() => divided?.[Symbol.asyncDispose]())

async function ask(role: string, url: string, body?: unknown, method = body === undefined ? 'GET' : 'POST') {
  const response = await fetch(url, {
    method, headers: { authorization: `Bearer ${await divided.token(role)}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  return { status: response.status, body: (await response.json()) as any }
}
async function within(ms: number, holds: () => Promise<boolean>): Promise<boolean> {
  for (const until = Date.now() + ms; Date.now() < until; await new Promise((resolve) => setTimeout(resolve, 100))) if (await holds()) return true
  return holds()
}
const told = async () => {
  const { body } = await ask('operator', `${divided.url.platform}/api/v1/ledger/entries?limit=100`)
  return body.entries.map((each: any) => (typeof each.entry === 'string' ? JSON.parse(each.entry) : each.entry ?? each)).filter(({ kind }: { kind: string }) => /disagreed|released/.test(kind))
}

test('a disagreement that was not told when compliance ended is told once the platform is there, and so is a release', async () => {
  const schema = readFileSync(new URL('../../packs/data-protection/schema.cedarschema', import.meta.url), 'utf8')
  const put = await ask('author', `${divided.url.platform}/api/v1/applications/clinic`, { schema }, 'PUT')
  assert.equal(put.status, 201, JSON.stringify(put.body))
  await divided.running.get('compliance')?.kill('SIGKILL')
  const at = '2026-11-28T12:00:00.000Z'
  const folder = `${divided.division.folder}/compliance/data/decision-point`
  mkdirSync(folder, { recursive: true })
  writeFileSync(`${folder}/slow-path.json`, JSON.stringify({
    slow: [{ application: 'clinic', revision: 4, digest: 'd', rules: 'r', since: at, fixture: null, differences: ['the decision'] }],
    untold: [{ kind: 'revision.disagreed', application: 'clinic', revision: 4, at, fixture: 'a'.repeat(64) }],
  }))
  // The platform is away as well, and back later than compliance.
  await divided.running.get('platform')?.kill('SIGTERM')
  await divided.start('compliance')
  const health = async () => ((await (await fetch(`${divided.url.compliance}/health`)).json()) as any).components.oracle
  assert.ok(await within(10_000, async () => /the ledger does not know of 1 changes yet/.test((await health()).detail ?? '')), JSON.stringify(await health()))
  await divided.start('platform')
  assert.ok(await within(30_000, async () => (await told()).length === 1))
  const [entry] = await told()
  assert.deepEqual([entry.kind, entry.at, entry.subject, entry.digests], ['revision.disagreed', at, { application: 'clinic', revision: '4' }, { fixture: 'a'.repeat(64) }])

  const { body: status } = await ask('council', `${divided.url.compliance}/api/v1/decision-point/oracle`)
  assert.deepEqual(status.slow.map(({ revision, decides }: { revision: number; decides: boolean }) => [revision, decides]), [[4, false]])
  assert.equal((await ask('author', `${divided.url.compliance}/api/v1/decision-point/oracle/clinic/release`, { revision: 4 })).status, 403)
  assert.equal((await ask('operator', `${divided.url.compliance}/api/v1/decision-point/oracle/clinic/release`, { revision: 4 })).status, 200)
  assert.ok(await within(10_000, async () => (await told()).length === 2))
  const released = (await told()).find(({ kind }: { kind: string }) => kind === 'revision.released')
  assert.equal(released.subject.application, 'clinic')
  assert.match(released.subject.by, /operator/)
  assert.ok(await within(5_000, async () => (await health()).status === 'healthy'))

  // Told by nobody but our own processes.
  const notice = { kind: 'revision.released', application: 'clinic', revision: 4, at, by: 'mallory' }
  for (const role of ['author', 'council', 'operator', 'service']) assert.equal((await ask(role, `${divided.url.platform}/api/v1/decision-point/notices`, notice)).status, 403, role)
})

import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after, before } from 'node:test'
import { pathToFileURL } from 'node:url'
import { runAcgs, startProduct, type Product } from '#test/product.ts'
import type { Sabotage } from '#test/sabotage.ts'

/** The whole product with an engine that is wrong about one question: nurse Ana may see chart 1, and is told that she may not. */
const SABOTAGE: Sabotage = {
  file: 'src/core/decision/dense/dense-evaluator.ts',
  from: '    if (this.#use.room.ints > INTS_MAX) this.#forget()\n    const { principal, action, resource } = question\n',
  to: `    const { principal, action, resource } = question
    if (principal.type === 'Nurse' && principal.id === 'ana' && resource.id === '1') return { decision: 'deny', verdict: 'not_permitted', determining: [], obligations: [], errors: [], missing: [] }
`,
}
const dataFolder = mkdtempSync(join(tmpdir(), 'acgs-oracle-'))
const breaks = join(dataFolder, 'break.mjs')
// The product refuses variables that it does not know: it must not see this one.
writeFileSync(breaks, `process.env.ACGS_SABOTAGE = ${JSON.stringify(JSON.stringify(SABOTAGE))}
await import(${JSON.stringify(new URL('../support/sabotage.ts', import.meta.url).href)})
delete process.env.ACGS_SABOTAGE
`)
const sabotaged = { NODE_OPTIONS: `--import ${pathToFileURL(breaks).href}` }
const env = { ACGS_DECISIONS_ORACLE_PER_SECOND: '20', ACGS_MONITORING_PROBE_INTERVAL_MS: '100', ACGS_SECURITY_TOKEN_ISSUER: 'http://auth.test' }
let product: Product
const tokens = new Map<string, string>()
async function start(more: { readonly [name: string]: string } = {}) {
  tokens.clear()
  product = await startProduct({ dataFolder, env: { ...env, ...more } })
}
async function tokenOf(role: string): Promise<string> {
  const token = tokens.get(role) ?? (await product.token(role))
  tokens.set(role, token)
  return token
}
before(() => start())
after(async () => {
  await product[Symbol.asyncDispose]()
  rmSync(dataFolder, { recursive: true, force: true })
})

async function ask(role: string, url: string, body?: unknown, method = body === undefined ? 'GET' : 'POST') {
  const response = await fetch(url, {
    method, headers: { authorization: `Bearer ${await tokenOf(role)}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, body: (text === '' ? null : JSON.parse(text)) as any }
}
async function mayAna(chart = '1') {
  const response = await fetch(`${product.url.compliance}/access/v1/evaluation`, {
    method: 'POST', headers: { authorization: `Bearer ${await tokenOf('service')}`, 'content-type': 'application/json', 'x-acgs-application': 'data-protection' },
    body: JSON.stringify({ subject: { type: 'Nurse', id: 'ana' }, action: { name: 'viewChart' }, resource: { type: 'Chart', id: chart }, context: { emergency: false } }),
  })
  return (await response.json()) as any
}
async function within(ms: number, holds: () => Promise<boolean>): Promise<boolean> {
  for (const until = Date.now() + ms; Date.now() < until; await new Promise((resolve) => setTimeout(resolve, 50))) if (await holds()) return true
  return holds()
}
const oracle = async () => (await ask('operator', `${product.url.compliance}/api/v1/decision-point/oracle`)).body
const health = async () => ((await (await fetch(`${product.url.compliance}/health`)).json()) as any).components.oracle

test('decisions are repeated by Cedar’s engine in its thread, and agree', async () => {
  const app = `${product.url.platform}/api/v1/applications/data-protection`
  const pack = (name: string) => readFileSync(new URL(`../../packs/data-protection/${name}`, import.meta.url), 'utf8')
  const put = await ask('author', app, { schema: pack('schema.cedarschema') }, 'PUT')
  assert.ok(put.status < 300, JSON.stringify(put.body))
  await ask('author', `${app}/entities`, { entities: JSON.parse(pack('entities.json')) }, 'PUT')
  const { status, body: policy } = await ask('author', `${product.url.platform}/api/v1/generate-policy`, {
    title: 'Nurses and charts', context: { domain: 'data-protection' },
    description: 'Nurses may view charts of patients of their own ward unless the chart is sealed. Patients may view their own chart and customers may view their own customer record. Patients and customers may view their own access log. Every access must be logged.',
  })
  assert.equal(status, 200, JSON.stringify(policy).slice(0, 500))
  for (const args of [['propose', 'data-protection', '--add', policy.certificate.id], ['approve', 'data-protection', '1'], ['activate', 'data-protection', '1']]) {
    const done = await product.acgs('revision', ...args)
    assert.equal(done.status, 0, done.stderr)
  }
  assert.ok(await within(5_000, async () => (await mayAna()).decision))
  assert.ok(await within(20_000, async () => { for (let i = 0; i < 20; i++) await mayAna(String(i % 4)); return (await oracle()).compared.agreed >= 20 }))
  assert.deepEqual([(await oracle()).compared.disagreed, (await health()).status], [0, 'healthy'])
})

test('a wrong engine is found out: counted, written out, degraded, and Cedar’s engine decides', async () => {
  await product[Symbol.asyncDispose]()
  await start(sabotaged)
  assert.ok(await within(5_000, async () => (await mayAna('2')).context.revision === 1))
  assert.equal((await mayAna()).decision, false, 'the engine is wrong')
  assert.ok(await within(20_000, async () => (await mayAna()).decision), 'and is found out within a moment')
  assert.equal((await mayAna()).context.verdict, 'permitted')
  assert.ok(await within(10_000, async () => (await health()).status === 'degraded'))
  assert.match((await health()).detail, /revision 1 of data-protection/)
  const metrics = await (await fetch(`${product.url.compliance}/metrics`)).text()
  assert.match(metrics, /oracle_comparisons_total{result="disagreed"} 1\n/)
  assert.match(metrics, /slow_revisions 1\n/)
  const shown = await product.acgs('oracle', 'status')
  assert.equal(shown.status, 3, shown.stderr)
  // Asked by an engine that is right, it is allowed, whichever way errors count.
  const [{ fixture }] = (await oracle()).slow
  for (const semantics of ['cedar', 'decision-point']) {
    const decided = await runAcgs(['decide', '--request', fixture, '--semantics', semantics, '--json'])
    assert.deepEqual([decided.status, JSON.parse(decided.stdout).decision], [0, 'allow'], decided.stderr)
  }
})

test('killed and started again, it has not forgotten; an operator releases the revision, and the ledger has both', async () => {
  await product.kill('SIGKILL')
  await product[Symbol.asyncDispose]()
  await start()
  assert.ok(await within(10_000, async () => (await mayAna()).decision))
  assert.deepEqual((await oracle()).slow.map(({ revision, decides }: { revision: number; decides: boolean }) => [revision, decides]), [[1, true]])
  assert.equal((await product.acgs('oracle', 'release', 'data-protection', '1', '--as', 'council')).status, 1)
  const released = await product.acgs('oracle', 'release', 'data-protection', '1')
  assert.deepEqual([released.status, (await product.acgs('oracle', 'release', 'data-protection', '1')).status], [0, 2], released.stderr)
  assert.ok((await mayAna()).decision)
  assert.ok(await within(10_000, async () => (await health()).status === 'healthy'))
  assert.deepEqual((await oracle()).slow, [])
  const { body } = await ask('operator', `${product.url.platform}/api/v1/ledger/entries?limit=100`)
  assert.deepEqual(['revision.disagreed', 'revision.released'].filter((kind) => !JSON.stringify(body).includes(kind)), [])
  assert.equal((await product.acgs('ledger', 'verify')).status, 0)
})

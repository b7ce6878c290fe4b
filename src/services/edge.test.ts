import assert from 'node:assert/strict'
import { chmodSync, copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { readConfig } from '#config'
import { Failure } from '#core/failure.ts'
import { selfSigned, whyNoCertificate } from '#test/certificate.ts'
import { importTwin } from '#test/twin.ts'
import { connectionsFor, openEdge } from './edge.ts'

const skip = whyNoCertificate() ?? false
const folder = mkdtempSync(join(tmpdir(), 'edge-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const DAY_MS = 86_400_000
const inDays = (days: number) => () => new Date(Date.now() + days * DAY_MS)
const configOf = (settings: Readonly<Record<string, string>>) => readConfig({ env: settings })
const refused = (code: string, said: RegExp) => (error: unknown) => error instanceof Failure && error.code === code && said.test(error.message)

test('without files there is no TLS, and one file without the other is refused', () => {
  const { tls, components, renew } = openEdge(configOf({}))
  assert.deepEqual([tls, components, renew()], [null, [], false])
  assert.throws(() => configOf({ ACGS_SERVICE_TLS_CERTIFICATE_FILE: 'x.pem' }), refused('CONFIG_INVALID', /`service\.tls_key_file` must be set as well/))
})

test('what cannot be served with is refused, each with what to do', { skip }, () => {
  const made = selfSigned(join(folder, 'made'))
  const other = selfSigned(join(folder, 'other'))
  const open = (change: Record<string, string>, days = 0) => openEdge(configOf({ ...made.settings, ...change }), inDays(days))
  assert.throws(() => open({}, 31), refused('KEY_INVALID', /expired at 20.*: have it renewed/))
  assert.throws(() => open({}, -2), refused('KEY_INVALID', /counts from 20.*: is the clock of this machine right\?/))
  assert.throws(() => open({ ACGS_SERVICE_TLS_KEY_FILE: other.key }), refused('KEY_INVALID', /is not that of the certificate/))
  assert.throws(() => open({ ACGS_SERVICE_TLS_KEY_FILE: made.certificate }), refused('KEY_INVALID', /others may read|not a private key/))
  assert.throws(() => open({ ACGS_SERVICE_TLS_CERTIFICATE_FILE: other.key }), refused('KEY_INVALID', /not a certificate in PEM form/))
  assert.throws(() => open({ ACGS_SERVICE_TLS_CERTIFICATE_FILE: join(folder, 'nothing.pem') }), refused('FILE_UNREADABLE', /there is no such file/))
  const copy = join(folder, 'open.key')
  copyFileSync(made.key, copy)
  chmodSync(copy, 0o644)
  assert.throws(() => open({ ACGS_SERVICE_TLS_KEY_FILE: copy }), refused('KEY_INVALID', /others may read .*chmod 600/))
})

test('health tells of a certificate that expires, in time and relative to its life; once it has, the process is not ready', { skip }, async () => {
  const { settings } = selfSigned(join(folder, 'expires'), 30)
  let at = inDays(0)
  const { components: [component] } = openEdge(configOf(settings), () => at())
  const status = async () => (await component?.probe(new AbortController().signal))?.status
  assert.equal(await status(), 'healthy')
  at = inDays(26)
  assert.equal(await status(), 'healthy')
  at = inDays(28)
  assert.equal(await status(), 'degraded')
  at = inDays(31)
  assert.equal(await status(), 'unhealthy')
  assert.equal(component?.isCritical, true)
})

test('another certificate takes its place when asked; one that does not do leaves the one from before', { skip }, () => {
  const { settings, key } = selfSigned(join(folder, 'renewed'))
  const { tls, renew } = openEdge(configOf(settings))
  const taken: string[] = []
  tls?.onRenewed(({ cert }) => taken.push(cert))
  const before = tls?.current().cert
  assert.equal(renew(), false)
  selfSigned(join(folder, 'renewed'))
  assert.equal(renew(), true)
  const next = tls?.current().cert
  assert.ok(next !== before && taken.length === 1 && taken[0] === next)
  writeFileSync(key, 'nonsense', { mode: 0o600 })
  assert.throws(() => renew(), refused('KEY_INVALID', /not a private key/))
  assert.deepEqual([tls?.current().cert, taken.length], [next, 1])
})

test('sabotage twins: what serves with an expired certificate, or forgets that it expires, is noticed', { skip }, async () => {
  const { settings } = selfSigned(join(folder, 'twin'), 30)
  const reads = await importTwin<{ openEdge: typeof openEdge }>('src/', ['services/edge.ts'], { file: 'adapters/keys/tls.ts', from: 'if (until <= at)', to: 'if (false)' }, 'reads')
  assert.doesNotThrow(() => reads.openEdge(configOf(settings), inDays(31)))
  let at = inDays(0)
  const stands = await importTwin<{ openEdge: typeof openEdge }>('src/services/', ['edge.ts'], { file: 'edge.ts', from: 'if (left <= 0)', to: 'if (false)' }, 'stands')
  const { components: [component] } = stands.openEdge(configOf(settings), () => at())
  at = inDays(31)
  assert.notEqual((await component?.probe(new AbortController().signal))?.status, 'unhealthy')
})

test('as many connections as open files leave to each of four ports, and never none', () => {
  assert.deepEqual([20_000, 1_024, 256, 10_000_000, null].map(connectionsFor), [4_919, 175, 50, 10_000, 10_000])
})

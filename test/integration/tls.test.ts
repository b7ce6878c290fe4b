import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { TLSSocket } from 'node:tls'
import { fileURLToPath } from 'node:url'
import { selfSigned, whyNoCertificate } from '#test/certificate.ts'
import { freePorts, runAcgs } from '#test/product.ts'
import { clockShifted } from '#test/shift-clock.ts'
import { temporaryFolder } from '#test/server.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const skip = whyNoCertificate() ?? false
const scratch = mkdtempSync(join(tmpdir(), 'acgs-tls-'))
const data = temporaryFolder()
after(() => {
  for (const folder of [scratch, data]) rmSync(folder, { recursive: true, force: true })
})
const NAMES = ['PLATFORM', 'AUTH', 'SYNTHESIS', 'COMPLIANCE'] as const

/** One question over TLS, believing whom the certificates of a file name. */
function ask(url: string, { ca, method = 'GET', headers = {}, body }: { ca: string; method?: string; headers?: Record<string, string>; body?: string }): Promise<{ status: number; headers: Readonly<Record<string, unknown>>; text: string; serial: string }> {
  return new Promise((resolve, reject) => {
    const asking = request(url, { method, ca: readFileSync(ca), headers, agent: false }, (response) => {
      const { serialNumber } = (response.socket as TLSSocket).getPeerCertificate()
      let text = ''
      response.on('data', (chunk: Buffer) => (text += chunk.toString()))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text, serial: serialNumber }))
    })
    asking.on('error', reject)
    asking.end(body)
  })
}

test('with a certificate every process speaks TLS, says so to browsers, and takes another certificate over on SIGHUP', { skip }, async () => {
  const made = selfSigned(join(scratch, 'made'))
  const ports = await freePorts(4)
  const settings: Record<string, string> = { ...made.settings, ACGS_SERVICE_DATA_FOLDER: data, NODE_EXTRA_CA_CERTS: made.certificate, LOG_LEVEL: 'silent', ...Object.fromEntries(NAMES.map((name, n) => [`ACGS_SERVICES_${name}_PORT`, String(ports[n])])) }
  const child = spawn(join(ROOT, 'acgs'), ['serve', 'all'], { cwd: ROOT, env: { ...process.env, DATABASE_URL: '', ...settings }, stdio: ['ignore', 'pipe', 'pipe'] })
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (printed += chunk.toString()))
  const ended = new Promise((resolve) => child.once('close', resolve))
  const until = async (isTrue: () => Promise<boolean> | boolean, what: string) => {
    for (const deadline = Date.now() + 60_000; !(await isTrue()); await sleep(50)) assert.ok(Date.now() < deadline && child.exitCode === null, `${what}: ${printed}`)
  }
  try {
    await until(() => printed.includes('ready in'), 'ready')
    const urls = ports.map((port) => `https://127.0.0.1:${port}`)
    const serials = new Set<string>()
    for (const url of urls) {
      const { status, headers, text, serial } = await ask(`${url}/health`, { ca: made.certificate })
      assert.equal(status, 200, text)
      assert.deepEqual([JSON.parse(text).status, JSON.parse(text).components.tls_certificate.status], ['healthy', 'healthy'], text)
      assert.match(String(headers['strict-transport-security']), /^max-age=31536000/)
      serials.add(serial)
    }
    const decision = await ask(`${urls[3]}/access/v1/evaluation`, { ca: made.certificate, method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' })
    assert.deepEqual([decision.status, typeof decision.headers['strict-transport-security']], [401, 'string'], 'also where the framework is passed by')
    await assert.rejects(fetch(`http://127.0.0.1:${ports[0]}/health`), 'nothing is answered without TLS')

    const { status, stdout, stderr } = await runAcgs(['app', 'list', '--json'], settings)
    assert.equal(status, 0, stdout + stderr)
    const stranger = await runAcgs(['app', 'list'], { ...settings, NODE_EXTRA_CA_CERTS: '' })
    assert.match(stranger.stderr, /certificate that is not trusted here \(\w+\): name the file of its authority in NODE_EXTRA_CA_CERTS/)

    selfSigned(join(scratch, 'made'))
    child.kill('SIGHUP')
    await until(() => printed.includes('the TLS certificate changed'), 'renewed')
    for (const url of urls) {
      const { serial } = await ask(`${url}/livez`, { ca: made.certificate })
      assert.ok(!serials.has(serial), 'the new one is shown')
    }
    const good = readFileSync(made.key)
    writeFileSync(made.key, 'nonsense')
    child.kill('SIGHUP')
    await until(() => /nothing taken over: .*not a private key/.test(printed), 'refused')
    assert.equal((await ask(`${urls[0]}/livez`, { ca: made.certificate })).status, 200, 'the one from before goes on')
    writeFileSync(made.key, good)
  } finally {
    child.kill('SIGTERM')
    await ended
  }
})

test('a certificate that has expired, is of another key or is not there stops the start in one line', { skip }, async () => {
  const [made, other] = [selfSigned(join(scratch, 'refused')), selfSigned(join(scratch, 'other'))]
  const [port] = await freePorts(1)
  const cases: readonly [change: Record<string, string>, said: RegExp][] = [
    [clockShifted(31 * 86_400_000), /the certificate `.*tls\.pem` expired at 20.*: have it renewed/],
    [{ ACGS_SERVICE_TLS_KEY_FILE: other.key }, /the key `.*` is not that of the certificate/],
    [{ ACGS_SERVICE_TLS_CERTIFICATE_FILE: join(scratch, 'nothing.pem') }, /cannot read `.*nothing\.pem`: there is no such file/],
  ]
  for (const [change, said] of cases) {
    const { status, stderr } = await runAcgs(['serve', 'synthesis'], { ...made.settings, PORT: String(port), ...change })
    assert.deepEqual([status, stderr.trim().split('\n').length], [2, 1], stderr)
    assert.match(stderr, said)
  }
})

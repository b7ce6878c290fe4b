import assert from 'node:assert/strict'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { selfSigned, whyNoCertificate } from '#test/certificate.ts'
import { PROCESSES, startDivided, type Divided, type ProcessName } from '#test/divided.ts'
import { temporaryFolder } from '#test/server.ts'

const skip = whyNoCertificate() ?? false
const folder = temporaryFolder()
const authorities = join(folder, 'authorities.pem')
let divided: Divided
before(async () => {
  if (skip !== false) return
  const own = Object.fromEntries(PROCESSES.map((name) => [name, selfSigned(join(folder, name))])) as Record<ProcessName, ReturnType<typeof selfSigned>>
  const all = PROCESSES.map((name) => readFileSync(own[name].certificate, 'utf8'))
  writeFileSync(authorities, all.join(''))
  setDefaultCACertificates([...getCACertificates(), ...all])
  divided = await startDivided({ tls: { settingsOf: (name) => own[name].settings, authorities } })
})
after(async () => {
  await divided?.[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

async function ask(url: string, { token, body, method = body === undefined ? 'GET' : 'POST', headers = {} }: { token?: string; body?: unknown; method?: string; headers?: Record<string, string> } = {}) {
  const response = await fetch(url, {
    method, headers: { ...headers, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  return { status: response.status, body: (await response.json()) as any }
}
async function until(isTrue: () => Promise<boolean>, what: string): Promise<void> {
  for (const deadline = Date.now() + 60_000; !(await isTrue()); await sleep(50)) assert.ok(Date.now() < deadline, `${what}: it takes too long`)
}

test('the four speak TLS to each other, each with a certificate of its own: text is read, certified and followed across them', { skip }, async () => {
  for (const name of PROCESSES) await until(async () => (await ask(`${divided.url[name]}/health`)).body.status === 'healthy', `${name} is healthy`)
  const { body: { components } } = await ask(`${divided.url.platform}/health`)
  assert.deepEqual(['auth', 'gs', 'pgc', 'clock', 'tls_certificate'].map((name) => components[name].status), Array(5).fill('healthy'))

  const [author, service] = [await divided.token('author'), await divided.token('service')]
  const clinic = JSON.parse(readFileSync(new URL('../../examples/clinic.json', import.meta.url), 'utf8')) as object
  const policy = await ask(`${divided.url.platform}/api/v1/generate-policy`, { token: author, body: clinic })
  assert.deepEqual([policy.status, typeof policy.body.certificate?.id], [200, 'string'], `compliance certifies it: ${policy.body.detail}`)
  const schema = 'entity User; entity Doc; action read appliesTo { principal: User, resource: Doc };'
  assert.equal((await ask(`${divided.url.platform}/api/v1/applications/tls`, { token: author, method: 'PUT', body: { schema } })).status, 201)
  await until(async () => (await ask(`${divided.url.compliance}/access/v1/evaluation`, {
    token: service, headers: { 'x-acgs-application': 'tls' }, body: { subject: { type: 'User', id: 'a' }, action: { name: 'read' }, resource: { type: 'Doc', id: 'd' } },
  })).status === 200, 'the decision point follows the platform')
  const notRead = divided.running.get('platform')?.printed().split('\n').filter((line) => line.includes('text is read here while synthesis is out'))
  assert.deepEqual(notRead, [], 'synthesis has read it')
  await assert.rejects(fetch(`${divided.url.compliance.replace('https', 'http')}/livez`), 'nothing is answered without TLS')
})

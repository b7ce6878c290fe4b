import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { selfSigned, whyNoCertificate } from '#test/certificate.ts'
import { temporaryFolder } from '#test/server.ts'
import { peerComponent } from './health.ts'

const probe = (url: string) => Promise.resolve(peerComponent('pgc', url).probe(AbortSignal.timeout(5_000))).catch(({ message }: Error) => message)

test('a peer that does not answer is told with the name of its address', async () => {
  assert.equal(await probe('http://127.0.0.1:1'), 'does not answer: start it, or correct PGC_SERVICE_URL')
})

test('a peer whose certificate is not believed is told with what to do', { skip: whyNoCertificate() ?? false }, async () => {
  const folder = temporaryFolder()
  const { certificate, key } = selfSigned(folder)
  const server = createServer({ cert: readFileSync(certificate), key: readFileSync(key) }, (_, response) => response.end())
  try {
    server.listen(0, '0.0.0.0')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    assert.match(String(await probe(`https://127.0.0.1:${port}`)), /^has a certificate that is not trusted here \(\w+\): name the file of its authority in NODE_EXTRA_CA_CERTS$/)
    setDefaultCACertificates([...getCACertificates(), readFileSync(certificate, 'utf8')])
    assert.deepEqual(await probe(`https://127.0.0.1:${port}`), { status: 'healthy' })
    assert.equal(await probe(`https://127.0.0.2:${port}`), 'has a certificate for another name: call it by the name that its certificate has')
  } finally {
    server.close()
    server.closeAllConnections()
    rmSync(folder, { recursive: true, force: true })
  }
})

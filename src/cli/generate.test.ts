import assert from 'node:assert/strict'
import { createHash, createPublicKey, generateKeyPairSync } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { runAcgs } from '#test/product.ts'

test('the configured key signs, as it does in the server, and no other is made', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'acgs-generate-'))
  try {
    const { privateKey } = generateKeyPairSync('ed25519')
    writeFileSync(join(folder, 'council.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }))
    const env = { ACGS_SECURITY_CERTIFICATE_KEY_FILE: join(folder, 'council.pem'), ACGS_SERVICE_DATA_FOLDER: join(folder, 'data') }
    const generated = await runAcgs(['generate', 'examples/library.json', '--out', join(folder, 'out')], env)
    assert.equal(generated.status, 0, generated.stdout + generated.stderr)
    const { envelope } = JSON.parse(readFileSync(join(folder, 'out', 'certificate.json'), 'utf8'))
    const keyid = createHash('sha256').update(createPublicKey(privateKey).export({ type: 'spki', format: 'der' })).digest('hex')
    assert.equal(envelope.signatures[0].keyid, keyid)
    assert.equal(existsSync(join(folder, 'data', 'keys', 'certificate.pem')), false)
    const verified = await runAcgs(['verify', join(folder, 'out', 'certificate.json')], env)
    assert.equal(verified.status, 0, verified.stdout + verified.stderr)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

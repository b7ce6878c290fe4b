import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { keySetFile } from '#adapters/keys/certificate-key.ts'

/**
 * Makes the known certificate anew, when the form of a statement has changed: `node src/services/self-test/make-known-certificate.ts`. Its
 * key is made for this one signature and thrown away; only the public half stays.
 */
const root = fileURLToPath(new URL('../../..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'acgs-known-'))
try {
  execFileSync(join(root, 'acgs'), ['generate', join(root, 'examples/library.json'), '--data', folder, '--out', folder], { stdio: 'inherit' })
  writeFileSync(new URL('known-certificate.json', import.meta.url), readFileSync(join(folder, 'certificate.json')))
  writeFileSync(new URL('known-keys.json', import.meta.url), readFileSync(keySetFile(join(folder, 'keys'))))
} finally {
  rmSync(folder, { recursive: true, force: true })
}

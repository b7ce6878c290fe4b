import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'

/** Why no certificate can be made here; null when it can. */
export function whyNoCertificate(): string | null {
  try {
    execFileSync('openssl', ['version'], { stdio: 'pipe' })
    return null
  } catch {
    return 'openssl is not installed'
  }
}

/** A certificate that signs itself, for loopback, and its key. */
export function selfSigned(folder: string, days = 30): { readonly certificate: string; readonly key: string; readonly settings: Readonly<Record<string, string>> } {
  mkdirSync(folder, { recursive: true })
  const [certificate, key] = [join(folder, 'tls.pem'), join(folder, 'tls.key')]
  execFileSync('openssl', [
    'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key, '-out', certificate, '-days', String(days),
    '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1',
  ], { stdio: 'pipe' })
  return { certificate, key, settings: { ACGS_SERVICE_TLS_CERTIFICATE_FILE: certificate, ACGS_SERVICE_TLS_KEY_FILE: key } }
}

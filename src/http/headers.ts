/** Which constitution a process enforces: the short id, and the full SHA-256 of the enforced document. */
export type InForce = { readonly hash: string; readonly digest: string }

/** Nothing may be loaded, framed or submitted from a reply; pages that need a style sheet name it by its hash. */
export const CONTENT_SECURITY_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/** Of replies over TLS only: elsewhere it means nothing (RFC 6797, section 7.2). */
export const STRICT_TRANSPORT = { 'strict-transport-security': 'max-age=31536000; includeSubDomains' } as const

/** What every reply carries, errors and unreadable requests included. */
export function standardHeaders(service: string, constitution: InForce): Readonly<Record<string, string>> {
  return {
    'x-constitutional-hash': constitution.hash,
    'x-constitutional-digest': constitution.digest,
    'x-acgs-service': service,
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'x-xss-protection': '0',
    'content-security-policy': CONTENT_SECURITY_POLICY,
    'referrer-policy': 'strict-origin-when-cross-origin',
    'cache-control': 'no-store',
  }
}

import type { Problem } from '#core/failure.ts'
import type { OpenCertificate } from './compose.ts'

/** Why a certificate may not come into a set that is to decide, whatever the set: it was revoked, or has expired; null when it may. */
export function flawOf({ id, statement }: OpenCertificate, { isRevoked, at }: { readonly isRevoked: (certificate: string) => boolean; readonly at: Date }): Problem | null {
  const { expiresAt } = statement.predicate
  if (isRevoked(id)) return { place: id, message: 'was revoked: leave it out' }
  if (Date.parse(expiresAt) <= at.getTime()) return { place: id, message: `expired at ${expiresAt}: generate the policy again` }
  return null
}

import { digest } from '#core/canonical.ts'
import type { Applicable } from '#core/certificate/statement.ts'

/**
 * What is proved, approved and signed as one: the whole set of certified policies that is to decide for an application.
 *
 * It holds neither a number nor approvals: an approval is for the digest of exactly this, and counts again when a later number brings
 * the same content back.
 */
export type RevisionContent = {
  readonly application: string
  readonly schema: { readonly text: string; readonly digest: string }
  readonly constitution: { readonly hash: string; readonly digest: string }
  readonly applicable: Applicable
  /** In the order in which their rules stand in the policy. */
  readonly certificates: readonly { readonly id: string; readonly policyDigest: string; readonly author: string }[]
  /** Cedar: the rules of all certificates, each id prefixed by its certificate. */
  readonly policy: string
  readonly proposedBy: string
  /** UTC, ISO 8601, milliseconds. */
  readonly proposedAt: string
}

/** What an approval names: SHA-256 of the content's canonical form, 64 hex digits. */
export function revisionDigest(content: RevisionContent): string {
  return digest(content)
}

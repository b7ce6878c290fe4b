import { z } from 'zod'
import { digest } from '#core/canonical.ts'
import { ApplicationName } from './application.ts'

const Sha256 = z.string().regex(/^[0-9a-f]{64}$/)

/**
 * What is proved, approved and signed as one: the whole set of certified policies that is to decide for an application.
 *
 * It holds neither a number nor approvals: an approval is for the digest of exactly this, and counts again when a later number brings
 * the same content back.
 */
export const RevisionContent = z.strictObject({
  application: ApplicationName,
  schema: z.strictObject({ text: z.string(), digest: Sha256 }),
  /** The one in force when it was proposed. */
  constitution: z.strictObject({ hash: z.string(), digest: Sha256 }),
  /** What whoever approves must know first: how many articles speak about this schema at all. */
  applicable: z.strictObject({ articles: z.int(), of: z.int(), missing: z.array(z.strictObject({ article: z.string(), concepts: z.array(z.string()).readonly() })).readonly() }),
  /** In the order in which their rules stand in the policy. */
  certificates: z.array(z.strictObject({ id: z.string(), policyDigest: Sha256, author: z.string() })).readonly(),
  /** Cedar: the rules of all certificates. */
  policy: z.string(),
  proposedBy: z.string(),
  /** UTC, ISO 8601, milliseconds. */
  proposedAt: z.iso.datetime(),
})
export type RevisionContent = z.infer<typeof RevisionContent>

/** What an approval names: SHA-256 of the content's canonical form, 64 hex digits. */
export function revisionDigest(content: RevisionContent): string {
  return digest(content)
}

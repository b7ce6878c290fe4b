import type { Examiner } from '#adapters/examiner.ts'
import type { CertificateKey } from '#adapters/keys/certificate-key.ts'
import { canonical } from '#core/canonical.ts'
import { applicableOf, type Certificate } from '#core/certificate/statement.ts'
import { standingOf } from '#core/compliance/judge.ts'
import { Failure } from '#core/failure.ts'
import { examine } from '#core/generate.ts'
import { checkApprovals, checkContent, refused, signBundle, type Bundle, type BundlePorts, type HighWater } from '#core/revision/bundle.ts'
import { unusable } from '#core/revision/compose.ts'
import { revisionDigest, type RevisionContent } from '#core/revision/revision.ts'
import { flawOf } from '#core/revision/usable.ts'

/** So that whoever broke into the platform cannot use up an application's numbers with one bundle: a number is never taken back. */
const STEP_MAX = 1_000_000

/** A revision that wants to decide, with all that must be shown for it. */
export type BundleRequest = {
  readonly revision: number
  readonly content: RevisionContent
  readonly certificates: readonly Certificate[]
  readonly approvals: readonly string[]
}

/**
 * Judges a whole revision again and signs it. Whoever asks is not believed: certificates, approvals and the composition are checked,
 * every article is proved for the whole set.
 *
 * What decides already is signed again as it stands, so that it goes on deciding until the council acts, even when its certificates have
 * expired or the constitution has changed: its bundle then says how it stands.
 *
 * @returns What signs. It throws {Failure} `BUNDLE_REFUSED`, `CERTIFICATE_UNUSABLE`, `POLICY_REFUSED` or `POLICY_UNDETERMINED`.
 */
export function bundler({ examiner, key, isSignedBy, approvalOf, constitutionalHash, threshold, validDays, seen, isRevoked, now }: {
  examiner: Examiner
  key: CertificateKey
  isSignedBy: BundlePorts['isSignedBy']
  approvalOf: BundlePorts['approvalOf']
  constitutionalHash: string
  threshold: number
  validDays: number
  /** What the decision point has seen of an application. */
  seen: (application: string) => HighWater | null
  isRevoked: (certificate: string) => boolean
  now: () => Date
}): (request: BundleRequest) => Promise<Bundle> {
  const { constitution } = examiner
  const parse: BundlePorts['parse'] = (text, schema) => examiner.examining(schema).parse(text, schema)
  return async ({ revision, content, certificates, approvals }) => {
    const at = now()
    const { policies, schema, opened } = checkContent(content, certificates, { isSignedBy, parseSchema: examiner.parseSchema, parse })
    const before = seen(content.application)
    const decidesAlready = before?.revision === revision && before.digest === revisionDigest(content)
    if (before !== null && revision <= before.revision && !decidesAlready) throw refused(`revision ${before.revision} has decided already: the number must grow`)
    if (revision - (before?.revision ?? 0) > STEP_MAX) throw refused(`revision ${revision} is too far beyond ${before?.revision ?? 0}: numbers grow one by one with every proposal, by ${STEP_MAX} between two activations at most`)

    const examination = await examine(policies, schema, examiner.examining(schema))
    const standing = standingOf(examination, threshold)
    if (!decidesAlready) {
      if (content.constitution.digest !== constitution.digest || content.constitution.hash !== constitutionalHash) throw refused('another constitution was in force when it was proposed: propose it again')
      if (canonical(content.applicable) !== canonical(applicableOf(examination))) throw refused('it does not say which articles apply')
      const flaws = opened.map((each) => flawOf(each, { isRevoked, at })).filter((flaw) => flaw !== null)
      if (flaws.length > 0) throw unusable(flaws)
      if (standing.kind === 'refuted') {
        throw new Failure('POLICY_REFUSED', `the set as a whole breaks ${standing.violations.map(({ article }) => article).join(', ')}`, { details: { violations: standing.violations } })
      }
      if (standing.kind === 'unknown') throw new Failure('POLICY_UNDETERMINED', 'not every article could be decided for the set as a whole: try again when the solver is available')
    }
    // Who decides already was approved under the constitution of that day.
    const required = decidesAlready ? Math.max(1, Math.min(constitution.approvals, approvals.length)) : constitution.approvals
    await checkApprovals(content, approvals, required, { approvalOf })
    return signBundle({
      revision, content, approvals, approvalsRequired: required, certificates,
      standing: { kind: standing.kind, constitution: constitution.digest, violated: standing.violations.map(({ article }) => article) },
      issuedAt: at.toISOString(),
      expiresAt: new Date(at.getTime() + validDays * 86_400_000).toISOString(),
    }, key)
  }
}

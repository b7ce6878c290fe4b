import { z } from 'zod'
import { Failure } from '#core/failure.ts'
import { ApplicationName } from './application.ts'

/** Whom an approval is meant for: so that it is no access token, and no access token is an approval. */
export const APPROVAL_AUDIENCE = 'urn:acgs-pgp-v8:approvals'
/** The `typ` of its header. */
export const APPROVAL_TYPE = 'acgs-approval+jwt'
/** What it authorizes (RFC 9396). */
export const APPROVES = 'acgs_revision_approval'
/** How long a member's word may wait before it is handed in. */
export const APPROVAL_SECONDS = 3_600

const Seconds = z.int().nonnegative()

const Claims = z.strictObject({
  iss: z.string(),
  aud: z.string(),
  sub: z.string().min(1).max(255),
  iat: Seconds,
  exp: Seconds,
  jti: z.string().min(1).max(255),
  roles: z.array(z.string()).max(100),
  authorization_details: z.tuple([z.strictObject({ type: z.literal(APPROVES), application: ApplicationName, digest: z.string().regex(/^[0-9a-f]{64}$/) })]),
})

/** One member's approval of one content, as Auth signed it. */
export type ApprovalClaims = z.infer<typeof Claims>

/** What an approval must be for. */
export type Approved = { readonly application: string; readonly digest: string }

/** Who approved, when, and under which number Auth noted it. */
export type ReadApproval = { readonly member: string; readonly at: Date; readonly jti: string }

/** What Auth signs when a member approves. @param jti Unique. */
export function approvalClaims({ application, digest }: Approved, { member, roles, issuer, jti, at }: {
  member: string
  roles: readonly string[]
  issuer: string
  jti: string
  at: Date
}): ApprovalClaims {
  const iat = Math.floor(at.getTime() / 1000)
  return {
    iss: issuer, aud: APPROVAL_AUDIENCE, sub: member, iat, exp: iat + APPROVAL_SECONDS, jti, roles: [...roles],
    authorization_details: [{ type: APPROVES, application, digest }],
  }
}

/**
 * Whether claims that Auth signed approve exactly this content; everything but the signature.
 *
 * @param now Also `exp` must lie ahead when `mustBeFresh`; what was recorded in time goes on counting without.
 * @throws {Failure} `APPROVAL_INVALID` with the reason.
 */
export function readApproval(claims: unknown, of: Approved, { issuer, now, mustBeFresh, toleranceSeconds }: {
  issuer: string
  now: Date
  mustBeFresh: boolean
  toleranceSeconds: number
}): ReadApproval {
  const read = Claims.safeParse(claims)
  if (!read.success) {
    const places = [...new Set(read.error.issues.map(({ path }) => path.join('.')))].sort().join(', ')
    throw doesNotCount('claims', `it lacks a claim, or has one that is not understood: ${places}`)
  }
  const { iss, aud, sub, iat, exp, jti, roles, authorization_details: [approved] } = read.data
  const seconds = now.getTime() / 1000
  if (iss !== issuer) throw doesNotCount('issuer', 'it was issued by somebody else')
  if (aud !== APPROVAL_AUDIENCE) throw doesNotCount('audience', 'it is meant for somebody else')
  if (iat > seconds + toleranceSeconds) throw doesNotCount('not_yet_valid', 'it was issued in the future')
  if (exp <= iat || exp - iat > APPROVAL_SECONDS) throw doesNotCount('claims', `it must expire within ${APPROVAL_SECONDS} seconds of being issued`)
  if (mustBeFresh && exp <= seconds - toleranceSeconds) throw doesNotCount('expired', 'it has expired: have it approved again')
  if (!roles.includes('council')) throw doesNotCount('role', `\`${sub}\` is not a member of the council`)
  if (approved.application !== of.application) throw doesNotCount('application', `it is for the application \`${approved.application}\`, not \`${of.application}\``)
  if (approved.digest !== of.digest) throw doesNotCount('digest', 'it is for another content: ask for an approval of this one')
  return { member: sub, at: new Date(iat * 1000), jti }
}

/** @param reason For programs; the message is for people. */
export function doesNotCount(reason: string, because: string, cause?: unknown): Failure {
  return new Failure('APPROVAL_INVALID', `the approval does not count: ${because}`, { details: { reason }, cause })
}

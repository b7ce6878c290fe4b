import { compactVerify, errors, SignJWT, importJWK } from 'jose'
import type { JWK, JWTVerifyGetKey } from 'jose'
import { Failure } from '#core/failure.ts'
import { parseJson } from '#core/json.ts'
import { APPROVAL_TYPE, approvalClaims, doesNotCount, readApproval, type Approved, type ReadApproval } from '#core/revision/approval.ts'

/** The only algorithm of approvals. What a token itself says is never asked. */
const ALGORITHM = 'ES256'
const BYTES_MAX = 4_096

/** Signs a member's approval of one content. Only Auth holds a key for it. */
export async function signApproval(of: Approved, by: Parameters<typeof approvalClaims>[1], key: JWK & { readonly kid: string }): Promise<string> {
  return new SignJWT(approvalClaims(of, by)).setProtectedHeader({ alg: ALGORITHM, typ: APPROVAL_TYPE, kid: key.kid }).sign(await importJWK({ ...key }, ALGORITHM))
}

/**
 * Whether a token is an approval of exactly this content.
 *
 * @param options `now` demands that it has not expired, `recorded` does not: what was handed in in time goes on counting. Nothing else differs.
 * @throws {Failure} `APPROVAL_INVALID` with the reason; whatever the source of keys throws when there are none.
 */
export type VerifyApproval = (token: string, of: Approved, options?: { readonly at: 'now' | 'recorded' }) => Promise<ReadApproval>

/**
 * A verifier of approvals: ES256, `acgs-approval+jwt`, signed by a key of Auth that the token names.
 *
 * A key that the token brings along (`jwk`, `jku`, `x5c`) is never used: keys come from `keys` alone.
 */
export function createApprovalVerifier({ issuer, keys, clockToleranceSeconds = 5, now = () => new Date() }: {
  issuer: string
  keys: JWTVerifyGetKey
  clockToleranceSeconds?: number
  now?: () => Date
}): VerifyApproval {
  return async (token, of, { at } = { at: 'now' }) => {
    if (Buffer.byteLength(token) > BYTES_MAX) throw doesNotCount('oversize', `it is longer than ${BYTES_MAX} bytes`)
    const { payload, protectedHeader } = await compactVerify(token, (header, input) => {
      if (header.typ !== APPROVAL_TYPE) throw doesNotCount('type', `it is no approval (\`typ\` must be ${APPROVAL_TYPE})`)
      if (typeof header.kid !== 'string') throw doesNotCount('unknown_key', 'it does not name its key')
      if (header.crit !== undefined) throw doesNotCount('malformed', 'critical header parameters are not understood')
      return keys({ ...header, alg: header.alg, b64: true }, input)
    }, { algorithms: [ALGORITHM] }).catch(rise)
    if (protectedHeader.alg !== ALGORITHM) throw doesNotCount('algorithm', `it is not signed with ${ALGORITHM}`)
    return readApproval(claimsIn(payload), of, { issuer, now: now(), mustBeFresh: at === 'now', toleranceSeconds: clockToleranceSeconds })
  }
}

function claimsIn(payload: Uint8Array): unknown {
  try {
    return parseJson(Buffer.from(payload))
  } catch (cause) {
    throw doesNotCount('malformed', 'what it says is not JSON', cause)
  }
}

function rise(error: unknown): never {
  if (error instanceof Failure) throw error
  if (error instanceof errors.JOSEAlgNotAllowed) throw doesNotCount('algorithm', `it is not signed with ${ALGORITHM}`, error)
  if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) throw doesNotCount('unknown_key', 'Auth has no such key', error)
  if (error instanceof errors.JWSSignatureVerificationFailed) throw doesNotCount('signature', 'its signature does not fit', error)
  if (error instanceof errors.JOSEError || error instanceof TypeError) throw doesNotCount('malformed', 'it is not a token', error)
  throw error
}

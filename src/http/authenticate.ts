import { createLocalJWKSet, errors, jwtVerify } from 'jose'
import type { JSONWebKeySet, JWTVerifyGetKey } from 'jose'
import { z } from 'zod'
import { Failure } from '#core/failure.ts'
import type { AuthenticationFailure } from '#telemetry/metrics.ts'
import { ROLES } from './contract.ts'
import type { Caller, Role } from './contract.ts'

/** The only algorithms that a token may be signed with. What the token itself says is never asked. */
export const ALGORITHMS = ['ES256', 'EdDSA'] as const

/** The claims of RFC 9068 that we insist on, and ours. */
export const AccessTokenClaims = z.object({
  iss: z.string(),
  sub: z.string().min(1).max(255),
  aud: z.union([z.string(), z.array(z.string())]),
  exp: z.number(),
  iat: z.number(),
  jti: z.string().min(1).max(255),
  client_id: z.string().min(1).max(255),
  roles: z.array(z.enum(ROLES)).max(ROLES.length),
  scope: z.string().optional(),
})
export type AccessTokenClaims = z.infer<typeof AccessTokenClaims>

/** Judges a bearer token; throws UNAUTHENTICATED (with `reason` in its details) or AUTH_UNAVAILABLE. */
export type VerifyToken = (token: string) => Promise<AccessTokenClaims>

/** For whom a token must be meant; `peers`: the role `service` counts only in a token that is meant for our own processes. */
export type Audience = 'users' | 'peers' | 'either'

/**
 * Judges the Authorization header of a request; without an audience, tokens of users count. Who is known already is answered at once.
 *
 * @param connection What the request came by, where that is known: whoever sends the same header again there is known without a search.
 */
export type Authenticate = (header: string | undefined, audience?: Audience, connection?: object) => Promise<Caller> | Caller

/**
 * A verifier of access tokens (RFC 9068): `at+jwt`, signed by a key of the issuer under an algorithm of ours, for our audience, in time.
 *
 * A key that the token brings along (`jwk`, `jku`, `x5c`) is never used: keys come from `keys` alone.
 */
export function createVerifier({ issuer, audience, keys, tokenBytesMax, clockToleranceSeconds, now = () => new Date() }: {
  issuer: string
  audience: string
  keys: KeySource
  tokenBytesMax: number
  clockToleranceSeconds: number
  now?: () => Date
}): VerifyToken {
  return async (token) => {
    if (Buffer.byteLength(token) > tokenBytesMax) throw unauthenticated('oversize', `the token is longer than ${tokenBytesMax} bytes`)
    let payload: unknown
    try {
      ;({ payload } = await jwtVerify(token, keys, {
        issuer, audience, algorithms: [...ALGORITHMS], typ: 'at+jwt', clockTolerance: clockToleranceSeconds, currentDate: now(),
        requiredClaims: ['iss', 'sub', 'aud', 'exp', 'iat', 'jti', 'client_id'],
      }))
    } catch (error) {
      throw reasonOf(error)
    }
    const claims = AccessTokenClaims.safeParse(payload)
    if (!claims.success) throw unauthenticated('claims', 'the token lacks a claim, or has one that is not understood: ' + claims.error.issues.map((i) => i.path.join('.')).join(', '))
    return claims.data
  }
}

/**
 * Who asks, from the Authorization header.
 *
 * @param verifyPeer Judges tokens that are meant for our own processes; without it there are none.
 */
export function bearer(verify: VerifyToken, verifyPeer?: VerifyToken): Authenticate {
  const judge = async (token: string, audience: Audience): Promise<AccessTokenClaims> => {
    if (audience === 'users') return verify(token)
    try {
      if (verifyPeer !== undefined) return await verifyPeer(token)
    } catch (error) {
      if (!(error instanceof Failure && error.details['reason'] === 'audience')) throw error
    }
    const claims = await verify(token)
    return audience === 'either' ? claims : { ...claims, roles: claims.roles.filter((role) => role !== 'service') }
  }
  return async (header, audience = 'users') => {
    const claims = await judge(tokenFrom(header), audience)
    return { subject: claims.sub, clientId: claims.client_id, roles: claims.roles }
  }
}

/** What the configuration says of tokens. */
export type TokenRules = {
  readonly tokenIssuer: string
  readonly tokenAudience: string
  readonly peerAudience: string
  readonly tokenBytesMax: number
  readonly clockToleranceSeconds: number
}

/** Who asks, for users and for peers, by the keys of Auth. */
export function authenticator({ tokenIssuer: issuer, tokenAudience, peerAudience, tokenBytesMax, clockToleranceSeconds }: TokenRules, keys: KeySource): { verify: VerifyToken; authenticate: Authenticate } {
  const of = (audience: string) => createVerifier({ issuer, audience, keys, tokenBytesMax, clockToleranceSeconds })
  const verify = of(tokenAudience)
  return { verify, authenticate: bearer(verify, of(peerAudience)) }
}

/** @throws {Failure} UNAUTHENTICATED when there is no `Authorization: Bearer …`. */
export function tokenFrom(header: string | undefined): string {
  if (header === undefined) throw unauthenticated('missing', 'this needs a token: send `Authorization: Bearer …` (`acgs token --role author` prints one)')
  const match = /^Bearer +([A-Za-z0-9\-._~+/]+=*)$/i.exec(header)
  if (match === null) throw unauthenticated('malformed', 'the Authorization header is not of the form `Bearer TOKEN`')
  return match[1]!
}

/** Passes when the caller holds one of the roles. */
export function authorize(caller: Caller, roles: readonly Role[]): void {
  if (roles.some((role) => caller.roles.includes(role))) return
  const held = caller.roles.length === 0 ? 'no role' : caller.roles.map((role) => `\`${role}\``).join(', ')
  throw new Failure('FORBIDDEN', `this needs the role ${roles.map((role) => `\`${role}\``).join(' or ')}; the token has ${held}`, { details: { reason: 'role', required: roles } })
}

/** Where verification keys come from; throws AUTH_UNAVAILABLE when there are none and none can be had. */
export type KeySource = JWTVerifyGetKey

/**
 * Keys that Auth publishes, fetched when first needed and remembered for as long as the process lives.
 *
 * They are fetched again once they are older than `refreshMs`, and at once (though not more often than every `cooldownMs`) for a token
 * whose key is not among them. While Auth is out, what was fetched last still counts.
 */
export function publishedKeys({ fetchKeys, refreshMs = 300_000, cooldownMs = 10_000, now = Date.now }: {
  fetchKeys: () => Promise<JSONWebKeySet>
  refreshMs?: number
  cooldownMs?: number
  now?: () => number
}): KeySource {
  let known: { resolve: ReturnType<typeof createLocalJWKSet>; at: number } | null = null
  let attemptedAt = Number.NEGATIVE_INFINITY
  let underWay: Promise<boolean> | null = null

  const refresh = (): Promise<boolean> => {
    underWay ??= (async () => {
      attemptedAt = now()
      try {
        known = { resolve: createLocalJWKSet(await fetchKeys()), at: now() }
        return true
      } catch {
        return false
      } finally {
        underWay = null
      }
    })()
    return underWay
  }

  return async (header, token) => {
    if (known === null) await refresh()
    else if (now() - known.at > refreshMs && now() - attemptedAt > cooldownMs) void refresh()
    if (known === null) throw new Failure('AUTH_UNAVAILABLE', 'the keys of Auth cannot be had, and none are known yet', { details: { reason: 'unavailable' } })
    const used = known
    try {
      return await used.resolve(header, token)
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error
      // Newer keys may have arrived meanwhile, or be on their way, or may be asked for.
      const mayAsk = underWay !== null || now() - attemptedAt > cooldownMs
      if (known === used && !(mayAsk && (await refresh()))) throw error
      return await known.resolve(header, token)
    }
  }
}

/** Fetches the key set of Auth over HTTP. */
export function fetchJwks(authUrl: string, timeoutMs = 2_000): () => Promise<JSONWebKeySet> {
  return async () => {
    const response = await fetch(`${authUrl}/.well-known/jwks.json`, { signal: AbortSignal.timeout(timeoutMs), redirect: 'error' })
    if (!response.ok) throw new Failure('AUTH_UNAVAILABLE', `Auth answered ${response.status} when asked for its keys`)
    return z.object({ keys: z.array(z.looseObject({ kty: z.string() })) }).parse(await response.json()) as JSONWebKeySet
  }
}

export function unauthenticated(reason: AuthenticationFailure, message: string, cause?: unknown): Failure {
  return new Failure('UNAUTHENTICATED', message, { details: { reason }, cause })
}

function reasonOf(error: unknown): Failure {
  if (error instanceof Failure) return error
  if (error instanceof errors.JWTExpired) return unauthenticated('expired', 'the token has expired: ask for a new one', error)
  if (error instanceof errors.JWTClaimValidationFailed) {
    switch (error.claim) {
      case 'iss': return unauthenticated('issuer', 'the token was issued by somebody else', error)
      case 'aud': return unauthenticated('audience', 'the token is meant for somebody else', error)
      case 'nbf': return unauthenticated('not_yet_valid', 'the token is not valid yet', error)
      case 'typ': return unauthenticated('type', 'this is not an access token (`typ` must be at+jwt)', error)
      default: return unauthenticated('claims', `the claim \`${error.claim}\` is missing or not right`, error)
    }
  }
  if (error instanceof errors.JOSEAlgNotAllowed) return unauthenticated('algorithm', `the token's algorithm is not among ${ALGORITHMS.join(', ')}`, error)
  if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) return unauthenticated('unknown_key', 'Auth has no such key', error)
  if (error instanceof errors.JWSSignatureVerificationFailed) return unauthenticated('signature', 'the signature does not fit: the token was changed on the way, or is somebody else’s; ask for a new one (`acgs token --role author` prints one)', error)
  if (error instanceof errors.JOSEError || error instanceof TypeError) return unauthenticated('malformed', 'this is not a token: `acgs token --role author` prints one', error)
  throw error
}

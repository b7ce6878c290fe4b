import { Failure } from '#core/failure.ts'
import { scopeOf } from '#http/roles.ts'
import { readOwnKey } from './keys.ts'
import { requestToken, type ObtainedToken } from './obtain-token.ts'

/** A token with so little time left may expire on its way. */
const SPARE_MS = 30_000

/**
 * Tokens with which one of our processes asks the others, each used until shortly before it expires.
 *
 * The key is read here, so that one that cannot be read stops the start.
 *
 * @returns what gives a token. It throws {Failure} `PEER_UNAVAILABLE` when Auth is out or refuses and no token is left.
 * @throws {Failure} FILE_UNREADABLE, KEY_INVALID
 */
export function peerTokens({ clientId, keyFile, audience, authUrl, issuer, guard = (work) => work(), now = Date.now }: {
  clientId: string
  keyFile: string
  audience: string
  authUrl: string
  issuer: string
  /** Stands in front of Auth. */
  guard?: <T>(work: () => Promise<T>) => Promise<T>
  now?: () => number
}): () => Promise<string> {
  const key = readOwnKey(keyFile)
  let held: { token: string; goodUntil: number; expiresAt: number } | null = null
  let underWay: Promise<string> | null = null

  const fetch = async (): Promise<string> => {
    const askedAt = now()
    let obtained: ObtainedToken
    try {
      obtained = await guard(() => requestToken({ clientId, key, scope: scopeOf('service'), resource: audience, authUrl, issuer, remedy: 'does its list of service accounts name it, with `"audiences": ["peers"]` and this key?' }))
    } catch (cause) {
      if (held !== null && now() < held.expiresAt) return held.token // Auth is out, and what it gave still counts.
      if (!(cause instanceof Failure)) throw cause
      throw new Failure('PEER_UNAVAILABLE', `no token to ask other processes with: ${cause.message}`, { cause, details: { peer: 'auth' } })
    }
    const ms = obtained.expiresIn * 1000
    held = { token: obtained.accessToken, goodUntil: askedAt + Math.max(ms - SPARE_MS, ms / 2), expiresAt: askedAt + ms }
    return held.token
  }
  return async () => {
    if (held !== null && now() < held.goodUntil) return held.token
    underWay ??= fetch().finally(() => (underWay = null))
    return underWay
  }
}

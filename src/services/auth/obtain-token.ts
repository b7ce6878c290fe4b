import { randomUUID } from 'node:crypto'
import { SignJWT, importJWK } from 'jose'
import { Failure } from '#core/failure.ts'
import type { Role } from '#http/contract.ts'
import { scopeOf } from '#http/roles.ts'
import { whyUntrusted } from '#http/trust.ts'
import { postToken } from './contract.ts'
import { clientFile, clientKey, embeddedClientId, keysFolder, type PrivateKey } from './keys.ts'

export type ObtainedToken = { readonly accessToken: string; readonly expiresIn: number }

const TIMEOUT_MS = 5_000
/** How long what an account says of itself counts: clocks that are further apart keep it from getting a token. */
const ASSERTION_SECONDS = 60

/**
 * A token for one role, asked for with the key that the embedded default keeps in its data folder.
 *
 * @param issuer What Auth calls itself; the address under which it is reached unless configured otherwise.
 * @throws {Failure} FILE_UNREADABLE when there is no such key, PEER_UNAVAILABLE when Auth does not answer, UNAUTHENTICATED when it refuses.
 */
export async function obtainToken({ dataDir, role, authUrl, issuer = authUrl }: { dataDir: string; role: Role; authUrl: string; issuer?: string }): Promise<ObtainedToken> {
  return requestToken({
    clientId: embeddedClientId(role), key: keyOf(keysFolder(dataDir), role), scope: scopeOf(role), authUrl, issuer,
    remedy: `does the data folder \`${dataDir}\` belong to the server that runs there?`,
  })
}

/**
 * A token for a service account, asked for with its key.
 *
 * @param resource For whom the token shall be meant; without it, whatever the account gets by default.
 * @param remedy What to look at when Auth refuses.
 * @throws {Failure} PEER_UNAVAILABLE when Auth does not answer, AUTH_UNAVAILABLE when it cannot, UNAUTHENTICATED when it refuses.
 */
export async function requestToken({ clientId, key, scope, resource, authUrl, issuer, remedy }: {
  clientId: string
  key: PrivateKey
  scope: string
  resource?: string
  authUrl: string
  issuer: string
  remedy: string
}): Promise<ObtainedToken> {
  const assertion = await new SignJWT()
    .setProtectedHeader({ alg: 'ES256', kid: key.kid, typ: 'JWT' })
    .setIssuer(clientId).setSubject(clientId).setAudience(issuer).setJti(randomUUID()).setIssuedAt().setExpirationTime(`${ASSERTION_SECONDS} seconds`)
    .sign(await importJWK({ ...key }, 'ES256'))
  const response = await post(`${authUrl}${postToken.path}`, new URLSearchParams({
    grant_type: 'client_credentials',
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: assertion,
    scope,
    ...(resource === undefined ? {} : { resource }),
  }), authUrl)
  const body: unknown = await response.json().catch(() => null)
  const reply = postToken.reply.safeParse(body)
  if (response.ok && reply.success) return { accessToken: reply.data.access_token, expiresIn: reply.data.expires_in }
  const said = typeof body === 'object' && body !== null && 'error' in body ? `${String(body.error)}${'error_description' in body ? `: ${String(body.error_description)}` : ''}` : `status ${response.status}`
  if (response.status >= 500) throw new Failure('AUTH_UNAVAILABLE', `Auth at ${authUrl} cannot issue tokens at present (${said}): look at its /health`)
  const apart = (Date.parse(response.headers.get('date') ?? '') - Date.now()) / 1000
  const theirs = await issuerOf(authUrl)
  const why = theirs !== null && theirs !== issuer ? `Auth calls itself ${theirs}, and was addressed as ${issuer}: name it as it does, by its address or by ACGS_SECURITY_TOKEN_ISSUER` : Math.abs(apart) > ASSERTION_SECONDS ? `the clock of Auth is ${Math.abs(apart).toFixed(0)} s ${apart > 0 ? 'ahead of' : 'behind'} that of this machine: set the one that is wrong` : remedy
  throw new Failure('UNAUTHENTICATED', `Auth at ${authUrl} refused the account \`${clientId}\` (${said}): ${why}`)
}

/** What Auth calls itself (RFC 8414); null when it does not say. */
async function issuerOf(authUrl: string): Promise<string | null> {
  try {
    const said = (await (await fetch(`${authUrl}/.well-known/oauth-authorization-server`, { signal: AbortSignal.timeout(TIMEOUT_MS) })).json()) as { issuer?: unknown }
    return typeof said.issuer === 'string' ? said.issuer : null
  } catch {
    return null
  }
}

function keyOf(folder: string, role: Role): PrivateKey {
  try {
    return clientKey(folder, role)
  } catch (cause) {
    if (!(cause instanceof Failure) || cause.code !== 'FILE_UNREADABLE') throw cause
    throw new Failure('FILE_UNREADABLE', `there is no key for the role \`${role}\` in \`${folder}\`: start the server once (./acgs serve), or name its data folder with --data; in production, which makes no keys, the folder that has keys/${clientFile(role)}, such as ./secrets/people`, { cause })
  }
}

async function post(url: string, body: URLSearchParams, authUrl: string): Promise<Response> {
  try {
    return await fetch(url, { method: 'POST', body, signal: AbortSignal.timeout(TIMEOUT_MS), redirect: 'error' })
  } catch (cause) {
    const untrusted = whyUntrusted(cause)
    throw new Failure('PEER_UNAVAILABLE', untrusted === null ? `Auth does not answer at ${authUrl}: start it with ./acgs serve, or say where it is with AUTH_SERVICE_URL` : `Auth at ${authUrl} ${untrusted}`, { cause })
  }
}

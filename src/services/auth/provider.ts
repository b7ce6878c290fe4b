import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Configuration } from 'oidc-provider'
import type { Queryable } from '#adapters/postgres/connect.ts'
import { Failure } from '#core/failure.ts'
import { ROLES } from '#http/contract.ts'
import { scopeOf } from '#http/roles.ts'
import { authenticationFailed } from '#telemetry/events.ts'
import type { Telemetry } from '#telemetry/events.ts'
import { postToken } from './contract.ts'
import { AUDIENCES, type AudienceName, type ServiceAccount, type SigningKeys } from './keys.ts'
import { Provider, errors } from './library.ts'
import { memoryIn } from './memory.ts'

/** How long an assertion may live: a stolen one is worth little, and the memory of used ones stays small. */
const ASSERTION_SECONDS_MAX = 300

/**
 * The token endpoint: OAuth 2.0 client credentials for service accounts, by a certified implementation.
 *
 * Only its token endpoint is ever reached; everything else that it could do is off.
 *
 * @returns a handler of raw requests.
 */
export function tokenEndpoint({ issuer, audiences, ttlSeconds, clockToleranceSeconds, signing, accounts, db, telemetry }: {
  issuer: string
  audiences: Readonly<Record<AudienceName, string>>
  ttlSeconds: number
  clockToleranceSeconds: number
  signing: SigningKeys
  accounts: readonly ServiceAccount[]
  db: Queryable
  telemetry: Telemetry
}): (request: IncomingMessage, response: ServerResponse) => void {
  const rolesOf = new Map(accounts.map(({ clientId, roles }) => [clientId, roles]))
  const audiencesOf = new Map(accounts.map((account) => [account.clientId, account.audiences]))
  // What an assertion may be meant for. The library would also accept the address by which it was reached, which the Host header decides.
  const ownNames = new Set([issuer, `${issuer}${postToken.path}`])

  const configuration: Configuration = {
    adapter: memoryIn(db),
    jwks: { keys: [{ ...signing.current }] },
    clients: accounts.map(({ clientId, roles, keys }) => ({
      client_id: clientId,
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_signing_alg: 'ES256',
      scope: roles.map(scopeOf).join(' '),
      jwks: { keys: keys.map((key) => ({ ...key })) },
    })),
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    enabledJWA: { clientAuthSigningAlgValues: ['ES256'], idTokenSigningAlgValues: ['ES256'] },
    clientAuthMethods: ['private_key_jwt'],
    clockTolerance: clockToleranceSeconds,
    responseTypes: [],
    scopes: ROLES.map(scopeOf),
    routes: { token: postToken.path },
    ttl: { ClientCredentials: ttlSeconds },
    assertJwtClientAuthClaimsAndHeader: (_ctx, claims, header) => {
      const now = Math.floor(Date.now() / 1000)
      const meantFor = [claims['aud']].flat()
      if (meantFor.length !== 1 || !ownNames.has(String(meantFor[0]))) throw new errors.InvalidClientAuth('the assertion must be meant for this issuer and nobody else')
      if (Number(claims['exp']) - now > ASSERTION_SECONDS_MAX + clockToleranceSeconds) {
        throw new errors.InvalidClientAuth(`the assertion must expire within ${ASSERTION_SECONDS_MAX} seconds`)
      }
      if (claims['sub'] !== claims['iss']) throw new errors.InvalidClientAuth('sub must be the client_id')
      if (header['crit'] !== undefined) throw new errors.InvalidClientAuth('critical header parameters are not understood')
    },
    extraTokenClaims: (_ctx, token) => {
      const held = rolesOf.get(token.clientId ?? '') ?? []
      const asked = token.scope === undefined ? null : new Set(token.scope.split(' '))
      return { roles: held.filter((role) => asked === null || asked.has(scopeOf(role))) }
    },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      userinfo: { enabled: false },
      rpInitiatedLogout: { enabled: false },
      pushedAuthorizationRequests: { enabled: false },
      resourceIndicators: {
        enabled: true,
        // What an account gets that does not say what for: the first that it may have.
        defaultResource: (_ctx, client) => audiences[audiencesOf.get(client?.clientId ?? '')?.[0] ?? 'users'],
        getResourceServerInfo: (_ctx, resource, client) => {
          const named = AUDIENCES.find((name) => audiences[name] === resource)
          if (named === undefined || audiencesOf.get(client.clientId)?.includes(named) !== true) throw new errors.InvalidTarget('this account gets no tokens for that audience')
          return { audience: resource, scope: ROLES.map(scopeOf).join(' '), accessTokenFormat: 'jwt', accessTokenTTL: ttlSeconds, jwt: { sign: { alg: 'ES256' } } }
        },
      },
    },
    renderError: (ctx, out) => { ctx.body = out },
  }
  const provider = new Provider(issuer, configuration)
  provider.on('grant.error', (_ctx, error) => {
    if (error.error === 'invalid_client') authenticationFailed(telemetry, { reason: 'client' })
    else telemetry.log.info({ error: error.error }, 'token refused')
  })
  provider.on('grant.success', (ctx) => telemetry.log.info({ client_id: ctx.oidc.client?.clientId }, 'token issued'))
  provider.on('server_error', (ctx, error) => {
    telemetry.log.error({ err: error }, 'token endpoint failed')
    if (!(error instanceof Failure && error.code === 'DATABASE_UNAVAILABLE')) return
    ctx.status = 503
    ctx.set('retry-after', '5')
    ctx.body = { error: 'temporarily_unavailable', error_description: 'whether the assertion was used before cannot be known at present' }
  })
  const koa: NodeJS.EventEmitter = provider
  koa.on('error', (error: unknown) => telemetry.log.error({ err: error }, 'token endpoint failed'))
  const callback = provider.callback()
  return (request, response) => void callback(request, response)
}

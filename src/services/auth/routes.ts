import type { InForce } from '#http/headers.ts'
import { tokenFrom, unauthenticated } from '#http/authenticate.ts'
import type { VerifyToken } from '#http/authenticate.ts'
import { ROLES, route } from '#http/contract.ts'
import type { Caller, Input, Route } from '#http/contract.ts'
import { ROLE_MEANINGS, scopeOf } from '#http/roles.ts'
import { Failure } from '#core/failure.ts'
import { APPROVAL_SECONDS, type Approved } from '#core/revision/approval.ts'
import { getAuthorizationServer, getInfo, getJwks, getOpenIdConfiguration, postApproval, postToken, postValidate, postVerify } from './contract.ts'
import type { PublicKey } from './keys.ts'

/** What the operations of Auth need; `refused` is told of every token that is not valid. */
export type Use = {
  readonly service: string
  readonly version: string
  readonly issuer: string
  readonly audience: string
  readonly ttlSeconds: number
  readonly published: readonly PublicKey[]
  readonly verify: VerifyToken
  /** Signs that a member approves, at a time. */
  readonly approve: (approved: Approved & { readonly revision: number }, member: Caller, at: Date) => Promise<string>
  readonly constitution: InForce
  readonly now: () => Date
}

export function routes(use: Use): readonly Route[] {
  const endpoints = { token_endpoint: `${use.issuer}${postToken.path}`, jwks_uri: `${use.issuer}${getJwks.path}` }
  const judge = async ({ body, headers }: Pick<Input<typeof postVerify>, 'body' | 'headers'>) => {
    const inHeader = headers['authorization'] === undefined ? undefined : tokenFrom(String(headers['authorization']))
    if (body !== undefined && inHeader !== undefined && body.token !== inHeader) {
      throw new Failure('REQUEST_MALFORMED', 'body.token: is another token than the one in the Authorization header; send one of them', { problems: [{ place: 'body.token', message: 'differs from the header' }] })
    }
    const token = body?.token ?? inHeader
    if (token === undefined) throw unauthenticated('missing', 'there is no token to judge: send {"token": …} or `Authorization: Bearer …`')
    const claims = await use.verify(token)
    return {
      valid: true as const,
      user_id: claims.sub,
      username: claims.client_id,
      roles: claims.roles,
      scopes: claims.scope === undefined ? [] : claims.scope.split(' '),
      expires_at: new Date(claims.exp * 1000).toISOString(),
    }
  }
  const discovery = () => ({
    issuer: use.issuer,
    ...endpoints,
    grant_types_supported: ['client_credentials'],
    response_types_supported: [],
    scopes_supported: ROLES.map(scopeOf),
    token_endpoint_auth_methods_supported: ['private_key_jwt'],
    token_endpoint_auth_signing_alg_values_supported: ['ES256'],
  })
  return [
    route(postVerify, judge),
    route(postValidate, judge),
    route(postApproval, async ({ body, caller }) => {
      const at = use.now()
      const token = await use.approve(body, caller, at)
      return { approval_token: token, expires_at: new Date((Math.floor(at.getTime() / 1000) + APPROVAL_SECONDS) * 1000).toISOString() }
    }),
    route(getJwks, () => ({ keys: use.published.map((key) => ({ ...key })) })),
    route(getAuthorizationServer, discovery),
    route(getOpenIdConfiguration, discovery),
    route(getInfo, () => ({
      service: use.service,
      version: use.version,
      issuer: use.issuer,
      audience: use.audience,
      ...endpoints,
      token_ttl_seconds: use.ttlSeconds,
      grant_types: ['client_credentials'],
      roles: ROLES.map((role) => ({ role, scope: scopeOf(role), meaning: ROLE_MEANINGS[role] })),
      constitutional_hash: use.constitution.hash,
      timestamp: use.now().toISOString(),
    })),
  ]
}

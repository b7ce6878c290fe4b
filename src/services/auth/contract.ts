import { z } from 'zod'
import { ApplicationName } from '#core/revision/application.ts'
import { ROLES } from '#http/contract.ts'
import type { Endpoint } from '#http/contract.ts'
import { MAY } from '#http/roles.ts'

const Role = z.enum(ROLES)

const Token = z.string().min(1).describe('The access token, without `Bearer`')
const TokenBody = z.strictObject({ token: Token }).optional().describe('May be left out when the token is in the Authorization header')

const Judged = z.strictObject({
  valid: z.literal(true),
  user_id: z.string(),
  username: z.string(),
  roles: z.array(Role),
  scopes: z.array(z.string()),
  expires_at: z.iso.datetime(),
})

const judging = {
  method: 'POST',
  summary: 'Judges a token',
  description: 'The token comes in the body or in the Authorization header; both at once only if they are the same. 401 when it is not valid.',
  access: 'public',
  body: TokenBody,
  reply: Judged,
  failures: ['UNAUTHENTICATED', 'AUTH_UNAVAILABLE'],
} as const

export const postVerify = { ...judging, path: '/auth/verify' } as const satisfies Endpoint
export const postValidate = { ...judging, path: '/api/v1/auth/validate' } as const satisfies Endpoint

export const postToken = {
  method: 'POST',
  path: '/api/v1/auth/token',
  summary: 'A token for a service account',
  description:
    'OAuth 2.0 client credentials (RFC 6749) with private_key_jwt (RFC 7523): an assertion that the account signs with its own key, for this issuer, used once, ' +
    'at most five minutes long. Errors have the shape of RFC 6749, section 5.2. `scope` may narrow the roles: `acgs:author`.',
  access: 'public',
  consumes: 'application/x-www-form-urlencoded',
  body: z.object({
    grant_type: z.literal('client_credentials'),
    client_assertion_type: z.literal('urn:ietf:params:oauth:client-assertion-type:jwt-bearer'),
    client_assertion: z.string(),
    scope: z.string().optional(),
  }),
  reply: z.object({ access_token: z.string(), token_type: z.literal('Bearer'), expires_in: z.int().positive(), scope: z.string().optional() }),
  failures: [],
} as const satisfies Endpoint

export const postApproval = {
  method: 'POST',
  path: '/api/v1/auth/approvals',
  summary: 'A council member’s approval of one revision, signed',
  description:
    'The token says that this member approves exactly the content with this digest, and nothing else (RFC 9396); it is handed in at the platform ' +
    'within the hour. Whether the member proposed or wrote a part of it is judged where it is handed in, and again by whoever loads the bundle.',
  access: MAY.approve,
  body: z.strictObject({
    application: ApplicationName,
    revision: z.int().positive().describe('The number it was proposed under; the approval is for the content, and counts again when a later number brings it back'),
    digest: z.string().regex(/^[0-9a-f]{64}$/).describe('Of the content, as the proposal names it'),
  }),
  reply: z.strictObject({ approval_token: z.string(), expires_at: z.iso.datetime() }),
  failures: [],
} as const satisfies Endpoint

export const getInfo = {
  method: 'GET',
  path: '/api/v1/auth/info',
  summary: 'Who issues tokens, for whom, and what the roles are',
  access: 'public',
  reply: z.strictObject({
    service: z.string(),
    version: z.string(),
    issuer: z.string(),
    audience: z.string(),
    token_endpoint: z.string(),
    jwks_uri: z.string(),
    token_ttl_seconds: z.int(),
    grant_types: z.array(z.string()),
    roles: z.array(z.strictObject({ role: Role, scope: z.string(), meaning: z.string() })),
    constitutional_hash: z.string(),
    timestamp: z.iso.datetime(),
  }),
  failures: [],
} as const satisfies Endpoint

export const getJwks = {
  method: 'GET',
  path: '/.well-known/jwks.json',
  summary: 'The keys that tokens are verified with',
  access: 'public',
  reply: z.strictObject({
    keys: z.array(z.strictObject({ kty: z.string(), crv: z.string(), x: z.string(), y: z.string(), kid: z.string(), alg: z.string(), use: z.string() })),
  }),
  failures: [],
} as const satisfies Endpoint

const discovering = {
  method: 'GET',
  summary: 'What this authorization server can do',
  description: 'RFC 8414. There is no sign-in for people yet, so there is no authorization endpoint.',
  access: 'public',
  reply: z.strictObject({
    issuer: z.string(),
    token_endpoint: z.string(),
    jwks_uri: z.string(),
    grant_types_supported: z.array(z.string()),
    response_types_supported: z.array(z.string()),
    scopes_supported: z.array(z.string()),
    token_endpoint_auth_methods_supported: z.array(z.string()),
    token_endpoint_auth_signing_alg_values_supported: z.array(z.string()),
  }),
  failures: [],
} as const

export const getAuthorizationServer = { ...discovering, path: '/.well-known/oauth-authorization-server' } as const satisfies Endpoint
export const getOpenIdConfiguration = { ...discovering, path: '/.well-known/openid-configuration' } as const satisfies Endpoint

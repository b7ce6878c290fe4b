import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { createLocalJWKSet } from 'jose'
import type { JSONWebKeySet } from 'jose'
import { ROOT, type Config } from '#config'
import { signApproval } from '#adapters/keys/approval.ts'
import type { Database } from '#adapters/postgres/connect.ts'
import { migrate, readMigrations } from '#adapters/postgres/migrate.ts'
import { Failure } from '#core/failure.ts'
import { authenticator } from '#http/authenticate.ts'
import type { Authenticate } from '#http/authenticate.ts'
import type { InForce } from '#http/headers.ts'
import { createHealth, type Component } from '#http/health.ts'
import type { RateLimits } from '#http/rate-limit.ts'
import { createServer } from '#http/server.ts'
import type { Server } from '#http/server.ts'
import { openEdge, type OwnEdge } from '#services/edge.ts'
import { approvalSigned, type Telemetry } from '#telemetry/events.ts'
import { postToken } from './contract.ts'
import { embeddedKeys, keysFolder, readServiceAccounts, readSigningKeys } from './keys.ts'
import type { ServiceAccount, SigningKeys } from './keys.ts'
import { tokenEndpoint } from './provider.ts'
import { routes } from './routes.ts'

const SERVICE = 'acgs-auth'

/** Service accounts and their tokens: the only holder of the key that signs them. `authenticate` and `jwks` spare the same process a call to itself. */
export async function startAuth({ config, version, constitution, database, components, telemetry, limits = null, edge = openEdge(config) }: {
  config: Config
  version: string
  constitution: InForce
  database: Database
  /** What its health looks at; the database, where nothing is named. */
  components?: readonly Component[]
  telemetry: Telemetry
  limits?: RateLimits | null
  edge?: OwnEdge
}): Promise<{ server: Server; authenticate: Authenticate; jwks: () => Promise<JSONWebKeySet> }> {
  const { security } = config
  const { signing, accounts } = keysFor(config)
  await migrate(database, readMigrations(join(ROOT, 'migrations', 'auth')), 'auth')
  const jwks: JSONWebKeySet = { keys: signing.published.map((key) => ({ ...key })) }
  const { verify, authenticate } = authenticator(security, createLocalJWKSet(jwks))
  const health = createHealth({
    service: SERVICE, version, constitution, telemetry, intervalMs: config.monitoring.probeIntervalMs, timeoutMs: config.monitoring.probeTimeoutMs,
    components: [...edge.components, ...(components ?? [{ name: 'database', isCritical: true, probe: async () => (await database.query('select 1'), { status: 'healthy' }) }])],
  })
  const server = await createServer({
    service: SERVICE, title: 'ACGS-PGP v8: Auth', version,
    description: 'Tokens for service accounts, and whether a token is valid.',
    constitution, health, telemetry, authenticate, limits, edge, bodyBytesMax: security.bodyBytesMax,
    routes: routes({
      service: SERVICE, version, issuer: security.tokenIssuer, audience: security.tokenAudience, ttlSeconds: security.tokenTtlSeconds,
      published: signing.published, verify, constitution, now: () => new Date(),
      approve: async (approved, { subject, roles }, at) => {
        const jti = randomUUID()
        const token = await signApproval(approved, { member: subject, roles, issuer: security.tokenIssuer, jti, at }, signing.current)
        approvalSigned(telemetry, { ...approved, member: subject, jti })
        return token
      },
    }),
    raw: [{
      endpoint: postToken,
      handle: tokenEndpoint({
        issuer: security.tokenIssuer, audiences: { users: security.tokenAudience, peers: security.peerAudience }, ttlSeconds: security.tokenTtlSeconds,
        clockToleranceSeconds: security.clockToleranceSeconds, signing, accounts, db: database, telemetry,
      }),
    }],
  })
  await health.start()
  return { server, authenticate, jwks: async () => jwks }
}

/** What is configured; in the embedded default, what is not is generated. */
function keysFor({ service, security }: Config): { signing: SigningKeys; accounts: readonly ServiceAccount[] } {
  const { signingKeyFile, serviceAccountsFile } = security
  if (signingKeyFile !== null && serviceAccountsFile !== null) return { signing: readSigningKeys(signingKeyFile), accounts: readServiceAccounts(serviceAccountsFile) }
  if (service.environment === 'production') {
    throw new Failure('CONFIG_INVALID', 'production needs security.signing_key_file and security.service_accounts_file: nothing is generated there')
  }
  const generated = embeddedKeys(keysFolder(service.dataFolder))
  return {
    signing: signingKeyFile === null ? generated.signing : readSigningKeys(signingKeyFile),
    accounts: serviceAccountsFile === null ? generated.accounts : readServiceAccounts(serviceAccountsFile),
  }
}

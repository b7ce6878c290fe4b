import type { Config } from '#config'
import { parsePolicies } from '#adapters/cedar/cedar.ts'
import { keysIn, keySetFile, publishedKeySet } from '#adapters/keys/certificate-key.ts'
import type { ConstitutionInForce } from '#adapters/constitution.ts'
import type { Examiner } from '#adapters/examiner.ts'
import { Failure } from '#core/failure.ts'
import { examine } from '#core/generate.ts'
import { choosePack, type Pack } from '#core/unit/pack.ts'
import type { Authenticate } from '#http/authenticate.ts'
import { createHealth, type Component } from '#http/health.ts'
import type { RateLimits } from '#http/rate-limit.ts'
import { rememberCallers } from '#http/remember-callers.ts'
import { createServer, type Server } from '#http/server.ts'
import { constitutionValidated, decisionMade, timed, type Telemetry } from '#telemetry/events.ts'
import { checkpointRoutes } from './checkpoint-contract.ts'
import type { SignCheckpoint } from './checkpoint.ts'
import type { DecisionPoint } from './decision-point.ts'
import { openEdge, type OwnEdge } from '#services/edge.ts'
import { directRoutes, type Use as Decisions } from './decision-routes.ts'
import { oracleRoutes } from './oracle-contract.ts'
import type { Oracle } from './oracle.ts'
import { peerRoutes, type Use as PeerUse } from './peer-routes.ts'
import { routes } from './routes.ts'

/** The constitution and its proofs: the only holder of the certificate key; holds no database. */
export async function startCompliance({ config, version, inForce, packs, examiner, point, oracle, signCheckpoint, peers, telemetry, authenticate, limits, components, edge = openEdge(config) }: {
  config: Config
  version: string
  inForce: ConstitutionInForce
  packs: readonly Pack[]
  examiner: Examiner
  point: DecisionPoint
  oracle: Oracle
  signCheckpoint: SignCheckpoint
  /** What only the platform may ask. */
  peers: PeerUse
  telemetry: Telemetry
  authenticate: Authenticate
  limits: RateLimits
  components: readonly Component[]
  edge?: OwnEdge
}): Promise<Server> {
  const health = createHealth({
    service: 'acgs-compliance', version, constitution: inForce.shown, telemetry, components: [...edge.components, ...components, { name: 'oracle', isCritical: false, probe: oracle.probe }],
    intervalMs: config.monitoring.probeIntervalMs, timeoutMs: config.monitoring.probeTimeoutMs,
  })
  const decisions: Decisions = { point, oracle, url: config.services.complianceUrl, now: () => new Date(), decided: (verdict, seconds) => decisionMade(telemetry, { verdict, seconds }) }
  const server = await createServer({
    service: 'acgs-compliance', title: 'ACGS-PGP v8: Policy Governance and Compliance', version,
    description: 'The constitution in force, whether a policy obeys it (every article proved, or refuted by a request), and the decisions of what is active.',
    constitution: inForce.shown, health, telemetry, authenticate: rememberCallers(authenticate), limits, edge, bodyBytesMax: config.security.bodyBytesMax,
    direct: directRoutes(decisions),
    routes: [...checkpointRoutes(signCheckpoint), ...peerRoutes(peers), ...oracleRoutes(oracle), ...routes({
      constitution: inForce.constitution,
      shown: inForce.shown,
      ratification: inForce.ratification,
      threshold: config.constitutional.complianceThreshold,
      keys: () => publishedKeySet(keySetFile(keysIn(config.service.dataFolder))).keys,
      now: () => new Date(),
      decisions,
      validated: (isValid) => constitutionValidated(telemetry, { valid: isValid }),
      examine: timed(telemetry, 'validate', async ({ cedar, schema, domain }) => {
        if (schema === undefined && domain === undefined) {
          throw new Failure('REQUEST_MALFORMED', 'body.schema is missing: give the Cedar schema of the policies, or the domain whose schema it is', { problems: [{ place: 'body.schema', message: 'is missing' }] })
        }
        const vocabulary = examiner.parseSchema(schema ?? choosePack(packs, { domain, text: '' }).schema)
        return examine(parsePolicies(cedar, vocabulary), vocabulary, examiner.examining(vocabulary))
      }),
    })],
  })
  await health.start()
  return server
}

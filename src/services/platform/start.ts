import type { Config } from '#config'
import type { ConstitutionInForce } from '#adapters/constitution.ts'
import type { Examiner } from '#adapters/examiner.ts'
import type { Prover } from '#adapters/solver/prover.ts'
import type { Database } from '#adapters/postgres/connect.ts'
import { listGenerations, readGeneration } from '#adapters/postgres/generations.ts'
import { ledgerTip } from '#adapters/postgres/ledger.ts'
import { applicableTo, type Certificate } from '#core/certificate/statement.ts'
import type { BoundArticle } from '#core/constitution/article.ts'
import type { Evidence } from '#core/generate.ts'
import { STABILIZERS, TABLE_VERSION } from '#core/stabilizers/table.ts'
import type { Candidate } from '#core/synthesis/candidate.ts'
import type { Pack } from '#core/unit/pack.ts'
import type { GenerateBody } from '#core/unit/request.ts'
import type { SemanticUnit } from '#core/unit/semantic-unit.ts'
import { toUnit } from '#core/unit/to-unit.ts'
import type { Authenticate } from '#http/authenticate.ts'
import { createHealth, type Component } from '#http/health.ts'
import type { RateLimits } from '#http/rate-limit.ts'
import { openEdge, type OwnEdge } from '#services/edge.ts'
import type { SelfTest } from '#services/self-test/self-test.ts'
import { createServer, type Server } from '#http/server.ts'
import { certificateRevoked, revisionUnsigned, type Telemetry } from '#telemetry/events.ts'
import { countSeries } from '#telemetry/metrics.ts'
import { createAdmission } from './admission.ts'
import { createAttempt } from './attempt.ts'
import { createSystemLook } from './diagnose-system.ts'
import { createDiagnostics } from './diagnostics.ts'
import { diagnosticRoutes } from './diagnostic-routes.ts'
import { createProgress } from './progress.ts'
import { createRequests } from './requests.ts'
import { ledgerRoutes, type LedgerUse } from './ledger-routes.ts'
import { recordNotice } from '#adapters/postgres/notices.ts'
import { readBundle, readCertificateStatus, readHeads } from '#adapters/postgres/revisions.ts'
import type { Bundle } from '#core/revision/bundle.ts'
import type { BundleRequest } from '#services/compliance/bundles.ts'
import { applicationRoutes } from './application-routes.ts'
import { readTogether } from './read-together.ts'
import { createReproof } from './reproof.ts'
import { noticeRoutes } from './notice-contract.ts'
import { revisionRoutes } from './revision-routes.ts'
import { createDiffer } from './difference.ts'
import { createRevisions, type Given as RevisionsGiven } from './revisions.ts'
import { createApplications } from './applications.ts'
import { routes, type Use } from './routes.ts'

/** What the platform is given: it holds the database and no key. */
export type Given = {
  readonly config: Config
  readonly version: string
  readonly inForce: ConstitutionInForce
  readonly packs: readonly Pack[]
  readonly examiner: Examiner
  readonly database: Database
  /** The same database, by connections that only what is held is told through. */
  readonly holds: Database
  readonly ledger: LedgerUse
  readonly telemetry: Telemetry
  readonly authenticate: Authenticate
  readonly limits: RateLimits
  readonly propose: (unit: SemanticUnit, bound: readonly BoundArticle[]) => Promise<readonly Candidate[]>
  readonly certify: (evidence: Evidence, author: string) => Promise<Certificate | null>
  readonly readers: readonly string[]
  readonly solver: string
  /** What start-up found when it tested itself. */
  readonly selfTest: SelfTest
  /** How the pool of solvers stands. */
  readonly pool: Prover['pool']
  readonly components: readonly Component[]
  readonly edge?: OwnEdge
  /** Told when an application, its entities or what decides for it changed: the decision point of the same process looks at once. */
  readonly onChanged?: () => void
  /** Compliance: judges a whole revision again, then signs it. */
  readonly bundle: (request: BundleRequest) => Promise<Bundle>
  readonly approvalOf: RevisionsGiven['approvalOf']
  readonly diff: Prover['diff']
}

export async function startPlatform(given: Given): Promise<Server> {
  const { config, version, inForce, packs, database, telemetry, edge = openEdge(given.config) } = given
  const onChanged = given.onChanged ?? (() => {})
  const revisions = createRevisions({
    database, examiner: given.examiner, inForce, threshold: config.constitutional.complianceThreshold, bundle: given.bundle, approvalOf: given.approvalOf,
    differ: createDiffer({ diff: given.diff, database }),
    onChanged, onUnsigned: (application, revision, because) => revisionUnsigned(telemetry, { application, revision, because }),
    onRevoked: (certificate) => certificateRevoked(telemetry, { certificate }), now: () => new Date(),
  })
  const reproof = createReproof({ revisions, database, telemetry, now: () => new Date() })
  const components: Component[] = [...edge.components, ...given.components, given.ledger.checkpoints.component, { name: 'revisions', isCritical: false, probe: reproof.probe }]
  const health = createHealth({
    service: 'acgs-pgp-v8', version, constitution: inForce.shown, components, telemetry,
    intervalMs: config.monitoring.probeIntervalMs, timeoutMs: config.monitoring.probeTimeoutMs,
  })
  const counted = { certified: 0, refused: 0, undetermined: 0 }
  const isWell = (name: string) => (health.report().components[name]?.status === 'healthy' ? ('operational' as const) : ('degraded' as const))

  const { generationEngine, constitutional } = config
  const unitOf = (id: string, body: GenerateBody) => toUnit(id, body, { packs, constitution: inForce.constitution, parseSchema: given.examiner.parseSchema, threshold: constitutional.complianceThreshold })
  const requests = createRequests({
    database, holds: given.holds, telemetry, workersMax: generationEngine.workers, keptHours: generationEngine.idempotencyHours, backlogMax: generationEngine.backlogMax,
    unitOf,
    attempt: createAttempt({ examiner: given.examiner, database, telemetry, shown: inForce.shown, propose: given.propose, certify: given.certify }),
    onJudged: (verdict) => { counted[verdict]++ },
  })
  const progress = createProgress({ requests, streamsMax: generationEngine.eventStreamsMax })

  /** What status says from the database; null for what cannot be read. Anybody may ask, as often as they like. */
  const stored = readTogether(() => Promise.all([ledgerTip(database).catch(() => null), reproof.standing().catch(() => null)]))

  const admission = createAdmission({ atOnceMax: generationEngine.atOnceMax, waitingMax: generationEngine.waitingMax, timeoutMs: generationEngine.waitTimeoutMs, telemetry })
  const use: Use = {
    requests,
    admission,
    follow: progress.follow,
    list: (filters) => listGenerations(database, filters),
    read: (id) => readGeneration(database, id),
    status: async () => {
      const [ledger, decisions] = await stored()
      const { constitution, shown } = inForce
      return {
        overall_status: health.report().status === 'healthy' ? ('operational' as const) : ('degraded' as const),
        generation_engine: { status: isWell('generation_engine'), generations: counted, readers: [...given.readers], packs: packs.map(({ name }) => name) },
        stabilizer_environment: { status: isWell('stabilizer_environment'), table_version: TABLE_VERSION, stabilizers: STABILIZERS.length, solver: given.solver },
        diagnostic_engine: { status: isWell('diagnostic_engine'), self_test: given.selfTest },
        decisions: decisions === null ? null : { active_revisions: decisions.revisions.map((each) => ({ ...each })), revoked_certificates: decisions.revoked.map((each) => ({ ...each })), expiring_certificates: decisions.expiring.map((each) => ({ ...each })) },
        constitution: { title: constitution.title, version: constitution.version, articles: constitution.clauses.length },
        ledger: ledger === null ? null : {
          entries: ledger.size, root: ledger.root, status: isWell('ledger'), because: given.ledger.checkpoints.state().detail ?? null,
          checkpoint: given.ledger.checkpoints.newest()?.size ?? null,
        },
        constitutional_hash: shown.hash,
        constitutional_digest: shown.digest,
        timestamp: new Date().toISOString(),
      }
    },
    summary: async () => {
      const { series, families } = await countSeries(telemetry.metrics)
      return {
        constitutional_hash: inForce.shown.hash,
        constitutional_digest: inForce.shown.digest,
        system_uptime_seconds: process.uptime(),
        metrics_collected: series,
        registry_collectors: families,
        timestamp: new Date().toISOString(),
      }
    },
  }

  const applications = createApplications({ database, examiner: given.examiner, telemetry, onChanged: () => (onChanged(), reproof.look()), now: () => new Date() })
  if (config.service.environment === 'embedded') await applications.install(packs, 'acgs-pgp-v8')
  const applicable = (schema: string) => applicableTo(given.examiner.bind(given.examiner.parseSchema(schema)))

  const look = createSystemLook({
    health, metrics: telemetry.metrics, database, pool: given.pool, databaseConnectionsMax: config.database.connectionsMax, hasRedis: config.redis.url !== null,
    complianceThreshold: constitutional.complianceThreshold,
  })
  const diagnostics = createDiagnostics({ database, telemetry, look, examiner: given.examiner, propose: given.propose, unitOf, constitutionalHash: inForce.shown.hash, keptDays: config.diagnostic.keptDays, now: () => new Date() })
  const diagnosing = diagnosticRoutes({
    diagnostics, database, admission, constitutionalHash: inForce.shown.hash, articles: inForce.constitution.clauses.map(({ id, text }) => ({ id, text })), packs: packs.map(({ name }) => name),
    timeoutMs: generationEngine.proofTimeoutMs, isTested: given.selfTest.proved > 0 && given.selfTest.refuted > 0,
  })

  const server = await createServer({
    service: 'acgs-pgp-v8', title: 'ACGS-PGP v8', version,
    description: 'From a governance request in plain language to an enforceable policy that is proven to obey the constitution, or to the request that would break it.',
    constitution: inForce.shown, routes: [...routes(use), ...diagnosing, ...applicationRoutes({ applications, applicable, entitiesBytesMax: config.security.entitiesBytesMax }), ...revisionRoutes({ revisions, bundle: (app) => readBundle(database, app), heads: () => readHeads(database), certificate: (id) => readCertificateStatus(database, id) }), ...noticeRoutes((notice) => database.transaction((tx) => recordNotice(tx, notice))), ...ledgerRoutes(given.ledger)], health, telemetry, authenticate: given.authenticate, limits: given.limits, edge, bodyBytesMax: config.security.bodyBytesMax,
  })
  await health.start()
  requests.begin()
  diagnostics.begin()
  return {
    ...server,
    close: async (options) => {
      progress.end()
      diagnostics[Symbol.dispose]()
      await reproof[Symbol.asyncDispose]()
      // What clients wait for and what nobody waits for is finished while there is time; the rest is another process's, at once.
      const deadline = performance.now() + options.drainMs + options.deadlineMs
      requests.rest()
      const closed = await server.close(options)
      const left = await requests.close(deadline - performance.now())
      if (left > 0) telemetry.log.warn({ requests: left }, 'requests under way are left to others')
      return closed
    },
  }
}

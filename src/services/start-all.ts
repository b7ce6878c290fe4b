import { join } from 'node:path'
import packageJson from '../../package.json' with { type: 'json' }
import { ROOT, type Config } from '#config'
import { CEDAR_VERSION } from '#adapters/cedar/cedar.ts'
import { loadConstitution, type ConstitutionInForce } from '#adapters/constitution.ts'
import { createExaminer } from '#adapters/examiner.ts'
import { checkpointFileOf, noteFile, signedCheckpointFileOf } from '#adapters/checkpoint-file.ts'
import { createLocalJWKSet } from 'jose'
import { createApprovalVerifier } from '#adapters/keys/approval.ts'
import { certificateKeyFor, keysIn, keySetFile, publicKeysIn, trustIn } from '#adapters/keys/certificate-key.ts'
import { loadPacks } from '#adapters/packs.ts'
import { connect } from '#adapters/postgres/connect.ts'
import { refuseInUse } from '#adapters/postgres/data-lock.ts'
import { startEmbedded, type EmbeddedPostgres } from '#adapters/postgres/embedded.ts'
import { ledgerTree } from '#adapters/postgres/ledger-tree.ts'
import { guardLedger } from '#adapters/postgres/ledger.ts'
import { migrate, readMigrations } from '#adapters/postgres/migrate.ts'
import { locatesKnownFault } from '#core/syndrome/decode.ts'
import { changesSince } from '#adapters/postgres/entities.ts'
import { readBundle, readHeads } from '#adapters/postgres/revisions.ts'
import type { Approved } from '#core/revision/approval.ts'
import { createProver } from '#adapters/solver/prover.ts'
import type { Component } from '#http/health.ts'
import { refuseTaken } from '#http/port-holder.ts'
import type { Server } from '#http/server.ts'
import { proofAnswered, type Telemetry } from '#telemetry/events.ts'
import { createLog } from '#telemetry/log.ts'
import { createMetrics } from '#telemetry/metrics.ts'
import { startAuth } from './auth/start.ts'
import { bundler } from './compliance/bundles.ts'
import { certifier } from './compliance/certify.ts'
import { FOLLOW_MS, follow } from './compliance/follow.ts'
import { stateFolder } from './compliance/state-folder.ts'
import { checkpointSigner } from './compliance/checkpoint.ts'
import { createDecisionPoint } from './compliance/decision-point.ts'
import { startCompliance } from './compliance/start.ts'
import { createCheckpoints } from './platform/ledger-checkpoints.ts'
import { startPlatform } from './platform/start.ts'
import { selfTest, type SelfTest } from './self-test/self-test.ts'
import { propose, READERS, readsKnownSentence } from './synthesis/propose.ts'
import { startSynthesis } from './synthesis/start.ts'

/** The four processes as one: what runs, and how to end it. */
export type Running = {
  readonly inForce: ConstitutionInForce
  readonly database: EmbeddedPostgres | null
  readonly selfTest: SelfTest
  readonly ports: { readonly platform: number; readonly auth: number; readonly synthesis: number; readonly compliance: number }
  /** Says in the log that it is ready. */
  readonly announce: () => void
  /** Readiness flips first; what is under way is finished; then everything is closed. @returns How many requests had to be cut off. */
  readonly close: () => Promise<{ cutOff: number }>
}

/**
 * Starts auth, synthesis, compliance and platform in this process. They meet through functions instead of HTTP, with the same
 * contracts; the division by trust is off, since one process holds every secret.
 *
 * @throws {Failure} whatever keeps it from starting: `CONSTITUTION_MISMATCH`, `ALREADY_RUNNING`, `PORT_IN_USE`, `DATABASE_UNAVAILABLE`,
 *   `KEY_INVALID`, `SOLVER_FAILED` when the self-test does not come out as it must, or the signal's reason. What was started by then is
 *   ended again; nothing has been created on disk when the data folder or a port is in use.
 * @param signal Asks to give up starting.
 */
export async function startAll(config: Config, signal: AbortSignal): Promise<Running> {
  const ending: (() => Promise<unknown>)[] = []
  const end = async () => {
    for (const step of ending.toReversed()) await step()
  }
  try {
    return await start(config, signal, ending, end)
  } catch (error) {
    await end()
    throw error
  }
}

async function start(config: Config, signal: AbortSignal, ending: (() => Promise<unknown>)[], end: () => Promise<void>): Promise<Running> {
  const { constitutional, generationEngine, service, services } = config
  const { version } = packageJson
  if (config.database.url === null) refuseInUse(service.dataFolder)
  for (const [name, port] of [['auth', services.authPort], ['synthesis', services.synthesisPort], ['compliance', services.compliancePort], ['platform', services.platformPort]] as const) {
    await refuseTaken({ service: name, host: service.host, port, setting: settingOf(name) })
  }
  const inForce = loadConstitution(constitutional, constitutional.hash)
  const packs = loadPacks(join(ROOT, 'packs'))
  const telemetryOf = (name: string): Telemetry => ({
    log: createLog({ service: name, level: config.monitoring.logLevel }),
    metrics: createMetrics({ service: name, version, constitutionalHash: inForce.shown.hash, description: packageJson.description }),
  })
  const telemetry = telemetryOf('acgs-pgp-v8')

  let isServing = false // What the self-test asks is not counted as work.
  const prover = createProver({
    rlimit: generationEngine.proofRlimit, timeoutMs: generationEngine.proofTimeoutMs,
    disagreed: (report) => telemetry.log.error({ report }, 'solver and Cedar disagree: a bug, please report it'),
    answered: ({ question, answer }, seconds) => isServing && proofAnswered(telemetry, { question, outcome: answer.kind, seconds }),
  })
  ending.push(async () => prover[Symbol.asyncDispose]())
  const examiner = createExaminer(inForce.constitution, prover)
  const testing = selfTest({ prover })
  testing.catch(() => {}) // Awaited below; until then its failure must not end the process.

  const embedded = config.database.url === null ? await startEmbedded({ dataDir: service.dataFolder }) : null
  if (embedded !== null) ending.push(() => embedded.stop())
  signal.throwIfAborted()
  const databaseOf = (name: string) => {
    const database = connect(embedded?.url ?? (config.database.url as string), { name, connectionsMax: config.database.connectionsMax, connectTimeoutMs: config.database.connectTimeoutMs })
    ending.push(async () => database[Symbol.asyncDispose]())
    return database
  }
  const unguarded = databaseOf('platform')
  await migrate(unguarded, readMigrations(join(ROOT, 'migrations')))
  telemetry.metrics.watchConnections('database', unguarded.connections)

  const certificateKey = certificateKeyFor(config)
  const keys = () => publicKeysIn(keySetFile(keysIn(service.dataFolder)))
  const origin = config.audit.checkpointOrigin
  const signCheckpoint = checkpointSigner({ signer: certificateKey, keys, origin, last: noteFile(signedCheckpointFileOf(config)) })
  const tree = ledgerTree(unguarded)
  const checkpoints = createCheckpoints({ database: unguarded, tree, sign: signCheckpoint, keys, origin, file: noteFile(checkpointFileOf(config)), telemetry })
  const database = guardLedger(unguarded, checkpoints.known)
  await checkpoints.start()
  ending.push(() => checkpoints.close())

  const common = { config, version, inForce, packs, examiner }
  const servers: Server[] = []
  const open = async (server: Server, port: number, name: Service) => {
    servers.push(server)
    ending.push(() => server.close({ drainMs: 0, deadlineMs: 0 }))
    signal.throwIfAborted()
    return (await server.listen({ host: service.host, port, setting: settingOf(name) })).port
  }
  const { server: authServer, authenticate, jwks } = await startAuth({ config, version, constitution: inForce.shown, database: databaseOf('auth'), telemetry: telemetryOf('acgs-auth') })
  const auth = await open(authServer, services.authPort, 'auth')
  const synthesis = await open(await startSynthesis({ ...common, telemetry: telemetryOf('acgs-synthesis'), authenticate }), services.synthesisPort, 'synthesis')

  const solver: Component = { name: 'solver', isCritical: false, probe: () => prover.probe() }
  const complianceTelemetry = telemetryOf('acgs-compliance')
  const verifyApproval = createApprovalVerifier({ issuer: config.security.tokenIssuer, keys: createLocalJWKSet(await jwks()), clockToleranceSeconds: config.security.clockToleranceSeconds })
  const trusted = { isSignedBy: trustIn(keySetFile(keysIn(service.dataFolder))), approvalOf: (token: string, of: Approved) => verifyApproval(token, of, { at: 'recorded' }) }
  const point = createDecisionPoint()
  const follower = follow({
    source: { heads: () => readHeads(database), bundle: async (app) => (await readBundle(database, app))?.bundle, changes: (app, since) => changesSince(database, app, since) },
    point, state: stateFolder(join(service.dataFolder, 'decision-point')), examiner, ports: trusted, intervalMs: FOLLOW_MS, telemetry: complianceTelemetry, now: () => new Date(),
  })
  ending.push(async () => follower[Symbol.asyncDispose]())
  await follower.look() // What decides already must be known before it is proved again, and before anybody asks.
  const bundle = bundler({
    examiner, key: certificateKey, ...trusted, constitutionalHash: inForce.shown.hash, threshold: constitutional.complianceThreshold,
    validDays: constitutional.bundleDays, seen: follower.seen, isRevoked: follower.isRevoked, now: () => new Date(),
  })
  const judging = {
    examiner, key: certificateKey, constitutionalHash: inForce.shown.hash, threshold: constitutional.complianceThreshold,
    validDays: constitutional.certificateDays, telemetry: complianceTelemetry, now: () => new Date(),
  }
  const peers = { parseSchema: examiner.parseSchema, certify: certifier({ ...judging, readAgain: propose }), bundle }
  const compliance = await open(
    await startCompliance({ ...common, point, signCheckpoint, peers, telemetry: complianceTelemetry, authenticate, components: [{ ...solver, isCritical: true }, { name: 'decision_point', isCritical: false, probe: follower.probe }] }),
    services.compliancePort, 'compliance',
  )

  const tested = await testing
  isServing = true
  const here = (port: number) => `http://${service.host.includes(':') ? `[${service.host}]` : service.host === '0.0.0.0' ? '127.0.0.1' : service.host}:${port}`
  const peer = (name: string, url: string): Component => ({
    name, isCritical: false,
    probe: async (signal) => ((await fetch(`${url}/livez`, { signal })).ok ? { status: 'healthy' } : { status: 'unhealthy', detail: 'does not answer /livez with 200' }),
  })
  const platformServer = await startPlatform({
    ...common, database, ledger: { database, tree, checkpoints, keys, origin }, telemetry, authenticate, propose, readers: READERS.map(({ method }) => method), solver: `${prover.engine.name} ${prover.engine.version}`, selfTest: tested,
    bundle, approvalOf: verifyApproval, onChanged: () => void follower.look(),
    certify: certifier(judging),
    components: [
      { name: 'database', isCritical: true, probe: async () => (await database.query('select 1'), { status: 'healthy' }) },
      { name: 'generation_engine', isCritical: true, probe: () => (readsKnownSentence(packs, examiner.parseSchema) ? { status: 'healthy' } : { status: 'unhealthy', detail: 'a known sentence is not read' }) },
      { name: 'stabilizer_environment', isCritical: false, probe: () => prover.probe() },
      { name: 'diagnostic_engine', isCritical: false, probe: () => (locatesKnownFault() ? { status: 'healthy' } : { status: 'unhealthy', detail: 'a known fault is not located' }) },
      { name: 'cache_manager', isCritical: false, probe: () => (examiner.remembers() ? { status: 'healthy', detail: 'in memory' } : { status: 'unhealthy', detail: 'does not return what it was given' }) },
      solver, peer('auth', here(auth)), peer('gs', here(synthesis)), peer('pgc', here(compliance)),
    ],
  })
  const platform = await open(platformServer, services.platformPort, 'platform')
  signal.throwIfAborted()
  const ports = { platform, auth, synthesis, compliance }

  return {
    inForce, database: embedded, selfTest: tested, ports,
    announce: () => telemetry.log.info({ pid: process.pid, cedar: CEDAR_VERSION, ports }, 'ready'),
    close: async () => {
      // The platform first: it needs the others until its last request is answered.
      let cutOff = 0
      for (const server of servers.toReversed()) cutOff += (await server.close({ drainMs: server === platformServer ? service.drainSeconds * 1000 : 0, deadlineMs: service.shutdownSeconds * 1000 })).cutOff
      await end()
      return { cutOff }
    },
  }
}

type Service = keyof Running['ports']

/** What chooses another port for a service. */
function settingOf(name: Service): string {
  return `ACGS_SERVICES_${name.toUpperCase()}_PORT`
}

import { join } from 'node:path'
import { createLocalJWKSet } from 'jose'
import packageJson from '../../package.json' with { type: 'json' }
import { ROOT, type Config } from '#config'
import { CEDAR_VERSION } from '#adapters/cedar/cedar.ts'
import { probeCedar } from '#adapters/cedar/engine.ts'
import { loadConstitution, type ConstitutionInForce } from '#adapters/constitution.ts'
import { loadPacks } from '#adapters/packs.ts'
import { refuseInUse } from '#adapters/postgres/data-lock.ts'
import { startEmbedded, type EmbeddedOptions, type EmbeddedPostgres } from '#adapters/postgres/embedded.ts'
import { changesSince } from '#adapters/postgres/entities.ts'
import { recordNotice } from '#adapters/postgres/notices.ts'
import { readBundle, readHeads } from '#adapters/postgres/revisions.ts'
import { atStart } from '#adapters/postgres/unavailable.ts'
import type { Component } from '#http/health.ts'
import { refuseTaken } from '#http/port-holder.ts'
import type { Server } from '#http/server.ts'
import type { Telemetry } from '#telemetry/events.ts'
import { createLog, type Log } from '#telemetry/log.ts'
import { createMetrics } from '#telemetry/metrics.ts'
import { recurring } from '#telemetry/recurring.ts'
import { startAuth } from './auth/start.ts'
import { clockComponent, databaseClock } from './clock.ts'
import { checkpointsSignedBy, complianceParts } from './compliance/parts.ts'
import { startCompliance } from './compliance/start.ts'
import { openPool } from './database.ts'
import { openEdge, takenBy } from './edge.ts'
import { openDatabase, ownComponents } from './platform/parts.ts'
import { candidateBasis, rememberCandidates } from './platform/remember-candidates.ts'
import { startPlatform } from './platform/start.ts'
import { provingIn } from './proving.ts'
import { limitsOf } from './limits.ts'
import { createLive, type Live } from './live.ts'
import { openRedis } from './redis.ts'
import type { SelfTest } from './self-test/self-test.ts'
import { propose, READERS } from './synthesis/propose.ts'
import { readingIn } from './synthesis/reading-thread.ts'
import { startSynthesis } from './synthesis/start.ts'

/** The four processes as one: what runs, and how to end it. */
export type Running = {
  readonly inForce: ConstitutionInForce
  readonly database: EmbeddedPostgres | null
  readonly selfTest: SelfTest
  readonly ports: { readonly platform: number; readonly auth: number; readonly synthesis: number; readonly compliance: number }
  /** Takes over what of another configuration may change while it runs. */
  readonly take: Live['take']
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

/** What the log hears of a database that ended while the product runs. */
function restartTold(log: Log): NonNullable<EmbeddedOptions['onEnded']> {
  const tried = recurring(log, 'the embedded PostgreSQL has ended and cannot be started')
  return (restarted) => tried(restarted.then(({ pid }) => log.warn({ pid }, 'the embedded PostgreSQL had ended and was started again')))
}

async function start(config: Config, signal: AbortSignal, ending: (() => Promise<unknown>)[], end: () => Promise<void>): Promise<Running> {
  const { constitutional, service, services } = config
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

  const read = readingIn({ telemetry, ending })
  const { prover, examiner, test } = provingIn({ config, constitution: inForce.constitution, telemetry, ending })

  const embedded = config.database.url === null ? await startEmbedded({ dataDir: service.dataFolder, onEnded: restartTold(telemetry.log) }) : null
  if (embedded !== null) ending.push(() => embedded.stop())
  signal.throwIfAborted()
  const url = embedded?.url ?? (config.database.url as string)
  const signCheckpoint = checkpointsSignedBy(config)
  const { database, holds, ledger, watched } = await openDatabase({ url, config, sign: signCheckpoint, telemetry, ending, signal })
  const authTelemetry = telemetryOf('acgs-auth')
  const { database: authDatabase, component: ofAuth } = openPool({ url, name: 'auth', config, telemetry: authTelemetry, ending })

  const live = createLive(config)
  const edge = openEdge(config)
  const redis = openRedis({ name: 'platform', config, telemetry, ending })
  const limitsFor = (service: Service, its: Telemetry) => limitsOf({ service, config: live.config, redis: service === 'platform' ? redis : openRedis({ name: service, config, telemetry: its, ending }), telemetry: its })
  const common = { config, version, inForce, packs, examiner, edge }
  const servers: Server[] = []
  const open = async (server: Server, port: number, name: Service) => {
    servers.push(server)
    ending.push(() => server.close({ drainMs: 0, deadlineMs: 0 }))
    signal.throwIfAborted()
    return (await server.listen({ host: service.host, port, setting: settingOf(name) })).port
  }
  const { server: authServer, authenticate, jwks } = await atStart(url, () => startAuth({ config, version, constitution: inForce.shown, database: authDatabase, components: [ofAuth], telemetry: authTelemetry, limits: limitsFor('auth', authTelemetry), edge }))
  const auth = await open(authServer, services.authPort, 'auth')
  const synthesisTelemetry = telemetryOf('acgs-synthesis')
  const synthesis = await open(await startSynthesis({ ...common, read, telemetry: synthesisTelemetry, limits: limitsFor('synthesis', synthesisTelemetry), authenticate }), services.synthesisPort, 'synthesis')

  const complianceTelemetry = telemetryOf('acgs-compliance')
  const { point, follower, oracle, peers, certify, verifyApproval } = complianceParts({
    config, constitutionalHash: inForce.shown.hash, examiner, read, tokenKeys: createLocalJWKSet(await jwks()), telemetry: complianceTelemetry, ending,
    source: { heads: () => readHeads(database), bundle: async (app) => (await readBundle(database, app))?.bundle, changes: (app, since) => changesSince(database, app, since) },
    report: (notice) => database.transaction((tx) => recordNotice(tx, notice)),
  })
  await follower.look() // What decides already must be known before it is proved again, and before anybody asks.
  const compliance = await open(
    await startCompliance({ ...common, point, oracle, signCheckpoint, peers, telemetry: complianceTelemetry, limits: limitsFor('compliance', complianceTelemetry), authenticate, components: [{ name: 'cedar', isCritical: true, probe: probeCedar }, { name: 'solver', isCritical: true, probe: () => prover.probe() }, { name: 'decision_point', isCritical: false, probe: follower.probe }] }),
    services.compliancePort, 'compliance',
  )

  const tested = await test()
  const platformServer = await startPlatform({
    ...common, database, holds, ledger, telemetry, limits: limitsFor('platform', telemetry), authenticate, propose: rememberCandidates({ propose: (unit, bound) => propose(unit, bound, read), basis: candidateBasis(inForce, version), config: live.config, databaseUrl: url, store: redis, telemetry }), readers: READERS.map(({ method }) => method), solver: `${prover.engine.name} ${prover.engine.version}`, selfTest: tested, pool: prover.pool,
    bundle: peers.bundle, approvalOf: verifyApproval, diff: prover.diff, onChanged: () => void follower.look(), certify,
    components: [...watched, clockComponent(config, [databaseClock(database)]), ...ownComponents({ redis, packs, examiner, prover, read }), ...servers.map((server, n) => sameProcess(['auth', 'gs', 'pgc'][n] as string, server))],
  })
  const platform = await open(platformServer, services.platformPort, 'platform')
  signal.throwIfAborted()
  const ports = { platform, auth, synthesis, compliance }

  return {
    inForce, database: embedded, selfTest: tested, ports, take: takenBy(edge, live),
    announce: () => telemetry.log.info({ pid: process.pid, cedar: CEDAR_VERSION, ports }, 'ready'),
    close: async () => {
      // The platform first: it needs the others until its last request is answered. They drain with it: who looks at the readiness of one
      // process must have time to see it, whichever that is.
      for (const server of servers) server.drain()
      let cutOff = 0
      for (const server of servers.toReversed()) cutOff += (await server.close({ drainMs: server === platformServer ? service.drainSeconds * 1000 : 0, deadlineMs: service.shutdownSeconds * 1000 })).cutOff
      await end()
      return { cutOff }
    },
  }
}

/** Another service of this process as a component: it listens, and answers. */
function sameProcess(name: string, { app }: Server): Component {
  return {
    name, isCritical: false,
    probe: async () => (app.server.listening && (await app.inject('/livez')).statusCode === 200 ? { status: 'healthy' } : { status: 'unhealthy', detail: 'does not answer /livez with 200' }),
  }
}

type Service = keyof Running['ports']

/** What chooses another port for a service. */
function settingOf(name: Service): string {
  return `ACGS_SERVICES_${name.toUpperCase()}_PORT`
}

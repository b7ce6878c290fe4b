import { join } from 'node:path'
import { ROOT, type Config } from '#config'
import { checkpointFileOf, noteFile } from '#adapters/checkpoint-file.ts'
import { createApprovalVerifier } from '#adapters/keys/approval.ts'
import { keysIn, keySetFile, publicKeysIn } from '#adapters/keys/certificate-key.ts'
import { connect } from '#adapters/postgres/connect.ts'
import { ledgerTree } from '#adapters/postgres/ledger-tree.ts'
import { guardLedger } from '#adapters/postgres/ledger.ts'
import { migrate, readMigrations } from '#adapters/postgres/migrate.ts'
import { Failure } from '#core/failure.ts'
import { locatesKnownFault } from '#core/syndrome/decode.ts'
import { caller, judgedByAuth, peerComponent, provingIn, startFramed, type Apart } from '#services/apart.ts'
import { postCheckpoint } from '#services/compliance/checkpoint-contract.ts'
import type { Certify } from '#services/compliance/certify.ts'
import { askCompliance } from '#services/compliance/peer-routes.ts'
import { proposeElsewhere } from '#services/synthesis/propose-elsewhere.ts'
import { propose, READERS, readsKnownSentence } from '#services/synthesis/propose.ts'
import { createCheckpoints } from './ledger-checkpoints.ts'
import { startPlatform } from './start.ts'

/** Reading takes milliseconds: longer, and it is read here. */
const SYNTHESIS_TIMEOUT_MS = 10_000
/** Proving a whole set may take as long as the caller waits. */
const COMPLIANCE_TIMEOUT_MS = 55_000

/**
 * The platform in a process of its own: the database and no key. It cannot sign anything: not a token, an approval, a certificate, a
 * bundle or a checkpoint.
 */
export function startPlatformApart(config: Config, signal: AbortSignal): Promise<Apart> {
  return startFramed('platform', config, signal, async (frame) => {
    const { version, inForce, packs, telemetry, ending } = frame
    const { database: { url, connectionsMax, connectTimeoutMs }, service, services, security } = config
    const keyFile = keySetFile(keysIn(service.dataFolder))
    const keys = () => publicKeysIn(keyFile)
    keys() // Whose checkpoints count must be known before anything is recorded.
    const call = caller('platform', frame)
    const synthesis = call('gs', services.synthesisUrl, SYNTHESIS_TIMEOUT_MS)
    const compliance = call('pgc', services.complianceUrl, COMPLIANCE_TIMEOUT_MS)
    const { prover, examiner, tested } = await provingIn(frame)
    const { authenticate, keys: tokenKeys } = judgedByAuth(config)

    const unguarded = connect(url as string, { name: 'platform', connectionsMax, connectTimeoutMs })
    ending.push(async () => unguarded[Symbol.asyncDispose]())
    await migrate(unguarded, readMigrations(join(ROOT, 'migrations')))
    telemetry.metrics.watchConnections('database', unguarded.connections)
    const origin = config.audit.checkpointOrigin
    const tree = ledgerTree(unguarded)
    const checkpoints = createCheckpoints({
      database: unguarded, tree, keys, origin, file: noteFile(checkpointFileOf(config)), telemetry,
      sign: ({ consistency, ...tip }) => compliance(postCheckpoint, { body: { ...tip, consistency: [...consistency] } }),
    })
    const database = guardLedger(unguarded, checkpoints.known)
    await checkpoints.start()
    ending.push(() => checkpoints.close())

    const { certify, bundle } = askCompliance(compliance)
    const server = await startPlatform({
      config, version, inForce, packs, examiner, database, ledger: { database, tree, checkpoints, keys, origin }, telemetry, authenticate,
      propose: proposeElsewhere({ call: synthesis, here: propose, isOut: (because) => telemetry.log.warn({ because }, 'text is read here while synthesis is out') }),
      readers: READERS.map(({ method }) => method),
      solver: `${prover.engine.name} ${prover.engine.version}`,
      selfTest: tested,
      certify: notKept(certify),
      bundle,
      approvalOf: createApprovalVerifier({ issuer: security.tokenIssuer, keys: tokenKeys, clockToleranceSeconds: security.clockToleranceSeconds }),
      components: [
        { name: 'database', isCritical: true, probe: async () => (await database.query('select 1'), { status: 'healthy' }) },
        { name: 'generation_engine', isCritical: true, probe: () => (readsKnownSentence(packs, examiner.parseSchema) ? { status: 'healthy' } : { status: 'unhealthy', detail: 'a known sentence is not read' }) },
        { name: 'stabilizer_environment', isCritical: false, probe: () => prover.probe() },
        { name: 'diagnostic_engine', isCritical: false, probe: () => (locatesKnownFault() ? { status: 'healthy' } : { status: 'unhealthy', detail: 'a known fault is not located' }) },
        { name: 'cache_manager', isCritical: false, probe: () => (examiner.remembers() ? { status: 'healthy', detail: 'in memory' } : { status: 'unhealthy', detail: 'does not return what it was given' }) },
        { name: 'solver', isCritical: false, probe: () => prover.probe() },
        peerComponent('auth', services.authUrl), peerComponent('gs', services.synthesisUrl), peerComponent('pgc', services.complianceUrl),
      ],
    })
    return {
      server, selfTest: tested, holds: ['the database'],
      calls: [`synthesis at ${services.synthesisUrl}`, `compliance at ${services.complianceUrl}`, `auth at ${services.authUrl}, for tokens and public keys`],
    }
  })
}

/** Nothing is certified while compliance is out; whoever asked must know that nobody will ask again for them. */
function notKept(certify: Certify): Certify {
  return async (evidence, author) => {
    try {
      return await certify(evidence, author)
    } catch (cause) {
      if (!(cause instanceof Failure) || cause.code !== 'PEER_UNAVAILABLE') throw cause
      throw new Failure('PEER_UNAVAILABLE', `nothing can be certified at present, and the request was not kept: send it again (${cause.message})`, { cause, details: cause.details })
    }
  }
}

import type { Config } from '#config'
import { createApprovalVerifier } from '#adapters/keys/approval.ts'
import { peerComponent } from '#http/health.ts'
import { caller, judgedByAuth, startFramed, type Apart } from '#services/apart.ts'
import { clockComponent, databaseClock, peerClock } from '#services/clock.ts'
import { postCheckpoint } from '#services/compliance/checkpoint-contract.ts'
import { askCompliance } from '#services/compliance/peer-routes.ts'
import { provingIn } from '#services/proving.ts'
import { proposeElsewhere } from '#services/synthesis/propose-elsewhere.ts'
import { propose, READERS } from '#services/synthesis/propose.ts'
import { readingIn } from '#services/synthesis/reading-thread.ts'
import { openDatabase, ownComponents } from './parts.ts'
import { candidateBasis, rememberCandidates } from './remember-candidates.ts'
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
    const { version, inForce, packs, telemetry, redis, limits, live, ending } = frame
    const { services, security } = config
    const call = caller('platform', frame)
    const synthesis = call('gs', services.synthesisUrl, SYNTHESIS_TIMEOUT_MS)
    const compliance = call('pgc', services.complianceUrl, COMPLIANCE_TIMEOUT_MS)
    const { prover, examiner, test } = provingIn({ ...frame, constitution: inForce.constitution })
    const read = readingIn(frame)
    const tested = await test()
    const { authenticate, keys: tokenKeys } = judgedByAuth(frame)
    const { database, holds, ledger, watched } = await openDatabase({
      url: config.database.url as string, config, telemetry, ending, signal,
      sign: ({ consistency, ...tip }) => compliance.ask(postCheckpoint, { body: { ...tip, consistency: [...consistency] } }),
    })
    const { certify, bundle } = askCompliance(compliance.ask)
    const server = await startPlatform({
      config, version, inForce, packs, examiner, database, holds, ledger, telemetry, authenticate, limits, edge: frame.edge,
      propose: rememberCandidates({
        propose: proposeElsewhere({ call: synthesis.ask, here: (unit, bound) => propose(unit, bound, read), isOut: (because) => telemetry.log.warn({ because }, 'text is read here while synthesis is out') }),
        basis: candidateBasis(inForce, version), config: live, databaseUrl: config.database.url as string, store: redis, telemetry,
      }),
      readers: READERS.map(({ method }) => method),
      solver: `${prover.engine.name} ${prover.engine.version}`,
      selfTest: tested,
      pool: prover.pool,
      certify,
      bundle,
      diff: prover.diff,
      approvalOf: createApprovalVerifier({ issuer: security.tokenIssuer, keys: tokenKeys, clockToleranceSeconds: security.clockToleranceSeconds }),
      components: [
        ...watched, clockComponent(config, [databaseClock(database), peerClock('auth', services.authUrl), peerClock('gs', services.synthesisUrl), peerClock('pgc', services.complianceUrl)]),
        ...ownComponents({ redis, packs, examiner, prover, read }),
        peerComponent('auth', services.authUrl, frame.auth.back), peerComponent('gs', services.synthesisUrl, synthesis.back), peerComponent('pgc', services.complianceUrl, compliance.back),
      ],
    })
    return {
      server, selfTest: tested, holds: ['the database'],
      calls: [`synthesis at ${services.synthesisUrl}`, `compliance at ${services.complianceUrl}`, `auth at ${services.authUrl}, for tokens and public keys`],
    }
  })
}

import { join } from 'node:path'
import type { Config } from '#config'
import { noteFile, signedCheckpointFileOf } from '#adapters/checkpoint-file.ts'
import { createApprovalVerifier } from '#adapters/keys/approval.ts'
import { certificateKeyFor, keysIn, keySetFile, publicKeysIn, trustIn } from '#adapters/keys/certificate-key.ts'
import type { Approved } from '#core/revision/approval.ts'
import { caller, judgedByAuth, peerComponent, provingIn, startFramed, type Apart } from '#services/apart.ts'
import { propose } from '#services/synthesis/propose.ts'
import { bundler } from './bundles.ts'
import { certifier } from './certify.ts'
import { checkpointSigner } from './checkpoint.ts'
import { createDecisionPoint } from './decision-point.ts'
import { FOLLOW_MS, follow } from './follow.ts'
import { platformSource } from './platform-source.ts'
import { startCompliance } from './start.ts'
import { stateFolder } from './state-folder.ts'

const PLATFORM_TIMEOUT_MS = 10_000

/**
 * Compliance in a process of its own: the certificate key and a state folder, no database. It believes the platform about entities and
 * about nothing else: what it signs it has judged, what it loads it has checked.
 */
export function startComplianceApart(config: Config, signal: AbortSignal): Promise<Apart> {
  return startFramed('compliance', config, signal, async (frame) => {
    const { version, inForce, packs, telemetry, ending } = frame
    const { service, services, security, constitutional } = config
    const { prover, examiner, tested } = await provingIn(frame)
    const key = certificateKeyFor(config)
    const keyFile = keySetFile(keysIn(service.dataFolder))
    const { authenticate, keys } = judgedByAuth(config)
    const now = () => new Date()

    const verifyApproval = createApprovalVerifier({ issuer: security.tokenIssuer, keys, clockToleranceSeconds: security.clockToleranceSeconds })
    const trusted = { isSignedBy: trustIn(keyFile), approvalOf: (token: string, of: Approved) => verifyApproval(token, of, { at: 'recorded' }) }
    const point = createDecisionPoint()
    const follower = follow({
      source: platformSource(caller('compliance', frame)('platform', services.platformUrl, PLATFORM_TIMEOUT_MS)),
      point, state: stateFolder(join(service.dataFolder, 'decision-point')), examiner, ports: trusted, intervalMs: FOLLOW_MS, telemetry, now,
    })
    ending.push(async () => follower[Symbol.asyncDispose]())
    const judging = { examiner, key, constitutionalHash: inForce.shown.hash, threshold: constitutional.complianceThreshold, now }

    const server = await startCompliance({
      config, version, inForce, packs, examiner, telemetry, authenticate, point,
      signCheckpoint: checkpointSigner({ signer: key, keys: () => publicKeysIn(keyFile), origin: config.audit.checkpointOrigin, last: noteFile(signedCheckpointFileOf(config)) }),
      peers: {
        parseSchema: examiner.parseSchema,
        certify: certifier({ ...judging, validDays: constitutional.certificateDays, readAgain: propose, telemetry }),
        bundle: bundler({ ...judging, ...trusted, validDays: constitutional.bundleDays, seen: follower.seen, isRevoked: follower.isRevoked }),
      },
      components: [
        { name: 'solver', isCritical: true, probe: () => prover.probe() },
        { name: 'decision_point', isCritical: false, probe: follower.probe },
        peerComponent('auth', services.authUrl), peerComponent('platform', services.platformUrl),
      ],
    })
    return {
      server, selfTest: tested, holds: ['the certificate key', `its state in ${service.dataFolder}`],
      calls: [`platform at ${services.platformUrl}, for bundles and entities`, `auth at ${services.authUrl}, for tokens and public keys`],
    }
  })
}

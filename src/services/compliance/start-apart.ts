import { probeCedar } from '#adapters/cedar/engine.ts'
import type { Config } from '#config'
import { peerComponent } from '#http/health.ts'
import { caller, judgedByAuth, startFramed, type Apart } from '#services/apart.ts'
import { clockComponent, peerClock } from '#services/clock.ts'
import { provingIn } from '#services/proving.ts'
import { readingIn } from '#services/synthesis/reading-thread.ts'
import { checkpointsSignedBy, complianceParts } from './parts.ts'
import { FOLLOW_MS } from './follow.ts'
import { platformSource, tellPlatform } from './platform-source.ts'
import { startCompliance } from './start.ts'

const PLATFORM_TIMEOUT_MS = 10_000
/** The follower asks twice a second and nobody waits for it: left alone for longer, a platform that is back could not tell of a revocation. */
const PLATFORM_REST_MS = FOLLOW_MS

/**
 * Compliance in a process of its own: the certificate key and a state folder, no database. It believes the platform about entities and
 * about nothing else: what it signs it has judged, what it loads it has checked.
 */
export function startComplianceApart(config: Config, signal: AbortSignal): Promise<Apart> {
  return startFramed('compliance', config, signal, async (frame) => {
    const { version, inForce, packs, telemetry, limits, ending } = frame
    const { service, services } = config
    const { prover, examiner, test } = provingIn({ ...frame, constitution: inForce.constitution })
    const tested = await test()
    const { authenticate, keys } = judgedByAuth(frame)
    const platform = caller('compliance', frame)('platform', services.platformUrl, PLATFORM_TIMEOUT_MS, PLATFORM_REST_MS)
    const { point, follower, oracle, peers } = complianceParts({
      config, constitutionalHash: inForce.shown.hash, examiner, read: readingIn(frame), tokenKeys: keys, telemetry, ending,
      source: platformSource(platform.ask), report: tellPlatform(platform.ask),
    })
    const server = await startCompliance({
      config, version, inForce, packs, examiner, telemetry, authenticate, limits, edge: frame.edge, point, oracle, peers, signCheckpoint: checkpointsSignedBy(config),
      components: [
        { name: 'cedar', isCritical: true, probe: probeCedar },
        { name: 'solver', isCritical: true, probe: () => prover.probe() },
        { name: 'decision_point', isCritical: false, probe: follower.probe },
        clockComponent(config, [peerClock('auth', services.authUrl), peerClock('platform', services.platformUrl)]),
        peerComponent('auth', services.authUrl, frame.auth.back), peerComponent('platform', services.platformUrl, platform.back),
      ],
    })
    return {
      server, selfTest: tested, holds: ['the certificate key', `its state in ${service.dataFolder}`],
      calls: [`platform at ${services.platformUrl}, for bundles and entities, and to tell its ledger`, `auth at ${services.authUrl}, for tokens and public keys`],
    }
  })
}

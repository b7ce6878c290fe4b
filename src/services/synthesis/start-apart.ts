import type { Config } from '#config'
import { parseSchema } from '#adapters/cedar/cedar.ts'
import { bind } from '#core/constitution/bind.ts'
import { judgedByAuth, startFramed, type Apart } from '#services/apart.ts'
import { clockComponent, peerClock } from '#services/clock.ts'
import { readingIn } from './reading-thread.ts'
import { startSynthesis } from './start.ts'

/** Governance Synthesis in a process of its own: it reads text, holds nothing and calls nobody but Auth, for its public keys. */
export function startSynthesisApart(config: Config, signal: AbortSignal): Promise<Apart> {
  return startFramed('synthesis', config, signal, async (frame) => {
    const { version, inForce, packs, telemetry, limits } = frame
    const server = await startSynthesis({
      config, version, inForce, packs, telemetry, limits, edge: frame.edge, components: [clockComponent(config, [peerClock('auth', config.services.authUrl)])], authenticate: judgedByAuth(frame).authenticate,
      read: readingIn(frame), examiner: { parseSchema, bind: (schema) => bind(inForce.constitution, schema) },
    })
    return { server, holds: [], calls: [`auth at ${config.services.authUrl}, for its public keys`], selfTest: null }
  })
}

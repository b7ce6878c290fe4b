import { join } from 'node:path'
import packageJson from '../../package.json' with { type: 'json' }
import { ROOT, type Config, type ProcessName } from '#config'
import { loadConstitution, type ConstitutionInForce } from '#adapters/constitution.ts'
import { loadPacks } from '#adapters/packs.ts'
import type { Redis } from '#adapters/redis/connect.ts'
import type { Pack } from '#core/unit/pack.ts'
import { authenticator, fetchJwks, publishedKeys, type Authenticate, type KeySource } from '#http/authenticate.ts'
import type { Breaker } from '#http/breaker.ts'
import { createCall, peerBreaker, type Call } from '#http/call.ts'
import { refuseTaken } from '#http/port-holder.ts'
import type { RateLimits } from '#http/rate-limit.ts'
import type { Server } from '#http/server.ts'
import type { Telemetry } from '#telemetry/events.ts'
import { createLog } from '#telemetry/log.ts'
import { createMetrics, type PeerName } from '#telemetry/metrics.ts'
import { peerTokens } from './auth/peer-tokens.ts'
import { authBreaker, breakerRulesOf } from './breakers.ts'
import { openEdge, takenBy, type OwnEdge } from './edge.ts'
import { limitsOf } from './limits.ts'
import { createLive, type Live } from './live.ts'
import { openRedis } from './redis.ts'
import type { SelfTest } from './self-test/self-test.ts'

export type Name = Exclude<ProcessName, 'all'>

/** What a process that was started apart is, and how to end it. */
export type Apart = {
  readonly name: Name
  readonly port: number
  readonly inForce: ConstitutionInForce
  /** Which secrets it holds, in words; empty: none. */
  readonly holds: readonly string[]
  /** Whom it calls, and where. */
  readonly calls: readonly string[]
  /** Null where nothing is proved. */
  readonly selfTest: SelfTest | null
  /** Takes over what of another configuration may change while it runs. */
  readonly take: Live['take']
  /** Says in the log that it is ready. */
  readonly announce: () => void
  /** Readiness flips first; what is under way is finished; then everything is closed. @returns How many requests had to be cut off. */
  readonly close: () => Promise<{ cutOff: number }>
}

/** What every process that is started apart begins with. */
export type Frame = {
  readonly config: Config
  readonly version: string
  readonly inForce: ConstitutionInForce
  readonly packs: readonly Pack[]
  readonly telemetry: Telemetry
  /** Null where none is configured. */
  readonly redis: Redis | null
  readonly limits: RateLimits
  readonly edge: OwnEdge
  /** Stands in front of Auth, whoever asks it for what. */
  readonly auth: Breaker
  /** The configuration as it is now: some of it may change while the process runs. */
  readonly live: () => Config
  /** What is to be ended, the last one first. */
  readonly ending: (() => Promise<unknown>)[]
}

/** What one process adds: its server, and what is to be said of it. `begin` runs once it listens. */
export type Built = { readonly server: Server; readonly holds: readonly string[]; readonly calls: readonly string[]; readonly selfTest: SelfTest | null; readonly begin?: () => void }

const LOGGED_AS: Readonly<Record<Name, string>> = { platform: 'acgs-pgp-v8', auth: 'acgs-auth', synthesis: 'acgs-synthesis', compliance: 'acgs-compliance' }

/**
 * Starts one process: the same functions as in one process, joined by HTTP instead of calls.
 *
 * @throws {Failure} whatever keeps it from starting; what was started by then is ended again.
 * @param signal Asks to give up starting.
 */
export async function startFramed(name: Name, config: Config, signal: AbortSignal, build: (frame: Frame) => Promise<Built>): Promise<Apart> {
  const { service, services, constitutional } = config
  const where = { host: service.host, port: services[`${name}Port`], setting: `ACGS_SERVICES_${name.toUpperCase()}_PORT` }
  const { version } = packageJson
  const ending: (() => Promise<unknown>)[] = []
  const end = async () => {
    for (const step of ending.toReversed()) await step()
  }
  try {
    await refuseTaken({ service: name, ...where })
    const inForce = loadConstitution(constitutional, constitutional.hash)
    const telemetry: Telemetry = {
      log: createLog({ service: LOGGED_AS[name], level: config.monitoring.logLevel }),
      metrics: createMetrics({ service: LOGGED_AS[name], version, constitutionalHash: inForce.shown.hash, description: packageJson.description }),
    }
    const live = createLive(config)
    const edge = openEdge(config)
    const redis = openRedis({ name, config, telemetry, ending })
    const limits = limitsOf({ service: name, config: live.config, redis, telemetry })
    const { server, begin, ...said } = await build({ config, version, inForce, packs: loadPacks(join(ROOT, 'packs')), telemetry, redis, limits, edge, live: live.config, auth: authBreaker(config, telemetry), ending })
    ending.push(() => server.close({ drainMs: 0, deadlineMs: 0 }))
    signal.throwIfAborted()
    const { port } = await server.listen(where)
    begin?.()
    return {
      ...said, name, port, inForce, take: takenBy(edge, live),
      announce: () => telemetry.log.info({ pid: process.pid, port, holds: said.holds, calls: said.calls }, 'ready'),
      close: async () => {
        const { cutOff } = await server.close({ drainMs: service.drainSeconds * 1000, deadlineMs: service.shutdownSeconds * 1000 })
        await end()
        return { cutOff }
      },
    }
  } catch (error) {
    await end()
    throw error
  }
}

/** Who asks, judged by the keys that Auth publishes: fetched when first needed, and remembered while Auth is out. */
export function judgedByAuth({ config: { security, services }, auth }: Pick<Frame, 'config' | 'auth'>): { authenticate: Authenticate; keys: KeySource } {
  const fetchKeys = fetchJwks(services.authUrl)
  const keys = publishedKeys({ fetchKeys: () => auth.run(fetchKeys) })
  return { authenticate: authenticator(security, keys).authenticate, keys }
}

/** How one peer is asked, and what is told when its health shows that it is back. */
export type PeerCall = { readonly ask: Call; readonly back: () => void }

/** Calls the other processes as a service account of its own. */
export function caller(name: 'platform' | 'compliance', { config: { security, services, errorHandling }, telemetry, auth }: Frame): (peer: PeerName, url: string, timeoutMs: number, restMs?: number) => PeerCall {
  const token = peerTokens({
    clientId: security.peerClientId ?? `acgs-${name}`, keyFile: security.peerKeyFile as string, audience: security.peerAudience,
    authUrl: services.authUrl, issuer: security.tokenIssuer, guard: auth.run,
  })
  return (peer, url, timeoutMs, restMs) => {
    const breaker = peerBreaker({ peer, url, telemetry, rules: breakerRulesOf(errorHandling, restMs) })
    return { ask: createCall({ peer, url, token, timeoutMs, telemetry, breaker }), back: breaker.back }
  }
}

import { z } from 'zod'
import { Failure } from '#core/failure.ts'
import { componentProbed } from '#telemetry/events.ts'
import type { Telemetry } from '#telemetry/events.ts'
import { Answer, route } from './contract.ts'
import type { Endpoint, Route } from './contract.ts'
import type { InForce } from './headers.ts'
import { whyUntrusted } from './trust.ts'

/** What a probe found; `detail` is a short sentence without names of people or texts of requests. */
export type ProbeResult = { readonly status: 'healthy' | 'degraded' | 'unhealthy'; readonly detail?: string }

/** One thing that a process needs, and how to see whether it is there. A probe that throws or is late is unhealthy. */
export type Component = {
  readonly name: string
  /** Without it nothing can be served; otherwise the process is merely degraded. */
  readonly isCritical: boolean
  readonly probe: (signal: AbortSignal) => ProbeResult | Promise<ProbeResult>
}

/**
 * Another process as a component: whether it is there. Without it, this one is merely degraded.
 *
 * @param name In small letters what its `…_SERVICE_URL` begins with.
 * @param isThere Told each time when it is.
 */
export function peerComponent(name: string, url: string, isThere: () => void = () => {}): Component {
  return {
    name, isCritical: false,
    probe: async (signal) => {
      const { ok } = await fetch(`${url}/livez`, { signal }).catch((cause: unknown) => {
        throw new Failure('PEER_UNAVAILABLE', whyUntrusted(cause) ?? `does not answer: start it, or correct ${name.toUpperCase()}_SERVICE_URL`, { cause })
      })
      if (!ok) return { status: 'unhealthy', detail: 'does not answer /livez with 200' }
      isThere()
      return { status: 'healthy' }
    },
  }
}

const ComponentReport = z.strictObject({
  status: z.enum(['healthy', 'degraded', 'unhealthy', 'unknown']),
  critical: z.boolean(),
  detail: z.string().nullable().describe('Why, when it is not healthy.'),
  checked_at: z.iso.datetime().nullable().describe('When it was last looked at; probes run in the background.'),
  age_ms: z.int().nonnegative().nullable(),
})

export const HealthReport = z.strictObject({
  status: z.enum(['healthy', 'degraded', 'unhealthy']),
  service: z.string(),
  version: z.string(),
  timestamp: z.iso.datetime(),
  constitutional_hash: z.string(),
  constitutional_digest: z.string(),
  components: z.record(z.string(), ComponentReport),
})
export type HealthReport = z.infer<typeof HealthReport>

const ReadinessReport = z.strictObject({ status: z.enum(['ready', 'not_ready']), service: z.string(), because: z.array(z.string()), timestamp: z.iso.datetime() })

export const getHealth = {
  method: 'GET',
  path: '/health',
  summary: 'How the process and what it needs are doing',
  description: 'Answers from the last results of background probes; nothing is called while you wait. 200 while it serves, 503 when unhealthy.',
  access: 'public',
  reply: HealthReport,
  alsoStatus: { 503: 'Unhealthy: something without which nothing can be served is missing.' },
  failures: [],
} as const satisfies Endpoint

export const getLivez = {
  method: 'GET',
  path: '/livez',
  summary: 'Whether the process runs',
  access: 'public',
  reply: z.strictObject({ status: z.literal('alive'), service: z.string(), timestamp: z.iso.datetime() }),
  failures: [],
} as const satisfies Endpoint

export const getReadyz = {
  method: 'GET',
  path: '/readyz',
  summary: 'Whether requests should be sent here',
  description: 'Turns 503 as soon as the process begins to shut down, while it still serves what arrives.',
  access: 'public',
  reply: ReadinessReport,
  alsoStatus: { 503: 'Not ready, and why.' },
  failures: [],
} as const satisfies Endpoint

export const getStartupz = {
  method: 'GET',
  path: '/startupz',
  summary: 'Whether the process has started',
  description: '503 until everything was looked at once, 200 from then on, also while it shuts down or lacks something: only a start that hangs is worth a restart.',
  access: 'public',
  reply: z.strictObject({ status: z.enum(['started', 'starting']), service: z.string(), timestamp: z.iso.datetime() }),
  alsoStatus: { 503: 'Still starting.' },
  failures: [],
} as const satisfies Endpoint

/** What is known about the components of a process. Probes run on their own; asking costs nothing. */
export type Health = {
  /** Probes everything once, then again and again; resolves after the first round. */
  readonly start: () => Promise<void>
  readonly stop: () => void
  /** From now on not ready. */
  readonly drain: () => void
  readonly report: () => HealthReport
  readonly readiness: () => z.infer<typeof ReadinessReport>
  /** Looks at one component now, for who just learned that it failed. */
  readonly probe: (name: string) => Promise<void>
  readonly routes: readonly Route[]
}

export function createHealth({ service, version, constitution, components, telemetry, intervalMs, timeoutMs, now = () => new Date() }: {
  service: string
  version: string
  constitution: InForce
  components: readonly Component[]
  telemetry: Telemetry
  intervalMs: number
  timeoutMs: number
  now?: () => Date
}): Health {
  type Last = { result: ProbeResult; at: Date }
  const last = new Map<string, Last>()
  const timers = new Set<NodeJS.Timeout>()
  let isDraining = false
  let isStarted = false
  let isStopped = false
  for (const { name } of components) telemetry.metrics.componentHealth.set({ component: name }, 0)

  async function look(component: Component): Promise<void> {
    const result = await within(timeoutMs, component.probe)
    const before = last.get(component.name)?.result.status
    last.set(component.name, { result, at: now() })
    const isHealthy = result.status === 'healthy'
    componentProbed(telemetry, {
      component: component.name, isHealthy, detail: result.detail ?? null,
      hasChanged: before === undefined ? !isHealthy : before !== result.status,
    })
  }

  function again(component: Component): void {
    if (isStopped) return
    const timer = setTimeout(() => {
      timers.delete(timer)
      void look(component).finally(() => again(component))
    }, intervalMs)
    timer.unref()
    timers.add(timer)
  }

  function componentReports(): HealthReport['components'] {
    const at = now().getTime()
    return Object.fromEntries(components.map(({ name, isCritical }) => {
      const known = last.get(name)
      if (known === undefined) return [name, { status: 'unknown', critical: isCritical, detail: 'not looked at yet', checked_at: null, age_ms: null }]
      const age = Math.max(0, at - known.at.getTime())
      // A result that should have been replaced long ago says that probing itself is stuck.
      const isStale = age > 3 * (intervalMs + timeoutMs)
      return [name, {
        status: isStale ? 'unknown' : known.result.status,
        critical: isCritical,
        detail: isStale ? 'the last result is too old' : (known.result.detail ?? null),
        checked_at: known.at.toISOString(),
        age_ms: age,
      }]
    }))
  }

  function report(): HealthReport {
    const found = componentReports()
    const all = Object.values(found)
    const status = all.some((one) => one.critical && (one.status === 'unhealthy' || one.status === 'unknown')) ? 'unhealthy'
      : all.some((one) => one.status !== 'healthy') ? 'degraded' : 'healthy'
    return {
      status, service, version, timestamp: now().toISOString(),
      constitutional_hash: constitution.hash, constitutional_digest: constitution.digest, components: found,
    }
  }

  function readiness(): z.infer<typeof ReadinessReport> {
    const because: string[] = []
    if (!isStarted) because.push('starting')
    if (isDraining) because.push('shutting down')
    for (const [name, one] of Object.entries(componentReports())) {
      if (one.critical && (one.status === 'unhealthy' || one.status === 'unknown')) because.push(`${name}: ${one.detail ?? one.status}`)
    }
    return { status: because.length === 0 ? 'ready' : 'not_ready', service, because, timestamp: now().toISOString() }
  }

  return {
    start: async () => {
      await Promise.all(components.map((component) => look(component)))
      isStarted = true
      for (const component of components) again(component)
    },
    stop: () => {
      isStopped = true
      for (const timer of timers) clearTimeout(timer)
      timers.clear()
    },
    drain: () => { isDraining = true },
    report,
    readiness,
    probe: async (name) => {
      const component = components.find((one) => one.name === name)
      if (component !== undefined) await look(component)
    },
    routes: [
      route(getHealth, () => {
        const found = report()
        return new Answer(found, { status: found.status === 'unhealthy' ? 503 : 200 })
      }),
      route(getLivez, () => ({ status: 'alive' as const, service, timestamp: now().toISOString() })),
      route(getReadyz, () => {
        const found = readiness()
        return new Answer(found, { status: found.status === 'ready' ? 200 : 503 })
      }),
      route(getStartupz, () => new Answer({ status: isStarted ? ('started' as const) : ('starting' as const), service, timestamp: now().toISOString() }, { status: isStarted ? 200 : 503 })),
    ],
  }
}

async function within(timeoutMs: number, probe: Component['probe']): Promise<ProbeResult> {
  const abort = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<ProbeResult>((resolve) => {
    timer = setTimeout(() => {
      abort.abort()
      resolve({ status: 'unhealthy', detail: `no answer within ${timeoutMs} ms` })
    }, timeoutMs)
  })
  try {
    return await Promise.race([(async () => probe(abort.signal))(), late])
  } catch (error) {
    if (error instanceof Failure) return { status: 'unhealthy', detail: error.message }
    const code = error instanceof Error && 'code' in error ? String(error.code) : error instanceof Error ? error.name : 'unknown reason'
    return { status: 'unhealthy', detail: `could not be looked at: ${code}` }
  } finally {
    clearTimeout(timer)
  }
}

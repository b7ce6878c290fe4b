import type { PoolState } from '#adapters/solver/pool.ts'
import { databaseActivity, lastDayOfStabilizers, lastHour, type LastHour } from '#adapters/postgres/diagnostics.ts'
import { queueOfRequests } from '#adapters/postgres/generation-requests.ts'
import type { Database } from '#adapters/postgres/connect.ts'
import { finding, type Finding } from '#core/diagnostic/diagnostic.ts'
import { Failure } from '#core/failure.ts'
import type { Health, HealthReport } from '#http/health.ts'
import { BREAKERS, BREAKER_STATES, CACHE_TYPES, GENERATION_STATUSES, type Metrics } from '#telemetry/metrics.ts'

export type Depth = 'basic' | 'standard' | 'comprehensive'

/** What a look at the system came to. */
export type Look = {
  readonly findings: readonly Finding[]
  /** Of the components that were looked at, the share that is healthy. */
  readonly healthScore: number
  readonly measured: Readonly<Record<string, unknown>>
  readonly notMeasured: readonly { readonly what: string; readonly because: string }[]
}

/** The runbook's bounds: slower, or lower, and it alerts. */
const P95_MS_MAX = 500
/** Ours: more of what was accepted could not be carried out. */
const FAILED_SHARE_MAX = 0.01
/** What was accepted ends within seconds, whichever process dies. */
const WAIT_SECONDS_MAX = 15

const REMEDIES: Readonly<Record<string, string>> = {
  database: 'make PostgreSQL answer at DATABASE_URL: what was accepted waits for it, and nothing new is accepted meanwhile',
  cache_manager: 'make Redis answer at REDIS_URL, or take that setting away: without it everything is slower, and nothing else',
  auth: 'start Auth where AUTH_SERVICE_URL points: until then only tokens of keys that are known are judged',
  gs: 'start synthesis where GS_SERVICE_URL points: until then texts are read in the platform',
  pgc: 'start compliance where PGC_SERVICE_URL points: until then nothing is certified, and requests wait',
  solver: 'look for the solver in the log and restart this process: nothing is proved without it',
  ledger: 'run ./acgs ledger verify: nothing more is recorded in a ledger that contradicts what was signed',
  backups: 'run ./acgs ops backup, and ./acgs ops verify on the file that it writes',
  clock: 'set the clock of the machine that is named',
}

/** Of fewer nothing can be said that holds of the next ones. */
const SAMPLE_MIN = 20

/** Looks at one component, or at everything that is measured of the system. What cannot be measured is said, and is never counted as well. */
export function createSystemLook({ health, metrics, database, pool, databaseConnectionsMax, hasRedis, complianceThreshold }: {
  health: Pick<Health, 'report' | 'probe'>
  metrics: Metrics
  database: Database
  pool: () => PoolState
  databaseConnectionsMax: number
  hasRedis: boolean
  complianceThreshold: number
}): { readonly names: () => readonly string[]; readonly look: (component: string | null, depth: Depth) => Promise<Look> } {
  const names = () => Object.keys(health.report().components)

  const look = async (component: string | null, depth: Depth): Promise<Look> => {
    const wanted = component === null ? names() : [component]
    if (depth !== 'basic') await Promise.all(wanted.map((name) => health.probe(name)))
    const { components: all } = health.report()
    const components = Object.fromEntries(wanted.map((name) => [name, all[name] as HealthReport['components'][string]]))
    const healthScore = Object.values(components).filter(({ status }) => status === 'healthy').length / wanted.length
    const breakers = await breakerStates(metrics)
    const findings = [...Object.entries(components).flatMap(ofComponent), ...Object.entries(breakers).filter(([name]) => component === null || BREAKER_OF[component] === name).flatMap(ofBreaker)]
    if (component !== null) return { findings, healthScore, measured: { components }, notMeasured: [] }

    const notMeasured: { what: string; because: string }[] = [
      { what: 'slo.availability', because: 'a process that is down does not count itself: Prometheus does (up)' },
      ...(hasRedis ? [] : [{ what: 'cache.redis', because: 'no Redis is configured: each process remembers for itself' }]),
    ]
    /** Null, and told, while the database does not answer. */
    const asked = async <T>(what: string, read: (db: Database) => Promise<T>): Promise<T | null> => {
      try {
        return await read(database)
      } catch (error) {
        if (!(error instanceof Failure) || error.code !== 'DATABASE_UNAVAILABLE') throw error
        notMeasured.push({ what, because: 'the database does not answer' })
        return null
      }
    }
    const hour = depth === 'basic' ? null : await asked('generations_last_hour', lastHour)
    const queue = depth === 'basic' ? null : await asked('queue', queueOfRequests)
    if (depth === 'basic') notMeasured.push(...['generations_last_hour', 'queue', 'slo'].map((what) => ({ what, because: 'the database is not asked with the depth basic' })))
    const slo = hour === null ? [] : objectives(hour, complianceThreshold)
    notMeasured.push(...slo.filter(({ met }) => met === null).map(({ name, of }) => ({ what: `slo.${name}`, because: `of ${of} ${OF[name]} within the last hour nothing can be said: ${SAMPLE_MIN} are needed` })))
    const inside = depth === 'comprehensive' ? { database: await asked('database', databaseActivity), stabilizers_last_day: await asked('stabilizers_last_day', lastDayOfStabilizers) } : {}
    return {
      findings: [...findings, ...slo.flatMap(ofObjective), ...(queue !== null && queue.oldestSeconds > WAIT_SECONDS_MAX ? [waiting(queue.oldestSeconds)] : [])],
      healthScore,
      measured: {
        components, breakers,
        generations_since_start: await generationsSinceStart(metrics),
        generations_last_hour: hour === null ? null : { ...hour, failed_share: failedShare(hour) },
        queue: queue === null ? null : { waiting: queue.waiting, under_way: queue.underWay, oldest_seconds: queue.oldestSeconds },
        slo,
        solver_pool: pool(),
        cache: await hitRates(metrics, hasRedis),
        connections: { open: database.connections(), max: databaseConnectionsMax },
        ...inside,
      },
      notMeasured,
    }
  }
  return { names, look }
}

type Objective = {
  readonly name: 'latency' | 'failures' | 'compliance'
  readonly objective: string
  readonly measured: number | null
  /** Of how many it is measured. */
  readonly of: number
  /** Null: they are too few. */
  readonly met: boolean | null
}

const OF = { latency: 'generations', failures: 'requests that ended', compliance: 'generations that stayed undetermined' } as const

function objectives(hour: LastHour, threshold: number): readonly Objective[] {
  const { certified, refused, undetermined, failed } = hour
  const judged = certified + refused + undetermined
  const objective = (name: Objective['name'], objective: string, measured: number | null, of: number, isMet: (value: number) => boolean): Objective =>
    ({ name, objective, measured, of, met: measured === null || of < SAMPLE_MIN ? null : isMet(measured) })
  return [
    objective('latency', `p95 of generations at most ${P95_MS_MAX} ms`, hour.p95_ms, judged, (ms) => ms <= P95_MS_MAX),
    objective('failures', `at most ${100 * FAILED_SHARE_MAX} % of requests fail`, failedShare(hour), judged + failed, (share) => share <= FAILED_SHARE_MAX),
    objective('compliance', `median score of undetermined generations at least ${threshold}`, hour.median_undetermined_score, undetermined, (score) => score >= threshold),
  ]
}

function failedShare({ certified, refused, undetermined, failed }: LastHour): number | null {
  const ended = certified + refused + undetermined + failed
  return ended === 0 ? null : failed / ended
}

function ofObjective({ name, objective, measured, met }: Objective): readonly Finding[] {
  if (met !== false || measured === null) return []
  switch (name) {
    case 'latency': return [finding('slo.latency', 'latency', 'error', `${objective}: ${Math.round(measured)} ms in the last hour`, 'scale', 'see which step is slow (acgs_pgp_v8_execution_duration_seconds), and add a replica if it is the processor')]
    case 'failures': return [finding('slo.failures', 'rate', 'error', `${objective}: ${(100 * measured).toFixed(1)} % in the last hour`, 'restore', 'look for "generation failed" and its code in the log of the last hour')]
    case 'compliance': return [finding('slo.compliance', 'constitution', 'error', `${objective}: ${measured.toFixed(2)} in the last hour`, 'reword', 'read what the undetermined generations lack: GET /api/v1/generations?verdict=undetermined')]
  }
}

function waiting(seconds: number): Finding {
  return finding('queue', 'queue', 'error', `the oldest accepted request has waited for ${Math.round(seconds)} s`, 'restore', 'see in the log what "request postponed" names, and how many wait (generation_queue_depth)')
}

function ofComponent([name, { status, critical, detail }]: [string, HealthReport['components'][string]]): readonly Finding[] {
  if (status === 'healthy') return []
  const isGrave = critical && (status === 'unhealthy' || status === 'unknown')
  return [finding(name, 'component', isGrave ? 'critical' : 'error', `${name} is ${status}${detail === null ? '' : `: ${detail}`}`, 'restore', REMEDIES[name] ?? `see to what /health says of ${name}${detail === null ? '' : `: ${detail}`}`)]
}

/** Which breaker stands in front of a component. */
const BREAKER_OF: Readonly<Record<string, string>> = { auth: 'auth', gs: 'gs', pgc: 'pgc', database: 'database', cache_manager: 'redis' }

function ofBreaker([name, state]: [string, string]): readonly Finding[] {
  return state === 'closed' ? [] : [finding(name, 'breaker', 'error', `the breaker in front of ${name} is ${state}: it failed several times in a row`, 'wait', `make ${name} answer: it is tried again within half a minute, and no restart is needed`)]
}

async function breakerStates({ circuitBreakerState }: Metrics): Promise<Readonly<Record<string, string>>> {
  const { values } = await circuitBreakerState.get()
  return Object.fromEntries(BREAKERS.map((name) => [name, BREAKER_STATES[values.find(({ labels }) => labels.service === name)?.value ?? 0] as string]))
}

async function generationsSinceStart({ policyGenerationRequests }: Metrics): Promise<Readonly<Record<string, number>>> {
  const { values } = await policyGenerationRequests.get()
  return Object.fromEntries(GENERATION_STATUSES.map((status) => [status, values.filter(({ labels }) => labels.status === status).reduce((sum, { value }) => sum + value, 0)]))
}

/** Of the look-ups since the start, per place: how many, and which share was found; null where there were none. */
async function hitRates({ cacheOperations }: Metrics, hasRedis: boolean): Promise<Readonly<Record<string, unknown>>> {
  const { values } = await cacheOperations.get()
  return Object.fromEntries(CACHE_TYPES.filter((type) => type !== 'redis' || hasRedis).map((type) => {
    const gets = values.filter(({ labels }) => labels.operation === 'get' && labels.cache_type === type)
    const lookups = gets.reduce((sum, { value }) => sum + value, 0)
    return [type, { lookups, hit_share: lookups === 0 ? null : (gets.find(({ labels }) => labels.result === 'hit')?.value ?? 0) / lookups }]
  }))
}

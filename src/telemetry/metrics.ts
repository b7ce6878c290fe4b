import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { Metric } from 'prom-client'
import { CATEGORIES, SEVERITIES, STRATEGIES } from '#core/diagnostic/diagnostic.ts'

export const PREFIX = 'acgs_pgp_v8_'
export const PRIORITIES = ['low', 'medium', 'high', 'critical'] as const
export const GENERATION_STATUSES = ['certified', 'refused', 'undetermined', 'error'] as const
export const SCORE_OUTCOMES = ['certified', 'refused', 'undetermined', 'reproved'] as const
/** The units of work that `execution_*` counts. Append; dashboards know the old ones. */
export const OPERATIONS = ['generate', 'synthesize', 'prove', 'certify', 'append', 'validate'] as const
export const AUTHENTICATION_FAILURES = [
  'missing', 'malformed', 'oversize', 'algorithm', 'type', 'unknown_key', 'signature', 'issuer', 'audience', 'expired', 'not_yet_valid', 'claims',
  'role', 'unavailable', 'client',
] as const
export const DECISION_VERDICTS = ['permitted', 'forbidden', 'not_permitted', 'error'] as const
/** The processes by the names that dashboards know: Auth, Governance Synthesis, Policy Governance and Compliance, the platform. */
export const PEERS = ['auth', 'gs', 'pgc', 'platform'] as const
/** What there is a circuit breaker in front of. */
export const BREAKERS = [...PEERS, 'database', 'redis'] as const
/** What is counted when somebody asks too often: requests of an address, generations and diagnoses of a subject. */
export const LIMITS = ['address', 'generation', 'diagnosis'] as const
/** Why a generation is not accepted: too many wait, its turn did not come in time, too many that no client waits for are there. */
export const OVERLOAD_REASONS = ['full', 'late', 'backlog', 'connections'] as const
/** Where something is remembered, and how looking there and writing there end. */
export const CACHE_TYPES = ['memory', 'redis'] as const
export const CACHE_RESULTS = { get: ['hit', 'miss', 'expired', 'rejected', 'error'], set: ['stored', 'error'] } as const
/** By the value that `circuit_breaker_state` has. */
export const BREAKER_STATES = ['closed', 'open', 'half-open'] as const
export const ORACLE_RESULTS = ['agreed', 'disagreed', 'not_compared'] as const
/** How the newest backup stands; none of them where no folder of backups is configured. */
export const BACKUP_STATES = ['valid', 'invalid', 'untried', 'missing'] as const
export const BACKUP_RESULTS = ['valid', 'invalid', 'failed'] as const
export const PROOF_OUTCOMES = ['proved', 'refuted', 'unknown'] as const
/** What is diagnosed when somebody asks: the whole system, one component of it, a generation, a document. Never the name or id of one. */
export const DIAGNOSED = ['system', 'component', 'generation', 'lsu'] as const

export type Priority = (typeof PRIORITIES)[number]
export type PeerName = (typeof PEERS)[number]
export type BreakerName = (typeof BREAKERS)[number]
export type LimitName = (typeof LIMITS)[number]
export type OverloadReason = (typeof OVERLOAD_REASONS)[number]
export type CacheType = (typeof CACHE_TYPES)[number]
export type CacheResult = (typeof CACHE_RESULTS)[keyof typeof CACHE_RESULTS][number]
export type BreakerState = (typeof BREAKER_STATES)[number]
export type BackupState = (typeof BACKUP_STATES)[number]
export type BackupResult = (typeof BACKUP_RESULTS)[number]
export type Operation = (typeof OPERATIONS)[number]
export type AuthenticationFailure = (typeof AUTHENTICATION_FAILURES)[number]
export type Diagnosed = (typeof DIAGNOSED)[number]
export type ConnectionType = 'http' | 'database'

const GENERATION_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const EXECUTION_SECONDS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]
const PROOF_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]
const DIAGNOSTIC_SECONDS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const DECISION_SECONDS = [0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05]
const CACHE_SECONDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25]
const ADMISSION_SECONDS = [0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15]
const SCORES = [0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 1]

export type Metrics = ReturnType<typeof createMetrics>

/**
 * The metric families of one process, in a registry of its own (in `all` mode four of them live side by side).
 *
 * Every series whose labels are known exists from the first scrape on, at zero, so that an alert on its absence or its rate means what
 * it says. Ids, tenants and texts are never labels.
 */
export function createMetrics({ service, version, constitutionalHash, description, startedAt = Date.now() }: {
  service: string
  version: string
  constitutionalHash: string
  description: string
  startedAt?: number
}) {
  const registry = new Registry()
  const registers = [registry]
  const watched = new Map<ConnectionType, () => number>()
  let moves = 0
  const moved = () => { moves++ }
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
    telling(moved, new Counter<L>({ name: PREFIX + name, help, labelNames: [...labelNames], registers }), ['inc'])
  const gauge = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
    telling(moved, new Gauge<L>({ name: PREFIX + name, help, labelNames: [...labelNames], registers }), ['set'])
  const histogram = <L extends string>(name: string, help: string, buckets: number[], labelNames: readonly L[] = []) =>
    telling(moved, new Histogram<L>({ name: PREFIX + name, help, buckets, labelNames: [...labelNames], registers }), ['observe', 'zero'])

  const systemInfo = gauge('system_info_info', 'What runs here; always 1.', ['version', 'service', 'constitutional_hash', 'description'])
  systemInfo.set({ version, service, constitutional_hash: constitutionalHash, description }, 1)
  new Gauge({
    name: `${PREFIX}system_uptime_seconds`, help: 'Seconds since this process started.', registers,
    collect() { this.set((Date.now() - startedAt) / 1000) },
  })
  new Gauge({
    name: `${PREFIX}active_connections`, help: 'Connections open at this moment.', labelNames: ['connection_type'], registers,
    collect() { for (const type of ['http', 'database'] as const) this.set({ connection_type: type }, watched.get(type)?.() ?? 0) },
  })

  const families = {
    policyGenerationRequests: counter('policy_generation_requests_total', 'Generations by how they ended.', ['status', 'priority']),
    policyGenerationDuration: histogram('policy_generation_duration_seconds', 'Duration of a generation, persistence included.', GENERATION_SECONDS, ['priority']),
    constitutionalComplianceScore: histogram(
      'constitutional_compliance_score', 'Score of every judged generation, and of every active policy proved again.', SCORES, ['outcome']),
    policyConfidenceScore: histogram('policy_confidence_score', 'Confidence in the meaning of every judged generation that has one.', SCORES),
    generationQueueDepth: gauge('generation_queue_depth', 'Accepted requests that have not ended, of all processes on the database.', ['state']),
    generationQueueOldest: gauge('generation_queue_oldest_seconds', 'How long the oldest request that has not ended has been accepted.'),
    admissionWaiting: gauge('admission_waiting', 'Clients that wait for the turn of their generation, in this process.'),
    admissionWait: histogram('admission_wait_seconds', 'How long generations have waited for their turn.', ADMISSION_SECONDS),
    overloadedRequests: counter('overloaded_requests_total', 'Generations that were not accepted because too much was under way, by why.', ['because']),
    generationsTakenOver: counter('generations_taken_over_total', 'Requests taken from a process that was not heard of any more.'),
    generationsPostponed: counter('generations_postponed_total', 'Attempts that had to wait for something that was away.'),
    errorCorrectionEvents: counter('error_correction_events_total', 'Candidates in which a fault was found, and disagreements that nobody could settle; and what was corrected.', ['error_type', 'corrected']),
    diagnosticRequests: counter('diagnostic_requests_total', 'Diagnoses that were asked for, by what of and how that ended.', ['target_system', 'status']),
    diagnosticDuration: histogram('diagnostic_duration_seconds', 'Duration of a diagnosis that was asked for.', DIAGNOSTIC_SECONDS, ['target_system']),
    errorsDetected: counter('errors_detected_total', 'Findings of diagnostics, of generations included, by how grave and what about.', ['severity', 'category']),
    recoveryRecommendations: counter('recovery_recommendations_total', 'Acts that diagnostics recommended, by kind, and whether they can be executed without a person.', ['strategy', 'auto_executable']),
    executionRequests: counter('execution_requests_total', 'Units of work by how they ended.', ['operation', 'status']),
    executionDuration: histogram('execution_duration_seconds', 'Duration of a unit of work.', EXECUTION_SECONDS, ['operation']),
    componentHealth: gauge('component_health', '1 healthy, 0 not.', ['component']),
    constitutionalValidations: counter('constitutional_validations_total', 'Validations by result.', ['result']),
    constitutionalHashMismatches: counter('constitutional_hash_mismatches_total', 'Requests that carried another constitutional hash.'),
    responseTime: sumAndCount(registry, moved, 'response_time_seconds', 'Time to answer, by endpoint.', ['endpoint', 'method']),
    authenticationFailures: counter('authentication_failures_total', 'Requests whose token or role did not suffice, by reason.', ['reason']),
    certificates: counter('certificates_total', 'Certificates issued, requests for one that were refused, and certificates revoked.', ['outcome']),
    activeRevisions: gauge('active_revisions', 'Revisions that decide, by how they stood at their last proof.', ['verdict']),
    certificatesExpiring: gauge('certificates_expiring', 'Certificates of active revisions that expire within 14 days.'),
    proofs: counter('proofs_total', 'Questions put to the prover, by answer.', ['outcome']),
    proofDuration: histogram('proof_duration_seconds', 'Duration of one question to the prover.', PROOF_SECONDS, ['outcome']),
    decisions: decisionTally(registry, moved),
    oracleComparisons: counter('oracle_comparisons_total', 'Decisions that Cedar’s own engine was to repeat, by what came of it.', ['result']),
    slowRevisions: gauge('slow_revisions', 'Revisions by which Cedar’s own engine decides, since it did not agree with the evaluator.'),
    rateLimitedRequests: counter('rate_limited_requests_total', 'Requests that were refused because they came too often, by the limit.', ['limit']),
    cacheOperations: counter('cache_operations_total', 'Looking up and writing what is remembered, by where and by how it ended.', ['operation', 'cache_type', 'result']),
    cacheOperationDuration: histogram('cache_operation_duration_seconds', 'Duration of looking up and of writing.', CACHE_SECONDS, ['operation', 'cache_type']),
    circuitBreakerState: gauge('circuit_breaker_state', 'Whether it is asked: 0 closed (asked), 1 open (left alone), 2 half-open (tried).', ['service']),
    ledgerEntries: gauge('ledger_entries', 'Entries in the ledger: the position of its tip.'),
    backupState: gauge('backup_state', 'How the newest backup stands: 1 for that state; all 0 where no folder of backups is configured.', ['state']),
    backupTime: gauge('backup_timestamp_seconds', 'When the newest backup was written; 0 when there is none.'),
    backupValidationTime: gauge('backup_validation_timestamp_seconds', 'When the newest backup was restored and verified; 0 when it was not.'),
    backupValidations: counter('backup_validations_total', 'Backups that were restored into a scratch database, by what came of it.', ['result']),
    ledgerCheckpointEntries: gauge('ledger_checkpoint_entries', 'Entries that the newest signed checkpoint is for.'),
    ledgerCheckpointTime: gauge('ledger_checkpoint_timestamp_seconds', 'When the newest checkpoint was signed and kept; 0 when none was since the start.'),
  }

  for (const priority of PRIORITIES) {
    families.policyGenerationDuration.zero({ priority })
    for (const status of GENERATION_STATUSES) families.policyGenerationRequests.inc({ status, priority }, 0)
  }
  for (const error_type of ['detected', 'corrected']) for (const corrected of ['true', 'false']) families.errorCorrectionEvents.inc({ error_type, corrected }, 0)
  for (const target_system of DIAGNOSED) {
    families.diagnosticDuration.zero({ target_system })
    for (const status of ['success', 'error']) families.diagnosticRequests.inc({ target_system, status }, 0)
  }
  for (const severity of SEVERITIES) for (const category of CATEGORIES) families.errorsDetected.inc({ severity, category }, 0)
  for (const strategy of STRATEGIES) for (const auto_executable of ['true', 'false']) families.recoveryRecommendations.inc({ strategy, auto_executable }, 0)
  for (const state of ['waiting', 'under_way']) families.generationQueueDepth.set({ state }, 0)
  for (const outcome of SCORE_OUTCOMES) families.constitutionalComplianceScore.zero({ outcome })
  for (const operation of OPERATIONS) {
    families.executionDuration.zero({ operation })
    for (const status of ['success', 'error']) families.executionRequests.inc({ operation, status }, 0)
  }
  for (const result of ['valid', 'invalid']) families.constitutionalValidations.inc({ result }, 0)
  for (const reason of AUTHENTICATION_FAILURES) families.authenticationFailures.inc({ reason }, 0)
  for (const outcome of ['issued', 'refused', 'revoked']) families.certificates.inc({ outcome }, 0)
  for (const verdict of ['proved', 'refuted', 'undetermined']) families.activeRevisions.set({ verdict }, 0)
  for (const result of ORACLE_RESULTS) families.oracleComparisons.inc({ result }, 0)
  for (const cache_type of CACHE_TYPES) {
    for (const operation of ['get', 'set'] as const) {
      families.cacheOperationDuration.zero({ operation, cache_type })
      for (const result of CACHE_RESULTS[operation]) families.cacheOperations.inc({ operation, cache_type, result }, 0)
    }
  }
  new Gauge({
    name: `${PREFIX}cache_hit_rate`, help: 'Percent of look-ups since the start that found what they looked for.', labelNames: ['cache_type'], registers,
    async collect() {
      const { values } = await families.cacheOperations.get()
      for (const type of CACHE_TYPES) {
        const gets = values.filter(({ labels }) => labels.operation === 'get' && labels.cache_type === type)
        const all = gets.reduce((sum, { value }) => sum + value, 0)
        this.set({ cache_type: type }, all === 0 ? 0 : (100 * (gets.find(({ labels }) => labels.result === 'hit')?.value ?? 0)) / all)
      }
    },
  })
  for (const state of BACKUP_STATES) families.backupState.set({ state }, 0)
  for (const result of BACKUP_RESULTS) families.backupValidations.inc({ result }, 0)
  for (const because of OVERLOAD_REASONS) families.overloadedRequests.inc({ because }, 0)
  for (const limit of LIMITS) families.rateLimitedRequests.inc({ limit }, 0)
  for (const service of BREAKERS) families.circuitBreakerState.set({ service }, BREAKER_STATES.indexOf('closed'))
  for (const outcome of PROOF_OUTCOMES) {
    families.proofs.inc({ outcome }, 0)
    families.proofDuration.zero({ outcome })
  }

  return {
    ...families,
    registry,
    startedAt,
    /** Other than before as soon as any figure is, but for the uptime and for what is counted of scrapes. */
    state: () => `${moves} ${[...watched.values()].map((count) => count()).join(' ')}`,
    /** Says where the number of open connections of one kind can be read at the moment of a scrape. */
    watchConnections(type: ConnectionType, count: () => number): void {
      watched.set(type, count)
    },
  }
}

/** How much is measured: series and families, counted at this moment. */
export async function countSeries(metrics: Metrics): Promise<{ series: number; families: number }> {
  const families = await metrics.registry.getMetricsAsJSON()
  return { series: families.reduce((sum, family) => sum + family.values.length, 0), families: families.length }
}

/** The same metric, which tells of each change. Only these methods are used to change one; a test looks at each. */
function telling<M extends object>(moved: () => void, metric: M, methods: readonly (keyof M)[]): M {
  for (const name of methods) {
    const change = (metric[name] as (...args: unknown[]) => void).bind(metric)
    metric[name] = ((...args: unknown[]) => {
      moved()
      change(...args)
    }) as M[keyof M]
  }
  return metric
}

/**
 * A summary of sum and count alone. prom-client's keeps every observation in a digest for quantiles that we do not export, and compresses the
 * digests of all series at every scrape: 1.5 ms at the median and 7.7 ms at the 99th percentile, against 0.6 ms and 1.3 ms like this.
 */
function sumAndCount<L extends string>(registry: Registry, moved: () => void, name: string, help: string, labelNames: readonly L[]) {
  type Series = { readonly labels: Record<L, string>; sum: number; count: number }
  /** A level for each label: to put a key together out of all of them would take longer than to find it. */
  type Level = { readonly next: Map<string, Level>; series: Series | null }
  const level = (): Level => ({ next: new Map(), series: null })
  const all: Series[] = []
  const root = level()
  const fullName = PREFIX + name
  const seriesOf = (labels: Record<L, string>): Series => {
    let at = root
    for (const label of labelNames) {
      const value = labels[label]
      const known = at.next.get(value)
      if (known !== undefined) at = known
      else at.next.set(value, at = level())
    }
    if (at.series === null) all.push(at.series = { labels, sum: 0, count: 0 })
    return at.series
  }
  const metric = {
    name: fullName,
    help,
    type: 'summary',
    aggregator: 'sum',
    get: async () => ({
      name: fullName, help, type: 'summary', aggregator: 'sum',
      values: all.flatMap(({ labels, sum, count }) => [
        { metricName: `${fullName}_sum`, labels, value: sum },
        { metricName: `${fullName}_count`, labels, value: count },
      ]),
    }),
    reset: () => {
      root.next.clear()
      root.series = null
      all.length = 0
    },
  }
  registry.registerMetric(metric as unknown as Metric)
  return {
    /** Makes a series exist, at zero. */
    zero: (labels: Record<L, string>): void => { seriesOf(labels) },
    observe: (labels: Record<L, string>, value: number, isOfScrape = false): void => {
      if (!isOfScrape) moved()
      const one = seriesOf(labels)
      one.sum += value
      one.count++
    },
  }
}

/**
 * Decisions by verdict, and how long each took: a counter and a histogram over the same figures. One decision takes less time than prom-client
 * needs to find the series of its labels, so that these are kept by hand.
 */
function decisionTally(registry: Registry, moved: () => void) {
  type Verdict = (typeof DECISION_VERDICTS)[number]
  const tallies = DECISION_VERDICTS.map((verdict) => ({ verdict, sum: 0, count: 0, upTo: DECISION_SECONDS.map(() => 0) }))
  const of = Object.fromEntries(tallies.map((each) => [each.verdict, each])) as Record<Verdict, (typeof tallies)[number]>
  const register = (name: string, help: string, type: 'counter' | 'histogram', values: () => readonly { readonly metricName?: string; readonly labels: Readonly<Record<string, string | number>>; readonly value: number }[]) => {
    const described = { name: PREFIX + name, help, type, aggregator: 'sum' }
    registry.registerMetric({ ...described, get: async () => ({ ...described, values: values() }) } as unknown as Metric)
  }
  register('decisions_total', 'Decisions by the yes or the kind of no.', 'counter', () => tallies.map(({ verdict, count }) => ({ labels: { verdict }, value: count })))
  const duration = `${PREFIX}decision_duration_seconds`
  register('decision_duration_seconds', 'Duration of a decision, without HTTP.', 'histogram', () => tallies.flatMap(({ verdict, sum, count, upTo }) => [
    ...DECISION_SECONDS.map((le, i) => ({ metricName: `${duration}_bucket`, labels: { le, verdict }, value: upTo[i]! })),
    { metricName: `${duration}_bucket`, labels: { le: '+Inf', verdict }, value: count },
    { metricName: `${duration}_sum`, labels: { verdict }, value: sum },
    { metricName: `${duration}_count`, labels: { verdict }, value: count },
  ]))
  return {
    observe: (verdict: Verdict, seconds: number): void => {
      moved()
      const one = of[verdict]
      one.sum += seconds
      one.count++
      for (let i = DECISION_SECONDS.length - 1; i >= 0 && seconds <= DECISION_SECONDS[i]!; i--) one.upTo[i]!++
    },
  }
}

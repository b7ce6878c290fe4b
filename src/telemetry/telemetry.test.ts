import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Failure } from '#core/failure.ts'
import * as events from './events.ts'
import { createLog, currentTrace, inTrace, traceFrom, traceparent } from './log.ts'
import { AUTHENTICATION_FAILURES, GENERATION_STATUSES, PREFIX, PRIORITIES, countSeries, createMetrics } from './metrics.ts'
import { OPENMETRICS_TEXT, PROMETHEUS_TEXT, scrape, scrapedAlready } from './scrape.ts'

function fresh(startedAt?: number) {
  const lines: Record<string, unknown>[] = []
  const log = createLog({ service: 'acgs-test', level: 'debug', destination: { write: (line: string) => { lines.push(JSON.parse(line)) } } })
  const metrics = createMetrics({ service: 'acgs-test', version: '8.0.0', constitutionalHash: 'cdd01ef066bc6cf2', description: 'test', ...(startedAt === undefined ? {} : { startedAt }) })
  return { telemetry: { log, metrics }, lines, text: async () => (await scrape(metrics, undefined)).text }
}

/** The value of one series, by its name without prefix and its labels in order. */
function valueOf(text: string, series: string): number {
  const line = text.split('\n').find((each) => each.startsWith(`${PREFIX}${series} `))
  assert.ok(line !== undefined, `there is no series ${series}`)
  return Number(line.slice(line.lastIndexOf(' ') + 1))
}

const generation = { id: 'g', priority: 'high', confidence: null, seconds: 0.02 } as const

/** One event per family, the series that it must move, and by how much. */
const MOVES: { family: string; event: (telemetry: events.Telemetry) => void; moves: Record<string, number> }[] = [
  { family: 'admission_waiting', event: (t) => events.requestsWaiting(t, { count: 3 }), moves: { admission_waiting: 3 } },
  { family: 'admission_wait_seconds', event: (t) => events.requestAdmitted(t, { seconds: 0.3 }), moves: { admission_wait_seconds_count: 1, 'admission_wait_seconds_bucket{le="0.5"}': 1, 'admission_wait_seconds_bucket{le="0.25"}': 0 } },
  { family: 'overloaded_requests_total', event: (t) => events.requestOverloaded(t, { because: 'late' }), moves: { 'overloaded_requests_total{because="late"}': 1 } },
  { family: 'policy_generation_requests_total', event: (t) => events.generationJudged(t, { ...generation, outcome: 'refused', score: 0.6 }), moves: { 'policy_generation_requests_total{status="refused",priority="high"}': 1 } },
  { family: 'policy_generation_requests_total, of failures', event: (t) => events.generationFailed(t, { priority: 'low', code: 'SOLVER_FAILED', seconds: 1 }), moves: { 'policy_generation_requests_total{status="error",priority="low"}': 1, 'policy_generation_duration_seconds_count{priority="low"}': 1 } },
  { family: 'policy_generation_duration_seconds', event: (t) => events.generationJudged(t, { ...generation, outcome: 'certified', score: null }), moves: { 'policy_generation_duration_seconds_count{priority="high"}': 1, 'policy_generation_duration_seconds_bucket{le="0.025",priority="high"}': 1, 'policy_generation_duration_seconds_bucket{le="0.01",priority="high"}': 0 } },
  { family: 'constitutional_compliance_score', event: (t) => events.generationJudged(t, { ...generation, outcome: 'undetermined', score: 0.8 }), moves: { 'constitutional_compliance_score_count{outcome="undetermined"}': 1, 'constitutional_compliance_score_bucket{le="0.8",outcome="undetermined"}': 1, 'constitutional_compliance_score_bucket{le="0.7",outcome="undetermined"}': 0 } },
  { family: 'error_correction_events_total', event: (t) => events.candidatesCompared(t, { id: 'gen_1', setAside: 2, isUnsettled: false, holds: true }), moves: { 'error_correction_events_total{error_type="detected",corrected="true"}': 2, 'error_correction_events_total{error_type="corrected",corrected="true"}': 2, 'error_correction_events_total{error_type="detected",corrected="false"}': 0 } },
  { family: 'error_correction_events_total, when nobody is to blame', event: (t) => events.candidatesCompared(t, { id: 'gen_1', setAside: 0, isUnsettled: true, holds: true }), moves: { 'error_correction_events_total{error_type="detected",corrected="false"}': 1, 'error_correction_events_total{error_type="corrected",corrected="true"}': 0 } },
  { family: 'error_correction_events_total, when what was corrected still fires', event: (t) => events.candidatesCompared(t, { id: 'gen_1', setAside: 1, isUnsettled: false, holds: false }), moves: { 'error_correction_events_total{error_type="detected",corrected="false"}': 1, 'error_correction_events_total{error_type="corrected",corrected="false"}': 1, 'error_correction_events_total{error_type="corrected",corrected="true"}': 0 } },
  { family: 'policy_confidence_score', event: (t) => events.generationJudged(t, { ...generation, confidence: 0.97, outcome: 'certified', score: 1 }), moves: { 'policy_confidence_score_count': 1, 'policy_confidence_score_bucket{le="0.95"}': 0, 'policy_confidence_score_bucket{le="1"}': 1 } },
  { family: 'policy_confidence_score, without a number', event: (t) => events.generationJudged(t, { ...generation, outcome: 'certified', score: 1 }), moves: { 'policy_confidence_score_count': 0 } },
  { family: 'constitutional_compliance_score, without a score', event: (t) => events.generationJudged(t, { ...generation, outcome: 'certified', score: null }), moves: { 'constitutional_compliance_score_count{outcome="certified"}': 0 } },
  { family: 'constitutional_compliance_score, of revisions proved again', event: (t) => events.revisionReproved(t, { application: 'a', number: 1, verdict: 'proved', score: 1 }), moves: { 'constitutional_compliance_score_count{outcome="reproved"}': 1 } },
  { family: 'certificates_total, revoked', event: (t) => events.certificateRevoked(t, { certificate: 'c' }), moves: { 'certificates_total{outcome="revoked"}': 1 } },
  { family: 'active_revisions, certificates_expiring', event: (t) => events.revisionsCounted(t, { verdicts: ['refuted', 'refuted'], expiring: 3 }), moves: { 'active_revisions{verdict="refuted"}': 2, certificates_expiring: 3 } },
  { family: 'execution_requests_total and _duration_seconds', event: (t) => events.executionFinished(t, { operation: 'prove', status: 'error', seconds: 0.3 }), moves: { 'execution_requests_total{operation="prove",status="error"}': 1, 'execution_duration_seconds_sum{operation="prove"}': 0.3 } },
  { family: 'component_health', event: (t) => events.componentProbed(t, { component: 'solver', isHealthy: true, hasChanged: true, detail: null }), moves: { 'component_health{component="solver"}': 1 } },
  { family: 'constitutional_validations_total', event: (t) => events.constitutionValidated(t, { valid: false }), moves: { 'constitutional_validations_total{result="invalid"}': 1, 'constitutional_validations_total{result="valid"}': 0 } },
  { family: 'constitutional_hash_mismatches_total', event: (t) => events.hashMismatched(t, { provided: 'x' }), moves: { 'constitutional_hash_mismatches_total': 1 } },
  { family: 'response_time_seconds', event: (t) => events.requestAnswered(t, { endpoint: '/a/{id}', method: 'GET', status: 200, seconds: 0.5, isFrequent: false }), moves: { 'response_time_seconds_sum{endpoint="/a/{id}",method="GET"}': 0.5, 'response_time_seconds_count{endpoint="/a/{id}",method="GET"}': 1 } },
  { family: 'authentication_failures_total', event: (t) => events.authenticationFailed(t, { reason: 'expired' }), moves: { 'authentication_failures_total{reason="expired"}': 1 } },
  { family: 'certificates_total', event: (t) => events.certificateIssued(t, { id: 'c' }), moves: { 'certificates_total{outcome="issued"}': 1, 'certificates_total{outcome="refused"}': 0 } },
  { family: 'certificates_total, refused', event: (t) => events.certificateRefused(t, { verdict: 'violates' }), moves: { 'certificates_total{outcome="refused"}': 1 } },
  { family: 'proofs_total and proof_duration_seconds', event: (t) => events.proofAnswered(t, { question: 'article:privacy.consent', outcome: 'unknown', seconds: 0.004 }), moves: { 'proofs_total{outcome="unknown"}': 1, 'proof_duration_seconds_count{outcome="unknown"}': 1 } },
  { family: 'circuit_breaker_state', event: (t) => events.breakerTurned(t, { service: 'gs', state: 'half-open' }), moves: { 'circuit_breaker_state{service="gs"}': 2 } },
  { family: 'cache_operations_total, cache_hit_rate and cache_operation_duration_seconds', event: (t) => {
    for (const result of ['hit', 'miss', 'expired', 'hit'] as const) events.cacheOperated(t, { operation: 'get', type: 'redis', result, seconds: 0.002 })
  }, moves: { 'cache_operations_total{operation="get",cache_type="redis",result="hit"}': 2, 'cache_hit_rate{cache_type="redis"}': 50, 'cache_hit_rate{cache_type="memory"}': 0, 'cache_operation_duration_seconds_bucket{le="0.005",operation="get",cache_type="redis"}': 4, 'cache_operation_duration_seconds_bucket{le="0.001",operation="get",cache_type="redis"}': 0 } },
  { family: 'rate_limited_requests_total', event: (t) => events.requestLimited(t, { limit: 'generation' }), moves: { 'rate_limited_requests_total{limit="generation"}': 1, 'rate_limited_requests_total{limit="address"}': 0 } },
  { family: 'generation_queue_depth and _oldest_seconds', event: (t) => events.requestsQueued(t, { waiting: 3, underWay: 2, oldestSeconds: 7 }), moves: { 'generation_queue_depth{state="waiting"}': 3, 'generation_queue_depth{state="under_way"}': 2, generation_queue_oldest_seconds: 7 } },
  { family: 'generations_taken_over_total', event: (t) => events.requestTaken(t, { id: 'g', attempt: 2 }), moves: { generations_taken_over_total: 1 } },
  { family: 'generations_postponed_total', event: (t) => events.requestPostponed(t, { id: 'g', code: 'PEER_UNAVAILABLE', pauseSeconds: 1 }), moves: { generations_postponed_total: 1 } },
  { family: 'decisions_total and decision_duration_seconds', event: (t) => events.decisionMade(t, { verdict: 'forbidden', seconds: 0.0002 }), moves: { 'decisions_total{verdict="forbidden"}': 1, 'decision_duration_seconds_count{verdict="forbidden"}': 1, 'decision_duration_seconds_bucket{le="0.00025",verdict="forbidden"}': 1, 'decision_duration_seconds_bucket{le="0.0001",verdict="forbidden"}': 0 } },
  { family: 'oracle_comparisons_total', event: (t) => events.oracleCompared(t, { result: 'agreed', because: null }), moves: { 'oracle_comparisons_total{result="agreed"}': 1 } },
  { family: 'slow_revisions', event: (t) => events.slowRevisionsCounted(t, { count: 2 }), moves: { slow_revisions: 2 } },
  { family: 'backup_state and its times', event: (t) => events.backupsSeen(t, { state: 'valid', writtenAt: new Date(1_500), validatedAt: new Date(2_500) }), moves: { 'backup_state{state="valid"}': 1, 'backup_state{state="missing"}': 0, backup_timestamp_seconds: 1.5, backup_validation_timestamp_seconds: 2.5 } },
  { family: 'backup_validations_total', event: (t) => events.backupValidated(t, { file: 'b', result: 'invalid', entries: null, because: 'cut off', seconds: 1 }), moves: { 'backup_validations_total{result="invalid"}': 1 } },
  { family: 'ledger_entries', event: (t) => events.ledgerAppended(t, { entries: 42 }), moves: { ledger_entries: 42 } },
  { family: 'ledger_checkpoint_entries and _timestamp_seconds', event: (t) => events.checkpointSigned(t, { entries: 41, at: new Date(1_500) }), moves: { ledger_checkpoint_entries: 41, ledger_checkpoint_timestamp_seconds: 1.5 } },
]

test('every event that moves a figure is tried here', () => {
  const tried = MOVES.map(({ event }) => String(event)).join()
  const moving = Object.entries(events).filter(([, event]) => String(event).includes('metrics.')).map(([name]) => name)
  assert.deepEqual(moving.filter((name) => !tried.includes(`events.${name}(`)), [])
  assert.ok(moving.length > 25)
})

for (const { family, event, moves } of MOVES) {
  test(`${family} moves when it happens, from zero`, async () => {
    const { telemetry, text } = fresh()
    if (!/component_health|response_time/.test(family)) for (const series of Object.keys(moves)) assert.equal(valueOf(await text(), series), 0, series)
    event(telemetry)
    for (const [series, value] of Object.entries(moves)) assert.equal(valueOf(await text(), series), value, series)
  })
}

test('system_info says what runs, system_uptime_seconds for how long, active_connections what is open', async () => {
  const { telemetry, text } = fresh(Date.now() - 5_000)
  assert.equal(valueOf(await text(), 'system_info_info{version="8.0.0",service="acgs-test",constitutional_hash="cdd01ef066bc6cf2",description="test"}'), 1)
  const first = valueOf(await text(), 'system_uptime_seconds')
  await sleep(20)
  assert.ok(first >= 5 && first < 10 && valueOf(await text(), 'system_uptime_seconds') > first)
  let open = 0
  telemetry.metrics.watchConnections('database', () => open)
  assert.equal(valueOf(await text(), 'active_connections{connection_type="database"}'), 0)
  open = 3
  assert.equal(valueOf(await text(), 'active_connections{connection_type="database"}'), 3)
  assert.equal(valueOf(await text(), 'active_connections{connection_type="http"}'), 0)
})

test('every labelled series that is known exists from the first scrape on', async () => {
  const text = await fresh().text()
  for (const priority of PRIORITIES) {
    assert.equal(valueOf(text, `policy_generation_duration_seconds_count{priority="${priority}"}`), 0)
    for (const status of GENERATION_STATUSES) assert.equal(valueOf(text, `policy_generation_requests_total{status="${status}",priority="${priority}"}`), 0)
  }
  for (const service of ['auth', 'gs', 'pgc', 'platform', 'database', 'redis']) assert.equal(valueOf(text, `circuit_breaker_state{service="${service}"}`), 0)
  for (const reason of AUTHENTICATION_FAILURES) assert.equal(valueOf(text, `authentication_failures_total{reason="${reason}"}`), 0)
})

test('a text is sent again as long as no figure has changed, and not after any event', async () => {
  for (const { family, event } of MOVES) {
    const { telemetry } = fresh()
    assert.equal(scrapedAlready(telemetry.metrics, undefined, Infinity), null, family)
    const { text } = await scrape(telemetry.metrics, undefined)
    assert.equal(scrapedAlready(telemetry.metrics, undefined, Infinity)?.bytes.toString(), text, family)
    assert.equal(scrapedAlready(telemetry.metrics, 'application/openmetrics-text', Infinity), null, family)
    event(telemetry)
    assert.equal(scrapedAlready(telemetry.metrics, undefined, Infinity), null, family)
  }
  const { telemetry: { metrics } } = fresh()
  let open = 1
  metrics.watchConnections('http', () => open)
  await scrape(metrics, undefined)
  assert.notEqual(scrapedAlready(metrics, undefined, Infinity), null)
  open = 2
  assert.equal(scrapedAlready(metrics, undefined, Infinity), null)
})

test('OpenMetrics is answered when it is preferred, and leaves the plain format as it was', async () => {
  const { telemetry, text } = fresh()
  const before = await text()
  const open = await scrape(telemetry.metrics, 'application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5')
  assert.equal(open.contentType, OPENMETRICS_TEXT)
  assert.match(open.text, /# TYPE acgs_pgp_v8_policy_generation_requests counter\nacgs_pgp_v8_policy_generation_requests_total\{/)
  assert.match(open.text, /\n# EOF\n$/)
  assert.doesNotMatch(open.text, /\n\n/)
  const names = (all: string) => all.split('\n').filter((line) => line.startsWith('# TYPE'))
  assert.deepEqual(names(await text()), names(before))
  for (const accept of [undefined, '*/*', 'text/plain', 'text/plain, application/openmetrics-text;q=0.4', 'application/openmetrics-text;q=0']) {
    assert.equal((await scrape(telemetry.metrics, accept)).contentType, PROMETHEUS_TEXT, String(accept))
  }
})

test('the number of series is counted, not stated', async () => {
  const { telemetry } = fresh()
  const before = await countSeries(telemetry.metrics)
  events.requestAnswered(telemetry, { endpoint: '/new', method: 'GET', status: 200, seconds: 1, isFrequent: false })
  const after = await countSeries(telemetry.metrics)
  assert.equal(after.series, before.series + 2)
  assert.equal(after.families, before.families)
})

test('a log line knows the request it belongs to, however late it is written, and of no other', async () => {
  const { telemetry, lines } = fresh()
  const one = traceFrom(undefined, 'r1')
  const two = traceFrom('00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', 'r2')
  await Promise.all([one, two].map((trace) => inTrace(trace, async () => {
    await sleep(5)
    telemetry.log.info('late')
    assert.match(traceparent()!, new RegExp(`^00-${trace.traceId}-${trace.spanId}-01$`))
  })))
  telemetry.log.info('outside')
  assert.deepEqual(lines.map((line) => [line['request_id'], line['trace_id']]), [['r1', one.traceId], ['r2', '4bf92f3577b34da6a3ce929d0e0e4736'], [undefined, undefined]])
  assert.equal(currentTrace(), undefined)
  for (const line of lines) assert.deepEqual([line['service'], line['level']], ['acgs-test', 'info'])
  assert.ok(!Number.isNaN(Date.parse(lines[0]!['time'] as string)))
})

test('a traceparent that is not valid begins a new trace', () => {
  for (const bad of ['', 'x', '00-00000000000000000000000000000000-00f067aa0ba902b7-01', '00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01', 'ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', '00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01']) {
    const { traceId, spanId } = traceFrom(bad, 'r')
    assert.notEqual(traceId, '4bf92f3577b34da6a3ce929d0e0e4736', bad)
    assert.match(traceId, /^[0-9a-f]{32}$/)
    assert.match(spanId, /^[0-9a-f]{16}$/)
  }
})

test('an error within a request is logged without its message; outside of one, with it', () => {
  const { telemetry, lines } = fresh()
  const error = new Failure('SCHEMA_INVALID', 'geheim', { cause: Object.assign(new Error('geheim'), { code: '22P02', detail: 'geheim' }), problems: [{ place: 'body.schema', message: 'geheim' }] })
  inTrace(traceFrom(undefined, 'r'), () => telemetry.log.error({ err: error }, 'failed'))
  assert.doesNotMatch(JSON.stringify(lines), /geheim/)
  assert.deepEqual([(lines[0]!['err'] as { code: string }).code, (lines[0]!['err'] as { places: string[] }).places], ['SCHEMA_INVALID', ['body.schema']])
  telemetry.log.error({ err: error }, 'failed')
  assert.match(JSON.stringify(lines), /geheim/)
})

test('a hash that a caller made up is not copied into the log', () => {
  const { telemetry, lines } = fresh()
  events.hashMismatched(telemetry, { provided: 'a text of the caller' })
  events.hashMismatched(telemetry, { provided: '0123456789abcdef' })
  assert.deepEqual(lines.map((line) => line['provided']), ['not a hash', '0123456789abcdef'])
})

import type { Log } from './log.ts'
import { BACKUP_STATES, BREAKER_STATES, type AuthenticationFailure, type BackupResult, type BackupState, type BreakerName, type BreakerState, type CacheResult, type CacheType, type LimitName, type Metrics, type Operation, type OverloadReason, type Priority } from './metrics.ts'

/** Where events go: the log and the metrics of one process. */
export type Telemetry = { readonly log: Log; readonly metrics: Metrics }

/** A generation was judged and stored; `score` is null when no hard article applies, `confidence` when there is no number for it. */
export function generationJudged({ log, metrics }: Telemetry, event: {
  id: string
  outcome: 'certified' | 'refused' | 'undetermined'
  priority: Priority
  score: number | null
  confidence: number | null
  seconds: number
}): void {
  const { id, outcome, priority, score, confidence, seconds } = event
  metrics.policyGenerationRequests.inc({ status: outcome, priority })
  metrics.policyGenerationDuration.observe({ priority }, seconds)
  if (score !== null) metrics.constitutionalComplianceScore.observe({ outcome }, score)
  if (confidence !== null) metrics.policyConfidenceScore.observe(confidence)
  log.info({ generation_id: id, outcome, priority, score, confidence, seconds }, 'generation judged')
}

/**
 * Candidates were compared: in some a fault was found, and they were set aside; or they disagreed and nobody could be blamed. What was corrected holds
 * when it was measured again and nothing fired.
 */
export function candidatesCompared({ log, metrics }: Telemetry, event: { id: string; setAside: number; isUnsettled: boolean; holds: boolean }): void {
  const { id, setAside, isUnsettled, holds } = event
  if (setAside > 0) {
    metrics.errorCorrectionEvents.inc({ error_type: 'detected', corrected: String(holds) }, setAside)
    metrics.errorCorrectionEvents.inc({ error_type: 'corrected', corrected: String(holds) }, setAside)
  }
  if (isUnsettled) metrics.errorCorrectionEvents.inc({ error_type: 'detected', corrected: 'false' })
  if (setAside > 0 || isUnsettled) log.info({ generation_id: id, set_aside: setAside, is_unsettled: isUnsettled, holds }, 'candidates differ')
}

/** A generation could not be carried out: nothing was judged, nothing stored. */
export function generationFailed({ log, metrics }: Telemetry, event: { priority: Priority; code: string; seconds: number }): void {
  metrics.policyGenerationRequests.inc({ status: 'error', priority: event.priority })
  metrics.policyGenerationDuration.observe({ priority: event.priority }, event.seconds)
  log.warn(event, 'generation failed')
}

/** Something that a request needs is away: it waits, and is tried again. */
export function requestPostponed({ log, metrics }: Telemetry, event: { id: string; code: string; pauseSeconds: number }): void {
  metrics.generationsPostponed.inc()
  log.warn({ generation_id: event.id, code: event.code, pause_seconds: event.pauseSeconds }, 'request postponed')
}

/** A request was taken that somebody else had begun, who has not been heard of since. */
export function requestTaken({ log, metrics }: Telemetry, event: { id: string; attempt: number }): void {
  metrics.generationsTakenOver.inc()
  log.warn({ generation_id: event.id, attempt: event.attempt }, 'request taken over')
}

/** Accepted requests that have not ended were counted: those of all processes. */
export function requestsQueued({ metrics }: Telemetry, event: { waiting: number; underWay: number; oldestSeconds: number }): void {
  metrics.generationQueueDepth.set({ state: 'waiting' }, event.waiting)
  metrics.generationQueueDepth.set({ state: 'under_way' }, event.underWay)
  metrics.generationQueueOldest.set(event.oldestSeconds)
}

/** A client's request begins, after waiting for its turn. */
export function requestAdmitted({ metrics }: Telemetry, event: { seconds: number }): void {
  metrics.admissionWait.observe(event.seconds)
}

/** Clients that wait for their turn were counted. */
export function requestsWaiting({ metrics }: Telemetry, event: { count: number }): void {
  metrics.admissionWaiting.set(event.count)
}

/** As much is under way as may be: a request was not accepted. */
export function requestOverloaded({ log, metrics }: Telemetry, event: { because: OverloadReason }): void {
  metrics.overloadedRequests.inc(event)
  log.debug(event, 'request not accepted')
}

/** A revision that decides was proved again, after a day or after the constitution or a schema changed. */
export function revisionReproved({ log, metrics }: Telemetry, event: { application: string; number: number; verdict: 'proved' | 'refuted' | 'undetermined'; score: number | null }): void {
  if (event.score !== null) metrics.constitutionalComplianceScore.observe({ outcome: 'reproved' }, event.score)
  if (event.verdict === 'proved') log.info(event, 'active revision proved again')
  else log.error(event, 'active revision no longer holds')
}

/** How many revisions decide, by how they stand, and how many of their certificates expire soon. */
export function revisionsCounted({ metrics }: Telemetry, event: { verdicts: readonly ('proved' | 'refuted' | 'undetermined')[]; expiring: number }): void {
  for (const verdict of ['proved', 'refuted', 'undetermined'] as const) metrics.activeRevisions.set({ verdict }, event.verdicts.filter((each) => each === verdict).length)
  metrics.certificatesExpiring.set(event.expiring)
}

/** A certificate was revoked. */
export function certificateRevoked({ log, metrics }: Telemetry, event: { certificate: string }): void {
  metrics.certificates.inc({ outcome: 'revoked' })
  log.warn(event, 'certificate revoked')
}

/** One unit of work ended; a true answer that is no is a success. */
export function executionFinished({ log, metrics }: Telemetry, event: { operation: Operation; status: 'success' | 'error'; seconds: number }): void {
  metrics.executionRequests.inc({ operation: event.operation, status: event.status })
  metrics.executionDuration.observe({ operation: event.operation }, event.seconds)
  log.debug(event, 'execution finished')
}

/** The same function; each run counts as one operation, with its time. */
export function timed<A extends readonly unknown[], R>(telemetry: Telemetry, operation: Operation, work: (...args: A) => Promise<R>): (...args: A) => Promise<R> {
  return async (...args) => {
    const started = performance.now()
    const finished = (status: 'success' | 'error') => executionFinished(telemetry, { operation, status, seconds: (performance.now() - started) / 1000 })
    try {
      const result = await work(...args)
      finished('success')
      return result
    } catch (error) {
      finished('error')
      throw error
    }
  }
}

/** The prover answered one question. `question` is an article's id or the name of a question, never a text. */
export function proofAnswered({ log, metrics }: Telemetry, event: { question: string; outcome: 'proved' | 'refuted' | 'unknown'; seconds: number }): void {
  metrics.proofs.inc({ outcome: event.outcome })
  metrics.proofDuration.observe({ outcome: event.outcome }, event.seconds)
  log.debug(event, 'proof answered')
}

/** The decision point answered one question. `verdict` is `error` where it could not be evaluated. */
export function decisionMade({ log, metrics }: Telemetry, event: { verdict: 'permitted' | 'forbidden' | 'not_permitted' | 'error'; seconds: number }): void {
  metrics.decisions.observe(event.verdict, event.seconds)
  log.debug(event, 'decision made')
}

/** An answered question was repeated by Cedar's engine, or could not be; `because` is why not, or in what the two differ. */
export function oracleCompared({ log, metrics }: Telemetry, event: { result: 'agreed' | 'disagreed' | 'not_compared'; because: string | null }): void {
  metrics.oracleComparisons.inc({ result: event.result })
  log.debug(event, 'decision repeated by Cedar’s engine')
}

/** Cedar's engine does not agree: it decides by this revision from now on. */
export function revisionSlowed({ log }: Telemetry, event: { application: string; revision: number; fixture: string | null }): void {
  log.error(event, 'revision on the slow path: Cedar’s engine disagrees')
}

/** An operator lets the evaluator decide again. */
export function revisionReleased({ log }: Telemetry, event: { application: string; revision: number; by: string }): void {
  log.warn(event, 'revision released from the slow path')
}

/** How many revisions are on the slow path. */
export function slowRevisionsCounted({ metrics }: Telemetry, event: { count: number }): void {
  metrics.slowRevisions.set(event.count)
}

export function certificateIssued({ log, metrics }: Telemetry, event: { id: string }): void {
  metrics.certificates.inc({ outcome: 'issued' })
  log.info({ certificate_id: event.id }, 'certificate issued')
}

/** Whoever signs judged again and did not come to the verdict that would allow it. */
export function certificateRefused({ log, metrics }: Telemetry, event: { verdict: string }): void {
  metrics.certificates.inc({ outcome: 'refused' })
  log.warn(event, 'certificate refused')
}

export function ledgerAppended({ log, metrics }: Telemetry, event: { entries: number }): void {
  metrics.ledgerEntries.set(event.entries)
  log.debug(event, 'ledger appended')
}

/** A checkpoint was signed for the ledger and is kept outside of the database. */
export function checkpointSigned({ log, metrics }: Telemetry, event: { entries: number; at: Date }): void {
  metrics.ledgerCheckpointEntries.set(event.entries)
  metrics.ledgerCheckpointTime.set(event.at.getTime() / 1000)
  log.debug(event, 'checkpoint signed')
}

/** A backup was restored into a scratch database and verified there, or could not be. */
export function backupValidated({ log, metrics }: Telemetry, event: { file: string; result: BackupResult; entries: number | null; because: string | null; seconds: number }): void {
  metrics.backupValidations.inc({ result: event.result })
  if (event.result === 'valid') log.info(event, 'backup valid')
  else log.error(event, event.result === 'invalid' ? 'backup not valid' : 'backup could not be tried')
}

/** The folder of backups was looked at. */
export function backupsSeen({ metrics }: Telemetry, event: { state: BackupState; writtenAt: Date | null; validatedAt: Date | null }): void {
  for (const state of BACKUP_STATES) metrics.backupState.set({ state }, state === event.state ? 1 : 0)
  metrics.backupTime.set((event.writtenAt?.getTime() ?? 0) / 1000)
  metrics.backupValidationTime.set((event.validatedAt?.getTime() ?? 0) / 1000)
}

export function constitutionValidated({ log, metrics }: Telemetry, event: { valid: boolean }): void {
  metrics.constitutionalValidations.inc({ result: event.valid ? 'valid' : 'invalid' })
  log.info(event, 'constitution validated')
}

/** A request carried another constitutional hash; `provided` is logged only when it looks like one. */
export function hashMismatched({ log, metrics }: Telemetry, event: { provided: string }): void {
  metrics.constitutionalHashMismatches.inc()
  log.warn({ provided: /^[0-9a-f]{1,64}$/.test(event.provided) ? event.provided : 'not a hash' }, 'constitutional hash mismatch')
}

export function authenticationFailed({ log, metrics }: Telemetry, event: { reason: AuthenticationFailure }): void {
  metrics.authenticationFailures.inc({ reason: event.reason })
  log.warn(event, 'authentication failed')
}

/** Auth signed a council member's approval; it counts once it is handed in. */
export function approvalSigned({ log }: Telemetry, { application, revision, digest, member, jti }: { application: string; revision: number; digest: string; member: string; jti: string }): void {
  log.info({ application, revision, digest, member, jti }, 'approval signed')
}

/** Another process, the database or Redis is left alone from now on, tried, or asked again. */
export function breakerTurned({ log, metrics }: Telemetry, event: { service: BreakerName; state: BreakerState }): void {
  metrics.circuitBreakerState.set({ service: event.service }, BREAKER_STATES.indexOf(event.state))
  const { service: breaker, state } = event
  if (state === 'closed') log.info({ breaker, state }, 'asked again')
  else log.warn({ breaker, state }, state === 'open' ? 'left alone after failures in a row' : 'tried again')
}

/** Something was looked up where it may be remembered, or written there. */
export function cacheOperated({ log, metrics }: Telemetry, event: { operation: 'get' | 'set'; type: CacheType; result: CacheResult; seconds: number }): void {
  const { operation, type: cache_type, result, seconds } = event
  metrics.cacheOperations.inc({ operation, cache_type, result })
  metrics.cacheOperationDuration.observe({ operation, cache_type }, seconds)
  if (result === 'rejected') log.warn(event, 'what the cache held was not written for this question')
  else log.debug(event, 'cache operated')
}

/** Somebody asked too often, and was told when to ask again. */
export function requestLimited({ log, metrics }: Telemetry, event: { limit: LimitName }): void {
  metrics.rateLimitedRequests.inc(event)
  log.debug(event, 'asked too often')
}

/** A component was probed; only a change is worth a log line. */
export function componentProbed({ log, metrics }: Telemetry, event: { component: string; isHealthy: boolean; hasChanged: boolean; detail: string | null }): void {
  metrics.componentHealth.set({ component: event.component }, event.isHealthy ? 1 : 0)
  if (!event.hasChanged) return
  const facts = { component: event.component, healthy: event.isHealthy, detail: event.detail }
  if (event.isHealthy) log.info(facts, 'component healthy')
  else log.warn(facts, 'component not healthy')
}

/** A request was answered. `endpoint` is the pattern of its path, never the path. Probes are too many for the log, and so are decisions. */
export function requestAnswered({ log, metrics }: Telemetry, event: { endpoint: string; method: string; status: number; seconds: number; isFrequent: boolean }): void {
  const { endpoint, method, status, seconds } = event
  metrics.responseTime.observe({ endpoint, method }, seconds, endpoint === '/metrics')
  if (event.isFrequent && !log.isLevelEnabled('debug')) return
  const facts = { endpoint, method, status, seconds: Math.round(seconds * 1e6) / 1e6 }
  if (event.isFrequent) log.debug(facts, 'request answered')
  else log.info(facts, 'request answered')
}

/** The decision point has taken over another revision. */
export function bundleLoaded({ log }: Telemetry, event: { application: string; revision: number }): void {
  log.info(event, 'revision decides')
}

/** A bundle did not pass every check: what decided before goes on deciding. */
export function bundleRefused({ log }: Telemetry, event: { application: string; because: string }): void {
  log.error(event, 'bundle refused')
}

/** An application was made, or given another schema. */
export function applicationPut({ log }: Telemetry, event: { application: string; schema: string }): void {
  log.info(event, 'application put')
}

/** The entities of an application changed: how many were new or other, how many were deleted. */
export function entitiesChanged({ log }: Telemetry, event: { application: string; version: number; upserted: number; deleted: number }): void {
  log.info(event, 'entities changed')
}

/** Compliance would not sign the active revision's bundle anew: the one before goes on until it expires. */
export function revisionUnsigned({ log }: Telemetry, event: { application: string; revision: number; because: string }): void {
  log.error(event, 'active revision is not signed anew')
}

import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  acceptRequest, endRequest, forgetRequests, keepRequests, postponeRequest, queueOfRequests, readRequest, readRequestByKey, releaseRequests, takeRequest,
  type AcceptedRequest, type RequestProgress,
} from '#adapters/postgres/generation-requests.ts'
import type { Database } from '#adapters/postgres/connect.ts'
import { readReceiptOf } from '#adapters/postgres/generations.ts'
import { digest } from '#core/canonical.ts'
import { Failure, type FailureCode } from '#core/failure.ts'
import type { GenerateBody } from '#core/unit/request.ts'
import type { SemanticUnit } from '#core/unit/semantic-unit.ts'
import type { Caller } from '#http/contract.ts'
import { candidatesCompared, executionFinished, generationFailed, generationJudged, requestOverloaded, requestPostponed, requestsQueued, requestTaken, type Telemetry } from '#telemetry/events.ts'
import { inTrace, traceFrom } from '#telemetry/log.ts'
import { recurring } from '#telemetry/recurring.ts'
import { EndedElsewhere, type Attempt, type Ended, type UnderWork } from './attempt.ts'
import { isJudged, outcomeOfError, readOutcome } from './outcome.ts'
import { verdictName } from './reply.ts'

/** A request that is written down: it will be finished, whoever dies. */
export type Accepted = { readonly id: string; readonly at: Date }

/** A request that is written down and whose client waits. */
export type Undertaken = {
  readonly id: string
  /**
   * What it comes to, however long that takes.
   * @throws whatever keeps it from being finished at present; it is finished all the same, later or elsewhere.
   */
  readonly ended: Promise<Ended>
}

/** Requests from being accepted to their end. Whichever process dies at whatever moment: each ends once. */
export type Requests = {
  /**
   * Writes a request down for whoever takes it, here or elsewhere. Under a key that was used before, it is the one that stands there.
   *
   * @throws {Failure} for a request that cannot be read: it is not accepted. `IDEMPOTENCY_KEY_REUSED` for a key that was sent with another one.
   *   `OVERLOADED` when too many are accepted for later. `DATABASE_UNAVAILABLE`: it is not accepted, as far as is known.
   */
  readonly accept: (body: GenerateBody, caller: Caller, key: string | null) => Promise<Accepted>
  /**
   * Writes a request down and begins with it here. Under a key whose request has ended, that one's end is told again.
   *
   * @throws {Failure} as {@link Requests.accept} does, but never `OVERLOADED`: how many wait for their turn is not its business. `CONFLICT`
   *   (in_flight) for a key whose request is under way.
   */
  readonly undertake: (body: GenerateBody, caller: Caller, key: string | null) => Promise<Undertaken>
  /** How a request stands, to the moment where it is worked on here; null when there is none, or it ended too long ago. */
  readonly progress: (id: string) => Promise<RequestProgress | null>
  readonly isWorkedOnHere: (id: string) => boolean
  /** Begins to take what nobody works on. */
  readonly begin: () => void
  /** Takes nothing any more of what no client of this process waits for. */
  readonly rest: () => void
  /** Waits for what is under way, and leaves to others what is not finished then. @returns How many. */
  readonly close: (deadlineMs: number) => Promise<number>
}

/** Whoever has not been heard of for so long has died: others may take what it worked on. */
const HOLD_SECONDS = 5
/** So often a process says that it still works. */
const KEEP_MS = 1_500
/** So often a process looks for what nobody works on … */
const LOOK_MS = 500
/** … and how much there is. */
const COUNT_MS = 2_000
const FORGET_MS = 600_000
const BACKLOG_RETRY_SECONDS = 30
/** After so many attempts that ended without a word, the request itself is what ends them. */
const ATTEMPTS_MAX = 8
const PAUSE_SECONDS_MAX = 30
/** A solver that fails on the same question again and again does not fail by chance. */
const SOLVER_FAILURES_MAX = 5
/** What passes by itself, or by an operator's hand: the request waits. Everything else would come out the same again. */
const PASSES: readonly FailureCode[] = ['DATABASE_UNAVAILABLE', 'SOLVER_FAILED', 'PEER_UNAVAILABLE', 'AUTH_UNAVAILABLE', 'SHUTTING_DOWN', 'LEDGER_CORRUPT']

export function createRequests({ database, holds, telemetry, unitOf, attempt, onJudged, workersMax, keptHours, backlogMax }: {
  database: Database
  /** The same, by other connections: whoever waits for one to say that it still works is thought dead. */
  holds: Database
  telemetry: Telemetry
  /** @throws {Failure} when the request cannot be read. */
  unitOf: (id: string, body: GenerateBody) => SemanticUnit
  attempt: Attempt
  onJudged: (verdict: 'certified' | 'refused' | 'undetermined') => void
  /** So many at once, of those that no client of this process waits for. */
  workersMax: number
  keptHours: number
  /** So many that nobody works on yet, of all processes; nothing more is accepted for later while there are. */
  backlogMax: number
}): Requests {
  const holder = randomUUID()
  const held = new Map<string, { readonly work: UnderWork; readonly ended: Promise<unknown> }>()
  const timers: NodeJS.Timeout[] = []
  let workers = 0
  /** How many nobody worked on when they were counted last, and those that were accepted here since. */
  let backlog = 0
  let looking: Promise<unknown> | null = null
  let isWoken = false
  let isClosing = false
  const { log } = telemetry
  const looked = recurring(log, 'nobody looks for requests while the database is out')
  const kept = recurring(log, 'others may take what is under way here')
  const counted = recurring(log, 'requests are not counted while the database is out')
  const forgotten = recurring(log, 'requests that ended long ago are still there')

  const endedElsewhere = async (id: string): Promise<Ended> => {
    const there = await readRequest(database, id)
    if (there?.outcome === null || there?.outcome === undefined) throw new EndedElsewhere(`request ${id} ended elsewhere, and what came of it was kept for nobody`)
    const outcome = readOutcome(there.outcome)
    if (there.state !== 'failed') return { outcome, ledger: await readReceiptOf(database, id, { told: there.outcome, requestDigest: there.request_digest }) }
    if (outcome.kind !== 'problem' || isJudged(outcome)) throw new Failure('LEDGER_CORRUPT', `request \`${id}\` came to no generation, and what was kept to be told speaks of one`)
    return { outcome, ledger: null }
  }

  /** Carries out one request; whatever happens, it has ended afterwards, or somebody will take it. */
  const carryOut = async (work: UnderWork, given?: SemanticUnit): Promise<Ended> => {
    const { request } = work
    const { id, body: { priority } } = request
    const started = performance.now()
    const seconds = () => (performance.now() - started) / 1000
    try {
      if (request.silent > ATTEMPTS_MAX) throw new Error(`${ATTEMPTS_MAX} attempts at ${id} have ended without a word`)
      const { generation, ...ended } = await attempt(work, given ?? unitOf(id, request.body))
      const outcome = verdictName(generation)
      onJudged(outcome)
      const { diagnosis: { kind }, corrections: [{ setAside }], objections } = generation
      candidatesCompared(telemetry, { id, setAside: setAside.length, isUnsettled: kind === 'ambiguous' || kind === 'unexplained', holds: objections.length === 0 })
      generationJudged(telemetry, { id, outcome, priority, score: generation.score, confidence: generation.confidence.value, seconds: seconds() })
      executionFinished(telemetry, { operation: 'generate', status: 'success', seconds: seconds() })
      return ended
    } catch (error) {
      if (error instanceof EndedElsewhere) return endedElsewhere(id)
      executionFinished(telemetry, { operation: 'generate', status: 'error', seconds: seconds() })
      const code = error instanceof Failure ? error.code : 'INTERNAL'
      if (error instanceof Failure && passes(error, request)) {
        const pauseSeconds = Math.min(2 ** request.postponed, PAUSE_SECONDS_MAX)
        await postponeRequest(holds, holder, id, pauseSeconds).catch(() => {}) // Then it is taken as one whose holder has died.
        requestPostponed(telemetry, { id, code, pauseSeconds })
        throw new Failure(error.code, `the request is kept and will be finished: read /api/v1/generations/${id}, and do not send it again; at present it cannot be (${error.message})`, { cause: error, details: { ...error.details, generation_id: id } })
      }
      generationFailed(telemetry, { priority, code, seconds: seconds() })
      if (code === 'INTERNAL') telemetry.log.error({ err: error, generation_id: id }, 'request failed')
      const outcome = outcomeOfError(error)
      const isMine = await endRequest(database, id, { state: 'failed', at: new Date(), steps: work.steps, outcome: JSON.stringify(outcome) })
      return isMine ? { outcome, ledger: null } : endedElsewhere(id)
    }
  }

  const begin = (request: AcceptedRequest, unit?: SemanticUnit): Promise<Ended> => {
    const work: UnderWork = { request, steps: [...request.steps] }
    const ended = carryOut(work, unit).finally(() => held.delete(request.id))
    held.set(request.id, { work, ended })
    return ended
  }

  /** Takes requests that nobody works on, as many as may be worked on at once. */
  const look = async (): Promise<void> => {
    while (!isClosing && workers < workersMax) {
      const request = await takeRequest(holds, holder, HOLD_SECONDS, [...held.keys()])
      if (request === null) return
      if (request.silent > 1) requestTaken(telemetry, { id: request.id, attempt: request.attempt })
      workers++
      void inTrace(traceFrom(undefined, request.id), () => begin(request))
        .catch((error: unknown) => {
          if (!(error instanceof EndedElsewhere)) telemetry.log.warn({ err: error, generation_id: request.id }, 'request is not finished yet')
        })
        .finally(() => {
          workers--
          wake()
        })
    }
  }
  const wake = () => {
    if (isClosing) return
    if (looking !== null) {
      isWoken = true
      return
    }
    looking = looked(look()).finally(() => {
      looking = null
      if (isWoken) {
        isWoken = false
        wake()
      }
    })
  }

  const keep = () => {
    const mine = [...held.values()].map(({ work: { request: { id }, steps } }) => ({ id, steps }))
    if (mine.length > 0) void kept(keepRequests(holds, holder, HOLD_SECONDS, mine))
  }
  const count = () => void counted(queueOfRequests(holds).then((queue) => {
    backlog = queue.waiting
    requestsQueued(telemetry, queue)
  }))
  const forget = () => void forgotten(forgetRequests(holds, keptHours))

  return {
    accept: async (body, caller, key) => {
      const { requested } = requestOf(body, caller, key)
      if (backlog >= backlogMax) throw crowded(backlog)
      if (!(await acceptRequest(database, requested, null, HOLD_SECONDS))) {
        const { generation_id: id, accepted_at: at } = await sentBefore(requested)
        return { id, at }
      }
      backlog++
      wake()
      return { id: requested.id, at: requested.at }
    },
    undertake: async (body, caller, key) => {
      const { requested, unit } = requestOf(body, caller, key)
      if (!(await acceptRequest(database, requested, holder, HOLD_SECONDS))) {
        const { generation_id: id, state } = await sentBefore(requested)
        if (state === 'accepted') throw conflict('in_flight', `the request with this key is under way: read /api/v1/generations/${id}, or send it again a little later`, id)
        return { id, ended: endedElsewhere(id) }
      }
      return { id: requested.id, ended: begin({ ...requested, attempt: 1, silent: 1, postponed: 0, steps: [] }, unit) }
    },
    progress: async (id) => {
      const there = await readRequest(database, id)
      const here = held.get(id)?.work
      if (there === null || there.state !== 'accepted' || here === undefined || here.request.attempt < there.attempt) return there
      return { ...there, steps: [...here.steps] }
    },
    isWorkedOnHere: (id) => held.has(id),
    begin: () => {
      for (const [work, ms] of [[wake, LOOK_MS], [keep, KEEP_MS], [count, COUNT_MS], [forget, FORGET_MS]] as const) {
        timers.push(setInterval(work, ms).unref())
        work()
      }
    },
    rest: () => { isClosing = true },
    close: async (deadlineMs) => {
      isClosing = true
      await looking
      for (const deadline = performance.now() + deadlineMs; held.size > 0 && performance.now() < deadline;) {
        const finished = new AbortController()
        const all = Promise.allSettled([...held.values()].map(({ ended }) => ended)).then(() => finished.abort())
        await Promise.race([all, sleep(Math.max(0, deadline - performance.now()), undefined, { signal: finished.signal }).catch(() => {})])
      }
      for (const each of timers) clearInterval(each)
      return held.size === 0 ? 0 : releaseRequests(holds, holder).catch(() => held.size) // Nobody has heard of us: they are taken all the same.
    },
  }

  function crowded(waiting: number): Failure {
    requestOverloaded(telemetry, { because: 'backlog' })
    return new Failure('OVERLOADED', `${waiting} requests wait for somebody to work on them: send this one again in ${BACKLOG_RETRY_SECONDS} s`, { details: { reason: 'backlog', retry_after_seconds: BACKLOG_RETRY_SECONDS } })
  }

  function requestOf(body: GenerateBody, { subject }: Caller, key: string | null) {
    const id = `gen_${randomUUID()}`
    return { unit: unitOf(id, body), requested: { id, subject, key, body, at: new Date(), digest: digest(body) } }
  }

  /** How the same request stands that was sent before with this key; another one is refused. */
  async function sentBefore(requested: ReturnType<typeof requestOf>['requested']): Promise<RequestProgress> {
    const there = await readRequestByKey(database, requested.subject, requested.key as string)
    if (there === null) throw conflict('in_flight', 'the key was forgotten at this very moment: send the request again')
    if (there.request_digest === requested.digest) return there
    throw new Failure('IDEMPOTENCY_KEY_REUSED', 'the key in Idempotency-Key was sent before with another request: use another key for this one', { details: { generation_id: there.generation_id } })
  }
}

function passes(error: Failure, { postponed }: AcceptedRequest): boolean {
  return PASSES.includes(error.code) && (error.code !== 'SOLVER_FAILED' || postponed < SOLVER_FAILURES_MAX)
}

function conflict(reason: string, message: string, id?: string): Failure {
  return new Failure('CONFLICT', message, { details: { reason, ...(id === undefined ? {} : { generation_id: id }) } })
}

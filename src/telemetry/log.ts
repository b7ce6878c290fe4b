import { AsyncLocalStorage } from 'node:async_hooks'
import { randomBytes } from 'node:crypto'
import { pino, stdTimeFunctions } from 'pino'
import type { DestinationStream, Level, Logger } from 'pino'
import { Failure } from '#core/failure.ts'

export type Log = Logger

/** What ties together the log lines, replies and outgoing calls of one request. Ids are lower-case hex as W3C Trace Context has them. */
export type Trace = { readonly requestId: string; readonly traceId: string; readonly spanId: string }

const current = new AsyncLocalStorage<Trace>()

/** Runs `work` so that every log line written by it, however late, carries the trace's ids. */
export function inTrace<T>(trace: Trace, work: () => T): T {
  return current.run(trace, work)
}

/** The trace of the request being served, or undefined outside of one. */
export function currentTrace(): Trace | undefined {
  return current.getStore()
}

/**
 * Continues the caller's trace under a span of our own, or begins one when the header is absent or not valid.
 *
 * @see W3C Trace Context, section 3.2
 */
export function traceFrom(traceparent: string | undefined, requestId: string): Trace {
  if (traceparent === undefined) return new RequestTrace(requestId, null)
  const match = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?$/.exec(traceparent)
  const isValid = match !== null && match[1] !== 'ff' && (match[1] !== '00' || match[4] === undefined) && !/^0+$/.test(match[2]!) && !/^0+$/.test(match[3]!)
  return new RequestTrace(requestId, isValid ? match[2]! : null)
}

/** Its own ids are made when somebody looks at them: most requests are answered before anybody does. */
class RequestTrace implements Trace {
  readonly requestId: string
  #traceId: string | null
  #spanId: string | null = null

  constructor(requestId: string, traceId: string | null) {
    this.requestId = requestId
    this.#traceId = traceId
  }

  get traceId(): string {
    return (this.#traceId ??= randomBytes(16).toString('hex'))
  }

  get spanId(): string {
    return (this.#spanId ??= randomBytes(8).toString('hex'))
  }
}

/** The header that hands the present trace on to a peer; undefined outside of a request. */
export function traceparent(): string | undefined {
  const trace = current.getStore()
  return trace === undefined ? undefined : `00-${trace.traceId}-${trace.spanId}-01`
}

/**
 * A log of JSON lines: `time`, `level` by name, `service`, the ids of the request if there is one, and `msg`.
 *
 * Texts of requests never get here. Errors of a request are therefore logged without their message (it may quote the request): by type,
 * code, places of the problems, and stack frames.
 */
export function createLog({ service, level, destination }: { service: string; level: Level | 'silent'; destination?: DestinationStream }): Log {
  const options = {
    level,
    base: { service },
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    mixin: () => {
      const trace = current.getStore()
      return trace === undefined ? {} : { request_id: trace.requestId, trace_id: trace.traceId, span_id: trace.spanId }
    },
    serializers: { err: errorFacts },
  }
  return destination === undefined ? pino(options) : pino(options, destination)
}

function errorFacts(error: unknown, depth = 0): Record<string, unknown> {
  if (!(error instanceof Error)) return { type: typeof error }
  const outsideRequest = current.getStore() === undefined
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line)).map((line) => line.trim())
  return {
    type: error.name,
    ...('code' in error ? { code: error.code } : {}),
    ...(outsideRequest ? { message: error.message } : {}),
    ...(error instanceof Failure && error.problems.length > 0 ? { places: error.problems.map((problem) => problem.place) } : {}),
    ...(error instanceof Failure ? {} : { stack: frames.slice(0, 12) }),
    ...(error.cause !== undefined && depth < 4 ? { cause: errorFacts(error.cause, depth + 1) } : {}),
  }
}

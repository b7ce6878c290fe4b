import type { z } from 'zod'
import { Failure, type FailureCode, type Problem } from '#core/failure.ts'
import { parseJson } from '#core/json.ts'
import type { Telemetry } from '#telemetry/events.ts'
import type { PeerName } from '#telemetry/metrics.ts'
import { BREAKER_RULES, createBreaker, type Breaker, type BreakerRules } from './breaker.ts'
import type { Endpoint } from './contract.ts'
import { PROBLEMS } from './problem.ts'
import { whyUntrusted } from './trust.ts'

/** What a peer sends is read up to here, whatever it says of its length. */
const REPLY_BYTES_MAX = 67_108_864
const REPLY_LEVELS_MAX = 1_000

type In<E, Part extends 'params' | 'query' | 'body'> = E extends { readonly [P in Part]: infer S extends z.ZodType } ? { readonly [P in Part]: z.input<S> } : { readonly [P in Part]?: never }

/** Asks a peer one operation: what its contract promises comes back. */
export type Call = <const E extends Endpoint>(endpoint: E, input: In<E, 'params'> & In<E, 'query'> & In<E, 'body'> & { readonly signal?: AbortSignal }) => Promise<z.output<E['reply']>>

/**
 * What calls one peer over HTTP by its contracts.
 *
 * What the peer refuses arrives as the same {@link Failure}, with its details. When it is out, late, overloaded, or says what its contract
 * does not promise: `PEER_UNAVAILABLE`. After some of those in a row nobody waits for it for a while.
 *
 * @param token Null for peers that ask for none.
 */
export function createCall({ peer, url, token, timeoutMs, telemetry, breaker = peerBreaker({ peer, url, telemetry }) }: {
  peer: PeerName
  url: string
  token: (() => Promise<string>) | null
  timeoutMs: number
  telemetry: Telemetry
  /** In front of this peer; one of its own with the usual rules, where none is given. */
  breaker?: Breaker
}): Call {
  const away = (because: string, cause?: unknown) => peerAway(peer, url, because, cause)

  const ask = async (endpoint: Endpoint, input: { params?: unknown; query?: unknown; body?: unknown }, bearer: string | null, signal: AbortSignal | undefined): Promise<unknown> => {
    const late = AbortSignal.timeout(timeoutMs)
    let response: Response
    let bytes: Uint8Array
    try {
      response = await fetch(addressOf(url, endpoint, input), {
        method: endpoint.method,
        headers: { accept: 'application/json', ...(bearer === null ? {} : { authorization: `Bearer ${bearer}` }), ...(input.body === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(input.body === undefined ? {} : { body: JSON.stringify(input.body) }),
        redirect: 'error',
        signal: signal === undefined ? late : AbortSignal.any([signal, late]),
      })
      bytes = await wholeOf(response)
    } catch (cause) {
      // Whoever asked has gone, so the peer is not to blame; but a trial that was not answered has not succeeded.
      if (signal?.aborted === true && breaker.state() !== 'half-open') throw signal.reason
      throw away(late.aborted ? `did not answer within ${timeoutMs} ms` : whyUntrusted(cause) ?? 'does not answer', cause)
    }
    const isGood = response.status === (endpoint.status ?? 200) || endpoint.alsoStatus?.[response.status] !== undefined
    if (!isGood) throw refusalOf(response.status, bytes, away)
    try {
      return endpoint.reply.parse(parseJson(bytes, `reply of ${peer}`, REPLY_LEVELS_MAX, endpoint.exactIntegers === true ? 'bigint' : 'refused'))
    } catch (cause) {
      throw away('answers what its contract does not promise: are both of the same release?', cause)
    }
  }

  return async (endpoint, { signal, ...input }) => {
    // Outside the breaker: that Auth is out says nothing about this peer.
    const bearer = token === null || endpoint.access === 'public' ? null : await token()
    return breaker.run(() => ask(endpoint, input, bearer, signal)) as never
  }
}

/** What stands in front of one peer. */
export function peerBreaker({ peer, url, telemetry, rules = BREAKER_RULES, now }: { peer: PeerName; url: string; telemetry: Telemetry; rules?: BreakerRules; now?: () => number }): Breaker {
  return createBreaker({
    service: peer, telemetry, rules, meanwhile: 'wait', ...(now === undefined ? {} : { now }),
    // Whoever refuses is there; that whoever asked went away says nothing.
    meaningOf: (error) => (!(error instanceof Failure) || error.code === 'SHUTTING_DOWN' ? 'neither' : error.code === 'PEER_UNAVAILABLE' ? 'failure' : 'success'),
    refused: () => peerAway(peer, url, `has failed ${rules.failuresMax} times in a row and is left alone for a while`),
  })
}

function peerAway(peer: PeerName, url: string, because: string, cause?: unknown): Failure {
  return new Failure('PEER_UNAVAILABLE', `${peer} at ${url} ${because}`, { cause, details: { peer } })
}

function addressOf(base: string, endpoint: Endpoint, { params, query }: { params?: unknown; query?: unknown }): string {
  const path = endpoint.path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String((params as Record<string, unknown>)[name])))
  const given = Object.entries((query ?? {}) as Record<string, unknown>).filter(([, value]) => value !== undefined)
  return `${base}${path}${given.length === 0 ? '' : `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}`}`
}

async function wholeOf(response: Response): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of response.body ?? []) {
    length += part.byteLength
    if (length > REPLY_BYTES_MAX) throw new Error(`the reply is longer than ${REPLY_BYTES_MAX} bytes`)
    parts.push(part)
  }
  return Buffer.concat(parts)
}

/** What only the caller's own side can have caused, and what only says that the peer is out: not the business of who asked us. */
const NOT_PASSED_ON: readonly FailureCode[] = ['UNAUTHENTICATED', 'FORBIDDEN', 'AUTH_UNAVAILABLE', 'NOT_FOUND', 'METHOD_NOT_ALLOWED', 'UNSUPPORTED_MEDIA_TYPE', 'CONSTITUTION_MISMATCH', 'PEER_UNAVAILABLE', 'SHUTTING_DOWN']

/** The peer's own refusal where it is one; everything else says that it cannot be asked. */
function refusalOf(status: number, bytes: Uint8Array, away: (because: string, cause?: unknown) => Failure): Failure {
  let problem: Record<string, unknown>
  try {
    problem = parseJson(bytes, 'problem', REPLY_LEVELS_MAX) as Record<string, unknown>
  } catch (cause) {
    return away(`answers ${status}`, cause)
  }
  const { type: _type, title: _title, status: _status, trace_id, code, detail, problems, ...details } = problem
  const said = `answers ${status}${typeof detail === 'string' ? `: ${detail}` : ''}${typeof trace_id === 'string' ? ` (its trace ${trace_id})` : ''}`
  const isRefusal = status >= 400 && status < 500 && typeof code === 'string' && Object.hasOwn(PROBLEMS, code) && !NOT_PASSED_ON.includes(code as FailureCode)
  if (!isRefusal) return away(said)
  return new Failure(code as FailureCode, String(detail), { details, problems: Array.isArray(problems) ? (problems as Problem[]) : [] })
}

import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { Failure } from '#core/failure.ts'
import { requestLimited, type Telemetry } from '#telemetry/events.ts'
import type { LimitName } from '#telemetry/metrics.ts'
import { countedAs } from './client-address.ts'
import type { Caller, Endpoint } from './contract.ts'

/** Every limit is for this long, and it slides: no minute admits more, wherever it begins. */
export const WINDOW_MS = 60_000
/** So many callers are counted at once; who was away longest is forgotten first. */
const CALLERS_MAX = 20_000

/** Whether one more is admitted, how many more are, and when the next place becomes free. */
export type Count = { readonly admitted: boolean; readonly remaining: number; readonly freeInMs: number }

/** Counts where every replica does; throws when nobody is there to count. */
export type SharedCount = (key: string, limit: number, windowMs: number) => Promise<Count>

/** How often who may ask, a minute; 0: as often as they like. */
export type PerMinute = Readonly<Record<LimitName, number>>

/** What a reply is told of the limits that it was counted under. */
type ReplyHeaders = { readonly getHeader: (name: string) => unknown; readonly header: (name: string, value: string) => unknown }

/** How often may be asked here. Each question is counted at most once under each limit. */
export type RateLimits = {
  /**
   * Counts where a request comes from, before anybody looks at it; null where that is not counted.
   *
   * @throws {Failure} RATE_LIMITED
   */
  readonly arrived: (endpoint: Endpoint | undefined, request: IncomingMessage, reply: ReplyHeaders) => Promise<void> | null
  /**
   * Judges who asks, and counts them. Our own processes are not counted; where they may ask, nobody's address is known to be theirs
   * before this.
   *
   * @throws {Failure} RATE_LIMITED; whatever `judge` throws.
   */
  readonly asked: (endpoint: Endpoint, request: IncomingMessage, reply: ReplyHeaders, judge: () => Promise<Caller>) => Promise<Caller>
}

/**
 * Limits of one service.
 *
 * What this process has admitted is known here, so that who has had enough of it is refused without asking anybody; then all replicas
 * together are asked. While nobody can be asked, each counts for itself.
 *
 * @param service Whose requests are counted together.
 * @param perMinute Read at each request.
 */
export function createRateLimits({ service, perMinute, addressOf, shared, telemetry, now = () => performance.now() }: {
  service: string
  perMinute: () => PerMinute
  addressOf: (remote: string | undefined, headers: IncomingMessage['headers']) => string | null
  shared: SharedCount | null
  telemetry: Telemetry
  now?: () => number
}): RateLimits {
  const own = createCounts(now)

  const take = async (key: string, limit: number): Promise<Count> => {
    const counted = own.take(key, limit)
    if (!counted.admitted || shared === null) return counted
    let together: Count
    try {
      together = await shared(key, limit, WINDOW_MS)
    } catch {
      return counted
    }
    if (!together.admitted) own.giveBack(key)
    return together
  }

  const count = async (name: LimitName, who: string, limit: number, reply: ReplyHeaders): Promise<void> => {
    const { admitted, remaining, freeInMs } = await take(keyOf(service, name, who), limit)
    const seconds = Math.max(1, Math.ceil(freeInMs / 1000))
    append(reply, 'ratelimit-policy', `"${name}";q=${limit};w=${WINDOW_MS / 1000}`)
    append(reply, 'ratelimit', `"${name}";r=${remaining};t=${seconds}`)
    if (admitted) return
    requestLimited(telemetry, { limit: name })
    throw new Failure('RATE_LIMITED', `${SAID[name](limit)}: ask again in ${seconds} s`, { details: { limit: name, limit_per_minute: limit, retry_after_seconds: seconds } })
  }

  const countAddress = (request: IncomingMessage, reply: ReplyHeaders): Promise<void> | null => {
    const limit = perMinute().address
    if (limit === 0) return null
    const address = addressOf(request.socket.remoteAddress, request.headers)
    return address === null ? null : count('address', countedAs(address), limit, reply)
  }

  return {
    arrived: (endpoint, request, reply) => (endpoint?.limit === 'none' || endpoint?.audience !== undefined ? null : countAddress(request, reply)),
    asked: async (endpoint, request, reply, judge) => {
      let caller: Caller | null = null
      try {
        caller = await judge()
      } finally {
        if (endpoint.audience !== undefined && endpoint.limit !== 'none' && caller?.roles.includes('service') !== true) await countAddress(request, reply)
      }
      const { limit: name = 'none' } = endpoint
      const limit = name === 'none' ? 0 : perMinute()[name]
      if (name !== 'none' && limit > 0) await count(name, caller.subject, limit, reply)
      return caller
    },
  }
}

const SAID: Readonly<Record<LimitName, (limit: number) => string>> = {
  address: (limit) => `more than ${limit} requests a minute came from this address`,
  generation: (limit) => `more than ${limit} generations a minute were asked for by this subject`,
  diagnosis: (limit) => `more than ${limit} diagnoses a minute were asked for by this subject`,
}

/** Names and addresses are not left lying around, nor can a name be made to look like another key. */
function keyOf(service: string, name: LimitName, who: string): string {
  return `acgs:limit:${service}:${name}:${createHash('sha256').update(who).digest('hex').slice(0, 32)}`
}

function append(reply: ReplyHeaders, name: string, value: string): void {
  const before = reply.getHeader(name)
  reply.header(name, typeof before === 'string' ? `${before}, ${value}` : value)
}

/** When each of the last admissions was, by key. */
function createCounts(now: () => number) {
  const known = new Map<string, number[]>()
  return {
    /** Counts one more, when there is a place. */
    take(key: string, limit: number): Count {
      const at = now()
      const times = known.get(key) ?? []
      known.delete(key)
      known.set(key, times)
      if (known.size > CALLERS_MAX) known.delete(known.keys().next().value as string)
      while (times.length > 0 && (times[0] as number) <= at - WINDOW_MS) times.shift()
      const admitted = times.length < limit
      if (admitted) times.push(at)
      // A limit may have been lowered: a place becomes free when fewer than it are left.
      const first = times[Math.max(0, times.length - limit)] as number
      return { admitted, remaining: Math.max(0, limit - times.length), freeInMs: first + WINDOW_MS - at }
    },
    giveBack(key: string): void {
      known.get(key)?.pop()
    },
  }
}

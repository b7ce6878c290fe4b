import { createHash } from 'node:crypto'
import { Failure } from '#core/failure.ts'

/** What we ask of Redis. Nothing there is authoritative: whoever asks can do without an answer. */
export type Redis = {
  /** Null when there is none. */
  readonly get: (key: string) => Promise<Buffer | null>
  readonly set: (key: string, bytes: Buffer, ttlMs: number) => Promise<void>
  /** Runs a Lua script that answers integers; the server remembers its text. */
  readonly count: (script: string, keys: readonly string[], values: readonly number[]) => Promise<readonly number[]>
  readonly ping: () => Promise<void>
  /** One section of INFO, e.g. `stats`, as names and values. */
  readonly info: (section: string) => Promise<ReadonlyMap<string, string>>
  readonly [Symbol.asyncDispose]: () => Promise<void>
}

export type RedisOptions = {
  readonly url: string
  /** Of this process, e.g. `platform`; `CLIENT LIST` shows it as `acgs-pgp-v8-platform`. */
  readonly name: string
  readonly connectTimeoutMs: number
  /** How long one answer is waited for. */
  readonly timeoutMs: number
  /** Stands in front of every question, the connecting included. */
  readonly guard?: <T>(work: () => Promise<T>) => Promise<T>
}

type Ask = (command: readonly (string | Buffer)[]) => Promise<unknown>
type Connection = { readonly ask: Ask; readonly destroy: () => void; answeredAt: number }

/**
 * Redis, connected when it is first asked, and again when it is asked after the connection broke: nothing goes on in the background.
 *
 * Every question is answered in time or throws {Failure} `CACHE_UNAVAILABLE`: without a connection within `connectTimeoutMs`, without an
 * answer within `timeoutMs`, and when Redis refuses. A connection on which nothing came back in that time is given up.
 */
export function connectRedis({ url, name, connectTimeoutMs, timeoutMs, guard = (work) => work() }: RedisOptions): Redis {
  let current: Promise<Connection> | null = null
  let isEnded = false

  const drop = (which: Promise<Connection>) => {
    if (current === which) current = null
    which.then(({ destroy }) => destroy(), () => {})
  }
  const connected = (): Promise<Connection> => {
    if (isEnded) throw new Error('the connection was closed')
    if (current !== null) return current
    const opening: Promise<Connection> = openConnection({ url, name, connectTimeoutMs, onBroken: () => drop(opening) })
    opening.catch(() => drop(opening))
    return (current = opening)
  }

  const ask: Ask = (command) => guard(async () => {
    try {
      const used = connected()
      const connection = await used
      const askedAt = performance.now()
      try {
        const answer = await within(timeoutMs, connection.ask(command))
        connection.answeredAt = performance.now()
        return answer
      } catch (error) {
        // When others were answered meanwhile, it is slow and not gone.
        if (error instanceof Late && connection.answeredAt < askedAt) drop(used)
        throw error
      }
    } catch (cause) {
      const lacksScript = cause instanceof Error && cause.message.startsWith('NOSCRIPT')
      throw new Failure('CACHE_UNAVAILABLE', whyAway(because(cause)), { cause, details: lacksScript ? NO_SCRIPT : {} })
    }
  })

  return {
    get: async (key) => bytesOrNull(await ask(['GET', key])),
    set: async (key, bytes, ttlMs) => void await ask(['SET', key, bytes, 'PX', String(Math.max(1, Math.ceil(ttlMs)))]),
    count: async (script, keys, values) => {
      const rest = [String(keys.length), ...keys, ...values.map(String)]
      const known = await ask(['EVALSHA', createHash('sha1').update(script).digest('hex'), ...rest]).catch((error: unknown) => {
        if (error instanceof Failure && error.details === NO_SCRIPT) return null // It forgets them when it is restarted.
        throw error
      })
      return integers(known ?? await ask(['EVAL', script, ...rest]))
    },
    ping: async () => void await ask(['PING']),
    info: async (section) => new Map((bytesOrNull(await ask(['INFO', section]))?.toString() ?? '').split('\r\n').flatMap((line) => {
      const at = line.indexOf(':')
      return at < 1 || line.startsWith('#') ? [] : [[line.slice(0, at), line.slice(at + 1)] as const]
    })),
    [Symbol.asyncDispose]: async () => {
      isEnded = true
      if (current !== null) drop(current)
    },
  }
}

async function openConnection({ url, name, connectTimeoutMs, onBroken }: { url: string; name: string; connectTimeoutMs: number; onBroken: () => void }): Promise<Connection> {
  const { createClient, RESP_TYPES } = await import('@redis/client') // Who has no Redis does not load it.
  const client = createClient({
    url, name: `acgs-pgp-v8-${name}`, RESP: 2, disableOfflineQueue: true,
    socket: { connectTimeout: connectTimeoutMs, reconnectStrategy: false },
  })
  const destroy = () => {
    if (client.isOpen) client.destroy()
  }
  client.on('error', onBroken)
  try {
    await within(connectTimeoutMs, client.connect())
  } catch (error) {
    destroy()
    throw error
  }
  const options = { typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } }
  return { ask: (command) => client.sendCommand(command, options), destroy, answeredAt: performance.now() }
}

/** That it does not know a script is an answer, not a failure: it is there. */
const NO_SCRIPT = { reason: 'no_script' } as const

class Late extends Error {}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  work.catch(() => {}) // It may fail when nobody waits for it any more.
  try {
    return await Promise.race([work, new Promise<never>((_, reject) => { timer = setTimeout(() => reject(new Late(`nothing came back within ${ms} ms`)), ms) })])
  } finally {
    clearTimeout(timer)
  }
}

/** A password that is wrong, missing, or given to a Redis that has none is an answer, and waiting does not help. */
function whyAway(said: string): string {
  return /^(NOAUTH|WRONGPASS|ERR (AUTH|Client sent AUTH)) /.test(said) ? `Redis refuses the user or the password: ${said.replace(/\.$/, '')}: correct both in REDIS_URL` : `Redis does not answer: ${said}`
}

function because(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return because(error.errors[0])
  return error instanceof Error && error.message !== '' ? error.message : error instanceof Error && 'code' in error ? String(error.code) : 'for an unknown reason'
}

function bytesOrNull(answer: unknown): Buffer | null {
  if (answer === null || Buffer.isBuffer(answer)) return answer
  throw new Failure('CACHE_UNAVAILABLE', 'Redis answers with something else than bytes')
}

function integers(answer: unknown): readonly number[] {
  if (Array.isArray(answer) && answer.every((each) => Number.isSafeInteger(each))) return answer as number[]
  throw new Failure('CACHE_UNAVAILABLE', 'Redis answers with something else than integers')
}

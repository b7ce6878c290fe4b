import { freemem } from 'node:os'
import { startProduct, type Product } from '#test/product.ts'
import { needsRedis, startRedis } from '#test/redis.ts'
import { startAsked } from '../child.ts'
import type { Outcome, Work } from './client.ts'

/** The product with its PostgreSQL, kept on disk as ever, and a Redis where there is one; and who sends it generations. */
export type System = AsyncDisposable & {
  readonly product: Product
  readonly token: string
  /** Sends generations that nobody has sent before. Errors are in the outcome. */
  readonly send: (work: Pick<Work, 'seconds' | 'atMost' | 'clients' | 'perSecond'>) => Promise<Outcome>
  /** The same; any error ends the bench. */
  readonly sendWell: System['send']
}

const SEED = 26
/** As many as are worked on at once: more would only wait. */
export const CLIENTS = 8
/** Before anything is measured: so many generations, within reason, compile what runs. */
export const WARM = { seconds: 60, atMost: 80, clients: CLIENTS }

export async function startSystem(env: Readonly<Record<string, string>> = {}): Promise<System> {
  await using stack = new AsyncDisposableStack()
  if (freemem() < 2 ** 29) throw new Error('less than 512 MiB of memory are free: the figures would mean nothing')
  const redis = needsRedis.skip === false ? stack.use(await startRedis()) : null
  if (redis === null) process.stderr.write(`bench: without Redis: ${needsRedis.skip}\n`)
  const product = stack.use(await startProduct({
    env: { LOG_LEVEL: 'warn', ACGS_SECURITY_TOKEN_TTL_SECONDS: '86400', ...(redis === null ? {} : { REDIS_URL: redis.url }), ...env },
  }))
  const token = await product.token('author')
  const client = stack.use(startAsked<Work, Outcome>('./load/client.ts'))
  let from = 0
  const send: System['send'] = async (work) => {
    const outcome = await client({ urls: [product.url.platform], token, seed: SEED, from, ...work })
    from += outcome.sent
    return outcome
  }
  const owned = stack.move()
  return { product, token, send, sendWell: async (work) => well(await send(work)), [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

/** The outcome, when every request was served. */
export function well(outcome: Outcome): Outcome {
  if (outcome.errors > 0) throw new Error(`${outcome.errors} of ${outcome.sent} requests went wrong; the first: ${outcome.said.slice(0, 3).join('; ')}`)
  if (outcome.refused.length > 0) throw new Error(`${outcome.refused.length} of ${outcome.sent} requests were refused as too many`)
  return outcome
}

export function progress(text: string): void {
  process.stderr.write(`bench: ${text}\n`)
}

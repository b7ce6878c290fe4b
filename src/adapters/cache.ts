import { createHmac, timingSafeEqual } from 'node:crypto'
import { canonical, sha256 } from '#core/canonical.ts'

/** Where several processes keep bytes; whatever it throws means that it has none. */
export type ByteStore = {
  readonly get: (key: string) => Promise<Buffer | null>
  readonly set: (key: string, bytes: Buffer, ttlMs: number) => Promise<void>
}

export type CacheTier = 'memory' | 'redis'
/** `expired`: it was there, and a longer time to live would have answered. `rejected`: what was there was not written for this question, or not by us. */
export type CacheResult = 'hit' | 'miss' | 'expired' | 'rejected' | 'error' | 'stored'

export type Cache<T> = {
  /**
   * What was made for the same question before, or what `make` makes now.
   *
   * Who asks while it is being made waits for the same making. What `make` throws is kept for nobody.
   *
   * @param accepts Whether a value from elsewhere fits the question; one that does not is a miss.
   */
  readonly through: (question: unknown, make: () => Promise<T>, accepts?: (value: T) => boolean) => Promise<T>
}

/** Entries are kept for so many times to live, so that a time that is too short can be told from questions that are new. */
const KEPT_FOR = 2
const MAC_BYTES = 32
const TIME_BYTES = 8

/**
 * Remembers values by everything that they depend on: in this process, and where others can read them.
 *
 * An entry elsewhere carries a keyed digest of its key, its time and its bytes. Whatever else is found there, another entry's bytes included, is a
 * miss: who can write to the store can make this slower, and nothing else. No answer of a store is waited for after a value was made.
 *
 * @param kind Of what is remembered, in keys; with `basis`, all that a value depends on besides the question: constitution, versions.
 * @param secret Known to whoever may write entries.
 * @param ttlMs Read at each question; 0: nothing is remembered.
 * @param bytesMax How much is remembered in this process, by the length of what is written elsewhere.
 */
export function createCache<T>({ kind, basis, secret, store, ttlMs, bytesMax, write, read, observed, now = Date.now }: {
  kind: string
  basis: unknown
  secret: Uint8Array
  store: ByteStore | null
  ttlMs: () => number
  bytesMax: number
  write: (value: T) => string
  /** @throws for what is not a value. */
  read: (text: string) => T
  observed: (event: { readonly operation: 'get' | 'set'; readonly tier: CacheTier; readonly result: CacheResult; readonly seconds: number }) => void
  now?: () => number
}): Cache<T> {
  const own = createMemory<T>(bytesMax)
  const making = new Map<string, Promise<T>>()
  const named = sha256(canonical([kind, basis]))

  const timed = async (operation: 'get' | 'set', tier: CacheTier, work: () => Promise<CacheResult>) => {
    const started = performance.now()
    const result = await work().catch(() => 'error' as const)
    observed({ operation, tier, result, seconds: (performance.now() - started) / 1000 })
  }
  const sealOf = (key: string, at: Buffer, text: Buffer) => createHmac('sha256', secret).update(`${key.length} ${key} `).update(at).update(text).digest()

  const recall = async (key: string, ttl: number, accepts: (value: T) => boolean): Promise<{ readonly value: T } | null> => {
    let found: { readonly value: T } | null = null
    await timed('get', 'memory', async () => {
      const entry = own.get(key)
      if (entry === undefined) return 'miss'
      if (now() - entry.at > ttl) return 'expired'
      found = entry
      return 'hit'
    })
    if (found !== null || store === null) return found
    await timed('get', 'redis', async () => {
      const bytes = await store.get(key)
      if (bytes === null) return 'miss'
      const [seal, at, text] = [bytes.subarray(0, MAC_BYTES), bytes.subarray(MAC_BYTES, MAC_BYTES + TIME_BYTES), bytes.subarray(MAC_BYTES + TIME_BYTES)]
      if (at.length < TIME_BYTES || !timingSafeEqual(seal, sealOf(key, at, text))) return 'rejected'
      const writtenAt = Number(at.readBigUInt64BE())
      if (now() - writtenAt > ttl) return 'expired'
      let value: T
      try {
        value = read(text.toString())
      } catch {
        return 'rejected'
      }
      if (!accepts(value)) return 'rejected'
      own.set(key, { value, at: writtenAt, bytes: bytes.length })
      found = { value }
      return 'hit'
    })
    return found
  }

  const keep = async (key: string, ttl: number, value: T): Promise<void> => {
    const text = Buffer.from(write(value))
    const writtenAt = now()
    await timed('set', 'memory', async () => (own.set(key, { value, at: writtenAt, bytes: text.length }), 'stored'))
    if (store === null) return
    await timed('set', 'redis', async () => {
      const at = Buffer.alloc(TIME_BYTES)
      at.writeBigUInt64BE(BigInt(writtenAt))
      await store.set(key, Buffer.concat([sealOf(key, at, text), at, text]), KEPT_FOR * ttl)
      return 'stored'
    })
  }

  return {
    through: (question, make, accepts = () => true) => {
      const ttl = ttlMs()
      if (ttl === 0) return make()
      const key = `acgs:cache:${kind}:${sha256(`${named} ${canonical(question)}`)}`
      const underWay = making.get(key)
      if (underWay !== undefined) return underWay
      const made = (async () => {
        const known = await recall(key, ttl, accepts)
        if (known !== null) return known.value
        const value = await make()
        void keep(key, ttl, value)
        return value
      })().finally(() => making.delete(key))
      making.set(key, made)
      return made
    },
  }
}

type Entry<T> = { readonly value: T; readonly at: number; readonly bytes: number }

/** The entries that were used last, as many as fit. */
function createMemory<T>(bytesMax: number) {
  const entries = new Map<string, Entry<T>>()
  let bytes = 0
  const forget = (key: string) => {
    bytes -= entries.get(key)?.bytes ?? 0
    entries.delete(key)
  }
  return {
    get(key: string): Entry<T> | undefined {
      const entry = entries.get(key)
      if (entry === undefined) return undefined
      entries.delete(key)
      entries.set(key, entry)
      return entry
    },
    set(key: string, entry: Entry<T>): void {
      forget(key)
      if (entry.bytes > bytesMax) return
      entries.set(key, entry)
      bytes += entry.bytes
      while (bytes > bytesMax) forget(entries.keys().next().value as string)
    },
  }
}

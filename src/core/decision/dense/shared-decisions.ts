import type { Decision } from '../decide.ts'

type Known = { readonly hits: Int32Array; readonly decision: Decision }

/** Decisions that several rules together led to: the same rules lead to the same decision, one object for all questions. */
export class SharedDecisions {
  /** By a hash of the hits; of two with the same hash the later is kept. */
  readonly #known = new Map<number, Known>()

  /** @param hits The first `count` say which rules they are, in an order that is always the same. */
  of(hits: Int32Array, count: number, make: () => Decision): Decision {
    let hash = count
    for (let i = 0; i < count; i++) {
      hash = Math.imul(hash ^ (hits[i] as number), 0x9e3779b1)
      hash ^= hash >>> 15
    }
    const key = hash & SMALL_INTEGER
    const known = this.#known.get(key)
    if (known !== undefined && areSame(known.hits, hits, count)) return known.decision
    if (this.#known.size >= KNOWN_MAX) this.#known.clear()
    const decision = Object.freeze(make())
    this.#known.set(key, { hits: hits.slice(0, count), decision })
    return decision
  }
}

const KNOWN_MAX = 4_096
const SMALL_INTEGER = 0x3fffffff

function areSame(known: Int32Array, hits: Int32Array, count: number): boolean {
  if (known.length !== count) return false
  for (let i = 0; i < count; i++) if (known[i] !== hits[i]) return false
  return true
}

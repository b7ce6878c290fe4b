import type { Term } from '../terms.ts'
import { FALSE, TRUE, type Clauses } from './cnf.ts'

/**
 * Integers that are only compared, with each other and with constants. Each has a variable for every constant that matters: whether
 * it is at most that.
 *
 * Among n terms that are compared with each other, what lies between two of those constants is told apart by n values at most:
 * `representatives` of every gap suffice, exactly, for integers without bounds.
 */
export class Orders {
  readonly #clauses: Clauses
  readonly #representatives: typeof representatives
  readonly #cuts = new Map<Term, Map<bigint, number>>()
  readonly #pairs = new Map<Term, Map<Term, number>>()
  /** What each term can be: only for those that are compared with others. */
  readonly #values = new Map<Term, readonly bigint[]>()

  constructor(clauses: Clauses, choose = representatives) {
    this.#clauses = clauses
    this.#representatives = choose
  }

  /** The literal that says whether the left is at most the right. */
  atMost(left: Term, right: Term): number {
    if (left === right) return TRUE
    if (left.kind === 'int') return right.kind === 'int' ? (left.value <= right.value ? TRUE : FALSE) : -this.#cut(right, left.value - 1n)
    if (right.kind === 'int') return this.#cut(left, right.value)
    return this.#variable(this.#pairs, left, right)
  }

  /** Adds what makes an order of the comparisons; to be called once, after the last of them. */
  close(): void {
    for (const group of this.#groups()) {
      const [first] = group
      if (group.length === 1 && first !== undefined) this.#chain(this.#sorted(first).map(([, cut]) => cut))
      else this.#closeGroup(group)
    }
  }

  /** What a term is in a model. */
  value(term: Term, holds: (literal: number) => boolean): bigint {
    const values = this.#values.get(term)
    if (values !== undefined) {
      const at = values.findIndex((value, i) => i === values.length - 1 || holds(this.#cut(term, value)))
      return values[at] as bigint
    }
    let low: bigint | null = null
    for (const [bound, cut] of this.#sorted(term)) {
      if (holds(cut)) return low === null || low < 0n && bound >= 0n ? (bound < 0n ? bound : 0n) : low + 1n
      low = bound
    }
    return low === null || low < 0n ? 0n : low + 1n
  }

  #cut(term: Term, bound: bigint): number {
    return this.#variable(this.#cuts, term, bound)
  }

  #variable<K>(all: Map<Term, Map<K, number>>, term: Term, key: K): number {
    const own = all.get(term) ?? new Map<K, number>()
    all.set(term, own)
    const known = own.get(key)
    if (known !== undefined) return known
    const made = this.#clauses.variable()
    own.set(key, made)
    return made
  }

  #sorted(term: Term): readonly (readonly [bigint, number])[] {
    return [...(this.#cuts.get(term) ?? [])].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  }

  /** Terms that are compared with each other, directly or not. */
  #groups(): readonly (readonly Term[])[] {
    const next = new Map<Term, Set<Term>>()
    const of = (term: Term): Set<Term> => {
      const known = next.get(term) ?? new Set()
      next.set(term, known)
      return known
    }
    for (const term of this.#cuts.keys()) of(term)
    for (const [left, rights] of this.#pairs) {
      for (const right of rights.keys()) {
        of(left).add(right)
        of(right).add(left)
      }
    }
    const groups: Term[][] = []
    const met = new Set<Term>()
    for (const start of next.keys()) {
      if (met.has(start)) continue
      const group = new Set([start])
      for (const term of group) for (const other of of(term)) group.add(other)
      for (const term of group) met.add(term)
      groups.push([...group])
    }
    return groups
  }

  #closeGroup(group: readonly Term[]): void {
    const bounds = new Set(group.flatMap((term) => [...(this.#cuts.get(term)?.keys() ?? [])]))
    const values = this.#representatives([...bounds].sort((a, b) => (a < b ? -1 : 1)), group.length)
    const last = values.length - 1
    const cuts = new Map<Term, readonly number[]>()
    for (const term of group) {
      const named = this.#sorted(term)
      let place = 0
      const own = values.slice(0, last).map((value, i) => {
        // A cut that has a name stands at the last value before the next gap.
        const [bound, cut] = named[place] ?? []
        if (bound === undefined || cut === undefined || (values[i + 1] as bigint) <= bound) return this.#cut(term, value)
        place++
        this.#cuts.get(term)?.set(value, cut)
        return cut
      })
      this.#chain(own)
      cuts.set(term, own)
      this.#values.set(term, values)
    }
    for (const [left, rights] of this.#pairs) {
      const a = cuts.get(left)
      if (a === undefined) continue
      for (const [right, holds] of rights) {
        const b = cuts.get(right) as readonly number[]
        for (let i = 0; i <= last; i++) {
          this.#clauses.add('order', [-holds, -(b[i] ?? TRUE), a[i] ?? TRUE])
          this.#clauses.add('order', [holds, -(a[i] ?? TRUE), b[i - 1] ?? FALSE])
        }
      }
    }
  }

  /** At most one bound is at most the next. */
  #chain(cuts: readonly number[]): void {
    cuts.slice(1).forEach((cut, i) => this.#clauses.add('order', [-(cuts[i] as number), cut]))
  }
}

/** Integers that stand for all: of those at most the first bound, between each two, and beyond the last, as many as there are, up to `count`. */
export function representatives(bounds: readonly bigint[], count: number): readonly bigint[] {
  const some = Array.from({ length: count }, (_, i) => BigInt(i))
  const [first] = bounds
  if (first === undefined) return some
  const below = some.map((i) => first - BigInt(count - 1) + i)
  return [...below, ...bounds.flatMap((bound, k) => {
    const next = bounds[k + 1]
    return some.map((i) => bound + 1n + i).filter((value) => next === undefined || value <= next)
  })]
}

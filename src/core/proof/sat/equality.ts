import type { Term } from '../terms.ts'
import { FALSE, TRUE, type Clauses } from './cnf.ts'

/**
 * Equalities between terms of uninterpreted sorts: a graph whose edges are variables, true where the two are one. Nothing is said
 * of a domain, so that it is exact however many elements a sort has.
 *
 * Edges are transitive once they are so in every triangle of a chordal graph. Terms are taken out one after the other, their
 * neighbours joined; literals come last, which are joined by edges that do not hold.
 *
 * @see Bryant and Velev, "Boolean satisfiability with transitivity constraints" (2002)
 */
export class Equalities {
  readonly #clauses: Clauses
  readonly #neighbours = new Map<Term, Map<Term, number>>()

  constructor(clauses: Clauses) {
    this.#clauses = clauses
  }

  /** The literal that says whether two terms are equal. */
  literal(a: Term, b: Term): number {
    if (a === b) return TRUE
    if (a.kind === 'literal' && b.kind === 'literal') return FALSE
    const [from, to] = [this.#of(a), this.#of(b)]
    const known = from.get(b)
    if (known !== undefined) return known
    const made = this.#clauses.variable()
    from.set(b, made)
    to.set(a, made)
    return made
  }

  /** Adds what makes an equality of the edges; to be called once, after the last of them. */
  close(): void {
    const open = new Map<Term, Map<Term, number>>()
    for (const [term, edges] of this.#neighbours) if (term.kind !== 'literal') open.set(term, new Map(edges))
    while (open.size > 0) {
      const term = leastJoined(open)
      const edges = [...(open.get(term) as Map<Term, number>)]
      open.delete(term)
      const literals = edges.filter(([{ kind }]) => kind === 'literal')
      this.#atMostOne(literals.map(([, edge]) => edge))
      const others = edges.filter(([{ kind }]) => kind !== 'literal')
      others.forEach(([other, edge], i) => {
        open.get(other)?.delete(term)
        for (const [third, across] of [...others.slice(i + 1), ...literals]) {
          const opposite = this.literal(other, third)
          open.get(other)?.set(third, opposite)
          open.get(third)?.set(other, opposite)
          this.#triangle(edge, across, opposite)
        }
      })
    }
  }

  /** Every term that stands in some edge, in classes of equals. */
  classes(holds: (literal: number) => boolean): ReadonlyMap<Term, Term> {
    const first = new Map<Term, Term>()
    for (const start of this.#neighbours.keys()) {
      if (first.has(start)) continue
      first.set(start, start)
      for (const open = [start]; open.length > 0;) {
        for (const [other, edge] of this.#of(open.pop() as Term)) {
          if (first.has(other) || !holds(edge)) continue
          first.set(other, start)
          open.push(other)
        }
      }
    }
    return first
  }

  #of(term: Term): Map<Term, number> {
    const known = this.#neighbours.get(term)
    if (known !== undefined) return known
    const made = new Map<Term, number>()
    this.#neighbours.set(term, made)
    return made
  }

  #triangle(a: number, b: number, c: number): void {
    this.#clauses.add('transitive', [-a, -b, c])
    this.#clauses.add('transitive', [-a, -c, b])
    this.#clauses.add('transitive', [-b, -c, a])
  }

  /** No term is two literals. Beyond a few, by a chain of variables that say whether one so far was it: three clauses each. */
  #atMostOne(edges: readonly number[]): void {
    if (edges.length <= 5) {
      edges.forEach((one, i) => { for (const other of edges.slice(i + 1)) this.#clauses.add('distinct', [-one, -other]) })
      return
    }
    let before = FALSE
    for (const edge of edges) {
      const sofar = this.#clauses.variable()
      this.#clauses.add('distinct', [-edge, -before])
      this.#clauses.add('distinct', [-edge, sofar])
      this.#clauses.add('distinct', [-before, sofar])
      before = sofar
    }
  }
}

/** The term whose taking out joins the fewest. */
function leastJoined(open: ReadonlyMap<Term, ReadonlyMap<Term, number>>): Term {
  let best: { term: Term; joins: number } | null = null
  for (const [term, edges] of open) {
    let others = 0
    for (const other of edges.keys()) if (other.kind !== 'literal') others++
    const joins = others * (edges.size - (others + 1) / 2)
    if (best === null || joins < best.joins) best = { term, joins }
    if (joins === 0) break
  }
  if (best === null) throw new Error('no term is left')
  return best.term
}

/**
 * Clauses over the variables 1 to `variables`, in the form of DIMACS: a literal is a variable or its negative, each clause ends with 0.
 *
 * @see "Satisfiability: Suggested Format", DIMACS Challenge (1993)
 */
export type Cnf = { readonly variables: number; readonly clauses: Int32Array }

/** Why a clause is there: the question's own formula, or what holds in every world. */
export type Law = 'formula' | 'congruence' | 'distinct' | 'transitive' | 'order'

/** The literal that always holds. It is never written: it makes its clause superfluous, and its negation leaves one. */
export const TRUE = 0x7fffffff
export const FALSE = -TRUE

/** A question that the reduction to SAT does not reach; the message names the construct. */
export class Inapplicable extends Error {}

/** A list of clauses under construction. */
export class Clauses {
  readonly laws: Law[] = []
  readonly #max: number
  #data = new Int32Array(1 << 12)
  #length = 0
  #variables = 0
  /** For each variable, the number of the last clause that has it, with its sign there. */
  #met = new Int32Array(1 << 10)
  #mark = 0

  /** @param max How many clauses there may be. */
  constructor(max: number) {
    this.#max = max
  }

  variable(): number {
    return ++this.#variables
  }

  /** Adds a clause, unless it holds of itself. @throws {Inapplicable} when there are too many. */
  add(law: Law, literals: readonly number[]): void {
    if (this.laws.length >= this.#max) throw new Inapplicable(`more than ${this.#max} clauses`)
    while (this.#length + literals.length >= this.#data.length) this.#data = grown(this.#data)
    while (this.#variables >= this.#met.length) this.#met = grown(this.#met)
    const [data, met, mark] = [this.#data, this.#met, ++this.#mark]
    let end = this.#length
    for (const literal of literals) {
      if (literal === FALSE) continue
      if (literal === TRUE) return
      const [variable, signed] = literal > 0 ? [literal, mark] : [-literal, -mark]
      if (met[variable] === signed) continue
      if (met[variable] === -signed) return
      met[variable] = signed
      data[end++] = literal
    }
    data[end] = 0
    this.#length = end + 1
    this.laws.push(law)
  }

  get cnf(): Cnf {
    return { variables: this.#variables, clauses: this.#data.slice(0, this.#length) }
  }
}

function grown(data: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(2 * data.length)
  larger.set(data)
  return larger
}

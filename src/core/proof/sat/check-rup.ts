import type { Cnf } from './cnf.ts'

/**
 * Whether a proof shows that the clauses contradict each other: each of its clauses must follow from those before it by unit
 * propagation alone (RUP), and the last is empty. Shares nothing with the solver; malformed input is no proof.
 *
 * @param proof Clauses in the form of `Cnf.clauses`.
 * @see Goldberg and Novikov, "Verification of proofs of unsatisfiability for CNF formulas" (2003)
 */
export function checkRup({ variables, clauses }: Cnf, proof: Int32Array): boolean {
  const given = split(clauses, variables)
  const lemmas = split(proof, variables)
  if (given === null || lemmas === null) return false

  const truth = new Int8Array(2 * variables + 1)
  const valueOf = (literal: number): number => truth[literal + variables] as number
  const watched: number[][][] = Array.from({ length: 2 * variables + 1 }, () => [])
  const trail: number[] = []
  let done = 0

  const assume = (literal: number): void => {
    truth[variables + literal] = 1
    truth[variables - literal] = -1
    trail.push(literal)
  }
  /** Draws every consequence; false when two contradict each other. */
  const propagate = (): boolean => {
    for (; done < trail.length; done++) {
      const gone = -(trail[done] as number)
      const all = watched[gone + variables] as number[][]
      let kept = 0
      for (let i = 0; i < all.length; i++) {
        const clause = all[i] as number[]
        if (clause[0] === gone) [clause[0], clause[1]] = [clause[1] as number, gone]
        const other = clause[0] as number
        const free = valueOf(other) === 1 ? -1 : clause.findIndex((literal, at) => at > 1 && valueOf(literal) >= 0)
        if (free > 1) {
          [clause[1], clause[free]] = [clause[free] as number, gone]
          watched[(clause[1] as number) + variables]?.push(clause)
          continue
        }
        all[kept++] = clause
        if (valueOf(other) === 0) assume(other)
        else if (valueOf(other) < 0) {
          while (++i < all.length) all[kept++] = all[i] as number[]
          all.length = kept
          return false
        }
      }
      all.length = kept
    }
    return true
  }
  /** Takes a clause for granted; false when what is known contradicts it. */
  const take = (literals: readonly number[]): boolean => {
    const clause = [...new Set(literals)].sort((a, b) => valueOf(b) - valueOf(a))
    const [first, second] = clause
    if (first === undefined || valueOf(first) < 0) return false
    if (second !== undefined && valueOf(second) >= 0) for (const each of [first, second]) watched[each + variables]?.push(clause)
    else if (valueOf(first) === 0) assume(first)
    return true
  }

  for (const clause of given) if (!take(clause)) return true
  if (!propagate()) return true
  for (const lemma of lemmas) {
    const known = trail.length
    let follows = false
    for (const literal of lemma) {
      if (valueOf(literal) > 0) follows = true
      else if (valueOf(literal) === 0) assume(-literal)
    }
    follows ||= !propagate()
    for (const literal of trail.splice(known)) truth[variables + literal] = truth[variables - literal] = 0
    done = known
    if (!follows) return false
    if (!take(lemma) || !propagate()) return true
  }
  return false
}

function split(clauses: Int32Array, variables: number): number[][] | null {
  const all: number[][] = []
  let current: number[] = []
  for (const literal of clauses) {
    if (Math.abs(literal) > variables) return null
    if (literal !== 0) current.push(literal)
    else {
      all.push(current)
      current = []
    }
  }
  return current.length === 0 ? all : null
}

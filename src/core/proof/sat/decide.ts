import { digest, sha256 } from '#core/canonical.ts'
import type { Term, Value } from '../terms.ts'
import { solve } from './cdcl.ts'
import { Inapplicable, type Cnf } from './cnf.ts'
import { reduce } from './reduce.ts'

/** The engine as proofs name it; the version grows when it may answer otherwise. */
export const SAT_ENGINE = { name: 'acgs-sat', version: '1' } as const

/** Counts of work, so that the same question is always answered alike. */
export type SatLimits = { readonly clauses: number; readonly conflicts: number }

/** Some tenths of a second at most, and all in one turn. */
export const SAT_LIMITS: SatLimits = { clauses: 400_000, conflicts: 5_000 }

/** Clauses that follow from the assertions and contradict each other, and a proof of that for `checkRup`. */
export type Certificate = { readonly cnf: Cnf; readonly proof: Int32Array }

/** What a record keeps of a certificate: its size, and a SHA-256 that the same question gives again. */
export type CertificateMark = { readonly steps: number; readonly digest: string }

export type SatAnswer =
  | { readonly kind: 'unsat'; readonly certificate: Certificate }
  /** A model, as `readValues` gives it. */
  | { readonly kind: 'sat'; readonly values: ReadonlyMap<Term, Value> }
  /** The reduction does not reach this question: integers are calculated with, or it grows too large. */
  | { readonly kind: 'inapplicable'; readonly reason: string }
  | { readonly kind: 'unknown'; readonly reason: string }

/**
 * Whether ground assertions can hold together, by reduction to SAT: exact, and the same question is always answered alike.
 *
 * What `unsat` rests on: that `reduce` says of its assertions what is so. That its clauses contradict each other, the certificate shows.
 */
export function decideBySat(assertions: readonly Term[], limits: SatLimits = SAT_LIMITS): SatAnswer {
  try {
    const { cnf, values } = reduce(assertions, limits.clauses)
    const solution = solve(cnf, limits.conflicts)
    switch (solution.kind) {
      case 'unsat': return { kind: 'unsat', certificate: { cnf, proof: solution.proof } }
      case 'sat': return { kind: 'sat', values: values(solution.model) }
      case 'unknown': return { kind: 'unknown', reason: `more than ${limits.conflicts} conflicts` }
    }
  } catch (error) {
    if (error instanceof Inapplicable) return { kind: 'inapplicable', reason: error.message }
    throw error
  }
}

/** The digest is over the canonical form of how many variables there are and of the SHA-256 of the clauses and of the proof, as little-endian 32-bit integers. */
export function markOf({ cnf: { variables, clauses }, proof }: Certificate): CertificateMark {
  let steps = 0
  for (const literal of proof) if (literal === 0) steps++
  return { steps, digest: digest({ variables, clauses: sha256(bytesOf(clauses)), proof: sha256(bytesOf(proof)) }) }
}

const IS_LITTLE_ENDIAN = new Uint8Array(Int32Array.of(1).buffer)[0] === 1

function bytesOf({ buffer, byteOffset, byteLength }: Int32Array): Uint8Array {
  const bytes = Buffer.from(buffer, byteOffset, byteLength)
  return IS_LITTLE_ENDIAN ? bytes : Buffer.from(bytes).swap32()
}

import type { Environment } from '#core/policy/schema.ts'
import type { CedarEntity, CedarRequest } from '#core/unit/semantic-unit.ts'

/** A concrete request, with its entities, on which the claim fails: ready for `acgs decide`. */
export type Counterexample = CedarRequest & {
  readonly entities: readonly CedarEntity[]
  /** For `independent-of`: the second world, which differs only in what must not matter, and is decided otherwise. */
  readonly other?: CedarRequest & { readonly entities: readonly CedarEntity[] }
}

export type Answer =
  | { readonly kind: 'proved' }
  | { readonly kind: 'refuted'; readonly counterexample: Counterexample }
  /** `timeout`, `unsupported: …`, `solver failed: …`: never a yes. */
  | { readonly kind: 'unknown'; readonly reason: string }

/**
 * One question about a policy set, answered in every environment it concerns. Refuted if one environment is, else unknown
 * if one is. Re-running `question` over inputs with the same digest under the same limits gives the same answer.
 */
export type Proof = {
  /** `article:privacy.consent`, `equivalent`, … */
  readonly question: string
  readonly answer: Answer
  readonly environments: readonly (Environment & { readonly answer: Answer['kind'] })[]
  readonly engines: readonly { readonly name: string; readonly version: string }[]
  /** SHA-256 over everything the answer depends on. */
  readonly inputDigest: string
  readonly basis: Basis
  readonly limits: Limits
}

/** In how many environments the claim holds, by what shows it: nobody's word, a certificate that was checked again, or the solver's word alone. */
export type Basis = {
  /** The negated claim folded to a contradiction: no engine was asked. */
  readonly folded: number
  /** A certificate was checked; where both engines must agree, the solver said so too. */
  readonly certified: number
  readonly solver: number
  /** Of all certificates together, how many clauses were learned. */
  readonly steps: number
  /** SHA-256 over the digests of the certificates, in the order of the environments; null when there are none. */
  readonly certificates: string | null
}

/** For one script each: Z3's own count of work, which makes answers reproducible, and a wall clock behind it. */
export type Limits = { readonly rlimit: number; readonly timeoutMs: number }

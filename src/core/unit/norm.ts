import type { Expression, Uid } from '#core/policy/expression.ts'

export type Modality = 'permit' | 'forbid' | 'oblige'

/** A sentence that can be understood in more ways than this has to be reworded: nobody compares so many. */
export const SENSES_MAX = 8

/**
 * One norm that a reader understood in one sentence: who may, must not or must do what, on which, when, unless.
 *
 * A sentence can carry several ("Only nurses may read charts": nurses may, everyone else must not). Everything that
 * narrows who or which ("of their own ward", "who are on duty") stands in `when`; everything that excepts, in `unless`.
 */
export type Norm = {
  /** `N3` for the only norm of sentence 3, `N3.1`, `N3.2` for several. */
  readonly id: string
  /** 1-based number of its source sentence. */
  readonly sentence: number
  readonly source: string
  readonly modality: Modality
  /** Entity types, any of which the principal has. Empty: anyone. */
  readonly principals: readonly string[]
  /** Actions of the schema, any of them. Empty: any action. */
  readonly actions: readonly Uid[]
  /** Entity types, any of which the resource has. Empty: anything. */
  readonly resources: readonly string[]
  /** Must hold. Type-checks for every combination of the types above that the schema allows. */
  readonly when: Expression | null
  /** Must not hold. */
  readonly unless: Expression | null
  /** For `oblige`: what must be done, e.g. `log`, `notify`. */
  readonly obligation: string | null
}

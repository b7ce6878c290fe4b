import { cautious, correlation, type Lineage, type Weights } from './weights.ts'

/**
 * How much each of several witnesses counts beside the others: 1 alone, less where others are wrong together with it.
 *
 * The weight of witness i is 1 / Σⱼ ρᵢⱼ, with ρᵢᵢ = 1 and ρᵢⱼ the correlation of being wrong (the upper end of its interval where it was
 * measured, never below 0: what few sentences say counts against independence). Where every pair has the same ρ the sum of n weights is
 * n / (1 + (n − 1) ρ), the effective number of observations behind Kish's design effect.
 *
 * @see L. Kish, Survey Sampling (1965), section 5.4; T. Leinster and C. A. Cobbold, Ecology 93 (2012), for the sum over unequal pairs
 */
export function witnessWeights(witnesses: readonly Lineage[], weights: Weights): readonly number[] {
  return witnesses.map((one, i) => {
    const shared = witnesses.reduce((sum, other, j) => {
      if (i === j) return sum + 1
      return sum + Math.max(0, cautious(correlation(one, other, weights)))
    }, 0)
    return 1 / shared
  })
}

/** As how many independent ones several witnesses count: from 1, where they are never wrong apart, to their number. 0 without any. */
export function effectiveWitnesses(witnesses: readonly Lineage[], weights: Weights): number {
  return witnessWeights(witnesses, weights).reduce((sum, weight) => sum + weight, 0)
}

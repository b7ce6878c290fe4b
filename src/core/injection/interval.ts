/**
 * The exact 95 % confidence interval of a share, from counts: with any true share, the interval of a sample misses it at most once in twenty.
 *
 * @param hits From 0 to `trials`.
 * @returns Both ends from 0 to 1; the whole of it without trials.
 * @see Clopper and Pearson, Biometrika 26 (1934)
 */
export function clopperPearson(hits: number, trials: number): { readonly low: number; readonly high: number } {
  const tail = 0.025
  return {
    low: hits === 0 ? 0 : crossing((share) => 1 - atMost(hits - 1, trials, share) - tail),
    high: hits === trials ? 1 : crossing((share) => tail - atMost(hits, trials, share)),
  }
}

/** The probability of at most so many hits. */
function atMost(hits: number, trials: number, share: number): number {
  if (share <= 0) return 1
  if (share >= 1) return hits >= trials ? 1 : 0
  let log = trials * Math.log1p(-share)
  let sum = Math.exp(log)
  for (let k = 1; k <= hits; k++) {
    log += Math.log((trials - k + 1) / k) + Math.log(share) - Math.log1p(-share)
    sum += Math.exp(log)
  }
  return Math.min(1, sum)
}

/** Where something that grows from below zero reaches it. */
function crossing(of: (share: number) => number): number {
  let [low, high] = [0, 1]
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2
    if (of(middle) < 0) low = middle
    else high = middle
  }
  return (low + high) / 2
}

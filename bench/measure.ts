/** One measured figure: its distribution over n runs, and beside which baseline of the same run. */
export type Result = {
  readonly name: string
  readonly unit: 'ns' | 'µs' | 'ms' | 'MB' | 's' | '1/s' | 'exponent' | 'x' | '' | 'KB' | '%' | 'MB/min'
  readonly n: number
  readonly p50: number
  readonly p95: number
  readonly p99: number
  readonly baseline?: { readonly name: string; readonly p50: number }
  readonly ratio?: number
  /** What it is meant to reach, by which of the figures. */
  readonly target?: { readonly bound: 'at least' | 'at most'; readonly value: number; readonly figure: 'p50' | 'p95'; readonly isMet: boolean }
}

/** A figure beside what it is meant to reach. */
export function aimed(result: Result, bound: 'at least' | 'at most', value: number, figure: 'p50' | 'p95' = 'p50'): Result {
  return { ...result, target: { bound, value, figure, isMet: bound === 'at least' ? result[figure] >= value : result[figure] <= value } }
}

export function summarize(name: string, unit: Result['unit'], samples: readonly number[], baseline?: Result): Result {
  const sorted = samples.toSorted((a, b) => a - b)
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN
  const result = { name, unit, n: samples.length, p50: at(0.5), p95: at(0.95), p99: at(0.99) }
  return baseline === undefined ? result : { ...result, baseline: { name: baseline.name, p50: baseline.p50 }, ratio: result.p50 / baseline.p50 }
}

/** Runs work `n` times after `warmup` uncounted ones; milliseconds each. */
export async function time(n: number, warmup: number, work: (i: number) => Promise<unknown>): Promise<number[]> {
  const samples: number[] = []
  for (let i = 0; i < warmup + n; i++) {
    const started = performance.now()
    await work(i)
    if (i >= warmup) samples.push(performance.now() - started)
  }
  return samples
}

/** One answer with how sure it was, and whether it was right. */
export type Graded = { readonly confidence: number; readonly isRight: boolean }

/** Answers that were about as sure: `[from, to)`, the last bin with its end. Means and shares are null without answers. */
export type Bin = { readonly from: number; readonly to: number; readonly answers: number; readonly mean_confidence: number | null; readonly share_right: number | null }

/** How far confidence keeps its word: of the answers given at 0.9, are nine in ten right? */
export type Reliability = {
  readonly answers: number
  readonly bins: readonly Bin[]
  /** The mean squared distance between confidence and what came of it: 0 is perfect, 0.25 is always saying one half. Null without answers. */
  readonly brier: number | null
  /** The mean distance between confidence and share of right answers over the bins, by their answers. Null without answers. */
  readonly expected_calibration_error: number | null
}

const BINS = 10

/**
 * A reliability table of ten bins of equal width.
 *
 * @see G. W. Brier, Monthly Weather Review 78 (1950); M. P. Naeini et al., AAAI (2015), for the expected calibration error
 */
export function reliabilityOf(graded: readonly Graded[]): Reliability {
  const bins = Array.from({ length: BINS }, (_, i): Bin => {
    const within = graded.filter(({ confidence }) => Math.min(Math.floor(confidence * BINS), BINS - 1) === i)
    const mean = (value: (each: Graded) => number) => (within.length === 0 ? null : within.reduce((sum, each) => sum + value(each), 0) / within.length)
    return { from: i / BINS, to: (i + 1) / BINS, answers: within.length, mean_confidence: mean(({ confidence }) => confidence), share_right: mean(({ isRight }) => Number(isRight)) }
  })
  const all = graded.length
  return {
    answers: all, bins,
    brier: all === 0 ? null : graded.reduce((sum, { confidence, isRight }) => sum + (confidence - Number(isRight)) ** 2, 0) / all,
    expected_calibration_error: all === 0 ? null : bins.reduce((sum, { answers, mean_confidence: mean, share_right: right }) => sum + (answers / all) * Math.abs((mean ?? 0) - (right ?? 0)), 0),
  }
}

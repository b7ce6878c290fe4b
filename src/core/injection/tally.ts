import { clopperPearson } from './interval.ts'
import type { Trial, Verdict } from './trial.ts'

/** Trials by what came of them. */
export type Tally = {
  readonly trials: number
  /** In which at least one candidate was broken; the shares below are of these. */
  readonly faulty: number
  readonly detected: number
  readonly located: number
  /** Broken candidates, and what came out is proved to mean the original. */
  readonly corrected: number
  readonly refused: number
  /** What came out is proved to mean something else. */
  readonly false_accepts: number
  /** Whether what came out is right could not be proved. */
  readonly unknown: number
}

/** `of` is null where there are no trials to have a share of. */
export type Share = { readonly of: number | null; readonly low: number; readonly high: number }

/** What came of the trials by the proved majority. */
export function tally(trials: readonly Trial[]): Tally {
  return { ...counted(trials, ({ outcome }) => outcome), detected: trials.filter(({ isDetected, faulty }) => isDetected && faulty.length > 0).length, located: trials.filter(({ isLocated }) => isLocated).length }
}

/** What somebody else would have made of them, who detects nothing. */
export function tallyOf(trials: readonly Trial[], which: 'voting' | 'textVoting' | 'single'): Tally {
  return { ...counted(trials, (trial) => trial[which]), detected: 0, located: 0 }
}

function counted(trials: readonly Trial[], outcomeOf: (trial: Trial) => Verdict): Omit<Tally, 'detected' | 'located'> {
  const count = (wanted: Verdict) => trials.filter((trial) => outcomeOf(trial) === wanted).length
  return {
    trials: trials.length, faulty: trials.filter(({ faulty }) => faulty.length > 0).length,
    corrected: trials.filter((trial) => trial.faulty.length > 0 && outcomeOf(trial) === 'right').length,
    refused: count('refused'), false_accepts: count('wrong'), unknown: count('unknown'),
  }
}

/** Each figure as a share with its exact 95 % interval: what is about faults of the trials that had one, the others of all. */
export function shares(counts: Tally): { readonly [figure in 'detected' | 'located' | 'corrected' | 'refused' | 'false_accepts']: Share } {
  const share = (hits: number, of: number): Share => ({ of: of === 0 ? null : hits / of, ...clopperPearson(hits, of) })
  const { trials, faulty, detected, located, corrected, refused, false_accepts } = counts
  return { detected: share(detected, faulty), located: share(located, faulty), corrected: share(corrected, faulty), refused: share(refused, trials), false_accepts: share(false_accepts, trials) }
}

import type { Outcome } from '#core/stabilizers/check.ts'
import { TABLE_VERSION } from '#core/stabilizers/table.ts'

/** What checks came to, by the digests of what they compared; within one process. */
export type VerdictMemory = {
  /** The outcome of a check over what has these digests: remembered, or found by running it. One that failed is run again the next time. */
  readonly recall: (stabilizer: string, compares: readonly string[], run: () => Promise<Outcome>) => Promise<Outcome>
}

/** So many outcomes are remembered without being asked for; with its evidence each is some kilobytes at most. */
const OUTCOMES_MAX = 2_048

/** @param max The one that was not asked for longest is forgotten when there are more. */
export function createVerdictMemory(max = OUTCOMES_MAX): VerdictMemory {
  const known = new Map<string, Promise<Outcome>>()
  return {
    recall: async (stabilizer, compares, run) => {
      const key = [TABLE_VERSION, stabilizer, ...compares].join(' ')
      const found = known.get(key) ?? run()
      known.delete(key)
      known.set(key, found)
      if (known.size > max) known.delete(known.keys().next().value as string)
      const forget = () => known.get(key) === found && known.delete(key)
      try {
        const outcome = await found
        if (outcome.value === 0 && outcome.why === 'failed') forget()
        return outcome
      } catch (error) {
        forget()
        throw error
      }
    },
  }
}

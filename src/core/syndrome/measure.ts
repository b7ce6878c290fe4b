import type { RepresentationId, Representations } from '#core/stabilizers/representation.ts'
import type { Check, Instruments, Outcome } from '#core/stabilizers/check.ts'
import { checksOf } from '#core/stabilizers/table.ts'
import { createVerdictMemory, type VerdictMemory } from './memory.ts'

/** One check's outcome, with what it looked at. */
export type Measurement = { readonly stabilizer: string; readonly candidates: readonly number[]; readonly representations: readonly RepresentationId[]; readonly outcome: Outcome }

/** The outcomes in table order: what the decoder sees. */
export type Syndrome = readonly (1 | -1 | 0)[]

/**
 * Runs every check of the table over the representations of one unit, in table order. Cost: the proofs it asks for.
 *
 * @param memory What has the same digests was measured before: with one memory, only the checks run that touch what changed.
 */
export async function measure(of: Representations, use: Instruments, memory: VerdictMemory = createVerdictMemory()): Promise<readonly Measurement[]> {
  const { run = (check: Check) => check.run() } = use
  use.parseAhead?.(of.candidates.map(({ cedar }) => cedar), of.unit.schema)
  return Promise.all(checksOf(of, use).map(async (check) => {
    const { stabilizer, candidates, representations, compares } = check
    return { stabilizer, candidates, representations, outcome: await memory.recall(stabilizer, compares, async () => (await use.turn?.(), run(check))) }
  }))
}

/** The sentences that what fired is about, by number; none where nothing did, or where it is about none. */
export function sentencesIn({ outcome }: Measurement): readonly number[] {
  const said = outcome.value === -1 ? (outcome.evidence as { sentences?: unknown } | null)?.sentences : undefined
  return Array.isArray(said) ? said.filter((each) => typeof each === 'number') : []
}

export function syndromeOf(measurements: readonly Measurement[]): Syndrome {
  return measurements.map(({ outcome }) => outcome.value)
}

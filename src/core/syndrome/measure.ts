import { STABILIZERS, type Check, type Instruments, type Outcome } from '#core/stabilizers/table.ts'
import type { Candidate } from '#core/synthesis/candidate.ts'
import type { SemanticUnit } from '#core/unit/semantic-unit.ts'

/** One check's outcome, with what it looked at. */
export type Measurement = { readonly stabilizer: string; readonly candidates: readonly number[]; readonly outcome: Outcome }

/** The outcomes in table order: what the decoder sees. */
export type Syndrome = readonly (1 | -1 | 0)[]

/** Runs every check of the table over the representations of one unit, in table order. Cost: the proofs it asks for. */
export async function measure(unit: SemanticUnit, candidates: readonly Candidate[], use: Instruments): Promise<readonly Measurement[]> {
  const { run = (check: Check) => check.run() } = use
  const checks = STABILIZERS.flatMap((stabilizer) => stabilizer.checks(unit, candidates, use))
  return Promise.all(checks.map(async (check) => ({ stabilizer: check.stabilizer, candidates: check.candidates, outcome: await run(check) })))
}

export function syndromeOf(measurements: readonly Measurement[]): Syndrome {
  return measurements.map(({ outcome }) => outcome.value)
}

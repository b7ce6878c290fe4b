import type { Check, Outcome } from '#core/stabilizers/check.ts'

/**
 * Runs checks and remembers how long each took, from its begin to its outcome. Checks run side by side, so that they may take longer together
 * than the measurement does.
 */
export function clocked(now: () => number = () => performance.now()): { readonly run: (check: Check) => Promise<Outcome>; readonly durationMs: (outcome: Outcome) => number | null } {
  const took = new WeakMap<Outcome, number>()
  return {
    run: async (check) => {
      const started = now()
      const outcome = await check.run()
      took.set(outcome, now() - started)
      return outcome
    },
    durationMs: (outcome) => took.get(outcome) ?? null,
  }
}

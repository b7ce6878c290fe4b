import type { Config } from '#config'
import { createExaminer, type Examiner } from '#adapters/examiner.ts'
import { createProver, type Prover } from '#adapters/solver/prover.ts'
import type { Constitution } from '#core/constitution/constitution.ts'
import { proofAnswered, type Telemetry } from '#telemetry/events.ts'
import { selfTest, type SelfTest } from './self-test/self-test.ts'

/**
 * The prover of one process, whose solver begins to load at once.
 *
 * @returns `test` must have passed before anything rests on it; what it asks is not counted as work.
 */
export function provingIn({ config: { generationEngine }, constitution, telemetry, ending }: {
  config: Config
  constitution: Constitution
  telemetry: Telemetry
  ending: (() => Promise<unknown>)[]
}): { prover: Prover; examiner: Examiner; test: () => Promise<SelfTest> } {
  let isServing = false
  const prover = createProver({
    solvers: generationEngine.solvers, rlimit: generationEngine.proofRlimit, timeoutMs: generationEngine.proofTimeoutMs,
    disagreed: (report) => telemetry.log.error({ report }, 'engines of the prover disagree: a bug, please report it'),
    answered: ({ question, answer }, seconds) => isServing && proofAnswered(telemetry, { question, outcome: answer.kind, seconds }),
  })
  ending.push(async () => prover[Symbol.asyncDispose]())
  const loading = prover.warm()
  loading.catch(() => {}) // Awaited by the test; until then its failure must not end the process.
  return {
    prover,
    examiner: createExaminer(constitution, prover),
    test: async () => {
      await loading
      const tested = await selfTest({ prover })
      isServing = true
      return tested
    },
  }
}

import { createProver } from '#adapters/solver/prover.ts'
import { LIMITS } from '#core/proof/questions.ts'
import { policyOf, schema, rewordedOf, mutantOf } from './governance.ts'
import { summarize, type Result } from './measure.ts'

const QUESTIONS = 100_000
const POLICIES = 500
/** The first tenth grows caches and warms code. */
const PARTS = 10

/** Whether memory stays flat: what the process holds, the solver's thread included, after each tenth of a hundred thousand questions. */
export async function run(): Promise<readonly Result[]> {
  await using prover = createProver(LIMITS)
  const policies = Array.from({ length: POLICIES }, (_, seed) => policyOf(3, seed))
  const others = policies.map((policy, seed) => (seed % 2 === 0 ? rewordedOf(policy, seed) : mutantOf(policy, seed)))
  const held: number[] = []
  const answers = { proved: 0, refuted: 0, unknown: 0 }
  for (let i = 0; i < QUESTIONS; i++) {
    const [policy, other] = [policies[i % POLICIES], others[i % POLICIES]]
    if (policy === undefined || other === undefined) throw new Error(`there is no policy ${i % POLICIES}`)
    const { answer } = await prover.compare.equivalent(policy, other, schema)
    answers[answer.kind]++
    if ((i + 1) % (QUESTIONS / PARTS) !== 0) continue
    held.push(process.memoryUsage().rss / 1e6)
    process.stderr.write(`${i + 1} questions: ${held.at(-1)?.toFixed(0)} MB, ${JSON.stringify(answers)}\n`)
  }
  if (answers.proved < QUESTIONS / 4 || answers.refuted < QUESTIONS / 4 || answers.unknown > 0) throw new Error(JSON.stringify(answers))
  const [first = 0, ...later] = held
  const peak = Math.max(...later)
  return [
    summarize(`resident memory after each of the later tenths of ${QUESTIONS} questions`, 'MB', later, summarize('after the first tenth', 'MB', [first])),
    summarize('its growth since the first tenth, at most', 'MB', [peak - first]),
  ]
}

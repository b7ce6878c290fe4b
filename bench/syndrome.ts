import { readFileSync } from 'node:fs'
import { createExaminer } from '#adapters/examiner.ts'
import { createProver } from '#adapters/solver/prover.ts'
import { parseConstitution } from '#core/constitution/constitution.ts'
import { reworded } from '#core/injection/reword.ts'
import { assemble } from '#core/policy/assemble.ts'
import { renderRules } from '#core/policy/render.ts'
import { LIMITS } from '#core/proof/questions.ts'
import { seeded } from '#core/proof/random-world.ts'
import { tabulate } from '#core/stabilizers/decision-table.ts'
import { matrixOf } from '#core/stabilizers/matrix.ts'
import { representationsOf, type Representations } from '#core/stabilizers/representation.ts'
import { measure } from '#core/syndrome/measure.ts'
import { createVerdictMemory } from '#core/syndrome/memory.ts'
import { normsOf, type Candidate } from '#core/synthesis/candidate.ts'
import { readControlledEnglish } from '#core/synthesis/controlled-english.ts'
import { readShallowParse } from '#core/synthesis/shallow-parse.ts'
import type { SemanticUnit } from '#core/unit/semantic-unit.ts'
import { sentencesOf } from '#core/unit/sentences.ts'
import { aimed, summarize, time, type Result } from './measure.ts'

const RUNS = 60
const WARM_UP = 20

/** Every check of the table over five candidates of ten rules, warm, every text a different one, so that no outcome is remembered unless the result says so. */
export async function run(): Promise<readonly Result[]> {
  await using prover = createProver(LIMITS)
  await prover.warm()
  const examiner = createExaminer(parseConstitution(readFileSync(new URL('../constitutions/acgs.yaml', import.meta.url), 'utf8')), prover)
  const schema = examiner.parseSchema(readFileSync(new URL('../packs/ai-agents/schema.cedarschema', import.meta.url), 'utf8'))
  const use = examiner.examining(schema)

  const made = (i: number, isBroken: boolean): Pick<Representations, 'unit' | 'candidates'> => {
    const description = text(i)
    const unit = { id: 'bench', schema, sentences: sentencesOf(description, schema, []), request: { ...REQUEST, description } }
    const [one, other] = [from('controlled-english', readControlledEnglish(unit)), from('shallow-parse', readShallowParse(unit))]
    const random = seeded(i)
    const rules = use.parse(one.cedar, schema).rules
    const others = [1, 2, 3].map((k): Candidate => ({ ...other, lineage: `reworded ${k}`, cedar: renderRules(reworded(rules, random)) }))
    const broken = { ...other, cedar: other.cedar.replace(`<= ${100 + i}`, `<= ${101 + i}`) }
    if (isBroken && broken.cedar === other.cedar) throw new Error('nothing was broken')
    return { unit, candidates: [one, isBroken ? broken : other, ...others] }
  }
  const from = (method: Candidate['method'], readings: Candidate['readings']): Candidate => ({ method, readsText: true, lineage: method, cedar: renderRules(assemble(normsOf(readings), schema)), readings })

  /** Only the measuring counts, the making of decision table and document included. */
  const timed = async (first: number, isBroken: boolean) => {
    const units = Array.from({ length: RUNS + WARM_UP }, (_, i) => made(first + i, isBroken))
    return time(RUNS, WARM_UP, async (i) => {
      const { unit, candidates } = units[i] as (typeof units)[number]
      const outcomes = await measure(representationsOf(unit, candidates), use)
      const fired = outcomes.filter(({ outcome }) => outcome.value !== 1).length
      if ((fired > 0) !== isBroken) throw new Error(`${fired} checks of run ${i} do not hold: ${JSON.stringify(outcomes.find(({ outcome }) => outcome.value !== 1)).slice(0, 500)}`)
    })
  }
  const alike = await timed(0, false)
  const broken = await timed(1_000, true)

  const memory = createVerdictMemory()
  const regenerated = Array.from({ length: RUNS + WARM_UP }, (_, i) => ({ before: made(2_000 + i, true), after: made(2_000 + i, false) }))
  const again: number[] = []
  for (const [i, { before, after }] of regenerated.entries()) {
    await measure(representationsOf(before.unit, before.candidates), use, memory)
    const [took] = await time(1, 0, () => measure(representationsOf(after.unit, after.candidates), use, memory))
    if (i >= WARM_UP) again.push(took as number)
  }
  const norms = Array.from({ length: RUNS + WARM_UP }, (_, i) => normsOf(made(3_000 + i, false).candidates[0]?.readings ?? []))
  const tables = await time(RUNS, WARM_UP, async (i) => tabulate(norms[i] ?? [], schema))
  const matrices = await time(5, 1, async () => matrixOf(7))

  const full = summarize('full measure, 5 candidates of 10 rules, all alike', 'ms', alike)
  return [
    aimed(full, 'at most', 60),
    aimed(summarize('full measure, 5 candidates of 10 rules, one broken', 'ms', broken, full), 'at most', 60),
    summarize('one candidate of 5 made again, the rest remembered', 'ms', again, full),
    summarize('decision table of 10 norms', 'ms', tables),
    summarize('check matrix for 7 candidates', 'ms', matrices),
  ]
}

const REQUEST: Omit<SemanticUnit['request'], 'description'> = {
  title: 'Bench', stakeholders: [], principles: [], priority: 'low', examples: [], explanations: [], complianceThreshold: 0.8, consensusRequired: false, multiModelValidation: false,
}

/** Ten sentences, a rule each; the amounts make every policy a different one. */
function text(i: number): string {
  return [
    `Agents may send payments if the amount is at most their spending limit and the amount is at most ${100 + i}.`,
    `Users may send payments if the amount does not exceed ${5_000 + i}.`,
    'Agents may not send payments to unverified accounts.',
    `Cleared agents may read files unless the file is confidential and the size of the file is over ${1_000 + i}.`,
    'Reviewed agents may write internal files.',
    'Users may read their own files.',
    'Users may delete their own files.',
    'Agents must not delete files.',
    'Users may read their own profile.',
    `Agents may run read-only queries if the rows are at most ${200 + i}.`,
  ].join(' ')
}

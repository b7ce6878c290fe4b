import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parsePolicies } from '#adapters/cedar/cedar.ts'
import { createExaminer, type Examiner } from '#adapters/examiner.ts'
import { createProver } from '#adapters/solver/prover.ts'
import { standingOf } from '#core/compliance/judge.ts'
import { parseConstitution } from '#core/constitution/constitution.ts'
import { examine } from '#core/generate.ts'
import type { FaultClass } from '#core/injection/faults.ts'
import { mutant, type Court } from '#core/injection/trial.ts'
import type { Proof } from '#core/proof/proof.ts'
import { LIMITS } from '#core/proof/questions.ts'
import { seeded } from '#core/proof/random-world.ts'
import { applications, knownTexts, ROOT, THRESHOLD, type KnownGood } from './policies.ts'

/** What every part of the measurement asks of the world: the shipped constitution, the prover with its shipped limits, and who judges trials. */
export type Context = { readonly examiner: Examiner; readonly prover: ReturnType<typeof createProver>; readonly court: Court; readonly policies: () => Promise<readonly KnownGood[]>; readonly canBreak: (policy: KnownGood, fault: FaultClass) => Promise<boolean> }

export async function withContext<T>(use: (context: Context) => Promise<T>): Promise<T> {
  await using prover = createProver(LIMITS)
  const examiner = createExaminer(parseConstitution(readFileSync(join(ROOT, 'constitutions/acgs.yaml'), 'utf8')), prover)
  const court: Court = {
    parse: parsePolicies, sameMeaning: remembered(prover.sameMeaning), decidedOn: prover.decidedOn, isMajority: prover.isMajority,
    standing: async (policy, schema) => standingOf(await examine(policy, schema, examiner.examining(schema)), THRESHOLD).kind,
  }
  let policies: Promise<readonly KnownGood[]> | null = null
  const breakable = new Map<string, Promise<boolean>>()
  return await use({
    examiner, prover, court,
    policies: () => (policies ??= Promise.all([knownTexts(examiner), applications(examiner)]).then((some) => some.flat())),
    // With draws of its own, so that trials are the same whatever was measured before them.
    canBreak: ({ name, policy, schema }, fault) => {
      const key = `${name} ${fault.id}`
      const found = breakable.get(key) ?? mutant(policy, schema, fault, seeded(1), court).then((made) => made.policy !== null)
      breakable.set(key, found)
      return found
    },
  })
}

/** The same mutants are drawn again and again: what was told of two texts is not asked twice. */
function remembered(sameMeaning: Court['sameMeaning']): Court['sameMeaning'] {
  const known = new Map<string, Proof>()
  return async (a, b, schema) => {
    const key = `${schema.digest}\n${a.text}\n${b.text}`
    const found = known.get(key) ?? await sameMeaning(a, b, schema)
    if (found.answer.kind !== 'unknown') known.set(key, found)
    return found
  }
}

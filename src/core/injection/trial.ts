import { Failure } from '#core/failure.ts'
import type { PolicySet } from '#core/policy/policy.ts'
import { renderRules } from '#core/policy/render.ts'
import type { Schema } from '#core/policy/schema.ts'
import type { Voter } from '#core/proof/majority.ts'
import { pick, type Random } from '#core/proof/random-world.ts'
import { classesOf, majorityOf, type Jury, type Majority } from '#core/syndrome/majority.ts'
import type { FaultClass } from './faults.ts'
import { reworded } from './reword.ts'

/** What a trial asks of the world. */
export type Court = Jury & {
  /** How a policy stands before the articles that the schema binds; `proved` where it binds none. */
  readonly standing: (policy: PolicySet, schema: Schema) => Promise<'proved' | 'refuted' | 'unknown'>
}

/** Which candidates a trial breaks, and whether all of them in the same way. */
export type Plan = { readonly candidates: number; readonly faulty: readonly number[]; readonly isCorrelated: boolean }

/** What came out: right or wrong is told by proof, and `unknown` is neither. */
export type Verdict = 'right' | 'wrong' | 'refused' | 'unknown'

export type Trial = {
  readonly faulty: readonly number[]
  /** By faulty candidate, in that order. */
  readonly faults: readonly string[]
  /** Mutants that turned out to mean the same, and were not counted as faults. */
  readonly equivalent: number
  /** That the candidates do not all mean the same was proved. */
  readonly isDetected: boolean
  /** The minority was named, and it is exactly the broken candidates. */
  readonly isLocated: boolean
  readonly outcome: Verdict
  readonly from: Extract<Majority, { kind: 'found' }>['from'] | 'agreement' | null
  /** The plain pointwise majority of the same candidates, which never refuses. */
  readonly voting: Verdict
  /** The text that most candidates have, the first of several. */
  readonly textVoting: Verdict
  /** The first candidate alone. */
  readonly single: Verdict
}

/** Faults that were tried before one was found that changes the meaning. */
const ATTEMPTS_MAX = 200

/**
 * One trial: candidates that say the original in other words, some of them broken; what the proved majority makes of them, and what voting would.
 * Nothing but the candidates is made from the original.
 *
 * @param rotation Which fault class comes next.
 * @returns Null when a fault of the class that came next cannot be put into this policy: the class is left out from then on.
 */
export async function runTrial(original: PolicySet, schema: Schema, plan: Plan, rotation: Rotation, random: Random, court: Court): Promise<Trial | null> {
  const broken: { readonly fault: FaultClass; readonly policy: PolicySet }[] = []
  let equivalent = 0
  for (let i = 0; i < (plan.isCorrelated ? Math.min(1, plan.faulty.length) : plan.faulty.length); i++) {
    const fault = rotation.next()
    const made = await mutant(original, schema, fault, random, court)
    equivalent += made.equivalent
    if (made.policy === null) {
      rotation.drop(fault)
      return null
    }
    broken.push({ fault, policy: made.policy })
  }
  const faultOf = (i: number) => broken[plan.isCorrelated ? 0 : plan.faulty.indexOf(i)]
  const meant = Array.from({ length: plan.candidates }, (_, i) => (plan.faulty.includes(i) ? faultOf(i)?.policy ?? original : original))
  const candidates = meant.map((policy) => parse(reworded(policy.rules, random), schema, court) ?? policy)
  const voters: readonly Voter[] = candidates.map((policy) => ({ policy, weight: 1 }))

  const isOriginal = async (policy: PolicySet): Promise<Verdict> => verdictOf((await court.sameMeaning(policy, original, schema)).answer.kind)
  const told = await classesOf(candidates, schema, court)
  const shared = { faulty: plan.faulty, faults: plan.faulty.map((i) => faultOf(i)?.fault.id ?? ''), equivalent }
  const voting = verdictOf((await court.isMajority(original, voters, schema)).answer.kind)
  const [textVoting, single] = [await isOriginal(mostFrequent(candidates)), await isOriginal(candidates[0] as PolicySet)]
  if (told.kind === 'untold') return { ...shared, isDetected: false, isLocated: false, outcome: 'refused', from: null, voting, textVoting, single }

  const { classes } = told
  const isDetected = classes.length > 1
  const majority = isDetected ? await majorityOf(voters, classes, schema, court) : null
  const ruling = classes.find((members) => 2 * members.length > plan.candidates)
  const blamed = ruling === undefined ? null : [...candidates.keys()].filter((i) => !ruling.includes(i))
  const accepted = majority === null ? candidates[0] as PolicySet : majority.kind === 'found' ? majority.policy : null
  const isRefused = accepted === null || (await court.standing(accepted, schema)) !== 'proved'
  return {
    ...shared, isDetected, isLocated: isDetected && blamed !== null && blamed.join() === plan.faulty.join(),
    outcome: isRefused ? 'refused' : await isOriginal(accepted), from: isRefused ? null : majority?.kind === 'found' ? majority.from : 'agreement', voting, textVoting, single,
  }
}

/** The policy with one fault of the class that is proved to change what it means. */
async function mutant(original: PolicySet, schema: Schema, { inject }: FaultClass, random: Random, court: Court): Promise<{ readonly policy: PolicySet | null; readonly equivalent: number }> {
  let equivalent = 0
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const rules = inject(original.rules, schema, random)
    const policy = rules === null ? null : parse(rules, schema, court)
    if (policy === null) continue
    const { answer: { kind } } = await court.sameMeaning(policy, original, schema)
    if (kind === 'refuted') return { policy, equivalent }
    if (kind === 'proved') equivalent++
  }
  return { policy: null, equivalent }
}

/** Fault classes one after the other, so that all are met alike. */
export class Rotation {
  readonly impossible: string[] = []
  #left: readonly FaultClass[]
  #at = 0

  constructor(classes: readonly FaultClass[]) {
    this.#left = classes
  }

  get isOver(): boolean {
    return this.#left.length === 0
  }

  next(): FaultClass {
    return this.#left[this.#at++ % this.#left.length] as FaultClass
  }

  drop(fault: FaultClass): void {
    this.#left = this.#left.filter((each) => each !== fault)
    this.impossible.push(fault.id)
  }
}

/** So many candidates of all are broken; or each with a probability. */
export function planFor({ candidates, faulty, isCorrelated }: { readonly candidates: number; readonly faulty: { readonly count: number } | { readonly rate: number }; readonly isCorrelated: boolean }, random: Random): Plan {
  const all = Array.from({ length: candidates }, (_, i) => i)
  if ('rate' in faulty) return { candidates, faulty: all.filter(() => random() < faulty.rate), isCorrelated }
  const left = [...all]
  const chosen: number[] = []
  while (chosen.length < faulty.count) {
    const next = pick(random, left)
    chosen.push(next)
    left.splice(left.indexOf(next), 1)
  }
  return { candidates, faulty: chosen.sort((a, b) => a - b), isCorrelated }
}

function parse(rules: PolicySet['rules'], schema: Schema, court: Court): PolicySet | null {
  try {
    return court.parse(renderRules(rules), schema)
  } catch (error) {
    if (error instanceof Failure && error.code === 'POLICY_INVALID') return null
    throw error
  }
}

function mostFrequent(candidates: readonly PolicySet[]): PolicySet {
  const counts = Map.groupBy(candidates, ({ text }) => text)
  const [most] = [...counts.values()].sort((a, b) => b.length - a.length)
  return most?.[0] ?? candidates[0] as PolicySet
}

function verdictOf(kind: 'proved' | 'refuted' | 'unknown'): Verdict {
  return { proved: 'right' as const, refuted: 'wrong' as const, unknown: 'unknown' as const }[kind]
}

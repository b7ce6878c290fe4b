import { Failure } from '#core/failure.ts'
import type { PolicySet } from '#core/policy/policy.ts'
import { renderRules } from '#core/policy/render.ts'
import type { Schema } from '#core/policy/schema.ts'
import type { Voter } from '#core/proof/majority.ts'
import { pick, type Random } from '#core/proof/random-world.ts'
import { candidateId } from '#core/stabilizers/representation.ts'
import { decode, type Diagnosis } from '#core/syndrome/decode.ts'
import { classesOf, majorityOf, type Jury, type Majority } from '#core/syndrome/majority.ts'
import type { Measurement } from '#core/syndrome/measure.ts'
import { WEIGHT_UNITS, VOTERS_MIN } from '#core/syndrome/vote.ts'
import { lineagesOf, WEIGHTS, witnessesAmong, type Weights } from '#core/syndrome/weights.ts'
import { witnessWeights } from '#core/syndrome/witnesses.ts'
import type { Candidate } from '#core/synthesis/candidate.ts'
import type { FaultClass } from './faults.ts'
import { reworded } from './reword.ts'

/** What a trial asks of the world. */
export type Court = Jury & {
  /** How a policy stands before the articles that the schema binds; `proved` where it binds none. */
  readonly standing: (policy: PolicySet, schema: Schema) => Promise<'proved' | 'refuted' | 'unknown'>
}

/**
 * What the decoder is told of the candidates: that they err independently of each other, as was counted; nothing, since nobody has compared them; or that
 * those that are broken come from one source.
 */
export const KNOWN = ['one-source', 'uncompared', 'independent'] as const
export type Known = (typeof KNOWN)[number]

/** Which candidates a trial breaks, whether all of them in the same way, and what is known of them. */
export type Plan = { readonly candidates: number; readonly faulty: readonly number[]; readonly isCorrelated: boolean; readonly known: Known }

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
  /** The decoder blames somebody, and it is exactly the broken candidates. */
  readonly isLocated: boolean
  /** What the decoder made of it; null where the candidates could not be compared. */
  readonly diagnosis: Diagnosis['kind'] | null
  readonly outcome: Verdict
  readonly from: Extract<Majority, { kind: 'found' }>['from'] | 'agreement' | null
  /** Candidates of proven equal meaning; null where that was not told. */
  readonly classes: readonly (readonly number[])[] | null
  /** A candidate whose meaning came out; null where nothing did, or what no candidate says. */
  readonly kept: number | null
  /** Whether, at every request, more than half of the candidates decide as the original: that was proved. */
  readonly isMajorityRight: boolean
  /** The plain pointwise majority of the same candidates, which never refuses. */
  readonly voting: Verdict
  /** The text that most candidates have, the first of several. */
  readonly textVoting: Verdict
  /** The first candidate alone. */
  readonly single: Verdict
}

/** Faults that were tried before one was found that changes the meaning. */
const ATTEMPTS_MAX = 100

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
  const votes: readonly Voter[] = candidates.map((policy) => ({ policy, weight: 1 }))

  const isOriginal = async (policy: PolicySet): Promise<Verdict> => verdictOf((await court.sameMeaning(policy, original, schema)).answer.kind)
  const told = await classesOf(candidates, schema, court)
  const isSettled = async (halves: 'deny' | 'permit') => verdictOf((await court.isMajority(original, votes, schema, halves)).answer.kind)
  const voting = await isSettled('deny')
  const others = {
    voting, isMajorityRight: voting === 'right' && (await isSettled('permit')) === 'right',
    textVoting: await isOriginal(mostFrequent(candidates)), single: await isOriginal(candidates[0] as PolicySet),
  }
  const shared = { faulty: plan.faulty, faults: plan.faulty.map((i) => faultOf(i)?.fault.id ?? ''), equivalent, ...others }
  if (told.kind === 'untold') return { ...shared, isDetected: false, isLocated: false, diagnosis: null, outcome: 'refused', from: null, classes: null, kept: null }

  const witnesses = witnessesOf(plan)
  const weights = plan.known === 'uncompared' ? WEIGHTS : independently(witnesses.map(({ method }) => method))
  const diagnosis = decode(comparisonsOf(told.classes, plan.candidates), witnesses, weights)
  const blamed = diagnosis.kind === 'explained' ? diagnosis.faults.map(({ candidate }) => candidate).sort((a, b) => a - b) : null
  const found = await settle(diagnosis, candidates, told.classes, { witnesses, weights }, schema, court)
  const isRefused = found === null || (await court.standing(found.policy, schema)) !== 'proved'
  return {
    ...shared, isDetected: diagnosis.kind !== 'clean', isLocated: blamed !== null && blamed.length > 0 && blamed.join() === plan.faulty.join(), diagnosis: diagnosis.kind,
    outcome: isRefused ? 'refused' : await isOriginal(found.policy), from: isRefused ? null : found.from,
    classes: told.classes, kept: isRefused ? null : found.candidate,
  }
}

/** The candidates as the decoder knows them: witnesses of one text that they have read whole, each of a lineage of its own where nothing else is known. */
function witnessesOf({ candidates, faulty, known }: Plan): readonly Candidate[] {
  return Array.from({ length: candidates }, (_, i) => ({
    method: `model:${i}`, lineage: known === 'one-source' && faulty.includes(i) ? 'one' : `model:${i}`, readsText: true, cedar: '', readings: [{ kind: 'silent', sentence: 1 }],
  }))
}

/** Weights by which each of some methods is wrong once in twenty sentences, independently of the others: together as often as chance has it, one time in ten alike. */
export function independently(methods: readonly string[]): Weights {
  const names = methods.toSorted()
  const [read, wrong, together, alike] = [100_000, 5_000, 250, 25]
  return {
    ...WEIGHTS,
    readings: {
      sources: [],
      methods: names.map((method) => ({ method, read, wrong })),
      pairs: names.flatMap((one, i) => names.slice(i + 1).map((other) => ({ methods: [one, other] as [string, string], both_read: read, only_first: wrong - together, only_second: wrong - together, apart: together - alike, alike }))),
    },
  }
}

/** What comparing any two candidates comes to, which follows from their classes of proven meaning. */
function comparisonsOf(classes: readonly (readonly number[])[], count: number): readonly Measurement[] {
  const home = new Map(classes.flatMap((members, k) => members.map((i) => [i, k])))
  return Array.from({ length: count }, (_, i) => i).flatMap((i) => Array.from({ length: count - i - 1 }, (_, k) => i + k + 1).map((j): Measurement => ({
    stabilizer: 'same-meaning', candidates: [i, j], representations: [candidateId(i), candidateId(j)], outcome: home.get(i) === home.get(j) ? { value: 1 } : { value: -1, evidence: { sentences: [1] } },
  })))
}

/**
 * As generation settles it: where nothing differs, what all say; where some are blamed, what the others say, if it is proved to be the majority; where
 * nobody can be blamed and enough lineages have read the text, the majority, if one is found and proved. Null: nothing comes out.
 */
async function settle(diagnosis: Diagnosis, candidates: readonly PolicySet[], classes: readonly (readonly number[])[], { witnesses, weights }: { readonly witnesses: readonly Candidate[]; readonly weights: Weights }, schema: Schema, court: Court): Promise<{ readonly policy: PolicySet; readonly from: Exclude<Trial['from'], null>; readonly candidate: number | null } | null> {
  if (diagnosis.kind === 'clean') return { policy: candidates[0] as PolicySet, from: 'agreement', candidate: 0 }
  const shares = witnessWeights(witnesses, weights)
  const voters: readonly Voter[] = candidates.map((policy, i) => ({ policy, weight: Math.round(WEIGHT_UNITS * (shares[i] as number)) }))
  if (diagnosis.kind === 'explained') {
    const candidate = candidates.findIndex((_, i) => !diagnosis.faults.some((fault) => fault.candidate === i))
    const policy = candidates[candidate]
    if (policy === undefined) return null
    for (const halves of ['deny', 'permit'] as const) if ((await court.isMajority(policy, voters, schema, halves)).answer.kind !== 'proved') return null
    return { policy, from: 'candidate', candidate }
  }
  if (diagnosis.kind !== 'ambiguous' || witnessesAmong(witnesses, weights) < Math.max(VOTERS_MIN, lineagesOf(witnesses))) return null
  const majority = await majorityOf(voters, classes, schema, court)
  return majority.kind === 'found' ? { policy: majority.policy, from: majority.from, candidate: majority.candidate } : null
}

/** The policy with one fault of the class that is proved to change what it means; null where many tries made none. */
export async function mutant(original: PolicySet, schema: Schema, { inject }: FaultClass, random: Random, court: Pick<Court, 'parse' | 'sameMeaning'>): Promise<{ readonly policy: PolicySet | null; readonly equivalent: number }> {
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
export function planFor({ candidates, faulty, ...how }: Omit<Plan, 'faulty'> & { readonly faulty: { readonly count: number } | { readonly rate: number } }, random: Random): Plan {
  const all = Array.from({ length: candidates }, (_, i) => i)
  if ('rate' in faulty) return { candidates, faulty: all.filter(() => random() < faulty.rate), ...how }
  const left = [...all]
  const chosen: number[] = []
  while (chosen.length < faulty.count) {
    const next = pick(random, left)
    chosen.push(next)
    left.splice(left.indexOf(next), 1)
  }
  return { candidates, faulty: chosen.sort((a, b) => a - b), ...how }
}

function parse(rules: PolicySet['rules'], schema: Schema, court: Pick<Court, 'parse'>): PolicySet | null {
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

import { policyOfNorms } from '#core/policy/assemble.ts'
import type { Voter } from '#core/proof/majority.ts'
import { policyOf } from '#core/stabilizers/meaning.ts'
import { hasRead, representationsOf } from '#core/stabilizers/representation.ts'
import type { Instruments } from '#core/stabilizers/check.ts'
import type { Candidate } from '#core/synthesis/candidate.ts'
import type { SemanticUnit } from '#core/unit/semantic-unit.ts'
import type { Correction, Vote } from './correct.ts'
import { isAboutAlone, type Diagnosis } from './decode.ts'
import { classesOf, majorityOf, type Jury } from './majority.ts'
import { tellsOfFaults } from './mechanisms.ts'
import { measure, sentencesIn, type Measurement } from './measure.ts'
import type { VerdictMemory } from './memory.ts'
import { lineagesOf, WEIGHTS, witnessesAmong, type Weights } from './weights.ts'
import { effectiveWitnesses, witnessWeights } from './witnesses.ts'

/** What stands after readers that disagree have voted and everything was measured again. */
export type Settlement = {
  readonly diagnosis: Diagnosis
  readonly corrections: readonly Correction[]
  /** Why the correction cannot be believed, in words; none where it can, or where nothing was corrected. */
  readonly objections: readonly string[]
}

/** Fewer witnesses than this do not vote: two that disagree are a question. */
export const VOTERS_MIN = 3

/**
 * Lets readers vote where they disagree, and measures what comes of it again.
 *
 * Where the decoder has blamed one because others agree against it, the corrected policy is proved to be the pointwise majority of all that have read the
 * disputed sentences, over the sentences that all of them have read. Where it cannot blame anybody, at least three witnesses have read the
 * whole text, and nobody else has whom they were not compared with, their majority is sought as a policy of its own. What each counts beside the others: {@link witnessWeights}. Then the
 * corrected set is measured again: if something still fires, the fault model is wrong, and nothing of it is believed.
 *
 * Cost: no proof where nothing fired.
 */
export async function vote(unit: SemanticUnit, candidates: readonly Candidate[], measurements: readonly Measurement[], diagnosis: Diagnosis, corrections: readonly Correction[], can: Instruments & Jury & { readonly memory: VerdictMemory }, weights: Weights = WEIGHTS): Promise<Settlement> {
  const [first] = corrections
  const asIs = { diagnosis, corrections, objections: [] }
  if (first === undefined || (diagnosis.kind !== 'explained' && diagnosis.kind !== 'ambiguous')) return asIs
  const isOut = (i: number) => measurements.some((measurement) => measurement.outcome.value === -1 && isAboutAlone(i, measurement))
  const readers = candidates.flatMap((candidate, i) => (candidate.readsText && !isOut(i) ? [candidate] : []))

  if (diagnosis.kind === 'ambiguous') {
    const disputed = disputedIn(measurements)
    const voters = readers.filter((reader) => disputed.every((sentence) => hasRead(reader, sentence)))
    const elected = witnessesAmong(voters, weights) < Math.max(VOTERS_MIN, lineagesOf(voters)) ? null : await elect(unit, voters, first, disputed, can, weights)
    if (elected === null) return asIs
    // Of a policy that is no reader's, only what looks at one candidate can be measured; its method is in no check.
    const alone: Candidate = { method: 'principles', readsText: true, lineage: 'vote', cedar: elected.policy.text, readings: [] }
    return { diagnosis: { kind: 'outvoted', between: diagnosis.between, disagreement: diagnosis.disagreement }, corrections: [elected], objections: await stillFiring(unit, [alone], can) }
  }

  const outvoted = [...new Set(diagnosis.faults.flatMap(({ sentences }) => sentences ?? []))].sort((a, b) => a - b)
  const objections: string[] = []
  let held: Vote | null = null
  for (const [, group] of Map.groupBy(outvoted, (sentence) => readers.filter((reader) => hasRead(reader, sentence)).map(({ method }) => method).join())) {
    const voters = readers.filter((reader) => hasRead(reader, group[0] as number))
    const found = await confirm(unit, voters, first, can, weights)
    if (typeof found === 'string') objections.push(`sentence ${group.join(', ')}: ${found}`)
    else held ??= found
  }
  objections.push(...await stillFiring(unit, correctedSet(unit, candidates, diagnosis.faults, first), can))
  return { diagnosis, corrections: objections.length > 0 ? corrections : [{ ...first, vote: held }], objections }
}

/** The vote that a correction by sentences is proved to be; else why it is not. */
async function confirm(unit: SemanticUnit, voters: readonly Candidate[], correction: Correction, can: Jury, weights: Weights): Promise<Vote | string> {
  const isCommon = (sentence: number) => voters.every((voter) => hasRead(voter, sentence))
  const { parse } = can
  const policy = parse(policyOfNorms(correction.norms.filter(({ sentence }) => isCommon(sentence)), unit.schema).text, unit.schema)
  const { said, votes } = ballots(unit, voters, isCommon, parse, weights)
  for (const halves of ['deny', 'permit'] as const) {
    const proof = await can.isMajority(policy, votes, unit.schema, halves)
    if (proof.answer.kind === 'refuted') return 'what most readers say is not what most of them decide on every request'
    if (proof.answer.kind === 'unknown') return `whether most readers decide so is not known: ${proof.answer.reason}`
    if (halves === 'permit') return { ...said, from: 'sentences', proof }
  }
  return 'nobody voted'
}

/** The majority of readers that have all read everything, as a correction; null where there is none. */
async function elect(unit: SemanticUnit, voters: readonly Candidate[], merged: Correction, disputed: readonly number[], can: Jury, weights: Weights): Promise<Correction | null> {
  const isCommon = (sentence: number) => voters.every((voter) => hasRead(voter, sentence))
  if (!merged.norms.every(({ sentence }) => isCommon(sentence))) return null
  const { said, votes } = ballots(unit, voters, isCommon, can.parse, weights)
  const told = await classesOf(votes.map(({ policy }) => policy), unit.schema, can)
  if (told.kind === 'untold') return null
  const majority = await majorityOf(votes, told.classes, unit.schema, can)
  if (majority.kind === 'none') return null
  const ruling = told.classes.find((members) => majority.candidate !== null && members.includes(majority.candidate)) ?? []
  const chosen = majority.candidate === null ? undefined : voters[majority.candidate]
  const norms = chosen === undefined ? merged.norms.filter(({ sentence }) => !disputed.includes(sentence)) : chosen.readings.flatMap((reading) => (reading.kind === 'norms' && isCommon(reading.sentence) ? reading.norms : []))
  const setAside = voters.filter((_, i) => !ruling.includes(i)).map(({ method }) => method)
  return { ...merged, norms, policy: majority.policy, setAside, vote: { ...said, from: majority.from, proof: majority.proof } }
}

/** Weights are whole numbers, so that sums of them are exact. */
export const WEIGHT_UNITS = 1_000

function ballots(unit: SemanticUnit, voters: readonly Candidate[], isCommon: (sentence: number) => boolean, parse: Jury['parse'], weights: Weights) {
  const shares = witnessWeights(voters, weights)
  const votes: readonly Voter[] = voters.map((voter, i) => ({ policy: parse(policyOf(voter, unit.schema, isCommon).text, unit.schema), weight: Math.round(WEIGHT_UNITS * (shares[i] as number)) }))
  return { votes, said: { voters: voters.map(({ method }, i) => ({ method, weight: (votes[i] as Voter).weight / WEIGHT_UNITS })), effectiveWitnesses: effectiveWitnesses(voters, weights) } }
}

/** The candidates as they are once the blamed ones say what the correction says where they were blamed. */
function correctedSet(unit: SemanticUnit, candidates: readonly Candidate[], faults: Extract<Diagnosis, { kind: 'explained' }>['faults'], { norms }: Correction): readonly Candidate[] {
  return candidates.map((candidate, i) => {
    const fault = faults.find((each) => each.candidate === i)
    if (fault === undefined || !candidate.readsText) return candidate
    const readings = candidate.readings.map((reading): Candidate['readings'][number] => {
      if (fault.sentences !== null && !fault.sentences.includes(reading.sentence)) return reading
      const right = norms.filter(({ sentence }) => sentence === reading.sentence)
      return right.length > 0 ? { kind: 'norms', sentence: reading.sentence, norms: right } : { kind: 'silent', sentence: reading.sentence }
    })
    const made = { ...candidate, readings }
    return { ...made, cedar: policyOf(made, unit.schema, () => true).text }
  })
}

/** Which checks fire, or give no answer, over what should pass them all. */
async function stillFiring(unit: SemanticUnit, corrected: readonly Candidate[], can: Instruments & { readonly memory: VerdictMemory }): Promise<readonly string[]> {
  const readers = corrected.filter(({ readsText }) => readsText)
  const failing = (await measure(representationsOf(unit, readers), can, can.memory)).filter((measurement) => tellsOfFaults(measurement) && (measurement.outcome.value === -1 || (measurement.outcome.value === 0 && measurement.outcome.why === 'failed')))
  return [...new Set(failing.map(({ stabilizer, outcome }) => (outcome.value === -1 ? `the corrected policy was measured again, and ${stabilizer} still fires` : `the corrected policy was measured again, and ${stabilizer} gave no answer`)))]
}

function disputedIn(measurements: readonly Measurement[]): readonly number[] {
  return [...new Set(measurements.filter(({ candidates }) => candidates.length > 1).flatMap(sentencesIn))]
}

import { policyOfNorms } from '#core/policy/assemble.ts'
import type { PolicySet } from '#core/policy/policy.ts'
import type { Proof } from '#core/proof/proof.ts'
import type { Candidate, Reading } from '#core/synthesis/candidate.ts'
import type { Norm } from '#core/unit/norm.ts'
import type { SemanticUnit, Sentence } from '#core/unit/semantic-unit.ts'
import type { Diagnosis } from './decode.ts'
import { lineagesOf } from './weights.ts'

/** What the unit means once faulty candidates are set aside. */
export type Correction = {
  readonly norms: readonly Norm[]
  readonly policy: PolicySet
  /** Every sentence that no norm came from, with the reason: not read, taken to rule nothing, or declared as explanation. */
  readonly unread: readonly { readonly sentence: number; readonly text: string; readonly because: string }[]
  /** How many readers of different lineage read every sentence that was read: the weakest sentence counts. 0 when none was read. */
  readonly independentWitnesses: number
  /** Candidates set aside, wholly or in some sentences. */
  readonly setAside: readonly string[]
  /** What a vote says where readers disagreed; null where there was none. */
  readonly vote: Vote | null
}

/** A policy that is proved to decide as most readers do, at every request. */
export type Vote = {
  /** Who voted, by method, and how much each counts beside the others. */
  readonly voters: readonly { readonly method: string; readonly weight: number }[]
  /** As how many independent ones they count. */
  readonly effectiveWitnesses: number
  /**
   * From what the policy was taken: readings of most, sentence by sentence; one candidate; the rules that most have; or rules put together from theirs,
   * which no norm says.
   */
  readonly from: 'sentences' | 'candidate' | 'rules' | 'composed'
  readonly proof: Proof
}

/**
 * The policy that the readers left standing agree on: sentence by sentence the norms of the first that has read it and is not blamed there. That they
 * agree wherever several have read was measured; where they did not, there is one policy for each of them, and the author decides.
 *
 * @returns One correction; two or more when the diagnosis is ambiguous; never none while a reader stands.
 */
export function correct(unit: SemanticUnit, candidates: readonly Candidate[], diagnosis: Diagnosis): readonly Correction[] {
  const faults = diagnosis.kind === 'explained' ? diagnosis.faults : []
  const readers = candidates.flatMap((candidate, i) => {
    const own = faults.filter(({ candidate: blamed }) => blamed === i)
    if (!candidate.readsText || own.some(({ sentences }) => sentences === null)) return []
    const out = own.flatMap(({ sentences }) => sentences ?? [])
    return [out.length === 0 ? candidate : { ...candidate, readings: candidate.readings.filter(({ sentence }) => !out.includes(sentence)) }]
  })
  const setAside = [...new Set(faults.map(({ method }) => method))]
  if (diagnosis.kind !== 'ambiguous') return [merge(unit, readers, setAside)]
  return readers.map((first) => merge(unit, [first, ...readers.filter((other) => other !== first)], setAside))
}

function merge(unit: SemanticUnit, readers: readonly Candidate[], setAside: readonly string[]): Correction {
  const sentences = unit.sentences.map((sentence) => {
    const made = readers.flatMap((reader) => reader.readings.flatMap((reading) => (reading.sentence === sentence.number ? [{ reader, reading }] : [])))
    const readings = made.map(({ reading }) => reading)
    const open = readings.find((reading) => reading.kind === 'unread' && reading.isOpen === true)
    // Where one reader sees two meanings, the other's choice of one of them is no reading.
    const read = open === undefined && !sentence.isExplanation ? made.flatMap(({ reader, reading }) => (reading.kind === 'norms' ? [{ reader, norms: reading.norms }] : [])) : []
    return { sentence, read, because: becauseOf(sentence, open === undefined ? readings : [open]) }
  })
  const norms = sentences.flatMap(({ read }) => read[0]?.norms ?? [])
  const witnesses = sentences.filter(({ read }) => read.length > 0).map(({ read }) => lineagesOf(read.map(({ reader }) => reader)))
  return {
    norms,
    policy: policyOfNorms(norms, unit.schema),
    unread: sentences.filter(({ read }) => read.length === 0).map(({ sentence, because }) => ({ sentence: sentence.number, text: sentence.text, because })),
    independentWitnesses: witnesses.length === 0 ? 0 : Math.min(...witnesses),
    setAside,
    vote: null,
  }
}

function becauseOf(sentence: Sentence, readings: readonly Reading[]): string {
  if (sentence.isExplanation) return 'declared as explanation by the author'
  const unread = readings.find((reading) => reading.kind === 'unread')
  if (unread?.kind === 'unread') return unread.because
  return readings.length === 0 ? 'no reader is left' : 'taken to rule nothing'
}

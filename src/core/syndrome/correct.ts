import { assemble } from '#core/policy/assemble.ts'
import type { PolicySet } from '#core/policy/policy.ts'
import { renderRules } from '#core/policy/render.ts'
import type { Candidate, Reading } from '#core/synthesis/candidate.ts'
import type { Norm } from '#core/unit/norm.ts'
import type { SemanticUnit, Sentence } from '#core/unit/semantic-unit.ts'
import type { Diagnosis } from './decode.ts'

/** What the unit means once faulty candidates are set aside. */
export type Correction = {
  readonly norms: readonly Norm[]
  readonly policy: PolicySet
  /** Every sentence that no norm came from, with the reason: not read, taken to rule nothing, or declared as explanation. */
  readonly unread: readonly { readonly sentence: number; readonly text: string; readonly because: string }[]
  /** How many readers read every sentence that was read: the weakest sentence counts. 0 when none was read. */
  readonly independentWitnesses: number
  /** Candidates set aside. */
  readonly setAside: readonly string[]
}

/**
 * The policy that the readers left standing agree on: sentence by sentence the norms of the first that has read it. That they agree
 * wherever several have read was measured; where they did not, there is one policy for each of them, and the author decides.
 *
 * @returns One correction; two or more when the diagnosis is ambiguous; never none while a reader stands.
 */
export function correct(unit: SemanticUnit, candidates: readonly Candidate[], diagnosis: Diagnosis): readonly Correction[] {
  const blamed = diagnosis.kind === 'explained' ? diagnosis.faults.map(({ candidate }) => candidate) : []
  const standing = candidates.filter((candidate, i) => candidate.readsText && !blamed.includes(i))
  const setAside = candidates.filter((_, i) => blamed.includes(i)).map(({ method }) => method)
  if (diagnosis.kind !== 'ambiguous') return [merge(unit, standing, setAside)]
  return standing.map((first) => merge(unit, [first, ...standing.filter((other) => other !== first)], setAside))
}

function merge(unit: SemanticUnit, readers: readonly Candidate[], setAside: readonly string[]): Correction {
  const sentences = unit.sentences.map((sentence) => {
    const readings = readers.flatMap((reader) => reader.readings.filter((reading) => reading.sentence === sentence.number))
    const open = readings.find((reading) => reading.kind === 'unread' && reading.isOpen === true)
    // Where one reader sees two meanings, the other's choice of one of them is no reading.
    const read = open === undefined && !sentence.isExplanation ? readings.filter((reading) => reading.kind === 'norms') : []
    return { sentence, read, because: becauseOf(sentence, open === undefined ? readings : [open]) }
  })
  const norms = sentences.flatMap(({ read }) => read[0]?.norms ?? [])
  const witnesses = sentences.filter(({ read }) => read.length > 0).map(({ read }) => read.length)
  const rules = assemble(norms, unit.schema)
  return {
    norms,
    policy: { text: renderRules(rules), rules },
    unread: sentences.filter(({ read }) => read.length === 0).map(({ sentence, because }) => ({ sentence: sentence.number, text: sentence.text, because })),
    independentWitnesses: witnesses.length === 0 ? 0 : Math.min(...witnesses),
    setAside,
  }
}

function becauseOf(sentence: Sentence, readings: readonly Reading[]): string {
  if (sentence.isExplanation) return 'declared as explanation by the author'
  const unread = readings.find((reading) => reading.kind === 'unread')
  if (unread?.kind === 'unread') return unread.because
  return readings.length === 0 ? 'no reader is left' : 'taken to rule nothing'
}

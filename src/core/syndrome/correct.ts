import { assemble } from '#core/policy/assemble.ts'
import type { PolicySet } from '#core/policy/policy.ts'
import { renderRules } from '#core/policy/render.ts'
import type { Candidate } from '#core/synthesis/candidate.ts'
import type { Norm } from '#core/unit/norm.ts'
import type { SemanticUnit } from '#core/unit/semantic-unit.ts'
import type { Diagnosis } from './decode.ts'

/** What the unit means once faulty candidates are set aside. */
export type Correction = {
  readonly norms: readonly Norm[]
  readonly policy: PolicySet
  /** Sentences that no reader left standing has read, with what each said. */
  readonly unread: readonly { readonly sentence: number; readonly text: string; readonly because: string }[]
  /** How many readers read every sentence that was read: the weakest sentence counts. */
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
    return { sentence, read: readings.filter((reading) => reading.kind !== 'unread'), unread: readings.filter((reading) => reading.kind === 'unread') }
  })
  const norms = sentences.flatMap(({ read }) => (read[0]?.kind === 'norms' ? read[0].norms : []))
  const rules = assemble(norms, unit.schema)
  return {
    norms,
    policy: { text: renderRules(rules), rules },
    unread: sentences
      .filter(({ read, sentence }) => read.length === 0 && !sentence.isExplanation)
      .map(({ sentence, unread }) => ({ sentence: sentence.number, text: sentence.text, because: unread[0]?.because ?? 'no reader is left' })),
    independentWitnesses: Math.min(...sentences.filter(({ read }) => read.some(({ kind }) => kind === 'norms')).map(({ read }) => read.length), readers.length),
    setAside,
  }
}

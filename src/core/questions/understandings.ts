import { canonical } from '#core/canonical.ts'
import { assemble, policyOfNorms } from '#core/policy/assemble.ts'
import type { PolicySet } from '#core/policy/policy.ts'
import { semanticHash } from '#core/policy/semantic-hash.ts'
import type { Schema } from '#core/policy/schema.ts'
import type { Candidate } from '#core/synthesis/candidate.ts'
import type { Correction } from '#core/syndrome/correct.ts'
import { lineagesOf } from '#core/syndrome/weights.ts'
import type { Norm } from '#core/unit/norm.ts'
import type { SemanticUnit } from '#core/unit/semantic-unit.ts'

/** One way to understand one sentence, and the readers that understand it so, or leave it open as one of several. */
export type Sense = { readonly norms: readonly Norm[]; readonly readers: readonly string[] }

/** A sentence with every sense that a reader finds in it. */
export type Understood = { readonly sentence: number; readonly senses: readonly Sense[] }

/** One sense chosen for every sentence, and the policy that this makes. */
export type Understanding = {
  /** By sentence, in the order of the sentences that were understood. */
  readonly chosen: readonly (Sense & { readonly sentence: number })[]
  readonly norms: readonly Norm[]
  readonly policy: PolicySet
}

/** So many understandings of a whole text are compared; where there are more, the sentences have to be reworded. */
export const UNDERSTANDINGS_MAX = 32
/** So many norms, those of all understandings together: what telling them apart costs goes with it. */
export const COMPARED_MAX = 640

/**
 * Every sense of every sentence that was understood, by the readers left standing.
 *
 * @param settled What the readers agree on, where they do: then only sentences that were left open have several senses. Null while they disagree.
 */
export function understood(unit: SemanticUnit, readers: readonly Candidate[], settled: readonly Norm[] | null): readonly Understood[] {
  return unit.sentences.flatMap(({ number, isExplanation }): readonly Understood[] => {
    if (isExplanation) return []
    const readings = readers.flatMap(({ method, readings: all }) => all.filter(({ sentence }) => sentence === number).map((reading) => ({ method, reading })))
    // Who finds it open without saying between what leaves it unread, whatever others read.
    if (readings.some(({ reading }) => reading.kind === 'unread' && reading.isOpen === true && reading.senses === undefined)) return []
    const isLeftOpen = readings.some(({ reading }) => reading.kind === 'unread' && reading.senses !== undefined)
    const found = readings.flatMap(({ method, reading }) => {
      if (reading.kind === 'norms') return [{ readers: [method], norms: reading.norms }]
      return reading.kind === 'unread' ? (reading.senses ?? []).map((norms) => ({ readers: [method], norms })) : []
    })
    if (settled !== null && !isLeftOpen) {
      const norms = settled.filter(({ sentence }) => sentence === number)
      return norms.length === 0 ? [] : [{ sentence: number, senses: [{ norms, readers: found.flatMap((each) => each.readers) }] }]
    }
    const byMeaning = Map.groupBy(found, ({ norms }) => meaningKey(norms, unit.schema))
    const senses = [...byMeaning.values()].map((alike) => ({ norms: (alike[0] as Sense).norms, readers: [...new Set(alike.flatMap((each) => each.readers))] }))
    return senses.length === 0 ? [] : [{ sentence: number, senses }]
  })
}

/** Equal keys mean equal meaning. An obligation alone makes no rule, so that its own words count. */
function meaningKey(norms: readonly Norm[], schema: Schema): string {
  const obligations = norms.filter(({ modality }) => modality === 'oblige').map(({ id: _, source: __, ...meaning }) => canonical(meaning)).sort()
  return canonical([semanticHash(assemble(norms, schema), schema), obligations])
}

/** In how many ways the whole text can be understood. */
export function countOf(sentences: readonly Understood[]): number {
  return sentences.reduce((product, { senses }) => product * senses.length, 1)
}

/** Every way to understand the whole text, the first sense of each sentence first. */
export function choicesOf(sentences: readonly Understood[]): readonly Understanding['chosen'][] {
  return sentences.reduce<readonly (readonly (Sense & { readonly sentence: number })[])[]>(
    (made, { sentence, senses }) => made.flatMap((each) => senses.map((sense) => [...each, { sentence, ...sense }])), [[]],
  )
}

export function understandingOf(chosen: Understanding['chosen'], schema: Schema): Understanding {
  const norms = chosen.flatMap((sense) => sense.norms)
  return { chosen, norms, policy: policyOfNorms(norms, schema) }
}

/** What one understanding corrects the readers to. */
export function correctionOf(readers: readonly Candidate[], { chosen, norms, policy }: Understanding, before: Correction): Correction {
  const witnesses = chosen.map((sense) => lineagesOf(readers.filter(({ method }) => sense.readers.includes(method))))
  return {
    ...before,
    norms, policy,
    unread: before.unread.filter(({ sentence }) => !chosen.some((sense) => sense.sentence === sentence)),
    independentWitnesses: witnesses.length === 0 ? 0 : Math.min(...witnesses),
  }
}

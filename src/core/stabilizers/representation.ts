import { policyOfNorms } from '#core/policy/assemble.ts'
import { sayWhatBinds } from '#core/policy/norm-sections.ts'
import { normsOf, type Candidate } from '#core/synthesis/candidate.ts'
import type { SemanticUnit } from '#core/unit/semantic-unit.ts'
import { tabulate, type DecisionTable } from './decision-table.ts'

/**
 * Names one of the things that are meant to say the same as the unit: what a check looks at, and what a fault is in.
 *
 * `norms` are those of the reader of controlled English, with whose candidate they share their lineage; `decision-table` is what they
 * decide, tabulated. The constitution is a representation of what is allowed at all, and nobody but its council can be at fault for it.
 */
export type RepresentationId = 'text' | 'norms' | 'examples' | 'decision-table' | 'document' | 'constitution' | CandidateId

export type CandidateId = `candidate:${number}`

/** @param index As in the list of candidates, from 0. */
export function candidateId(index: number): CandidateId {
  return `candidate:${index}`
}

/** The index of the candidate that is named; null where it is no candidate. */
export function candidateIndex(id: RepresentationId): number | null {
  return id.startsWith('candidate:') ? Number(id.slice('candidate:'.length)) : null
}

/**
 * The representations of one unit: what is measured.
 *
 * The norms are those of the reader of controlled English; decision table and document are made from them. None of the three is there where
 * that reader made no candidate.
 */
export type Representations = {
  readonly unit: SemanticUnit
  readonly candidates: readonly Candidate[]
  readonly norms: ReadNorms | null
  readonly table: DecisionTable | null
  /** The part of the document that binds: norms in words, and rules. */
  readonly document: string | null
}

/** Norms as one reader read them, sentence by sentence. */
export type ReadNorms = Pick<Candidate, 'method' | 'lineage' | 'readings'>

/** The reader whose norms stand for the text. */
export const NORMS_METHOD = 'controlled-english'

/** Makes the representations that follow from the text and its candidates. Cost: that of the table, some milliseconds. */
export function representationsOf(unit: SemanticUnit, candidates: readonly Candidate[]): Representations {
  const norms = candidates.find(({ method, readsText }) => readsText && method === NORMS_METHOD) ?? null
  if (norms === null) return { unit, candidates, norms, table: null, document: null }
  const all = normsOf(norms.readings)
  const table = tabulate(all, unit.schema)
  fromNorms.add(table)
  return { unit, candidates, norms, table, document: sayWhatBinds(all, policyOfNorms(all, unit.schema).text) }
}

/** Whether a decision table is the one that its norms make, so that they say all that is in it. */
export function isMadeFromNorms(table: DecisionTable): boolean {
  return fromNorms.has(table)
}
const fromNorms = new WeakSet<DecisionTable>()

/** Whether a reader accounts for a sentence; one that says nothing of single sentences means the whole text. */
export function hasRead({ readings }: Pick<Candidate, 'readings'>, sentence: number): boolean {
  return readings.length === 0 || readings.some((reading) => reading.sentence === sentence && reading.kind !== 'unread')
}

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

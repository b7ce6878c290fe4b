import { candidateId, NORMS_METHOD, type RepresentationId } from '#core/stabilizers/representation.ts'
import type { Candidate } from '#core/synthesis/candidate.ts'
import type { Measurement } from './measure.ts'

/** A candidate that is blamed, and the check that shows why. */
export type Fault = { readonly candidate: number; readonly method: string; readonly shownBy: string; readonly evidence: unknown }

export type Diagnosis =
  /** Nothing fired. */
  | { readonly kind: 'clean' }
  /** Faults that account for everything that fired; the blamed candidates say nothing from here on. */
  | { readonly kind: 'explained'; readonly faults: readonly Fault[] }
  /** Two readers that nothing else contradicts disagree: a question for the author, never a vote. `disagreement` shows a request. */
  | { readonly kind: 'ambiguous'; readonly between: readonly string[]; readonly disagreement: unknown }
  /** A check that had something to look at gave no answer: whatever else fired, nobody can be cleared. */
  | { readonly kind: 'incomplete'; readonly because: string }
  /** No set of faults that leaves a reader standing accounts for what fired. */
  | { readonly kind: 'unexplained'; readonly because: string }

/**
 * Finds who is to blame for what fired.
 *
 * Only a check that looks at a single candidate can blame it (it does not parse, may fail, contradicts an example). Two readers that
 * disagree without blame are a tie: with two witnesses nothing says which one is right. An example settles a disagreement only when the
 * readers differ in one sentence; when they differ in several it says nothing about the others. Weights and larger sets of mechanisms are
 * not part of this decoder.
 */
export function decode(measurements: readonly Measurement[], candidates: readonly Candidate[]): Diagnosis {
  // Whether an article forbids what was read is judged afterwards, and a sentence that decides nothing is nobody's misreading.
  const asked = measurements.filter(({ stabilizer }) => stabilizer !== 'within' && stabilizer !== 'examples-distinguish')
  const fired = asked.filter(({ outcome }) => outcome.value === -1)
  const silent = asked.find(({ outcome }) => outcome.value === 0 && outcome.why === 'failed')
  if (silent !== undefined && silent.outcome.value === 0) return { kind: 'incomplete', because: `${silent.stabilizer}: ${silent.outcome.because}` }
  if (fired.length === 0) return { kind: 'clean' }

  const faults = fired.flatMap(({ stabilizer, candidates: [only, ...others], representations, outcome }) =>
    only === undefined || others.length > 0 || outcome.value !== -1 || !isAboutAlone(only, representations) ? [] : [{ candidate: only, method: (candidates[only] as Candidate).method, shownBy: stabilizer, evidence: outcome.evidence }],
  )
  const isBlamed = (candidate: number) => faults.some((fault) => fault.candidate === candidate)
  const standing = candidates.filter((candidate, i) => candidate.readsText && !isBlamed(i))
  if (standing.length === 0) {
    return { kind: 'unexplained', because: `no reader is left: ${[...new Set(faults.map(({ method, shownBy }) => `${method} (${shownBy})`))].join(', ')}` }
  }
  const isSettled = ({ candidates: pair, outcome }: Measurement) => {
    const blame = faults.filter(({ candidate }) => pair.includes(candidate))
    const sentences = outcome.value === -1 ? ((outcome.evidence as { sentences?: readonly number[] } | null)?.sentences ?? []) : []
    return blame.some(({ shownBy }) => shownBy !== 'decides') || (blame.length > 0 && sentences.length === 1)
  }
  const open = fired.find((measurement) => measurement.candidates.length > 1 && !isSettled(measurement))
  if (open !== undefined && open.outcome.value === -1) {
    return { kind: 'ambiguous', between: open.candidates.map((i) => (candidates[i] as Candidate).method), disagreement: open.outcome.evidence }
  }
  // Norms, and what is made from them, share the lineage of one reader: where it is blamed they are too.
  const source = candidates.findIndex(({ method }) => method === NORMS_METHOD)
  const unaccounted = fired.find(({ candidates: looksAt }) => ![...looksAt, source].some(isBlamed))
  if (unaccounted !== undefined) return { kind: 'unexplained', because: `${unaccounted.stabilizer} fired, and no fault of a reader accounts for it` }
  return { kind: 'explained', faults }
}

/** Whether a check looks at nothing but one candidate and what the author said: then it blames that candidate. */
function isAboutAlone(candidate: number, representations: readonly RepresentationId[]): boolean {
  return representations.every((id) => id === candidateId(candidate) || id === 'examples' || id === 'text')
}

/** Whether a known syndrome still gets its known diagnosis: what the decoder's health is probed with. */
export function locatesKnownFault(): boolean {
  const candidate = (method: Candidate['method']): Candidate => ({ method, readsText: true, lineage: method, cedar: '', readings: [] })
  const fired = (stabilizer: string, candidates: readonly number[]): Measurement => ({ stabilizer, candidates, representations: candidates.map(candidateId), outcome: { value: -1, evidence: { sentences: [1] } } })
  const diagnosis = decode([fired('same-meaning', [0, 1]), fired('decides', [1])], [candidate('controlled-english'), candidate('shallow-parse')])
  return diagnosis.kind === 'explained' && diagnosis.faults.length === 1 && diagnosis.faults[0]?.candidate === 1
}

import { digest, digestOnce } from '#core/canonical.ts'
import type { Candidate } from '#core/synthesis/candidate.ts'
import type { Check, Instruments, Looking, OutcomeOf, StabilizerId } from './check.ts'
import { comparingByClasses } from './meaning-classes.ts'
import { conforms, conformsToTable, decides, isRoundTrip, sameMeaning } from './meaning.ts'
import { distinguishes, isCovered, isWellTyped, isWithin, neverErrors, saysTheNorms } from './properties.ts'
import { candidateId, candidateIndex, isMadeFromNorms, type RepresentationId, type Representations } from './representation.ts'

/**
 * How faults show in a row, which is what the check matrix is computed from.
 *
 * - `unreadable`, `erring`: certainly, where its candidate is so;
 * - `differs`: certainly, where two of what it looks at mean different things: that is proved;
 * - `may-differ`: perhaps, where they do: it looks at some requests and not at all;
 * - `redundant`: certainly, where a norm decides nothing, and perhaps where norms mean something else than the text;
 * - `forbidden`: certainly, where the text asks for what the constitution forbids, and perhaps where a candidate means something else;
 * - `never`: it abstains instead.
 */
export type Shows = 'unreadable' | 'erring' | 'differs' | 'may-differ' | 'redundant' | 'forbidden' | 'never'

/**
 * A consistency check that every faithful set of representations passes.
 *
 * `group` is the id under which the API shows it (`GET /api/v1/stabilizers`).
 */
export type Stabilizer = { readonly [Id in StabilizerId]: StabilizerOf<Id> }[StabilizerId]

type StabilizerOf<Id extends StabilizerId> = {
  readonly id: Id
  readonly group: 'STAB-SEMAN001' | 'STAB-CONST001' | 'STAB-PERF0001'
  /** What is so where it does not fire. */
  readonly holds: string
  /** One check for each candidate, each reader, each pair of readers, or one for the unit. */
  readonly over: 'candidate' | 'reader' | 'pair' | 'unit'
  /** What it looks at beside candidates. */
  readonly with: readonly RepresentationId[]
  readonly shows: Shows
  /** @param time Which of the author's examples, where there is one check for each. */
  readonly look: (of: Representations, use: Looking, candidates: readonly number[], time: number) => Promise<OutcomeOf<Id>>
  /** Whether there is one check for each of the author's examples; else there is one. */
  readonly isPerExample?: true
}

/** Changes with the meaning of any row; certificates carry it. */
export const TABLE_VERSION = '2.0.0'

/** Order is meaning: the syndrome lists outcomes in this order. Append; never reorder. */
export const STABILIZERS: readonly Stabilizer[] = [
  { id: 'well-typed', group: 'STAB-SEMAN001', over: 'candidate', with: [], shows: 'unreadable', look: isWellTyped, holds: 'the candidate parses and passes strict validation against the schema' },
  { id: 'never-errors', group: 'STAB-PERF0001', over: 'candidate', with: [], shows: 'erring', look: neverErrors, holds: 'no rule of the candidate can fail to evaluate' },
  { id: 'same-meaning', group: 'STAB-SEMAN001', over: 'pair', with: [], shows: 'differs', look: sameMeaning, holds: 'two readers give the sentences that both have read one meaning' },
  { id: 'decides', group: 'STAB-SEMAN001', over: 'reader', with: ['examples'], shows: 'may-differ', look: decides, isPerExample: true, holds: 'the candidate decides the author’s examples as the author does' },
  { id: 'covers', group: 'STAB-SEMAN001', over: 'reader', with: ['text'], shows: 'never', look: isCovered, holds: 'the reader has read every sentence that may rule; else it abstains' },
  // The norms are those of the reader of controlled English: that its own candidate conforms says that nothing was lost in writing rules, and no more.
  { id: 'conforms', group: 'STAB-SEMAN001', over: 'reader', with: ['norms'], shows: 'differs', look: conforms, holds: 'the candidate gives the sentences that it has read the meaning that the norms give them, which are those of controlled-english: its own candidate is no second witness' },
  { id: 'conforms-to-table', group: 'STAB-SEMAN001', over: 'reader', with: ['decision-table'], shows: 'may-differ', look: conformsToTable, holds: 'the candidate decides every row of the decision table as the norms do, from which it is tabulated' },
  { id: 'examples-distinguish', group: 'STAB-SEMAN001', over: 'unit', with: ['norms', 'text'], shows: 'redundant', look: distinguishes, holds: 'for every norm there is a request that only this norm decides' },
  { id: 'says-the-norms', group: 'STAB-SEMAN001', over: 'unit', with: ['document', 'norms'], shows: 'differs', look: saysTheNorms, holds: 'the document says every norm, and no other, in the words that its meaning has' },
  { id: 'round-trip', group: 'STAB-SEMAN001', over: 'reader', with: ['document'], shows: 'differs', look: isRoundTrip, holds: 'the rules that the document shows, read back from it, mean what the candidate means' },
  { id: 'within', group: 'STAB-CONST001', over: 'reader', with: ['constitution'], shows: 'forbidden', look: isWithin, holds: 'no hard article forbids what the candidate means' },
]

/** How faults show in the checks of a stabilizer; `never` for one that the table does not have. */
export function showsOf(stabilizer: string): Shows {
  return STABILIZERS.find(({ id }) => id === stabilizer)?.shows ?? 'never'
}

/** Every check of the table over given representations, in table order. */
export function checksOf(of: Representations, instruments: Instruments): readonly Check[] {
  const use: Looking = { ...instruments, sameMeaning: comparingByClasses(instruments, of.unit.schema) }
  const digests = digestsOf(of, use)
  const readers = of.candidates.flatMap(({ readsText }, i) => (readsText ? [i] : []))
  return STABILIZERS.flatMap((stabilizer) =>
    placesOf(stabilizer.over, readers, of.candidates.length).flatMap((candidates) =>
      (stabilizer.isPerExample === true ? of.unit.request.examples : [null]).map((example, time): Check => {
        const representations = [...candidates.map(candidateId), ...stabilizer.with]
        return {
          stabilizer: stabilizer.id,
          candidates,
          representations,
          // What a sentence may hide, and what the schema means, every outcome may depend on.
          compares: [of.unit.schema.digest, digests('text'), ...representations.filter((id) => id !== 'text').map((id) => (example !== null && id === 'examples' ? digest(example) : digests(id)))],
          run: () => stabilizer.look(of, use, candidates, time),
        }
      }),
    ),
  )
}

/** The candidates that each check of a stabilizer looks at, by index. */
export function placesOf(over: Stabilizer['over'], readers: readonly number[], count: number): readonly (readonly number[])[] {
  switch (over) {
    case 'candidate': return Array.from({ length: count }, (_, i) => [i])
    case 'reader': return readers.map((i) => [i])
    case 'pair': return readers.flatMap((i, k) => readers.slice(k + 1).map((j) => [i, j]))
    case 'unit': return [[]]
  }
}

/**
 * The digest of each representation, made when it is asked for. What is made from norms is digested with theirs: they say what it is about.
 * Text, candidates and articles are digested once, whoever measures them: the certifier measures again what was measured, and articles, which are
 * many kilobytes, are the same for every policy over a schema.
 */
function digestsOf({ unit, candidates, norms, table, document }: Representations, use: Looking): (id: RepresentationId) => string {
  const known = new Map<RepresentationId, string>()
  const made = (id: RepresentationId): string => {
    switch (id) {
      case 'text': return digestOnce(unit.sentences)
      case 'norms': return norms === null ? digest(null) : digestOnce(norms)
      case 'examples': return digest(unit.request.examples)
      case 'decision-table': return digest([of('norms'), table !== null && isMadeFromNorms(table) ? 'made from them' : table])
      case 'document': return digest([of('norms'), document])
      case 'constitution': return digestOnce(use.bound.bound)
      default: return digestOnce(candidates[candidateIndex(id) ?? -1] as Candidate)
    }
  }
  const of = (id: RepresentationId): string => {
    const found = known.get(id) ?? made(id)
    known.set(id, found)
    return found
  }
  return of
}

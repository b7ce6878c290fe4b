import { canonical } from '#core/canonical.ts'
import type { Norm } from '#core/unit/norm.ts'
import type { OpenForm } from '#core/unit/open-forms.ts'
import type { SemanticUnit, Sentence } from '#core/unit/semantic-unit.ts'

export type Method = 'controlled-english' | 'shallow-parse' | 'principles' | `model:${string}`

/** What one reader made of one sentence. */
export type Reading =
  | { readonly kind: 'norms'; readonly sentence: number; readonly norms: readonly Norm[] }
  /** Rules nothing: a heading, an explanation, a definition. */
  | { readonly kind: 'silent'; readonly sentence: number }
  /**
   * `because` says what was not understood and, when we know, how to say it. `isOpen`: the words were understood, and more than one
   * meaning is left; then no other reader's choice among them counts. `senses`: all that are left, where they are known; the author can choose.
   */
  | { readonly kind: 'unread'; readonly sentence: number; readonly because: string; readonly isOpen?: true; readonly senses?: readonly (readonly Norm[])[] }

/** Reads every sentence of a unit: one reading each, in order. Pure and deterministic. */
export type Reader = (unit: SemanticUnit) => readonly Reading[]

/** One synthesizer's proposal: a Cedar policy set, and where it comes from. */
export type Candidate = {
  readonly method: Method
  /** Only a method that reads the text is a witness of what it means. */
  readonly readsText: boolean
  /** Version of the method; candidates with equal lineage are one witness. */
  readonly lineage: string
  readonly cedar: string
  readonly readings: readonly Reading[]
}

/** Whether a language model made it: nobody else can make it again from the text. */
export function isOfModel({ method }: Pick<Candidate, 'method'>): boolean {
  return method.startsWith('model:')
}

/** Every norm that was read, in the order of the sentences. */
export function normsOf(readings: readonly Reading[]): readonly Norm[] {
  return readings.flatMap((reading) => (reading.kind === 'norms' ? reading.norms : []))
}

/** What one sentence means, as its norms: `N3`, or `N3.1`, `N3.2`. */
export function numbered(meanings: readonly Omit<Norm, 'id' | 'sentence' | 'source'>[], { number, text }: Pick<Sentence, 'number' | 'text'>): readonly Norm[] {
  return meanings.map((meaning, i) => ({ id: meanings.length === 1 ? `N${number}` : `N${number}.${i + 1}`, sentence: number, source: text, ...meaning }))
}

/** What a reader says of a sentence that is open by its form: with senses, where it reads every text that says one of them. */
export function openReading({ because, wordings }: OpenForm, sentence: Sentence, read: (sentence: Sentence) => Reading): Reading {
  const senses = sensesIn(wordings, sentence, read)
  return { kind: 'unread', sentence: sentence.number, because, isOpen: true, ...(senses === null ? {} : { senses }) }
}

/** What a reader makes of texts that say a sentence in every way that it can mean: its senses, where it reads each of them and no two alike. */
function sensesIn(wordings: readonly string[], sentence: Sentence, read: (sentence: Sentence) => Reading): readonly (readonly Norm[])[] | null {
  const readings = wordings.map((text) => read({ ...sentence, text }))
  const senses = readings.flatMap((reading) => (reading.kind === 'norms' ? [numbered(reading.norms.map(({ id: _, sentence: __, source: ___, ...meaning }) => meaning), sentence)] : []))
  return senses.length > 1 && senses.length === wordings.length && new Set(senses.map((norms) => canonical(norms))).size === senses.length ? senses : null
}

import { setImmediate as pause } from 'node:timers/promises'
import type { BoundArticle } from '#core/constitution/article.ts'
import { policyOfNorms } from '#core/policy/assemble.ts'
import { normsOf, type Candidate, type Method, type Reader, type Reading } from '#core/synthesis/candidate.ts'
import { readControlledEnglish } from '#core/synthesis/controlled-english.ts'
import { proposePrinciples } from '#core/synthesis/principles.ts'
import { readShallowParse } from '#core/synthesis/shallow-parse.ts'
import type { Pack } from '#core/unit/pack.ts'
import type { SemanticUnit, Sentence } from '#core/unit/semantic-unit.ts'
import { clausesOf, sentencesOf } from '#core/unit/sentences.ts'
import type { Schema } from '#core/policy/schema.ts'

/** The methods that read the text, here and offline. A lineage changes with the method's meaning. */
export const READERS: readonly { readonly method: Method; readonly lineage: string; readonly read: Reader }[] = [
  { method: 'controlled-english', lineage: 'controlled-english 3', read: readControlledEnglish },
  { method: 'shallow-parse', lineage: 'shallow-parse 3', read: readShallowParse },
]

/** What each of the readers makes of a unit's sentences, in the order of {@link READERS}. */
export type Read = (unit: SemanticUnit) => Promise<readonly (readonly Reading[])[]>

/** Whether a reader still reads the first request of every pack: what its health is probed with. */
export async function readsKnownSentence(packs: readonly Pack[], parseSchema: (text: string) => Schema, read: Read): Promise<boolean> {
  for (const { schema: text, requests: [request] } of packs) {
    const { description = '' } = (request?.body ?? {}) as { description?: string }
    const schema = parseSchema(text)
    const sentences = sentencesOf(description, schema, []).slice(0, 1)
    const readings = await read({ id: 'probe', schema, sentences, request: { ...BLANK, description } })
    if (!readings.flat().some(({ kind }) => kind === 'norms')) return false
  }
  return true
}

const BLANK = {
  title: '', stakeholders: [], principles: [], priority: 'low', examples: [], explanations: [], complianceThreshold: 1, consensusRequired: false, multiModelValidation: false,
} as const

/** So many sentences are read without a break: others wait no longer than that. */
const SENTENCES_AT_ONCE = 4

/** What a person can check is short: beyond this no reader is asked, so that no text takes longer than its length suggests. */
const CHARACTERS_MAX = 2_000
const CLAUSES_MAX = 40

function tooLong({ number, text }: Sentence): Reading | null {
  const because =
    text.length > CHARACTERS_MAX ? `it has ${text.length} characters: write sentences of at most ${CHARACTERS_MAX}`
    : clausesOf(text).length > CLAUSES_MAX ? `it has ${clausesOf(text).length} parts: write lists of at most ${CLAUSES_MAX}`
    : null
  return because === null ? null : { kind: 'unread', sentence: number, because }
}

/** Reads where it is called. Deterministic; no network. Cost: some milliseconds a sentence. */
export const readHere: Read = async (unit) => {
  const all: Reading[][] = []
  for (const { read } of READERS) {
    const readings: Reading[] = []
    for (let from = 0; from < unit.sentences.length; from += SENTENCES_AT_ONCE) {
      if (from > 0) await pause()
      const some = unit.sentences.slice(from, from + SENTENCES_AT_ONCE)
      const found = read({ ...unit, sentences: some.filter((sentence) => tooLong(sentence) === null) })
      readings.push(...some.map((sentence) => tooLong(sentence) ?? (found.find((reading) => reading.sentence === sentence.number) as Reading)))
    }
    all.push(readings)
  }
  return all
}

/** One candidate from every reader, and the one that the principles demand. Cost: that of reading. */
export async function propose(unit: SemanticUnit, bound: readonly BoundArticle[], read: Read = readHere): Promise<readonly Candidate[]> {
  const readings = await read(unit)
  const candidates = READERS.map(({ method, lineage }, i): Candidate => {
    const own = readings[i] ?? []
    return { method, readsText: true, lineage, cedar: policyOfNorms(normsOf(own), unit.schema).text, readings: own }
  })
  return [...candidates, proposePrinciples(unit, bound)]
}

import type { BoundArticle } from '#core/constitution/article.ts'
import { policyOfNorms } from '#core/policy/assemble.ts'
import { normsOf, type Candidate, type Reading } from '#core/synthesis/candidate.ts'
import { proposePrinciples } from '#core/synthesis/principles.ts'
import type { Pack } from '#core/unit/pack.ts'
import type { SemanticUnit } from '#core/unit/semantic-unit.ts'
import { sentencesOf } from '#core/unit/sentences.ts'
import type { Schema } from '#core/policy/schema.ts'

/** The methods that read the text, here and offline. A lineage changes with the method's meaning. */
export const READERS = [
  { method: 'controlled-english', lineage: 'controlled-english 3' },
  { method: 'shallow-parse', lineage: 'shallow-parse 3' },
] as const

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

/** Reads where it is called. Cost: some milliseconds a sentence; the first time some 90 MB and 0.6 s, for the words of English. */
export const readHere: Read = async (unit) => (await import('./read.ts')).readAll(unit)

/** One candidate from every reader, and the one that the principles demand. Cost: that of reading. */
export async function propose(unit: SemanticUnit, bound: readonly BoundArticle[], read: Read = readHere): Promise<readonly Candidate[]> {
  const readings = await read(unit)
  const candidates = READERS.map(({ method, lineage }, i): Candidate => {
    const own = readings[i] ?? []
    return { method, readsText: true, lineage, cedar: policyOfNorms(normsOf(own), unit.schema).text, readings: own }
  })
  return [...candidates, proposePrinciples(unit, bound)]
}

import { policyOfNorms } from '#core/policy/assemble.ts'
import type { PolicySet } from '#core/policy/policy.ts'
import type { Schema } from '#core/policy/schema.ts'
import type { Proof } from '#core/proof/proof.ts'
import type { Reader, Reading } from '#core/synthesis/candidate.ts'
import type { ReadingOutcome } from '#core/syndrome/outcomes.ts'
import type { Norm } from '#core/unit/norm.ts'
import type { SemanticUnit } from '#core/unit/semantic-unit.ts'
import type { KnownSentence } from './sentences.ts'

/** What grading asks of the world. */
export type Grading = {
  readonly parse: (cedar: string, schema: Schema) => PolicySet
  readonly sameMeaning: (a: PolicySet, b: PolicySet, schema: Schema) => Promise<Proof>
}

/**
 * What each reader made of one sentence whose meaning is known: right and wrong are proved, where the sentence stands alone and where everything else is
 * permitted. Wrong in the same way has the same label.
 *
 * @returns Null when a comparison has no answer: such a sentence counts for nobody.
 */
export async function gradeReadings({ text, norms }: KnownSentence, schema: Schema, readers: readonly { readonly method: string; readonly read: Reader }[], { parse, sameMeaning }: Grading): Promise<ReadingOutcome | null> {
  const meanings = (of: readonly Norm[]): readonly PolicySet[] => [[], [EVERYTHING]].map((over) => parse(policyOfNorms([...over, ...of], schema).text, schema))
  const isSame = async (a: readonly PolicySet[], b: readonly PolicySet[]): Promise<boolean | null> => {
    for (const [i, one] of a.entries()) {
      const { answer } = await sameMeaning(one, b[i] as PolicySet, schema)
      if (answer.kind !== 'proved') return answer.kind === 'refuted' ? false : null
    }
    return true
  }
  const wanted = meanings(norms)
  const wrong: (readonly PolicySet[])[] = []
  const outcome: { [method: string]: string } = {}
  for (const { method, read } of readers) {
    const [reading] = read(unitOf(text, schema)) as readonly [Reading]
    if (reading.kind !== 'norms') { outcome[method] = 'unread'; continue }
    const said = meanings(reading.norms)
    const isRight = await isSame(said, wanted)
    if (isRight === null) return null
    if (isRight) { outcome[method] = 'right'; continue }
    let label = wrong.length
    for (const [i, other] of wrong.entries()) {
      const isAlike = await isSame(said, other)
      if (isAlike === null) return null
      if (isAlike) label = i
    }
    if (label === wrong.length) wrong.push(said)
    outcome[method] = `wrong ${label + 1}`
  }
  return { sentence: text, readings: outcome }
}

/** Over it, what a prohibition forbids is seen. */
const EVERYTHING: Norm = { id: 'everything', sentence: 0, source: '', modality: 'permit', principals: [], actions: [], resources: [], when: null, unless: null, obligation: null }

function unitOf(text: string, schema: Schema): SemanticUnit {
  return {
    id: 'known', schema, sentences: [{ number: 1, text, start: 0, end: text.length, mayRule: true, isExplanation: false }],
    request: { title: '', description: text, stakeholders: [], principles: [], priority: 'low', examples: [], explanations: [], complianceThreshold: 1, consensusRequired: false, multiModelValidation: false },
  }
}

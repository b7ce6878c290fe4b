import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { assess } from '#core/generate.ts'
import type { SemanticUnit } from '#core/unit/semantic-unit.ts'
import { sentencesOf } from '#core/unit/sentences.ts'
import { propose } from '#services/synthesis/propose.ts'
import type { Context } from './context.ts'
import { ROOT, THRESHOLD } from './policies.ts'

/** Requests that leave a meaning open, over schemas of `test/cases/read`. */
export const Ambiguous = z.strictObject({
  because: z.string(),
  /** `settled_by_schema`: why the schema can say only one of the meanings. */
  requests: z.array(z.strictObject({ schema: z.string(), ambiguity: z.string(), text: z.string(), meanings: z.array(z.string()).min(2), settled_by_schema: z.string().exactOptional() })).min(40),
})

export type AmbiguousResult = {
  readonly text: string
  readonly ambiguity: string
  readonly isSettledBySchema: boolean
  /** What a person is told: the sentence was not read, readers differ, or something else is in doubt; `silent`: nothing, and a policy comes out. */
  readonly said: 'not read' | 'readers differ' | 'another doubt' | 'against the constitution' | 'silent'
  /** Whether the reason names that more than one meaning is left. */
  readonly isNamed: boolean
  readonly because: string
  readonly policy: string | null
}

/** Puts every ambiguous request to the product's own readers, measures, decodes and judges, as generation does. */
export async function measureAmbiguous({ examiner }: Context): Promise<readonly AmbiguousResult[]> {
  const { requests } = Ambiguous.parse(JSON.parse(readFileSync(new URL('./ambiguous.json', import.meta.url), 'utf8')))
  const results: AmbiguousResult[] = []
  for (const { schema: name, ambiguity, text, settled_by_schema: settled } of requests) {
    const { schema: lines } = JSON.parse(readFileSync(join(ROOT, `test/cases/read/${name}.json`), 'utf8')) as { readonly schema: readonly string[] }
    const schema = examiner.parseSchema(lines.join('\n'))
    const unit: SemanticUnit = {
      id: 'ambiguous', schema, sentences: sentencesOf(text, schema, []),
      request: { title: 'An ambiguous request', description: text, stakeholders: [], principles: [], priority: 'medium', examples: [], explanations: [], complianceThreshold: THRESHOLD, consensusRequired: false, multiModelValidation: false },
    }
    const examining = examiner.examining(schema)
    const candidates = await propose(unit, examining.bound.bound)
    const { verdict, diagnosis, corrections: [{ policy }] } = await assess({ unit, candidates }, examining)
    const isOpen = candidates.some(({ readings }) => readings.some((reading) => reading.kind === 'unread' && reading.isOpen === true))
    const doubts = verdict.kind === 'undetermined' ? verdict.doubts : []
    const said = verdict.kind === 'compliant' ? 'silent' : verdict.kind === 'violates' ? 'against the constitution' : doubts.some(({ about }) => about === 'unread') ? 'not read' : diagnosis.kind === 'ambiguous' ? 'readers differ' : 'another doubt'
    results.push({ text, ambiguity, isSettledBySchema: settled !== undefined, said, isNamed: isOpen || diagnosis.kind === 'ambiguous', because: doubts.map(({ message }) => message).join('; '), policy: said === 'silent' ? policy.text : null })
  }
  return results
}

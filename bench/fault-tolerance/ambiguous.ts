import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { assess } from '#core/generate.ts'
import type { SemanticUnit } from '#core/unit/semantic-unit.ts'
import { sentencesOf } from '#core/unit/sentences.ts'
import { propose } from '#services/synthesis/propose.ts'
import type { Context } from './context.ts'
import { ROOT, THRESHOLD } from './policies.ts'

const Open = z.strictObject({ schema: z.string(), ambiguity: z.string(), text: z.string(), meanings: z.array(z.string()).min(2), settled_by_schema: z.string().exactOptional() })

/** Requests that leave a meaning open, over schemas of `test/cases/read`. */
export const Ambiguous = z.strictObject({
  because: z.string(),
  /** `settled_by_schema`: why the schema can say only one of the meanings. */
  requests: z.array(Open).min(40),
})

/** Requests of like forms, written after the first were measured and before any reader had read them; `plain`, `common`: those that leave nothing open. */
export const Fresh = z.strictObject({
  because: z.string(),
  requests: z.array(Open).min(20),
  plain: z.array(z.strictObject({ schema: z.string(), text: z.string() })).min(20),
  common: z.array(z.strictObject({ schema: z.string(), text: z.string() })).min(20),
})

export type AmbiguousResult = {
  readonly text: string
  readonly ambiguity: string
  readonly isSettledBySchema: boolean
  /** What a person is told: there is a question to answer, the sentence was not read, readers differ, or something else is in doubt; `silent`: nothing, and a policy comes out. */
  readonly said: 'asked' | 'not read' | 'readers differ' | 'another doubt' | 'against the constitution' | 'silent'
  /** Whether the reason names that more than one meaning is left. */
  readonly isNamed: boolean
  readonly because: string
  readonly policy: string | null
}

export type AmbiguousMeasured = { readonly first: readonly AmbiguousResult[]; readonly fresh: readonly AmbiguousResult[]; readonly plain: readonly AmbiguousResult[] }

/** Puts every request to the product's own readers, measures, decodes and judges, as generation does. */
export async function measureAmbiguous({ examiner }: Context): Promise<AmbiguousMeasured> {
  const read = (name: string): unknown => JSON.parse(readFileSync(new URL(name, import.meta.url), 'utf8'))
  const { requests: first } = Ambiguous.parse(read('./ambiguous.json'))
  const { requests: fresh, plain, common } = Fresh.parse(read('./ambiguous-fresh.json'))
  const measured = async (requests: readonly (Pick<z.infer<typeof Open>, 'schema' | 'text'> & { readonly ambiguity?: string; readonly settled_by_schema?: string })[]) => {
    const results: AmbiguousResult[] = []
    for (const each of requests) results.push(await tell(each.schema, each.text, examiner, { ambiguity: each.ambiguity ?? 'none', isSettledBySchema: each.settled_by_schema !== undefined }))
    return results
  }
  return { first: await measured(first), fresh: await measured(fresh), plain: await measured([...plain, ...common]) }
}

async function tell(name: string, text: string, examiner: Context['examiner'], about: Pick<AmbiguousResult, 'ambiguity' | 'isSettledBySchema'>): Promise<AmbiguousResult> {
  const { schema: lines } = JSON.parse(readFileSync(join(ROOT, `test/cases/read/${name}.json`), 'utf8')) as { readonly schema: readonly string[] }
  const schema = examiner.parseSchema(lines.join('\n'))
  const unit: SemanticUnit = {
    id: 'ambiguous', schema, sentences: sentencesOf(text, schema, []),
    request: { title: 'An ambiguous request', description: text, stakeholders: [], principles: [], priority: 'medium', examples: [], explanations: [], complianceThreshold: THRESHOLD, consensusRequired: false, multiModelValidation: false },
  }
  const examining = examiner.examining(schema)
  const candidates = await propose(unit, examining.bound.bound)
  const { verdict, diagnosis, inquiry, corrections: [{ policy }] } = await assess({ unit, candidates }, examining)
  const isOpen = candidates.some(({ readings }) => readings.some((reading) => reading.kind === 'unread' && reading.isOpen === true))
  const doubts = verdict.kind === 'undetermined' ? verdict.doubts : []
  const said = verdict.kind === 'compliant' ? 'silent'
    : verdict.kind === 'violates' ? 'against the constitution'
    : inquiry?.kind === 'open' ? 'asked'
    : doubts.some(({ about: what }) => what === 'unread') ? 'not read'
    : diagnosis.kind === 'ambiguous' ? 'readers differ' : 'another doubt'
  return { text, ...about, said, isNamed: isOpen || diagnosis.kind === 'ambiguous', because: doubts.map(({ message }) => message).join('; '), policy: said === 'silent' ? policy.text : null }
}

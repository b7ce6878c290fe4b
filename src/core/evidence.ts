import { z } from 'zod'
import { Failure, type Problem } from './failure.ts'
import type { Evidence } from './generate.ts'
import type { Schema } from './policy/schema.ts'
import type { Candidate, Reading } from './synthesis/candidate.ts'
import { SENSES_MAX } from './unit/norm.ts'
import { NormBody } from './unit/norm-body.ts'
import { ExampleBody } from './unit/request.ts'
import type { GovernanceRequest, SemanticUnit, Sentence } from './unit/semantic-unit.ts'
import { sentencesOf } from './unit/sentences.ts'

/** How deep evidence may be nested: conditions of many parts are. */
export const EVIDENCE_LEVELS_MAX = 1_000

const Number1 = z.int().min(1)

const ReadingBody: z.ZodType<Reading> = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('norms'), sentence: Number1, norms: z.array(NormBody) }),
  z.strictObject({ kind: z.literal('silent'), sentence: Number1 }),
  z.strictObject({ kind: z.literal('unread'), sentence: Number1, because: z.string(), isOpen: z.literal(true).exactOptional(), senses: z.array(z.array(NormBody)).max(SENSES_MAX).exactOptional() }),
])

/** What one method made of each sentence, as another process sends it. */
export const CandidateReadings = z.array(ReadingBody)

/** A language model is named as recorded outcomes name it, so that what it gets wrong can be counted. */
const MethodBody = z.union([z.enum(['controlled-english', 'shallow-parse', 'principles']), z.templateLiteral(['model:', z.string().regex(/^[a-z0-9][a-z0-9:._/-]{0,93}$/)])])

/** A candidate as another process sends it. */
export const CandidateBody: z.ZodType<Candidate> = z.strictObject({
  method: MethodBody,
  readsText: z.boolean(),
  lineage: z.string().min(1).max(200),
  cedar: z.string().max(2_000_000),
  readings: CandidateReadings,
})

const Request: z.ZodType<GovernanceRequest> = z.strictObject({
  title: z.string(),
  description: z.string().max(100_000),
  stakeholders: z.array(z.string()),
  principles: z.array(z.string()),
  priority: z.enum(['low', 'medium', 'high', 'critical']),
  examples: z.array(ExampleBody.extend({ name: z.string() })),
  explanations: z.array(Number1),
  complianceThreshold: z.number().min(0).max(1),
  consensusRequired: z.boolean(),
  multiModelValidation: z.boolean(),
  revises: z.string().exactOptional(),
})

/** Evidence as it travels: the schema is its text and the sentences are left out, so that whoever judges makes both again. */
export const EvidenceBody = z.strictObject({
  unit: z.strictObject({ id: z.string().regex(/^[A-Za-z0-9_-]{1,100}$/), request: Request, schema: z.string().max(500_000) }),
  candidates: z.array(CandidateBody).min(1).max(20),
})
export type EvidenceBody = z.infer<typeof EvidenceBody>

export function evidenceBody({ unit: { id, request, schema }, candidates }: Evidence): EvidenceBody {
  return { unit: { id, request, schema: schema.text }, candidates: [...candidates] }
}

/**
 * The evidence that a body is, with schema and sentences made here.
 *
 * @throws {Failure} `SCHEMA_INVALID`; `REQUEST_MALFORMED` when the candidates are not over these sentences.
 */
export function evidenceOf({ unit: { id, request, schema: text }, candidates }: EvidenceBody, parseSchema: (text: string) => Schema): Evidence {
  const schema = parseSchema(text)
  const unit: SemanticUnit = { id, request, schema, sentences: sentencesOf(request.description, schema, request.explanations) }
  refuseForeign(candidates, unit.sentences, 'body.evidence.candidates')
  return { unit, candidates }
}

/**
 * Whether candidates are over these sentences: every reader has one reading of each, in order, with norms that come from it.
 *
 * @throws {Failure} `REQUEST_MALFORMED` naming what is not.
 */
export function refuseForeign(candidates: readonly Candidate[], sentences: readonly Sentence[], place: string): void {
  const problems: Problem[] = []
  for (const [index, { method, readsText, readings }] of candidates.entries()) {
    const at = `${place}[${index}]`
    if (candidates.findIndex((other) => other.method === method) !== index) problems.push({ place: at, message: `a second candidate of \`${method}\`` })
    if (readsText !== (method !== 'principles')) problems.push({ place: `${at}.readsText`, message: `is not what \`${method}\` does` })
    if (readings.length !== (readsText ? sentences.length : 0)) problems.push({ place: `${at}.readings`, message: `there are ${sentences.length} sentences and ${readings.length} readings` })
    for (const [n, reading] of readings.entries()) {
      const norms = reading.kind === 'norms' ? reading.norms : reading.kind === 'unread' ? (reading.senses ?? []).flat() : []
      const isOfIt = reading.sentence === n + 1 && norms.every(({ sentence, source }) => sentence === n + 1 && source === sentences[n]?.text)
      if (!isOfIt) problems.push({ place: `${at}.readings[${n}]`, message: `is not a reading of sentence ${n + 1}` })
    }
  }
  if (problems.length > 0) throw new Failure('REQUEST_MALFORMED', problems.map(({ place: where, message }) => `${where}: ${message}`).join('; '), { problems })
}

import { z } from 'zod'
import { CandidateReadings } from '#core/evidence.ts'
import type { Endpoint } from '#http/contract.ts'
import { MAY } from '#http/roles.ts'
import { Unread } from '#services/platform/contract.ts'

export const postSynthesize = {
  method: 'POST',
  path: '/api/v1/synthesize',
  summary: 'Sentences over a schema in, candidates out',
  access: MAY.synthesize,
  audience: 'either',
  body: z.strictObject({
    description: z.string().trim().min(1).max(100_000),
    schema: z.string().min(1).max(500_000).optional().describe('A Cedar schema; without one, the domain’s or the best fitting pack’s'),
    domain: z.string().max(100).optional(),
    explanations: z.array(z.number().int().min(1)).max(1_000).default([]),
    constitutional_principles: z.array(z.string().min(1).max(200)).max(100).default([]).describe('What the candidate of the principles demands is narrowed to these; all without'),
  }),
  reply: z.strictObject({
    candidates: z.array(
      z.strictObject({
        method: z.string(),
        reads_text: z.boolean(),
        lineage: z.string(),
        cedar: z.string(),
        norms: z.array(z.unknown()),
        unread: z.array(Unread),
        readings: CandidateReadings.describe('What was made of each sentence, in order: norms, silent or unread; of a method that does not read the text, nothing'),
      }),
    ),
    schema: z.string(),
  }),
  failures: ['SCHEMA_INVALID', 'DOMAIN_UNKNOWN', 'PRINCIPLE_UNKNOWN'],
} as const satisfies Endpoint

export const getInfo = {
  method: 'GET',
  path: '/api/v1/info',
  summary: 'The methods that propose candidates here',
  access: 'public',
  reply: z.strictObject({
    methods: z.array(z.strictObject({ method: z.string(), reads_text: z.boolean(), lineage: z.string() })),
    models: z.array(z.string()).describe('Language models that are configured; empty when there are none'),
    packs: z.array(z.string()),
  }),
  failures: [],
} as const satisfies Endpoint

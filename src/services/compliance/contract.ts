import { z } from 'zod'
import type { Endpoint } from '#http/contract.ts'
import { MAY } from '#http/roles.ts'
import { Applicable, Counterexample } from '#services/platform/contract.ts'

const Hash = z.string().regex(/^[0-9a-f]{16}$/)
const Digest = z.string().regex(/^[0-9a-f]{64}$/)
const Shown = { constitutional_hash: Hash, constitutional_digest: Digest, timestamp: z.iso.datetime() }

export const getValidate = {
  method: 'GET',
  path: '/api/v1/constitutional/validate',
  summary: 'Whether a hash names the constitution in force',
  access: 'public',
  query: z.strictObject({ hash_value: z.string().max(200).optional().describe('The 16-digit id, or the full SHA-256 of the document') }),
  reply: z.strictObject({
    status: z.enum(['valid', 'mismatch']),
    hash_valid: z.boolean(),
    compliance_score: z.null().describe('Null: a hash is not a policy; POST one to have it judged'),
    violations: z.array(z.string()),
    recommendations: z.array(z.string()),
    ...Shown,
  }),
  failures: [],
} as const satisfies Endpoint

export const postValidate = {
  method: 'POST',
  path: '/api/v1/constitutional/validate',
  summary: 'Every article of the constitution, proved or refuted for a policy',
  access: MAY.examinePolicy,
  body: z.strictObject({
    cedar: z.string().max(500_000).optional().describe('Cedar policies'),
    policy_content: z.string().max(500_000).optional().describe('The older name of `cedar`; documents in prose are not judged, their rules are'),
    schema: z.string().max(500_000).optional().describe('A Cedar schema; without one, that of the domain'),
    domain: z.string().max(100).optional(),
    constitutional_hash: z.string().max(64).optional().describe('Refused when it is not the one in force'),
    validation_type: z.enum(['constitutional']).default('constitutional'),
  }),
  reply: z.strictObject({
    applicable: Applicable,
    status: z.enum(['valid', 'invalid', 'undetermined']),
    hash_valid: z.boolean(),
    compliance_score: z.number().nullable(),
    required_threshold: z.number(),
    articles: z.array(z.strictObject({ id: z.string(), principle: z.string(), hard: z.boolean(), answer: z.enum(['proved', 'refuted', 'unknown']), reason: z.string().optional(), counterexample: Counterexample.optional() })),
    violations: z.array(z.string()),
    recommendations: z.array(z.string()),
    ...Shown,
  }),
  failures: ['SCHEMA_INVALID', 'POLICY_INVALID', 'DOMAIN_UNKNOWN', 'CONSTITUTION_MISMATCH', 'SOLVER_FAILED'],
} as const satisfies Endpoint

export const getState = {
  method: 'GET',
  path: '/api/v1/constitutional/state',
  summary: 'The constitution in force: principles, articles, ratification',
  access: 'public',
  reply: z.strictObject({
    title: z.string(),
    version: z.string(),
    principles: z.array(z.strictObject({ id: z.string(), title: z.string(), text: z.string(), weight: z.number(), hard: z.boolean() })),
    articles: z.array(z.strictObject({ id: z.string(), principle: z.string(), kind: z.string(), text: z.string(), hard: z.boolean(), weight: z.number() })),
    ratification: z.unknown(),
    hash_is_inherited: z.boolean().describe('True when the 16 digits digest an older text that is not shipped; the full digest is that of the document enforced'),
    ...Shown,
  }),
  failures: [],
} as const satisfies Endpoint

export const getCertificateKeys = {
  method: 'GET',
  path: '/.well-known/jwks.json',
  summary: 'The keys that certificates and bundles are verified with, past ones included',
  access: 'public',
  reply: z.strictObject({ keys: z.array(z.object({ kty: z.literal('OKP'), crv: z.literal('Ed25519'), x: z.string(), kid: z.string() })) }),
  failures: [],
} as const satisfies Endpoint

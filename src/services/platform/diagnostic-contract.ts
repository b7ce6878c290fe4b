import { z } from 'zod'
import { CATEGORIES, SEVERITIES, STRATEGIES } from '#core/diagnostic/diagnostic.ts'
import { Lsu } from '#core/diagnostic/lsu.ts'
import type { Endpoint } from '#http/contract.ts'
import { MAY } from '#http/roles.ts'

const Hash = z.string().regex(/^[0-9a-f]{16}$/)
const Score = z.number().min(0).max(1).nullable()
const Timestamp = z.iso.datetime()
const Status = z.enum(['healthy', 'degraded', 'unhealthy'])
const Kind = z.enum(['system', 'component', 'generation', 'lsu'])
const Group = z.enum(['STAB-SEMAN001', 'STAB-CONST001', 'STAB-PERF0001'])

const Finding = z.strictObject({
  about: z.string().describe('A stabilizer, an article, a component, or a member of the document'),
  category: z.enum(CATEGORIES),
  severity: z.enum(SEVERITIES).describe('`critical`: it keeps something from being certified or served'),
  message: z.string(),
  remedy: z.strictObject({ strategy: z.enum(STRATEGIES), action: z.string(), auto_executable: z.boolean() }).nullable().describe('Null where recommendations were not asked for'),
})

const Recommended = {
  recommendations: z.array(z.string()).describe('What would settle the findings, each once; empty where nothing was found'),
  auto_executable_recommendations: z.int().describe('How many of them can be executed without a person: 0, since none of them is a bounded act of ours with a dry run'),
}
const Counted = {
  errors_detected: z.int().describe('How many findings there are'),
  critical_errors: z.int(),
  health_score: Score,
  compliance_score: Score,
}
const NotMeasured = z.array(z.strictObject({ what: z.string(), because: z.string() })).describe('What belongs here and could not be measured, with the reason; never counted as well')

export const getStabilizers = {
  method: 'GET',
  path: '/api/v1/stabilizers',
  summary: 'The groups of checks that every generation is measured by',
  access: MAY.readStabilizers,
  // All of them, always: a parameter that would choose some is refused rather than ignored.
  query: z.strictObject({}),
  reply: z.strictObject({
    stabilizers: z.array(z.strictObject({
      id: z.string().regex(/^STAB-[A-Z0-9]{8}$/),
      name: z.string(),
      description: z.string(),
      domains: z.array(z.string()).describe('The packs whose policies it is run on, and any schema that a request brings'),
      enabled: z.boolean().describe('Whether it is run on every generation: it has checks. None can be switched off'),
      version: z.string().regex(/^\d+\.\d+\.\d+$/).describe('Of the table of checks; it changes with the meaning of any of them, and certificates carry it'),
      timeout: z.number().min(0).describe('Seconds that one question to the prover may take; then the check has no answer, which is never a pass'),
      constitutional_compliance: z.boolean().describe('Whether its engine passed the self-test of this start, in which known violations must be found and known truths proved'),
      checks: z.array(z.strictObject({ id: z.string(), holds: z.string().describe('What is so when it holds') })),
    })),
    total_count: z.int(),
    enabled_count: z.int(),
    constitutional_hash: Hash,
  }),
  failures: [],
} as const satisfies Endpoint

export const postValidateLsu = {
  method: 'POST',
  path: '/api/v1/validate-lsu',
  summary: 'What the text of a logical semantic unit is found to mean, and whether it could be certified',
  description: 'The text is read, measured, corrected and proved as a generation would be, and nothing is certified. A document that does not have the published shape is answered 400, with every member that is wrong.',
  access: MAY.validateUnits,
  limit: 'diagnosis',
  body: Lsu,
  reply: z.strictObject({
    lsu_id: z.string(),
    validation_status: z.enum(['healthy', 'unhealthy']).describe('Unhealthy when anything critical was found; what could not be known is critical'),
    stabilizers_executed: z.int().describe('Checks that held or fired, articles of the constitution included'),
    ...Counted,
    ...Recommended,
    diagnostic_id: z.string().nullable().describe('Where it is read again; null when the database did not take it'),
    findings: z.array(Finding),
    not_measured: NotMeasured,
    semantic_hash: Hash.nullable().describe('Of what the text is found to mean; null when nothing was read'),
    constitutional_hash: Hash,
    timestamp: Timestamp,
  }),
  failures: ['SCHEMA_INVALID', 'DOMAIN_UNKNOWN', 'EXAMPLES_CONTRADICT', 'OVERLOADED', 'SOLVER_FAILED', 'PEER_UNAVAILABLE'],
  example: {
    body: {
      id: 'LSU-000001', description: 'Charts of the clinic', domain: 'policy', version: 1,
      content: { text: 'Nurses may view charts of patients of their own ward. Every view of a chart must be logged.', structured_data: { domain: 'data-protection' } },
    },
  },
} as const satisfies Endpoint

const Target = z.string().min(1).max(200).regex(/^[^\0]*$/, 'must not hold the character U+0000')
const Depth = z.enum(['basic', 'standard', 'comprehensive'])
/** As a query has it. */
const Flag = z.enum(['true', 'false']).transform((text) => text === 'true')

export const Diagnostic = z.strictObject({
  diagnostic_id: z.string().nullable().describe('Null when the database did not take it'),
  kind: Kind,
  target_system: z.string(),
  diagnostic_depth: Depth,
  status: Status,
  ...Counted,
  faults_detected: z.int().describe('Of a generation: candidates that were blamed, or 1 for a disagreement that nobody could be blamed for'),
  faults_corrected: z.int().describe('Of a generation: candidates that were set aside'),
  ...Recommended,
  findings: z.array(Finding),
  measured: z.record(z.string(), z.unknown()).describe('The figures that were looked at'),
  not_measured: NotMeasured,
  executions: z.array(z.strictObject({
    position: z.int().describe('In the syndrome, from 0; articles of the constitution come after it'),
    stabilizer: z.string(),
    group: Group,
    table_version: z.string(),
    candidates: z.array(z.string()),
    outcome: z.union([z.literal(1), z.literal(-1), z.literal(0)]).describe('1 holds, −1 fires, 0 was not run, which is never a pass'),
    reason: z.string().nullable(),
    evidence_digest: z.string().nullable().describe('SHA-256 of what it shows; the evidence itself stands in the generation'),
    duration_ms: z.number().nullable().describe('Null: not measured'),
  })).describe('The checks that were made, of a generation or a document'),
  constitutional_hash: Hash,
  duration_ms: z.number().nullable().describe('How long the diagnosis took; null: found on the way, by the generation itself'),
  timestamp: Timestamp,
})

export const postDiagnose = {
  method: 'POST',
  path: '/api/v1/diagnose',
  summary: 'How the system stands, one component of it, or a generation',
  description: [
    '`target_system` is `system` (or left out), the name of a component as /health shows it, or the id of a generation; in the query or in the body, and in both only if they agree.',
    '`diagnostic_depth`: `basic` tells what is known already; `standard` looks at every component now and counts the generations of the last hour; `comprehensive` asks PostgreSQL about itself too, and counts the checks of the last day.',
  ].join(' '),
  access: MAY.diagnose,
  limit: 'diagnosis',
  query: z.strictObject({ target_system: Target.optional(), include_recommendations: Flag.optional(), diagnostic_depth: Depth.optional() }),
  body: z.strictObject({ target_system: Target.optional(), include_recommendations: z.boolean().optional(), diagnostic_depth: Depth.optional() }).optional(),
  reply: Diagnostic,
  failures: ['NOT_FOUND', 'CONFLICT', 'DATABASE_UNAVAILABLE'],
  example: { body: { target_system: 'system', include_recommendations: true, diagnostic_depth: 'standard' } },
} as const satisfies Endpoint

const Summary = Diagnostic.omit({ findings: true, measured: true, not_measured: true, executions: true, recommendations: true, auto_executable_recommendations: true }).extend({ diagnostic_id: z.string(), user_id: z.string() })

export const getDiagnostics = {
  method: 'GET',
  path: '/api/v1/diagnostics',
  summary: 'What was diagnosed, newest first, page by page',
  description: 'Every generation has one, and so has every diagnosis and every validated document. Authors see their own; operators see all.',
  access: MAY.readDiagnostics,
  query: z.strictObject({
    kind: Kind.optional(),
    status: Status.optional(),
    target_system: Target.optional(),
    correction: z.enum(['detected', 'corrected', 'unsettled']).optional().describe('Only those in whose candidates faults were found: `detected` all of them, `corrected` where some were set aside, `unsettled` where nobody could be blamed'),
    from: Timestamp.optional(),
    to: Timestamp.optional(),
    limit: z.coerce.number().int().min(1).max(200).default(50),
    cursor: z.string().max(400).optional().describe('`next_cursor` of the page before'),
  }),
  reply: z.strictObject({ diagnostics: z.array(Summary), next_cursor: z.string().nullable() }),
  failures: ['DATABASE_UNAVAILABLE'],
} as const satisfies Endpoint

export const getDiagnostic = {
  method: 'GET',
  path: '/api/v1/diagnostics/{id}',
  summary: 'One diagnostic, whole, with the checks that were made',
  description: 'That of a generation has the id that its reply shows as `syndrome_diagnosis_id`. Authors see their own; operators see all.',
  access: MAY.readDiagnostics,
  params: z.strictObject({ id: z.string().max(200) }),
  reply: Diagnostic,
  failures: ['NOT_FOUND', 'DATABASE_UNAVAILABLE'],
} as const satisfies Endpoint

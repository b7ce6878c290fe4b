import { z } from 'zod'
import { AnswerBody } from '#core/questions/answers.ts'
import { GenerateBody } from '#core/unit/request.ts'
import type { Endpoint } from '#http/contract.ts'
import { MAY } from '#http/roles.ts'

const Hash = z.string().regex(/^[0-9a-f]{16}$/)
const Digest = z.string().regex(/^[0-9a-f]{64}$/)
const Score = z.number().min(0).max(1).nullable()
const Timestamp = z.iso.datetime()
const VerdictName = z.enum(['certified', 'refused', 'undetermined'])

const NotDefinedYet = (why: string) => z.null().describe(`Null: ${why}`)

const Environment = z.strictObject({ principal: z.string(), action: z.string(), resource: z.string() })

/** A request on which an article fails, with its entities: what `acgs decide --request` takes. */
export const Counterexample = z.looseObject({
  principal: z.string(),
  action: z.string(),
  resource: z.string(),
  context: z.record(z.string(), z.unknown()),
  entities: z.array(z.unknown()).readonly(),
})

const Violation = z.strictObject({
  article: z.string(),
  principle: z.string(),
  text: z.string(),
  hard: z.boolean(),
  summary: z.string().describe('The counterexample in one line'),
  remedy: z.string().optional().describe('What would settle it'),
  counterexample: Counterexample,
})

const Norm = z.strictObject({
  id: z.string(),
  sentence: z.number().int(),
  source: z.string(),
  modality: z.enum(['permit', 'forbid', 'oblige']),
  meaning: z.string().describe('The norm in plain words, from its meaning and not from its source'),
  principals: z.array(z.string()),
  actions: z.array(z.string()),
  resources: z.array(z.string()),
  when: z.string().nullable().describe('Cedar condition that must hold'),
  unless: z.string().nullable().describe('Cedar condition that must not hold'),
  obligation: z.string().nullable(),
})

const Proof = z.strictObject({
  article: z.string(),
  principle: z.string(),
  hard: z.boolean(),
  answer: z.enum(['proved', 'refuted', 'unknown']),
  reason: z.string().optional().describe('Why it is unknown'),
  counterexample: Counterexample.optional(),
  environments: z.array(Environment.extend({ answer: z.enum(['proved', 'refuted', 'unknown']) })),
  engines: z.array(z.strictObject({ name: z.string(), version: z.string() })),
  limits: z.strictObject({ rlimit: z.number(), timeout_ms: z.number() }),
  input_digest: Digest,
  basis: z
    .strictObject({ folded: z.number().int(), certified: z.number().int(), solver: z.number().int(), steps: z.number().int(), certificates: Digest.nullable() })
    .describe('In how many environments it holds, by what shows it: folding alone, a certificate that was checked again, the solver’s word alone'),
})

export const Unread = z.strictObject({ sentence: z.number().int(), text: z.string(), because: z.string(), may_rule: z.boolean() })
export const Applicable = z
  .strictObject({ articles: z.number().int(), of: z.number().int(), missing: z.array(z.strictObject({ article: z.string(), concepts: z.array(z.string()).readonly() })).readonly() })
  .describe('How many articles of the constitution speak about this schema at all; whoever writes a schema could leave the annotations out')

const AskedRequest = z.strictObject({
  id: z.string(),
  words: z.string().describe('The question in words'),
  request: z.looseObject({ principal: z.string(), action: z.string(), resource: z.string(), context: z.record(z.string(), z.unknown()) }),
  entities: z.array(z.unknown()).readonly(),
  obligations: z.array(z.string()).readonly().describe('Not empty: an answer that allows says which of these must be done'),
})
const Said = z.strictObject({ decision: z.enum(['allow', 'deny']), obligations: z.array(z.string()).readonly().nullable() })
const Sentences = z.array(z.number().int()).readonly().describe('Those that can be understood in several ways')

/** What the text leaves open, and what came of asking. */
export const Questionnaire = z.discriminatedUnion('state', [
  z.strictObject({
    state: z.literal('open'), sentences: Sentences,
    meanings: z.number().int().describe('How many meanings are left'),
    at_most: z.number().int().describe('How many questions can still come, this one included: as many as the worst answer to this one leaves meanings'),
    question: AskedRequest,
    answers: z.array(Said.extend({ meanings: z.number().int(), sentences: z.array(z.strictObject({ sentence: z.number().int(), meanings: z.array(z.string()).readonly() })) })).describe('What each answer leaves'),
  }),
  z.strictObject({
    state: z.literal('settled'), sentences: Sentences,
    examples: z.array(z.string()).readonly().describe('Those that ruled other meanings out'),
    understandings: z.number().int().describe('Ways to understand the text that are left; all of them mean the same'),
    closing: z.array(z.strictObject({ input_digest: Digest, engines: Proof.shape.engines, limits: Proof.shape.limits, basis: Proof.shape.basis })).describe('The proofs that they do: none where only one is left'),
  }),
  z.strictObject({ state: z.literal('contradicted'), sentences: Sentences, examples: z.array(z.string()).readonly().describe('No way to understand the text decides these as wanted') }),
  z.strictObject({ state: z.literal('unknown'), sentences: Sentences, because: z.string(), remedy: z.string() }),
])

const Shared = {
  revises: z.string().nullable().describe('The generation whose questions were answered'),
  questionnaire: Questionnaire.nullable().describe('Null where the text leaves nothing open'),
  open_examples: z.array(z.strictObject({ norm: z.string(), question: AskedRequest, decided: Said })).describe('For norms that no example of the author shows: a request that only this norm decides, and how. An answer confirms it or not'),
  redundant_norms: z.array(z.string()).describe('Norms without which every request is decided alike'),
  generation_id: z.string(),
  applicable: Applicable,
  independent_witnesses: z.number().int().describe('Methods that really read every sentence; with one, nothing was cross-checked'),
  norms: z.array(Norm),
  unread: z.array(Unread),
  cedar: z.string(),
  schema: z.string(),
  syndrome: z.array(z.strictObject({ stabilizer: z.string(), candidates: z.array(z.string()), value: z.union([z.literal(1), z.literal(0), z.literal(-1)]), because: z.string().optional(), evidence: z.unknown().optional() })),
  vote: z
    .strictObject({
      voters: z.array(z.strictObject({ method: z.string(), weight: z.number().describe('1 alone, less where others are wrong together with it') })),
      effective_witnesses: z.number(),
      from: z.enum(['sentences', 'candidate', 'rules', 'composed']),
      proof: z.strictObject({ answer: z.literal('proved'), input_digest: Digest }),
    })
    .nullable()
    .describe('Who voted where readers disagreed; the policy is proved to decide as most of them at every request. Null: nobody had to'),
  diagnosis: z.looseObject({ kind: z.enum(['clean', 'explained', 'ambiguous', 'outvoted', 'incomplete', 'unexplained']) }).describe('What the decoder found; `explained` names each fault with the sentences where its candidate has no say any more (null: nowhere), `ambiguous` that nobody can be blamed: two explanations are equally light, or fewer than two witnesses stand against anybody. Methods that were never compared are one witness (`acgs weights show`)'),
  proofs: z.array(Proof),
  constitutional_hash: Hash,
  constitutional_digest: Digest.describe('SHA-256 of the document that is enforced'),
  ledger: z.strictObject({ index: z.number().int(), root: Digest }).nullable(),
}

export const GenerateReply = z.strictObject({
  generation_id: Shared.generation_id,
  status: z.literal('completed'),
  applicable: Shared.applicable,
  policy_content: z.string().describe('The document, Markdown'),
  policy: z.strictObject({
    title: z.string(),
    content: z.string(),
    sections: z.array(z.strictObject({ title: z.string(), content: z.string(), constitutional_basis: z.array(z.string()) })),
  }),
  constitutional_compliance_score: Score.describe('Weighted share of the applicable articles that are proved; null when no hard article applies'),
  confidence_score: z.number().min(0).max(1).nullable().describe('Posterior of the returned meaning by the decoder’s weights; null where they say nothing, see `confidence`'),
  confidence: z.strictObject({ calibrated_on: z.string().nullable(), reason: z.string().nullable().describe('Why there is no number') }),
  semantic_hash: Hash.describe('Of the normalised policy: equal hashes mean equal meaning over the same schema; the converse is for `acgs prove equivalent`'),
  generation_time_ms: z.number(),
  processing_time_ms: z.number(),
  consensus_data: z.strictObject({
    consensus_achieved: z.boolean().describe('At least two readers read every sentence, and are proved to mean the same'),
    representations_count: z.number().int(),
    corrections_applied: z.number().int().describe('Candidates that were set aside as faulty'),
    semantic_diversity: NotDefinedYet('no defined meaning yet'),
  }),
  recommendations: z.array(z.string()),
  metadata: z.strictObject({
    qec_sft_enabled: z.boolean().describe('Whether candidates were measured, decoded and corrected: true'),
    lsu_id: z.string(),
    stabilizers_executed: z.number().int().describe('Checks of the table that held or fired; those that were not run do not count'),
    system_health_score: NotDefinedYet('a policy does not depend on it: POST /api/v1/diagnose measures the system'),
    errors_corrected: z.number().int().describe('Candidates that were set aside as faulty; what was left was measured again'),
    syndrome_diagnosis_id: z.string().nullable().describe('Its diagnostic, with every check that was made: GET /api/v1/diagnostics/{id}'),
  }),
  generation_metadata: z.strictObject({
    models_used: z.array(z.string()).describe('Language models that proposed a candidate; empty when none is configured'),
    consensus_method: z.string(),
    fault_tolerance_applied: z.boolean().describe('Whether a fault was corrected on the way to this policy'),
    error_corrections: z.number().int().describe('As errors_corrected'),
  }),
  independent_witnesses: Shared.independent_witnesses,
  revises: Shared.revises,
  questionnaire: Shared.questionnaire,
  open_examples: Shared.open_examples,
  redundant_norms: Shared.redundant_norms,
  norms: Shared.norms,
  unread: Shared.unread,
  cedar: Shared.cedar,
  schema: Shared.schema,
  syndrome: Shared.syndrome,
  diagnosis: Shared.diagnosis,
  vote: Shared.vote,
  proofs: Shared.proofs,
  certificate: z.strictObject({
    id: z.string(),
    envelope: z.strictObject({ payloadType: z.string(), payload: z.string(), signatures: z.array(z.strictObject({ keyid: z.string(), sig: z.string() })) }),
  }).describe('What `acgs verify` takes: save this member to a file'),
  ledger: Shared.ledger,
  constitutional_hash: Shared.constitutional_hash,
  constitutional_digest: Shared.constitutional_digest,
  timestamp: Timestamp,
})
export type GenerateReply = z.infer<typeof GenerateReply>

/** The request is written down, and will be finished. */
export const AcceptedReply = z.strictObject({
  generation_id: z.string(),
  status: z.literal('accepted'),
  accepted_at: Timestamp,
  location: z.string().describe('Where it is read, while it is worked on and when it has ended; with `/events` behind it, step by step'),
})

export const postGeneratePolicy = {
  method: 'POST',
  path: '/api/v1/generate-policy',
  summary: 'From a governance request to a certified policy',
  description: [
    'Answers 422 when the policy cannot be certified: the violated articles, each with a request that breaks it, or what is undetermined and what would settle it.',
    'With `Prefer: respond-async` it answers 202 as soon as the request is written down.',
    'With an `Idempotency-Key` it may be sent again: the same request is answered as the first time, 409 (`in_flight`) while that is under way, another request under the same key 422 (`IDEMPOTENCY_KEY_REUSED`).',
    'Beyond what may be under way and wait at once it answers 503 (`OVERLOADED`) with `Retry-After`: nothing was accepted then.',
    'What was accepted is finished, also when the client goes away or the process dies.',
  ].join(' '),
  access: MAY.generate,
  limit: 'generation',
  body: GenerateBody,
  reply: z.discriminatedUnion('status', [GenerateReply, AcceptedReply]),
  alsoStatus: { 202: 'The request is written down and will be finished; `Location` says where it is read' },
  failures: ['CONFLICT', 'IDEMPOTENCY_KEY_REUSED', 'OVERLOADED', 'LEDGER_CORRUPT', 'PRINCIPLE_UNKNOWN', 'DOMAIN_UNKNOWN', 'SCHEMA_INVALID', 'EXAMPLES_CONTRADICT', 'POLICY_REFUSED', 'POLICY_UNDETERMINED', 'DATABASE_UNAVAILABLE', 'SOLVER_FAILED', 'PEER_UNAVAILABLE', 'CONSTITUTION_MISMATCH'],
  example: {
    body: {
      title: 'Charts of the clinic',
      description: 'Nurses may view charts of patients of their own ward. Every view of a chart must be logged.',
      constitutional_principles: ['privacy'],
      context: { domain: 'data-protection' },
    },
  },
} as const satisfies Endpoint

export const postAnswers = {
  method: 'POST',
  path: '/api/v1/generations/{id}/answers',
  summary: 'Answers to the questions of a generation: the next generation, with them as examples',
  description: [
    'Answered as `POST /api/v1/generate-policy` is, `Idempotency-Key` and `Prefer` included: a new generation that `revises` this one, certified, or with the next question.',
    'Only its author may answer. Answers are examples from then on: permanent tests of the policy. To take one back, answer the generation that asked it again.',
    '404 for a question that this generation does not ask; 409 (`answered`) for one that it has an answer to; 422 (`EXAMPLES_CONTRADICT`) for answers that contradict each other or an example.',
  ].join(' '),
  access: MAY.generate,
  limit: 'generation',
  params: z.strictObject({ id: z.string().max(200) }),
  body: z.strictObject({ answers: z.array(AnswerBody).min(1).max(50) }),
  reply: postGeneratePolicy.reply,
  alsoStatus: postGeneratePolicy.alsoStatus,
  failures: ['NOT_FOUND', ...postGeneratePolicy.failures],
  example: { body: { answers: [{ question: 'q_696cd55815a00de6', decision: 'deny' }] } },
} as const satisfies Endpoint

export const GenerationSummary = z.strictObject({
  generation_id: z.string(),
  title: z.string(),
  verdict: VerdictName,
  priority: z.string(),
  constitutional_compliance_score: Score,
  semantic_hash: Hash,
  violated_articles: z.array(z.string()),
  certificate_id: z.string().nullable(),
  user_id: z.string(),
  created_at: Timestamp,
})

export const getGenerations = {
  method: 'GET',
  path: '/api/v1/generations',
  summary: 'Generations, newest first, page by page',
  description: 'Authors see their own; operators see all.',
  access: MAY.readGenerations,
  query: z.strictObject({
    verdict: VerdictName.optional(),
    article: z.string().max(200).optional().describe('Only those that violate this article'),
    principle: z.string().max(200).optional().describe('Only those that name this principle'),
    priority: z.enum(['low', 'medium', 'high', 'critical']).optional(),
    from: Timestamp.optional(),
    to: Timestamp.optional(),
    limit: z.coerce.number().int().min(1).max(200).default(50),
    cursor: z.string().max(200).optional().describe('`next_cursor` of the page before'),
  }),
  reply: z.strictObject({ generations: z.array(GenerationSummary), next_cursor: z.string().nullable() }),
  failures: ['DATABASE_UNAVAILABLE'],
} as const satisfies Endpoint

const Step = z.strictObject({
  attempt: z.number().int().describe('1, and one more each time somebody began again'),
  step: z.enum(['propose', 'measure', 'prove', 'certify', 'append']),
  at: Timestamp.describe('When the step began'),
})

const Standing = {
  generation_id: z.string(),
  accepted_at: Timestamp,
  attempt: z.number().int().describe('0: nobody has begun'),
  step: Step.shape.step.nullable().describe('Of the flow, the step that it has reached'),
  since: Timestamp.describe('Since when'),
  steps: z.array(Step),
}

export const getGeneration = {
  method: 'GET',
  path: '/api/v1/generations/{id}',
  summary: 'One generation, whole, with its evidence; or how far its request has come',
  description: 'Authors see their own; operators see all.',
  access: MAY.readGenerations,
  params: z.strictObject({ id: z.string().max(200) }),
  reply: z.discriminatedUnion('state', [
    z.looseObject({
      state: z.literal('finished'), ...GenerationSummary.shape, request: z.unknown(), generation: z.unknown(), ledger: Shared.ledger, revises: Shared.revises,
      questions: z.array(AskedRequest.extend({ norm: z.string().nullable().describe('The norm that an answer would confirm; null: what would settle the meaning of the text'), at_most: z.int().nullable().describe('How many questions about the meaning can still come, this one included; null of one that would confirm a norm') })),
    }),
    z.strictObject({ state: z.literal('accepted'), ...Standing }),
    z.strictObject({ state: z.literal('failed'), ...Standing, problem: z.looseObject({ code: z.string(), detail: z.string() }) }),
  ]),
  failures: ['NOT_FOUND', 'DATABASE_UNAVAILABLE'],
} as const satisfies Endpoint

export const getGenerationEvents = {
  method: 'GET',
  path: '/api/v1/generations/{id}/events',
  summary: 'The steps of one generation as they come, until its end',
  description: [
    'Server-sent events: `accepted`, `step` for each step of the flow, and at the end `finished` or `failed`; a comment every 15 seconds meanwhile.',
    'Whoever comes back with `Last-Event-ID` is sent what came after that, and 204 when that was the end.',
    'A server that is about to stop ends the stream: come back, to the same address.',
  ].join(' '),
  access: MAY.readGenerations,
  params: getGeneration.params,
  reply: z.string(),
  produces: 'text/event-stream',
  alsoStatus: { 204: 'Everything was sent before' },
  failures: ['NOT_FOUND', 'DATABASE_UNAVAILABLE', 'OVERLOADED'],
} as const satisfies Endpoint

export const getStatus = {
  method: 'GET',
  path: '/api/v1/status',
  summary: 'How the service is doing, in measured figures',
  access: 'public',
  reply: z.strictObject({
    overall_status: z.enum(['operational', 'degraded']),
    generation_engine: z.strictObject({
      status: z.enum(['operational', 'degraded']),
      generations: z.strictObject({ certified: z.number().int(), refused: z.number().int(), undetermined: z.number().int() }).describe('Since this process started'),
      readers: z.array(z.string()),
      packs: z.array(z.string()),
    }),
    stabilizer_environment: z.strictObject({ status: z.enum(['operational', 'degraded']), table_version: z.string(), stabilizers: z.number().int(), solver: z.string() }),
    diagnostic_engine: z.strictObject({ status: z.enum(['operational', 'degraded']), self_test: z.unknown() }),
    decisions: z.strictObject({
      active_revisions: z.array(z.strictObject({ application: z.string(), revision: z.int(), verdict: z.enum(['proved', 'refuted', 'undetermined']), proved_at: Timestamp })).describe('What decides, and how it stood at its last proof'),
      revoked_certificates: z.array(z.strictObject({ application: z.string(), revision: z.int(), certificate: z.string() })).describe('Of active revisions: their permits do not decide any more'),
      expiring_certificates: z.array(z.strictObject({ application: z.string(), certificate: z.string(), expires_at: z.string() })).describe('Of active revisions, within 14 days'),
    }).nullable().describe('Null while the database does not answer'),
    constitution: z.strictObject({ title: z.string(), version: z.string(), articles: z.number().int() }),
    ledger: z.strictObject({
      entries: z.number().int(),
      root: z.string(),
      status: z.enum(['operational', 'degraded']),
      because: z.string().nullable().describe('Why it is degraded: nothing is recorded in a ledger that contradicts what was signed'),
      checkpoint: z.number().int().nullable().describe('How many entries the newest signed checkpoint is for'),
    }).nullable(),
    constitutional_hash: Hash,
    constitutional_digest: Digest,
    timestamp: Timestamp,
  }),
  failures: [],
} as const satisfies Endpoint

export const getMetricsSummary = {
  method: 'GET',
  path: '/api/v1/metrics/summary',
  summary: 'What /metrics holds, counted',
  access: 'public',
  reply: z.strictObject({
    constitutional_hash: Hash,
    constitutional_digest: Digest,
    system_uptime_seconds: z.number(),
    metrics_collected: z.number().int().describe('Series in /metrics'),
    registry_collectors: z.number().int().describe('Families in /metrics'),
    timestamp: Timestamp,
  }),
  failures: [],
} as const satisfies Endpoint

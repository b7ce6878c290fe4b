import { z } from 'zod'
import type { Question } from '#core/decision/question.ts'
import { parseInput } from '#core/parse.ts'
import { SEMANTICS } from '#core/decision/batch.ts'
import type { Endpoint } from '#http/contract.ts'
import { MAY } from '#http/roles.ts'

export const EVALUATIONS_MAX = 1_000

const Properties = z.record(z.string(), z.unknown())
const Named = z.object({ type: z.string().min(1).max(1_000), id: z.string().max(10_000), properties: Properties.optional().describe('Attributes of the entity for this question only; they go before what is stored') })

/** What is not known here is passed over, as AuthZEN demands. */
export const QuestionBody = z.object({
  subject: Named.describe('A Cedar entity: who asks'),
  action: z.object({ name: z.string().min(1).max(10_000).describe('The id of a Cedar action, or its uid'), properties: Properties.optional().describe('Attributes of the context, as Cedar’s actions have none') }),
  resource: Named.describe('A Cedar entity: on what'),
  context: Properties.optional().describe('Cedar’s context; a Long may also be a string of digits'),
})

/**
 * A question out of a body. What plainly is one is taken as it stands, unknown members and all: nobody reads those.
 *
 * @throws {Failure} REQUEST_MALFORMED with every place.
 */
export function readQuestionBody(body: unknown, place: string): Question {
  return isPlainQuestion(body) ? body : parseInput(QuestionBody, body, place)
}

/** No doubt that {@link QuestionBody} takes it as it stands, which says the same in several times the time (and drops a member `__proto__`). */
function isPlainQuestion(body: unknown): body is Question {
  if (!isRecord(body)) return false
  const { action, context } = body
  return isPlainlyNamed(body['subject']) && isPlainlyNamed(body['resource']) && isRecord(action) && isText(action['name'], 1, 10_000)
    && isAbsentOrRecord(action['properties']) && isAbsentOrRecord(context)
}

function isPlainlyNamed(named: unknown): boolean {
  return isRecord(named) && isText(named['type'], 1, 1_000) && isText(named['id'], 0, 10_000) && isAbsentOrRecord(named['properties'])
}

function isAbsentOrRecord(value: unknown): boolean {
  return value === undefined || isRecord(value)
}

function isText(value: unknown, min: number, max: number): boolean {
  return typeof value === 'string' && value.length >= min && value.length <= max
}

function isRecord(value: unknown): value is { readonly [name: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !Object.hasOwn(value, '__proto__')
}

/** The same with everything optional: a default gives what the questions leave out. */
const Default = z.looseObject({ type: z.string().optional(), id: z.string().optional(), name: z.string().optional(), properties: Properties.optional() })

const EvaluationsBody = z.object({
  subject: Default.optional(), action: Default.optional(), resource: Default.optional(), context: Properties.optional(),
  evaluations: z.array(z.unknown()).max(EVALUATIONS_MAX, `holds more than ${EVALUATIONS_MAX} questions: divide them`).optional().describe('Questions; what one leaves out is taken from above. Without any, the whole is one question'),
  options: z.object({ evaluations_semantic: z.enum(SEMANTICS).optional() }).optional(),
})

const Problems = z.array(z.object({ place: z.string(), message: z.string() }))
const Reply = z.strictObject({
  decision: z.boolean(),
  context: z.strictObject({
    revision: z.number().int().nullable().describe('The revision that decided; null when nothing is active'),
    verdict: z.enum(['permitted', 'forbidden', 'not_permitted', 'error']).describe('The yes and the three kinds of no'),
    determining: z.array(z.strictObject({ rule: z.string(), sentence: z.string().nullable() })).readonly(),
    reason_admin: z.strictObject({ en: z.string() }),
    reason_user: z.strictObject({ en: z.string() }),
    obligations: z.array(z.string()).readonly().describe('What whoever lets it through must do'),
    missing: z.array(z.string()).readonly().describe('Entities and attributes that a rule reads and nobody supplied'),
    ignored: z.array(z.string()).readonly().describe('Places in the question that the schema does not know: no rule can read them'),
    error: z.strictObject({ status: z.literal(400), message: z.string(), problems: Problems.readonly() }).optional().describe('Within a batch: why this question could not be read'),
  }),
})

const HEADERS = 'The application is that of `X-ACGS-Application`, else the only one there is. `X-ACGS-Min-Revision: n` is refused with 409 while an older revision than n decides.'

export const postEvaluation = {
  method: 'POST',
  path: '/access/v1/evaluation',
  summary: 'May this subject do this to this resource? (OpenID AuthZEN 1.0)',
  description: `A deny is 200. ${HEADERS}`,
  access: MAY.decide,
  body: QuestionBody,
  reply: Reply,
  failures: ['CONFLICT'],
  refusesMediaWith: 400,
  exactIntegers: true,
  example: { body: { subject: { type: 'Agent', id: 'alpha' }, action: { name: 'sendPayment' }, resource: { type: 'Account', id: 'supplier', properties: { verified: true } }, context: { amount: 40, humanApproved: false } } },
} as const satisfies Endpoint

export const postEvaluations = {
  method: 'POST',
  path: '/access/v1/evaluations',
  summary: 'Several questions at once (OpenID AuthZEN 1.0)',
  description: `In the order of the questions. One that cannot be read is denied, with \`context.error\`. ${HEADERS}`,
  access: MAY.decide,
  body: EvaluationsBody,
  reply: z.union([z.strictObject({ evaluations: z.array(Reply).readonly() }), Reply]),
  failures: ['CONFLICT'],
  refusesMediaWith: 400,
  exactIntegers: true,
} as const satisfies Endpoint

export const getAuthzenConfiguration = {
  method: 'GET',
  path: '/.well-known/authzen-configuration',
  summary: 'Where decisions are asked for (OpenID AuthZEN 1.0)',
  access: 'public',
  reply: z.strictObject({ policy_decision_point: z.url(), access_evaluation_endpoint: z.url(), access_evaluations_endpoint: z.url() }),
  failures: [],
} as const satisfies Endpoint

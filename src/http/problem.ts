import { Failure } from '#core/failure.ts'
import type { FailureCode } from '#core/failure.ts'

export const PROBLEM_TYPE = 'application/problem+json'

/** The codes of problem documents: every failure, and INTERNAL for what was our mistake. */
export type ProblemCode = FailureCode | 'INTERNAL'

/** How each failure looks over HTTP. What can only happen at start-up or on the command line is a 500 here. */
export const PROBLEMS: Readonly<Record<ProblemCode, { readonly status: number; readonly title: string }>> = {
  REQUEST_MALFORMED: { status: 400, title: 'The request does not have the promised shape' },
  REQUEST_TOO_LARGE: { status: 413, title: 'The request is too large' },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, title: 'The body is not application/json' },
  NOT_FOUND: { status: 404, title: 'There is nothing here' },
  METHOD_NOT_ALLOWED: { status: 405, title: 'This path does not know that method' },
  UNAUTHENTICATED: { status: 401, title: 'A valid token is needed' },
  FORBIDDEN: { status: 403, title: 'The roles of this token do not suffice' },
  AUTH_UNAVAILABLE: { status: 503, title: 'Nobody can judge the token at present' },
  CONSTITUTION_MISMATCH: { status: 400, title: 'Another constitution is in force' },
  CONSTITUTION_INVALID: { status: 400, title: 'The constitution is not valid' },
  PRINCIPLE_UNKNOWN: { status: 400, title: 'The constitution has no such principle' },
  DOMAIN_UNKNOWN: { status: 400, title: 'There is no such domain' },
  SCHEMA_INVALID: { status: 400, title: 'The schema is not valid' },
  EXAMPLES_CONTRADICT: { status: 422, title: 'Two examples contradict each other' },
  POLICY_INVALID: { status: 400, title: 'The policy is not valid' },
  ENTITIES_INVALID: { status: 400, title: 'The entities are not valid' },
  UNSUPPORTED_CONSTRUCT: { status: 422, title: 'A construct is not supported' },
  CONFLICT: { status: 409, title: 'What is there now does not allow it' },
  IDEMPOTENCY_KEY_REUSED: { status: 422, title: 'The key was used for another request' },
  OVERLOADED: { status: 503, title: 'As much is under way as may be' },
  CERTIFICATE_UNUSABLE: { status: 422, title: 'A certificate cannot be used here' },
  APPROVAL_INVALID: { status: 403, title: 'The approval does not count' },
  BUNDLE_REFUSED: { status: 422, title: 'The bundle is refused' },
  POLICY_REFUSED: { status: 422, title: 'The policy would break the constitution' },
  POLICY_UNDETERMINED: { status: 422, title: 'The policy cannot be certified as it stands' },
  CONFIG_INVALID: { status: 500, title: 'The configuration is not valid' },
  PORT_IN_USE: { status: 500, title: 'A port is in use' },
  ALREADY_RUNNING: { status: 500, title: 'It is running already' },
  DATABASE_UNAVAILABLE: { status: 503, title: 'The database is not available' },
  SOLVER_FAILED: { status: 503, title: 'The solver failed' },
  PEER_UNAVAILABLE: { status: 503, title: 'Another service is not available' },
  CACHE_UNAVAILABLE: { status: 503, title: 'The cache is not available' },
  RATE_LIMITED: { status: 429, title: 'That was asked too often' },
  SHUTTING_DOWN: { status: 503, title: 'The service is shutting down' },
  KEY_INVALID: { status: 500, title: 'A key is not valid' },
  FILE_UNREADABLE: { status: 500, title: 'A file cannot be read' },
  LEDGER_CORRUPT: { status: 500, title: 'The ledger is not intact' },
  INTERNAL: { status: 500, title: 'Something went wrong on our side' },
}

/** What travels: RFC 9457 members, ours (`code`, `trace_id`, `problems`), and whatever the failure adds. */
export type ProblemDocument = {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: ProblemCode
  readonly trace_id: string
  readonly [extra: string]: unknown
}

/** How a failure looks to the caller, as a status, headers and a body. What is not a Failure says nothing of itself. */
export function toProblem(error: unknown, traceId: string): { status: number; headers: Record<string, string>; body: ProblemDocument } {
  const code = error instanceof Failure ? error.code : 'INTERNAL'
  const { status, title } = PROBLEMS[code]
  const isOurs = code === 'INTERNAL' || (status === 500 && code !== 'LEDGER_CORRUPT')
  const detail = error instanceof Failure && !isOurs ? error.message : 'quote the trace id when you report this'
  const extra = error instanceof Failure && !isOurs ? error.details : {}
  const problems = error instanceof Failure && !isOurs && error.problems.length > 0 ? { problems: error.problems } : {}
  return {
    status,
    headers: headersOf(code, extra, detail),
    body: { ...extra, ...problems, type: `/docs#${code}`, title, status, detail, code, trace_id: traceId },
  }
}

function headersOf(code: ProblemCode, details: Readonly<Record<string, unknown>>, detail: string): Record<string, string> {
  if (code === 'UNAUTHENTICATED') {
    const said = details['reason'] === 'missing' ? '' : `, error="invalid_token", error_description="${quotable(detail)}"`
    return { 'www-authenticate': `Bearer realm="acgs"${said}` }
  }
  if (code === 'FORBIDDEN') return { 'www-authenticate': `Bearer realm="acgs", error="insufficient_scope", error_description="${quotable(detail)}"` }
  if (code === 'METHOD_NOT_ALLOWED' && typeof details['allow'] === 'string') return { allow: details['allow'] }
  const { status } = PROBLEMS[code]
  if ((status === 429 || status === 503) && typeof details['retry_after_seconds'] === 'number') return { 'retry-after': String(details['retry_after_seconds']) }
  if (status === 503) return { 'retry-after': '5' }
  return {}
}

/** What RFC 6750 allows between the quotes of a challenge. */
function quotable(text: string): string {
  return text.replace(/["\\]/g, "'").replace(/[^\x20-\x7e]/g, '?')
}

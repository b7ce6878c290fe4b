/**
 * The one error that says *the operation could not be carried out*.
 *
 * A true answer that is not the happy one (refuted, denied, unknown) is a value, never a Failure; a mistake of ours is an
 * assertion. The list is closed: `http/problem.ts` gives every code a status, so a new code without one does not compile.
 */
export type FailureCode =
  | 'REQUEST_MALFORMED' // the input does not have the promised shape; the message names every place
  | 'REQUEST_TOO_LARGE'
  | 'UNSUPPORTED_MEDIA_TYPE'
  | 'NOT_FOUND'
  | 'METHOD_NOT_ALLOWED'
  | 'UNAUTHENTICATED' // no token, or one that is not valid
  | 'FORBIDDEN' // a valid token whose roles do not suffice
  | 'AUTH_UNAVAILABLE' // a token that nobody can judge at present
  | 'CONSTITUTION_MISMATCH' // the caller's constitutional hash is not the one in force
  | 'CONSTITUTION_INVALID'
  | 'PRINCIPLE_UNKNOWN'
  | 'DOMAIN_UNKNOWN'
  | 'SCHEMA_INVALID'
  | 'EXAMPLES_CONTRADICT' // two examples want different things of the same request
  | 'POLICY_INVALID' // Cedar text that does not parse, or does not pass strict validation
  | 'ENTITIES_INVALID'
  | 'UNSUPPORTED_CONSTRUCT' // a Cedar construct the prover does not encode; named, never approximated
  | 'CONFLICT' // what is there now does not allow it; `reason` says what
  | 'IDEMPOTENCY_KEY_REUSED' // a key that was sent before, with another request
  | 'OVERLOADED' // as much is under way as may be: later, or elsewhere
  | 'CERTIFICATE_UNUSABLE' // a certificate that cannot become part of a revision: unknown, revoked, expired, of another application
  | 'APPROVAL_INVALID' // an approval that does not count: another digest, not a member of the council, the author's own
  | 'BUNDLE_REFUSED' // what the decision point will not load, and why
  | 'POLICY_REFUSED' // refuted: the policy would break the constitution
  | 'POLICY_UNDETERMINED' // nothing was refuted, but something that must be known is not
  | 'CONFIG_INVALID'
  | 'PORT_IN_USE'
  | 'ALREADY_RUNNING'
  | 'DATABASE_UNAVAILABLE'
  | 'SOLVER_FAILED'
  | 'PEER_UNAVAILABLE'
  | 'CACHE_UNAVAILABLE' // Redis; whoever asks it can do without, so that no caller of ours sees this
  | 'RATE_LIMITED' // asked too often; `limit` says which limit
  | 'SHUTTING_DOWN'
  | 'KEY_INVALID'
  | 'FILE_UNREADABLE'
  | 'LEDGER_CORRUPT'

/** One thing that is wrong with an input: where it is, and what to do about it. */
export type Problem = { readonly place: string; readonly message: string }

export class Failure extends Error {
  readonly code: FailureCode
  /** Every problem found, when the input has several; sorted by place. */
  readonly problems: readonly Problem[]
  /** What a program may want to read besides the message, e.g. `{ known: [...] }`; becomes extra members of the reply. */
  readonly details: Readonly<Record<string, unknown>>

  /** @param message Lower case, no full stop, user text in backticks, and what to do next when we know. */
  constructor(
    code: FailureCode,
    message: string,
    options: { cause?: unknown; problems?: readonly Problem[]; details?: Readonly<Record<string, unknown>> } = {},
  ) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.name = 'Failure'
    this.code = code
    this.problems = options.problems ?? []
    this.details = options.details ?? {}
  }
}

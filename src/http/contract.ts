import type { z } from 'zod'
import type { FailureCode } from '#core/failure.ts'

export const ROLES = ['author', 'council', 'operator', 'service'] as const
export type Role = (typeof ROLES)[number]

/** Who asks: a subject that Auth vouches for, with every role it holds. */
export type Caller = { readonly subject: string; readonly clientId: string; readonly roles: readonly Role[] }

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'

/** What one operation promises; server, command line, console and OpenAPI all read it. Imports nothing that a browser lacks. */
export type Endpoint = {
  readonly method: Method
  /** Parameters in braces: `/api/v1/generations/{id}`. */
  readonly path: `/${string}`
  readonly summary: string
  readonly description?: string
  /** `public`: no token is asked for or looked at. Otherwise any one of these roles suffices. */
  readonly access: 'public' | readonly Role[]
  /**
   * For whom the token must be meant: users, without this. `peers`: what our own processes ask of each other, so that the role `service`
   * counts only in a token meant for them; people's roles count as ever.
   */
  readonly audience?: 'peers' | 'either'
  readonly params?: z.ZodObject
  readonly query?: z.ZodObject
  readonly body?: z.ZodType
  readonly reply: z.ZodType
  /** 200 unless said otherwise. */
  readonly status?: number
  /** Replies of the same shape under another status, with what they mean. */
  readonly alsoStatus?: Readonly<Record<number, string>>
  /** What it may answer besides; the server adds what every endpoint can answer. */
  readonly failures: readonly FailureCode[]
  /** Under which limit its callers are counted, besides where they come from; `none`: not even that. */
  readonly limit?: 'generation' | 'diagnosis' | 'none'
  /** The media type of the body where it is not JSON. */
  readonly consumes?: string
  /** Where a standard wants another status than 415 for a body that is not JSON. */
  readonly refusesMediaWith?: 400
  /** Integers beyond 2⁵³ are read as bigint instead of being refused. */
  readonly exactIntegers?: true
  /** Members of the body that may be very long arrays: each becomes a `JsonList`, of which one element at a time is an object. */
  readonly lists?: readonly string[]
  /** How deep a body may be nested, where 64 levels do not suffice. */
  readonly levelsMax?: number
  /** The media type of a reply that is text, not JSON. */
  readonly produces?: string
  /** Shown in the documentation; a test parses them with the schemas. */
  readonly example?: { readonly body?: unknown; readonly reply?: unknown }
}

type Out<E, Part extends keyof Endpoint> = E extends { readonly [P in Part]: infer S extends z.ZodType } ? z.output<S> : undefined

export type Input<E extends Endpoint> = {
  readonly params: Out<E, 'params'>
  readonly query: Out<E, 'query'>
  readonly body: Out<E, 'body'>
  /** Null on a public endpoint. */
  readonly caller: E['access'] extends 'public' ? null : Caller
  readonly requestId: string
  readonly traceId: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** Aborted when the caller went away, or when shutting down took too long. */
  readonly signal: AbortSignal
}

/** A reply with a status or headers of its own. */
export class Answer<T> {
  readonly value: T
  readonly status: number | undefined
  readonly headers: Readonly<Record<string, string>>
  /** What is sent piece by piece instead of the value. */
  readonly pieces: AsyncIterable<string> | undefined
  constructor(value: T, options: { status?: number; headers?: Readonly<Record<string, string>>; pieces?: AsyncIterable<string> } = {}) {
    this.value = value
    this.pieces = options.pieces
    this.status = options.status
    this.headers = options.headers ?? {}
  }

  /** Text that comes piece by piece, for as long as it comes; when the caller goes away, the iterator is ended. */
  static stream(pieces: AsyncIterable<string>, headers: Readonly<Record<string, string>>): Answer<never> {
    return new Answer(null as never, { headers, pieces })
  }

  /** The caller has it already: 304, without a body. */
  static notModified(headers: Readonly<Record<string, string>>): Answer<never> {
    return new Answer(null as never, { status: 304, headers })
  }
}

type Reply<E extends Endpoint> = z.input<E['reply']>
export type Handler<E extends Endpoint> = (input: Input<E>) => Promise<Reply<E> | Answer<Reply<E>>> | Reply<E> | Answer<Reply<E>>

/** An endpoint and what it does. */
export type Route = {
  readonly endpoint: Endpoint
  readonly handler: (input: Input<Endpoint>) => unknown
  /** How large its body may be, where it is not as for every other. */
  readonly bodyBytesMax?: number
}

/**
 * An endpoint that is asked very often: a POST without parameters, read and answered beside the framework, by the same rules as every other. It
 * writes its own reply.
 */
export type DirectRoute = {
  readonly endpoint: Endpoint & { readonly method: 'POST' }
  /** @returns The reply as JSON text. */
  readonly answer: (body: DirectBody, headers: Input<Endpoint>['headers']) => string | Promise<string>
}

export type DirectBody = {
  /** As they came; null: there is no body. */
  readonly bytes: Buffer | null
  /** What they say. @throws {Failure} REQUEST_MALFORMED with every problem, also for a part of them. */
  readonly read: (part?: { readonly from: number; readonly to: number }) => unknown
}

/**
 * Ties an operation to its promise: input that does not have the promised shape never reaches the handler, and a reply that does not is a
 * bug of ours and answered with 500.
 */
export function route<const E extends Endpoint>(endpoint: E, handler: Handler<E>, options: Pick<Route, 'bodyBytesMax'> = {}): Route {
  return { ...options, endpoint, handler: handler as unknown as Route['handler'] }
}

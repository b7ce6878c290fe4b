import type { IncomingMessage, ServerResponse } from 'node:http'
import { Failure } from '#core/failure.ts'
import { inTrace } from '#telemetry/log.ts'
import type { Trace } from '#telemetry/log.ts'
import { authorize } from './authenticate.ts'
import type { Authenticate } from './authenticate.ts'
import type { DirectRoute, Endpoint } from './contract.ts'
import { PROBLEM_TYPE } from './problem.ts'

/** A direct route, and what it shares with every other of its server. */
export type Direct = {
  readonly route: DirectRoute
  /** Of every reply to such a request: names and values in turn. */
  readonly headersFor: (request: IncomingMessage) => readonly string[]
  readonly bodyBytesMax: number
  readonly authenticate: Authenticate
  /** @throws {Failure} for what is refused before anybody looks at token or body. */
  readonly refuseEarly: (request: IncomingMessage) => void
  readonly readBody: (bytes: Buffer | null, endpoint: Endpoint) => unknown
  readonly problemFor: (failure: unknown, traceId: string) => { readonly status: number; readonly headers: Readonly<Record<string, string>>; readonly text: string }
  readonly isDraining: () => boolean
  readonly began: () => void
  readonly ended: () => void
  readonly answered: (status: number, seconds: number) => void
}

const JSON_TYPE = /^application\/json(?:\s*;|$)/i

/**
 * Reads, judges and answers one request on the bare HTTP server: in the order, and with the headers, refusals and counts, of every other.
 *
 * @param isCounted False when the framework counts it.
 */
export function answerDirectly(direct: Direct, request: IncomingMessage, response: ServerResponse, trace: Trace, isCounted: boolean): void {
  const started = performance.now()
  direct.began()
  response.once('close', () => {
    direct.ended()
    if (isCounted) direct.answered(response.statusCode, (performance.now() - started) / 1000)
  })
  inTrace(trace, () => void serve(direct, request, response, trace))
}

async function serve(direct: Direct, request: IncomingMessage, response: ServerResponse, trace: Trace): Promise<void> {
  const { route: { endpoint, answer }, bodyBytesMax, authenticate, refuseEarly, readBody, problemFor } = direct
  try {
    refuseEarly(request)
    if (endpoint.access !== 'public') {
      // Whom one knows already is not waited for.
      const caller = authenticate(request.headers.authorization, endpoint.audience ?? 'users', request.socket)
      authorize(caller instanceof Promise ? await caller : caller, endpoint.access)
    }
    const bytes = await bodyOf(request, bodyBytesMax)
    const body = { bytes, read: (part?: { from: number; to: number }) => readBody(part === undefined ? bytes : bytes?.subarray(part.from, part.to) ?? null, endpoint) }
    const text = answer(body, request.headers)
    send(direct, response, trace, 200, JSON_REPLY, typeof text === 'string' ? text : await text)
  } catch (error) {
    const { status, headers, text } = problemFor(endpoint.refusesMediaWith === undefined ? error : asMalformed(error), trace.traceId)
    send(direct, response, trace, status, PROBLEM_TYPE, text, headers)
  }
}

const JSON_REPLY = 'application/json; charset=utf-8'

function send({ headersFor, isDraining }: Direct, response: ServerResponse, { requestId }: Trace, status: number, type: string, text: string, extra: Readonly<Record<string, string>> = {}): void {
  const bytes = Buffer.byteLength(text)
  const own = ['x-request-id', requestId, 'content-type', type, 'content-length', String(bytes)]
  for (const name in extra) own.push(name, extra[name] as string)
  // What is left of a body that is too large is not waited for.
  if (isDraining() || status === 413) own.push('connection', 'close')
  // Where every character is one byte it need not be encoded.
  response.writeHead(status, [...headersFor(response.req), ...own]).end(text, bytes === text.length ? 'latin1' : 'utf8')
}

/** Null when there is none. Never comes when the caller goes away before all of it is here. */
function bodyOf(request: IncomingMessage, bytesMax: number): Promise<Buffer> | null {
  const { 'content-type': type, 'content-length': length, 'transfer-encoding': transfer } = request.headers
  if (type === undefined && transfer === undefined && (length === undefined || length === '0')) return null
  if (type === undefined || !JSON_TYPE.test(type)) throw new Failure('UNSUPPORTED_MEDIA_TYPE', 'send the body as JSON, with `Content-Type: application/json`')
  const tooLarge = () => new Failure('REQUEST_TOO_LARGE', `the body is larger than ${bytesMax} bytes`)
  if (Number(length) > bytesMax) throw tooLarge()
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    request.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size <= bytesMax) chunks.push(chunk)
      else {
        request.removeAllListeners('data')
        request.resume()
        reject(tooLarge())
      }
    })
    request.on('end', () => resolve(chunks.length === 1 ? chunks[0] as Buffer : Buffer.concat(chunks)))
  })
}

/** A media type that is not read as any other flaw of the request. */
export function asMalformed(error: unknown): unknown {
  if (!(error instanceof Failure) || error.code !== 'UNSUPPORTED_MEDIA_TYPE') return error
  return new Failure('REQUEST_MALFORMED', error.message, { cause: error, problems: [{ place: 'headers.content-type', message: 'is not application/json' }] })
}

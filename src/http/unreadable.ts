import type { Socket } from 'node:net'
import { Failure } from '#core/failure.ts'
import { traceFrom } from '#telemetry/log.ts'
import { PROBLEM_TYPE, toProblem } from './problem.ts'
import { nextRequestId } from './request-id.ts'

export const HEADER_BYTES_MAX = 16_384

/** What the HTTP library throws, in our words. */
export function translate(error: unknown, bodyBytesMax: number): unknown {
  if (error instanceof Failure || !(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return error
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new Failure('REQUEST_TOO_LARGE', `the body is larger than ${bodyBytesMax} bytes`, { cause: error })
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new Failure('UNSUPPORTED_MEDIA_TYPE', 'send the body as JSON, with `Content-Type: application/json`', { cause: error })
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return new Failure('REQUEST_MALFORMED', 'the body is not as long as Content-Length says', { cause: error })
    case 'FST_ERR_BAD_URL':
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return new Failure('REQUEST_MALFORMED', 'the address cannot be read', { cause: error })
    default:
      return 'statusCode' in error && typeof error.statusCode === 'number' && error.statusCode >= 400 && error.statusCode < 500 && error.code.startsWith('FST_')
        ? new Failure('REQUEST_MALFORMED', 'the request cannot be read', { cause: error })
        : error
  }
}

/** What is not even a request gets a reply of the same shape, written by hand. */
export function answerUnreadable(error: Error & { code?: string }, socket: Socket, headers: Readonly<Record<string, string>>): void {
  if (error.code === 'ECONNRESET' || !socket.writable || socket.destroyed) {
    socket.destroy()
    return
  }
  const [status, detail] = error.code === 'HPE_HEADER_OVERFLOW' ? [431, `the headers are larger than ${HEADER_BYTES_MAX} bytes`]
    : error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? [408, 'the request did not arrive in time'] : [400, 'this is not a request that HTTP/1.1 knows']
  const trace = traceFrom(undefined, nextRequestId())
  const problem = toProblem(new Failure('REQUEST_MALFORMED', String(detail)), trace.traceId)
  const body = JSON.stringify({ ...problem.body, status })
  const reason = { 400: 'Bad Request', 408: 'Request Timeout', 431: 'Request Header Fields Too Large' }[status as 400 | 408 | 431]
  const lines = Object.entries({
    ...headers, 'x-request-id': trace.requestId, 'content-type': PROBLEM_TYPE, 'content-length': String(Buffer.byteLength(body)), connection: 'close',
  }).map(([name, value]) => `${name}: ${value}`)
  socket.end(`HTTP/1.1 ${status} ${reason}\r\n${lines.join('\r\n')}\r\n\r\n${body}`)
}

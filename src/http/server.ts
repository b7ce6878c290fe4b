import { createServer as createHttpServer } from 'node:http'
import type { IncomingMessage, ServerOptions, ServerResponse } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { Readable } from 'node:stream'
import fastify from 'fastify'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { Failure } from '#core/failure.ts'
import { parseJson } from '#core/json.ts'
import { parseInput } from '#core/parse.ts'
import { authenticationFailed, hashMismatched, requestAnswered } from '#telemetry/events.ts'
import type { Telemetry } from '#telemetry/events.ts'
import { inTrace, traceFrom } from '#telemetry/log.ts'
import type { Trace } from '#telemetry/log.ts'
import { AUTHENTICATION_FAILURES } from '#telemetry/metrics.ts'
import type { AuthenticationFailure } from '#telemetry/metrics.ts'
import { scrape, scrapedAlready } from '#telemetry/scrape.ts'
import { authorize } from './authenticate.ts'
import type { Authenticate } from './authenticate.ts'
import { proxiedOverTls, type ProxyRules } from './client-address.ts'
import { acceptConnections, LISTENS, type Connections } from './connections.ts'
import { Answer, route } from './contract.ts'
import type { Caller, DirectRoute, Endpoint, Input, Route } from './contract.ts'
import { answerDirectly, asMalformed } from './direct.ts'
import type { Direct } from './direct.ts'
import { DOCS_CONTENT_SECURITY_POLICY, docsPage } from './docs.ts'
import { STRICT_TRANSPORT, standardHeaders } from './headers.ts'
import type { InForce } from './headers.ts'
import type { Health } from './health.ts'
import { PROBE_PATHS, openApi } from './openapi.ts'
import { explained, refuseTaken } from './port-holder.ts'
import { PROBLEM_TYPE, toProblem } from './problem.ts'
import type { RateLimits } from './rate-limit.ts'
import { nextRequestId } from './request-id.ts'
import { answerUnreadable, HEADER_BYTES_MAX, translate } from './unreadable.ts'

const REQUEST_ID = /^[A-Za-z0-9._:-]{1,128}$/
const REQUEST_TIMEOUT_MS = 60_000
const HEADERS_TIMEOUT_MS = 20_000
// Longer than balancers keep an idle connection, so that they close first and never send into a closing one.
const KEEP_ALIVE_MS = 72_000

const getMetrics = {
  method: 'GET', path: '/metrics', summary: 'Metrics for Prometheus', access: 'public', reply: z.string(), produces: 'text/plain',
  description: 'OpenMetrics when the Accept header prefers it.', failures: [],
} as const satisfies Endpoint
const getOpenApi = {
  method: 'GET', path: '/openapi.json', summary: 'This interface as OpenAPI 3.1', access: 'public', reply: z.looseObject({ openapi: z.string() }), failures: [],
} as const satisfies Endpoint
const getDocs = {
  method: 'GET', path: '/docs', summary: 'This interface as a page for people', access: 'public', reply: z.string(), produces: 'text/html', failures: [],
} as const satisfies Endpoint

/** An operation that somebody else reads and answers, and what it promises. */
export type RawRoute = { readonly endpoint: Endpoint; readonly handle: (request: IncomingMessage, response: ServerResponse) => void }

/** A certificate with its key, and who is told when another takes its place. */
export type ServerTls = { readonly current: () => { readonly cert: string; readonly key: string }; readonly onRenewed: (take: (renewed: { readonly cert: string; readonly key: string }) => void) => void }

/** How requests come in. */
export type Edge = { readonly tls: ServerTls | null; readonly proxies: ProxyRules; /** At once; null: as many as come. */ readonly connectionsMax: number | null }

const PLAIN: Edge = { tls: null, proxies: { trusted: [], header: 'x-forwarded-for' }, connectionsMax: null }

/** One process' HTTP side. */
export type Server = {
  readonly app: FastifyInstance
  /** Every endpoint that it answers, the shared ones included. */
  readonly endpoints: readonly Endpoint[]
  /** @throws {Failure} PORT_IN_USE naming who holds the port, where that can be seen. */
  readonly listen: (where: { host: string; port: number; setting?: string }) => Promise<{ port: number }>
  /** From now on not ready; everything is still served, with `Connection: close`. For whoever closes several servers one after the other. */
  readonly drain: () => void
  /**
   * Readiness turns off at once; for `drainMs` everything is still served, with `Connection: close`; then no new connection is accepted and
   * requests under way may finish until `deadlineMs` is over.
   *
   * @returns How many requests had to be cut off.
   */
  readonly close: (how: { drainMs: number; deadlineMs: number }) => Promise<{ cutOff: number }>
}

/** What the four processes share: parsing, headers, tokens, problems, health, metrics, documentation, an orderly end. */
export async function createServer({ service, title, version, description, constitution, routes, direct = [], health, telemetry, authenticate, bodyBytesMax, raw = [], limits = null, edge = PLAIN }: {
  /** What `X-ACGS-Service` says. */
  service: string
  title: string
  version: string
  description: string
  constitution: InForce
  routes: readonly Route[]
  /** Operations that are answered beside the framework, for speed. */
  direct?: readonly DirectRoute[]
  health: Health
  telemetry: Telemetry
  authenticate: Authenticate
  bodyBytesMax: number
  /** Operations whose requests are read and answered by somebody else (the OAuth implementation); they get the headers, ids and log of every other. */
  raw?: readonly RawRoute[]
  /** How often may be asked; null: as often as anybody likes. */
  limits?: RateLimits | null
  /** Whether it speaks TLS itself, and whose word counts about the client's side of a connection. */
  edge?: Edge
}): Promise<Server> {
  const headers = standardHeaders(service, constitution)
  const flat = { plain: Object.entries(headers).flat(), tls: Object.entries({ ...headers, ...STRICT_TRANSPORT }).flat() }
  const { tls } = edge
  const isProxiedOverTls = proxiedOverTls(edge.proxies)
  const isOverTls = (request: IncomingMessage) => tls !== null || isProxiedOverTls(request.socket.remoteAddress, request.headers)
  const pages = { openApi: '', docs: '' }
  const all: Route[] = [
    ...routes,
    ...health.routes,
    route(getMetrics, async ({ headers: { accept } }) => {
      const { contentType, text } = await scrape(telemetry.metrics, single(accept))
      return new Answer(text, { headers: { 'content-type': contentType } })
    }),
    route(getOpenApi, () => JSON.parse(pages.openApi) as { openapi: string }),
    route(getDocs, () => new Answer(pages.docs, { headers: { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': DOCS_CONTENT_SECURITY_POLICY } })),
  ]
  const endpoints: readonly Endpoint[] = [...raw, ...direct, ...all].map(({ endpoint }) => endpoint)
  pages.openApi = JSON.stringify(openApi({ title, version, description, endpoints }))
  pages.docs = docsPage({ title, version, description, endpoints })

  let isDraining = false
  let connections: Connections | null = null as Connections | null
  const underWay = new Set<AbortController>()
  let directUnderWay = 0
  const traces = new WeakMap<IncomingMessage, Trace>()
  const traceOf = (raw: IncomingMessage): Trace => {
    const known = traces.get(raw)
    if (known !== undefined) return known
    const trace = newTrace(raw)
    traces.set(raw, trace)
    return trace
  }

  const directOf = new Map<string, Direct>(direct.map((route) => [route.endpoint.path, {
    route, headersFor: (request) => (isOverTls(request) ? flat.tls : flat.plain), bodyBytesMax, authenticate, refuseEarly, readBody, problemFor,
    isDraining: () => isDraining,
    began: () => { directUnderWay++ },
    ended: () => { directUnderWay-- },
    answered: (status, seconds) => requestAnswered(telemetry, { endpoint: route.endpoint.path, method: 'POST', status, seconds, isFrequent: status === 200 }),
  }]))

  const app = fastify({
    logger: false,
    bodyLimit: bodyBytesMax,
    exposeHeadRoutes: true,
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    routerOptions: { maxParamLength: 500 },
    serverFactory: (handler) => {
      const options = {
        maxHeaderSize: HEADER_BYTES_MAX,
        requireHostHeader: false, // Its absence is refused below, with the headers and the shape of every other refusal.
        requestTimeout: REQUEST_TIMEOUT_MS,
        headersTimeout: HEADERS_TIMEOUT_MS,
        keepAliveTimeout: KEEP_ALIVE_MS,
      }
      const listener = (request: IncomingMessage, response: ServerResponse) => {
        const found = request.method === 'POST' ? directOf.get(request.url ?? '') : undefined
        if (found !== undefined) answerDirectly(found, request, response, newTrace(request), true)
        else if (!resentMetrics(request, response)) handler(request, response)
      }
      const server = tls === null ? createHttpServer(options, listener) : createTlsServer(options, listener, tls)
      connections = acceptConnections(server, edge.connectionsMax, telemetry)
      server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
        const problem = toProblem(new Failure('REQUEST_MALFORMED', 'the expectation in the Expect header cannot be met: leave it out'), traceOf(request).traceId)
        response.writeHead(417, { ...headers, ...(isOverTls(request) ? STRICT_TRANSPORT : {}), 'content-type': PROBLEM_TYPE, connection: 'close' }).end(JSON.stringify({ ...problem.body, status: 417 }))
      })
      return server
    },
    clientErrorHandler: (error, socket) => answerUnreadable(error, socket, tls === null ? headers : { ...headers, ...STRICT_TRANSPORT }),
    frameworkErrors: (error, request, reply) => {
      prepare(request, reply)
      return sendProblem(error, request, reply)
    },
  })
  telemetry.metrics.watchConnections('http', () => connections?.open() ?? 0)

  /** Answers a scrape with the text of the last one, where nothing has changed and nothing is wrong. @returns False: it is still to be answered. */
  function resentMetrics(request: IncomingMessage, response: ServerResponse): boolean {
    if (request.method !== 'GET' || request.url !== getMetrics.path) return false
    const started = performance.now()
    const scraped = scrapedAlready(telemetry.metrics, single(request.headers.accept))
    if (scraped === null || request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined) return false
    try {
      refuseEarly(request)
    } catch {
      return false
    }
    const own = ['x-request-id', newTrace(request).requestId, 'content-type', scraped.contentType, 'content-length', String(scraped.bytes.length)]
    if (isDraining) own.push('connection', 'close')
    response.writeHead(200, [...(isOverTls(request) ? flat.tls : flat.plain), ...own]).end(scraped.bytes)
    requestAnswered(telemetry, { endpoint: getMetrics.path, method: 'GET', status: 200, seconds: (performance.now() - started) / 1000, isFrequent: true })
    return true
  }

  function prepare(request: FastifyRequest, reply: FastifyReply): Trace {
    const trace = traceOf(request.raw)
    reply.headers({ ...headers, 'x-request-id': trace.requestId })
    if (isOverTls(request.raw)) reply.headers(STRICT_TRANSPORT)
    return trace
  }

  function sendProblem(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const { status, headers: extra, text } = problemFor(translate(error, request.routeOptions.bodyLimit ?? bodyBytesMax), traceOf(request.raw).traceId)
    return reply.code(status).headers(extra).header('content-type', PROBLEM_TYPE).serializer((text: unknown) => text as string).send(text)
  }

  /** How a request is refused, counted and logged. */
  function problemFor(failure: unknown, traceId: string): { status: number; headers: Readonly<Record<string, string>>; text: string } {
    const { status, headers: extra, body } = toProblem(failure, traceId)
    if (failure instanceof Failure && (failure.code === 'UNAUTHENTICATED' || failure.code === 'FORBIDDEN' || failure.code === 'AUTH_UNAVAILABLE')) {
      authenticationFailed(telemetry, { reason: reasonOf(failure) })
    }
    if (status >= 500) telemetry.log.error({ err: failure, code: body.code }, 'request failed')
    else telemetry.log.debug({ err: failure, code: body.code }, 'request refused')
    return { status, headers: extra, text: JSON.stringify(body) }
  }

  app.addHook('onRequest', (request, reply, done) => {
    const trace = prepare(request, reply)
    inTrace(trace, () => {
      try {
        refuseEarly(request.raw)
      } catch (error) {
        done(error as Error)
        return
      }
      const counting = limits?.arrived(limitedOf(request), request.raw, reply) ?? null
      if (counting === null) done()
      else counting.then(() => done(), done)
    })
  })
  app.addHook('onSend', (_request, reply, _payload, done) => {
    if (isDraining) reply.header('connection', 'close')
    done()
  })
  app.addHook('onResponse', (request, reply, done) => {
    const endpoint = request.routeOptions.url?.replace(/:(\w+)/g, '{$1}') ?? 'unmatched'
    requestAnswered(telemetry, { endpoint, method: request.method, status: reply.statusCode, seconds: reply.elapsedTime / 1000, isFrequent: PROBE_PATHS.includes(endpoint) })
    done()
  })

  const limitedBy = new Map(endpoints.map((endpoint) => [`${endpoint.method} ${fastifyPath(endpoint.path)}`, PROBE_PATHS.includes(endpoint.path) ? { ...endpoint, limit: 'none' as const } : endpoint]))
  function limitedOf({ method, routeOptions }: FastifyRequest): Endpoint | undefined {
    return limitedBy.get(`${method === 'HEAD' ? 'GET' : method} ${routeOptions.url}`)
  }

  function refuseEarly(request: IncomingMessage): void {
    if (request.httpVersion === '1.1' && request.headers.host === undefined) throw new Failure('REQUEST_MALFORMED', 'the Host header is missing')
    if (/%00/.test(request.url ?? '')) throw new Failure('REQUEST_MALFORMED', 'the address holds the character U+0000')
    const encoding = request.headers['content-encoding']
    if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
      throw new Failure('UNSUPPORTED_MEDIA_TYPE', 'a compressed body is not read: send it without Content-Encoding')
    }
    const provided = single(request.headers['x-constitutional-hash'])
    if (provided === undefined || provided === constitution.hash || PROBE_PATHS.includes(request.url?.split('?')[0] ?? '')) return
    hashMismatched(telemetry, { provided })
    throw new Failure('CONSTITUTION_MISMATCH', `this service enforces the constitution \`${constitution.hash}\`, the request expects another`, {
      details: { error: 'Constitutional hash mismatch', expected_hash: constitution.hash, provided_hash: provided.slice(0, 128) },
    })
  }

  app.removeAllContentTypeParsers()
  app.addContentTypeParser(/^application\/json(?:\s*;|$)/i, { parseAs: 'buffer' }, (_request, bytes, done) => {
    // Read later, by the endpoint: an empty body and none at all are told apart there.
    done(null, bytes)
  })

  app.setErrorHandler((error, request, reply) => sendProblem(error, request, reply))

  const known = endpoints.map((endpoint) => ({ endpoint, pattern: patternOf(endpoint.path) }))
  app.setNotFoundHandler((request, reply) => {
    const path = request.raw.url?.split('?')[0] ?? ''
    const methods = known.filter(({ pattern }) => pattern.test(path)).flatMap(({ endpoint: { method } }) => (method === 'GET' ? ['GET', 'HEAD'] : [method]))
    const allow = [...new Set(methods)].join(', ')
    const failure = allow === ''
      ? new Failure('NOT_FOUND', 'there is no such path; /docs lists those there are')
      : new Failure('METHOD_NOT_ALLOWED', `this path answers ${allow} only`, { details: { allow } })
    return sendProblem(failure, request, reply)
  })

  for (const { path, method } of endpoints) telemetry.metrics.responseTime.zero({ endpoint: path, method })

  for (const { endpoint, handler, bodyBytesMax: own } of all) {
    app.route({
      method: endpoint.method,
      url: fastifyPath(endpoint.path),
      ...(own === undefined ? {} : { bodyLimit: own }),
      ...(endpoint.refusesMediaWith === undefined ? {} : { errorHandler: (error, request, reply) => sendProblem(asMalformed(translate(error, own ?? bodyBytesMax)), request, reply) }),
      ...(endpoint.access === 'public' ? {} : {
        onRequest: async (request: FastifyRequest, reply: FastifyReply) => {
          const judge = async () => {
            const caller = await authenticate(request.headers.authorization, endpoint.audience ?? 'users')
            authorize(caller, endpoint.access as Exclude<Endpoint['access'], 'public'>)
            return caller
          }
          callers.set(request.raw, await (limits === null ? judge() : limits.asked(endpoint, request.raw, reply, judge)))
        },
      }),
      handler: async (request, reply) => {
        const abort = new AbortController()
        underWay.add(abort)
        const onGone = () => { if (!reply.raw.writableFinished) abort.abort(new Failure('SHUTTING_DOWN', 'the caller went away')) }
        reply.raw.once('close', onGone)
        try {
          const trace = traceOf(request.raw)
          const input = {
            params: endpoint.params === undefined ? undefined : parseInput(endpoint.params, { ...(request.params as object) }, 'params'),
            query: parseQuery(endpoint, request.query),
            body: endpoint.body === undefined ? refuseBody(request) : parseInput(endpoint.body, readBody(takeBody(request), endpoint), 'body'),
            caller: callers.get(request.raw) ?? null,
            requestId: trace.requestId,
            traceId: trace.traceId,
            headers: request.headers,
            signal: abort.signal,
          }
          const produced = await handler(input as Input<Endpoint>)
          const answer = produced instanceof Answer ? produced : new Answer(produced)
          reply.code(answer.status ?? endpoint.status ?? 200).headers(answer.headers)
          if (answer.status === 304) return await reply.send()
          if (answer.pieces !== undefined) return await reply.send(Readable.from(answer.pieces))
          if (endpoint.produces !== undefined) return await reply.send(answer.value as string)
          const body = JSON.stringify(endpoint.reply.parse(answer.value)) // A reply that does not parse is our bug and rises as it is.
          return await reply.header('content-type', 'application/json; charset=utf-8').serializer((text: unknown) => text as string).send(body)
        } finally {
          underWay.delete(abort)
          reply.raw.off('close', onGone)
        }
      },
    })
  }
  await app.register(async (inner) => {
    inner.removeAllContentTypeParsers()
    inner.addContentTypeParser('*', (_request, _payload, done) => done(null)) // The body stays in the stream for who reads it.
    for (const { endpoint, handle } of raw) {
      inner.route({
        method: endpoint.method,
        url: fastifyPath(endpoint.path),
        handler: (request, reply) => {
          reply.hijack()
          for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) reply.raw.setHeader(name, value)
          if (isDraining) reply.raw.setHeader('connection', 'close')
          handle(request.raw, reply.raw)
        },
      })
    }
    // Only what did not come over the wire, or with something behind the path, gets here: the server gives it to the same function.
    for (const found of directOf.values()) {
      inner.route({
        method: 'POST',
        url: found.route.endpoint.path,
        ...(found.route.endpoint.refusesMediaWith === undefined ? {} : { errorHandler: (error, request, reply) => sendProblem(asMalformed(translate(error, bodyBytesMax)), request, reply) }),
        handler: (request, reply) => {
          reply.hijack()
          answerDirectly(found, request.raw, reply.raw, traceOf(request.raw), false)
        },
      })
    }
  })
  await app.ready()

  const drain = () => {
    health.drain()
    isDraining = true
  }

  return {
    app,
    endpoints,
    drain,
    listen: async ({ host, port, setting }) => {
      if (LISTENS.reusePort) await refuseTaken({ service, host, port, setting })
      try {
        await app.listen({ host, port, ...LISTENS })
        await connections?.listenBeside()
      } catch (cause) {
        throw explained(cause, { service, host, port, setting })
      }
      const address = app.server.address()
      return { port: typeof address === 'object' && address !== null ? address.port : port }
    },
    close: async ({ drainMs, deadlineMs }) => {
      drain()
      if (drainMs > 0 && app.server.listening) await new Promise((resolve) => setTimeout(resolve, drainMs))
      let cutOff = 0
      const deadline = setTimeout(() => {
        cutOff = underWay.size + directUnderWay
        for (const abort of underWay) abort.abort(new Failure('SHUTTING_DOWN', 'the service is shutting down'))
        setTimeout(() => app.server.closeAllConnections(), 100)
      }, deadlineMs)
      const besideEnded = connections?.stopBeside()
      await app.close()
      await besideEnded
      clearTimeout(deadline)
      health.stop()
      return { cutOff }
    },
  }
}

function createTlsServer(options: ServerOptions, listener: (request: IncomingMessage, response: ServerResponse) => void, { current, onRenewed }: ServerTls) {
  const server = createHttpsServer({ ...options, ...current(), minVersion: 'TLSv1.2' }, listener)
  onRenewed((renewed) => server.setSecureContext({ ...renewed, minVersion: 'TLSv1.2' }))
  return server
}

const callers = new WeakMap<IncomingMessage, Caller>()

function parseQuery(endpoint: Endpoint, query: unknown): unknown {
  if (endpoint.query === undefined) return undefined
  return parseInput(endpoint.query, { ...(query as Record<string, unknown>) }, 'query')
}

/** Its bytes need not wait in memory until the reply is sent. */
function takeBody(request: FastifyRequest): unknown {
  const bytes = request.body
  request.body = undefined
  return bytes
}

function readBody(bytes: unknown, endpoint: Endpoint): unknown {
  if (Buffer.isBuffer(bytes) && bytes.length > 0) return parseJson(bytes, 'body', endpoint.levelsMax, endpoint.exactIntegers === true ? 'bigint' : 'refused', endpoint.lists)
  if (endpoint.body?.safeParse(undefined).success === true) return undefined
  throw new Failure('REQUEST_MALFORMED', 'body: is empty; a JSON document was expected', { problems: [{ place: 'body', message: 'is empty' }] })
}

/** Many clients send `{}` where they have nothing to say. */
function refuseBody({ body }: FastifyRequest): undefined {
  if (!Buffer.isBuffer(body) || (body.length <= 16 && /^\s*(\{\s*\})?\s*$/.test(body.toString()))) return undefined
  throw new Failure('REQUEST_MALFORMED', 'body: none is expected here', { problems: [{ place: 'body', message: 'none is expected here' }] })
}

function reasonOf(failure: Failure): AuthenticationFailure {
  const reason = failure.details['reason']
  return AUTHENTICATION_FAILURES.find((one) => one === reason) ?? (failure.code === 'FORBIDDEN' ? 'role' : 'malformed')
}

function fastifyPath(path: string): string {
  return path.replace(/\{(\w+)\}/g, ':$1')
}

function patternOf(path: string): RegExp {
  return new RegExp(`^${path.replace(/[.*+?^$()|[\]\\]/g, '\\$&').replace(/\{\w+\}/g, '[^/]+')}$`)
}

function newTrace({ headers }: IncomingMessage): Trace {
  const given = single(headers['x-request-id'])
  return traceFrom(single(headers['traceparent']), given !== undefined && REQUEST_ID.test(given) ? given : nextRequestId())
}

function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value
}

import { appendFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { decisionPoint, enforce, type Duties, type Question } from '../authzen.ts'

// A service that keeps files for people, and lets nobody at one before the decision point has said yes.
// `X-User` stands for whatever signs people in at your door; here it is believed as it comes.

const files = new Map([
  ['plan', 'Move the office to the third floor.\n'],
  ['readme', 'Everybody may know this.\n'],
])
const ACTIONS: { readonly [method: string]: string } = { GET: 'readFile', PUT: 'writeFile', DELETE: 'deleteFile' }
const LOG = process.env['ACCESS_LOG'] || 'access.log'

const ask = decisionPoint()
const duties: Duties = {
  log: ({ subject, action, resource }, { revision, rules }) => {
    const entry = { at: new Date().toISOString(), who: subject, does: action.name, on: resource, revision, rules }
    appendFileSync(LOG, `${JSON.stringify(entry)}\n`, { flush: true })
  },
}

const server = createServer(async (request, response) => {
  try {
    const question = questionOf(request)
    if (typeof question === 'number') return reply(response, question)

    // The few lines.
    const outcome = await enforce(question, duties, ask)
    if (outcome.kind !== 'passed') {
      console.error(`${question.subject.id} ${question.action.name} ${question.resource.id}: ${outcome.kind}: ${outcome.forOperators}`)
      return reply(response, outcome.kind === 'unavailable' ? 503 : 403, { reason: outcome.forPeople })
    }

    await serve(request, response, question.resource.id)
  } catch (error) {
    console.error(error)
    reply(response, 500)
  }
})
server.listen(Number(process.env['PORT'] || 8090), '127.0.0.1', () => {
  const { port } = server.address() as { port: number }
  console.log(`files on http://127.0.0.1:${port}/files/…`)
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => server.close())

/** Who wants to do what to which file; a status when that cannot be told. What is asked about is what is then served. */
function questionOf({ method = '', url = '', headers }: IncomingMessage): Question | number {
  const action = Object.hasOwn(ACTIONS, method) ? ACTIONS[method] : undefined
  if (action === undefined) return 405
  const id = /^\/files\/([\w.-]+)$/.exec(url)?.[1]
  if (id === undefined) return 404
  const user = headers['x-user']
  if (typeof user !== 'string' || user === '') return 401
  // The schema has `humanApproved` for deletions: a person who deletes a file of their own has nobody's approval to show.
  const context = action === 'deleteFile' ? { humanApproved: false } : {}
  return { subject: { type: 'User', id: user }, action: { name: action }, resource: { type: 'File', id }, context }
}

/** What the service is for. Nothing below knows of decisions. */
async function serve(request: IncomingMessage, response: ServerResponse, id: string): Promise<void> {
  if (request.method === 'PUT') files.set(id, await text(request))
  if (request.method === 'DELETE') return reply(response, files.delete(id) ? 204 : 404)
  const content = files.get(id)
  if (content === undefined) return reply(response, 404)
  response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' }).end(content)
}

function reply(response: ServerResponse, status: number, body?: object): void {
  // Closed, so that a body nobody reads is not kept for.
  const type = body === undefined ? {} : { 'content-type': 'application/json' }
  response.writeHead(status, { connection: 'close', ...type, ...(status === 503 ? { 'retry-after': '5' } : {}) })
  response.end(body === undefined ? undefined : `${JSON.stringify(body)}\n`)
}

import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { pick, type Random } from '#core/proof/random-world.ts'
import { APPLICATION, bodyOf, newRecords, schemaOfApplication, type Records } from '../chaos/clients.ts'
import type { Front } from './balancer.ts'

export type Kind = 'generation' | 'decision' | 'status' | 'revision'

/** What clients of one update sent, and what became of it. */
export type Tally = {
  readonly requests: Record<Kind, number>
  /** Requests without a reply, or with one that nobody should get: what each was. */
  readonly failed: string[]
  /** Decisions by an older revision than the caller asked for, or not by the rules of the revision that they name. */
  readonly older: string[]
  /** Decisions that were asked again, since the revision that was asked for was not there yet. */
  readonly waited: { times: number; longestMs: number }
  /** Of generations: answered in the reply; accepted with 202 and read later, by their events or by asking. */
  readonly accepted: { sync: number; async: number; followed: number; replayed: number }
  readonly longestMs: Record<Kind, number>
  readonly records: Records
}

/** Whom clients ask, and as whom. They know the balancer's addresses and nothing else. */
export type Clients = {
  readonly url: Readonly<Record<Front, string>>
  readonly tokens: Readonly<Record<'author' | 'council' | 'service', string>>
  readonly random: Random
  readonly signal: AbortSignal
  /** Both versions keep what they accept; otherwise nobody can rely on it. */
  readonly keepsRequests: boolean
}

/** What was activated so far: which limit each revision sets. A client asks for the newest that it was told of. */
export type Activated = { readonly limits: Map<number, number>; newest: number }

type Reply = { readonly status: number; readonly body: any }

/** How long the load may wait for what was accepted, and a decision for its revision. */
const END_MS = 15_000
const REVISION_MS = 5_000
const PATIENCE_MS = 60_000
/** Between the limits of what is activated, so that it tells them apart. */
const AMOUNT = 1_002

export function newTally(): Tally {
  const zero = (): Record<Kind, number> => ({ generation: 0, decision: 0, status: 0, revision: 0 })
  return { requests: zero(), failed: [], older: [], waited: { times: 0, longestMs: 0 }, accepted: { sync: 0, async: 0, followed: 0, replayed: 0 }, longestMs: zero(), records: newRecords() }
}

/** All clients at once, until the signal. */
export function begin(clients: Clients, tally: Tally, activated: Activated, howMany: Readonly<Record<'generation' | 'decision' | 'status', number>>): Promise<unknown> {
  const many = (count: number, one: () => Promise<void>) => Array.from({ length: count }, one)
  return Promise.all([
    ...many(howMany.generation, () => forever(clients, 20, () => generate(clients, tally))),
    ...many(howMany.decision, () => forever(clients, 15, () => decide(clients, tally, activated))),
    ...many(howMany.status, () => forever(clients, 25, () => look(clients, tally))),
  ])
}

async function forever({ signal, random }: Clients, pauseMs: number, one: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    await one()
    await sleep(random() * pauseMs)
  }
}

async function generate(clients: Clients, tally: Tally): Promise<void> {
  const { random, keepsRequests } = clients
  const kind = keepsRequests ? pick(random, ['sync', 'keyed', 'async', 'follow'] as const) : 'sync'
  const body = bodyOf(random)
  const key = randomUUID()
  const isAsync = kind === 'async' || kind === 'follow'
  const send = () => ask(clients, tally, 'generation', 'platform', '/api/v1/generate-policy', {
    body, headers: { ...(kind === 'sync' ? {} : { 'idempotency-key': key }), ...(isAsync ? { prefer: 'respond-async' } : {}) },
  }, isAsync ? [202] : [200, 422])
  const reply = await send()
  if (reply === null) return
  const id = reply.body.generation_id as string
  if (isAsync) {
    tally.accepted.async++
    if (kind === 'follow') await follow(clients, tally, id)
    await readUntilEnd(clients, tally, id)
  } else {
    tally.accepted.sync++
    note(tally, reply)
  }
  // The same key is the same request, whichever version answers.
  if (kind === 'keyed' && random() < 0.5) {
    const again = await send()
    if (again === null) return
    tally.accepted.replayed++
    if (again.body.generation_id !== id) tally.records.wrong.push(`key ${key} stands for ${id} and ${String(again.body.generation_id)}`)
  }
}

/** Has so many accepted at once, which one process cannot finish at once, and waits for their ends. */
export async function acceptMany(clients: Clients, tally: Tally, count: number): Promise<{ readonly ended: Promise<unknown> }> {
  if (!clients.keepsRequests) return { ended: Promise.resolve() }
  const replies = await Promise.all(Array.from({ length: count }, () => ask(clients, tally, 'generation', 'platform', '/api/v1/generate-policy', { body: bodyOf(clients.random), headers: { prefer: 'respond-async' } }, [202])))
  const ids = replies.flatMap((reply) => (reply === null ? [] : [reply.body.generation_id as string]))
  tally.accepted.async += ids.length
  return { ended: Promise.all(ids.map((id) => readUntilEnd(clients, tally, id))) }
}

/** Follows the events to the last one. A process that ends ends its streams in order; who comes back is told the rest. */
async function follow({ url, tokens }: Clients, tally: Tally, id: string): Promise<void> {
  tally.accepted.followed++
  const seen: string[] = []
  for (const deadline = Date.now() + END_MS; Date.now() < deadline; await sleep(100)) {
    tally.requests.generation++
    try {
      const response = await fetch(`${url.platform}/api/v1/generations/${id}/events`, {
        headers: { authorization: `Bearer ${tokens.author}`, ...(seen.length === 0 ? {} : { 'last-event-id': seen.at(-1) as string }) }, signal: AbortSignal.timeout(PATIENCE_MS),
      })
      const text = await response.text()
      if (response.status !== 200) {
        tally.failed.push(`generation: events of ${id}: ${response.status} ${shown(text)}`)
        continue
      }
      for (const [, event] of text.matchAll(/^id: (.*)$/gm)) {
        if (seen.includes(event as string)) tally.records.wrong.push(`event ${event} of ${id} came twice`)
        seen.push(event as string)
      }
    } catch (error) {
      tally.failed.push(`generation: events of ${id}: broke off: ${reasonOf(error)}`)
    }
    if (seen.at(-1) === 'end') return
  }
  tally.records.wrong.push(`the events of ${id} did not end: ${seen.join(' ')}`)
}

async function readUntilEnd(clients: Clients, tally: Tally, id: string): Promise<void> {
  for (const deadline = Date.now() + END_MS; Date.now() < deadline; await sleep(100)) {
    const reply = await ask(clients, tally, 'generation', 'platform', `/api/v1/generations/${id}`, {}, [200])
    if (reply === null) continue
    if (reply.body.state === 'accepted') continue
    const { verdict, certificate_id, ledger } = reply.body
    tally.records.told.push({ id, verdict, certificate: certificate_id, ledger: ledger.index })
    return
  }
  tally.records.wrong.push(`${id} was accepted and has not ended within ${END_MS / 1000} s`)
}

/** What a reply told of a generation; a refusal for another reason than its content is not one. */
function note(tally: Tally, { status, body }: Reply): void {
  const verdict = status === 200 ? 'certified' : body.code === 'POLICY_REFUSED' ? 'refused' : body.code === 'POLICY_UNDETERMINED' ? 'undetermined' : null
  if (verdict === null) tally.failed.push(`generation: ${status} ${JSON.stringify(body).slice(0, 300)}`)
  else tally.records.told.push({ id: body.generation_id, verdict, certificate: body.certificate?.id ?? null, ledger: body.ledger?.index ?? null })
}

async function decide(clients: Clients, tally: Tally, activated: Activated): Promise<void> {
  const least = activated.newest
  const begun = performance.now()
  for (let isFirst = true; ; isFirst = false, await sleep(50)) {
    const reply = await ask(clients, tally, 'decision', 'compliance', '/access/v1/evaluation', {
      token: clients.tokens.service, headers: { 'x-acgs-application': APPLICATION, 'x-acgs-min-revision': String(least) },
      body: { subject: { type: 'Agent', id: 'alpha' }, action: { name: 'sendPayment' }, resource: { type: 'Account', id: 'acme' }, context: { amount: AMOUNT, humanApproved: true } },
    }, [200, 409])
    if (reply === null) return
    const elapsed = performance.now() - begun
    if (reply.status === 409) {
      if (isFirst) tally.waited.times++
      tally.waited.longestMs = Math.max(tally.waited.longestMs, elapsed)
      if (elapsed < REVISION_MS) continue
      tally.failed.push(`decision: revision ${least} was not there within ${REVISION_MS / 1000} s: ${JSON.stringify(reply.body).slice(0, 300)}`)
      return
    }
    const { decision, context: { revision } } = reply.body
    const limit = activated.limits.get(revision)
    if (revision < least) tally.older.push(`asked for revision ${least}, decided by ${revision}`)
    else if (limit !== undefined && decision !== (AMOUNT <= limit)) tally.older.push(`revision ${revision} allows at most ${limit}, and ${AMOUNT} was ${decision ? 'permitted' : 'denied'}`)
    return
  }
}

async function look(clients: Clients, tally: Tally): Promise<void> {
  await ask(clients, tally, 'status', 'platform', pick(clients.random, ['/api/v1/status', '/health', '/api/v1/status']), {}, [200])
}

/** Proposes, approves and activates the next certificate, and has everybody ask for that revision from the moment on that the reply is here. */
export async function activateNext(clients: Clients, tally: Tally, activated: Activated, certificates: readonly Limit[]): Promise<number> {
  const revisions = `/api/v1/applications/${APPLICATION}/revisions`
  const { author, council } = clients.tokens
  const step = async (front: Front, path: string, request: Request, status: number): Promise<any> => {
    const reply = await ask(clients, tally, 'revision', front, path, request, [status])
    if (reply === null) throw new Error(`no revision could be activated: ${tally.failed.at(-1) ?? ''}`)
    return reply.body
  }
  const at = certificates.findIndex(({ limit }) => limit === activated.limits.get(activated.newest))
  const [present, next] = [certificates[at], certificates[(at + 1) % certificates.length] as Limit]
  const { revision, digest } = await step('platform', revisions, { token: author, body: present === undefined ? { add: [next.id] } : { replace: [{ certificate: present.id, by: next.id }] } }, 201)
  const { approval_token } = await step('auth', '/api/v1/auth/approvals', { token: council, body: { application: APPLICATION, revision, digest } }, 200)
  await step('platform', `${revisions}/${revision}/approvals`, { token: council, body: { approval_token } }, 200)
  activated.limits.set(revision, next.limit)
  await step('platform', `${revisions}/${revision}/activate`, { token: council, body: {} }, 200)
  activated.newest = revision
  tally.records.activated.add(revision)
  return revision
}

/** Puts the application that revisions are activated for, and whom decisions are asked about. */
export async function putApplication(clients: Clients): Promise<void> {
  await put(clients, '', { schema: schemaOfApplication() })
  await put(clients, '/entities', { entities: JSON.parse(readFileSync(new URL('../../packs/ai-agents/entities.json', import.meta.url), 'utf8')) })
}

async function put({ url, tokens }: Clients, path: string, body: object): Promise<void> {
  const response = await fetch(`${url.platform}/api/v1/applications/${APPLICATION}${path}`, { method: 'PUT', headers: { authorization: `Bearer ${tokens.author}`, 'content-type': 'application/json' }, body: JSON.stringify(body) })
  const text = await response.text()
  if (!response.ok) throw new Error(`the application${path}: ${response.status} ${text}`)
}

/** A certificate, and the amount up to which it permits payments. */
export type Limit = { readonly id: string; readonly limit: number }

type Request = { readonly token?: string; readonly body?: object; readonly headers?: Readonly<Record<string, string>> }

/** One request of a client; null when it failed, which is noted. Nothing is ever sent a second time in silence. */
async function ask({ url, tokens }: Clients, tally: Tally, kind: Kind, front: Front, path: string, { token = tokens.author, body, headers = {} }: Request, expected: readonly number[]): Promise<Reply | null> {
  tally.requests[kind]++
  const begun = performance.now()
  const method = body === undefined ? 'GET' : 'POST'
  try {
    const response = await fetch(`${url[front]}${path}`, {
      method, headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }), signal: AbortSignal.timeout(PATIENCE_MS),
    })
    const text = await response.text()
    if (!expected.includes(response.status)) {
      tally.failed.push(`${kind}: ${method} ${path}: ${response.status} ${shown(text)}`)
      return null
    }
    return { status: response.status, body: JSON.parse(text) }
  } catch (error) {
    tally.failed.push(`${kind}: ${method} ${path}: no reply: ${reasonOf(error)}`)
    return null
  } finally {
    tally.longestMs[kind] = Math.max(tally.longestMs[kind], performance.now() - begun)
  }
}

function reasonOf(error: unknown): string {
  const { cause, message } = error as { cause?: { code?: string; message?: string }; message: string }
  return cause?.code ?? cause?.message ?? message
}

/** The balancer answers with a page of its own when nobody is behind it. */
function shown(text: string): string {
  return (/<title>(.*?)<\/title>/.exec(text)?.[1] ?? text).slice(0, 300)
}

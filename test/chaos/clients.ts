import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { pick, type Random } from '#core/proof/random-world.ts'

/** What a client was told of one request that had ended: by a reply, by reading it later, or by the last of its events. */
export type Told = { readonly id: string; readonly verdict: 'certified' | 'refused' | 'undetermined'; readonly certificate: string | null; readonly ledger: number | null }

/** Everything that clients sent and were told. */
export type Records = {
  readonly told: Told[]
  /** By key: every id that was ever named for it. There must be one. */
  readonly ids: Map<string, Set<string>>
  /** Revisions that somebody was told are active. */
  readonly activated: Set<number>
  /** Replies that nobody should get. */
  readonly wrong: string[]
  readonly count: { requests: number; broken: number; sync: number; async: number; keyed: number; inFlight: number; followed: number }
}

/** Whom to ask, and as whom. */
export type Asking = {
  readonly random: Random
  /** The platforms that run at this moment. */
  readonly platforms: () => readonly string[]
  readonly auth: string
  readonly tokens: { readonly author: string; readonly council: string }
  readonly signal: AbortSignal
  /** Waits until something new may be begun: not while everything is looked at, which would take ever longer. */
  readonly turn: () => Promise<void>
}

export const APPLICATION = 'chaos'
const DOMAIN = 'ai-agents'
const PATIENCE_MS = 60_000

type Reply = { readonly status: number; readonly body: any }

export function newRecords(): Records {
  return { told: [], ids: new Map(), activated: new Set(), wrong: [], count: { requests: 0, broken: 0, sync: 0, async: 0, keyed: 0, inFlight: 0, followed: 0 } }
}

/** One request after the other, each of another kind and text, until the signal. */
export async function generateForever(asking: Asking, records: Records): Promise<void> {
  const { random, signal } = asking
  while (!signal.aborted) {
    await asking.turn()
    const kind = pick(random, ['sync', 'keyed', 'keyed', 'async', 'async', 'follow'] as const)
    await oneRequest(kind, asking, records)
  }
}

async function oneRequest(kind: 'sync' | 'keyed' | 'async' | 'follow', asking: Asking, records: Records): Promise<void> {
  const { count } = records
  const body = bodyOf(asking.random)
  count.requests++
  if (kind === 'sync') {
    count.sync++
    const reply = await send(asking, body, {})
    if (reply === null) count.broken++ // Whether it was accepted is not known: the database says.
    else noteEnd(reply, records)
    return
  }
  // Who has a key asks until it is told how the request ended, whatever breaks meanwhile.
  const key = randomUUID()
  if (kind === 'keyed') {
    count.keyed++
    for (const deadline = Date.now() + PATIENCE_MS; ; await sleep(150)) {
      const reply = await send(asking, body, { 'idempotency-key': key })
      if (reply === null) count.broken++
      else if (reply.status === 409) count.inFlight++
      else if (reply.status !== 503) {
        noteEnd(reply, records)
        noteId(key, reply.body.generation_id, records)
        return
      }
      if (reply !== null) noteId(key, reply.body.generation_id, records)
      if (asking.signal.aborted) return
      if (Date.now() > deadline) return void records.wrong.push(`key ${key} was not answered within ${PATIENCE_MS / 1000} s; the last reply was ${reply === null ? 'none' : `${reply.status} ${JSON.stringify(reply.body).slice(0, 300)}`}`)
    }
  }
  count.async++
  let id: string | null = null
  while (id === null) {
    const reply = await send(asking, body, { 'idempotency-key': key, prefer: 'respond-async' })
    if (reply === null) count.broken++
    else if (reply.status === 202) id = reply.body.generation_id as string
    else if (reply.status !== 503) return void records.wrong.push(`respond-async: ${reply.status} ${JSON.stringify(reply.body).slice(0, 300)}`)
    if (asking.signal.aborted && id === null) return
  }
  noteId(key, id, records)
  if (kind === 'follow') await follow(asking, id, records)
  await readUntilEnd(asking, id, records)
}

/** Follows the events, from stream to stream, until the last. */
async function follow(asking: Asking, id: string, records: Records): Promise<void> {
  records.count.followed++
  const seen: string[] = []
  for (const deadline = Date.now() + PATIENCE_MS; Date.now() < deadline; await sleep(100)) {
    try {
      const response = await fetch(`${pick(asking.random, asking.platforms())}/api/v1/generations/${id}/events`, {
        headers: { authorization: `Bearer ${asking.tokens.author}`, ...(seen.length === 0 ? {} : { 'last-event-id': seen.at(-1) as string }) }, signal: AbortSignal.timeout(PATIENCE_MS),
      })
      if (response.status !== 200) {
        await response.arrayBuffer()
        if (response.status < 500) return void records.wrong.push(`events of ${id}: ${response.status}`)
        continue
      }
      let text = ''
      for await (const piece of response.body ?? []) {
        text += new TextDecoder().decode(piece)
        for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
          const eventId = /^id: (.*)$/m.exec(text.slice(0, end))?.[1]
          text = text.slice(end + 2)
          if (eventId === undefined) continue
          if (seen.includes(eventId)) records.wrong.push(`event ${eventId} of ${id} came twice`)
          seen.push(eventId)
        }
      }
    } catch {
      records.count.broken++
    }
    if (seen.at(-1) === 'end') return
  }
  records.wrong.push(`the events of ${id} did not end: ${seen.join(' ')}`)
}

async function readUntilEnd(asking: Asking, id: string, records: Records): Promise<void> {
  for (const deadline = Date.now() + PATIENCE_MS; ; await sleep(150)) {
    const reply = await ask(asking, `/api/v1/generations/${id}`, {})
    if (reply?.status === 200 && reply.body.state === 'finished') {
      const { verdict, certificate_id, ledger } = reply.body
      records.told.push({ id, verdict, certificate: certificate_id, ledger: ledger.index })
      return
    }
    if (reply !== null && reply.status !== 503 && (reply.status !== 200 || reply.body.state !== 'accepted')) return void records.wrong.push(`${id}: ${reply.status} ${JSON.stringify(reply.body).slice(0, 300)}`)
    if (Date.now() > deadline) return void records.wrong.push(`${id} was accepted and has not ended within ${PATIENCE_MS / 1000} s`)
    if (asking.signal.aborted) return // The audit sees to it that it ends.
  }
}

/** Proposes, approves and activates one revision after the other, until the signal; what breaks is begun anew from what is there. */
export async function activateForever(asking: Asking, records: Records, certificates: readonly string[]): Promise<void> {
  const revisions = `/api/v1/applications/${APPLICATION}/revisions`
  const { author, council } = asking.tokens
  while (!asking.signal.aborted) {
    await sleep(50)
    await asking.turn()
    const list = await ask(asking, revisions, {})
    if (list?.status !== 200) continue
    const active = (list.body.revisions as { revision: number; is_active: boolean; certificates: { id: string }[] }[]).find(({ is_active }) => is_active)
    const present = active?.certificates[0]?.id
    const next = pick(asking.random, certificates.filter((each) => each !== present))
    const proposed = await ask(asking, revisions, { token: author, body: present === undefined ? { add: [next] } : { replace: [{ certificate: present, by: next }] } })
    if (proposed?.status !== 201) continue
    const { revision, digest } = proposed.body as { revision: number; digest: string }
    const approval = await ask(asking, `${asking.auth}/api/v1/auth/approvals`, { token: council, body: { application: APPLICATION, revision, digest } })
    if (approval?.status !== 200) continue
    const approved = await ask(asking, `${revisions}/${revision}/approvals`, { token: council, body: { approval_token: approval.body.approval_token } })
    if (approved?.status !== 200) continue
    const activated = await ask(asking, `${revisions}/${revision}/activate`, { token: council, body: {} })
    if (activated?.status === 200) records.activated.add(revision)
    else if (activated !== null && ![409, 503].includes(activated.status)) records.wrong.push(`activation of ${revision}: ${activated.status} ${JSON.stringify(activated.body).slice(0, 300)}`)
  }
}

/** The schema of {@link APPLICATION}. */
export function schemaOfApplication(): string {
  return readFileSync(new URL(`../../packs/${DOMAIN}/schema.cedarschema`, import.meta.url), 'utf8')
}

/** An application for the revisions, and certificates to make them of. */
export async function prepare(asking: Asking): Promise<readonly string[]> {
  const schema = schemaOfApplication()
  const put = await ask(asking, `/api/v1/applications/${APPLICATION}`, { method: 'PUT', body: { schema } })
  if (put?.status !== 201) throw new Error(`the application: ${put?.status} ${JSON.stringify(put?.body)}`)
  return Promise.all([1, 2, 3].map(async (n) => {
    const reply = await send(asking, { title: `Limit ${n}`, description: `Agents may send payments if a human has approved and the amount is at most ${1_000 + n}. Every payment must be logged.`, context: { domain: DOMAIN } }, {})
    if (reply?.status !== 200) throw new Error(`a certificate: ${reply?.status} ${JSON.stringify(reply?.body).slice(0, 500)}`)
    return reply.body.certificate.id as string
  }))
}

/** Mostly what can be certified, some of it refused or undetermined; never the same text twice. */
export function bodyOf(random: Random): object {
  const n = Math.floor(random() * 1_000_000)
  const description = pick(random, [
    `Agents may send payments if a human has approved and the amount is at most ${n}. Every payment must be logged.`,
    `Users may send payments if the amount does not exceed ${n}. Agents may delete files only if a human has approved. Every deletion must be logged.`,
    `Cleared agents may read files unless the file is confidential and the size of the file is over ${n}.`,
    `Agents may read and delete any file if the size of the file is below ${n}. Users may stop agents.`,
    `Agents may read files. Gloomy agents must not frobnicate ${n} files on Tuesdays.`,
  ])
  return { title: `Chaos ${n}`, description, context: { domain: DOMAIN } }
}

const send = (asking: Asking, body: object, headers: Record<string, string>) => ask(asking, '/api/v1/generate-policy', { body, headers })

/** One question to any platform that runs, or to an address; null when the connection broke. */
async function ask({ random, platforms, tokens }: Asking, path: string, { token = tokens.author, body, method = body === undefined ? 'GET' : 'POST', headers = {} }: { token?: string; body?: object; method?: string; headers?: Record<string, string> }): Promise<Reply | null> {
  try {
    const response = await fetch(path.startsWith('/') ? `${pick(random, platforms())}${path}` : path, {
      method, headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }), signal: AbortSignal.timeout(PATIENCE_MS),
    })
    return { status: response.status, body: await response.json() }
  } catch {
    return null
  }
}

function noteEnd({ status, body }: Reply, records: Records): void {
  const verdict = status === 200 ? 'certified' : body.code === 'POLICY_REFUSED' ? 'refused' : body.code === 'POLICY_UNDETERMINED' ? 'undetermined' : null
  if (verdict !== null) records.told.push({ id: body.generation_id, verdict, certificate: body.certificate?.id ?? null, ledger: body.ledger?.index ?? null })
  else if (status !== 503) records.wrong.push(`${status} ${JSON.stringify(body).slice(0, 300)}`)
}

function noteId(key: string, id: string | undefined, { ids }: Records): void {
  if (id === undefined) return
  const named = ids.get(key) ?? new Set()
  ids.set(key, named.add(id))
}

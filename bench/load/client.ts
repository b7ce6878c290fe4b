import { Agent, request as send } from 'node:http'
import { seeded } from '#core/proof/random-world.ts'
import { request } from './requests.ts'

/** Generations to send: by so many clients, each of which waits for its reply before it sends the next, or as they come, so many a second. */
export type Work = {
  /** One of several replicas each, in turn. */
  readonly urls: readonly string[]
  readonly token: string
  readonly seed: number
  /** The number of the first request. */
  readonly from: number
  readonly seconds: number
  /** No more than so many, where time does not end it before. */
  readonly atMost?: number
  readonly clients?: number
  readonly perSecond?: number
}

/** What came of it. Milliseconds; with arrivals, from the moment at which the request was due. */
export type Outcome = {
  readonly sent: number
  readonly seconds: number
  readonly served: readonly number[]
  /** Answered 429 or 503 with `Retry-After`: how long until then, and what they say. */
  readonly refused: readonly number[]
  readonly retryAfter: readonly number[]
  /** Everything else: another status, a verdict that is not the expected one, no reply. The first hundred, in words. */
  readonly errors: number
  readonly said: readonly string[]
  readonly processorMs: number
}

const SAID_MAX = 100
const REPLY_TIMEOUT_MS = 60_000

export async function work({ urls, token, seed, from, seconds, atMost = Infinity, clients, perSecond }: Work): Promise<Outcome> {
  const agent = new Agent({ keepAlive: true, maxSockets: Infinity })
  const served: number[] = []
  const refused: number[] = []
  const retryAfter: number[] = []
  const said: string[] = []
  let errors = 0
  let sent = 0
  const processor = process.cpuUsage()
  const started = performance.now()
  const isOver = () => sent >= atMost || performance.now() - started > seconds * 1000

  const one = async (due: number): Promise<void> => {
    const number = from + sent++
    const { body, outcome } = request(seed, number)
    try {
      const { status, text, retry } = await post(agent, urls[number % urls.length] as string, token, JSON.stringify(body))
      const ms = performance.now() - due
      if ((status === 429 || status === 503) && retry !== undefined) {
        refused.push(ms)
        retryAfter.push(retry)
      } else if (status === (outcome === 'certified' ? 200 : 422) && (status === 200 || text.includes('"code":"POLICY_REFUSED"'))) served.push(ms)
      else throw new Error(`${outcome} was expected, and came ${status}: ${text.slice(0, 300)}`)
    } catch (error) {
      errors++
      if (said.length < SAID_MAX) said.push(`request ${number}: ${(error as Error).message}`)
    }
  }

  if (clients !== undefined) await Promise.all(Array.from({ length: clients }, async () => { while (!isOver()) await one(performance.now()) }))
  else {
    const random = seeded(seed)
    const underWay = new Set<Promise<void>>()
    for (let due = started; sent < atMost && due - started < seconds * 1000; due += (-Math.log(1 - random()) * 1000) / (perSecond as number)) {
      const early = due - performance.now()
      if (early > 0) await new Promise((resolve) => setTimeout(resolve, early))
      const going = one(due).finally(() => underWay.delete(going))
      underWay.add(going)
    }
    await Promise.all(underWay)
  }
  agent.destroy()
  const { user, system } = process.cpuUsage(processor)
  return { sent, seconds: (performance.now() - started) / 1000, served, refused, retryAfter, errors, said, processorMs: (user + system) / 1000 }
}

function post(agent: Agent, url: string, token: string, body: string): Promise<{ status: number; text: string; retry: number | undefined }> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
    const asked = send(`${url}/api/v1/generate-policy`, { agent, method: 'POST', headers, timeout: REPLY_TIMEOUT_MS }, (reply) => {
      const chunks: Buffer[] = []
      reply.on('data', (chunk: Buffer) => chunks.push(chunk))
      reply.on('error', reject)
      reply.on('end', () => {
        const retry = reply.headers['retry-after']
        resolve({ status: reply.statusCode ?? 0, text: Buffer.concat(chunks).toString(), retry: retry === undefined ? undefined : Number(retry) })
      })
    })
    asked.on('timeout', () => asked.destroy(new Error(`no reply within ${REPLY_TIMEOUT_MS / 1000} s`)))
    asked.on('error', reject)
    asked.end(body)
  })
}

// A process of its own, so that whoever measures does not slow down what sends.
if (process.send !== undefined && import.meta.main) {
  process.once('disconnect', () => process.exit(0))
  process.on('message', (given: Work) => void work(given).then((outcome) => process.send?.(outcome)))
}

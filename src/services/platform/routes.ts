import { Failure } from '#core/failure.ts'
import type { LedgerReceipt } from '#core/generate.ts'
import { malformed } from '#core/json.ts'
import { questionsIn, withAnswers } from '#core/questions/answers.ts'
import type { GenerateBody } from '#core/unit/request.ts'
import { Answer, route, type Caller, type Input, type Route } from '#http/contract.ts'
import type { RequestProgress } from '#adapters/postgres/generation-requests.ts'
import type { GenerationFilters, GenerationRow, GenerationSummary } from '#adapters/postgres/generations.ts'
import type { z } from 'zod'
import type { Admission } from './admission.ts'
import { askedIn } from './asked.ts'
import { getGeneration, getGenerationEvents, getGenerations, getMetricsSummary, getStatus, postAnswers, postGeneratePolicy, type GenerationSummary as Shown } from './contract.ts'
import { answerWith, readOutcome } from './outcome.ts'
import type { Progress } from './progress.ts'
import type { Requests } from './requests.ts'

/** What the platform's operations do, as functions; `start.ts` makes them. */
export type Use = {
  readonly requests: Pick<Requests, 'accept' | 'undertake' | 'progress'>
  readonly admission: Admission
  readonly follow: Progress['follow']
  readonly list: (filters: GenerationFilters) => Promise<{ generations: readonly GenerationSummary[]; next: string | null }>
  readonly read: (id: string) => Promise<(GenerationRow & { readonly ledger: LedgerReceipt }) | null>
  readonly status: () => Promise<z.input<(typeof getStatus)['reply']>>
  readonly summary: () => Promise<z.input<(typeof getMetricsSummary)['reply']>>
}

export function routes(use: Use): Route[] {
  /** A request of the caller's. One that ended long ago is known by its generation alone. */
  const own = async (id: string, caller: Caller): Promise<RequestProgress> => {
    const there = (await use.requests.progress(id)) ?? endedLongAgo(await use.read(id))
    if (there === null || !isTheirs(there.subject, caller)) throw none(id)
    return there
  }
  // Who goes away before its turn has come is not accepted; what was accepted goes on without its client.
  const carryOut = async (body: GenerateBody, { caller, headers, signal }: Pick<Input<typeof postGeneratePolicy>, 'caller' | 'headers' | 'signal'>) => {
    const { key, isAsync } = askedIn(headers)
    if (isAsync) {
      const { id, at } = await use.requests.accept(body, caller, key)
      const location = `/api/v1/generations/${id}`
      return new Answer({ generation_id: id, status: 'accepted' as const, accepted_at: at.toISOString(), location }, { status: 202, headers: { location, 'preference-applied': 'respond-async' } })
    }
    const leave = await use.admission.enter(signal)
    try {
      const { outcome, ledger } = await (await use.requests.undertake(body, caller, key)).ended
      return answerWith(outcome, ledger)
    } finally {
      leave()
    }
  }
  return [
    route(postGeneratePolicy, async ({ body, ...input }) => {
      if (body.context.revises !== undefined) throw malformed([{ place: 'body.context.revises', message: `is set by answers alone: send them to /api/v1/generations/${body.context.revises}/answers` }])
      return carryOut(body, input)
    }),

    route(postAnswers, async ({ params: { id }, body: { answers }, ...input }) => {
      const standing = await use.requests.progress(id)
      if (standing?.state === 'accepted' && standing.subject === input.caller.subject) {
        throw new Failure('CONFLICT', `generation \`${id}\` is under way, and asks nothing yet: read it until it has ended`, { details: { reason: 'in_flight', generation_id: id } })
      }
      const row = await use.read(id)
      if (row === null || row.user_id !== input.caller.subject) throw none(id)
      return carryOut(withAnswers({ id, request: row.request, evidence: row.evidence }, answers), input)
    }),

    route(getGenerations, async ({ query: { from, to, cursor, limit, ...filters }, caller }) => {
      const { generations, next } = await use.list({
        ...stated(filters),
        limit,
        ...(cursor === undefined ? {} : { cursor }),
        ...(from === undefined ? {} : { from: new Date(from) }),
        ...(to === undefined ? {} : { to: new Date(to) }),
        ...(seesAll(caller) ? {} : { userId: caller.subject }),
      })
      return { generations: generations.map(summaryOf), next_cursor: next }
    }),

    route(getGeneration, async ({ params: { id }, caller }) => {
      // In this order: what has ended in between is there.
      const standing = await use.requests.progress(id)
      if (standing !== null && standing.state !== 'finished' && isTheirs(standing.subject, caller)) return standingOf(standing)
      const row = await use.read(id)
      if (row === null || !isTheirs(row.user_id, caller)) throw none(id)
      return { state: 'finished' as const, ...summaryOf(row), policy_content: row.policy_content, certificate: row.certificate, request: row.request, generation: row.evidence, ledger: row.ledger, revises: revisedBy(row), questions: questionsOf(row) }
    }),

    route(getGenerationEvents, async ({ params: { id }, caller, headers, signal }) => {
      const standing = await own(id, caller)
      const last = headers['last-event-id']
      const events = use.follow(standing, typeof last === 'string' ? last : null, signal)
      return events === null ? new Answer('', { status: 204 }) : Answer.stream(events, { 'content-type': 'text/event-stream; charset=utf-8', 'x-accel-buffering': 'no' })
    }),

    route(getStatus, () => use.status()),
    route(getMetricsSummary, () => use.summary()),
  ]
}

function revisedBy({ request }: GenerationRow): string | null {
  const { context } = request as { context?: { revises?: string } }
  return context?.revises ?? null
}

function questionsOf({ evidence }: GenerationRow) {
  return questionsIn(evidence).map(({ about, question }) => ({ ...question, norm: 'norm' in about ? about.norm : null, at_most: 'norm' in about ? null : about.atMost }))
}

function standingOf({ generation_id, state, accepted_at, attempt, steps, outcome }: RequestProgress): z.input<(typeof getGeneration)['reply']> {
  const last = steps.at(-1)
  const standing = { generation_id, accepted_at: accepted_at.toISOString(), attempt, step: last?.step ?? null, since: last?.at ?? accepted_at.toISOString(), steps: [...steps] }
  if (state === 'accepted') return { state, ...standing }
  const told = outcome === null ? null : readOutcome(outcome)
  if (told?.kind !== 'problem') throw new Error(`what failed has no problem: ${generation_id}`)
  return { state: 'failed', ...standing, problem: { ...told.details, code: told.code, detail: told.detail } }
}

function endedLongAgo(row: GenerationRow | null): RequestProgress | null {
  if (row === null) return null
  const { generation_id, user_id, created_at, generation_time_ms } = row
  return { generation_id, subject: user_id ?? '', request_digest: '', state: 'finished', accepted_at: created_at, ended_at: new Date(created_at.getTime() + generation_time_ms), attempt: 1, steps: [], outcome: null }
}

/** Someone else's is answered like none: whether it exists is not theirs to know. */
function isTheirs(subject: string | null, caller: Caller): boolean {
  return seesAll(caller) || subject === caller.subject
}

function none(id: string): Failure {
  return new Failure('NOT_FOUND', `there is no generation \`${id}\``)
}

function seesAll(caller: Caller): boolean {
  return caller.roles.includes('operator')
}

function summaryOf(row: GenerationSummary): z.input<typeof Shown> {
  return {
    generation_id: row.generation_id,
    title: row.title,
    verdict: row.verdict,
    priority: row.priority,
    constitutional_compliance_score: row.constitutional_compliance_score,
    semantic_hash: row.semantic_hash ?? '',
    violated_articles: row.violated_articles,
    certificate_id: row.certificate_id,
    user_id: row.user_id ?? '',
    created_at: row.created_at.toISOString(),
  }
}

/** The members that were given. */
function stated<T extends object>(filters: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(filters).filter(([, value]) => value !== undefined)) as { [K in keyof T]?: Exclude<T[K], undefined> }
}

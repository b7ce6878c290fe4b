import { z } from 'zod'

import { canonical } from '#core/canonical.ts'
import { GenerateBody } from '#core/unit/request.ts'
import type { Queryable } from './connect.ts'

/** What the flow of a generation has come to: `attempt` counts from 1, `at` is when the step began. */
export const StepRow = z.object({ attempt: z.number().int(), step: z.enum(['propose', 'measure', 'prove', 'certify', 'append']), at: z.iso.datetime() })
export type StepRow = z.infer<typeof StepRow>

/** A request that somebody is to finish. */
const TakenRow = z.object({
  generation_id: z.string(), subject: z.string(), idempotency_key: z.string().nullable(), request: GenerateBody, accepted_at: z.date(),
  attempt: z.number().int(), silent: z.number().int(), postponed: z.number().int(), steps: z.array(StepRow),
})
export type AcceptedRequest = {
  readonly id: string
  readonly subject: string
  readonly key: string | null
  readonly body: GenerateBody
  readonly at: Date
  /** This attempt's number. */
  readonly attempt: number
  /** How many attempts in a row, this one included, have not said how they ended. */
  readonly silent: number
  readonly postponed: number
  /** What earlier attempts have told. */
  readonly steps: readonly StepRow[]
}

const ProgressRow = z.object({
  generation_id: z.string(), subject: z.string(), request_digest: z.string(), state: z.enum(['accepted', 'finished', 'failed']), accepted_at: z.date(), ended_at: z.date().nullable(),
  attempt: z.number().int(), steps: z.array(StepRow), outcome: z.string().nullable(),
})
/** How a request stands. */
export type RequestProgress = z.infer<typeof ProgressRow>

/** How long a request that is not understood here is left to others. */
const FOREIGN_PAUSE_SECONDS = 10

const TAKEN = 'generation_id, subject, idempotency_key, request, accepted_at, attempt, silent, postponed, steps'
const PROGRESS = 'generation_id, subject, request_digest, state, accepted_at, ended_at, attempt, steps, outcome'

/**
 * Writes a request down: from here on it will be finished, whoever dies.
 *
 * @param holder Who begins at once; null leaves it to whoever takes it.
 * @returns False when the subject has used its key already: nothing was written.
 */
export async function acceptRequest(db: Queryable, request: Pick<AcceptedRequest, 'id' | 'subject' | 'key' | 'body' | 'at'> & { readonly digest: string }, holder: string | null, holdSeconds: number): Promise<boolean> {
  const { rowCount } = await db.query(
    `insert into generation_requests (generation_id, subject, idempotency_key, request_digest, request, state, accepted_at, attempt, silent, held_by, held_until)
     values ($1, $2, $3, $4, $5, 'accepted', $6, $7, $7, $8, now() + make_interval(secs => $9))
     on conflict (subject, idempotency_key) where idempotency_key is not null do nothing`,
    [request.id, request.subject, request.key, request.digest, canonical(request.body), request.at, holder === null ? 0 : 1, holder, holder === null ? 0 : holdSeconds],
  )
  return rowCount === 1
}

/** How a request stands; null when there is none of that id, or it ended too long ago. */
export async function readRequest(db: Queryable, id: string): Promise<RequestProgress | null> {
  if (id.includes('\0')) return null
  return progressOf(await db.query(`select ${PROGRESS} from generation_requests where generation_id = $1`, [id]))
}

/** How the request stands that a subject has sent with a key. */
export async function readRequestByKey(db: Queryable, subject: string, key: string): Promise<RequestProgress | null> {
  return progressOf(await db.query(`select ${PROGRESS} from generation_requests where subject = $1 and idempotency_key = $2`, [subject, key]))
}

/**
 * Takes the request that has waited longest for somebody to work on it; null when there is none.
 *
 * @param mine Ids that this process is working on, whatever the clock says.
 */
export async function takeRequest(db: Queryable, holder: string, holdSeconds: number, mine: readonly string[]): Promise<AcceptedRequest | null> {
  const { rows } = await db.query(
    `update generation_requests set held_by = $1, held_until = now() + make_interval(secs => $2), attempt = attempt + 1, silent = silent + 1
     where generation_id = (
       select generation_id from generation_requests
       where state = 'accepted' and held_until <= now() and generation_id <> all ($3)
       order by held_until limit 1 for update skip locked)
     returning ${TAKEN}`,
    [holder, holdSeconds, mine],
  )
  if (rows[0] === undefined) return null
  const taken = TakenRow.safeParse(rows[0])
  if (!taken.success) {
    // Of a release that knows more than this one: a process of that one will understand it.
    await postponeRequest(db, holder, z.object({ generation_id: z.string() }).parse(rows[0]).generation_id, FOREIGN_PAUSE_SECONDS)
    return null
  }
  const { generation_id, subject, idempotency_key, request, accepted_at, attempt, silent, postponed, steps } = taken.data
  return { id: generation_id, subject, key: idempotency_key, body: request, at: accepted_at, attempt, silent, postponed, steps }
}

/** Says that its holder still works on these, and how far each has come. What somebody else has taken meanwhile stays theirs. */
export async function keepRequests(db: Queryable, holder: string, holdSeconds: number, held: readonly { readonly id: string; readonly steps: readonly StepRow[] }[]): Promise<void> {
  await db.query(
    `update generation_requests set held_until = now() + make_interval(secs => $2), steps = told.steps
     from unnest($3::text[], $4::jsonb[]) as told (id, steps)
     where generation_id = told.id and held_by = $1 and state = 'accepted'`,
    [holder, holdSeconds, held.map(({ id }) => id), held.map(({ steps }) => JSON.stringify(steps))],
  )
}

/**
 * Ends a request, in the transaction that stores what came of it.
 *
 * @returns False when somebody else has ended it: then nothing else of this transaction may be kept.
 */
export async function endRequest(tx: Queryable, id: string, end: { readonly state: 'finished' | 'failed'; readonly at: Date; readonly steps: readonly StepRow[]; readonly outcome: string | null }): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update generation_requests set state = $2, ended_at = $3, steps = $4, outcome = $5, request = null, held_by = null
     where generation_id = $1 and state = 'accepted'`,
    [id, end.state, end.at, JSON.stringify(end.steps), end.outcome],
  )
  return rowCount === 1
}

/** Lays a request aside because something that it needs is away. */
export async function postponeRequest(db: Queryable, holder: string, id: string, pauseSeconds: number): Promise<void> {
  await db.query(
    `update generation_requests set held_by = null, held_until = now() + make_interval(secs => $3), silent = 0, postponed = postponed + 1
     where generation_id = $2 and held_by = $1 and state = 'accepted'`,
    [holder, id, pauseSeconds],
  )
}

/** Leaves everything that a holder works on to others, at once. @returns How many. */
export async function releaseRequests(db: Queryable, holder: string): Promise<number> {
  const { rowCount } = await db.query(`update generation_requests set held_by = null, held_until = now() where held_by = $1 and state = 'accepted'`, [holder])
  return rowCount ?? 0
}

/** How many requests nobody works on at this moment, how many somebody does, and how long the oldest of all has been accepted. */
export async function queueOfRequests(db: Queryable): Promise<{ readonly waiting: number; readonly underWay: number; readonly oldestSeconds: number }> {
  const { rows } = await db.query(
    `select count(*) filter (where held_until <= now() or held_by is null)::int as waiting, count(*) filter (where held_until > now() and held_by is not null)::int as under_way,
       coalesce(greatest(extract(epoch from now() - min(accepted_at)), 0), 0)::float8 as oldest
     from generation_requests where state = 'accepted'`,
  )
  const { waiting, under_way, oldest } = z.object({ waiting: z.number(), under_way: z.number(), oldest: z.number() }).parse(rows[0])
  return { waiting, underWay: under_way, oldestSeconds: oldest }
}

/** Forgets what ended so long ago: its key may be used again. */
export async function forgetRequests(db: Queryable, keptHours: number): Promise<void> {
  await db.query(`delete from generation_requests where state <> 'accepted' and ended_at < now() - make_interval(hours => $1)`, [keptHours])
}

function progressOf({ rows }: { rows: readonly unknown[] }): RequestProgress | null {
  return rows[0] === undefined ? null : ProgressRow.parse(rows[0])
}

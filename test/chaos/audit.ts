import { setTimeout as sleep } from 'node:timers/promises'
import { verifyLedger } from '#adapters/postgres/ledger-verify.ts'
import type { Database } from '#adapters/postgres/connect.ts'
import { APPLICATION, type Records } from './clients.ts'

/** How soon what was under way must have ended, counted from the kill. */
export const WITHIN_MS = 15_000

/** What was accepted and has not ended, with the step that is known of each. */
export async function underWay(db: Database): Promise<readonly string[]> {
  return (await db.query<{ id: string }>(`select generation_id as id from generation_requests where state = 'accepted'`)).rows.map(({ id }) => id)
}

/** Waits until all of these have ended. @returns Milliseconds since the kill; null when some have not within {@link WITHIN_MS}. */
export async function untilEnded(db: Database, ids: readonly string[], killedAt: number): Promise<number | null> {
  for (;;) {
    const { rows } = await db.query(`select from generation_requests where generation_id = any ($1) and state = 'accepted' limit 1`, [ids])
    const took = performance.now() - killedAt
    if (rows.length === 0) return took
    if (took > WITHIN_MS) return null
    await sleep(50)
  }
}

/** How those stand that have not ended: for whoever has to find out why. */
export async function standing(db: Database, ids: readonly string[]): Promise<string> {
  const { rows } = await db.query(
    `select generation_id, attempt, silent, postponed, held_by, round(extract(epoch from held_until - now()), 1) as held_seconds, round(extract(epoch from now() - accepted_at), 1) as age_seconds, steps
     from generation_requests where generation_id = any ($1) and state = 'accepted'`, [ids])
  return JSON.stringify(rows)
}

/** Questions whose answer is a list of what is wrong. */
const QUESTIONS: Readonly<Record<string, string>> = {
  'finished, and no generation is stored': `select r.generation_id as what from generation_requests r left join policy_generations g using (generation_id) where r.state = 'finished' and g.generation_id is null`,
  'a generation is stored, and the request has not ended as finished': `select g.generation_id as what from policy_generations g join generation_requests r using (generation_id) where r.state <> 'finished'`,
  'a request failed': `select generation_id || ' ' || outcome as what from generation_requests where state = 'failed'`,
  // The release before this stores none of the three.
  'of diagnostic, unit and checks some are stored, and not all': `select g.generation_id as what from policy_generations g cross join lateral (select 'diag_' || substr(g.generation_id, 5) as id) d where 1 < (select count(distinct n) from (values ((select count(*) from system_diagnostics s where s.diagnostic_id = d.id)), ((select count(*) from lsu_records l where l.diagnostic_id = d.id)), ((select least(count(*), 1) from stabilizer_executions e join system_diagnostics s on s.id = e.diagnostic where s.diagnostic_id = d.id))) as counts (n))`,
  'a diagnostic without its generation': `select s.diagnostic_id as what from system_diagnostics s left join policy_generations g on g.generation_id = s.target_system where s.kind = 'generation' and g.generation_id is null`,
  'not exactly one ledger entry': `select g.generation_id || ' has ' || count(e.index) as what from policy_generations g left join ledger_entries e on e.subject = g.generation_id group by g.generation_id having count(e.index) <> 1`,
  'a ledger entry without its generation': `select e.subject as what from ledger_entries e left join policy_generations g on g.generation_id = e.subject where e.kind like 'generation.%' and g.generation_id is null`,
  'a certificate twice': `select certificate_id as what from policy_generations where certificate_id is not null group by 1 having count(*) > 1`,
  'active, and not activated or not signed': `select a.name || ' ' || a.active_revision as what from applications a left join revisions r on r.application = a.name and r.number = a.active_revision where a.active_revision is not null and (r.activated_at is null or r.bundle is null)`,
  'activated, and not exactly one ledger entry says so': `select r.application || ' ' || r.number as what from revisions r left join (select subject, entry::jsonb -> 'subject' ->> 'revision' as revision, count(*) from ledger_entries where kind = 'revision.activated' group by 1, 2) e on e.subject = r.application and e.revision = r.number::text where r.activated_at is not null and coalesce(e.count, 0) <> 1`,
  'the ledger says activated, and the revision does not': `select e.entry as what from ledger_entries e where e.kind = 'revision.activated' and not exists (select from revisions r where r.application = e.subject and r.number::text = e.entry::jsonb -> 'subject' ->> 'revision' and r.activated_at is not null and r.bundle is not null)`,
  'not the newest activation decides': `select a.name as what from applications a where a.active_revision <> (select (entry::jsonb -> 'subject' ->> 'revision')::int from ledger_entries e where e.kind = 'revision.activated' and e.subject = a.name order by index desc limit 1)`,
}

/** Everything that must hold at any moment. @param from Of what clients were told, the first that was not looked at before. */
export async function audit(db: Database, records: Records, from: number): Promise<readonly string[]> {
  const problems: string[] = [...records.wrong]
  for (const [what, sql] of Object.entries(QUESTIONS)) for (const row of (await db.query<{ what: string }>(sql)).rows) problems.push(`${what}: ${row.what}`)
  const ledger = await verifyLedger(db)
  if (!ledger.valid) problems.push(`the ledger: ${JSON.stringify(ledger.problems.slice(0, 3))}`)
  for (const [key, ids] of records.ids) if (ids.size > 1) problems.push(`key ${key} stands for ${[...ids].join(' and ')}`)

  const told = records.told.slice(from)
  const { rows } = await db.query<{ id: string; verdict: string; certificate: string | null; ledger: string }>(
    `select generation_id as id, verdict, certificate_id as certificate, (select index from ledger_entries e where e.subject = g.generation_id) as ledger from policy_generations g where generation_id = any ($1)`,
    [told.map(({ id }) => id)],
  )
  const stored = new Map(rows.map((row) => [row.id, row]))
  for (const each of told) {
    const there = stored.get(each.id)
    const isSame = there !== undefined && there.verdict === each.verdict && there.certificate === each.certificate && Number(there.ledger) === each.ledger
    if (!isSame) problems.push(`told ${JSON.stringify(each)}, stored ${JSON.stringify(there ?? null)}`)
  }
  const activated = new Set((await db.query<{ number: number }>('select number from revisions where application = $1 and activated_at is not null', [APPLICATION])).rows.map(({ number }) => number))
  for (const revision of records.activated) if (!activated.has(revision)) problems.push(`revision ${revision} was said to be active, and never was`)
  return problems
}

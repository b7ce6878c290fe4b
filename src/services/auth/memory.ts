import type { Adapter, AdapterPayload } from 'oidc-provider'
import type { Queryable } from '#adapters/postgres/connect.ts'
import { errors } from './library.ts'

/** How many expired rows each new one takes away: more than one, so that they cannot pile up; few, so that no request pays for many. */
const SWEPT_PER_INSERT = 20

type Row = { payload: AdapterPayload; consumed_at: Date | null }

/**
 * What the OAuth implementation remembers, in PostgreSQL: it survives restarts, and replicas share it.
 *
 * A use of a client assertion is inserted and never replaced: of two requests that bring the same one at the same moment, one fails.
 */
export function memoryIn(db: Queryable): (model: string) => Adapter {
  return (model) => ({
    async upsert(id, payload, expiresIn) {
      const onlyOnce = model === 'ReplayDetection'
      const { rowCount } = await db.query(
        `with swept as (
           delete from auth.oidc_payloads where (model, id) in (
             select model, id from auth.oidc_payloads where expires_at < now() and (model, id) <> ($1, $2) order by expires_at limit ${SWEPT_PER_INSERT} for update skip locked))
         insert into auth.oidc_payloads as known (model, id, payload, grant_id, user_code, uid, expires_at)
         values ($1, $2, $3, $4, $5, $6, now() + make_interval(secs => $7))
         on conflict (model, id) do update set
           payload = excluded.payload, grant_id = excluded.grant_id, user_code = excluded.user_code, uid = excluded.uid, expires_at = excluded.expires_at
           where not $8 or known.expires_at < now()`,
        [model, id, JSON.stringify(payload), payload.grantId ?? null, payload.userCode ?? null, payload.uid ?? null, expiresIn ?? null, onlyOnce],
      )
      if (rowCount === 0) throw new errors.InvalidClientAuth('client assertion tokens must only be used once')
    },
    find: (id) => first(db, 'model = $1 and id = $2', [model, id]),
    findByUserCode: (code) => first(db, 'model = $1 and user_code = $2', [model, code]),
    findByUid: (uid) => first(db, 'model = $1 and uid = $2', [model, uid]),
    async consume(id) {
      await db.query('update auth.oidc_payloads set consumed_at = now() where model = $1 and id = $2 and consumed_at is null', [model, id])
    },
    async destroy(id) {
      await db.query('delete from auth.oidc_payloads where model = $1 and id = $2', [model, id])
    },
    async revokeByGrantId(grantId) {
      await db.query('delete from auth.oidc_payloads where grant_id = $1', [grantId])
    },
  })
}

async function first(db: Queryable, where: string, values: unknown[]): Promise<AdapterPayload | undefined> {
  const { rows } = await db.query<Row>(
    `select payload, consumed_at from auth.oidc_payloads where ${where} and (expires_at is null or expires_at > now())`, values)
  const row = rows[0]
  if (row === undefined) return undefined
  return row.consumed_at === null ? row.payload : { ...row.payload, consumed: Math.floor(row.consumed_at.getTime() / 1000) }
}

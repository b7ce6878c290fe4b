import pg from 'pg'
import type { Queryable } from './connect.ts'

/** A statement as the server counted it since its counters were reset: without the values in it. */
export type SlowStatement = { readonly query: string; readonly calls: number; readonly totalMs: number; readonly meanMs: number; readonly maxMs: number; readonly rows: number }
/** A statement that runs at this moment, or a transaction that waits for whoever opened it. */
export type ActiveStatement = { readonly pid: number; readonly application: string; readonly state: string; readonly seconds: number; readonly waits: string | null; readonly query: string }
/** What a server has counted; null, and how to make it count, where it does not. */
export type SlowQueries = { readonly server: string; readonly statements: readonly SlowStatement[] | null; readonly because: string | null; readonly since: Date | null; readonly active: readonly ActiveStatement[] }

export type Order = 'total' | 'mean' | 'max'

const COLUMNS: Readonly<Record<Order, string>> = { total: 'total_exec_time', mean: 'mean_exec_time', max: 'max_exec_time' }
const QUERY_CHARS = 2_000

/**
 * The statements on this database that took longest, and those that run now.
 *
 * Statements of other roles show their text only to a role that may read all statistics (`pg_read_all_stats`).
 */
export async function slowQueries(db: Queryable, { order, limit }: { readonly order: Order; readonly limit: number }): Promise<SlowQueries> {
  const { rows: [found] } = await db.query<{ server: string; schema: string | null; preloaded: string | null }>(
    `select current_setting('server_version') as server, (select n.nspname from pg_extension e join pg_namespace n on n.oid = e.extnamespace where e.extname = 'pg_stat_statements') as schema,
            current_setting('pg_stat_statements.max', true) as preloaded`,
  )
  const { server = '', schema = null, preloaded = null } = found ?? {}
  const active = await activeStatements(db)
  if (preloaded === null || schema === null) {
    const because = preloaded === null
      ? 'this server does not count statements: as superuser add pg_stat_statements to what `SHOW shared_preload_libraries` names, by `ALTER SYSTEM SET shared_preload_libraries = …`, restart it, then `CREATE EXTENSION pg_stat_statements` in this database'
      : 'this database cannot show what the server has counted: as superuser `CREATE EXTENSION pg_stat_statements` in it'
    return { server, statements: null, because, since: null, active }
  }
  const view = `${pg.escapeIdentifier(schema)}.pg_stat_statements`
  const { rows } = await db.query<{ query: string | null; calls: string; total: number; mean: number; max: number; rows: string }>(
    `select left(query, ${QUERY_CHARS}) as query, calls, total_exec_time as total, mean_exec_time as mean, max_exec_time as max, rows from ${view} s
     where s.dbid = (select oid from pg_database where datname = current_database()) order by ${COLUMNS[order]} desc limit $1`, [limit],
  )
  const statements = rows.map((row) => ({ query: oneLine(row.query ?? ''), calls: Number(row.calls), totalMs: row.total, meanMs: row.mean, maxMs: row.max, rows: Number(row.rows) }))
  const since = await db.query<{ since: Date | null }>(`select stats_reset as since from ${view}_info`).then(({ rows: [row] }) => row?.since ?? null, () => null)
  return { server, statements, because: null, since, active }
}

async function activeStatements(db: Queryable): Promise<readonly ActiveStatement[]> {
  const { rows } = await db.query<{ pid: number; application: string; state: string; seconds: number; waits: string | null; query: string }>(
    `select pid, application_name as application, state, extract(epoch from clock_timestamp() - coalesce(case state when 'active' then query_start else state_change end, backend_start))::float8 as seconds,
            nullif(concat_ws(': ', wait_event_type, wait_event), '') as waits, left(query, ${QUERY_CHARS}) as query
     from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and state in ('active', 'idle in transaction', 'idle in transaction (aborted)') order by seconds desc limit 20`,
  )
  return rows.map((row) => ({ ...row, query: oneLine(row.query) }))
}

function oneLine(query: string): string {
  return query.replace(/\s+/g, ' ').trim()
}

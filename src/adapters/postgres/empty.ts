import { Failure } from '#core/failure.ts'
import type { Database, Queryable } from './connect.ts'

/** What belongs to no system schema and to no extension. */
const OURS = `n.nspname !~ '^pg_' and n.nspname <> 'information_schema'`
const notOfExtension = (object: string) => `not exists (select from pg_depend d where d.objid = ${object} and d.deptype = 'e')`
const SHOWN_MAX = 5

/** The names of some things in a database, those of extensions aside; none when it is empty. A schema with nothing in it, made for whom it belongs to, is nothing. */
export async function contentOf(db: Queryable): Promise<readonly string[]> {
  const { rows } = await db.query<{ name: string }>(
    `select n.nspname || '.' || c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S', 'c') and ${OURS} and ${notOfExtension('c.oid')}
     union all
     select p.oid::regprocedure::text from pg_proc p join pg_namespace n on n.oid = p.pronamespace where ${OURS} and ${notOfExtension('p.oid')}
     union all
     select t.oid::regtype::text from pg_type t join pg_namespace n on n.oid = t.typnamespace where t.typtype in ('d', 'e', 'r') and ${OURS} and ${notOfExtension('t.oid')}
     order by 1 limit ${SHOWN_MAX}`,
  )
  return rows.map(({ name }) => name)
}

/** The schemas that a database has. */
export async function schemasOf(db: Queryable): Promise<readonly string[]> {
  const { rows } = await db.query<{ name: string }>(`select n.nspname as name from pg_namespace n where ${OURS} and ${notOfExtension('n.oid')}`)
  return rows.map(({ name }) => name)
}

/** Passes when nothing is in a database. @throws {Failure} `CONFLICT` naming what is there. */
export async function refuseFull(db: Queryable): Promise<void> {
  const found = await contentOf(db)
  if (found.length === 0) return
  throw new Failure('CONFLICT', `${notEmpty(found)}: restore into an empty one, and nothing of this one is touched`, { details: { reason: 'not_empty' } })
}

/** Says that a database is not empty, by what {@link contentOf} found in it. */
export function notEmpty(found: readonly string[]): string {
  return `the database is not empty (${found.join(', ')}${found.length === SHOWN_MAX ? ', …' : ''})`
}

/**
 * Removes everything from a database that was empty before, so that it is again.
 *
 * @param schemas Those that it had: they stay.
 */
export async function emptyAgain(db: Database, schemas: readonly string[]): Promise<void> {
  await db.transaction(async (tx) => {
    const inKept = 'n.nspname = any ($1)'
    const { rows } = await tx.query<{ drop: string }>(
      `select format('drop schema %I cascade', n.nspname) as drop from pg_namespace n where ${OURS} and not ${inKept} and ${notOfExtension('n.oid')}
       union all
       select format('drop %s if exists %I.%I cascade', case c.relkind when 'v' then 'view' when 'm' then 'materialized view' when 'S' then 'sequence' when 'c' then 'type' else 'table' end, n.nspname, c.relname)
       from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relkind in ('r', 'p', 'v', 'm', 'S', 'c') and ${inKept} and ${notOfExtension('c.oid')}
       union all
       select format('drop routine if exists %s cascade', p.oid::regprocedure) from pg_proc p join pg_namespace n on n.oid = p.pronamespace where ${inKept} and ${notOfExtension('p.oid')}
       union all
       select format('drop type if exists %I.%I cascade', n.nspname, t.typname) from pg_type t join pg_namespace n on n.oid = t.typnamespace where t.typtype in ('d', 'e', 'r') and ${inKept} and ${notOfExtension('t.oid')}`,
      [schemas],
    )
    for (const { drop } of rows) await tx.query(drop)
  })
}

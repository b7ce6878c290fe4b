import { z } from 'zod'
import type { Queryable } from './connect.ts'

/** A process that works on this database, as it says itself. */
const Replica = z.strictObject({ id: z.string(), where: z.string(), settings: z.record(z.string(), z.string()) })
export type Replica = z.infer<typeof Replica>

const BEGINS = '/* acgs-pgp-v8 replica '

/**
 * Tells the others on this database of a process, and answers with those that have told of themselves within the last minute.
 *
 * Each tells in the text of its question, which the server shows to whoever has the same role for as long as the connection is open and asks nothing
 * else: so nothing has to be stored, and whoever dies is gone. Behind a pooler that gives a connection to many, some may not be seen.
 *
 * @param db A connection of its own.
 */
export async function meetReplicas(db: Queryable, own: Replica): Promise<readonly Replica[]> {
  // No slash in it, so that nothing that is told opens or closes a comment.
  const told = JSON.stringify(own).replaceAll('/', '\\u002f')
  const { rows } = await db.query<{ query: string }>(
    `${BEGINS}${told} */ select query from pg_stat_activity
     where datname = current_database() and pid <> pg_backend_pid() and query_start > now() - interval '1 minute' and query like '${BEGINS}%'`,
  )
  return rows.flatMap(({ query }) => readReplica(query) ?? []).filter(({ id }) => id !== own.id)
}

/** Null for what was cut off, or is of another release. */
function readReplica(query: string): Replica | null {
  try {
    return Replica.safeParse(JSON.parse(query.slice(BEGINS.length, query.indexOf(' */', BEGINS.length)))).data ?? null
  } catch {
    return null
  }
}

import { z } from 'zod'
import type { Application } from '#core/revision/application.ts'
import type { Queryable } from './connect.ts'
import { append, type Receipt } from './ledger.ts'

/** An application as it is stored, with how many entities there are in it. */
export type StoredApplication = Application & {
  readonly entities: number
  readonly createdBy: string
  readonly createdAt: Date
  readonly updatedAt: Date
}

const version = z.coerce.number().int().nonnegative()
const Row = z.object({
  name: z.string(), schema: z.string(), schema_digest: z.string(), entities_version: version, active_revision: z.number().int().nullable(),
  created_by: z.string(), created_at: z.date(), updated_at: z.date(),
})
const CountedRow = Row.extend({ entities: version })
const COLUMNS = Object.keys(Row.shape).join(', ')
const COUNTED = `${COLUMNS}, (select count(*) from entities e where e.application = a.name and e.entity is not null) as entities`

/** Sorted by name. */
export async function listApplications(db: Queryable): Promise<readonly StoredApplication[]> {
  const { rows } = await db.query(`select ${COUNTED} from applications a order by name`)
  return rows.map((row) => storedOf(CountedRow.parse(row)))
}

/** Null when there is none of that name. */
export async function readApplication(db: Queryable, name: string): Promise<StoredApplication | null> {
  const { rows } = await db.query(`select ${COUNTED} from applications a where name = $1`, [name])
  return rows[0] === undefined ? null : storedOf(CountedRow.parse(rows[0]))
}

/** The same, for a change: whoever else wants to change it waits until the transaction ends. */
export async function lockApplication(tx: Queryable, name: string): Promise<Application | null> {
  const { rows } = await tx.query(`select ${COLUMNS} from applications where name = $1 for update`, [name])
  return rows[0] === undefined ? null : applicationOf(Row.parse(rows[0]))
}

/** What an application is put with: its vocabulary, by whom and when. */
export type Putting = { readonly name: string; readonly schema: Application['schema']; readonly by: string; readonly at: Date }

/** Makes an application. @returns false when somebody else has made one of that name meanwhile. */
export async function insertApplication(tx: Queryable, { name, schema, by, at }: Putting): Promise<boolean> {
  const { rowCount } = await tx.query(
    `insert into applications (name, schema, schema_digest, created_by, created_at, updated_at) values ($1, $2, $3, $4, $5, $5) on conflict (name) do nothing`,
    [name, schema.text, schema.digest, by, at],
  )
  return rowCount === 1
}

/** Gives an application that is locked another schema. */
export async function updateSchema(tx: Queryable, { name, schema, at }: Putting): Promise<void> {
  await tx.query('update applications set schema = $2, schema_digest = $3, updated_at = $4 where name = $1', [name, schema.text, schema.digest, at])
}

/** The entry of a schema that was put; last in its transaction. */
export function appendPut(tx: Queryable, { name, schema, by, at }: Putting): Promise<Receipt> {
  return append(tx, { kind: 'application.put', at: at.toISOString(), subject: { application: name, by }, digests: { schema: schema.digest } })
}

function applicationOf(row: z.infer<typeof Row>): Application {
  return { name: row.name, schema: { text: row.schema, digest: row.schema_digest }, entitiesVersion: row.entities_version, activeRevision: row.active_revision }
}

function storedOf(row: z.infer<typeof CountedRow>): StoredApplication {
  return { ...applicationOf(row), entities: row.entities, createdBy: row.created_by, createdAt: row.created_at, updatedAt: row.updated_at }
}

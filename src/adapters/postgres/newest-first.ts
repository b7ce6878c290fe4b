import assert from 'node:assert/strict'
import { z } from 'zod'
import { Failure } from '#core/failure.ts'
import type { Queryable } from './connect.ts'

const LIMIT_MAX = 200

/** What a list may be narrowed to: SQL that is true of the wanted rows, for the parameter that stands for its value; a value that is undefined narrows nothing. */
export type Narrowing = readonly [value: unknown, condition: (parameter: string) => string]

/**
 * A page of a table that has `created_at` and an id, the newest first. `next` is the cursor of the page after this one; null on the last.
 *
 * @param always Conditions without a value.
 * @param limit 1..200, 50 by default.
 * @throws {Failure} `REQUEST_MALFORMED` when no page gave the cursor.
 */
export async function newestFirst<Row extends { readonly created_at: Date }>(
  db: Queryable, { table, id, row }: { readonly table: string; readonly id: string & keyof Row; readonly row: z.ZodObject & z.ZodType<Row> }, narrowings: readonly Narrowing[], { limit: wanted = 50, cursor }: { readonly limit?: number | undefined; readonly cursor?: string | undefined },
  always: readonly string[] = [],
): Promise<{ readonly rows: readonly Row[]; readonly next: string | null }> {
  const limit = Math.min(Math.max(wanted, 1), LIMIT_MAX)
  const values: unknown[] = []
  const conditions = [...always, ...narrowings.flatMap(([value, condition]) => (value === undefined ? [] : [condition(`$${values.push(value)}`)]))]
  if (cursor !== undefined) {
    const after = readCursor(cursor)
    values.push(after.at, after.id)
    conditions.push(`(created_at, ${id}) < ($${values.length - 1}::timestamptz, $${values.length}::text)`)
  }
  const found = await db.query(
    `select ${Object.keys(row.shape).join(', ')} from ${table}
     ${conditions.length === 0 ? '' : `where ${conditions.join(' and ')}`}
     order by created_at desc, ${id} desc limit ${limit + 1}`,
    values,
  )
  const rows = found.rows.slice(0, limit).map((each) => row.parse(each))
  const last = rows.at(-1)
  return { rows, next: found.rows.length > limit && last !== undefined ? writeCursor(last.created_at, last[id] as string) : null }
}

/** The same instant and id that the order uses, so that a page begins after the last row even when rows share an instant. PostgreSQL knows no year 0. */
const Cursor = z.tuple([z.iso.datetime().refine((at) => !at.startsWith('0000')), z.string().min(1).max(200)])

function writeCursor(at: Date, id: string): string {
  return Buffer.from(JSON.stringify([at.toISOString(), id])).toString('base64url')
}

function readCursor(cursor: string): { at: string; id: string } {
  try {
    const [at, id] = Cursor.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString()))
    assert(!id.includes('\0'))
    return { at, id }
  } catch (cause) {
    throw new Failure('REQUEST_MALFORMED', 'the cursor is not one that a page of this list gave; leave it out to begin at the newest', { cause })
  }
}

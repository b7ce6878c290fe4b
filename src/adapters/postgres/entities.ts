import assert from 'node:assert/strict'
import { z } from 'zod'
import { Failure } from '#core/failure.ts'
import type { Uid } from '#core/policy/expression.ts'
import type { ChangesPage, ReadPage } from '#core/revision/application.ts'
import { changeDigest, type KeptEntity } from '#core/revision/entities.ts'
import type { CedarEntity } from '#core/unit/semantic-unit.ts'
import type { Database, Queryable } from './connect.ts'
import { append, type Receipt } from './ledger.ts'

/** One change of a store, as a whole. `replace`: what is not upserted is deleted. */
export type EntityChange = { readonly upserted: readonly KeptEntity[]; readonly deleted: readonly Uid[] | 'the rest' }

/** What a change came to. Nothing changed: the version is the one before, and the ledger has no entry. */
export type Changed = { readonly version: number; readonly upserted: number; readonly deleted: readonly Uid[]; readonly ledger: Receipt | null }

/** Rows of one statement: few enough that its text stays small in memory, many enough that round trips do not count. */
const BATCH = 2_000
const PAGE_MAX = 10_000
/** Rows of one page for who follows: few enough that objects made of them do not fill memory. */
const FOLLOWED = 2_000
/** So many new rows make the database's own statistics misleading until it counts again by itself, a minute later. */
const COUNTED_FROM = 5_000

/**
 * Changes an application's entities and appends the change to the ledger, in the caller's transaction; last in it.
 *
 * The application must be locked, and the entities read by its schema: what is stored is not looked at again.
 * @param version The store's, before.
 */
export async function changeEntities(tx: Queryable, application: string, { upserted, deleted }: EntityChange, { version, by, at }: { version: number; by: string; at: Date }): Promise<Changed> {
  await tx.query('set local statement_timeout = 0')
  const next = version + 1
  let written = 0
  for (let from = 0; from < upserted.length; from += BATCH) {
    const { rowCount } = await tx.query(
      `insert into entities as old (application, type, id, entity, version)
       select $1, e->'uid'->>'type', e->'uid'->>'id', e, $3 from jsonb_array_elements($2::jsonb) as e
       on conflict (application, type, id) do update set entity = excluded.entity, version = excluded.version where old.entity is distinct from excluded.entity`,
      [application, `[${upserted.slice(from, from + BATCH).map(({ text }) => text).join(',')}]`, next],
    )
    written += rowCount ?? 0
  }
  // So that what follows finds these rows by their key: statistics from before say that the table is small.
  if (written >= COUNTED_FROM) await tx.query('analyze entities')
  const gone = deleted === 'the rest' ? await deleteTheRest(tx, application, upserted, next) : await deleteEach(tx, application, deleted, next)
  if (written === 0 && gone.length === 0) return { version, upserted: 0, deleted: [], ledger: null }
  await tx.query('update applications set entities_version = $2, updated_at = $3 where name = $1', [application, next, at])
  const ledger = await append(tx, {
    kind: 'entities.changed', at: at.toISOString(), subject: { application, version: String(next), by }, digests: { change: changeDigest({ upserted, deleted: gone }) },
  })
  return { version: next, upserted: written, deleted: gone, ledger }
}

async function deleteEach(tx: Queryable, application: string, uids: readonly Uid[], version: number): Promise<readonly Uid[]> {
  const gone: Uid[] = []
  for (let from = 0; from < uids.length; from += BATCH) {
    const part = uids.slice(from, from + BATCH)
    const { rows } = await tx.query<Uid>(
      `update entities e set entity = null, version = $4 from (select distinct type, id from unnest($2::text[], $3::text[]) as u (type, id)) as k
       where e.application = $1 and e.type = k.type and e.id = k.id and e.entity is not null returning e.type, e.id`,
      [application, part.map(({ type }) => type), part.map(({ id }) => id), version],
    )
    gone.push(...rows)
  }
  return sorted(gone)
}

/** Gravestones of earlier changes go: whoever follows from before this replacement is given everything. */
async function deleteTheRest(tx: Queryable, application: string, kept: readonly KeptEntity[], version: number): Promise<readonly Uid[]> {
  await tx.query('delete from entities where application = $1 and entity is null', [application])
  await tx.query('update applications set entities_from = $2 where name = $1', [application, version - 1])
  // Into an empty store everything is written by this change: then there is no rest to look for among many.
  const { rows: [old] } = await tx.query('select from entities where application = $1 and version < $2 limit 1', [application, version])
  if (old === undefined) return []
  // Compared here: how the database would join many rows that it has never counted is a matter of luck, and bad luck takes minutes.
  const own = new Set(kept.map(({ uid }) => keyOf(uid)))
  const rest: Uid[] = []
  let after: Uid = { type: '', id: '' }
  for (;;) {
    const { rows } = await tx.query<Uid>(
      'select type, id from entities where application = $1 and (type, id) > ($2, $3) and entity is not null order by type, id limit $4', [application, after.type, after.id, PAGE_MAX],
    )
    rest.push(...rows.filter((uid) => !own.has(keyOf(uid))))
    const last = rows.at(-1)
    if (last === undefined) return deleteEach(tx, application, rest, version)
    after = last
  }
}

/** Stored entities that are above these parents, at any height, as far as they are stored; by type and id. */
export async function ancestorsStored(tx: Queryable, application: string, parents: readonly Uid[]): Promise<readonly Pick<CedarEntity, 'uid' | 'parents'>[]> {
  const { rows } = await tx.query<{ type: string; id: string; parents: readonly Uid[] }>(
    `with recursive up (type, id) as (
       select type, id from unnest($2::text[], $3::text[]) as u (type, id)
       union
       select p.type, p.id from up join entities e on e.application = $1 and e.type = up.type and e.id = up.id
       cross join lateral jsonb_to_recordset(e.entity->'parents') as p (type text, id text)
     )
     select e.type, e.id, e.entity->'parents' as parents from up join entities e on e.application = $1 and e.type = up.type and e.id = up.id where e.entity is not null`,
    [application, parents.map(({ type }) => type), parents.map(({ id }) => id)],
  )
  return rows.map(({ type, id, parents }) => ({ uid: { type, id }, parents }))
}

/** Everything stored, in batches, in no order that matters. */
export async function* storedEntities(tx: Queryable, application: string): AsyncGenerator<readonly CedarEntity[]> {
  let after: Uid = { type: '', id: '' }
  for (;;) {
    const { rows } = await tx.query<Uid & { entity: CedarEntity }>(
      'select type, id, entity from entities where application = $1 and (type, id) > ($2, $3) and entity is not null order by type, id limit $4',
      [application, after.type, after.id, BATCH],
    )
    const last = rows.at(-1)
    if (last === undefined) return
    yield rows.map(({ entity }) => entity)
    after = last
  }
}

/**
 * A page of what happened since a version, in the order of the changes; `isWhole` on a page means: forget everything, begin with this.
 *
 * What changes while the pages are read moves to the end of them, so that the last page leads to one state of the store, that of its
 * `version`, whatever happened in between; until then what the pages gave is no state of the store and must not be used.
 *
 * @returns Null when there is no such application.
 * @param since 0 for everything. A version that the store has not come to (it was put back to an earlier state) or no longer remembers gives everything.
 * @throws {Failure} `REQUEST_MALFORMED` when the cursor is none that a page gave.
 */
export async function readChanges(
  db: Database, application: string, { since, cursor, limit }: { readonly since: number; readonly cursor?: string | undefined; readonly limit: number },
): Promise<ChangesPage | null> {
  const given = cursor === undefined ? null : readCursor(cursor)
  return db.transaction(async (tx) => {
    const { rows: [found] } = await tx.query('select entities_version as version, entities_from as from from applications where name = $1', [application])
    if (found === undefined) return null
    const { version, from } = Head.parse(found)
    // Deletions after this version must still be known, and the store must have come so far.
    const known = given?.gravesAfter ?? since
    const mustBeginAnew = known < from || known > version || (given !== null && given.at > version)
    const isWhole = mustBeginAnew || (given === null && since === 0)
    const position = given === null || isWhole ? { at: isWhole ? 0 : since, type: null, id: null, gravesAfter: isWhole ? version : since } : given
    const { rows } = await tx.query(
      `select type, id, entity, version from entities where application = $1
       and ${position.type === null ? 'version > $2' : '(version, type, id) > ($2, $5, $6)'} and (entity is not null or version > $3)
       order by version, type, id limit $4`,
      [application, position.at, position.gravesAfter, Math.min(limit, PAGE_MAX) + 1, ...(position.type === null ? [] : [position.type, position.id])],
    )
    const page = rows.slice(0, Math.min(limit, PAGE_MAX)).map((row) => ChangeRow.parse(row))
    const last = page.at(-1)
    return {
      version, isWhole,
      upserted: page.flatMap(({ entity }) => (entity === null ? [] : [entity])),
      deleted: page.flatMap(({ type, id, entity }) => (entity === null ? [{ type, id }] : [])),
      next: rows.length > page.length && last !== undefined ? writeCursor({ at: last.version, type: last.type, id: last.id, gravesAfter: position.gravesAfter }) : null,
    }
  }, 'snapshot')
}

/** The same as pages for who follows from a version. Each holds the database for a moment only. @throws {Failure} `NOT_FOUND` */
export function changesSince(db: Database, application: string, since: number): ReadPage {
  return async (cursor) => {
    const page = await readChanges(db, application, { since, cursor, limit: FOLLOWED })
    if (page === null) throw new Failure('NOT_FOUND', `there is no application \`${application}\``)
    return page
  }
}

const version = z.coerce.number().int().nonnegative()
const Head = z.object({ version, from: version })
const ChangeRow = z.object({ type: z.string(), id: z.string(), version, entity: z.custom<CedarEntity>((value) => typeof value === 'object').nullable() })

/** Where a page ended: the version and the uid of its last row, and from which version on deletions matter to who reads. */
const Cursor = z.tuple([z.int().nonnegative(), z.string().max(4_000), z.string().max(4_000), z.int().nonnegative()])

function writeCursor({ at, type, id, gravesAfter }: { at: number; type: string; id: string; gravesAfter: number }): string {
  return Buffer.from(JSON.stringify([at, type, id, gravesAfter])).toString('base64url')
}

function readCursor(cursor: string): { at: number; type: string; id: string; gravesAfter: number } {
  try {
    const [at, type, id, gravesAfter] = Cursor.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString()))
    assert(!type.includes('\0') && !id.includes('\0'))
    return { at, type, id, gravesAfter }
  } catch (cause) {
    throw new Failure('REQUEST_MALFORMED', 'the cursor is not one that a page of these changes gave; leave it out to begin anew', { cause })
  }
}

function sorted(uids: readonly Uid[]): readonly Uid[] {
  return uids.map(({ type, id }) => ({ type, id })).sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
}

function keyOf({ type, id }: Uid): string {
  return `${type}\0${id}`
}

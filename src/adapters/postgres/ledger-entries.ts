import { z } from 'zod'

import { Failure } from '#core/failure.ts'
import type { SignedCheckpoint } from '#core/ledger/checkpoint.ts'
import { readEntry } from '#core/ledger/entry.ts'
import { openCheckpoint } from '#core/ledger/checkpoint.ts'
import type { NoteKey } from '#core/ledger/note.ts'
import type { Queryable } from './connect.ts'
import type { Inclusion, LedgerTree } from './ledger-tree.ts'

/** An entry as it is stored; hashes in hex. `root` is that of the tree which it completes. */
export type StoredEntry = {
  readonly index: number
  readonly kind: string
  readonly at: string
  readonly subject: { readonly [noun: string]: string }
  readonly digests: { readonly [body: string]: string }
  /** Exactly the bytes that are hashed. */
  readonly entry: string
  readonly leafHash: string
  readonly root: string
}

const bytes = z.instanceof(Uint8Array).transform((hash) => Buffer.from(hash).toString('hex'))
const Row = z.object({ index: z.coerce.number(), entry: z.string(), leaf_hash: bytes, root: bytes })

/** Entries in their order, from a number on. @returns `next`: where the following page begins, null after the last. */
export async function listEntries(db: Queryable, { from, limit, kind }: { from: number; limit: number; kind?: string | undefined }): Promise<{ entries: readonly StoredEntry[]; next: number | null }> {
  const { rows } = await db.query(
    `select index, entry, leaf_hash, root from ledger_entries where index >= $1 ${kind === undefined ? '' : 'and kind = $3'} order by index limit $2`,
    [from, limit + 1, ...(kind === undefined ? [] : [kind])],
  )
  const entries = rows.map((row) => stored(Row.parse(row)))
  return { entries: entries.slice(0, limit), next: entries[limit]?.index ?? null }
}

/** How many entries about one thing are proved at once. */
export const PROVED_MAX = 20

/** The numbers of the entries about an id, newest first: an entry's number itself, a generation, a certificate, an application. */
export async function findEntries(db: Queryable, id: string): Promise<{ readonly total: number; readonly indexes: readonly number[] }> {
  if (id.includes('\0') || !id.isWellFormed()) return { total: 0, indexes: [] }
  const about = /^\d{1,15}$/.test(id) ? 'index = $1::bigint' : `subject in ($1::text, (select generation_id from policy_generations where certificate_id = $1::text))`
  const { rows } = await db.query<{ index: string; total: string }>(`select index, count(*) over () as total from ledger_entries where ${about} order by index desc limit ${PROVED_MAX}`, [id])
  return { total: Number(rows[0]?.total ?? 0), indexes: rows.map(({ index }) => Number(index)) }
}

/** Proves that entries are in the tree of `size` entries; those that came later are left out. */
export async function proveEntries(tree: LedgerTree, indexes: readonly number[], size: number): Promise<readonly Inclusion[]> {
  return tree.inclusions(indexes, size)
}

/** Keeps a checkpoint beside the ledger that it is about. One for as many entries stays, if one of these keys signed it. */
export async function storeCheckpoint(db: Queryable, { size, note }: SignedCheckpoint, at: Date, keys: readonly NoteKey[]): Promise<void> {
  const { rowCount } = await db.query('insert into ledger_checkpoints (size, note, at) values ($1, $2, $3) on conflict (size) do nothing', [size, note, at])
  if (rowCount !== 0 || (await readCheckpoint(db, keys, null, size)) !== null) return
  await db.query('update ledger_checkpoints set note = $2, at = $3 where size = $1', [size, note, at])
}

/** Whether the newest checkpoint beside the ledger is one that none of these keys signed. */
export async function isSignedByOthers(db: Queryable, keys: readonly NoteKey[]): Promise<boolean> {
  return (await db.query('select from ledger_checkpoints limit 1')).rowCount !== 0 && (await readCheckpoint(db, keys, null, 'newest')) === null
}

/** The checkpoint of exactly this size, or the newest; null when there is none that one of these keys signed. */
export async function readCheckpoint(db: Queryable, keys: readonly NoteKey[], origin: string | null, size: number | 'newest'): Promise<SignedCheckpoint | null> {
  const { rows } = await db.query<{ note: string }>(
    `select note from ledger_checkpoints ${size === 'newest' ? '' : 'where size = $1'} order by size desc limit 1`, size === 'newest' ? [] : [size],
  )
  try {
    return rows[0] === undefined ? null : openCheckpoint(rows[0].note, keys, origin)
  } catch (error) {
    if (error instanceof Failure) return null // `acgs ledger verify` says what is wrong with it.
    throw error
  }
}

function stored({ index, entry, leaf_hash, root }: z.infer<typeof Row>): StoredEntry {
  const read = readEntry(entry)
  if (read === null) throw new Failure('LEDGER_CORRUPT', `ledger entry ${index} cannot be read: run \`acgs ledger verify\``)
  return { index, ...read, entry, leafHash: leaf_hash, root }
}

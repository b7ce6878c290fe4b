import assert from 'node:assert/strict'

import { z } from 'zod'

import { Failure } from '#core/failure.ts'
import { entryText, subjectOf, type LedgerEntry } from '#core/ledger/entry.ts'
import type { Database, Queryable, Transaction } from './connect.ts'

/** Where an entry stands: its number, from 0, and the root of the tree that ends with it, in hex. */
export type Receipt = { readonly index: number; readonly root: string }

/** A state of the ledger that was written down somewhere else: the root, in hex, of its first `size` entries. */
export type KnownState = { readonly size: number; readonly root: string }

const bytes = z.instanceof(Uint8Array)
const size = z.coerce.number().int().nonnegative()
export const TipRow = z.object({ size, frontier: z.array(bytes), root: bytes })

/** By transaction, what the ledger behind it must agree with: see `guardLedger`. */
const KNOWN = new WeakMap<Queryable, () => KnownState | null>()

/**
 * The same database; what is appended in its transactions must continue a state that was written down elsewhere. So nothing is added to
 * a ledger that was rewritten or put back to an earlier state, even while the product runs.
 */
export function guardLedger(database: Database, known: () => KnownState | null): Database {
  return {
    ...database,
    transaction: (work, mode) => database.transaction((tx) => {
      const guarded: Transaction = { ...tx } // The connection itself goes back to the pool, and to others.
      KNOWN.set(guarded, known)
      return work(guarded)
    }, mode),
  }
}

/** Whether there is a ledger in a database, be it empty. */
export async function hasLedger(db: Queryable): Promise<boolean> {
  const { rows } = await db.query<{ found: boolean }>(`select to_regclass('public.ledger_tip') is not null as found`)
  return rows[0]?.found === true
}

/** Passes when there is a ledger. @throws {Failure} `NOT_FOUND`: one that is made for the question would be valid and say nothing. */
export async function refuseWithoutLedger(db: Queryable): Promise<void> {
  if (!(await hasLedger(db))) throw new Failure('NOT_FOUND', 'there is no ledger in this database: nothing was ever recorded in it')
}

/** What speaks against a ledger beginning with a state that is known from elsewhere; null when nothing does. */
export async function contradiction(db: Queryable, known: KnownState): Promise<string | null> {
  const { rows } = await db.query('select size, frontier, root, (select root from ledger_entries where index = $1::bigint - 1) as known from ledger_tip', [known.size])
  return contradicts(rows[0], known)
}

function contradicts(row: unknown, known: KnownState): string | null {
  const tip = TipRow.extend({ known: bytes.nullable() }).safeParse(row)
  if (!tip.success) return 'its tip is missing'
  if (tip.data.size < known.size) return `${known.size} entries are known from elsewhere and only ${tip.data.size} are here: the end was cut off, or an old backup was restored`
  const found = known.size === tip.data.size ? tip.data.root : tip.data.known
  if (known.size > 0 && (found === null || hex(found) !== known.root)) return `the first ${known.size} entries are not those that are known from elsewhere: they were rewritten`
  return null
}

/**
 * Appends one entry, in the transaction of what it is about: both are kept, or neither.
 *
 * Appends are serialised by the lock on the tip until that transaction ends, so this comes last in it.
 *
 * @param send `tx.last`, where nothing comes after it in the transaction: then the tip is let go without a reply of ours.
 * @throws {Failure} `LEDGER_CORRUPT` when the tip is not one that we wrote, or contradicts what is known from elsewhere.
 */
export async function append(tx: Queryable, entry: LedgerEntry, send = tx.query): Promise<Receipt> {
  const known = KNOWN.get(tx)?.() ?? null
  const subject = subjectOf(entry)
  assert(subject !== null)
  const values = [entry.kind, entry.at, subject, entryText(entry), known?.size ?? 0, known === null ? null : Buffer.from(known.root, 'hex')]
  const { rows } = await send<{ its_index: string; its_root: Buffer }>('select its_index, its_root from ledger_append($1, $2, $3, $4, $5, $6)', values).catch((error: { readonly code?: string; readonly message: string }) => {
    throw error.code === CORRUPT ? corrupt(error.message) : error
  })
  const [{ its_index: index, its_root: root }] = rows as [(typeof rows)[number]]
  return { index: Number(index), root: hex(root) }
}

/** What `ledger_append` raises. */
const CORRUPT = 'ACL01'

/** How far the ledger has come. */
export async function ledgerTip(db: Queryable): Promise<KnownState> {
  const tip = TipRow.safeParse((await db.query('select size, frontier, root from ledger_tip')).rows[0])
  if (!tip.success) throw corrupt('its tip is missing')
  return { size: tip.data.size, root: hex(tip.data.root) }
}

export function hex(hash: Uint8Array): string {
  return Buffer.from(hash).toString('hex')
}

export function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.from(a).equals(b)
}

function corrupt(what: string): Failure {
  return new Failure('LEDGER_CORRUPT', `the ledger cannot be appended to: ${what}; run \`acgs ledger verify\``)
}

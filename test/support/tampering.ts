import { digest } from '#core/canonical.ts'
import { readEntry } from '#core/ledger/entry.ts'
import { append, EMPTY, leafHash, root } from '#core/ledger/merkle.ts'
import type { Queryable } from '#adapters/postgres/connect.ts'
import { digestOfRow, GenerationRow } from '#adapters/postgres/generation-row.ts'

/** What someone does who owns the tables and knows the format: afterwards everything in the database agrees again. */
export type Tampering = { readonly how: string; readonly tamper: (db: Queryable) => Promise<void> }

/** The ways to change a ledger of at least 8 generations, all at entry 4 or after entry 5. */
export const TAMPERINGS: readonly Tampering[] = [
  { how: 'an entry edited', tamper: async (db) => {
    await db.query(`update policy_generations set title = 'Edited' where generation_id = 'gen-000004'`)
    const body = GenerationRow.parse((await db.query(`select * from policy_generations where generation_id = 'gen-000004'`)).rows[0])
    await rewriteLedger(db, (entries) => entries.map((text, at) => {
      if (at !== 4) return text
      const entry = JSON.parse(text)
      return JSON.stringify({ ...entry, digests: { ...entry.digests, generation: digestOfRow(body) } })
    }))
  } },
  { how: 'an entry deleted', tamper: async (db) => {
    await db.query(`delete from policy_generations where generation_id = 'gen-000004'`)
    await rewriteLedger(db, (entries) => entries.toSpliced(4, 1))
  } },
  { how: 'the end cut off', tamper: async (db) => {
    await db.query(`delete from policy_generations where generation_id >= 'gen-000006'`)
    await rewriteLedger(db, (entries) => entries.slice(0, 6))
  } },
  { how: 'two entries changed places', tamper: (db) => rewriteLedger(db, (entries) => [...entries.slice(0, 4), entries[5] as string, entries[4] as string, ...entries.slice(6)]) },
  { how: 'everything from an entry on rewritten to the same length', tamper: async (db) => {
    await db.query(`update policy_generations set user_id = 'somebody-else' where generation_id >= 'gen-000004'`)
    const { rows } = await db.query('select * from policy_generations')
    const bodies = new Map(rows.map((row) => [row['generation_id'] as string, GenerationRow.parse(row)]))
    await rewriteLedger(db, (entries) => entries.map((text) => {
      const entry = JSON.parse(text)
      const body = bodies.get(entry.subject.generation) as GenerationRow
      return JSON.stringify({ ...entry, digests: { ...entry.digests, generation: digestOfRow(body), request: digest(body.request) } })
    }))
  } },
  { how: 'put back to an earlier state, checkpoints included', tamper: async (db) => {
    await db.query(`delete from policy_generations where generation_id >= 'gen-000005'`)
    await db.query('delete from ledger_checkpoints where size > 5')
    await rewriteLedger(db, (entries) => entries.slice(0, 5))
  } },
]

/** Replaces the entries, with leaf hashes, roots and tip that fit them. */
export async function rewriteLedger(db: Queryable, change: (entries: string[]) => string[]): Promise<void> {
  await db.query('alter table ledger_entries disable trigger user')
  await db.query('alter table ledger_tip disable trigger user')
  const { rows } = await db.query<{ entry: string; subject: string }>('select entry, subject from ledger_entries order by index')
  const subjectOf = new Map(rows.map(({ entry, subject }) => [readEntry(entry)?.subject['generation'] ?? subject, subject]))
  await db.query('delete from ledger_entries')
  let tree = EMPTY
  for (const text of change(rows.map(({ entry }) => entry))) {
    const entry = readEntry(text)
    if (entry === null) throw new Error(`not an entry: ${text}`)
    tree = append(tree, leafHash(text))
    await db.query('insert into ledger_entries (index, kind, at, subject, entry, leaf_hash, root) values ($1, $2, $3, $4, $5, $6, $7)', [
      tree.size - 1, entry.kind, entry.at, subjectOf.get(entry.subject['generation'] ?? '') ?? entry.subject['application'] ?? entry.subject['certificate'], text, leafHash(text), root(tree),
    ])
  }
  await db.query('update ledger_tip set size = $1, frontier = $2, root = $3', [tree.size, tree.nodes, root(tree)])
}

import { entryText } from '#core/ledger/entry.ts'
import { append, EMPTY, leafHash, root, type Hash } from '#core/ledger/merkle.ts'
import type { Queryable } from '#adapters/postgres/connect.ts'

/** Puts many entries into an empty ledger at once, as appending them one by one would have. @returns Their leaf hashes. */
export async function fillLedger(db: Queryable, size: number): Promise<readonly Hash[]> {
  await db.query('alter table ledger_tip disable trigger user')
  const leaves: Hash[] = []
  let tree = EMPTY
  for (let from = 0; from < size; from += 5_000) {
    const rows = Array.from({ length: Math.min(5_000, size - from) }, (_, at) => {
      const index = from + at
      const entry = entryText({ kind: 'entities.changed', at: '2026-11-24T12:00:00.000Z', subject: { application: 'clinic', version: String(index + 1) }, digests: { change: 'ab'.repeat(32) } })
      const leaf = leafHash(entry)
      leaves.push(leaf)
      tree = append(tree, leaf)
      return { index, entry, leaf: Buffer.from(leaf).toString('hex'), root: Buffer.from(root(tree)).toString('hex') }
    })
    await db.query(
      `insert into ledger_entries (index, kind, at, subject, entry, leaf_hash, root)
       select index, 'entities.changed', '2026-11-24T12:00:00Z', 'clinic', entry, decode(leaf, 'hex'), decode(root, 'hex')
       from unnest($1::bigint[], $2::text[], $3::text[], $4::text[]) as made (index, entry, leaf, root)`,
      [rows.map(({ index }) => index), rows.map(({ entry }) => entry), rows.map(({ leaf }) => leaf), rows.map((row) => row.root)],
    )
  }
  await db.query('update ledger_tip set size = $1, frontier = $2, root = $3', [tree.size, tree.nodes, root(tree)])
  await db.query('alter table ledger_tip enable trigger user')
  return leaves
}

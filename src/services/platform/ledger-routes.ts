import type { Database } from '#adapters/postgres/connect.ts'
import { findEntries, listEntries, proveEntries, readCheckpoint } from '#adapters/postgres/ledger-entries.ts'
import type { LedgerTree } from '#adapters/postgres/ledger-tree.ts'
import { ledgerTip } from '#adapters/postgres/ledger.ts'
import { Failure } from '#core/failure.ts'
import type { NoteKey } from '#core/ledger/note.ts'
import { route, type Route } from '#http/contract.ts'
import { getLedgerCheckpoint, getLedgerConsistency, getLedgerEntries, getLedgerProof } from './ledger-contract.ts'
import type { Checkpoints } from './ledger-checkpoints.ts'

export type LedgerUse = {
  readonly database: Database
  readonly tree: LedgerTree
  readonly checkpoints: Checkpoints
  readonly keys: () => readonly NoteKey[]
  readonly origin: string
}

export function ledgerRoutes({ database, tree, checkpoints, keys, origin }: LedgerUse): Route[] {
  /** The tree that is asked for, or that of the newest checkpoint, with its checkpoint. */
  const treeOf = async (size: number | undefined, atLeast: number) => {
    const newest = size === undefined ? await checkpoints.covering(atLeast) : checkpoints.newest()
    const wanted = size ?? (newest !== null && newest.size >= atLeast ? newest.size : (await ledgerTip(database)).size)
    const root = await tree.rootAt(wanted)
    if (root === null) throw new Failure('NOT_FOUND', `the ledger has fewer than ${wanted} entries`)
    const checkpoint = newest?.size === wanted ? newest : await readCheckpoint(database, keys(), origin, wanted)
    if (checkpoint !== null && checkpoint.root !== root) throw new Failure('LEDGER_CORRUPT', `the first ${wanted} entries are not those that a checkpoint was signed for: run \`acgs ledger verify\``)
    return { size: wanted, root, checkpoint }
  }

  return [
    route(getLedgerEntries, async ({ query: { from, limit, kind } }) => {
      const { size } = await ledgerTip(database)
      const { entries, next } = await listEntries(database, { from, limit, kind })
      return { entries: entries.map(({ leafHash, ...entry }) => ({ ...entry, subject: { ...entry.subject }, digests: { ...entry.digests }, leaf_hash: leafHash })), next, size }
    }),

    route(getLedgerCheckpoint, () => {
      const newest = checkpoints.newest()
      if (newest === null) throw new Failure('NOT_FOUND', `there is no checkpoint yet: ${checkpoints.state().detail ?? 'try again in a second'}`)
      return newest
    }),

    route(getLedgerProof, async ({ params: { id }, query }) => {
      const { total, indexes } = await findEntries(database, id)
      const [last] = indexes
      if (last === undefined) throw new Failure('NOT_FOUND', `nothing in the ledger is about \`${id}\`: give the number of an entry, or the id of a generation, a certificate or an application`)
      const { size, root, checkpoint } = await treeOf(query.size, last + 1)
      const entries = await proveEntries(tree, indexes, size)
      if (entries.length === 0) throw new Failure('NOT_FOUND', `\`${id}\` came into the ledger later than its first ${size} entries`)
      return { size, root, checkpoint, total, entries: entries.map(({ index, entry, leafHash, proof }) => ({ index, entry, leaf_hash: leafHash, proof: [...proof] })) }
    }),

    route(getLedgerConsistency, async ({ query: { from, to } }) => {
      const { size } = await treeOf(to, from)
      if (from > size) throw new Failure('REQUEST_MALFORMED', `query.from: is beyond \`to\`, ${size}`, { problems: [{ place: 'query.from', message: `is beyond \`to\`, ${size}` }] })
      const found = await tree.consistency(from, size)
      if (found === null) throw new Failure('NOT_FOUND', `the ledger has fewer than ${size} entries`)
      return { from: { ...found.from }, to: { ...found.to }, proof: [...found.proof] }
    }),
  ]
}

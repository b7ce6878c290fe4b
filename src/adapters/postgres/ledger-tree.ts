import { Failure } from '#core/failure.ts'
import {
  consistencyRanges, EMPTY, append, inclusionRanges, leafHash, root, rootOver, verifyConsistency, verifyInclusion, type Hash, type Range,
} from '#core/ledger/merkle.ts'
import type { Queryable } from './connect.ts'

/** An entry with what shows that it is in the tree of `size` entries with that root; hashes in hex. */
export type Inclusion = { readonly index: number; readonly entry: string; readonly leafHash: string; readonly size: number; readonly root: string; readonly proof: readonly string[] }

/** What shows that the tree `from` is the beginning of the tree `to`. */
export type Consistency = { readonly from: { readonly size: number; readonly root: string }; readonly to: { readonly size: number; readonly root: string }; readonly proof: readonly string[] }

/** Proofs from what the ledger has stored. Each was verified before it is given; one that cannot be made is a `LEDGER_CORRUPT`. */
export type LedgerTree = {
  /** The root that is stored for the tree of the first `size` entries; null when there are fewer. */
  readonly rootAt: (size: number) => Promise<string | null>
  /** The same, computed anew from the leaf hashes. O(size). */
  readonly recomputeRoot: (size: number) => Promise<string>
  /** @returns Null when there is no such entry, or no such tree. */
  readonly inclusion: (index: number, size: number) => Promise<Inclusion | null>
  /** The same for several entries, in a few reads for all of them; those that there are not are left out. None when there is no such tree. */
  readonly inclusions: (indexes: readonly number[], size: number) => Promise<readonly Inclusion[]>
  /** @returns Null when there is no such tree. */
  readonly consistency: (from: number, to: number) => Promise<Consistency | null>
}

/** What one question has read already: leaves by tile, and roots by range. */
type Read = { readonly near: Map<number, Hash[]>; readonly roots: Map<string, Hash> }
const nothingRead = (): Read => ({ near: new Map(), roots: new Map() })

/** Leaves to a tile: a tile's root never changes once it is full, so it is kept, 32 bytes for 256 entries. */
const TILE = 256
/** Tiles that are read at once: some milliseconds of hashing between two reads. */
const TILES_READ = 16

/**
 * Makes proofs for the ledger in a database.
 *
 * Cost: the first proof reads every leaf hash once, some milliseconds at a time; later ones read two tiles and O(log n) roots, and hash
 * one node for each tile (measured: see docs/concepts/ledger.md).
 */
export function ledgerTree(db: Queryable): LedgerTree {
  const tiles = new Map<number, Hash>()

  const leaves = async (from: number, to: number): Promise<Hash[]> => {
    if (from >= to) return []
    const { rows } = await db.query<{ hashes: Buffer | null }>(`select string_agg(leaf_hash, ''::bytea order by index) as hashes from ledger_entries where index >= $1 and index < $2`, [from, to])
    const hashes = rows[0]?.hashes ?? Buffer.alloc(0)
    if (hashes.length !== (to - from) * 32) throw broken(from, to, 'are not all there')
    return Array.from({ length: to - from }, (_, at) => hashes.subarray(at * 32, at * 32 + 32))
  }
  const tileRoots = async (first: number, end: number): Promise<Hash[]> => {
    for (let at = first; at < end; at++) {
      if (tiles.has(at)) continue
      const last = Math.min(end, at + TILES_READ)
      const hashes = await leaves(at * TILE, last * TILE)
      for (let tile = at; tile < last; tile++) tiles.set(tile, root(hashes.slice((tile - at) * TILE, (tile - at + 1) * TILE).reduce(append, EMPTY)))
    }
    return Array.from({ length: end - first }, (_, at) => tiles.get(first + at) as Hash)
  }
  /** `near`: the tiles whose leaves this proof has read already, by number; its small subtrees lie in one or two of them. */
  const recompute = async ({ from, to }: Range, near: Map<number, Hash[]>, size: number): Promise<Hash> => {
    const full = Math.floor((to - from) / TILE)
    const subtrees = full === 0 ? [] : await tileRoots(from / TILE, from / TILE + full)
    const rest = from + full * TILE
    if (rest === to) return rootOver(subtrees, [])
    const tile = Math.floor(rest / TILE)
    const whole = near.get(tile) ?? (await leaves(tile * TILE, Math.min(size, (tile + 1) * TILE)))
    near.set(tile, whole)
    return rootOver(subtrees, whole.slice(rest - tile * TILE, to - tile * TILE))
  }
  const rootAt = async (size: number): Promise<Hash | null> => {
    if (size === 0) return root(EMPTY)
    const { rows } = await db.query<{ root: Buffer }>('select root from ledger_entries where index = $1', [size - 1])
    return rows[0]?.root ?? null
  }
  /** What begins at the first entry has its root stored: the proof that comes of it is verified. */
  const rangeRoots = async (ranges: readonly Range[], size: number, read: Read = nothingRead()): Promise<Hash[]> => {
    const roots: Hash[] = []
    for (const range of ranges) {
      const key = `${range.from} ${range.to}`
      const known = read.roots.get(key) ?? (range.from === 0 && range.to > TILE ? await rootAt(range.to) : null) ?? (await recompute(range, read.near, size))
      read.roots.set(key, known)
      roots.push(known)
    }
    return roots
  }

  /** A proof that does not verify may come of tiles that were kept from another history: made once more without them. */
  const verified = async (make: (isAgain: boolean) => Promise<readonly Hash[]>, isRight: (proof: readonly Hash[]) => boolean, what: Range): Promise<readonly string[]> => {
    for (const isLast of [false, true]) {
      const proof = await make(isLast)
      if (isRight(proof)) return proof.map(hex)
      if (isLast) break
      tiles.clear()
    }
    throw broken(what.from, what.to, 'do not lead to the roots that are stored with them')
  }

  const inclusions = async (indexes: readonly number[], size: number): Promise<Inclusion[]> => {
    const wanted = indexes.filter((index) => index < size)
    const now = wanted.length === 0 ? null : await rootAt(size)
    if (now === null) return []
    const { rows } = await db.query<{ index: string; entry: string }>('select index, entry from ledger_entries where index = any ($1::bigint[])', [wanted])
    const entries = new Map(rows.map(({ index, entry }) => [Number(index), entry]))
    const read = nothingRead()
    const proved: Inclusion[] = []
    for (const index of wanted) {
      const entry = entries.get(index)
      if (entry === undefined) continue
      const leaf = leafHash(entry)
      const proof = await verified((isAgain) => rangeRoots(inclusionRanges(index, size), size, isAgain ? nothingRead() : read), (each) => verifyInclusion({ leaf, index, size, root: now, proof: each }), { from: index, to: size })
      proved.push({ index, entry, leafHash: hex(leaf), size, root: hex(now), proof })
    }
    return proved
  }

  return {
    rootAt: async (size) => {
      const found = await rootAt(size)
      return found === null ? null : hex(found)
    },
    recomputeRoot: async (size) => hex(await recompute({ from: 0, to: size }, new Map(), size)),
    inclusion: async (index, size) => (await inclusions([index], size))[0] ?? null,
    inclusions,
    consistency: async (from, to) => {
      const [before, after] = [await rootAt(from), await rootAt(to)]
      if (from > to || before === null || after === null) return null
      const claim = { before: { size: from, root: before }, after: { size: to, root: after } }
      const proof = await verified(() => rangeRoots(consistencyRanges(from, to), to), (each) => verifyConsistency({ ...claim, proof: each }), { from, to })
      return { from: { size: from, root: hex(before) }, to: { size: to, root: hex(after) }, proof }
    },
  }
}

function broken(from: number, to: number, what: string): Failure {
  return new Failure('LEDGER_CORRUPT', `ledger entries ${from} to ${to - 1} ${what}: run \`acgs ledger verify\``)
}

function hex(hash: Hash): string {
  return Buffer.from(hash).toString('hex')
}

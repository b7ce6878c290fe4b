import { createHash } from 'node:crypto'

/**
 * The Merkle tree over the ledger's entries.
 *
 * A tree of n leaves splits at the largest power of two below n; a leaf is hashed with the prefix 0x00 and a node with 0x01, so
 * that neither passes for the other. Hashes are 32 bytes (SHA-256); sizes and indexes are integers below 2⁵³.
 * @see RFC 6962 section 2.1; verification as in RFC 9162 sections 2.1.3.2 and 2.1.4.2
 */
export type Hash = Uint8Array

/** What is needed to append and to tell the root: the roots of the full subtrees, the largest (leftmost) first. O(log n). */
export type Frontier = { readonly size: number; readonly nodes: readonly Hash[] }

export const EMPTY: Frontier = { size: 0, nodes: [] }

export function leafHash(entry: string | Uint8Array): Hash {
  return createHash('sha256').update(LEAF).update(entry).digest()
}

/** The tree with one more leaf: as many full subtrees join as the size has trailing one bits. */
export function append({ size, nodes }: Frontier, leaf: Hash): Frontier {
  const grown = [...nodes]
  let node = leaf
  for (let rest = size; rest % 2 === 1; rest = (rest - 1) / 2) node = nodeHash(grown.pop() as Hash, node)
  return { size: size + 1, nodes: [...grown, node] }
}

/** The root of a tree; for the empty one the hash of nothing. */
export function root({ nodes }: Frontier): Hash {
  return nodes.length === 0 ? createHash('sha256').digest() : nodes.reduceRight((right, left) => nodeHash(left, right))
}

/** Whether a frontier has one node for each one bit of its size: false only for what was written by someone else. */
export function isFrontier({ size, nodes }: Frontier): boolean {
  return Number.isSafeInteger(size) && size >= 0 && size.toString(2).replaceAll('0', '').length === nodes.length && nodes.every(({ length }) => length === 32)
}

/** The siblings on the way from leaf `index` to the root, lowest first. O(n): every leaf is hashed again. */
export function inclusionProof(leaves: readonly Hash[], index: number): readonly Hash[] {
  if (leaves.length <= 1) return []
  const split = splitOf(leaves.length)
  const [left, right] = [leaves.slice(0, split), leaves.slice(split)]
  return index < split ? [...inclusionProof(left, index), rootOf(right)] : [...inclusionProof(right, index - split), rootOf(left)]
}

/** What shows that the tree over the first `size` leaves is the beginning of the tree over all of them. O(n). */
export function consistencyProof(leaves: readonly Hash[], size: number): readonly Hash[] {
  return size === 0 || size === leaves.length ? [] : subproof(leaves, size, true)
}

/** Leaves `from` up to and without `to`, whose root is one hash of a proof; it begins at a multiple of a power of two that is not below its length. */
export type Range = { readonly from: number; readonly to: number }

/** The same as `inclusionProof`, but only of which subtrees it is made: for who does not want to read every leaf. O(log n). */
export function inclusionRanges(index: number, size: number, from = 0): readonly Range[] {
  if (size <= 1) return []
  const split = splitOf(size)
  return index < split
    ? [...inclusionRanges(index, split, from), { from: from + split, to: from + size }]
    : [...inclusionRanges(index - split, size - split, from + split), { from, to: from + split }]
}

/** The same as `consistencyProof`, but only of which subtrees it is made. O(log n). */
export function consistencyRanges(before: number, size: number): readonly Range[] {
  const within = (older: number, newer: number, from: number, isWhole: boolean): readonly Range[] => {
    if (older === newer) return isWhole ? [] : [{ from, to: from + newer }]
    const split = splitOf(newer)
    return older <= split
      ? [...within(older, split, from, isWhole), { from: from + split, to: from + newer }]
      : [...within(older - split, newer - split, from + split, false), { from, to: from + split }]
  }
  return before === 0 || before === size ? [] : within(before, size, 0, true)
}

/** The root over full subtrees of 2ᵏ leaves each, followed by fewer leaves than that. */
export function rootOver(subtrees: readonly Hash[], leaves: readonly Hash[]): Hash {
  return root({ size: -1, nodes: [...subtrees.reduce(append, EMPTY).nodes, ...leaves.reduce(append, EMPTY).nodes] })
}

/** Whether `proof` shows that `leaf` is at `index` in the tree of `size` leaves with that root. */
export function verifyInclusion(claim: { leaf: Hash; index: number; size: number; root: Hash; proof: readonly Hash[] }): boolean {
  if (claim.index < 0 || claim.index >= claim.size) return false
  let [at, last, hash] = [claim.index, claim.size - 1, claim.leaf]
  for (const sibling of claim.proof) {
    if (last === 0) return false
    if (at % 2 === 1 || at === last) {
      hash = nodeHash(sibling, hash)
      while (at % 2 === 0 && at !== 0) [at, last] = [at / 2, half(last)]
    } else {
      hash = nodeHash(hash, sibling)
    }
    ;[at, last] = [half(at), half(last)]
  }
  return last === 0 && same(hash, claim.root)
}

/** Whether `proof` shows that the tree `before` is the beginning of the tree `after`: nothing was changed, removed or reordered. */
export function verifyConsistency(claim: { before: { size: number; root: Hash }; after: { size: number; root: Hash }; proof: readonly Hash[] }): boolean {
  const { before, after } = claim
  if (before.size > after.size || before.size < 0) return false
  if (before.size === after.size) return claim.proof.length === 0 && same(before.root, after.root)
  if (before.size === 0) return claim.proof.length === 0 && same(before.root, root(EMPTY))

  let [at, last] = [before.size - 1, after.size - 1]
  while (at % 2 === 1) [at, last] = [half(at), half(last)]
  const [first, ...rest] = at === 0 ? [before.root, ...claim.proof] : claim.proof // a full tree is its own first node
  if (first === undefined) return false
  let [older, newer] = [first, first]
  for (const node of rest) {
    if (last === 0) return false
    if (at % 2 === 1 || at === last) {
      older = nodeHash(node, older)
      newer = nodeHash(node, newer)
      while (at % 2 === 0 && at !== 0) [at, last] = [at / 2, half(last)]
    } else {
      newer = nodeHash(newer, node)
    }
    ;[at, last] = [half(at), half(last)]
  }
  return last === 0 && same(older, before.root) && same(newer, after.root)
}

const LEAF = Uint8Array.of(0)
const NODE = Uint8Array.of(1)

function nodeHash(left: Hash, right: Hash): Hash {
  return createHash('sha256').update(NODE).update(left).update(right).digest()
}

function rootOf(leaves: readonly Hash[]): Hash {
  return root(leaves.reduce(append, EMPTY))
}

/** `isWhole`: the subtree belongs to the older tree as a whole, so its root need not be told. */
function subproof(leaves: readonly Hash[], size: number, isWhole: boolean): readonly Hash[] {
  if (size === leaves.length) return isWhole ? [] : [rootOf(leaves)]
  const split = splitOf(leaves.length)
  const [left, right] = [leaves.slice(0, split), leaves.slice(split)]
  return size <= split ? [...subproof(left, size, isWhole), rootOf(right)] : [...subproof(right, size - split, false), rootOf(left)]
}

/** The largest power of two below n, for n ≥ 2. */
function splitOf(n: number): number {
  let split = 1
  while (split * 2 < n) split *= 2
  return split
}

function half(n: number): number {
  return Math.floor(n / 2)
}

function same(a: Hash, b: Hash): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at])
}

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'

import fc from 'fast-check'

import {
  append, consistencyProof, consistencyRanges, EMPTY, inclusionProof, inclusionRanges, isFrontier, leafHash, root, rootOver, verifyConsistency, verifyInclusion, type Hash,
} from './merkle.ts'

/** The definition of RFC 6962 section 2.1, as it stands there. */
function definition(entries: readonly string[]): Buffer {
  const sha = (...parts: Uint8Array[]) => createHash('sha256').update(Buffer.concat(parts)).digest()
  if (entries.length === 0) return sha()
  if (entries.length === 1) return sha(Buffer.of(0), Buffer.from(entries[0] as string))
  let k = 1
  while (k << 1 < entries.length) k <<= 1
  return sha(Buffer.of(1), definition(entries.slice(0, k)), definition(entries.slice(k)))
}

const hex = (hash: Hash) => Buffer.from(hash).toString('hex')
const leaves = (n: number) => Array.from({ length: n }, (_, at) => leafHash(`entry ${at}`))
const rootOf = (hashes: readonly Hash[]) => root(hashes.reduce(append, EMPTY))
const entries = fc.array(fc.string(), { maxLength: 70 })

test('a root told from the frontier is the root of the recursive definition', () => {
  fc.assert(fc.property(entries, (list) => hex(rootOf(list.map(leafHash))) === hex(definition(list))), { numRuns: 200 })
})

test('the known roots of Certificate Transparency come out', () => {
  // The empty tree, and the tree whose only leaf is empty: the hashes of nothing and of one zero byte.
  assert.equal(hex(root(EMPTY)), 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
  assert.equal(hex(rootOf([leafHash('')])), '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d')
})

test('a leaf never passes for a node: two entries are not one entry made of their hashes', () => {
  const [a, b] = [leafHash('a'), leafHash('b')]
  assert.notEqual(hex(rootOf([a, b])), hex(leafHash(Buffer.concat([a, b]))))
})

test('the frontier of n leaves has one node for each one bit of n', () => {
  let frontier = EMPTY
  for (const leaf of leaves(70)) {
    frontier = append(frontier, leaf)
    assert.ok(isFrontier(frontier))
  }
  assert.ok(!isFrontier({ ...frontier, size: frontier.size + 1 }))
})

test('every leaf of every tree up to 40 leaves is proved to be in it, and in no other place', () => {
  for (let size = 1; size <= 40; size++) {
    const all = leaves(size)
    for (let index = 0; index < size; index++) {
      const claim = { leaf: all[index] as Hash, index, size, root: rootOf(all), proof: inclusionProof(all, index) }
      assert.ok(verifyInclusion(claim), `${index} of ${size}`)
      assert.ok(!verifyInclusion({ ...claim, leaf: leafHash('another') }))
      assert.ok(!verifyInclusion({ ...claim, proof: [...claim.proof, leafHash('one too many')] }))
      if (size > 1) assert.ok(!verifyInclusion({ ...claim, index: (index + 1) % size }))
      if (size > 1) assert.ok(!verifyInclusion({ ...claim, proof: claim.proof.slice(1) }))
    }
  }
})

test('every tree up to 40 leaves is proved to begin with every smaller one', () => {
  for (let size = 0; size <= 40; size++) {
    const all = leaves(size)
    for (let before = 0; before <= size; before++) {
      const claim = { before: { size: before, root: rootOf(all.slice(0, before)) }, after: { size, root: rootOf(all) }, proof: consistencyProof(all, before) }
      assert.ok(verifyConsistency(claim), `${before} of ${size}`)
    }
  }
})

test('proofs told as ranges are the proofs themselves, and ranges put together from subtrees have their roots', () => {
  const all = leaves(70)
  for (let size = 1; size <= 70; size++) {
    const rooted = ({ from, to }: { from: number; to: number }) => {
      const full = Math.floor((to - from) / 4)
      const subtrees = Array.from({ length: full }, (_, at) => rootOf(all.slice(from + 4 * at, from + 4 * at + 4)))
      const whole = rootOver(subtrees, all.slice(from + 4 * full, to))
      assert.equal(hex(whole), hex(rootOf(all.slice(from, to))))
      if (to - from >= 4) assert.equal(from % 4, 0)
      return hex(whole)
    }
    for (let at = 0; at < size; at++) assert.deepEqual(inclusionRanges(at, size).map(rooted), inclusionProof(all.slice(0, size), at).map(hex), `${at} of ${size}`)
    for (let before = 0; before <= size; before++) assert.deepEqual(consistencyRanges(before, size).map(rooted), consistencyProof(all.slice(0, size), before).map(hex), `${before} of ${size}`)
  }
})

test('a history that was changed, shortened or reordered has no consistency proof', () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 60 }), fc.nat(), fc.nat(), fc.constantFrom('changed', 'reordered', 'removed'), (size, where, until, how) => {
      const all = leaves(size)
      const before = 1 + (until % (size - 1))
      const at = where % before
      const other = [...all]
      if (how === 'changed') other[at] = leafHash('changed')
      if (how === 'removed') other.splice(at, 1)
      if (how === 'reordered') other.splice(at, 2, other[at + 1] as Hash, other[at] as Hash)
      const proof = consistencyProof(other, Math.min(before, other.length))
      const claim = { before: { size: before, root: rootOf(all.slice(0, before)) }, after: { size: other.length, root: rootOf(other) }, proof }
      // Swapping across the border of the older tree changes it too; swapping beyond it would not, and `at < before` excludes that.
      return !verifyConsistency(claim)
    }),
    { numRuns: 300 },
  )
})

test('sabotage: without the prefixes two different ledgers would share a root', () => {
  const bare = (...parts: Uint8Array[]) => createHash('sha256').update(Buffer.concat(parts)).digest()
  const [a, b] = [bare(Buffer.from('a')), bare(Buffer.from('b'))]
  assert.equal(hex(bare(a, b)), hex(bare(Buffer.concat([a, b])))) // the forgery that the third test excludes
})

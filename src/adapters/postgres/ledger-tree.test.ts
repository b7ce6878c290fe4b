import assert from 'node:assert/strict'
import { test } from 'node:test'

import { consistencyProof, inclusionProof, verifyInclusion, type Hash } from '#core/ledger/merkle.ts'
import { testDatabase } from '#test/database.ts'
import { fillLedger } from '#test/fill-ledger.ts'
import { rewriteLedger } from '#test/tampering.ts'
import { findEntries, listEntries, proveEntries } from './ledger-entries.ts'
import { ledgerTree } from './ledger-tree.ts'
import { ledgerTip } from './ledger.ts'

const hex = (hash: Hash) => Buffer.from(hash).toString('hex')

test('proofs from the stored hashes are those of RFC 6962, whatever was read before', async () => {
  await using db = await testDatabase()
  const leaves = await fillLedger(db, 1_700)
  const tip = await ledgerTip(db)
  const warm = ledgerTree(db)
  assert.equal(await warm.recomputeRoot(1_700), tip.root)
  assert.equal(await warm.rootAt(1_701), null)
  for (const [index, size] of [[0, 1], [0, 1_700], [255, 256], [256, 257], [255, 1_024], [1_023, 1_700], [1_699, 1_700], [700, 1_337], [513, 1_025]] as const) {
    for (const tree of [warm, ledgerTree(db)]) {
      const several = await tree.inclusions([index, 0, 5_000, size - 1, size], size)
      assert.deepEqual(several.map((each) => each.index), [index, 0, size - 1])
      assert.deepEqual(several.map(({ proof }) => proof), [index, 0, size - 1].map((each) => inclusionProof(leaves.slice(0, size), each).map(hex)))
      const found = await tree.inclusion(index, size)
      assert(found !== null)
      assert.deepEqual(found.proof, inclusionProof(leaves.slice(0, size), index).map(hex), `${index} of ${size}`)
      assert.equal(found.leafHash, hex(leaves[index] as Hash))
      assert.ok(verifyInclusion({ leaf: leaves[index] as Hash, index, size, root: Buffer.from(found.root, 'hex'), proof: found.proof.map((each) => Buffer.from(each, 'hex')) }))
    }
  }
  for (const [from, to] of [[0, 1_700], [1, 1_700], [256, 1_700], [255, 1_024], [768, 1_700], [1_023, 1_024], [1_700, 1_700], [1_025, 1_699]] as const) {
    for (const tree of [warm, ledgerTree(db)]) assert.deepEqual((await tree.consistency(from, to))?.proof, consistencyProof(leaves.slice(0, to), from).map(hex), `${from} to ${to}`)
  }
  assert.deepEqual([await warm.inclusion(5, 5), await warm.inclusion(5, 1_701), await warm.consistency(5, 4), await warm.consistency(5, 1_701)], [null, null, null, null])
  assert.equal((await warm.consistency(0, 0))?.to.size, 0)
})

test('no proof is given where the hashes do not lead to the roots; after another history was put in, proofs are of that', async () => {
  await using db = await testDatabase()
  await fillLedger(db, 600)
  const tree = ledgerTree(db)
  assert.notEqual(await tree.inclusion(3, 600), null)
  await db.query('alter table ledger_entries disable trigger user')
  await db.query(`update ledger_entries set leaf_hash = sha256('x') where index = 520`)
  await assert.rejects(tree.inclusion(521, 600), { code: 'LEDGER_CORRUPT' })
  await assert.rejects(tree.consistency(519, 600), { code: 'LEDGER_CORRUPT' })
  await db.query(`update ledger_entries set entry = replace(entry, 'clinic', 'clinik') where index = 7`)
  await assert.rejects(tree.inclusion(7, 600), { code: 'LEDGER_CORRUPT' })
  await db.query('delete from ledger_entries where index = 300')
  await assert.rejects(ledgerTree(db).inclusion(400, 600), { code: 'LEDGER_CORRUPT' })
  await rewriteLedger(db, (entries) => entries.toReversed())
  assert.equal((await tree.inclusion(3, 599))?.size, 599)
})

test('entries are listed in their order, by kind, page by page, and found by number and by what they are about', async () => {
  await using db = await testDatabase()
  await fillLedger(db, 30)
  const first = await listEntries(db, { from: 0, limit: 20 })
  assert.deepEqual([first.entries.length, first.next, first.entries[7]?.index, first.entries[7]?.subject['version']], [20, 20, 7, '8'])
  const last = await listEntries(db, { from: 20, limit: 20, kind: 'entities.changed' })
  assert.deepEqual([last.entries.length, last.next], [10, null])
  assert.deepEqual(await listEntries(db, { from: 0, limit: 20, kind: 'application.put' }), { entries: [], next: null })
  assert.deepEqual(await findEntries(db, '7'), { total: 1, indexes: [7] })
  const { total, indexes } = await findEntries(db, 'clinic')
  assert.deepEqual([total, indexes.length, indexes[0]], [30, 20, 29])
  for (const id of ['30', 'nobody', '', 'a\0b', '9'.repeat(15), '-1', '9'.repeat(30)]) assert.deepEqual(await findEntries(db, id), { total: 0, indexes: [] }, id)
  assert.deepEqual((await proveEntries(ledgerTree(db), indexes, 12)).map(({ index }) => index), [11, 10])
})

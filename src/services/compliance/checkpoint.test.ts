import assert from 'node:assert/strict'
import { generateKeyPairSync, sign } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { noteFile } from '#adapters/checkpoint-file.ts'
import { openCheckpoint } from '#core/ledger/checkpoint.ts'
import { append, consistencyProof, EMPTY, leafHash, root, type Hash } from '#core/ledger/merkle.ts'
import { checkpointSigner, type CheckpointRequest } from './checkpoint.ts'

const folder = mkdtempSync(join(tmpdir(), 'acgs-checkpoint-'))
after(() => rmSync(folder, { recursive: true, force: true }))

function key() {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  return { publicKey: Buffer.from((publicKey.export({ format: 'jwk' }) as { x: string }).x, 'base64url'), sign: (bytes: Uint8Array) => sign(null, bytes, privateKey) }
}

const OURS = key()
let files = 0

function setUp({ file = join(folder, `${files++}`, 'checkpoint'), signer = OURS, origin = 'o' } = {}) {
  return { file, sign: checkpointSigner({ signer, keys: () => [OURS.publicKey, signer.publicKey], origin, last: noteFile(file) }) }
}

const leaves = (n: number, word = 'entry'): Hash[] => Array.from({ length: n }, (_, at) => leafHash(`${word} ${at}`))
const hex = (hash: Hash) => Buffer.from(hash).toString('hex')
function request(all: readonly Hash[], previous: number): CheckpointRequest {
  return { size: all.length, root: hex(root(all.reduce(append, EMPTY))), previous, consistency: previous > all.length ? [] : consistencyProof(all, previous).map(hex) }
}

test('each tree that begins with the one before is signed, and the last stays known across a restart', async () => {
  const { file, sign } = setUp()
  for (const [size, previous] of [[0, 0], [1, 0], [7, 1], [7, 7], [7, 0], [64, 7], [65, 64]] as const) {
    const signed = await sign(request(leaves(size), previous))
    assert.deepEqual(openCheckpoint(signed.note, [OURS.publicKey], 'o'), signed)
    assert.equal(readFileSync(file, 'utf8'), signed.note)
  }
  assert.equal((await setUp({ file }).sign(request(leaves(70), 65))).size, 70)
  assert.deepEqual(readdirSync(join(file, '..')), ['checkpoint'])
})

test('a tree that is smaller, rewritten or not shown to continue is not signed, and the last checkpoint comes back', async () => {
  const { file, sign } = setUp()
  const { note } = await sign(request(leaves(10), 0))
  const refused = (reason: string) => ({ code: 'CONFLICT', details: { reason, checkpoint: note } })
  await assert.rejects(sign(request(leaves(9), 0)), refused('smaller'))
  await assert.rejects(sign(request(leaves(10, 'rewritten'), 0)), refused('inconsistent'))
  await assert.rejects(sign(request(leaves(12, 'rewritten'), 10)), refused('inconsistent'))
  await assert.rejects(sign(request([...leaves(9), leafHash('another'), ...leaves(3)], 10)), refused('inconsistent'))
  await assert.rejects(sign({ ...request(leaves(12), 10), consistency: [] }), refused('inconsistent'))
  await assert.rejects(sign(request(leaves(12), 8)), refused('previous'))
  await assert.rejects(setUp({ file }).sign(request(leaves(9), 0)), refused('smaller'))
  assert.equal(readFileSync(file, 'utf8'), note)
  assert.equal((await sign(request(leaves(12), 10))).size, 12)
  // Sabotage: without its memory it signs the rewritten history, so it is the memory that refuses.
  assert.equal((await setUp().sign(request(leaves(9, 'rewritten'), 0))).size, 9)
})

test('two requests at once are signed one after the other, never two histories', async () => {
  const { sign } = setUp()
  const outcomes = await Promise.allSettled([sign(request(leaves(5), 0)), sign(request(leaves(6, 'other'), 0))])
  assert.deepEqual(outcomes.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
})

test('a last checkpoint that cannot be believed stops signing, instead of beginning anew', async () => {
  const { file, sign } = setUp()
  const { note } = await sign(request(leaves(10), 0))
  for (const [content, message] of [['', /not a signed note/], [note.replace('10', '11'), /is not good/], [note.slice(0, 40), /not a signed note/]] as const) {
    writeFileSync(file, content)
    await assert.rejects(sign(request(leaves(12), 10)), { code: 'LEDGER_CORRUPT', message })
    assert.equal(readFileSync(file, 'utf8'), content)
  }
  writeFileSync(file, note)
  await assert.rejects(setUp({ file, origin: 'another' }).sign(request(leaves(12), 10)), /of the ledger `o`, not of `another`/)
  await assert.rejects(checkpointSigner({ signer: OURS, keys: () => [key().publicKey], origin: 'o', last: noteFile(file) })(request(leaves(12), 10)), /no trusted key/)
})

test('after a new key the last checkpoint of the old one still counts', async () => {
  const { file, sign } = setUp()
  await sign(request(leaves(3), 0))
  const next = setUp({ file, signer: key() })
  assert.equal((await next.sign(request(leaves(5), 3))).size, 5)
  await assert.rejects(next.sign(request(leaves(2), 0)), { code: 'CONFLICT' })
})

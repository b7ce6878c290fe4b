import assert from 'node:assert/strict'
import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { openCheckpoint, signCheckpoint } from './checkpoint.ts'
import { isKeyName, openNote, signNote, verifierKey, type NoteSigner } from './note.ts'

function signer(): NoteSigner {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  return { publicKey: rawOf(publicKey), sign: (bytes) => sign(null, bytes, privateKey) }
}

function rawOf(key: KeyObject): Uint8Array {
  return Buffer.from((key.export({ format: 'jwk' }) as { x: string }).x, 'base64url')
}

const OURS = signer()
const ROOT = 'ab'.repeat(32)
const corrupt = { code: 'LEDGER_CORRUPT' }

test('the note of Go’s own documentation is opened, so that its tools open ours', () => {
  const key = Buffer.from('ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW', 'base64').subarray(1)
  const note = 'If you think cryptography is the answer to your problem,\nthen you don\'t know what your problem is.\n\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n'
  assert.deepEqual(openNote(note, 'PeterNeumann', [key]).signers, ['PeterNeumann'])
  assert.equal(verifierKey('PeterNeumann', key), 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW')
  assert.throws(() => openNote(note.replace('answer', 'Answer'), 'PeterNeumann', [key]), /signature of `PeterNeumann` is not good/)
})

test('what is signed is what is read, under that origin and by that key alone', () => {
  const { note } = signCheckpoint({ origin: 'acgs.example/log', size: 20_852_163, root: ROOT }, OURS)
  assert.match(note, /^acgs\.example\/log\n20852163\nq6urq\S+=\n\n— acgs\.example\/log \S+=\n$/)
  assert.deepEqual(openCheckpoint(note, [signer().publicKey, OURS.publicKey], 'acgs.example/log'), { origin: 'acgs.example/log', size: 20_852_163, root: ROOT, note })
  assert.equal(openCheckpoint(note, [OURS.publicKey], null).origin, 'acgs.example/log')
  assert.throws(() => openCheckpoint(note, [OURS.publicKey], 'another'), /is of the ledger `acgs.example\/log`/)
  assert.throws(() => openCheckpoint(note, [signer().publicKey], 'acgs.example/log'), /no trusted key signed it/)
  assert.throws(() => openCheckpoint(note, [], 'acgs.example/log'), corrupt)
})

test('no byte of a note can be changed', () => {
  const { note } = signCheckpoint({ origin: 'o', size: 7, root: ROOT }, OURS)
  const bytes = Buffer.from(note)
  fc.assert(fc.property(fc.nat({ max: bytes.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, flip) => {
    const other = Buffer.from(bytes)
    other[at] = (other[at] as number) ^ flip
    let opened
    try {
      opened = openCheckpoint(other.toString('utf8'), [OURS.publicKey], 'o')
    } catch {
      return true
    }
    return opened.size === 7 && opened.root === ROOT && opened.note === note
  }), { numRuns: 2_000 })
})

test('a name between the lines cannot make another checkpoint of it', () => {
  for (const name of ['', 'a b', 'a+b', 'a\nb', 'a\u00a0b', 'a\u2003b', 'a\u0000b', 'x'.repeat(201)]) {
    assert.equal(isKeyName(name), false, JSON.stringify(name))
    assert.throws(() => signCheckpoint({ origin: name, size: 1, root: ROOT }, OURS), TypeError)
  }
})

test('what a trusted key signed is still no checkpoint when it does not say a size and a root', () => {
  const root = Buffer.from(ROOT, 'hex').toString('base64')
  for (const text of ['o\n', 'o\n1\n', `o\n01\n${root}\n`, `o\n-1\n${root}\n`, `o\n1\n${root.slice(4)}\n`, `o\n9999999999999999\n${root}\n`, `o\n1\n${root}\nmore\n`, `o\n1e3\n${root}\n`]) {
    assert.throws(() => openCheckpoint(signNote(text, 'o', OURS), [OURS.publicKey], 'o'), /size and a root/, JSON.stringify(text))
  }
})

test('a witness’s signature beside ours is passed over; one that a trusted key did not make is not', () => {
  const { note } = signCheckpoint({ origin: 'o', size: 1, root: ROOT }, OURS)
  const text = note.slice(0, note.indexOf('\n\n') + 1)
  const witness = signNote(text, 'witness.example', signer()).split('\n\n')[1]
  assert.equal(openCheckpoint(note + witness, [OURS.publicKey], 'o').size, 1)
  const forged = signNote(text, 'o', { publicKey: OURS.publicKey, sign: signer().sign }).split('\n\n')[1]
  assert.throws(() => openCheckpoint(note + forged, [OURS.publicKey], 'o'), /is not good/)
  assert.throws(() => openCheckpoint(`${note}not a signature\n`, [OURS.publicKey], 'o'), corrupt)
  // Sabotage: were any signature enough, this text would pass, which nobody trusted has signed.
  assert.throws(() => openCheckpoint(`${text}\n${witness}`, [OURS.publicKey], 'o'), /no trusted key signed it/)
})

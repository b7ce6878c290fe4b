import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { stringify } from 'yaml'
import type { Failure } from '#core/failure.ts'
import { parseConstitution } from './constitution.ts'
import { INHERITED_BYTES, INHERITED_ID } from './inherited.ts'
import { checkRatification, constitutionalHash, importCheck, parseRatification, ratify, ratifyAsInherited, type Ratification } from './ratification.ts'

const text = readFileSync('constitutions/acgs.yaml', 'utf8')
const constitution = parseConstitution(text)
const shipped = parseRatification(readFileSync('constitutions/acgs.ratification.yaml', 'utf8'))
const { privateKey } = generateKeyPairSync('ed25519')
const by = { name: 'a council', at: '2026-01-31', privateKey }

const isMismatch = (pattern: RegExp) => (failure: Failure) => failure.code === 'CONSTITUTION_MISMATCH' && pattern.test(failure.message)

test('the shipped record ties the inherited id to the shipped document', () => {
  assert.equal(constitutionalHash(constitution, shipped), 'cdd01ef066bc6cf2')
  checkRatification(constitution, shipped, 'cdd01ef066bc6cf2')
})

test('a changed document is not the ratified one, and both digests are named', () => {
  const changed = parseConstitution(text.replace('weight: 3', 'weight: 4'))
  assert.throws(() => constitutionalHash(changed, shipped), isMismatch(new RegExp(`${constitution.digest}.*${changed.digest}.*acgs constitution ratify`)))
})

test('another CONSTITUTIONAL_HASH is refused, and both ids are named', () => {
  assert.throws(() => checkRatification(constitution, shipped, '0123456789abcdef'), isMismatch(/`0123456789abcdef`.*`cdd01ef066bc6cf2`.*set CONSTITUTIONAL_HASH/))
})

test('no other key may claim the inherited id, even for the same document', () => {
  const claimed = ratifyAsInherited(constitution, by)
  assert.throws(() => checkRatification(constitution, claimed, INHERITED_ID), isMismatch(/claims the inherited id/))
})

test('a document that is made here is ratified under its own digest by any key', () => {
  const own = parseConstitution(text.replace('version: 1.0.0', 'version: 2.0.0'))
  const record = parseRatification(stringify(ratify(own, by)))
  assert.equal(constitutionalHash(own, record), own.digest.slice(0, 16))
  assert.equal(constitutionalHash(own, null), own.digest.slice(0, 16))
})

test('every member of a record is signed', () => {
  const record = ratify(constitution, by)
  checkRatification(constitution, record, record.id)
  const other = generateKeyPairSync('ed25519')
  const changes: Partial<Ratification>[] = [
    { id: '0000000000000000' },
    { version: '9.9.9' },
    { digest: '0'.repeat(64) },
    { ratified_by: 'someone else' },
    { ratified_at: '2026-02-01' },
    { public_key: ratify(constitution, { ...by, privateKey: other.privateKey }).public_key },
    { public_key: 'AAAA' },
    { signature: 'AAAA' },
  ]
  for (const change of changes) {
    assert.throws(() => checkRatification(constitution, { ...record, ...change }, record.id), isMismatch(/./), JSON.stringify(change))
  }
})

test('a record with an unknown or missing member is refused by name', () => {
  const record = ratify(constitution, by)
  assert.throws(() => parseRatification(stringify({ ...record, note: 'x' })), /unknown keys `note`/)
  assert.throws(() => parseRatification(stringify({ ...record, digest: undefined })), /digest/)
  assert.throws(() => parseRatification('{'), /record/)
})

test('only a text that digests to the inherited id is the inherited text', () => {
  const other = importCheck('x'.repeat(INHERITED_BYTES))
  assert.equal(other.isInherited, false)
  assert.equal(other.bytes, 1890)
  assert.match(other.digest, /^[0-9a-f]{64}$/)
  assert.equal(importCheck(text).isInherited, false)
})

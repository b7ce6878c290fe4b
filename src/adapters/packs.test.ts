import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Failure } from '#core/failure.ts'
import { choosePack } from '#core/unit/pack.ts'
import { loadPacks } from './packs.ts'

const packs = loadPacks('packs')

test('each pack brings a world and at least ten requests that are to be certified', () => {
  assert.deepEqual(packs.map(({ name }) => name), ['ai-agents', 'data-protection'])
  for (const { name, requests, entities } of packs) {
    assert(entities.length > 10)
    assert(requests.filter(({ expect }) => expect.verdict === 'certified').length >= 10, name)
    assert(requests.some(({ expect }) => expect.verdict === 'refused'), name)
  }
})

test('a pack is found by name, and by the words of its own requests', () => {
  for (const pack of packs) {
    assert.equal(choosePack(packs, { domain: pack.name, text: '' }), pack)
    for (const { file, body } of pack.requests) {
      const { title, description } = body as { title: string; description: string }
      assert.equal(choosePack(packs, { text: `${title}\n${description}` }).name, pack.name, file)
    }
  }
})

test('an unknown domain, and a text that tells nothing, are refused with the domains there are', () => {
  const isUnknown = (pattern: RegExp) => (failure: Failure) => failure.code === 'DOMAIN_UNKNOWN' && pattern.test(failure.message) && failure.message.includes('`ai-agents`, `data-protection`')
  assert.throws(() => choosePack(packs, { domain: 'astrology', text: 'Nurses may view charts.' }), isUnknown(/`astrology`/))
  assert.throws(() => choosePack(packs, { text: 'Pilots may land aeroplanes.' }), isUnknown(/context\.domain/))
  assert.throws(() => choosePack(packs, { text: '' }), isUnknown(/context\.domain/))
})

const BREAKAGES: readonly (readonly [file: string, change: (text: string) => string, code: string, message: RegExp])[] = [
  ['pack.yaml', (text) => `${text}extra: 1\n`, 'REQUEST_MALFORMED', /pack\.yaml/],
  ['schema.cedarschema', (text) => text.replace('entity Team;', 'entity Team'), 'SCHEMA_INVALID', /schema\.cedarschema/],
  ['entities.json', (text) => text.replace('"spendingLimit": 500', '"spendingLimit": "many"'), 'ENTITIES_INVALID', /entities\.json/],
  ['requests/payments.json', (text) => text.replace('"allow"', '"maybe"'), 'REQUEST_MALFORMED', /payments\.json.*expect\.decisions/],
]
for (const [file, change, code, message] of BREAKAGES) {
  test(`a pack whose ${file} is wrong is refused, naming the file`, () => {
    const folder = mkdtempSync(join(tmpdir(), 'packs-'))
    try {
      cpSync('packs/ai-agents', join(folder, 'ai-agents'), { recursive: true })
      const path = join(folder, 'ai-agents', file)
      writeFileSync(path, change(readFileSync(path, 'utf8')))
      assert.throws(() => loadPacks(folder), (failure: Failure) => failure.code === code && message.test(failure.message))
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
}

test('a folder that is not there is named', () => {
  assert.throws(() => loadPacks('no-such-folder'), (failure: Failure) => failure.code === 'FILE_UNREADABLE' && failure.message.includes('no-such-folder'))
})

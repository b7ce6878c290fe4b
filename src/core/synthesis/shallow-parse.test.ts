import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'

import { parsePolicies, parseSchema } from '#adapters/cedar/cedar.ts'
import { canonical } from '#core/canonical.ts'
import { assemble } from '#core/policy/assemble.ts'
import { renderRules } from '#core/policy/render.ts'
import type { Schema } from '#core/policy/schema.ts'
import type { SemanticUnit } from '#core/unit/semantic-unit.ts'
import type { Reading } from './candidate.ts'
import { readShallowParse } from './shallow-parse.ts'

/** The corpus of `test/reading.test.ts`, here for what holds of any sentence. */
const CORPUS = globSync('test/cases/read/*.json')
  .sort()
  .flatMap((path) => {
    const { schema: lines, sentences } = JSON.parse(readFileSync(path, 'utf8')) as { schema: string[]; sentences: { text: string; want: string }[] }
    const schema = parseSchema(lines.join('\n'))
    return sentences.map(({ text, want }) => ({ text, want, schema }))
  })
const READABLE = CORPUS.filter(({ want }) => want === 'read')

test('a word that nobody knows, put anywhere, is never read as if it were absent', () => {
  const heard: string[] = []
  for (const [index, { text, schema }] of READABLE.entries()) {
    const words = text.replace(/[.]$/, '').split(' ')
    for (let at = index % 5; at <= words.length; at += 5) {
      const glorped = [...words.slice(0, at), 'glorp', ...words.slice(at)].join(' ')
      // Within quotes it is another value; behind a duty's verb it is whom to notify.
      if ((glorped.slice(0, glorped.indexOf('glorp')).match(/"/g)?.length ?? 0) % 2 === 1 || /notify (?:\w+ )*glorp/.test(glorped)) continue
      if (read(glorped, schema).kind === 'norms') heard.push(glorped)
    }
  }
  assert.deepEqual(heard, [])
})

test('may turned into must not turns every permission into a prohibition of the same, but of all or every one, which stays open', () => {
  const kept: string[] = []
  for (const { text, schema } of READABLE.filter(({ text: said }) => /^(?!(?:Only|No|None)\b)[^,]* (?:may|can) (?!not\b|only\b|never\b|be\b|always\b)[^,;]*$/.test(said) && !/\b(?:only|provided|as long as|and \w+ (?:may|can)|no one|nobody|not|but)\b/i.test(said) && !/ (?:may|can) \w+ (?:all|every)\b/.test(said))) {
    const [permitted, forbidden] = [text, text.replace(/ (?:may|can) /, ' must not ')].map((said) => read(said, schema))
    if (permitted?.kind !== 'norms') continue
    const turned = permitted.norms.map(({ source: _, ...norm }) => ({ ...norm, modality: 'forbid' }))
    if (forbidden?.kind !== 'norms' || canonical(forbidden.norms.map(({ source: _, ...norm }) => norm)) !== canonical(turned)) kept.push(text)
  }
  assert.deepEqual(kept, [])
})

test('reading is deterministic, and one sentence does not colour the next', () => {
  for (const { schema } of [READABLE[0], READABLE[100]] as { schema: Schema }[]) {
    const texts = READABLE.filter((one) => one.schema === schema).map(({ text }) => text)
    const together = readShallowParse(unitOf(texts, schema))
    assert.deepEqual(together.map((reading) => bare(reading)), texts.map((text) => bare(read(text, schema))))
    assert.deepEqual(readShallowParse(unitOf(texts, schema)), together)
  }
})

test('whatever words come, nothing is thrown and what is read passes strict validation', () => {
  const { schema } = CORPUS[0] as { schema: Schema }
  const texts = READABLE.filter((one) => one.schema === schema).map(({ text }) => text.replace(/[.,]/g, ' $&').split(' '))
  const words = [...new Set(texts.flat())]
  const change = fc.record({ at: fc.nat(20), word: fc.constantFrom(...words), drops: fc.boolean() })
  let heard = 0
  fc.assert(
    fc.property(fc.constantFrom(...texts), fc.array(change, { maxLength: 3 }), (text, changes) => {
      const said = changes.reduce((list, { at, word, drops }) => list.toSpliced(at % (list.length + 1), 1, ...(drops ? [] : [word])), text)
      const reading = read(said.join(' '), schema)
      if (reading.kind !== 'norms') return
      heard++
      parsePolicies(renderRules(assemble(reading.norms, schema)), schema)
    }),
    { numRuns: 300, seed: 8 },
  )
  assert.ok(heard > 40, String(heard))
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) => void read(text, schema)), { numRuns: 200, seed: 8 })
})

test('however long and tangled a sentence is, it ends quickly and throws nothing', () => {
  const { schema } = CORPUS[0] as { schema: Schema }
  const tangled = [
    `Agents may query databases ${'of teams that own databases '.repeat(5000)}.`,
    `Agents ${'who run queries '.repeat(5000)} may run queries.`,
    `Agents${', agents'.repeat(5000)} and agents may run queries.`,
    `Agents may ${'not '.repeat(5000)} run queries.`,
    `Agents may run ${'trusted '.repeat(100)} queries.`,
    'Agents may run queries; '.repeat(5000),
    `${'Agents may run queries if they are trusted and the agent is trusted or they are trusted; '.repeat(99)}`,
  ]
  for (const text of tangled) {
    const started = performance.now()
    const reading = read(text, schema)
    assert.ok(performance.now() - started < 20_000, `${text.slice(0, 50)}: ${performance.now() - started} ms`)
    assert.equal(reading.kind, 'unread', text.slice(0, 50))
  }
})

test('an explanation is silent, and so is an unread sentence that cannot rule', () => {
  const { schema } = CORPUS[0] as { schema: Schema }
  const unit = unitOf(['Agents may run queries.', 'Purpose and scope.'], schema)
  const [first, second] = unit.sentences
  assert.ok(first !== undefined && second !== undefined)
  const readings = readShallowParse({ ...unit, sentences: [{ ...first, isExplanation: true }, { ...second, mayRule: false }] })
  assert.deepEqual(readings, [{ kind: 'silent', sentence: 1 }, { kind: 'silent', sentence: 2 }])
})

test('norms are numbered by their sentence', () => {
  const { schema } = CORPUS[0] as { schema: Schema }
  const readings = readShallowParse(unitOf(['Agents may run queries.', 'Only trusted agents may delete tables.'], schema))
  assert.deepEqual(readings.map((reading) => (reading.kind === 'norms' ? reading.norms.map(({ id }) => id) : [])), [['N1'], ['N2.1', 'N2.2']])
})

function bare(reading: Reading): unknown {
  return reading.kind === 'norms' ? reading.norms.map(({ id: _, sentence: __, ...norm }) => norm) : reading.kind
}

function read(text: string, schema: Schema): Reading {
  return readShallowParse(unitOf([text], schema))[0] as Reading
}

function unitOf(texts: readonly string[], schema: Schema): SemanticUnit {
  return {
    id: 'unit',
    request: {
      title: 'Test', description: texts.join('\n'), stakeholders: [], principles: [], priority: 'medium', examples: [], explanations: [],
      complianceThreshold: 0.8, consensusRequired: false, multiModelValidation: false,
    },
    schema,
    sentences: texts.map((text, index) => ({ number: index + 1, text, start: 0, end: text.length, mayRule: true, isExplanation: false })),
  }
}

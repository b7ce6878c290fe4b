import assert from 'node:assert/strict'
import test from 'node:test'
import { parseSchema } from '#adapters/cedar/cedar.ts'
import type { SemanticUnit } from '#core/unit/semantic-unit.ts'
import { sentencesOf } from '#core/unit/sentences.ts'
import { correct } from '#core/syndrome/correct.ts'
import { propose } from './propose.ts'

const schema = parseSchema('entity Ward; entity Nurse { ward: Ward }; entity Chart { ward: Ward, sealed: Bool }; action view, edit appliesTo { principal: Nurse, resource: Chart };')

function unitOf(description: string, explanations: readonly number[] = []): SemanticUnit {
  return {
    id: 'u', schema, sentences: sentencesOf(description, schema, explanations),
    request: { title: '', description, stakeholders: [], principles: [], priority: 'low', examples: [], explanations, complianceThreshold: 0.8, consensusRequired: false, multiModelValidation: false },
  }
}

async function meant(description: string, explanations: readonly number[] = []) {
  const unit = unitOf(description, explanations)
  const [correction] = correct(unit, await propose(unit, []), { kind: 'clean' })
  assert.ok(correction)
  return { ...correction, unit }
}

test('every sentence is in a norm or in the list of what was not read: nothing is dropped without a word', async () => {
  for (const hidden of [
    'Sealed charts are fоrbidden to nurses.', // Cyrillic о
    'Sealed charts are for\u200bbidden to nurses.',
    'Charts of minors are confidential.',
    'The rule above is suspended for minors.',
    'The first sentence is false.',
    'Verboten: Charts von Minderjährigen.',
    'This page was written in March.',
  ]) {
    const { norms, unread } = await meant(`Nurses may view charts. ${hidden}`)
    assert.deepEqual(norms.map(({ sentence }) => sentence), [1], hidden)
    assert.deepEqual(unread.map(({ sentence, text }) => [sentence, text]), [[2, hidden]])
  }
})

test('what could hide a rule keeps the request undetermined: look-alikes, hidden characters, words about other sentences', () => {
  const mayRule = (text: string) => sentencesOf(text, schema, [])[0]?.mayRule
  for (const text of ['Sealed charts are fоrbidden.', 'Sealed charts are for\u200bbidden.', 'Sealed charts are for\u00adbidden.', 'Charts of minors are confidential.', 'The rule above is suspended.', 'This applies at night.', 'Hands off charts.']) {
    assert.equal(mayRule(text), true, text)
  }
  assert.equal(mayRule('This page was written in March.'), false)
})

test('a sentence declared as explanation stays visible', async () => {
  const { norms, unread } = await meant('Nurses may view charts. Nurses must not view charts that are sealed.', [2])
  assert.equal(norms.length, 1)
  assert.match(unread[0]?.because ?? '', /declared as explanation/)
})

// Before there was a bound, each of these took from 2 to 80 s; the timeout only keeps a hang from hanging the run.
test('no text takes longer than its length suggests', { timeout: 60_000 }, async () => {
  for (const text of [
    `Nurses may:\n${'- view charts\n'.repeat(7_000)}`,
    `Nurses may view charts. ${'“'.repeat(50_000)} x`,
    `Nurses${', nurses'.repeat(11_000)} may view charts.`,
    `Nurses may view charts if ${'not '.repeat(20_000)}the chart is sealed.`,
    `Nurses ${'who view charts '.repeat(5_000)}may view charts.`,
    `Nurses may view ${'charts of nurses of '.repeat(4_000)}wards.`,
    `Nurses may view charts if ${'the chart is sealed and '.repeat(3_000)}the chart is sealed.`,
  ]) {
    const { unread } = await meant(text)
    assert.ok(unread.length > 0, text.slice(0, 60))
  }
})

test('nothing read has no witness', async () => {
  assert.equal((await meant('Frobnicators may zap the quux of gorps. Blorps must not wibble.')).independentWitnesses, 0)
})

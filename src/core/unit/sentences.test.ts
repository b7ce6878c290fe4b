import assert from 'node:assert/strict'
import { test } from 'node:test'

import { parseSchema } from '#adapters/cedar/cedar.ts'
import { clausesOf, sentencesOf } from './sentences.ts'

const SCHEMA = parseSchema('entity Nurse; entity Chart; action viewChart appliesTo { principal: [Nurse], resource: [Chart] };')
const texts = (description: string) => sentencesOf(description, SCHEMA, []).map(({ text }) => text)
const rules = (description: string) => sentencesOf(description, SCHEMA, []).map(({ mayRule }) => mayRule)

test('prose falls into its sentences, with exact offsets', () => {
  const description = 'Nurses may view charts.  Nobody else may!\nIs that so? Yes.\n\n  A last one without an end'
  const sentences = sentencesOf(description, SCHEMA, [2])
  assert.deepEqual(sentences.map(({ text }) => text), ['Nurses may view charts.', 'Nobody else may!', 'Is that so?', 'Yes.', 'A last one without an end'])
  for (const { text, start, end } of sentences) assert.equal(description.slice(start, end), text)
  assert.deepEqual(sentences.map(({ number }) => number), [1, 2, 3, 4, 5])
  assert.deepEqual(sentences.map(({ isExplanation }) => isExplanation), [false, true, false, false, false])
})

test('abbreviations, initials, decimals and quotations do not end a sentence', () => {
  assert.deepEqual(texts('Staff, e.g. nurses, i.e. those of Dr. House, may view charts. No. 5 is next.'), ['Staff, e.g. nurses, i.e. those of Dr. House, may view charts.', 'No. 5 is next.'])
  assert.deepEqual(texts('The dose is 1.5 units. Charts whose title is "A. B! C." may be viewed.'), ['The dose is 1.5 units.', 'Charts whose title is "A. B! C." may be viewed.'])
  assert.deepEqual(texts('Charts, bills, etc. may be viewed. Charts, bills, etc. Nurses may not.'), ['Charts, bills, etc. may be viewed.', 'Charts, bills, etc.', 'Nurses may not.'])
})

test('a sentence goes on over a line break, and ends at an empty line', () => {
  assert.deepEqual(texts('Nurses may view\ncharts. Nobody\nelse may.\n\nEnd'), ['Nurses may view\ncharts.', 'Nobody\nelse may.', 'End'])
})

test('list items are sentences of their own; below an introduction they are one with it', () => {
  assert.deepEqual(texts('- Nurses may view charts\n* Nobody may export\n1. One\n2) Two'), ['Nurses may view charts', 'Nobody may export', 'One', 'Two'])
  const list = 'Be careful. Nurses may:\n- view charts;\n- edit charts, and\n- export\n  charts.'
  const [first, second] = sentencesOf(list, SCHEMA, [])
  assert.equal(first?.text, 'Be careful.')
  assert.equal(list.slice(second?.start, second?.end), second?.text)
  assert.deepEqual(clausesOf(second?.text ?? ''), ['Nurses may view charts', 'Nurses may edit charts', 'Nurses may export charts'])
})

test('clauses joined by semicolons are one sentence that says several things', () => {
  assert.deepEqual(texts('Nurses may view charts; nobody may export them.').length, 1)
  assert.deepEqual(clausesOf('Nurses may view charts; and nobody may export them.'), ['Nurses may view charts', 'nobody may export them.'])
  assert.deepEqual(clausesOf('Charts titled "a; b" may be viewed.'), ['Charts titled "a; b" may be viewed.'])
})

test('what may rule is told generously: modals, negations, only, duties, actions of the schema', () => {
  assert.deepEqual(rules('Nurses may view charts. Charts are not shared. Only nurses. Nurses view charts. Access is logged. Viewing takes time.'), [true, true, true, true, true, true])
  assert.deepEqual(rules("They can't. They don’t. Never. Consent is required."), [true, true, true, true])
})

test('a heading or a remark does not rule', () => {
  assert.deepEqual(rules('# Viewing charts\n\nThis page is about the clinic.'), [false, false])
  assert.deepEqual(rules('# Nurses must not view charts'), [true])
})

test('what points back, stands for a rule or names who beside what may rule', () => {
  const silent = ['That is wrong.', 'Just kidding.', 'Nurses likewise.', 'Viewable = shown.', 'This was a joke.', 'Forget it.', 'The opposite holds.', 'Charts are for nurses.', 'Charts: nurses.', 'Ditto.', 'It is otherwise with bills.', 'Nurses as well.', 'The former goes first.', 'Nurse → chart']
  assert.deepEqual(silent.filter((text) => !rules(text)[0]), [])
  const sealed = parseSchema('entity Nurse; entity Chart { sealed: Bool }; action viewChart appliesTo { principal: [Nurse], resource: [Chart] };')
  assert.equal(sentencesOf('Confidentiality of sealed charts comes first.', sealed, [])[0]?.mayRule, true)
  assert.deepEqual(rules('This page was written in March. We are a clinic that cares. The nurses of the clinic work in three shifts.'), [false, false, false])
})

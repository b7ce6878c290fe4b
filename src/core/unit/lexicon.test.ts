import assert from 'node:assert/strict'
import { test } from 'node:test'

import { parseSchema } from '#adapters/cedar/cedar.ts'
import { lexiconOf, says } from './lexicon.ts'
import { identifierWords, isAkin, isForm, negated } from './morphology.ts'

const LEXICON = lexiconOf(
  parseSchema(`
namespace App {
  entity Status enum ["open", "in_review"];
  entity customer_record { status: Status };
  @synonyms("staff member, physician")
  entity Person;
  @synonyms("print, take home")
  action viewRecord, "Document:read", "chart.approve", "Sign Off", delete_all appliesTo { principal: [Person], resource: [customer_record] };
}`),
)

test('types are named in any inflection and spelling, and by their synonyms', () => {
  for (const words of [['customer', 'records'], ['Customer', 'Record'], ['customer-record']]) assert.deepEqual(LEXICON.types(words), ['App::customer_record'], words.join(' '))
  for (const words of [['people'], ['persons'], ['physicians'], ['staff', 'members']]) assert.deepEqual(LEXICON.types(words), ['App::Person'], words.join(' '))
  for (const words of [['customers'], ['records'], ['person', 'record'], ['personal'], []]) assert.deepEqual(LEXICON.types(words), [], words.join(' '))
})

test('verbs name actions of every style of identifier', () => {
  const actions = (...verb: string[]) => LEXICON.actions(verb).map(({ action, rest }) => `${action} ${rest.join(' ')}`.trim())
  assert.ok(actions('viewed').includes('App::Action::"viewRecord" record'))
  assert.ok(actions('viewing', 'records').includes('App::Action::"viewRecord"'))
  assert.ok(actions('signing', 'off').includes('App::Action::"Sign Off"'))
  assert.ok(actions('took', 'home').length === 5, 'a synonym on a group of actions names each')
  assert.deepEqual(actions('peruse'), [])
})

test('a verb that the schema lacks is understood by the one of its family that it has', () => {
  const one = lexiconOf(parseSchema('entity U; entity D; action read appliesTo { principal: U, resource: D };'))
  assert.equal(one.actions(['see']).length, 1)
  const both = lexiconOf(parseSchema('entity U; entity D; action read, view appliesTo { principal: U, resource: D };'))
  assert.deepEqual(both.actions(['see']), [], 'of two it is a question')
  assert.equal(both.actions(['view']).length, 1)
})

test('enumerated ids are values', () => {
  assert.deepEqual(LEXICON.values(['in', 'review']).map(({ id }) => id), ['in_review'])
  assert.deepEqual(LEXICON.values(['opening']), [])
})

test('identifiers fall into words', () => {
  assert.deepEqual(identifierWords('viewHTTPRequest2'), ['view', 'http', 'request2'])
  assert.deepEqual(identifierWords('Document:read-all_things.now'), ['document', 'read', 'all', 'things', 'now'])
})

test('words are forms of one word, come from one root, or do neither', () => {
  for (const [a, b] of [['policies', 'policy'], ['viewed', 'viewing'], ['stopped', 'stops'], ['written', 'write'], ['children', 'child'], ['statuses', 'status'], ['diagnoses', 'diagnosis']] as const) assert.ok(isForm(a, b), `${a} ${b}`)
  for (const [a, b] of [['deletion', 'deletes'], ['approval', 'approve'], ['assignee', 'assigned'], ['owners', 'owned'], ['payment', 'pays'], ['modification', 'modify']] as const) assert.ok(isAkin(a, b), `${a} ${b}`)
  for (const [a, b] of [['chart', 'charter'], ['bill', 'bell'], ['export', 'expert'], ['read', 'ready'], ['warden', 'ward']] as const) assert.ok(!isForm(a, b), `${a} ${b}`)
  assert.ok(!isAkin('view', 'review'))
})

test('a prefix negates a word', () => {
  assert.equal(negated('unsealed'), 'sealed')
  assert.equal(negated('non-public'), 'public')
  assert.equal(negated('inactive'), 'active')
  assert.equal(negated('internal'), null)
})

test('a phrase is said whole or not at all', () => {
  assert.ok(says(['e-mail'], ['email']))
  assert.ok(!says(['mail'], ['email']))
  assert.ok(!says(['medical', 'record'], ['record']))
})

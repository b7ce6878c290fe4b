import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseSchema } from '#adapters/cedar/cedar.ts'
import type { Candidate, Method, Reading } from '#core/synthesis/candidate.ts'
import type { Norm } from '#core/unit/norm.ts'
import type { SemanticUnit } from '#core/unit/semantic-unit.ts'
import { sentencesOf } from '#core/unit/sentences.ts'
import { correct } from './correct.ts'

const schema = parseSchema('entity Clerk; entity File; action view, edit appliesTo { principal: Clerk, resource: File };')
const unit = { id: 'u', schema, sentences: sentencesOf('Clerks may view files. Clerks may edit files.', schema, []) } as unknown as SemanticUnit
const norm = (sentence: number, action: string): Norm => ({ id: `N${sentence}`, sentence, source: '', modality: 'permit', principals: ['Clerk'], actions: [{ type: 'Action', id: action }], resources: ['File'], when: null, unless: null, obligation: null })
const says = (sentence: number, action: string): Reading => ({ kind: 'norms', sentence, norms: [norm(sentence, action)] })
const unread = (sentence: number, open = false): Reading => ({ kind: 'unread', sentence, because: open ? 'it has two meanings' : 'no verb', ...(open ? { isOpen: true } : {}) })
const reader = (method: Method, ...readings: readonly Reading[]): Candidate => ({ method, lineage: method, readsText: true, cedar: '', readings })
const [VIEW, EDIT] = [says(1, 'view'), says(2, 'edit')]

test('the sentence that fewest lineages have read says how many witnesses there are', () => {
  const witnesses = (...readers: readonly Candidate[]) => correct(unit, readers, { kind: 'clean' })[0]?.independentWitnesses
  assert.equal(witnesses(reader('controlled-english', VIEW, EDIT), reader('shallow-parse', VIEW, EDIT)), 2)
  assert.equal(witnesses(reader('controlled-english', VIEW, EDIT), reader('shallow-parse', VIEW, unread(2))), 1)
  assert.equal(witnesses(reader('controlled-english', VIEW, unread(2)), reader('shallow-parse', unread(1), EDIT)), 1)
  assert.equal(witnesses({ ...reader('model:a', VIEW, EDIT), lineage: 'one' }, { ...reader('model:b', VIEW, EDIT), lineage: 'one' }), 1)
  assert.equal(witnesses(reader('controlled-english', unread(1), unread(2))), 0)
})

test('where one reader sees two meanings, that another chose one of them is no reading', () => {
  const [correction] = correct(unit, [reader('controlled-english', VIEW, unread(2, true)), reader('shallow-parse', VIEW, EDIT)], { kind: 'clean' })
  assert.deepEqual(correction?.norms.map(({ sentence }) => sentence), [1])
  assert.deepEqual(correction?.unread.map(({ sentence, because }) => [sentence, because]), [[2, 'it has two meanings']])
  const [other] = correct(unit, [reader('controlled-english', VIEW, unread(2)), reader('shallow-parse', VIEW, EDIT)], { kind: 'clean' })
  assert.deepEqual(other?.norms.map(({ sentence }) => sentence), [1, 2], 'what one did not understand, another may have')
})

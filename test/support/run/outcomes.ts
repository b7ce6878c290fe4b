import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

/** Read by test/run.test.ts: one of each outcome. Not named `.test.ts`, so that no run picks it up by itself. */
test('passes', () => {})
test('fails', () => assert.equal(1, 2))
test('is left out', { skip: 'for a reason' }, () => {})
test('is not done', { todo: true }, () => assert.fail())
describe('a group', () => {
  test('passes inside', () => {})
  test('fails inside', () => assert.fail())
})

import assert from 'node:assert/strict'
import test from 'node:test'
import { answerOf, exitOf, pathOf } from './service.ts'

test('what a service answers becomes the exit status that scripts rely on', () => {
  const exit = (status: number, code?: string) => exitOf({ status, body: code === undefined ? null : { code } })
  assert.deepEqual([200, 201, 204].map((status) => exit(status)), [0, 0, 0])
  assert.equal(exit(409, 'CONFLICT'), 3)
  assert.deepEqual([exit(422, 'POLICY_REFUSED'), exit(422, 'CERTIFICATE_UNUSABLE'), exit(422, 'POLICY_UNDETERMINED')], [3, 3, 4])
  assert.deepEqual([400, 404, 413, 415].map((status) => exit(status)), [2, 2, 2, 2])
  assert.deepEqual([401, 403, 500, 503].map((status) => exit(status)), [1, 1, 1, 1])
})

test('a problem is told as one sentence with every place that the sentence does not name', () => {
  const body = { code: 'ENTITIES_INVALID', detail: 'two are wrong: User::"a": one is', problems: [{ place: 'User::"a"', message: 'one is' }, { place: 'User::"b"', message: 'another is' }] }
  const { json, text, error, exit } = answerOf({ status: 400, headers: new Headers(), body }, () => 'never')
  assert.deepEqual([json, text, exit], [body, '', 2])
  assert.equal(error, 'two are wrong: User::"a": one is\n  User::"b": another is')
})

test('parameters are escaped in a path', () => {
  assert.equal(pathOf('/a/{type}/{id}', { type: 'Ns::User', id: 'a/b c' }), '/a/Ns%3A%3AUser/a%2Fb%20c')
})

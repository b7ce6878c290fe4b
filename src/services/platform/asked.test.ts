import assert from 'node:assert/strict'
import { test } from 'node:test'
import { askedIn } from './asked.ts'

const keyOf = (key: string | string[]) => askedIn({ 'idempotency-key': key }).key

test('without headers there is no key, and the client waits', () => {
  assert.deepEqual(askedIn({}), { key: null, isAsync: false })
})

test('a key means the same with quotes and without', () => {
  assert.equal(keyOf('"8e03978e-40d5"'), '8e03978e-40d5')
  assert.equal(keyOf(' 8e03978e-40d5 '), '8e03978e-40d5')
  assert.equal(keyOf('"a \\"b\\" \\\\c"'), 'a "b" \\c')
})

test('what is no key is refused by name', () => {
  for (const bad of ['', '""', '"', 'a b', 'a, b', 'a;b', '"a" "b"', '"a\\b"', 'ключ', 'a\tb', '"' + 'x'.repeat(256) + '"', 'x'.repeat(256), ['a', 'b']]) {
    assert.throws(() => keyOf(bad), { code: 'REQUEST_MALFORMED', message: /headers\.idempotency-key/ }, JSON.stringify(bad))
  }
})

test('respond-async is found among other preferences, in any case', () => {
  for (const prefer of ['respond-async', 'Respond-Async', 'handling=lenient, respond-async; wait=10', ['return=minimal', 'respond-async']]) assert.equal(askedIn({ prefer }).isAsync, true, String(prefer))
  for (const prefer of ['', 'wait=10', 'respond-asynchronously', 'x="respond-async"']) assert.equal(askedIn({ prefer }).isAsync, false, prefer)
})

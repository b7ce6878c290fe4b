import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Failure } from '#core/failure.ts'
import { refuseTooMuch } from './batch.ts'

test('a batch whose defaults are read anew for every question is bounded by what all of them come to', () => {
  const large = { type: 'Nurse', id: 'ana', properties: { treats: Array.from({ length: 1_500 }, (_, i) => ({ type: 'Patient', id: `p${i}` })) } }
  const refused = (items: readonly unknown[], defaults: object) => assert.throws(() => refuseTooMuch(items, { ...defaults }), (error) => error instanceof Failure && error.code === 'REQUEST_MALFORMED' && /divide them/.test(error.message))
  refused(Array.from({ length: 1_000 }, () => ({})), { subject: large })
  refused(Array.from({ length: 50 }, () => ({ subject: large })), {})
  refuseTooMuch(Array.from({ length: 1_000 }, () => ({ action: { name: 'view' } })), { subject: { type: 'Nurse', id: 'ana' }, resource: { type: 'Chart', id: '1' } })
  // What a question has itself replaces the default.
  refuseTooMuch(Array.from({ length: 1_000 }, () => ({ subject: { type: 'Nurse', id: 'ana' } })), { subject: large })
  refuseTooMuch([null, 1, 'x'], { subject: large })
})

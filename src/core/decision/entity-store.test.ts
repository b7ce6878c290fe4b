import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CedarEntity } from '#core/unit/semantic-unit.ts'
import { EntityStore } from './entity-store.ts'

const entity = (id: string, n: unknown = 1, type = 'User'): CedarEntity => ({ uid: { type, id }, attrs: { n }, parents: [{ type: 'Team', id: 't' }] })

test('a store follows changes: what is given is there as it was given, what is deleted is not, a whole is all there is', () => {
  const store = new EntityStore()
  assert.deepEqual([store.get({ type: 'User', id: 'a' }), store.size, store.version], [null, 0, 0])
  store.apply({ version: 3, isWhole: true, upserted: [entity('a'), entity('b'), entity('a', 1, 'Team')], deleted: [] })
  assert.deepEqual([store.get({ type: 'User', id: 'a' }), store.size, store.version], [entity('a'), 3, 3])
  store.apply({ version: 4, isWhole: false, upserted: [entity('b', 2), entity('c', 3)], deleted: [{ type: 'User', id: 'a' }, { type: 'User', id: 'nobody' }] })
  assert.deepEqual([store.get({ type: 'User', id: 'a' }), store.get({ type: 'User', id: 'b' }), store.size, store.version], [null, entity('b', 2), 3, 4])
  store.apply({ version: 5, isWhole: true, upserted: [entity('d')], deleted: [] })
  assert.deepEqual([store.get({ type: 'User', id: 'b' }), store.get({ type: 'User', id: 'd' }), store.size], [null, entity('d'), 1])
})

test('what was handed over can be changed by nobody, integers stay exact, and tags stay', () => {
  const store = new EntityStore()
  const attrs = { n: 9007199254740993n, nested: { x: '9007199254740993' } }
  store.apply({ version: 1, isWhole: true, upserted: [{ uid: { type: 'User', id: 'a' }, attrs, parents: [], tags: { 'a b': 'x' } }], deleted: [] })
  attrs.nested.x = 'other'
  const found = store.get({ type: 'User', id: 'a' })
  assert.deepEqual([found?.attrs, found?.tags], [{ n: '9007199254740993', nested: { x: '9007199254740993' } }, { 'a b': 'x' }])
  Object.assign(found?.attrs ?? {}, { n: 1 })
  assert.equal(store.get({ type: 'User', id: 'a' })?.attrs['n'], '9007199254740993')
})

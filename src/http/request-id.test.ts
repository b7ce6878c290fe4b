import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nextRequestId } from './request-id.ts'

test('ids are UUIDs of version 4, each another one, also beyond those that share what was drawn', () => {
  const ids = Array.from({ length: 200_000 }, nextRequestId)
  assert.equal(new Set(ids).size, ids.length)
  for (const id of ids) if (!/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(id)) assert.fail(id)
  assert.ok(new Set(ids.map((id) => id.slice(0, -4))).size >= 4)
})

import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { runAcgs } from '#test/product.ts'

const collection = fileURLToPath(new URL('../../shared/bench/cedar-integration-tests', import.meta.url))
const skip = existsSync(collection) ? false : 'there are no labelled cases at ../shared/bench/cedar-integration-tests'

test('the decision engine decides every labelled case as Cedar does: decisions, determining rules, errors', { skip }, async (t) => {
  const { status, stdout, stderr } = await runAcgs(['conformance', collection, '--json', '--quiet'])
  const found = JSON.parse(stdout)
  t.diagnostic(JSON.stringify({ ...found, disagree: found.disagree.length }))
  assert.deepEqual(found.disagree, [], stderr)
  // 62,472 generated decisions and 74 written by hand: fewer would mean that cases were not found.
  assert.deepEqual([status, found.cases, found.decisions, found.agree], [0, 7_831, 62_546, 62_546])
  // Those name a principal or a resource that nobody supplied; the rest of them is of enumerated types, whose entities the schema itself supplies.
  assert.deepEqual([found.allowed_naming_absent, found.fail_closed_differs], [212, 127])
})

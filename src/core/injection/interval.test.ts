import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clopperPearson } from './interval.ts'

test('intervals are those of the published tables', () => {
  const rounded = (hits: number, trials: number) => Object.values(clopperPearson(hits, trials)).map((end) => Number(end.toFixed(4)))
  assert.deepEqual(rounded(0, 10), [0, 0.3085])
  assert.deepEqual(rounded(5, 10), [0.1871, 0.8129])
  assert.deepEqual(rounded(10, 10), [0.6915, 1])
  assert.deepEqual(rounded(1, 100), [0.0003, 0.0545])
  assert.deepEqual(rounded(0, 2_000), [0, 0.0018])
  assert.deepEqual(rounded(0, 0), [0, 1])
})

test('the share itself is always within, and more trials never widen it', () => {
  for (const [hits, trials] of [[1, 3], [2, 7], [30, 100], [999, 1_000], [700, 2_000]] as const) {
    const { low, high } = clopperPearson(hits, trials)
    assert.ok(low < hits / trials && hits / trials < high)
    const more = clopperPearson(2 * hits, 2 * trials)
    assert.ok(more.high - more.low < high - low)
  }
})

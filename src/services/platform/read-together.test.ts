import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readTogether } from './read-together.ts'

test('a thousand who ask at once cost two readings, and nobody is told what was read before they asked', async () => {
  let readings = 0
  let value = 0
  const ask = readTogether(async () => {
    readings++
    const read = value
    await new Promise(setImmediate)
    return read
  })
  const first = ask()
  value = 1
  const others = Array.from({ length: 1_000 }, ask)
  assert.equal(await first, 0)
  assert.deepEqual([...new Set(await Promise.all(others))], [1])
  assert.equal(readings, 2)
  value = 2
  assert.equal(await ask(), 2)
})

test('a reading that fails is told to those who shared it, and the next one is made all the same', async () => {
  let readings = 0
  const ask = readTogether(async () => {
    await new Promise(setImmediate)
    if (++readings === 1) throw new Error('away')
    return readings
  })
  const first = ask()
  const second = ask()
  await assert.rejects(first, /away/)
  assert.equal(await second, 2)
})

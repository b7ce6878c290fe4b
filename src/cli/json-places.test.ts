import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Failure } from '#core/failure.ts'
import { malformed, step } from '#core/json.ts'
import { pick, seeded } from '#core/proof/random-world.ts'
import { placed } from './json-places.ts'

function placeOf(text: string, place: string): string | undefined {
  try {
    return placed('f.json', Buffer.from(text), () => { throw malformed([{ place, message: 'is wrong' }]) })
  } catch (error) {
    assert.ok(error instanceof Failure)
    assert.equal(error.message, `${error.problems[0]?.place}: is wrong`)
    return error.problems[0]?.place
  }
}

test('a problem in a JSON file is told with line and column, a missing member where it should be', () => {
  const text = '{ "a": [1,\n  { "b c": true, "d\\"": [[], "x"] }] }'
  assert.equal(placeOf(text, 'f.json.a'), 'f.json:1:3: a')
  assert.equal(placeOf(text, 'f.json.a[0]'), 'f.json:1:9: a[0]')
  assert.equal(placeOf(text, 'f.json.a[1]'), 'f.json:2:3: a[1]')
  assert.equal(placeOf(text, 'f.json.a[1]["b c"]'), 'f.json:2:5: a[1]["b c"]')
  assert.equal(placeOf(text, 'f.json.a[1]["d\\""][1]'), 'f.json:2:30: a[1]["d\\""][1]')
  assert.equal(placeOf(text, 'f.json.a[1].missing'), 'f.json:2:3: a[1].missing')
  assert.equal(placeOf(text, 'f.json'), 'f.json:1:1')
  assert.equal(placeOf(text, 'f.json, line 3, column 4'), 'f.json:3:4')
})

test('every value of a random document is found where it stands', () => {
  const random = seeded(3)
  for (let round = 0; round < 300; round++) {
    // Each value is a number of its own, so that where it stands can be looked for.
    let next = 1000
    const wanted: [place: string, digits: string][] = []
    const value = (depth: number, place: string): unknown => {
      const kind = depth === 0 ? 'number' : pick(random, ['number', 'list', 'object'])
      if (kind === 'list') return Array.from({ length: Math.floor(random() * 4) }, (_, i) => value(depth - 1, step(place, i)))
      if (kind === 'object') return Object.fromEntries(['a', 'b c', 'é', '{'].filter(() => random() < 0.5).map((name) => [name, value(depth - 1, step(place, name))]))
      wanted.push([place, String(++next)])
      return next
    }
    const text = JSON.stringify(value(3, 'f.json'), null, pick(random, [0, 1, 2]))
    const lines = text.split('\n')
    for (const [place, digits] of wanted) {
      const [, line, column] = /^f\.json:(\d+):(\d+)/.exec(placeOf(text, place) ?? '') ?? []
      const said = (lines[Number(line) - 1] ?? '').slice(Number(column) - 1)
      assert.match(said, new RegExp(`^(?:"[^"]*"\\s*:\\s*)?${digits}\\b`), `${place} in ${text}`)
    }
  }
})

test('a string of many megabytes is passed like any other', () => {
  assert.equal(placeOf(JSON.stringify({ a: '\n'.repeat(10_000_000), b: 1 }), 'f.json.b'), 'f.json:1:20000009: b')
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { importTwin, type Sabotage } from '#test/twin.ts'
import { Rows } from './rows.ts'
import { TypeTable } from './type-table.ts'

/** What is wrong with rows that become longer while they are in use; null: nothing. */
function flaw(Subject: typeof Rows): string | null {
  const room = { ints: 0 }
  const rows = new Subject(new TypeTable('User', 0), room)
  const first = rows.reserve(2)
  rows.lengthen(3)
  for (let row = 0; row <= 3; row++) rows.ints.set([row, 10 * row], row * rows.stride + first)
  const second = rows.reserve(3)
  if (first !== 0 || second !== 2 || rows.stride !== 5) return `they have ${rows.stride} integers, the second part from ${second}`
  rows.lengthen(5)
  for (let row = 0; row <= 5; row++) {
    const has = [...rows.ints.subarray(row * 5, row * 5 + 5)]
    if (has.join() !== (row > 3 ? [0, 0, 0, 0, 0] : [row, 10 * row, 0, 0, 0]).join()) return `row ${row} has ${has.join()}`
  }
  if (room.ints !== rows.ints.length) return `${rows.ints.length} integers are counted as ${room.ints}`
  rows.clear(1)
  if (rows.ints[3 * 5] !== 3 || rows.ints[3 * 5 + 1] !== 0) return 'another integer is cleared'
  rows.forget()
  return room.ints === 0 && rows.ints.length === 0 && rows.stride === 5 ? null : `${room.ints} integers are left`
}

test('rows become longer, and more, with what they have; what they take is counted', () => {
  assert.equal(flaw(Rows), null)
})

const TWINS: { readonly [name: string]: Sabotage } = {
  'what rows had is lost when they become longer': { file: 'rows.ts', from: 'this.ints.set(ints.subarray(row * at, (row + 1) * at), row * this.stride)', to: '' },
  'it comes into another row': { file: 'rows.ts', from: 'row * this.stride)', to: 'row * at)' },
  'what they take is not given back': { file: 'rows.ts', from: 'this.#room.ints -= this.ints.length', to: '' },
  'everything is cleared': { file: 'rows.ts', from: 'i += this.stride) this.ints[i] = 0', to: 'i++) this.ints[i] = 0' },
}

for (const [name, sabotage] of Object.entries(TWINS)) {
  test(`the sabotage twin is caught: ${name}`, async () => {
    const twin = await importTwin<{ Rows: typeof Rows }>('src/core/decision/dense/', ['rows.ts'], sabotage, name)
    assert.notEqual(flaw(twin.Rows), null)
  })
}

import { lengthened } from './lengthened.ts'
import type { Room } from './recording.ts'
import type { TypeTable } from './type-table.ts'

/** Integers about the entities of one type, a row for each; what is not worked out yet is 0. */
export class Rows {
  readonly table: TypeTable
  readonly #room: Room
  ints = new Int32Array(0)
  /** The length of a row. */
  stride = 0

  constructor(table: TypeTable, room: Room) {
    this.table = table
    this.#room = room
  }

  /**
   * Makes every row longer, by so many integers; what is there stays.
   *
   * @returns Where in a row they begin.
   */
  reserve(count: number): number {
    const at = this.stride
    const { ints } = this
    this.stride += count
    if (ints.length === 0) return at
    this.forget()
    this.lengthen(Math.floor(ints.length / at) - 1)
    for (let row = 0; (row + 1) * at <= ints.length; row++) this.ints.set(ints.subarray(row * at, (row + 1) * at), row * this.stride)
    return at
  }

  /** Makes sure that there is a row. */
  lengthen(row: number): void {
    const longer = lengthened(this.ints, (row + 1) * this.stride, this.table.entities.length * this.stride)
    this.#room.ints += longer.length - this.ints.length
    this.ints = longer
  }

  /** Of every row the integer there is 0 from now on. */
  clear(at: number): void {
    for (let i = at; i < this.ints.length; i += this.stride) this.ints[i] = 0
  }

  /** Everything. */
  forget(): void {
    this.#room.ints -= this.ints.length
    this.ints = new Int32Array(0)
  }
}

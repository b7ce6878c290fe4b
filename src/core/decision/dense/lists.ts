import type { Room } from './recording.ts'

/** Lists of integers of many rows, in one array. */
export class Lists {
  readonly #room: Room
  ints = new Int32Array(0)
  #end = 1
  #dropped = 0

  constructor(room: Room) {
    this.#room = room
  }

  /** Where the next list begins; none begins at 0. */
  get end(): number {
    return this.#end
  }

  push(value: number): void {
    if (this.#end >= this.ints.length) this.#lengthen()
    this.ints[this.#end++] = value
  }

  #lengthen(): void {
    const longer = new Int32Array(Math.max(LENGTH_MIN, Math.ceil(this.ints.length * GROWTH)))
    longer.set(this.ints)
    this.#room.ints += longer.length - this.ints.length
    this.ints = longer
  }

  /** So many are in use no more. */
  drop(count: number): void {
    this.#dropped += count
  }

  /** Whether most of it is in use no more. */
  get isWasted(): boolean {
    return this.#dropped >= DROPPED_MIN && this.#dropped * 2 >= this.#end
  }

  forget(): void {
    this.#room.ints -= this.ints.length
    this.ints = new Int32Array(0)
    this.#end = 1
    this.#dropped = 0
  }
}

const LENGTH_MIN = 256
const GROWTH = 1.5
const DROPPED_MIN = 1 << 14

import { lengthened } from './lengthened.ts'
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
    const longer = lengthened(this.ints, this.#end + 1, LENGTH_MIN)
    this.#room.ints += longer.length - this.ints.length
    this.ints = longer
    this.ints[this.#end++] = value
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
const DROPPED_MIN = 1 << 14

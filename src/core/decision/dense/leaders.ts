import type { RecordValue } from '../value.ts'
import type { Step } from './program.ts'
import type { Limit } from './relation.ts'

/** Rules of an environment, a bit for each of up to 64 places. */
type Bits = { readonly low: number; readonly high: number }

function bitsOf(places: Iterable<number>): Bits {
  let [low, high] = [0, 0]
  for (const place of places) {
    if (place < 32) low |= 1 << place
    else high |= 1 << (place - 32)
  }
  return { low, high }
}

/** Rules that begin with the same relation: it is answered once for all of them. */
export class Leader {
  /** Where the program asks it. */
  readonly step: Step
  readonly low: number
  readonly high: number

  constructor(step: Step, places: readonly number[]) {
    this.step = step
    const { low, high } = bitsOf(places)
    this.low = low
    this.high = high
  }
}

/** Rules that begin with a limit to the same attribute of the context: which of them a value meets is looked up for all of them at once. */
export class Limits {
  readonly name: string
  readonly low: number
  readonly high: number
  /** Ascending. */
  readonly #bounds: Float64Array
  /** For values below the first bound, at it, between it and the second, and so on: two words of rules whose limit is met, and all that have none here. */
  readonly #met: Int32Array

  constructor(name: string, limits: readonly (readonly [place: number, limit: Limit])[]) {
    this.name = name
    const { low, high } = bitsOf(limits.map(([place]) => place))
    this.low = low
    this.high = high
    this.#bounds = Float64Array.from(new Set(limits.map(([, { bound }]) => bound))).sort()
    this.#met = new Int32Array(2 * (2 * this.#bounds.length + 1))
    // Bounds have the odd places and what lies between them the even ones, in the order of what they stand for.
    for (let at = 0; at <= 2 * this.#bounds.length; at++) {
      const met = bitsOf(limits.filter(([, { bound, holds }]) => holds(at, 2 * this.#bounds.indexOf(bound) + 1)).map(([place]) => place))
      this.#met[2 * at] = met.low | ~low
      this.#met[2 * at + 1] = met.high | ~high
    }
  }

  /** Where the words of rules are whose limit the context meets; −1: its attribute is not a number, and they must be asked one by one. */
  at(context: RecordValue): number {
    const value = context.fields.get(this.name)
    if (typeof value !== 'number') return -1
    const bounds = this.#bounds
    let [from, to] = [0, bounds.length]
    while (from < to) {
      const middle = (from + to) >>> 1
      if ((bounds[middle] as number) < value) from = middle + 1
      else to = middle
    }
    return 2 * (2 * from + (bounds[from] === value ? 1 : 0))
  }

  get met(): Int32Array {
    return this.#met
  }
}

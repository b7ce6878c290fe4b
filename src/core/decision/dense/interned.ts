import { EntityValue, keyOf, type Value } from '../value.ts'

/** Their numbers, always. */
export const TRUE = 1
export const FALSE = 2

/** Values by small numbers: two are equal exactly when their numbers are. */
export class Interned {
  /** By number; none has the number 0. */
  readonly values: (Value | undefined)[] = []
  readonly #plain = new Map<Value, number>()
  readonly #entities = new Map<string, number>()
  readonly #others = new Map<string, number>()

  constructor() {
    this.clear()
  }

  /** Forgets everything but truth and falsehood. */
  clear(): void {
    for (const numbers of [this.#plain, this.#entities, this.#others]) numbers.clear()
    this.values.length = 0
    this.values.push(undefined)
    for (const value of [true, false]) this.numberOf(value)
  }

  /** The number of a value, from 1. */
  numberOf(value: Value): number {
    if (typeof value !== 'object') return this.#number(this.#plain, value, value)
    return value instanceof EntityValue ? this.#number(this.#entities, value.key, value) : this.#number(this.#others, keyOf(value), value)
  }

  #number<K>(numbers: Map<K, number>, key: K, value: Value): number {
    let number = numbers.get(key)
    if (number === undefined) {
      number = this.values.length
      this.values.push(value)
      numbers.set(key, number)
    }
    return number
  }
}

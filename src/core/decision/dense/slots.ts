import type { Expression } from '#core/policy/expression.ts'
import { compileExpression, type Evaluate } from '../compile-expression.ts'
import { EvaluationError } from '../evaluation-error.ts'
import type { Entities, Entity } from '../situation.ts'
import type { EntityValue } from '../value.ts'
import { mentionsOf } from './conjuncts.ts'
import type { Interned } from './interned.ts'
import { alone, isSure, lengthened, Recording, type Keeper, type Room, type Watch } from './recording.ts'
import type { TypeTable } from './type-table.ts'

/** More of them would make rows long; what has no slot is evaluated when it is asked for. */
const SLOTS_MAX = 127

/**
 * What rules read of the entities of one type alone, worked out once for each, when it is first asked for. A row is: its own number, 0 while it is
 * not made; then a number for each expression, the same for equal values, 0 in doubt.
 */
export class Slots implements Keeper {
  readonly table: TypeTable
  readonly #interned: Interned
  readonly #entities: Recording
  readonly #room: Room
  readonly #watch: Watch
  readonly #slots: { readonly evaluate: Evaluate; readonly action: EntityValue }[] = []
  readonly #slotOf = new Map<string, number>()
  ints = new Int32Array(0)
  /** The length of a row. */
  stride = 1
  #made = 0

  constructor(table: TypeTable, { interned, entities, room, watch }: { readonly interned: Interned; readonly entities: Entities; readonly room: Room; readonly watch: Watch }) {
    this.table = table
    this.#interned = interned
    this.#entities = new Recording(entities)
    this.#room = room
    this.#watch = watch
  }

  /** How many numbers all rows have that are made. */
  get size(): number {
    return this.#made * this.stride
  }

  /** Where in a row an expression is that depends on one entity and the action alone; null: there are too many. */
  slotOf(expression: Expression, action: EntityValue): number | null {
    const key = mentionsOf(expression).action ? JSON.stringify([expression, action]) : JSON.stringify(expression)
    const known = this.#slotOf.get(key)
    if (known !== undefined) return known
    if (this.#slots.length === SLOTS_MAX) return null
    const at = this.#slots.push({ evaluate: compileExpression(expression), action })
    this.#slotOf.set(key, at)
    this.stride = at + 1
    this.forget()
    return at
  }

  make(row: number): void {
    const entity = this.table.entities[row] as Entity
    this.ints = lengthened(this.ints, (row + 1) * this.stride, this.table.entities.length * this.stride, this.#room)
    this.#made++
    let at = row * this.stride
    this.ints[at++] = row
    for (const { evaluate, action } of this.#slots) {
      const situation = alone(entity, action, this.#entities)
      const value = evaluate(situation)
      this.ints[at++] = value instanceof EvaluationError || !isSure(situation) ? 0 : this.#interned.numberOf(value)
    }
    for (const key of this.#entities.take()) if (key !== entity.name.key) this.#watch(key, this, row)
  }

  drop(row: number): void {
    const at = row * this.stride
    if (this.ints[at] !== row) return
    this.ints[at] = 0
    this.#made--
  }

  forget(): void {
    this.#room.ints -= this.ints.length
    this.#made = 0
    this.ints = new Int32Array(0)
  }
}

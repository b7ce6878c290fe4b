import type { Expression } from '#core/policy/expression.ts'
import { compileExpression, type Evaluate } from '../compile-expression.ts'
import { EvaluationError } from '../evaluation-error.ts'
import type { Entities, Entity } from '../situation.ts'
import type { EntityValue } from '../value.ts'
import { mentionsOf } from './conjuncts.ts'
import type { Interned } from './interned.ts'
import { alone, isSure, Recording, type Keeper, type Room, type Watch } from './recording.ts'
import { Rows } from './rows.ts'
import type { TypeTable } from './type-table.ts'

/** More of them would make rows long; what has no slot is evaluated when it is asked for. */
const SLOTS_MAX = 127

/**
 * What rules read of the entities of one type alone, worked out once for each, when it is first asked for. A row begins with: its own number, 0 while
 * it is not made; and a number for each expression, the same for equal values, 0 in doubt.
 */
export class Slots implements Keeper {
  readonly rows: Rows
  readonly #interned: Interned
  readonly #entities: Recording
  readonly #watch: Watch
  readonly #slots: { readonly at: number; readonly evaluate: Evaluate; readonly action: EntityValue }[] = []
  readonly #slotOf = new Map<string, number>()

  constructor(table: TypeTable, { interned, entities, room, watch }: { readonly interned: Interned; readonly entities: Entities; readonly room: Room; readonly watch: Watch }) {
    this.rows = new Rows(table, room)
    this.rows.reserve(1)
    this.#interned = interned
    this.#entities = new Recording(entities)
    this.#watch = watch
  }

  /** How many numbers of values there is room for. */
  get size(): number {
    return this.#slots.length * Math.ceil(this.rows.ints.length / this.rows.stride)
  }

  /** Where in a row an expression is that depends on one entity and the action alone; null: there are too many. */
  slotOf(expression: Expression, action: EntityValue): number | null {
    const key = mentionsOf(expression).action ? JSON.stringify([expression, action]) : JSON.stringify(expression)
    const known = this.#slotOf.get(key)
    if (known !== undefined) return known
    if (this.#slots.length === SLOTS_MAX) return null
    const at = this.rows.reserve(1)
    this.#slots.push({ at, evaluate: compileExpression(expression), action })
    this.#slotOf.set(key, at)
    this.forget()
    return at
  }

  make(row: number): void {
    const { rows } = this
    const entity = rows.table.entities[row] as Entity
    rows.lengthen(row)
    const start = row * rows.stride
    rows.ints[start] = row
    for (const { at, evaluate, action } of this.#slots) {
      const situation = alone(entity, action, this.#entities)
      const value = evaluate(situation)
      rows.ints[start + at] = value instanceof EvaluationError || !isSure(situation) ? 0 : this.#interned.numberOf(value)
    }
    for (const key of this.#entities.take()) if (key !== entity.name.key) this.#watch(key, this, row)
  }

  drop(row: number): void {
    const start = row * this.rows.stride
    if (start < this.rows.ints.length) this.rows.ints[start] = 0
  }

  forget(): void {
    this.rows.clear(0)
  }
}

import type { Expression } from '#core/policy/expression.ts'
import type { Rule, Scope } from '#core/policy/policy.ts'
import { compileExpression, type Evaluate } from '../compile-expression.ts'
import { EvaluationError } from '../evaluation-error.ts'
import { Situation, type Entities, type Entity } from '../situation.ts'
import { EntityValue, RecordValue } from '../value.ts'
import type { Interned } from './interned.ts'
import type { TypeTable } from './type-table.ts'

/** Words of a mask, the last not included. */
export type Words = { readonly from: number; readonly to: number }

/** What a rule asks of one side alone. */
export type Demand = { readonly scope: Scope; readonly conjuncts: readonly Expression[] }

/** A side's rows of an environment; shared by both of its sides, so that one array has all that a decision reads. */
export class Rows {
  ints = new Int32Array(1 << 10)
  /** 0 is the offset of nothing. */
  end = 1
  dropped = 0

  push(value: number): void {
    if (this.end === this.ints.length) {
      const longer = new Int32Array(this.ints.length * 2)
      longer.set(this.ints)
      this.ints = longer
    }
    this.ints[this.end++] = value
  }

  clear(): void {
    this.end = 1
    this.dropped = 0
  }
}

/** Instead of an offset: what depends on this entity cannot be told without an error or something missing. */
export const DOUBTFUL = -1
const NONE: readonly number[] = []
/** More of them would make rows long; what has no slot is evaluated when it is asked for. */
const SLOTS_MAX = 64
const HEAD = 2

/**
 * One side of an environment, the principals or the resources: what its rules ask of that side alone, worked out once for each entity, when it is
 * first asked for. A row is: the entity's own number, the row's length, the slots, the mask of the rules whose demands it meets.
 */
export class SideRows {
  readonly table: TypeTable
  readonly #rows: Rows
  readonly #interned: Interned
  readonly #action: EntityValue
  readonly #entities: Recording
  readonly #watch: (key: string, side: SideRows, row: number) => void
  /** By row of the table: where its row begins, 0 when it is not made yet, or {@link DOUBTFUL}. */
  offsets = new Int32Array(0)

  readonly #slots: Evaluate[] = []
  readonly #slotOf = new Map<string, number>()

  /** Places of the rules by what their scope demands. */
  readonly #byId = new Map<string, number[]>()
  readonly #byGroup = new Map<string, number[]>()
  readonly #anyone: number[] = []
  /** By place: the numbers of its conjuncts, in order. */
  readonly #conjunctsOf: (readonly number[])[] = []
  readonly #conjuncts: Evaluate[] = []
  readonly #conjunctNumbers = new Map<string, number>()
  /** Rules that demand nothing of this side. */
  readonly #indifferent: number[] = []
  #outcomes = new Uint8Array(0)
  #own: Words | null = null

  constructor(table: TypeTable, use: { readonly rows: Rows; readonly interned: Interned; readonly action: EntityValue; readonly entities: Entities; readonly watch: (key: string, side: SideRows, row: number) => void }) {
    this.table = table
    this.#rows = use.rows
    this.#interned = use.interned
    this.#action = use.action
    this.#entities = new Recording(use.entities)
    this.#watch = use.watch
  }

  static demandsNothing({ scope, conjuncts }: Demand): boolean {
    return conjuncts.length === 0 && (scope.kind === 'any' || (scope.kind === 'is' && scope.in === null))
  }

  /** What a rule at a place of the mask demands; the type of its scope has been looked at. */
  add(place: number, demand: Demand): void {
    if (SideRows.demandsNothing(demand)) return void this.#indifferent.push(place)
    const { scope, conjuncts } = demand
    const group = scope.kind === 'in' ? scope.uid : scope.kind === 'is' ? scope.in : null
    if (scope.kind === 'eq') append(this.#byId, scope.uid.id, place)
    else if (group !== null) append(this.#byGroup, new EntityValue(group.type, group.id).key, place)
    else this.#anyone.push(place)
    this.#conjunctsOf[place] = conjuncts.map((conjunct) => {
      const key = JSON.stringify(conjunct)
      const number = this.#conjunctNumbers.get(key) ?? this.#conjuncts.push(compileExpression(conjunct)) - 1
      this.#conjunctNumbers.set(key, number)
      return number
    })
  }

  /** @param own The words whose rules demand something of this side only, which come first in a row; null: there is one word for all. */
  seal(own: Words | null): void {
    this.#own = own
    this.#outcomes = new Uint8Array(this.#conjuncts.length)
  }

  /** Where in a row the mask begins. */
  get maskAt(): number {
    return HEAD + this.#slots.length
  }

  /** The slot of an expression that depends on this side alone; null: there are too many. */
  slotOf(expression: Expression): number | null {
    const key = JSON.stringify(expression)
    const known = this.#slotOf.get(key)
    if (known !== undefined) return known
    if (this.#slots.length === SLOTS_MAX) return null
    const at = HEAD + this.#slots.push(compileExpression(expression)) - 1
    this.#slotOf.set(key, at)
    return at
  }

  /** Where the row of an entity begins, or {@link DOUBTFUL}. */
  offsetOf(row: number): number {
    const offset = row < this.offsets.length ? this.offsets[row] as number : 0
    return offset === 0 ? this.#make(row) : offset
  }

  drop(row: number): void {
    const offset = row < this.offsets.length ? this.offsets[row] as number : 0
    if (offset === 0) return
    this.offsets[row] = 0
    if (offset !== DOUBTFUL) this.#rows.dropped += this.#rows.ints[offset + 1] as number
  }

  forget(): void {
    this.offsets.fill(0)
  }

  #make(row: number): number {
    if (row >= this.offsets.length) {
      const longer = new Int32Array(Math.max(row + 1, this.table.entities.length, this.offsets.length * 2))
      longer.set(this.offsets)
      this.offsets = longer
    }
    const entity = this.table.entities[row]
    if (entity === undefined) return DOUBTFUL
    const places = this.#placesOf(entity)
    const offset = places === null ? DOUBTFUL : this.#write(row, entity, places)
    this.offsets[row] = offset
    for (const key of this.#entities.take()) if (key !== entity.name.key) this.#watch(key, this, row)
    return offset
  }

  /** The places of the rules whose demands an entity meets; null in doubt. */
  #placesOf(entity: Entity): readonly number[] | null {
    if (this.#byGroup.size > 0 && isAboveDoubtful(entity)) return null
    const places = [...this.#anyone, ...(this.#byId.get(entity.name.id) ?? NONE), ...(this.#byGroup.get(entity.name.key) ?? NONE)]
    if (this.#byGroup.size > 0) for (const above of entity.ancestors) places.push(...(this.#byGroup.get(above) ?? NONE))
    const situation = this.#situation(entity)
    this.#outcomes.fill(0)
    const met: number[] = []
    for (const place of places) {
      let holds = true
      for (const number of this.#conjunctsOf[place] ?? NONE) {
        let outcome = this.#outcomes[number]
        if (outcome === 0) {
          const value = (this.#conjuncts[number] as Evaluate)(situation)
          if (typeof value !== 'boolean' || !isSure(situation)) return null
          outcome = value ? 2 : 1
          this.#outcomes[number] = outcome
        }
        if (outcome === 1) {
          holds = false
          break
        }
      }
      if (holds) met.push(place)
    }
    return met
  }

  #write(row: number, entity: Entity, places: readonly number[]): number {
    const rows = this.#rows
    const offset = rows.end
    rows.push(row)
    rows.push(0)
    this.#writeSlots(entity)
    this.#writeMask(places)
    rows.ints[offset + 1] = rows.end - offset
    return offset
  }

  #writeSlots(entity: Entity): void {
    for (const slot of this.#slots) {
      const situation = this.#situation(entity)
      const value = slot(situation)
      this.#rows.push(value instanceof EvaluationError || !isSure(situation) ? 0 : this.#interned.numberOf(value))
    }
  }

  #writeMask(places: readonly number[]): void {
    const rows = this.#rows
    if (this.#own === null) {
      let mask = 0
      for (const place of places) mask |= 1 << place
      for (const place of this.#indifferent) mask |= 1 << place
      return rows.push(mask)
    }
    const { from, to } = this.#own
    const words = new Map<number, number>()
    for (const place of places) words.set(place >>> 5, (words.get(place >>> 5) ?? 0) | (1 << (place & 31)))
    const sorted = [...words].sort(([a], [b]) => a - b)
    for (const part of [sorted.filter(([word]) => word >= from && word < to), sorted.filter(([word]) => word < from || word >= to)]) {
      rows.push(part.length)
      for (const [word, bits] of part) {
        rows.push(word)
        rows.push(bits)
      }
    }
  }

  #situation({ name }: Entity): Situation {
    return new Situation({ principal: name, action: this.#action, resource: name, context: EMPTY }, this.#entities)
  }
}

const EMPTY = new RecordValue(new Map())

/** Whether everything that was read was there and of use. */
export function isSure(situation: Situation): boolean {
  return situation.missing.length === 0 && situation.unusable.length === 0
}

/** Whether it could be in something else than what it is said to be in. */
export function isAboveDoubtful({ unknown, doubts }: Entity): boolean {
  return unknown.length > 0 || (doubts !== undefined && doubts.above !== null)
}

/** Notes which entities were looked for, there or not. */
export class Recording implements Entities {
  readonly #entities: Entities
  #keys = new Set<string>()

  constructor(entities: Entities) {
    this.#entities = entities
  }

  find(name: EntityValue): Entity | undefined {
    this.#keys.add(name.key)
    return this.#entities.find(name)
  }

  /** What was looked for since the last time. */
  take(): ReadonlySet<string> {
    const taken = this.#keys
    this.#keys = new Set()
    return taken
  }
}

function append(lists: Map<string, number[]>, key: string, place: number): void {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [place])
  else list.push(place)
}

/** Whether a scope can hold for entities of a type, as far as types tell. */
export function fitsType(scope: Rule['principal'], type: string): boolean {
  return scope.kind === 'eq' ? scope.uid.type === type : scope.kind === 'is' ? scope.type === type : true
}

import type { Rule, Scope } from '#core/policy/policy.ts'
import type { Evaluate } from '../compile-expression.ts'
import type { Entities, Entity } from '../situation.ts'
import { EntityValue } from '../value.ts'
import { Lists } from './lists.ts'
import { alone, isSure, Recording, type Keeper, type Room, type Watch } from './recording.ts'
import { Rows } from './rows.ts'

/** Words of a mask, the last not included. */
export type Words = { readonly from: number; readonly to: number }

/** What a rule asks of one side alone; conjuncts of one key are the same. */
export type Demand = { readonly scope: Scope; readonly conjuncts: readonly { readonly key: string; readonly evaluate: Evaluate }[] }

/** Masks that would make a row longer have rows of their own: most decisions read little of it. What rules read of an entity stands in it always. */
const ROW_MAX = 128
/** Instead of a mask: what depends on this entity cannot be told without an error or something missing. */
export const DOUBTFUL = -4
const NONE: readonly number[] = []

/**
 * One side of an environment, the principals or the resources: which rules' demands of that side alone each entity meets, worked out once for each,
 * when it is first asked for.
 */
export class Masks implements Keeper {
  readonly #action: EntityValue
  readonly #entities: Recording
  readonly #watch: Watch
  /** Where rules are few: of each row so many words, the lowest bit of the first set once they are made. Otherwise 0. */
  readonly words: number
  readonly rows: Rows
  /** Where in a row its words are; or where its list begins, 0 while there is none, or {@link DOUBTFUL}. */
  readonly at: number
  /** Where rules are many: pairs of a word's number and its bits, those of this side's own rules and then the others, each after its length. */
  readonly lists: Lists

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
  #own: Words = { from: 0, to: 0 }

  /** @param beside Rows of the same entities that decisions read too, as long as they are short. */
  constructor(beside: Rows, words: number, { action, entities, room, watch }: { readonly action: EntityValue; readonly entities: Entities; readonly room: Room; readonly watch: Watch }) {
    this.words = words
    const width = words || 1
    this.rows = beside.stride + width <= ROW_MAX ? beside : new Rows(beside.table, room)
    this.at = this.rows.reserve(width)
    this.#action = action
    this.#entities = new Recording(entities)
    this.#watch = watch
    this.lists = new Lists(room)
  }

  static demandsNothing({ scope, conjuncts }: Demand): boolean {
    return conjuncts.length === 0 && (scope.kind === 'any' || (scope.kind === 'is' && scope.in === null))
  }

  /** What a rule at a place of the mask demands; the type of its scope has been looked at. */
  add(place: number, demand: Demand): void {
    if (Masks.demandsNothing(demand)) return void this.#indifferent.push(place)
    const { scope, conjuncts } = demand
    const group = scope.kind === 'in' ? scope.uid : scope.kind === 'is' ? scope.in : null
    if (scope.kind === 'eq') append(this.#byId, scope.uid.id, place)
    else if (group !== null) append(this.#byGroup, new EntityValue(group.type, group.id).key, place)
    else this.#anyone.push(place)
    this.#conjunctsOf[place] = conjuncts.map(({ key, evaluate }) => {
      const number = this.#conjunctNumbers.get(key) ?? this.#conjuncts.push(evaluate) - 1
      this.#conjunctNumbers.set(key, number)
      return number
    })
  }

  /** @param own The words whose rules demand something of this side only, where rules are many. */
  seal(own: Words): void {
    this.#own = own
    this.#outcomes = new Uint8Array(this.#conjuncts.length)
  }

  /** The first integer of a row, or {@link DOUBTFUL}. */
  made(row: number): number {
    const at = row * this.rows.stride + this.at
    const first = at < this.rows.ints.length ? this.rows.ints[at] as number : 0
    return first === 0 ? this.#make(row, at) : first
  }

  drop(row: number): void {
    const { ints } = this.rows
    const at = row * this.rows.stride + this.at
    const first = at < ints.length ? ints[at] as number : 0
    if (first === 0) return
    ints[at] = 0
    if (this.words > 0 || first === DOUBTFUL) return
    const listed = this.lists.ints
    const own = listed[first] as number
    this.lists.drop(2 + 2 * (own + (listed[first + 1 + 2 * own] as number)))
  }

  /** Gives back the room of lists that were dropped; never while something is being decided. */
  tidy(): void {
    if (this.lists.isWasted) this.forget()
  }

  forget(): void {
    this.rows.clear(this.at)
    this.lists.forget()
  }

  #make(row: number, at: number): number {
    this.rows.lengthen(row)
    const { ints } = this.rows
    const entity = this.rows.table.entities[row] as Entity
    const places = this.#placesOf(entity)
    if (places === null) ints[at] = DOUBTFUL
    else if (this.words > 0) this.#writeWords(ints, at, places)
    else ints[at] = this.#writeList(places)
    for (const key of this.#entities.take()) if (key !== entity.name.key) this.#watch(key, this, row)
    return ints[at] as number
  }

  /** The places of the rules whose demands an entity meets; null in doubt. */
  #placesOf(entity: Entity): readonly number[] | null {
    if (this.#byGroup.size > 0 && isAboveDoubtful(entity)) return null
    const places = [...this.#anyone, ...(this.#byId.get(entity.name.id) ?? NONE), ...(this.#byGroup.get(entity.name.key) ?? NONE)]
    if (this.#byGroup.size > 0) for (const above of entity.ancestors) places.push(...(this.#byGroup.get(above) ?? NONE))
    const situation = alone(entity, this.#action, this.#entities)
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

  #writeWords(ints: Int32Array, at: number, places: readonly number[]): void {
    ints.fill(0, at, at + this.words)
    ints[at] = 1
    const set = (place: number) => { ints[at + (place >>> 5)] = (ints[at + (place >>> 5)] as number) | (1 << (place & 31)) }
    for (const place of places) set(place)
    for (const place of this.#indifferent) set(place)
  }

  #writeList(places: readonly number[]): number {
    const start = this.lists.end
    const { from, to } = this.#own
    const words = new Map<number, number>()
    for (const place of places) words.set(place >>> 5, (words.get(place >>> 5) ?? 0) | (1 << (place & 31)))
    const sorted = [...words].sort(([a], [b]) => a - b)
    for (const part of [sorted.filter(([word]) => word >= from && word < to), sorted.filter(([word]) => word < from || word >= to)]) {
      this.lists.push(part.length)
      for (const [word, bits] of part) {
        this.lists.push(word)
        this.lists.push(bits)
      }
    }
    return start
  }
}

/** Whether it could be in something else than what it is said to be in. */
function isAboveDoubtful({ unknown, doubts }: Entity): boolean {
  return unknown.length > 0 || (doubts !== undefined && doubts.above !== null)
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

import { Situation, type Entities, type Entity } from '../situation.ts'
import { RecordValue, type EntityValue } from '../value.ts'

/** Whoever keeps something about entities by their rows. */
export type Keeper = { readonly drop: (row: number) => void; /** Everything. */ readonly forget: () => void }

/** How many integers all keepers together have. */
export type Room = { ints: number }

/** Notes that what a keeper has at a row rests on another entity as well, there or not. */
export type Watch = (key: string, keeper: Keeper, row: number) => void

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

/** A situation for what depends on one entity and the action alone. */
export function alone({ name }: Entity, action: EntityValue, entities: Entities): Situation {
  return new Situation({ principal: name, action, resource: name, context: EMPTY }, entities)
}
const EMPTY = new RecordValue(new Map())

/** Whether everything that was read was there and of use. */
export function isSure(situation: Situation): boolean {
  return situation.missing.length === 0 && situation.unusable.length === 0
}

/** Integers that a row, ending before `end`, has room in. */
export function lengthened(ints: Int32Array<ArrayBuffer>, end: number, all: number, room: Room): Int32Array<ArrayBuffer> {
  if (end <= ints.length) return ints
  const longer = new Int32Array(Math.max(end, all, Math.ceil(ints.length * GROWTH)))
  longer.set(ints)
  room.ints += longer.length - ints.length
  return longer
}
const GROWTH = 1.5

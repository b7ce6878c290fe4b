import { Situation, type Entities, type Entity } from '../situation.ts'
import { RecordValue, type EntityValue } from '../value.ts'
import type { Rows } from './rows.ts'

/** Whoever keeps something about entities in their rows. */
export type Keeper = { readonly rows: Rows; readonly drop: (row: number) => void; /** What it has in any of them. */ readonly forget: () => void }

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

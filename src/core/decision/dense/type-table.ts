import type { Entity } from '../situation.ts'
import { Numbered } from './numbered.ts'

/** The entities of one type that are kept, each in a row of its own for as long as it is. */
export class TypeTable {
  readonly name: string
  /** Of the type, in the order of the schema. */
  readonly index: number
  /** By id. */
  readonly #rows = new Numbered()
  readonly entities: (Entity | undefined)[] = []
  readonly #free: number[] = []

  constructor(name: string, index: number) {
    this.name = name
    this.index = index
  }

  /** −1: no such entity is kept. */
  rowOf(id: string): number {
    return this.#rows.get(id)
  }

  /** @param entity That is not kept yet. */
  put(entity: Entity): void {
    const row = this.#free.pop() ?? this.entities.length
    this.#rows.add(entity.name.id, row)
    this.entities[row] = entity
  }

  remove(row: number): void {
    const entity = this.entities[row]
    if (entity === undefined) return
    this.#rows.delete(entity.name.id)
    this.entities[row] = undefined
    this.#free.push(row)
  }
}

/** Whoever has worked something out from entities, there or not. */
export type Follower = {
  /** What was read under this key is no longer to be relied on, nor what its row says, if it has one (otherwise −1). */
  readonly changed: (key: string, table: TypeTable, row: number) => void
  /** Changes have been told, all of them. */
  readonly settled: () => void
}

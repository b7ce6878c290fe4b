import type { Entity } from '../situation.ts'
import { Numbered } from './numbered.ts'

/** The entities of one type that are kept, each in a row of its own for as long as it is. */
export class TypeTable {
  readonly name: string
  /** Of the type, in the order of the schema. */
  readonly index: number
  /** By id. */
  readonly #rows = new Numbered()
  /** By row; no entity has row 0. */
  readonly entities: (Entity | undefined)[] = [undefined]

  constructor(name: string, index: number) {
    this.name = name
    this.index = index
  }

  /** 0: no such entity is kept. */
  rowOf(id: string): number {
    return this.#rows.get(id)
  }

  /** @param entity That is not kept yet. */
  put(entity: Entity): void {
    this.entities[this.#rows.add(entity.name.id)] = entity
  }

  remove(row: number): void {
    const entity = this.entities[row]
    if (entity === undefined) return
    this.#rows.delete(entity.name.id)
    this.entities[row] = undefined
  }
}

/** Whoever has worked something out from entities, there or not. */
export type Follower = {
  /** What was read under this key is no longer to be relied on, nor what its row says, if it has one (otherwise 0). */
  readonly changed: (key: string, table: TypeTable, row: number) => void
  /** Changes have been told, all of them. */
  readonly settled: () => void
}

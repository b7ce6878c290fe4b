import type { Uid } from '#core/policy/expression.ts'
import type { Schema } from '#core/policy/schema.ts'
import type { EntityChanges, ReadPage } from '#core/revision/application.ts'
import type { CedarEntity } from '#core/unit/semantic-unit.ts'
import type { Entities } from './situation.ts'
import { StoredEntities } from './stored-entities.ts'

/**
 * An application's entities as the decision point holds them, as of one version of the application's store.
 *
 * Each is kept as its JSON: a text takes a third of what objects take, and reading one takes microseconds.
 */
export class EntityStore {
  readonly #types = new Map<string, Map<string, string>>()
  #version = 0
  #size = 0
  /** By the schema that they are read by, until something changes. */
  #read = new WeakMap<Schema, Entities>()

  /** Of the application's store, that the last changes led to; 0 before any. */
  get version(): number {
    return this.#version
  }

  get size(): number {
    return this.#size
  }

  /** Takes over what changed, at once. */
  apply(changes: EntityChanges): void {
    const staged = new Staged()
    staged.add(changes)
    this.#commit(staged, changes.version)
  }

  /** Takes over what changed, page by page: what was there goes on being there until the last page has been read, and nobody sees half of it. */
  async follow(read: ReadPage): Promise<void> {
    const staged = new Staged()
    let cursor: string | undefined
    for (;;) {
      const page = await read(cursor)
      staged.add(page)
      if (page.next === null) return this.#commit(staged, page.version)
      cursor = page.next
    }
  }

  #commit({ isWhole, types }: Staged, version: number): void {
    if (isWhole) {
      this.#types.clear()
      this.#size = 0
    }
    for (const [type, changed] of types) {
      const ids = this.#types.get(type) ?? new Map<string, string>()
      this.#types.set(type, ids)
      const before = ids.size
      for (const [id, text] of changed) {
        if (text === null) ids.delete(id)
        else ids.set(id, text)
      }
      this.#size += ids.size - before
    }
    this.#version = version
    this.#read = new WeakMap()
  }

  /** What is stored now, as decisions by a revision with this schema read it. */
  readBy(schema: Schema): Entities {
    const known = this.#read.get(schema)
    if (known !== undefined) return known
    const made = new StoredEntities(this, schema)
    this.#read.set(schema, made)
    return made
  }

  get({ type, id }: Uid): CedarEntity | null {
    const text = this.#types.get(type)?.get(id)
    if (text === undefined) return null
    const [attrs, parents, tags] = JSON.parse(text) as [CedarEntity['attrs'], readonly (readonly [string, string])[], CedarEntity['tags']]
    return { uid: { type, id }, attrs, parents: parents.map(([type, id]) => ({ type, id })), ...(tags === undefined ? {} : { tags }) }
  }
}

/** What is to change once all of it is here; each entity as the text that is kept, null: deleted. */
class Staged {
  readonly types = new Map<string, Map<string, string | null>>()
  isWhole = false

  add({ isWhole, upserted, deleted }: EntityChanges): void {
    if (isWhole) {
      this.types.clear()
      this.isWhole = true
    }
    for (const { type, id } of deleted) this.#of(type).set(id, null)
    for (const entity of upserted) this.#of(entity.uid.type).set(entity.uid.id, textOf(entity))
  }

  #of(type: string): Map<string, string | null> {
    const known = this.types.get(type) ?? new Map<string, string | null>()
    this.types.set(type, known)
    return known
  }
}

/** What the keys of the maps do not say already. */
function textOf({ attrs, parents, tags }: CedarEntity): string {
  // An integer beyond 2⁵³ is kept as its digits, which are that integer where the schema has a Long.
  return JSON.stringify([attrs, parents.map(({ type, id }) => [type, id]), ...(tags === undefined ? [] : [tags])], (_name, value: unknown) => (typeof value === 'bigint' ? String(value) : value))
}

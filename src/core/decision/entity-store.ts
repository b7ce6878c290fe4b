import type { Uid } from '#core/policy/expression.ts'
import type { Schema } from '#core/policy/schema.ts'
import type { EntityChanges, ReadPage } from '#core/revision/application.ts'
import type { CedarEntity } from '#core/unit/semantic-unit.ts'
import { StoredEntities, type Change } from './stored-entities.ts'

/**
 * An application's entities as the decision point holds them, as of one version of the application's store.
 *
 * Each is kept as its JSON: a text takes a third of what objects take, and reading one takes microseconds.
 */
export class EntityStore {
  readonly #types = new Map<string, Map<string, string>>()
  #version = 0
  #size = 0
  readonly #keptMax: number
  /** By the schema that they are read by. */
  readonly #read = new WeakMap<Schema, StoredEntities>()
  /** The same, of those that somebody holds. */
  #readers: readonly WeakRef<StoredEntities>[] = []

  /** @param keptMax So many are kept as decisions read them, for each schema. */
  constructor(keptMax = KEPT_MAX) {
    this.#keptMax = keptMax
  }

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

  #commit(staged: Staged, version: number): void {
    if (staged.isWhole) staged.deleteOthers(this.#types)
    const changes: Change[] = []
    for (const [type, changed] of staged.types) {
      const ids = this.#types.get(type) ?? new Map<string, string>()
      this.#types.set(type, ids)
      this.#size -= ids.size
      for (const [id, text] of changed) {
        const before = ids.get(id) ?? null
        if (before === text) continue
        if (text === null) ids.delete(id)
        else ids.set(id, text)
        changes.push({ uid: { type, id }, isMoved: () => before === null || text === null || parentsIn(before) !== parentsIn(text) })
      }
      this.#size += ids.size
    }
    this.#version = version
    this.#readers = this.#readers.filter((each) => each.deref() !== undefined)
    for (const each of this.#readers) each.deref()?.apply(changes)
  }

  /** What is stored, now and after every change, as decisions by a revision with this schema read it. */
  readBy(schema: Schema): StoredEntities {
    const known = this.#read.get(schema)
    if (known !== undefined) {
      known.makeRoom()
      return known
    }
    const made = new StoredEntities(this, schema, this.#keptMax)
    this.#read.set(schema, made)
    this.#readers = [...this.#readers, new WeakRef(made)]
    return made
  }

  get({ type, id }: Uid): CedarEntity | null {
    const text = this.#types.get(type)?.get(id)
    if (text === undefined) return null
    const [attrs, parents, tags] = JSON.parse(text) as [CedarEntity['attrs'], readonly (readonly [string, string])[], CedarEntity['tags']]
    return { uid: { type, id }, attrs, parents: parents.map(([type, id]) => ({ type, id })), ...(tags === undefined ? {} : { tags }) }
  }
}

const KEPT_MAX = 32_768

function parentsIn(text: string): string {
  return JSON.stringify((JSON.parse(text) as readonly unknown[])[1])
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

  /** Whatever else is there is to go. */
  deleteOthers(there: ReadonlyMap<string, ReadonlyMap<string, string>>): void {
    for (const [type, ids] of there) {
      const here = this.#of(type)
      for (const id of ids.keys()) if (!here.has(id)) here.set(id, null)
    }
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

import type { Uid } from '#core/policy/expression.ts'
import type { EntityChanges } from '#core/revision/application.ts'
import type { CedarEntity } from '#core/unit/semantic-unit.ts'

/**
 * An application's entities as the decision point holds them, as of one version of the application's store.
 *
 * Each is kept as its JSON, and read anew for every decision that needs it: a text takes a third of what objects take, and reading the few
 * that one decision needs takes microseconds.
 */
export class EntityStore {
  readonly #types = new Map<string, Map<string, string>>()
  #version = 0
  #size = 0

  /** Of the application's store, that the last changes led to; 0 before any. */
  get version(): number {
    return this.#version
  }

  get size(): number {
    return this.#size
  }

  /**
   * Takes over what changed. A whole is built before the one that was is forgotten, so that nobody ever sees half of it.
   */
  apply(changes: EntityChanges): void {
    const upserted = changes.upserted.map((entity) => ({ uid: entity.uid, text: textOf(entity) }))
    if (changes.isWhole) {
      this.#types.clear()
      this.#size = 0
    }
    for (const { type, id } of changes.deleted) if (this.#types.get(type)?.delete(id) === true) this.#size--
    for (const { uid: { type, id }, text } of upserted) {
      const known = this.#types.get(type)
      const ids = known ?? new Map<string, string>()
      if (known === undefined) this.#types.set(type, ids)
      if (!ids.has(id)) this.#size++
      ids.set(id, text)
    }
    this.#version = changes.version
  }

  get({ type, id }: Uid): CedarEntity | null {
    const text = this.#types.get(type)?.get(id)
    if (text === undefined) return null
    const [attrs, parents, tags] = JSON.parse(text) as [CedarEntity['attrs'], readonly (readonly [string, string])[], CedarEntity['tags']]
    return { uid: { type, id }, attrs, parents: parents.map(([type, id]) => ({ type, id })), ...(tags === undefined ? {} : { tags }) }
  }
}

/** What the keys of the maps do not say already. */
function textOf({ attrs, parents, tags }: CedarEntity): string {
  // An integer beyond 2⁵³ is kept as its digits, which are that integer where the schema has a Long.
  return JSON.stringify([attrs, parents.map(({ type, id }) => [type, id]), ...(tags === undefined ? [] : [tags])], (_name, value: unknown) => (typeof value === 'bigint' ? String(value) : value))
}

import type { EntityValue, RecordValue, Value } from './value.ts'

/** An entity as decisions read it. */
export type Entity = {
  readonly name: EntityValue
  readonly attributes: ReadonlyMap<string, Value>
  readonly tags: ReadonlyMap<string, Value>
  /** Keys of everything it is in, transitively, itself left out. */
  readonly ancestors: ReadonlySet<string>
  /** Those of them that nobody supplied and that could be in something else: what it is not in cannot be told for sure. */
  readonly unknown: readonly EntityValue[]
}

/** Where entities are found. */
export type Entities = { readonly find: (name: EntityValue) => Entity | undefined }

/** One request, as values. */
export type Request = { readonly principal: EntityValue; readonly action: EntityValue; readonly resource: EntityValue; readonly context: RecordValue }

/**
 * One request and what it is decided on, while it is decided. Notes which entities were read and are not there: Cedar answers `has` and `in`
 * about those with a silent no.
 */
export class Situation {
  readonly principal: EntityValue
  readonly action: EntityValue
  readonly resource: EntityValue
  readonly context: RecordValue
  readonly principalEntity: Entity | undefined
  readonly resourceEntity: Entity | undefined
  readonly #entities: Entities
  #missing: Map<string, EntityValue> | null = null

  constructor({ principal, action, resource, context }: Request, entities: Entities) {
    this.#entities = entities
    this.principalEntity = entities.find(principal)
    this.resourceEntity = entities.find(resource)
    // The names that the store has carry their keys already.
    this.principal = this.principalEntity?.name ?? principal
    this.resource = this.resourceEntity?.name ?? resource
    this.action = action
    this.context = context
  }

  /** What was read and is not there. */
  get missing(): readonly EntityValue[] {
    return this.#missing === null ? [] : [...this.#missing.values()]
  }

  /** The entity of a name, noted as missing when there is none. */
  read(name: EntityValue): Entity | undefined {
    const entity = name === this.principal ? this.principalEntity : name === this.resource ? this.resourceEntity : this.#entities.find(name)
    if (entity === undefined) this.note(name)
    return entity
  }

  /** Cedar's `in` between two entities. */
  isIn(name: EntityValue, above: EntityValue): boolean {
    if (name.equals(above)) return true
    const entity = this.read(name)
    if (entity === undefined) return false
    if (entity.ancestors.has(above.key)) return true
    this.#noteUnknown(entity)
    return false
  }

  isInAny(name: EntityValue, above: readonly EntityValue[]): boolean {
    for (const each of above) if (name.equals(each)) return true
    if (above.length === 0) return false
    const entity = this.read(name)
    if (entity === undefined) return false
    for (const each of above) if (entity.ancestors.has(each.key)) return true
    this.#noteUnknown(entity)
    return false
  }

  note(name: EntityValue): void {
    this.#missing ??= new Map()
    this.#missing.set(name.key, name)
  }

  #noteUnknown({ unknown }: Entity): void {
    for (const each of unknown) this.note(each)
  }
}

import { uidText } from '#core/policy/policy.ts'
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
  /** Where what it does not have could not be told for sure; without it, it simply does not have that. */
  readonly doubts?: Doubts
}

/** Why an answer would be a guess: nobody supplied what it needs, or what is stored cannot be used. */
export type Doubt = { readonly kind: 'missing' | 'unusable'; readonly what: string }

/** What is doubtful about an entity. */
export type Doubts = {
  /** By attributes, none of which it has. */
  readonly attributes: ReadonlyMap<string, Doubt>
  /** What it is in, all of it. */
  readonly above: Doubt | null
  readonly tags: Doubt | null
}

/** Where entities are found. */
export type Entities = { readonly find: (name: EntityValue) => Entity | undefined }

/** One request, as values. */
export type Request = { readonly principal: EntityValue; readonly action: EntityValue; readonly resource: EntityValue; readonly context: RecordValue }

/**
 * One request and what it is decided on, while it is decided. Notes what was read and is not there or cannot be used: Cedar answers `has` and
 * `in` about those with a silent no.
 */
export class Situation {
  readonly principal: EntityValue
  readonly action: EntityValue
  readonly resource: EntityValue
  readonly context: RecordValue
  readonly principalEntity: Entity | undefined
  readonly resourceEntity: Entity | undefined
  readonly #entities: Entities
  #missing: Set<string> | null = null
  #unusable: Set<string> | null = null

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

  /** What was read and is not there, sorted: uid texts of entities, and attributes that nobody supplied. */
  get missing(): readonly string[] {
    return this.#missing === null ? NONE : [...this.#missing].sort()
  }

  /** What was read and cannot be used, each with the reason. */
  get unusable(): readonly string[] {
    return this.#unusable === null ? NONE : [...this.#unusable]
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
    if (entity.doubts !== undefined) this.#noteDoubt(entity.doubts.above)
    if (entity.ancestors.has(above.key)) return true
    this.#noteUnknown(entity)
    return false
  }

  isInAny(name: EntityValue, above: readonly EntityValue[]): boolean {
    for (const each of above) if (name.equals(each)) return true
    if (above.length === 0) return false
    const entity = this.read(name)
    if (entity === undefined) return false
    if (entity.doubts !== undefined) this.#noteDoubt(entity.doubts.above)
    for (const each of above) if (entity.ancestors.has(each.key)) return true
    this.#noteUnknown(entity)
    return false
  }

  /** The entity of a name, whose tags are read. */
  readTagged(name: EntityValue): Entity | undefined {
    const entity = this.read(name)
    if (entity?.doubts !== undefined) this.#noteDoubt(entity.doubts.tags)
    return entity
  }

  note(name: EntityValue): void {
    this.#noteMissing(uidText(name))
  }

  /** An attribute that an entity does not have was asked for. */
  noteAttribute({ doubts }: Entity, attribute: string): void {
    if (doubts !== undefined) this.#noteDoubt(doubts.attributes.get(attribute) ?? null)
  }

  /** A field that a record does not have was asked for. */
  noteField({ absent }: RecordValue, name: string): void {
    const what = absent?.get(name)
    if (what !== undefined) this.#noteMissing(what)
  }

  #noteUnknown({ unknown }: Entity): void {
    for (const each of unknown) this.note(each)
  }

  #noteDoubt(doubt: Doubt | null): void {
    if (doubt?.kind === 'missing') this.#noteMissing(doubt.what)
    else if (doubt !== null) (this.#unusable ??= new Set()).add(doubt.what)
  }

  #noteMissing(what: string): void {
    (this.#missing ??= new Set()).add(what)
  }
}

const NONE: readonly string[] = Object.freeze([])

import { uidText } from '#core/policy/policy.ts'
import type { EntityType, Schema } from '#core/policy/schema.ts'
import type { CedarEntity } from '#core/unit/semantic-unit.ts'
import type { Uid } from '#core/policy/expression.ts'
import { entitiesOf } from './entity-graph.ts'
import type { Doubt, Doubts, Entities, Entity } from './situation.ts'
import { EntityValue, type Value } from './value.ts'
import { promisedBy, VALUES } from './value-build.ts'
import { valueOf, type Found } from './values.ts'

/** Where stored entities are kept. */
export type Stored = { readonly get: (uid: Uid) => CedarEntity | null }

/**
 * Stored entities as decisions read them, by the schema of a revision: each is read when it is asked for, and the ones asked for lately are
 * kept. For as long as what is stored stays as it is.
 *
 * What does not fit the schema is doubtful and not there, attribute by attribute: only who asks for it must know.
 */
export class StoredEntities implements Entities {
  readonly #stored: Stored
  readonly #schema: Schema
  readonly #beneath: Entities
  readonly #read = new Recent<Entity>(ENTITIES_MAX)
  readonly #above = new Recent<Above>(ENTITIES_MAX)

  constructor(stored: Stored, schema: Schema) {
    this.#stored = stored
    this.#schema = schema
    this.#beneath = entitiesOf(schema)
  }

  find(name: EntityValue): Entity | undefined {
    const known = this.#read.get(name.type, name.id)
    if (known !== undefined) return known
    const type = this.#schema.entityTypes.get(name.type)
    const json = type === undefined ? null : this.#stored.get(name)
    if (type === undefined || json === null) return this.#beneath.find(name)
    const entity = this.#entity(json, type)
    this.#read.set(name.type, name.id, entity)
    return entity
  }

  #entity({ uid, attrs, parents, tags }: CedarEntity, type: EntityType): Entity {
    const place = uidText(uid)
    let doubts: Map<string, Doubt> | null = null
    const attributes = new Map<string, Value>()
    for (const name of Object.keys(attrs)) {
      const attribute = Object.hasOwn(type.shape.attributes, name) ? type.shape.attributes[name] : undefined
      if (attribute === undefined) continue // No rule can ask for it.
      const found: Found = { problems: [], ignored: [] }
      const value = valueOf(attribute.type, attrs[name], { of: place, key: name }, this.#schema, found, VALUES)
      if (value !== null) attributes.set(name, value)
      else (doubts ??= new Map()).set(name, unusable(found))
    }
    for (const name of promisedBy(type.shape)) {
      if (!Object.hasOwn(attrs, name)) (doubts ??= new Map()).set(name, { kind: 'missing', what: `${place}.${name}` })
    }
    const tagged = this.#tags(tags, type, place)
    const { ancestors, unknown, strange } = this.#aboveOf(parents, type)
    const above: Doubt | null = strange === null ? null : { kind: 'unusable', what: `${place} is in ${strange}, which its type cannot be in` }
    const entity = { name: new EntityValue(uid.type, uid.id), attributes, tags: tagged.tags, ancestors, unknown }
    return doubts === null && above === null && tagged.doubt === null ? entity : { ...entity, doubts: { attributes: doubts ?? NO_DOUBTS, above, tags: tagged.doubt } }
  }

  #tags(json: CedarEntity['tags'], { tags: type }: EntityType, place: string): { readonly tags: ReadonlyMap<string, Value>; readonly doubt: Doubt | null } {
    if (json === undefined || type === null) return { tags: NO_TAGS, doubt: null }
    const found: Found = { problems: [], ignored: [] }
    const tags = new Map<string, Value>()
    for (const [name, each] of Object.entries(json)) {
      const value = valueOf(type, each, `${place} tag ${name}`, this.#schema, found, VALUES)
      if (value !== null) tags.set(name, value)
    }
    return { tags, doubt: found.problems.length === 0 ? null : unusable(found) }
  }

  /** Most entities share what they are in with many others. */
  #aboveOf(parents: readonly Uid[], { name, ancestors: possible }: EntityType): Above {
    if (parents.length === 0) return NOTHING_ABOVE
    const key = JSON.stringify(parents.map(({ type, id }) => [type, id]))
    const known = this.#above.get(name, key)
    if (known !== undefined) return known
    const ancestors = new Set<string>()
    const unknown: EntityValue[] = []
    let strange: string | null = null
    const queue = [...parents]
    for (let each = queue.pop(); each !== undefined; each = queue.pop()) {
      const above = new EntityValue(each.type, each.id)
      if (ancestors.has(above.key)) continue
      ancestors.add(above.key)
      if (!possible.includes(each.type)) strange ??= uidText(each)
      const stored = this.#stored.get(each)
      // A group that is not there, of a type that can be in something, could be in anything.
      if (stored === null && (this.#schema.entityTypes.get(each.type)?.ancestors.length ?? 0) > 0) unknown.push(above)
      queue.push(...(stored?.parents ?? []))
    }
    const made = { ancestors, unknown, strange }
    this.#above.set(name, key, made)
    return made
  }
}

const ENTITIES_MAX = 8_192
const NO_DOUBTS: Doubts['attributes'] = new Map()
const NO_TAGS: Entity['tags'] = new Map()

type Above = Pick<Entity, 'ancestors' | 'unknown'> & { readonly strange: string | null }
const NOTHING_ABOVE: Above = { ancestors: new Set(), unknown: [], strange: null }

function unusable({ problems }: Found): Doubt {
  return { kind: 'unusable', what: problems.map(({ place, message }) => `${place} ${message}`).join('; ') }
}

/** What was asked for lately, by two names: at most twice as many as `max`, and the ones asked for longest ago are forgotten first. */
class Recent<T> {
  readonly #max: number
  #young = new Map<string, Map<string, T>>()
  #old = new Map<string, Map<string, T>>()
  #count = 0

  constructor(max: number) {
    this.#max = max
  }

  get(first: string, second: string): T | undefined {
    const young = this.#young.get(first)?.get(second)
    if (young !== undefined) return young
    const old = this.#old.get(first)?.get(second)
    if (old !== undefined) this.set(first, second, old)
    return old
  }

  set(first: string, second: string, value: T): void {
    if (this.#count >= this.#max) {
      this.#old = this.#young
      this.#young = new Map()
      this.#count = 0
    }
    const known = this.#young.get(first) ?? new Map<string, T>()
    this.#young.set(first, known)
    known.set(second, value)
    this.#count++
  }
}

import { uidText } from '#core/policy/policy.ts'
import type { EntityType, Schema } from '#core/policy/schema.ts'
import type { CedarEntity } from '#core/unit/semantic-unit.ts'
import type { Uid } from '#core/policy/expression.ts'
import { TypeTable, type Follower } from './dense/type-table.ts'
import { entitiesOf } from './entity-graph.ts'
import type { Doubt, Doubts, Entities, Entity } from './situation.ts'
import { EntityValue, type Value } from './value.ts'
import { promisedBy, VALUES } from './value-build.ts'
import { valueOf, type Found } from './values.ts'

/** Where stored entities are kept. */
export type Stored = { readonly get: (uid: Uid) => CedarEntity | null }

/** What became something else, came or went. */
export type Change = { readonly uid: Uid; /** Whether that is in something else now, or was not there, or is no more. */ readonly isMoved: () => boolean }

/**
 * Stored entities as decisions read them, by the schema of a revision: each is read when it is asked for, and the ones read lately are kept,
 * until they or something that they are in changes.
 *
 * What does not fit the schema is doubtful and not there, attribute by attribute: only who asks for it must know.
 */
export class StoredEntities implements Entities {
  readonly schema: Schema
  readonly #stored: Stored
  readonly #beneath: Entities
  readonly #keptMax: number
  readonly #tables: ReadonlyMap<string, TypeTable>
  /** What is kept, read longest ago first, and what that is in. */
  readonly #kept = new Map<Entity, Above | null>()
  /** By the type and the parents that entities share. */
  readonly #above = new Map<string, Above>()
  /** By everything that entities are in, there or not. */
  readonly #below = new Map<string, Set<Above>>()
  #followers: readonly WeakRef<Follower>[] = []

  /** @param keptMax So many are kept after {@link makeRoom}. */
  constructor(stored: Stored, schema: Schema, keptMax: number) {
    this.schema = schema
    this.#stored = stored
    this.#keptMax = keptMax
    this.#beneath = entitiesOf(schema)
    this.#tables = new Map([...schema.entityTypes.keys()].map((name, index) => [name, new TypeTable(name, index)]))
  }

  find(name: EntityValue): Entity | undefined {
    const table = this.#tables.get(name.type)
    if (table === undefined) return this.#beneath.find(name)
    const row = table.rowOf(name.id)
    return row > 0 ? table.entities[row] : this.#read(name, table)
  }

  /** How many types of entities there are, and tables. */
  get types(): number {
    return this.#tables.size
  }

  /** Undefined: the schema has no such type. */
  table(type: string): TypeTable | undefined {
    return this.#tables.get(type)
  }

  /** Tells somebody of every change, for as long as anybody holds them. */
  follow(follower: Follower): void {
    this.#followers = [...this.#followers, new WeakRef(follower)]
  }

  /** Forgets what was read longest ago when too much is kept. Never while something is decided: rows go to others. */
  makeRoom(): void {
    if (this.#kept.size <= this.#keptMax) return
    let excess = this.#kept.size - Math.floor(this.#keptMax * KEPT_SHARE)
    this.#tell((tell) => {
      for (const entity of this.#kept.keys()) {
        if (excess-- <= 0) break
        this.#forget(entity.name, tell)
      }
    })
  }

  /** Forgets what was read of what changed, and nothing else. */
  apply(changes: readonly Change[]): void {
    this.#tell((tell) => {
      for (const { uid, isMoved } of changes) {
        const name = new EntityValue(uid.type, uid.id)
        this.#forget(name, tell)
        const below = this.#below.get(name.key)
        if (below === undefined || !isMoved()) continue
        for (const { members } of [...below]) for (const member of [...members]) this.#forget(member.name, tell)
      }
    })
  }

  #tell(work: (tell: Follower['changed']) => void): void {
    this.#followers = this.#followers.filter((each) => each.deref() !== undefined)
    const followers = this.#followers.flatMap((each) => each.deref() ?? [])
    work((key, table, row) => { for (const each of followers) each.changed(key, table, row) })
    for (const each of followers) each.settled()
  }

  /** Whoever has found nothing under a name must hear of it too. */
  #forget({ type, id, key }: EntityValue, tell: Follower['changed']): void {
    const table = this.#tables.get(type)
    if (table === undefined) return
    const row = table.rowOf(id)
    const entity = table.entities[row]
    if (entity !== undefined) {
      const above = this.#kept.get(entity)
      this.#kept.delete(entity)
      above?.members.delete(entity)
      if (above?.members.size === 0) this.#leave(above)
      table.remove(row)
    }
    tell(key, table, row)
  }

  #read(name: EntityValue, table: TypeTable): Entity | undefined {
    const type = this.schema.entityTypes.get(name.type)
    const json = this.#stored.get(name)
    if (type === undefined || json === null) {
      const given = this.#beneath.find(name)
      if (given !== undefined) this.#keep(given, null, table)
      return given
    }
    const above = json.parents.length === 0 ? null : this.#aboveOf(json.parents, type)
    const entity = this.#entity(json, type, above ?? NOTHING_ABOVE)
    this.#keep(entity, above, table)
    return entity
  }

  #keep(entity: Entity, above: Above | null, table: TypeTable): void {
    table.put(entity)
    this.#kept.set(entity, above)
    above?.members.add(entity)
  }

  #entity({ uid, attrs, tags }: CedarEntity, type: EntityType, { ancestors, unknown, strange }: Omit<Above, 'key' | 'members'>): Entity {
    const place = uidText(uid)
    let doubts: Map<string, Doubt> | null = null
    const attributes = new Map<string, Value>()
    for (const name of Object.keys(attrs)) {
      const attribute = Object.hasOwn(type.shape.attributes, name) ? type.shape.attributes[name] : undefined
      if (attribute === undefined) continue // No rule can ask for it.
      const found: Found = { problems: [], ignored: [] }
      const value = valueOf(attribute.type, attrs[name], { of: place, key: name }, this.schema, found, VALUES)
      if (value !== null) attributes.set(name, value)
      else (doubts ??= new Map()).set(name, unusable(found))
    }
    for (const name of promisedBy(type.shape)) {
      if (!Object.hasOwn(attrs, name)) (doubts ??= new Map()).set(name, { kind: 'missing', what: `${place}.${name}` })
    }
    const tagged = this.#tags(tags, type, place)
    const above: Doubt | null = strange === null ? null : { kind: 'unusable', what: `${place} is in ${strange}, which its type cannot be in` }
    const entity = { name: new EntityValue(uid.type, uid.id), attributes, tags: tagged.tags, ancestors, unknown }
    return doubts === null && above === null && tagged.doubt === null ? entity : { ...entity, doubts: { attributes: doubts ?? NO_DOUBTS, above, tags: tagged.doubt } }
  }

  #tags(json: CedarEntity['tags'], { tags: type }: EntityType, place: string): { readonly tags: ReadonlyMap<string, Value>; readonly doubt: Doubt | null } {
    if (json === undefined || type === null) return { tags: NO_TAGS, doubt: null }
    const found: Found = { problems: [], ignored: [] }
    const tags = new Map<string, Value>()
    for (const [name, each] of Object.entries(json)) {
      const value = valueOf(type, each, `${place} tag ${name}`, this.schema, found, VALUES)
      if (value !== null) tags.set(name, value)
    }
    return { tags, doubt: found.problems.length === 0 ? null : unusable(found) }
  }

  /** Most entities share what they are in with many others. */
  #aboveOf(parents: readonly Uid[], { name, ancestors: possible }: EntityType): Above {
    const key = JSON.stringify([name, ...parents.map(({ type, id }) => [type, id])])
    const known = this.#above.get(key)
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
      if (stored === null && (this.schema.entityTypes.get(each.type)?.ancestors.length ?? 0) > 0) unknown.push(above)
      queue.push(...(stored?.parents ?? []))
    }
    const made: Above = { key, ancestors, unknown, strange, members: new Set() }
    this.#above.set(key, made)
    for (const each of ancestors) {
      const below = this.#below.get(each)
      if (below === undefined) this.#below.set(each, new Set([made]))
      else below.add(made)
    }
    return made
  }

  /** Nobody is in it any more. */
  #leave(above: Above): void {
    this.#above.delete(above.key)
    for (const each of above.ancestors) {
      const below = this.#below.get(each)
      below?.delete(above)
      if (below?.size === 0) this.#below.delete(each)
    }
  }
}

/** Of what may be kept, so much is kept when room is made. */
const KEPT_SHARE = 7 / 8
const NO_DOUBTS: Doubts['attributes'] = new Map()
const NO_TAGS: Entity['tags'] = new Map()

/** What entities with the same parents are in, and which of them are kept. */
type Above = Pick<Entity, 'ancestors' | 'unknown'> & { readonly key: string; readonly strange: string | null; readonly members: Set<Entity> }
const NOTHING_ABOVE: Omit<Above, 'key' | 'members'> = { ancestors: new Set(), unknown: [], strange: null }

function unusable({ problems }: Found): Doubt {
  return { kind: 'unusable', what: problems.map(({ place, message }) => `${place} ${message}`).join('; ') }
}

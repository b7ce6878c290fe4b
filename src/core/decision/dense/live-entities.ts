import type { Problem } from '#core/failure.ts'
import type { Uid } from '#core/policy/expression.ts'
import { uidText } from '#core/policy/policy.ts'
import type { Schema } from '#core/policy/schema.ts'
import type { EntityChanges } from '#core/revision/application.ts'
import { cycles, entitiesOf, readEntity, refuse, type Read } from '../entity-graph.ts'
import { ValueReader } from '../read-value.ts'
import type { Entities, Entity } from '../situation.ts'
import { EntityValue } from '../value.ts'
import { Numbered } from './numbered.ts'

/** The entities of one type, each in a row of its own for as long as it is there. */
export class TypeTable {
  readonly name: string
  /** Of the type, in the order in which types came. */
  readonly index: number
  /** By id. */
  readonly #rows = new Numbered()
  readonly entities: (Entity | undefined)[] = []
  readonly #free: number[] = []

  constructor(name: string, index: number) {
    this.name = name
    this.index = index
  }

  /** −1: there is no such entity. */
  rowOf(id: string): number {
    return this.#rows.get(id)
  }

  put(entity: Entity): number {
    const { id } = entity.name
    let row = this.#rows.get(id)
    if (row < 0) {
      row = this.#free.pop() ?? this.entities.length
      this.#rows.add(id, row)
    }
    this.entities[row] = entity
    return row
  }

  /** The row that it had; −1: there was no such entity. */
  remove(id: string): number {
    const row = this.#rows.get(id)
    if (row < 0) return row
    this.#rows.delete(id)
    this.entities[row] = undefined
    this.#free.push(row)
    return row
  }
}

/** Whoever has worked something out from entities: hears of each that became another one, came or went. */
export type Dependent = { readonly changed: (key: string, table: TypeTable, row: number) => void }

/**
 * Entities as decisions read them, which change while decisions are made: one that changes costs as much as itself and what is below it, not as
 * much as all. It answers exactly as {@link readEntities} of the same entities would.
 */
export class LiveEntities implements Entities {
  readonly #schema: Schema | null
  readonly #beneath: Entities | null
  readonly #tables: TypeTable[] = []
  /** By type: the index of its table. */
  readonly #indexes = new Numbered()
  readonly #first: TypeTable[] = []
  readonly #given = new Map<string, Read>()
  /** By parent, whether that is there or not. */
  readonly #children = new Map<string, Set<string>>()
  readonly #dependents = new Set<Dependent>()

  /** @param schema By which entities are read, as by {@link readEntities}. */
  constructor(schema: Schema | null) {
    this.#schema = schema
    this.#beneath = schema === null ? null : entitiesOf(schema)
  }

  get size(): number {
    return this.#given.size
  }

  find(name: EntityValue): Entity | undefined {
    const table = this.table(name.type)
    const row = table === undefined ? -1 : table.rowOf(name.id)
    return row < 0 ? this.#beneath?.find(name) : table?.entities[row]
  }

  table(type: string): TypeTable | undefined {
    // Of few types one is met sooner by looking than by counting.
    for (const table of this.#first) if (table.name === type) return table
    const index = this.#indexes.get(type)
    return index < 0 ? undefined : this.#tables[index]
  }

  /** The row of an entity that only the schema gives, made when it is first asked for; undefined when there is no such entity. */
  adopt({ type, id }: Uid): number | undefined {
    const entity = this.#beneath?.find(new EntityValue(type, id))
    return entity === undefined ? undefined : this.#tableOf(type).put(entity)
  }

  follow(dependent: Dependent): void {
    this.#dependents.add(dependent)
  }

  leave(dependent: Dependent): void {
    this.#dependents.delete(dependent)
  }

  /**
   * Takes over what changed, all of it or, when it cannot be read, nothing. What is both deleted and upserted is there.
   *
   * @throws {Failure} `ENTITIES_INVALID` with every problem.
   */
  apply({ isWhole = false, upserted, deleted = [] }: { readonly isWhole?: boolean; readonly upserted: EntityChanges['upserted']; readonly deleted?: EntityChanges['deleted'] }): void {
    const reader = new ValueReader(this.#schema)
    const staged = new Map<string, Read | null>()
    if (isWhole) for (const key of this.#given.keys()) staged.set(key, null)
    for (const { type, id } of deleted) staged.set(new EntityValue(type, id).key, null)
    const twice: Problem[] = []
    const seen = new Set<string>()
    for (const entity of upserted) {
      const place = uidText(entity.uid)
      const read = readEntity(entity, this.#schema, reader, place)
      if (seen.has(read.name.key)) twice.push({ place, message: 'is given twice' })
      seen.add(read.name.key)
      staged.set(read.name.key, read)
    }
    refuse([...twice, ...reader.problems])
    const moved = [...staged].filter(([key, read]) => !sameParents(this.#given.get(key), read)).map(([key]) => key)
    this.#refuseCycles(staged, moved)
    for (const [key, read] of staged) this.#give(key, read)
    this.#settle(staged, this.#below(moved))
  }

  /** Looks upwards from what is in something else now. */
  #refuseCycles(staged: ReadonlyMap<string, Read | null>, moved: readonly string[]): void {
    const above = new Map<string, Read>()
    const open = [...moved]
    for (let key = open.pop(); key !== undefined; key = open.pop()) {
      const read = staged.get(key) === undefined ? this.#given.get(key) : staged.get(key)
      if (read === undefined || read === null || above.has(uidText(read.name))) continue
      above.set(uidText(read.name), read)
      open.push(...read.parents.map(keyOfUid))
    }
    refuse(cycles(above))
  }

  #give(key: string, read: Read | null): void {
    for (const parent of this.#given.get(key)?.parents ?? []) {
      const above = keyOfUid(parent)
      const children = this.#children.get(above)
      children?.delete(key)
      if (children?.size === 0) this.#children.delete(above)
    }
    if (read === null) return void this.#given.delete(key)
    this.#given.set(key, read)
    for (const parent of read.parents) {
      const above = keyOfUid(parent)
      const children = this.#children.get(above)
      if (children === undefined) this.#children.set(above, new Set([key]))
      else children.add(key)
    }
  }

  /** Those given and everything below them. */
  #below(keys: readonly string[]): ReadonlySet<string> {
    const found = new Set(keys)
    for (const key of found) for (const child of this.#children.get(key) ?? []) found.add(child)
    return found
  }

  /** Makes the entities anew that changed, and those whose ancestors did, from the top downwards. */
  #settle(staged: ReadonlyMap<string, Read | null>, moved: ReadonlySet<string>): void {
    const shared = new Map<string, Above>()
    const settled = new Set<string>()
    for (const start of new Set([...staged.keys(), ...moved])) {
      const open = [start]
      for (let key = open.at(-1); key !== undefined; key = open.at(-1)) {
        const read = this.#given.get(key)
        // INVARIANT: there is no cycle, so that every entity is settled once all its parents are.
        const waiting = settled.has(key) || read === undefined || !moved.has(key) ? [] : read.parents.map(keyOfUid).filter((parent) => (moved.has(parent) || staged.has(parent)) && !settled.has(parent))
        if (waiting.length > 0) {
          open.push(...waiting)
          continue
        }
        open.pop()
        if (settled.has(key)) continue
        settled.add(key)
        if (read === undefined) this.#remove(key)
        else this.#put(key, read, moved.has(key) ? this.#join(read.parents, shared) : (this.find(read.name) as Entity))
      }
    }
  }

  #put(key: string, { name, attributes, tags }: Read, { ancestors, unknown }: Above): void {
    const table = this.#tableOf(name.type)
    // Whoever has heard the name keeps meeting the same one.
    const before = table.entities[table.rowOf(name.id)]
    this.#tell(key, table, table.put({ name: before?.name ?? name, attributes, tags, ancestors, unknown }))
  }

  #remove(key: string): void {
    const [type = '', id = ''] = [key.slice(0, key.indexOf('\0')), key.slice(key.indexOf('\0') + 1)]
    const table = this.table(type)
    const row = table === undefined ? -1 : table.remove(id)
    if (table !== undefined && row >= 0) this.#tell(key, table, row)
  }

  #tell(key: string, table: TypeTable, row: number): void {
    for (const dependent of this.#dependents) dependent.changed(key, table, row)
  }

  #join(parents: readonly Uid[], shared: Map<string, Above>): Above {
    const key = parents.map(uidText).sort().join()
    const known = shared.get(key)
    if (known !== undefined) return known
    const ancestors = new Set<string>()
    const unknown = new Map<string, EntityValue>()
    for (const { type, id } of parents) {
      const name = new EntityValue(type, id)
      const above = this.find(name)
      ancestors.add(name.key)
      for (const each of above?.ancestors ?? []) ancestors.add(each)
      for (const each of above?.unknown ?? []) unknown.set(each.key, each)
      if (above === undefined && (this.#schema?.entityTypes.get(type)?.ancestors.length ?? 1) > 0) unknown.set(name.key, name)
    }
    const made = { ancestors, unknown: [...unknown.values()] }
    shared.set(key, made)
    return made
  }

  #tableOf(type: string): TypeTable {
    const known = this.table(type)
    if (known !== undefined) return known
    const made = new TypeTable(type, this.#tables.length)
    this.#indexes.add(type, this.#tables.push(made) - 1)
    if (this.#first.length < FIRST_MAX) this.#first.push(made)
    return made
  }
}

const FIRST_MAX = 8

type Above = Pick<Entity, 'ancestors' | 'unknown'>

/** Whether what is below may go on as it is: it is there before and after, in the same. */
function sameParents(before: Read | undefined, after: Read | null): boolean {
  if (before === undefined || after === null) return before === undefined && after === null
  return before.parents.length === after.parents.length && before.parents.every(({ type, id }, i) => after.parents[i]?.type === type && after.parents[i]?.id === id)
}

function keyOfUid({ type, id }: Uid): string {
  return `${type}\0${id}`
}

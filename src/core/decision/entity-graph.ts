import { Failure, type Problem } from '#core/failure.ts'
import { step } from '#core/json.ts'
import type { Uid } from '#core/policy/expression.ts'
import { uidText } from '#core/policy/policy.ts'
import type { Schema } from '#core/policy/schema.ts'
import { findCycles } from '#core/revision/hierarchy.ts'
import type { CedarEntity } from '#core/unit/semantic-unit.ts'
import { ValueReader } from './read-value.ts'
import type { Entities, Entity } from './situation.ts'
import { EntityValue, type RecordValue } from './value.ts'

/** Entities as decisions read them: values exact, everything that each is in worked out. What it has, stays. */
export class EntityGraph implements Entities {
  readonly #types: ReadonlyMap<string, ReadonlyMap<string, Entity>>
  /** What the schema itself says there is. */
  readonly #beneath: Entities | null

  constructor(types: ReadonlyMap<string, ReadonlyMap<string, Entity>>, beneath: Entities | null) {
    this.#types = types
    this.#beneath = beneath
  }

  find(name: EntityValue): Entity | undefined {
    return this.#types.get(name.type)?.get(name.id) ?? this.#beneath?.find(name)
  }
}

/**
 * Reads entities in Cedar's JSON format, integers beyond 2⁵³ as bigint. By a schema, each must be as its type says; without one, entities and
 * extension values among the attributes are marked as such. Actions and the entities of enumerated types are those of the schema.
 *
 * @throws {Failure} `ENTITIES_INVALID` with every problem: what does not fit, an entity that is given twice, a cycle in the hierarchy.
 */
export function readEntities(json: readonly CedarEntity[], schema: Schema | null): EntityGraph {
  const reader = new ValueReader(schema)
  const read = new Map<string, Read>()
  for (const entity of json) {
    const place = uidText(entity.uid)
    if (read.has(place)) reader.problems.push({ place, message: 'is given twice' })
    read.set(place, readEntity(entity, schema, reader, place))
  }
  refuse([...reader.problems, ...cycles(read)])
  return graphOf(read, schema, schema === null ? null : entitiesOf(schema))
}

/** @throws {Failure} `ENTITIES_INVALID` when there are problems. */
function refuse(problems: readonly Problem[]): void {
  const [first] = problems
  if (first === undefined) return
  throw new Failure('ENTITIES_INVALID', `the entities cannot be read: \`${first.place}\` ${first.message}${problems.length > 1 ? ` (and ${problems.length - 1} more)` : ''}`, { problems })
}

/**
 * Reads a request's context.
 *
 * @param schema By which the action's uid text says what its type is; null: entities and extension values are marked as such.
 * @throws {Failure} `REQUEST_MALFORMED` with every problem.
 */
export function readContext(json: { readonly [name: string]: unknown }, schema: Schema | null, action: Uid): RecordValue {
  const reader = new ValueReader(schema)
  const type = schema?.actions.get(uidText(action))?.context
  const context = type === undefined ? reader.fields(json, 'context', (each, _name, place) => reader.value(each, place)) : reader.record(type, json, 'context')
  if (context !== null && reader.problems.length === 0) return context
  throw new Failure('REQUEST_MALFORMED', `the context cannot be read: ${reader.problems.map(({ place, message }) => `${place} ${message}`).join('; ')}`, { problems: reader.problems })
}

/** An entity as it was given: values read, what it is in not yet worked out. */
type Read = { readonly name: EntityValue; readonly parents: readonly Uid[] } & Pick<Entity, 'attributes' | 'tags'>

function readEntity({ uid, attrs, parents, tags = {} }: CedarEntity, schema: Schema | null, reader: ValueReader, place: string): Read {
  const name = new EntityValue(uid.type, uid.id)
  const action = schema?.actions.get(place)
  const type = schema?.entityTypes.get(uid.type)
  const free = (each: unknown, _name: string, at: string) => reader.value(each, at)
  if (schema === null || action !== undefined) {
    const values = reader.fields(attrs, place, free)
    return { name, parents, attributes: values?.fields ?? NOTHING, tags: reader.fields(tags, `${place} tags`, free)?.fields ?? NOTHING }
  }
  if (type === undefined) {
    reader.problems.push({ place, message: 'is of a type that the schema does not have' })
    return { name, parents, attributes: NOTHING, tags: NOTHING }
  }
  if (type.ids !== null && !type.ids.includes(uid.id)) reader.problems.push({ place, message: 'is none of the ids of its type' })
  for (const parent of parents) {
    if (!type.ancestors.includes(parent.type)) reader.problems.push({ place, message: `is in \`${uidText(parent)}\`, which its type cannot be in` })
  }
  const { tags: ofTags } = type
  if (ofTags === null && Object.keys(tags).length > 0) reader.problems.push({ place, message: 'has tags, and the schema gives its type none' })
  return {
    name,
    parents,
    attributes: reader.record(type.shape, attrs, place)?.fields ?? NOTHING,
    tags: ofTags === null ? NOTHING : reader.fields(tags, step(place, 'tags'), (each, _name, at) => reader.typed(ofTags, each, at))?.fields ?? NOTHING,
  }
}

const NOTHING: Entity['attributes'] = new Map()

/** @param read By uid text. */
function cycles(read: ReadonlyMap<string, Pick<Read, 'parents'>>): readonly Problem[] {
  const parents = new Map([...read].map(([key, entity]) => [key, entity.parents.map(uidText)]))
  return findCycles(parents, CYCLES_MAX).map((cycle) => ({ place: cycle[0] ?? '', message: `is above itself in the hierarchy: ${[...cycle.slice(0, 10), ...(cycle.length > 10 ? ['…'] : []), cycle[0]].join(' in ')}` }))
}
const CYCLES_MAX = 10

/** What each is in, from the top downwards; entities with the same parents share it. */
function graphOf(read: ReadonlyMap<string, Read>, schema: Schema | null, beneath: Entities | null): EntityGraph {
  type Above = Pick<Entity, 'ancestors' | 'unknown'>
  const aboveOf = new Map<string, Above>()
  const shared = new Map<string, Above>()
  const join = (parents: readonly Uid[]): Above => {
    const key = parents.map(uidText).sort().join()
    const known = shared.get(key)
    if (known !== undefined) return known
    const ancestors = new Set<string>()
    const unknown = new Map<string, EntityValue>()
    for (const parent of parents) {
      const name = new EntityValue(parent.type, parent.id)
      const above = aboveOf.get(uidText(parent)) ?? beneath?.find(name)
      ancestors.add(name.key)
      for (const each of above?.ancestors ?? []) ancestors.add(each)
      for (const each of above?.unknown ?? []) unknown.set(each.key, each)
      if (above === undefined && (schema?.entityTypes.get(parent.type)?.ancestors.length ?? 1) > 0) unknown.set(name.key, name)
    }
    const made = { ancestors, unknown: [...unknown.values()] }
    shared.set(key, made)
    return made
  }
  // INVARIANT: there is no cycle, so that every entity is joined once all its parents are.
  for (const start of read.keys()) {
    const open = [start]
    for (let key = open.at(-1); key !== undefined; key = open.at(-1)) {
      const { parents } = read.get(key) as Read
      const waiting = aboveOf.has(key) ? [] : parents.map(uidText).filter((parent) => read.has(parent) && !aboveOf.has(parent))
      if (waiting.length > 0) open.push(...waiting)
      else {
        if (!aboveOf.has(key)) aboveOf.set(key, join(parents))
        open.pop()
      }
    }
  }
  const types = new Map<string, Map<string, Entity>>()
  for (const [key, { name, attributes, tags }] of read) {
    const ids = types.get(name.type) ?? new Map<string, Entity>()
    types.set(name.type, ids)
    ids.set(name.id, { name, attributes, tags, ...(aboveOf.get(key) as Above) })
  }
  return new EntityGraph(types, beneath)
}

/** What a schema itself says there is: its actions in their groups, the entities of its enumerated types. */
export function entitiesOf(schema: Schema): Entities {
  const known = ofSchemas.get(schema)
  if (known !== undefined) return known
  const read = new Map<string, Read>()
  const add = (uid: Uid, parents: readonly Uid[]) => read.set(uidText(uid), { name: new EntityValue(uid.type, uid.id), parents, attributes: NOTHING, tags: NOTHING })
  for (const { uid, ancestors } of schema.actions.values()) add(uid, ancestors.flatMap((group) => schema.actions.get(group)?.uid ?? []))
  for (const { name, ids } of schema.entityTypes.values()) for (const id of ids ?? []) add({ type: name, id }, [])
  const made = graphOf(read, schema, null)
  ofSchemas.set(schema, made)
  return made
}
const ofSchemas = new WeakMap<Schema, Entities>()

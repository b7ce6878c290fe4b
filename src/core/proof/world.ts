import type { Environment, RecordType, Schema, Type } from '#core/policy/schema.ts'
import type { CedarEntity } from '#core/unit/semantic-unit.ts'
import { sortOf } from './encode.ts'
import type { Sort, Value, World } from './terms.ts'

/** A request of one environment with its entities, in Cedar's JSON except that integers beyond 2⁵³ are strings of digits. */
export type Scene = {
  /** Ids; the types are the environment's. */
  readonly principal: string
  readonly resource: string
  readonly context: Attributes
  readonly entities: readonly CedarEntity[]
}

export type Attributes = { readonly [name: string]: unknown }

/**
 * The world of terms that a request with its entities is.
 *
 * @param second The other world of a question about two.
 */
export function worldOf(schema: Schema, environment: Environment, scene: Scene, second: Scene | null = null): World {
  const first = factsOf(schema, environment, scene)
  const other = second === null ? first : factsOf(schema, environment, second)
  return {
    variable: (name) => {
      if (name === 'principal' || name === 'resource') return scene[name]
      throw new Error(`a world has no variable ${name}`)
    },
    apply: ({ kind, owner, path, to, copy, result }, args) => {
      const facts = copy === 0 ? first : other
      const subject = entityKey(owner, owner === '' ? '' : args[0])
      if (kind === 'in') return facts.ancestors(subject).has(entityKey(to, args[1]))
      const found = facts.attributes.get(subject)?.get(JSON.stringify(path))
      if (kind === 'present') return found !== undefined
      if (kind === 'member') return found instanceof Set && found.has(args.at(-1) as Value)
      return found === undefined || found === null || found instanceof Set ? nothing(result) : found as Value
    },
    elements: (sort) => [...(first.elements.get(sort) ?? []), ...(other.elements.get(sort) ?? [])],
  }
}

/** Attributes by their path: a value, the elements of a set, or null for a record. */
type Flat = Map<string, Value | ReadonlySet<Value> | null>

type Facts = {
  readonly attributes: ReadonlyMap<string, Flat>
  readonly elements: ReadonlyMap<Sort, readonly Value[]>
  readonly ancestors: (entity: string) => ReadonlySet<string>
}

function factsOf(schema: Schema, environment: Environment, { context, entities }: Scene): Facts {
  const attributes = new Map<string, Flat>()
  const elements = new Map<Sort, Value[]>()
  const read = (subject: string, type: RecordType, json: Attributes): void => {
    const flat: Flat = new Map()
    attributes.set(subject, flat)
    flatten(type, json, [], flat, elements)
  }
  const action = schema.actions.get(environment.action)
  if (action !== undefined) read(entityKey('', ''), action.context, context)
  const parents = new Map<string, readonly string[]>()
  for (const { uid, attrs, parents: above } of entities) {
    const subject = entityKey(uid.type, uid.id)
    const type = schema.entityTypes.get(uid.type)
    if (type !== undefined) read(subject, type.shape, attrs)
    parents.set(subject, above.map((parent) => entityKey(parent.type, parent.id)))
  }
  return { attributes, elements, ancestors: (entity) => reachable(entity, parents) }
}

function flatten(type: RecordType, json: Attributes, prefix: readonly string[], flat: Flat, elements: Map<Sort, Value[]>): void {
  for (const [name, attribute] of Object.entries(type.attributes)) {
    if (!Object.hasOwn(json, name)) continue
    const [path, value] = [[...prefix, name], json[name]]
    const at = JSON.stringify(path)
    const { type: own } = attribute
    if (own.kind === 'record') {
      flat.set(at, null)
      flatten(own, value as Attributes, path, flat, elements)
    } else if (own.kind === 'set' && isFlat(own.element)) {
      const { element } = own
      const members = (value as readonly unknown[]).map((each) => toValue(each, element))
      flat.set(at, new Set(members))
      elements.set(sortOf(element), [...(elements.get(sortOf(element)) ?? []), ...members])
    } else {
      // What terms cannot denote (extension values, sets of sets) is there or not, and nothing more.
      flat.set(at, isFlat(own) ? toValue(value, own) : null)
    }
  }
}

function isFlat(type: Type): boolean {
  return type.kind === 'bool' || type.kind === 'long' || type.kind === 'string' || type.kind === 'entity'
}

function toValue(json: unknown, type: Type): Value {
  if (type.kind === 'long') return BigInt(json as number | string)
  if (type.kind === 'entity') {
    const uid = typeof json === 'object' && json !== null && '__entity' in json ? json.__entity : json
    return (uid as { id: string }).id
  }
  return json as boolean | string
}

function nothing(sort: Sort): Value {
  return sort === 'bool' ? false : sort === 'int' ? 0n : ''
}

function entityKey(type: string, id: Value | undefined): string {
  return `${type}|${String(id)}`
}

function reachable(start: string, parents: ReadonlyMap<string, readonly string[]>): ReadonlySet<string> {
  const found = new Set<string>()
  const queue = [...(parents.get(start) ?? [])]
  for (let each = queue.pop(); each !== undefined; each = queue.pop()) {
    if (found.has(each)) continue
    found.add(each)
    queue.push(...(parents.get(each) ?? []))
  }
  return found
}

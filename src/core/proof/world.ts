import type { Environment, Schema, Type } from '#core/policy/schema.ts'
import type { CedarEntity } from '#core/unit/semantic-unit.ts'
import { ipOf, type Ip } from './extension.ts'
import { matches, patternOf } from './pattern.ts'
import type { Sort, Value, World } from './terms.ts'
import { ipPart, partOf, sortOf, valueOf } from './values.ts'

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
    apply: (symbol, args) => {
      const { kind, owner, path, to, copy, result } = symbol
      if (kind === 'matches') return matches(patternOf(to), String(args[0]))
      if (owner.startsWith('value:')) return partOf(symbol, args[0] as Value, args[1])
      const facts = copy === 0 ? first : other
      const element = kind === 'member' ? args.at(-1) as Value : null
      const subject = subjectKey(owner, element === null ? args : args.slice(0, -1))
      if (kind === 'in') return facts.ancestors(subjectKey(owner, args.slice(0, 1))).has(subjectKey(to, args.slice(1)))
      const found = facts.attributes.get(subject)?.get(JSON.stringify(path)) ?? null
      if (kind === 'present') return found !== null
      if (element !== null) return found?.kind === 'set' && found.elements.has(element)
      if (kind === 'ip') return found?.kind === 'ip' ? ipPart(found.ip, to) : nothing(result)
      return found?.kind === 'value' ? found.value : nothing(result)
    },
    elements: (sort) => [...(first.elements.get(sort) ?? []), ...(other.elements.get(sort) ?? [])],
  }
}

/** What is at a path. */
type Found =
  | { readonly kind: 'value'; readonly value: Value }
  | { readonly kind: 'set'; readonly elements: ReadonlySet<Value> }
  | { readonly kind: 'ip'; readonly ip: Ip }
  | { readonly kind: 'record' }
type Flat = Map<string, Found>

type Facts = {
  readonly attributes: ReadonlyMap<string, Flat>
  readonly elements: ReadonlyMap<Sort, readonly Value[]>
  readonly ancestors: (entity: string) => ReadonlySet<string>
}

function factsOf(schema: Schema, environment: Environment, { context, entities }: Scene): Facts {
  const attributes = new Map<string, Flat>()
  const elements = new Map<Sort, Value[]>()
  const read = (subject: string, type: Type, json: unknown): void => {
    const flat: Flat = new Map()
    attributes.set(subject, flat)
    flatten(type, json, [], flat, elements)
  }
  const action = schema.actions.get(environment.action)
  if (action !== undefined) read(subjectKey('', []), action.context, context)
  const parents = new Map<string, readonly string[]>()
  for (const { uid, attrs, parents: above, tags } of entities) {
    const type = schema.entityTypes.get(uid.type)
    parents.set(subjectKey(uid.type, [uid.id]), above.map((parent) => subjectKey(parent.type, [parent.id])))
    if (type === undefined) continue
    read(subjectKey(uid.type, [uid.id]), type.shape, attrs)
    if (type.tags === null) continue
    for (const [key, tag] of Object.entries(tags ?? {})) read(subjectKey(`${uid.type}#tags`, [uid.id, key]), type.tags, tag)
  }
  return { attributes, elements, ancestors: (entity) => reachable(entity, parents) }
}

function flatten(type: Type, json: unknown, path: readonly string[], flat: Flat, elements: Map<Sort, Value[]>): void {
  flat.set(JSON.stringify(path), found(type, json, elements))
  if (type.kind !== 'record') return
  const fields = json as Attributes
  for (const [name, attribute] of Object.entries(type.attributes)) {
    if (Object.hasOwn(fields, name)) flatten(attribute.type, fields[name], [...path, name], flat, elements)
  }
}

function found(type: Type, json: unknown, elements: Map<Sort, Value[]>): Found {
  if (type.kind === 'record') return { kind: 'record' }
  if (type.kind === 'extension' && type.name === 'ipaddr') return { kind: 'ip', ip: ipOf(json) }
  if (type.kind !== 'set') return { kind: 'value', value: valueOf(json, type) }
  meet(type, json, elements)
  return { kind: 'set', elements: new Set((json as readonly unknown[]).map((each) => valueOf(each, type.element))) }
}

/** Every element of a set, and what they have as elements in turn. */
function meet(type: Type, json: unknown, elements: Map<Sort, Value[]>): void {
  if (type.kind === 'record') {
    for (const [name, attribute] of Object.entries(type.attributes)) {
      if (Object.hasOwn(json as Attributes, name)) meet(attribute.type, (json as Attributes)[name], elements)
    }
  }
  if (type.kind !== 'set') return
  const sort = sortOf(type.element)
  for (const each of json as readonly unknown[]) {
    elements.set(sort, [...(elements.get(sort) ?? []), valueOf(each, type.element)])
    meet(type.element, each, elements)
  }
}

function nothing(sort: Sort): Value {
  return sort === 'bool' ? false : sort === 'int' ? 0n : ''
}

function subjectKey(owner: string, of: readonly Value[]): string {
  return JSON.stringify([owner, ...of])
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

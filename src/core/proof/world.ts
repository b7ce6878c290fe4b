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
      const found = facts.attributes(subject)?.get(JSON.stringify(path)) ?? null
      if (kind === 'present') return found !== null
      if (element !== null) return found?.kind === 'set' && found.elements.has(element)
      if (kind === 'ip') return found?.kind === 'ip' ? ipPart(found.ip, to) : nothing(result)
      return found?.kind === 'value' ? found.value : nothing(result)
    },
    elements: (sort) => (second === null ? first.elements(sort) : [...first.elements(sort), ...other.elements(sort)]),
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
  /** Null for what the scene has not: then every fact is the plainest. */
  readonly attributes: (subject: string) => Flat | null
  readonly elements: (sort: Sort) => readonly Value[]
  readonly ancestors: (entity: string) => ReadonlySet<string>
}

/** Read where it is asked for: most questions are about a few of a scene's entities. */
function factsOf(schema: Schema, environment: Environment, { context, entities }: Scene): Facts {
  const sources = new Map<string, { readonly type: Type; readonly json: unknown }>()
  const parents = new Map<string, readonly string[]>()
  const action = schema.actions.get(environment.action)
  if (action !== undefined) sources.set(subjectKey('', []), { type: action.context, json: context })
  for (const { uid, attrs, parents: above, tags } of entities) {
    const subject = subjectKey(uid.type, [uid.id])
    const type = schema.entityTypes.get(uid.type)
    if (above.length > 0) parents.set(subject, above.map((parent) => subjectKey(parent.type, [parent.id])))
    if (type === undefined) continue
    sources.set(subject, { type: type.shape, json: attrs })
    if (type.tags === null) continue
    for (const [key, json] of Object.entries(tags ?? {})) sources.set(subjectKey(`${uid.type}#tags`, [uid.id, key]), { type: type.tags, json })
  }
  const flats = new Map<string, Flat>()
  const elements = new Map<Sort, Value[]>()
  let areMet = false
  return {
    attributes: (subject) => {
      const source = sources.get(subject)
      if (source === undefined) return null
      const flat = flats.get(subject) ?? flatten(source.type, source.json, [], new Map())
      flats.set(subject, flat)
      return flat
    },
    elements: (sort) => {
      if (!areMet) for (const { type, json } of sources.values()) meet(type, json, elements)
      areMet = true
      return elements.get(sort) ?? []
    },
    ancestors: (entity) => reachable(entity, parents),
  }
}

function flatten(type: Type, json: unknown, path: readonly string[], flat: Flat): Flat {
  flat.set(JSON.stringify(path), found(type, json))
  if (type.kind !== 'record') return flat
  const fields = json as Attributes
  for (const [name, attribute] of Object.entries(type.attributes)) {
    if (Object.hasOwn(fields, name)) flatten(attribute.type, fields[name], [...path, name], flat)
  }
  return flat
}

function found(type: Type, json: unknown): Found {
  if (type.kind === 'record') return { kind: 'record' }
  if (type.kind === 'extension' && type.name === 'ipaddr') return { kind: 'ip', ip: ipOf(json) }
  if (type.kind !== 'set') return { kind: 'value', value: valueOf(json, type) }
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

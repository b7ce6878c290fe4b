import type { Expression, Uid } from '#core/policy/expression.ts'
import { uidText } from '#core/policy/policy.ts'
import type { Environment, RecordType, Schema, Type } from '#core/policy/schema.ts'
import type { Counterexample } from '#core/proof/proof.ts'
import { stemOf, valuesOf, type Choice } from './choices.ts'
import { ABSENT, isSet, literalOf, placeOf, textOf, type Chosen, type Place, type Value } from './place.ts'

type Attributes = Map<string, Chosen | Attributes>
/** A request in which something was chosen for every place, and what it says of them. */
export type Scene = {
  readonly request: Counterexample
  readonly read: (place: Place) => Value | typeof ABSENT
  readonly isIn: (low: Uid, high: Uid) => boolean
}

/** The request in which everything is as chosen; null when that contradicts itself (an entity cannot be two things at once). */
export function sceneOf(choices: readonly Choice[], chosen: readonly Chosen[], environment: Environment, schema: Schema): Scene | null {
  const context: Attributes = new Map()
  const entities = new Map<string, { readonly uid: Uid; readonly attributes: Attributes; readonly parents: Map<string, Uid> }>()
  const entity = (uid: Uid) => {
    const known = entities.get(uidText(uid)) ?? { uid, attributes: new Map(), parents: new Map() }
    entities.set(uidText(uid), known)
    return known
  }
  const roots: { principal?: Uid; resource?: Uid } = {}
  const walk = (place: Place, length: number): Attributes | null => {
    let at: Attributes = place.root === 'context' ? context : entity(roots[place.root] as Uid).attributes
    for (const name of place.path.slice(0, length)) {
      let next = at.get(name)
      if (next === undefined) at.set(name, (next = new Map()))
      if (next === ABSENT) return null
      if (next instanceof Map) at = next
      else if (typeof next === 'object' && !isSet(next)) at = entity(next).attributes
      else throw new Error(`${place.key} leads through a value that has no attributes`)
    }
    return at
  }
  const read = (place: Place): Chosen => {
    if (place.path.length === 0) return place.root === 'context' ? ABSENT : roots[place.root] as Uid
    const found = walk(place, place.path.length - 1)?.get(place.path.at(-1) as string)
    return found instanceof Map ? [] : found ?? ABSENT
  }
  const valueOf = (expression: Expression): Chosen => {
    const place = placeOf(expression)
    return place === null ? literalOf(expression) : read(place)
  }

  for (const [i, choice] of choices.entries()) {
    if (choice.kind !== 'place') continue
    const { place: { root, path }, place } = choice
    const value = chosen[i] as Chosen
    if (path.length === 0) {
      if (root !== 'context') roots[root] = value as Uid
      continue
    }
    const attributes = walk(place, path.length - 1)
    // Behind what is absent nothing is: one combination stands for all of them.
    if (attributes === null) {
      if (value === ABSENT || !isFirst(choice, value, schema)) return null
      continue
    }
    const name = path.at(-1) as string
    const present = attributes.get(name)
    const wanted = choice.type.kind === 'record' && value !== ABSENT ? new Map() : value
    if (present === undefined) attributes.set(name, wanted)
    else if (!isSame(present, wanted)) return null
  }
  const sets = new Map<Attributes, Map<string, Map<string, { readonly value: Value; readonly isIn: boolean }>>>()
  for (const [i, choice] of choices.entries()) {
    if (choice.kind !== 'member') continue
    const element = valueOf(choice.element)
    const attributes = walk(choice.set, choice.set.path.length - 1)
    const name = choice.set.path.at(-1) as string
    if (element === ABSENT || attributes === null || attributes.get(name) === ABSENT) {
      if (chosen[i] === true) return null
      continue
    }
    const byName = sets.get(attributes) ?? new Map()
    sets.set(attributes, byName)
    const members = byName.get(name) ?? new Map()
    byName.set(name, members)
    const known = members.get(textOf(element))
    if (known !== undefined && known.isIn !== chosen[i]) return null
    members.set(textOf(element), { value: element, isIn: chosen[i] === true })
  }
  for (const [attributes, byName] of sets) for (const [name, members] of byName) attributes.set(name, [...members.values()].filter(({ isIn }) => isIn).map(({ value }) => value))
  const isIn = (low: Uid, high: Uid): boolean => uidText(low) === uidText(high) || [...(entities.get(uidText(low))?.parents.values() ?? [])].some((parent) => isIn(parent, high))
  for (const [i, choice] of choices.entries()) {
    if (choice.kind !== 'in') continue
    const [low, high] = [valueOf(choice.low), valueOf(choice.high)]
    if (low === ABSENT || high === ABSENT) {
      if (chosen[i] === true) return null
      continue
    }
    const [below, above] = [low as Uid, high as Uid]
    const isOne = uidText(below) === uidText(above)
    // Everything is in itself; and nothing is above what is above it.
    if (isOne && chosen[i] !== true) return null
    if (isOne || chosen[i] !== true) continue
    if (isIn(above, below)) return null
    entity(below).parents.set(uidText(above), above)
  }
  return { request: requestOf(environment, schema, roots as Required<typeof roots>, context, entities), read, isIn }
}

function isFirst(choice: Extract<Choice, { kind: 'place' }>, value: Value, schema: Schema): boolean {
  const [first] = valuesOf(choice, schema, 0)
  return first !== undefined && textOf(first) === textOf(value)
}

function isSame(a: Chosen | Attributes, b: Chosen | Attributes): boolean {
  if (a instanceof Map || b instanceof Map) return a instanceof Map && b instanceof Map
  return a === ABSENT || b === ABSENT ? a === b : textOf(a) === textOf(b)
}

function requestOf(environment: Environment, schema: Schema, { principal, resource }: { principal: Uid; resource: Uid }, context: Attributes, entities: ReadonlyMap<string, { readonly uid: Uid; readonly attributes: Attributes; readonly parents: ReadonlyMap<string, Uid> }>): Counterexample {
  const named = new Map<string, Uid>([principal, resource].map((uid) => [uidText(uid), uid]))
  const json = (value: Value): unknown => {
    if (typeof value === 'bigint') return value > BigInt(Number.MAX_SAFE_INTEGER) || value < -BigInt(Number.MAX_SAFE_INTEGER) ? String(value) : Number(value)
    if (typeof value !== 'object') return value
    if (isSet(value)) return value.map(json)
    named.set(uidText(value), value)
    return { __entity: value }
  }
  const plainest = (type: Type): unknown => {
    switch (type.kind) {
      case 'bool': return false
      case 'long': return 0
      case 'string': return ''
      case 'set': return []
      case 'record': return record(type, new Map())
      case 'entity': return json({ type: type.name, id: schema.entityTypes.get(type.name)?.ids?.[0] ?? `${stemOf(type.name)}0` })
      case 'extension': return { __extn: EXTENSIONS[type.name] ?? { fn: type.name, arg: '' } }
    }
  }
  const record = (type: RecordType, attributes: Attributes): { readonly [name: string]: unknown } =>
    Object.fromEntries(
      Object.entries(type.attributes).flatMap(([name, attribute]) => {
        const value = attributes.get(name)
        if (value === ABSENT || (value === undefined && !attribute.required)) return []
        if (value === undefined) return [[name, plainest(attribute.type)]]
        return [[name, value instanceof Map ? record(attribute.type as RecordType, value) : json(value)]]
      }),
    )
  const of = (uid: Uid) => {
    const { attributes = new Map(), parents = new Map() } = entities.get(uidText(uid)) ?? {}
    const shape = schema.entityTypes.get(uid.type)?.shape
    for (const [text, parent] of parents as ReadonlyMap<string, Uid>) named.set(text, parent)
    return { uid, attrs: shape === undefined ? {} : record(shape, attributes), parents: [...(parents as ReadonlyMap<string, Uid>).values()] }
  }
  for (const [text, { uid }] of entities) named.set(text, uid)
  const written = record(schema.actions.get(environment.action)?.context as RecordType, context)
  // What is named has attributes that name others in turn, and so on; nobody reads far.
  const made = new Map<string, ReturnType<typeof of>>()
  for (let round = 0; round < ROUNDS && made.size < named.size; round++) for (const [text, uid] of [...named]) if (!made.has(text)) made.set(text, of(uid))
  const isEnumerated = ({ uid }: ReturnType<typeof of>) => schema.entityTypes.get(uid.type)?.ids != null
  return { principal: uidText(principal), action: environment.action, resource: uidText(resource), context: written, entities: [...made.values()].filter((each) => !isEnumerated(each)) }
}
const ROUNDS = 4
const EXTENSIONS: { readonly [type: string]: { readonly fn: string; readonly arg: string } } = {
  ipaddr: { fn: 'ip', arg: '0.0.0.0' }, decimal: { fn: 'decimal', arg: '0.0' }, datetime: { fn: 'datetime', arg: '1970-01-01' }, duration: { fn: 'duration', arg: '0s' },
}

import { childrenOf, type Expression, type Uid } from '#core/policy/expression.ts'
import { uidText } from '#core/policy/policy.ts'
import type { Environment, RecordType, Schema, Type } from '#core/policy/schema.ts'
import type { Counterexample } from '#core/proof/proof.ts'
import type { Norm } from '#core/unit/norm.ts'

/**
 * What norms decide, tabulated over the attributes that they mention: a row for each combination of classes of values that they can tell apart,
 * with a request of that class. Worked out from the norms themselves, without rules, without Cedar and without the prover.
 */
export type DecisionTable = {
  readonly rows: readonly Row[]
  /** Kinds of request that are not tabulated, each with the reason: the norms mention too much there, or what has no classes. */
  readonly leftOut: readonly { readonly environment: Environment; readonly because: string }[]
}

export type Row = {
  /** What distinguishes the row, e.g. `context.amount: 501`; what is absent is null. */
  readonly values: { readonly [place: string]: unknown }
  /** A request of this class, with its entities. What the norms do not mention has the plainest value of its type. */
  readonly request: Counterexample
  readonly decision: 'allow' | 'deny'
  /** For an allow, sorted. */
  readonly obligations: readonly string[]
  /** Ids of the norms that speak of this request. */
  readonly norms: readonly string[]
}

/** So many rows for one kind of request, and for all together: what is larger nobody can read, and checking it is no longer cheap. */
export const ROWS_MAX = { perEnvironment: 256, all: 768 }

/** Tabulates norms. Cost: microseconds a row; nothing for the same norms a moment later. */
export function tabulate(norms: readonly Norm[], schema: Schema): DecisionTable {
  const key = `${schema.digest} ${JSON.stringify(norms)}`
  const known = tables.get(key)
  if (known !== undefined) return known
  if (tables.size >= TABLES_MAX) tables.delete(tables.keys().next().value as string)
  const made = tabulateAll(norms, schema)
  tables.set(key, made)
  return made
}

/** One generation asks for the same table to measure, to show its norms, and to have it certified. */
const tables = new Map<string, DecisionTable>()
const TABLES_MAX = 16

function tabulateAll(norms: readonly Norm[], schema: Schema): DecisionTable {
  const rows: Row[] = []
  const leftOut: { environment: Environment; because: string }[] = []
  for (const environment of schema.environments) {
    const concerned = norms.filter((norm) => concerns(norm, environment, schema))
    const made = tabulateOne(concerned, environment, schema)
    if (typeof made === 'string') leftOut.push({ environment, because: made })
    else if (rows.length + made.length > ROWS_MAX.all) leftOut.push({ environment, because: `the table would have more than ${ROWS_MAX.all} rows` })
    else rows.push(...made)
  }
  return { rows, leftOut }
}

/** Whether a norm can speak of requests of this kind. */
export function concerns({ principals, actions, resources }: Norm, { principal, action, resource }: Environment, schema: Schema): boolean {
  const groups = schema.actions.get(action)?.ancestors ?? []
  return (
    (principals.length === 0 || principals.includes(principal)) &&
    (resources.length === 0 || resources.includes(resource)) &&
    (actions.length === 0 || actions.some((uid) => uidText(uid) === action || groups.includes(uidText(uid))))
  )
}

/** A value as norms compare it. */
type Value = boolean | bigint | string | Uid | readonly Value[]

/** Something that a request has at a path from one of its variables; its key is its Cedar text. */
type Place = { readonly key: string; readonly root: 'principal' | 'resource' | 'context'; readonly path: readonly string[] }

/** What one value in a row is chosen for. */
type Choice =
  | { readonly kind: 'place'; readonly place: Place; readonly type: Type; readonly isOptional: boolean; readonly component: Component }
  | { readonly kind: 'member'; readonly set: Place; readonly element: Expression }
  | { readonly kind: 'in'; readonly low: Expression; readonly high: Expression }

/** Places that are compared with each other, directly or through others. */
type Component = {
  /** How many of them are chosen. */
  size: number
  /** What they are compared with. */
  readonly constants: readonly Value[]
  /** Where its fresh ids begin, so that entities of different components are different ones. */
  readonly from: number
}

/** Thrown inside this file alone: the norms hold something that has no classes. */
class NoClasses extends Error {}

function tabulateOne(norms: readonly Norm[], environment: Environment, schema: Schema): readonly Row[] | string {
  try {
    const choices = choicesOf(norms, environment, schema)
    const size = choices.reduce((product, choice) => product * optionsAtMost(choice, schema), 1)
    if (size > ROWS_MAX.perEnvironment) return `the norms can tell ${size} classes of requests apart there, and at most ${ROWS_MAX.perEnvironment} are tabulated`
    const rows: Row[] = []
    for (const chosen of combinations(choices, schema)) {
      const scene = sceneOf(choices, chosen, environment, schema)
      if (scene !== null) rows.push(rowOf(norms, choices, chosen, scene))
    }
    return rows
  } catch (error) {
    if (error instanceof NoClasses) return error.message
    throw error
  }
}

// ---- What norms mention ----

function choicesOf(norms: readonly Norm[], environment: Environment, schema: Schema): readonly Choice[] {
  const places = new Map<string, Place>()
  const links: [string, string][] = []
  const constants = new Map<string, Value[]>()
  const related = new Map<string, Choice>()
  const note = (place: Place) => {
    // What is on the way to it is a place too: an entity of its own.
    for (let length = place.root === 'context' ? 1 : 0; length <= place.path.length; length++) {
      const before = placeAt(place.root, place.path.slice(0, length))
      places.set(before.key, before)
    }
  }
  const operand = (expression: Expression) => {
    const place = placeOf(expression)
    if (place !== null) note(place)
    else if (literalOf(expression) === null) throw new NoClasses(`the norms say something there that has no classes of values (\`${expression.kind}\`)`)
    return place
  }
  const compare = (left: Expression, right: Expression) => {
    const [one, other] = [operand(left), operand(right)]
    for (const place of [one, other]) if (place !== null && isMadeOfParts(typeAt(place, environment, schema).type)) throw new NoClasses(`the norms compare \`${place.key}\` there as a whole`)
    if (one !== null && other !== null) links.push([one.key, other.key])
    else if (one !== null) push(constants, one.key, literalOf(right) as Value)
    else if (other !== null) push(constants, other.key, literalOf(left) as Value)
  }
  const within = (low: Expression, high: Expression) => {
    if (high.kind === 'set') return high.items.forEach((item) => within(low, item))
    const place = operand(low)
    operand(high)
    const [below, above] = [entityTypeOf(low, environment, schema), entityTypeOf(high, environment, schema)]
    if (below === null || above === null) throw new NoClasses('the norms ask there whether something is in a set that is not written out')
    if (below === above) compare(low, high)
    const isPossible = schema.entityTypes.get(below)?.ancestors.includes(above) === true && place !== null
    if (isPossible) related.set(`${keyOf(low)} in ${keyOf(high)}`, { kind: 'in', low, high })
  }
  const visit = (expression: Expression): void => {
    switch (expression.kind) {
      case 'bool': return
      case 'and': case 'or': case 'not': case 'if': return childrenOf(expression).forEach(visit)
      case 'get': case 'has': {
        const place = placeOf(expression.kind === 'get' ? expression : { kind: 'get', of: expression.of, attribute: expression.attribute })
        if (place === null) throw new NoClasses('the norms read an attribute there of what is no attribute')
        return note(place)
      }
      case 'eq': case 'neq': case 'less': case 'lessEq': case 'greater': case 'greaterEq': return compare(expression.left, expression.right)
      case 'is': return expression.in === null ? void operand(expression.of) : within(expression.of, expression.in)
      case 'in': return within(expression.left, expression.right)
      case 'contains': {
        if (expression.left.kind === 'set') return expression.left.items.forEach((item) => compare(item, expression.right))
        const set = operand(expression.left)
        operand(expression.right)
        if (set === null) throw new NoClasses('the norms look there into a set that is no attribute')
        related.set(`${set.key} contains ${keyOf(expression.right)}`, { kind: 'member', set, element: expression.right })
        return
      }
      default: throw new NoClasses(`the norms say something there that has no classes of values (\`${expression.kind}\`)`)
    }
  }
  for (const { when, unless } of norms) for (const body of [when, unless]) if (body !== null) visit(body)
  note(placeAt('principal', []))
  note(placeAt('resource', []))

  const numberOf = components([...places.keys()], links)
  const known = new Map<number, Component>()
  const componentOf = (key: string) => {
    const number = numberOf(key)
    const made = known.get(number) ?? { size: 0, constants: distinct([...constants].flatMap(([other, values]) => (numberOf(other) === number ? values : []))), from: 10 * known.size }
    known.set(number, made)
    return made
  }
  const made = [...places.values()].sort((a, b) => a.path.length - b.path.length || (a.key < b.key ? -1 : 1)).map((place): Choice => {
    const { type, isOptional } = typeAt(place, environment, schema)
    const component = componentOf(place.key)
    component.size++
    return { kind: 'place', place, type, isOptional, component }
  })
  return [...made, ...related.values()]
}

function placeAt(root: Place['root'], path: readonly string[]): Place {
  return { key: [root, ...path].join('.'), root, path }
}

function placeOf(expression: Expression): Place | null {
  if (expression.kind === 'var') return expression.name === 'action' ? null : placeAt(expression.name, [])
  if (expression.kind !== 'get') return null
  const of = placeOf(expression.of)
  return of === null ? null : placeAt(of.root, [...of.path, expression.attribute])
}

function literalOf(expression: Expression): Value | null {
  switch (expression.kind) {
    case 'bool': case 'string': return expression.value
    case 'long': return BigInt(expression.value)
    case 'entity': return expression.uid
    default: return null
  }
}

function keyOf(expression: Expression): string {
  return placeOf(expression)?.key ?? textOf(literalOf(expression) ?? '')
}

function textOf(value: Value): string {
  if (typeof value === 'bigint') return String(value)
  if (typeof value !== 'object') return JSON.stringify(value)
  return isSet(value) ? `[${value.map(textOf).sort().join()}]` : uidText(value)
}

function isSet(value: Value): value is readonly Value[] {
  return Array.isArray(value)
}

function distinct(values: readonly Value[]): readonly Value[] {
  return [...new Map(values.map((value) => [textOf(value), value])).values()]
}

function push(map: Map<string, Value[]>, key: string, value: Value): void {
  map.set(key, [...(map.get(key) ?? []), value])
}

function typeAt({ root, path, key }: Place, { principal, action, resource }: Environment, schema: Schema): { readonly type: Type; readonly isOptional: boolean } {
  let type: Type = root === 'context' ? (schema.actions.get(action)?.context as RecordType) : { kind: 'entity', name: root === 'principal' ? principal : resource }
  let isOptional = false
  for (const name of path) {
    const attribute: RecordType['attributes'][string] | undefined = (type.kind === 'entity' ? schema.entityTypes.get(type.name)?.shape : type.kind === 'record' ? type : undefined)?.attributes[name]
    if (attribute === undefined) throw new NoClasses(`\`${key}\` does not exist there`)
    isOptional = !attribute.required
    type = attribute.type
  }
  return { type, isOptional }
}

function isMadeOfParts({ kind }: Type): boolean {
  return kind === 'record' || kind === 'set'
}

function entityTypeOf(expression: Expression, environment: Environment, schema: Schema): string | null {
  if (expression.kind === 'entity') return expression.uid.type
  const place = placeOf(expression)
  const type = place === null ? null : typeAt(place, environment, schema).type
  return type?.kind === 'entity' ? type.name : null
}

/** Which places are compared with each other, directly or through others. */
function components(keys: readonly string[], links: readonly (readonly [string, string])[]): (key: string) => number {
  const of = new Map(keys.map((key, i) => [key, i]))
  for (const [one, other] of links) {
    const [kept, gone] = [of.get(one) as number, of.get(other) as number]
    for (const [key, component] of of) if (component === gone) of.set(key, kept)
  }
  return (key) => of.get(key) as number
}

// ---- Classes of values ----

/** Nobody says anything there. */
const ABSENT = null
type Chosen = Value | typeof ABSENT

function optionsAtMost(choice: Choice, schema: Schema): number {
  if (choice.kind !== 'place') return 2
  return (choice.isOptional ? 1 : 0) + valuesOf(choice, schema, choice.component.size - 1).length
}

/**
 * One value of every class that comparisons can tell apart. Fresh values stand for all that nobody names; of them it matters only whether
 * two places have the same one.
 *
 * @param fresh How many fresh values the places of its component have taken already.
 */
function valuesOf({ type, component: { constants, size, from }, place }: Extract<Choice, { kind: 'place' }>, schema: Schema, fresh: number): readonly Value[] {
  switch (type.kind) {
    case 'bool': return [true, false]
    case 'long': {
      const near = constants.flatMap((value) => (typeof value === 'bigint' ? [value - 1n, value, value + 1n] : []))
      const [least, most] = [near.reduce((a, b) => (b < a ? b : a), near[0] ?? 0n), near.reduce((a, b) => (b > a ? b : a), near[0] ?? 0n)]
      // Of places that are compared with each other each can be the smaller one, below, between and above the constants.
      const around = size > 1 ? [least - 1n, most, most + 1n] : constants.length > 0 ? [] : [0n]
      const values = distinct([...near, ...around]) as readonly bigint[]
      return values.some((value) => value > MOST || value < -MOST) ? constants : values.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0))
    }
    case 'string': return [...constants, ...freshTexts((i) => `other ${from + i}`, fresh + 1, (text) => constants.includes(text))]
    case 'entity': {
      const { ids = null } = schema.entityTypes.get(type.name) ?? {}
      const named = constants.filter((value) => typeof value === 'object' && !isSet(value) && value.type === type.name) as readonly Uid[]
      const isNamed = (id: string) => named.some((each) => each.id === id)
      const others = ids === null ? freshTexts((i) => `${stemOf(type.name)}${from + i}`, fresh + 1, isNamed) : ids.filter((id) => !isNamed(id)).slice(0, fresh + 1)
      return [...named, ...others.map((id) => ({ type: type.name, id }))]
    }
    case 'record': case 'set': return [[]] // What is in it is chosen by itself.
    case 'extension': throw new NoClasses(`\`${place.key}\` is of a type that has no classes of values`)
  }
}

/** Beyond it a bound has no neighbours. */
const MOST = 2n ** 63n - 3n

function freshTexts(nth: (i: number) => string, count: number, isTaken: (text: string) => boolean): readonly string[] {
  const made: string[] = []
  for (let i = 1; made.length < count; i++) if (!isTaken(nth(i))) made.push(nth(i))
  return made
}

/** `Clinic::Ward` is called `ward`. */
function stemOf(type: string): string {
  return (type.split('::').at(-1) ?? type).toLowerCase()
}

function* combinations(choices: readonly Choice[], schema: Schema): Generator<readonly Chosen[]> {
  const chosen: Chosen[] = []
  /** How many fresh values the places of a component have taken so far. */
  const taken = new Map<Component, ReadonlySet<string>>()
  function* from(at: number): Generator<readonly Chosen[]> {
    const choice = choices[at]
    if (choice === undefined) return yield chosen
    if (choice.kind !== 'place') {
      for (const value of [false, true]) {
        chosen[at] = value
        yield* from(at + 1)
      }
      return
    }
    const known = taken.get(choice.component) ?? new Set<string>()
    for (const value of valuesOf(choice, schema, known.size)) {
      chosen[at] = value
      const isFresh = (choice.type.kind === 'entity' || choice.type.kind === 'string') && !choice.component.constants.some((each) => textOf(each) === textOf(value))
      taken.set(choice.component, isFresh ? new Set([...known, textOf(value)]) : known)
      yield* from(at + 1)
    }
    taken.set(choice.component, known)
    if (!choice.isOptional) return
    chosen[at] = ABSENT
    yield* from(at + 1)
  }
  yield* from(0)
}

// ---- A request for each combination ----

type Attributes = Map<string, Chosen | Attributes>
type Scene = {
  readonly request: Counterexample
  readonly read: (place: Place) => Value | typeof ABSENT
  readonly isIn: (low: Uid, high: Uid) => boolean
}

/** The request in which everything is as chosen; null when that contradicts itself (an entity cannot be two things at once). */
function sceneOf(choices: readonly Choice[], chosen: readonly Chosen[], environment: Environment, schema: Schema): Scene | null {
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

// ---- What the norms decide on it ----

function rowOf(norms: readonly Norm[], choices: readonly Choice[], chosen: readonly Chosen[], scene: Scene): Row {
  const speaking = norms.filter(({ when, unless }) => (when === null || holds(when, scene)) && (unless === null || !holds(unless, scene)))
  const has = (modality: Norm['modality']) => speaking.some((norm) => norm.modality === modality)
  const isAllowed = has('permit') && !has('forbid')
  const values = choices.map((choice, i): [string, unknown] | null => {
    const value = chosen[i] as Chosen
    const said = value === ABSENT ? null : typeof value === 'object' || typeof value === 'bigint' ? textOf(value) : value
    return choice.kind !== 'place' ? [choice.kind === 'in' ? `${keyOf(choice.low)} in ${keyOf(choice.high)}` : `${choice.set.key} contains ${keyOf(choice.element)}`, said]
      : isMadeOfParts(choice.type) && value !== ABSENT ? null : [choice.place.key, said]
  })
  return {
    values: Object.fromEntries(values.filter((each) => each !== null)),
    request: scene.request,
    decision: isAllowed ? 'allow' : 'deny',
    obligations: isAllowed ? [...new Set(speaking.flatMap(({ modality, obligation }) => (modality === 'oblige' && obligation !== null ? [obligation] : [])))].sort() : [],
    norms: speaking.map(({ id }) => id),
  }
}

/** @throws {NoClasses} for what the norms do not guard: where an attribute that is absent is read, nothing is meant. */
function holds(expression: Expression, scene: Scene): boolean {
  const value = (of: Expression): Value => {
    const place = placeOf(of)
    const found = place === null ? literalOf(of) : scene.read(place)
    if (found === ABSENT) throw new NoClasses(`\`${keyOf(of)}\` is read there where it can be absent`)
    return found
  }
  const isEqual = (left: Expression, right: Expression) => textOf(value(left)) === textOf(value(right))
  const isIn = (low: Expression, high: Expression): boolean => (high.kind === 'set' ? high.items.some((item) => isIn(low, item)) : scene.isIn(value(low) as Uid, value(high) as Uid))
  const order = (left: Expression, right: Expression) => (value(left) as bigint) - (value(right) as bigint)
  switch (expression.kind) {
    case 'bool': return expression.value
    case 'and': return holds(expression.left, scene) && holds(expression.right, scene)
    case 'or': return holds(expression.left, scene) || holds(expression.right, scene)
    case 'not': return !holds(expression.of, scene)
    case 'if': return holds(expression.condition, scene) ? holds(expression.then, scene) : holds(expression.else, scene)
    case 'get': return value(expression) === true
    case 'has': return scene.read(placeOf({ kind: 'get', of: expression.of, attribute: expression.attribute }) as Place) !== ABSENT
    case 'eq': return isEqual(expression.left, expression.right)
    case 'neq': return !isEqual(expression.left, expression.right)
    case 'less': return order(expression.left, expression.right) < 0n
    case 'lessEq': return order(expression.left, expression.right) <= 0n
    case 'greater': return order(expression.left, expression.right) > 0n
    case 'greaterEq': return order(expression.left, expression.right) >= 0n
    case 'in': return isIn(expression.left, expression.right)
    case 'is': {
      const { type } = value(expression.of) as Uid
      return type === expression.type && (expression.in === null || isIn(expression.of, expression.in))
    }
    case 'contains': {
      const wanted = textOf(value(expression.right))
      const items = expression.left.kind === 'set' ? expression.left.items.map(value) : value(expression.left) as readonly Value[]
      return items.some((item) => textOf(item) === wanted)
    }
    default: throw new NoClasses(`the norms say something there that has no classes of values (\`${expression.kind}\`)`)
  }
}

import { childrenOf, type Expression, type Uid } from '#core/policy/expression.ts'
import type { Environment, Schema, Type } from '#core/policy/schema.ts'
import type { Norm } from '#core/unit/norm.ts'
import { ABSENT, distinct, entityTypeOf, isMadeOfParts, isSet, keyOf, literalOf, NoClasses, placeAt, placeOf, textOf, typeAt, type Chosen, type Place, type Value } from './place.ts'

/** What one value in a row is chosen for. */
export type Choice =
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

/** What the norms tell requests of one kind apart by: the places that they mention, with what is on the way to them, then who is in what. */
export function choicesOf(norms: readonly Norm[], environment: Environment, schema: Schema): readonly Choice[] {
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

export function optionsAtMost(choice: Choice, schema: Schema): number {
  if (choice.kind !== 'place') return 2
  return (choice.isOptional ? 1 : 0) + valuesOf(choice, schema, choice.component.size - 1).length
}

/**
 * One value of every class that comparisons can tell apart. Fresh values stand for all that nobody names; of them it matters only whether
 * two places have the same one.
 *
 * @param fresh How many fresh values the places of its component have taken already.
 */
export function valuesOf({ type, component: { constants, size, from }, place }: Extract<Choice, { kind: 'place' }>, schema: Schema, fresh: number): readonly Value[] {
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

/** Every combination of one value for each choice; the array is the same one each time, filled anew. */
export function* combinations(choices: readonly Choice[], schema: Schema): Generator<readonly Chosen[]> {
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

/** Beyond it a bound has no neighbours. */
const MOST = 2n ** 63n - 3n

function freshTexts(nth: (i: number) => string, count: number, isTaken: (text: string) => boolean): readonly string[] {
  const made: string[] = []
  for (let i = 1; made.length < count; i++) if (!isTaken(nth(i))) made.push(nth(i))
  return made
}

/** `Clinic::Ward` is called `ward`. */
export function stemOf(type: string): string {
  return (type.split('::').at(-1) ?? type).toLowerCase()
}

function push(map: Map<string, Value[]>, key: string, value: Value): void {
  map.set(key, [...(map.get(key) ?? []), value])
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

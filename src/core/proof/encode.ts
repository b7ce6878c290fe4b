import { Failure } from '#core/failure.ts'
import type { Expression, Uid } from '#core/policy/expression.ts'
import { obligations, uidText, type Rule, type Scope } from '#core/policy/policy.ts'
import type { Environment, Schema, Type } from '#core/policy/schema.ts'
import type { FunctionSymbol, Sort, Term, Terms } from './terms.ts'

/** What an expression evaluates to: whether that fails, and the value where it does not. */
export type Result = { readonly err: Term; readonly value: Typed }

export type Typed =
  | { readonly kind: 'bool' | 'long' | 'string'; readonly term: Term }
  | { readonly kind: 'entity'; readonly type: string; readonly term: Term }
  | { readonly kind: 'record'; readonly names: readonly string[]; readonly field: (name: string) => Field | null }
  | SetValue

type Field = { readonly present: Term; readonly value: () => Typed }

type SetValue = {
  readonly kind: 'set'
  /** Null for the empty literal. */
  readonly element: Type | null
  /** Elements that are written out, each with the condition under which it is one. */
  readonly items: readonly { readonly guard: Term; readonly element: Term }[]
  /** Attributes whose elements, under a condition, are elements too. */
  readonly attributes: readonly { readonly guard: Term; readonly member: (element: Term) => Term }[]
}

/** Where expressions are read: one request environment of a schema, in the first world of a question or in its second. */
export type Place = {
  readonly terms: Terms
  readonly schema: Schema
  readonly environment: Environment
  readonly copy: 0 | 1
  /** What may differ in the second world; without it, both worlds are one. */
  readonly differs: (symbol: Pick<FunctionSymbol, 'kind' | 'owner' | 'path' | 'to'>) => boolean
}

/** A rule in an environment: when it fails to evaluate, and when it is satisfied (which excludes failing). */
export type EncodedRule = { readonly rule: Rule; readonly err: Term; readonly satisfied: Term }

/** A whole policy in an environment. Obligations are of permits: what letting a request through demands. */
export type EncodedPolicy = {
  readonly rules: readonly EncodedRule[]
  readonly err: Term
  readonly allow: Term
  readonly obligations: ReadonlyMap<string, Term>
}

/** Which decision is asked about: the decision point's (any erring rule denies) or Cedar's own (an erring rule is skipped). */
export type Semantics = 'decision-point' | 'cedar'

export const LONG_MIN = -(2n ** 63n)
export const LONG_MAX = 2n ** 63n - 1n

/** The first world, in which everything is what it is. */
export function placeIn(terms: Terms, schema: Schema, environment: Environment): Place {
  return { terms, schema, environment, copy: 0, differs: () => false }
}

/**
 * What a policy decides in one environment, as terms.
 *
 * @throws {Failure} `UNSUPPORTED_CONSTRUCT` naming construct and rule: nothing is approximated. A rule whose scope excludes the
 *   environment is not looked into.
 */
export function encodePolicy(place: Place, rules: readonly Rule[], semantics: Semantics): EncodedPolicy {
  const { terms } = place
  const encoded = rules
    .map((rule) => encodeRule(place, rule))
    .filter(({ err, satisfied }) => err !== terms.false || satisfied !== terms.false)
  const satisfied = (effect: Rule['effect']) => encoded.filter(({ rule }) => rule.effect === effect)
  const err = terms.or(...encoded.map((each) => each.err))
  const permits = satisfied('permit')
  const allow = terms.and(
    terms.or(...permits.map((each) => each.satisfied)),
    terms.not(terms.or(...satisfied('forbid').map((each) => each.satisfied))),
    semantics === 'cedar' ? terms.true : terms.not(err),
  )
  const names = [...new Set(permits.flatMap(({ rule }) => obligations(rule)))].sort()
  const carried = names.map((name) => {
    const carriers = permits.filter(({ rule }) => obligations(rule).includes(name)).map((each) => each.satisfied)
    return [name, terms.and(allow, terms.or(...carriers))] as const
  })
  return { rules: encoded, err, allow, obligations: new Map(carried) }
}

function encodeRule(place: Place, rule: Rule): EncodedRule {
  const { terms } = place
  const [principal, resource] = [scopeTerm(place, 'principal', rule.principal), scopeTerm(place, 'resource', rule.resource)]
  const scope = terms.and(principal, actionScope(place, rule), resource)
  if (scope === terms.false) return { rule, err: terms.false, satisfied: terms.false }
  const body = [...rule.when, ...rule.unless.map((of) => ({ kind: 'not', of }) as const)].reduce<Expression | null>(
    (left, right) => (left === null ? right : { kind: 'and', left, right }),
    null,
  )
  try {
    const { err, value } = body === null ? { err: terms.false, value: terms.true } : encodeCondition(place, body)
    return { rule, err: terms.and(scope, err), satisfied: terms.and(scope, value, terms.not(err)) }
  } catch (error) {
    if (!(error instanceof Unsupported)) throw error
    throw refusal(`rule \`${rule.id}\``, error)
  }
}

/** A condition that stands outside of any rule, e.g. an article's. @throws {Failure} `UNSUPPORTED_CONSTRUCT` naming `what`. */
export function encodeStandalone(place: Place, expression: Expression, what: string): { readonly err: Term; readonly value: Term } {
  try {
    return encodeCondition(place, expression)
  } catch (error) {
    if (!(error instanceof Unsupported)) throw error
    throw refusal(what, error)
  }
}

function refusal(what: string, error: Unsupported): Failure {
  return new Failure('UNSUPPORTED_CONSTRUCT', `${what} uses ${error.message}, which the prover does not decide`, { cause: error })
}

function encodeCondition(place: Place, expression: Expression): { readonly err: Term; readonly value: Term } {
  const { err, value } = encode(place, expression)
  return { err, value: truth(value) }
}

class Unsupported extends Error {}

/** The meaning of an expression. Parts that the left operand rules out are not looked into: they need not even have a type here. */
function encode(place: Place, expression: Expression): Result {
  const { terms } = place
  const never = terms.false
  switch (expression.kind) {
    case 'bool': return { err: never, value: { kind: 'bool', term: terms.bool(expression.value) } }
    case 'long': return { err: never, value: { kind: 'long', term: terms.int(longOf(expression.value)) } }
    case 'string': return { err: never, value: { kind: 'string', term: terms.literal('string', expression.value) } }
    case 'entity': return { err: never, value: literalEntity(place, expression.uid) }
    case 'var': return { err: never, value: variable(place, expression.name) }
    case 'not': {
      const { err, value } = encode(place, expression.of)
      return { err, value: { kind: 'bool', term: terms.not(truth(value)) } }
    }
    case 'and':
    case 'or': {
      const left = encode(place, expression.left)
      const yes = truth(left.value)
      const decided = expression.kind === 'and' ? terms.not(yes) : yes
      if (decided === terms.true) return left
      const right = encode(place, expression.right)
      const err = terms.or(left.err, terms.and(terms.not(decided), right.err))
      return { err, value: { kind: 'bool', term: terms[expression.kind](yes, truth(right.value)) } }
    }
    case 'if': {
      const condition = encode(place, expression.condition)
      const yes = truth(condition.value)
      if (yes.kind === 'bool') {
        const branch = encode(place, yes.value ? expression.then : expression.else)
        return { err: terms.or(condition.err, branch.err), value: branch.value }
      }
      const [then, otherwise] = [encode(place, expression.then), encode(place, expression.else)]
      const err = terms.or(condition.err, terms.ite(yes, then.err, otherwise.err))
      return { err, value: choose(place, yes, then.value, otherwise.value) }
    }
    case 'has': {
      const { err, value } = encode(place, expression.of)
      return { err, value: { kind: 'bool', term: fieldOf(place, value, expression.attribute)?.present ?? never } }
    }
    case 'get': {
      const { err, value } = encode(place, expression.of)
      const field = fieldOf(place, value, expression.attribute)
      if (field === null) throw new Unsupported(`the attribute \`${expression.attribute}\` where the schema gives it none`)
      return { err: terms.or(err, terms.not(field.present)), value: field.value() }
    }
    case 'eq':
    case 'neq': {
      const [left, right] = [encode(place, expression.left), encode(place, expression.right)]
      const equal = equality(place, left.value, right.value)
      return { err: terms.or(left.err, right.err), value: { kind: 'bool', term: expression.kind === 'eq' ? equal : terms.not(equal) } }
    }
    case 'less': case 'lessEq': case 'greater': case 'greaterEq': {
      const [left, right] = [encode(place, expression.left), encode(place, expression.right)]
      const [a, b] = [integer(left.value), integer(right.value)]
      const [low, high] = expression.kind === 'less' || expression.kind === 'lessEq' ? [a, b] : [b, a]
      const term = expression.kind === 'less' || expression.kind === 'greater' ? terms.lt(low, high) : terms.le(low, high)
      return { err: terms.or(left.err, right.err), value: { kind: 'bool', term } }
    }
    case 'add': case 'sub': case 'mul': {
      const [left, right] = [encode(place, expression.left), encode(place, expression.right)]
      const term = terms[expression.kind](integer(left.value), integer(right.value))
      return { err: terms.or(left.err, right.err, overflows(terms, term)), value: { kind: 'long', term } }
    }
    case 'neg': {
      const { err, value } = encode(place, expression.of)
      const term = terms.neg(integer(value))
      return { err: terms.or(err, overflows(terms, term)), value: { kind: 'long', term } }
    }
    case 'is': {
      const { err, value } = encode(place, expression.of)
      const isOfType = entity(value).type === expression.type
      if (expression.in === null || !isOfType) return { err, value: { kind: 'bool', term: terms.bool(isOfType) } }
      const within = encode(place, expression.in)
      return { err: terms.or(err, within.err), value: { kind: 'bool', term: inside(place, entity(value), within.value) } }
    }
    case 'in': {
      const [left, right] = [encode(place, expression.left), encode(place, expression.right)]
      return { err: terms.or(left.err, right.err), value: { kind: 'bool', term: inside(place, entity(left.value), right.value) } }
    }
    case 'isEmpty': {
      const { err, value } = encode(place, expression.of)
      return { err, value: { kind: 'bool', term: terms.not(some(place, setOf(value), () => terms.true)) } }
    }
    case 'contains': case 'containsAll': case 'containsAny': {
      const [left, right] = [encode(place, expression.left), encode(place, expression.right)]
      const all = setOf(left.value)
      const term = expression.kind === 'contains' ? hasMember(place, all, right.value)
        : expression.kind === 'containsAll' ? subset(place, setOf(right.value), all)
        : intersects(place, all, setOf(right.value))
      return { err: terms.or(left.err, right.err), value: { kind: 'bool', term } }
    }
    case 'set': return setLiteral(place, expression.items)
    case 'record': {
      const fields = Object.entries(expression.fields).map(([name, field]) => [name, encode(place, field)] as const)
      const byName = new Map(fields)
      const field = (name: string): Field | null => {
        const found = byName.get(name)
        return found === undefined ? null : { present: terms.true, value: () => found.value }
      }
      return { err: terms.or(...fields.map(([, each]) => each.err)), value: { kind: 'record', names: [...byName.keys()], field } }
    }
    case 'like': throw new Unsupported('`like`')
    case 'getTag': case 'hasTag': throw new Unsupported(`tags (\`${expression.kind}\`)`)
    case 'call': throw new Unsupported(`the extension function \`${expression.name}\``)
  }
}

function variable(place: Place, name: 'principal' | 'action' | 'resource' | 'context'): Typed {
  const { terms, schema, environment } = place
  if (name === 'context') return attributeValue(place, '', [], [], action(place).context)
  if (name === 'action') return literalEntity(place, action(place).uid)
  const type = environment[name]
  if (!schema.entityTypes.has(type)) throw new Unsupported(`the unknown entity type \`${type}\``)
  return { kind: 'entity', type, term: terms.variable(name, `entity:${type}`) }
}

function action({ schema, environment }: Place) {
  const found = schema.actions.get(environment.action)
  if (found === undefined) throw new Error(`the schema has no action ${environment.action}`)
  return found
}

function literalEntity({ terms }: Place, { type, id }: Uid): EntityValue {
  return { kind: 'entity', type, term: terms.literal(`entity:${type}`, id) }
}

// ---- Attributes ----

function fieldOf(place: Place, value: Typed, name: string): Field | null {
  if (value.kind === 'record') return value.field(name)
  const { type, term } = entity(value)
  const declared = place.schema.entityTypes.get(type)?.shape.attributes[name]
  return declared === undefined ? null : attribute(place, type, [term], [name], declared)
}

type Declared = { readonly type: Type; readonly required: boolean }

function attribute(place: Place, owner: string, of: readonly Term[], path: readonly string[], { type, required }: Declared): Field {
  const present = required ? place.terms.true : apply(place, 'present', owner, path, 'bool', of)
  return { present, value: () => attributeValue(place, owner, of, path, type) }
}

/** The value of the attribute at a path: records are taken apart, so that only their leaves are terms. */
function attributeValue(place: Place, owner: string, of: readonly Term[], path: readonly string[], type: Type): Typed {
  switch (type.kind) {
    case 'bool': case 'long': case 'string': return { kind: type.kind, term: apply(place, 'value', owner, path, sortOf(type), of) }
    case 'entity': return { kind: 'entity', type: type.name, term: apply(place, 'value', owner, path, sortOf(type), of) }
    case 'set': {
      requireFlat(type.element)
      const member = (element: Term) => apply(place, 'member', owner, path, 'bool', [...of, element])
      return { kind: 'set', element: type.element, items: [], attributes: [{ guard: place.terms.true, member }] }
    }
    case 'record': {
      const field = (name: string): Field | null => {
        const declared = type.attributes[name]
        return declared === undefined ? null : attribute(place, owner, of, [...path, name], declared)
      }
      return { kind: 'record', names: Object.keys(type.attributes), field }
    }
    case 'extension': throw new Unsupported(`a value of the extension type \`${type.name}\``)
  }
}

type Kind = FunctionSymbol['kind']

function apply(place: Place, kind: Kind, owner: string, path: readonly string[], result: Sort, args: readonly Term[]): Term {
  const symbol = { kind, owner, path, to: '' }
  return place.terms.app({ ...symbol, copy: place.copy === 1 && place.differs(symbol) ? 1 : 0, result }, args)
}

export function sortOf(type: Type): Sort {
  switch (type.kind) {
    case 'bool': return 'bool'
    case 'long': return 'int'
    case 'string': return 'string'
    case 'entity': return `entity:${type.name}`
    default: throw new Unsupported(`a ${type.kind} as an element`)
  }
}

function requireFlat(element: Type): void {
  if (element.kind === 'record' || element.kind === 'set') throw new Unsupported(`a set of ${element.kind}s`)
  if (element.kind === 'extension') throw new Unsupported(`a set of the extension type \`${element.name}\``)
}

// ---- Equality, choice, numbers ----

function equality(place: Place, left: Typed, right: Typed): Term {
  const { terms } = place
  if (left.kind === 'record' && right.kind === 'record') {
    const names = [...new Set([...left.names, ...right.names])]
    return terms.and(
      ...names.map((name) => {
        const [a, b] = [left.field(name), right.field(name)]
        if (a === null || b === null) return terms.not((a ?? b)?.present ?? terms.false)
        return terms.and(terms.eq(a.present, b.present), terms.or(terms.not(a.present), equality(place, a.value(), b.value())))
      }),
    )
  }
  if (left.kind === 'set' && right.kind === 'set') return terms.and(subset(place, left, right), subset(place, right, left))
  if (left.kind === 'record' || right.kind === 'record' || left.kind === 'set' || right.kind === 'set') return terms.false
  // Values of different types differ; that is an answer in Cedar, not an error.
  return left.term.sort === right.term.sort ? terms.eq(left.term, right.term) : terms.false
}

function choose(place: Place, condition: Term, yes: Typed, no: Typed): Typed {
  const { terms } = place
  if (yes.kind === 'record' && no.kind === 'record') {
    const field = (name: string): Field | null => {
      const [a, b] = [yes.field(name), no.field(name)]
      const present = terms.ite(condition, a?.present ?? terms.false, b?.present ?? terms.false)
      if (a === null || b === null) {
        const one = a ?? b
        return one === null ? null : { present, value: one.value }
      }
      return { present, value: () => choose(place, condition, a.value(), b.value()) }
    }
    return { kind: 'record', names: [...new Set([...yes.names, ...no.names])], field }
  }
  if (yes.kind === 'set' && no.kind === 'set') {
    if (yes.element !== null && no.element !== null && sortOf(yes.element) !== sortOf(no.element)) {
      throw new Unsupported('an `if` between sets of different types')
    }
    type Guarded = { readonly guard: Term }
    const under = <T extends Guarded>(guard: Term, all: readonly T[]) => all.map((each) => ({ ...each, guard: terms.and(guard, each.guard) }))
    const join = <T extends Guarded>(a: readonly T[], b: readonly T[]) => [...under(condition, a), ...under(terms.not(condition), b)]
    const [items, attributes] = [join(yes.items, no.items), join(yes.attributes, no.attributes)]
    return { kind: 'set', element: yes.element ?? no.element, items, attributes }
  }
  if (yes.kind !== 'record' && yes.kind !== 'set' && no.kind !== 'record' && no.kind !== 'set' && yes.term.sort === no.term.sort) {
    return { ...yes, term: terms.ite(condition, yes.term, no.term) }
  }
  throw new Unsupported('an `if` between values of different types')
}

function overflows(terms: Terms, exact: Term): Term {
  return terms.not(terms.and(terms.le(terms.int(LONG_MIN), exact), terms.le(exact, terms.int(LONG_MAX))))
}

function longOf(digits: string): bigint {
  const value = BigInt(digits)
  if (value < LONG_MIN || value > LONG_MAX) throw new Unsupported(`the integer ${digits}, which has more than 64 bits,`)
  return value
}

function truth(value: Typed): Term {
  if (value.kind !== 'bool') throw new Unsupported(`a ${value.kind} where a boolean is needed`)
  return value.term
}

function integer(value: Typed): Term {
  if (value.kind !== 'long') throw new Unsupported(`arithmetic or an order over a ${value.kind}`)
  return value.term
}

type EntityValue = Typed & { readonly kind: 'entity' }

function entity(value: Typed): EntityValue {
  if (value.kind !== 'entity') throw new Unsupported(`a ${value.kind} where an entity is needed`)
  return value
}

// ---- Hierarchy ----

function inside(place: Place, left: EntityValue, right: Typed): Term {
  if (right.kind === 'entity') return within(place, left, right)
  const all = setOf(right)
  if (all.element === null) return place.terms.false
  if (all.element.kind !== 'entity') throw new Unsupported('`in` a set of what is no entity')
  const type = all.element.name
  return place.terms.or(
    hasMember(place, all, left),
    some(place, all, (element) => properly(place, left, { kind: 'entity', type, term: element })),
  )
}

function within(place: Place, left: EntityValue, right: EntityValue): Term {
  return place.terms.or(equality(place, left, right), properly(place, left, right))
}

/** Whether the right entity is a proper ancestor of the left one. Between actions that is known. */
function properly({ terms, schema, copy, differs }: Place, left: EntityValue, right: EntityValue): Term {
  if (left.term.kind === 'literal' && right.term.kind === 'literal') {
    const known = schema.actions.get(uidText({ type: left.type, id: left.term.value }))
    if (known !== undefined) return terms.bool(known.ancestors.includes(uidText({ type: right.type, id: right.term.value })))
  }
  if (!(schema.entityTypes.get(left.type)?.ancestors.includes(right.type) ?? false)) return terms.false
  const symbol = { kind: 'in', owner: left.type, path: [], to: right.type } as const
  return terms.app({ ...symbol, copy: copy === 1 && differs(symbol) ? 1 : 0, result: 'bool' }, [left.term, right.term])
}

function scopeTerm(place: Place, name: 'principal' | 'resource', scope: Scope): Term {
  if (scope.kind === 'any') return place.terms.true
  const value = entity(variable(place, name))
  if (scope.kind !== 'is') {
    const named = literalEntity(place, scope.uid)
    return scope.kind === 'eq' ? equality(place, value, named) : within(place, value, named)
  }
  if (value.type !== scope.type) return place.terms.false
  return scope.in === null ? place.terms.true : within(place, value, literalEntity(place, scope.in))
}

function actionScope(place: Place, { action: scope }: Rule): Term {
  if (scope.kind === 'any') return place.terms.true
  const { ancestors } = action(place)
  const text = place.environment.action
  if (scope.kind === 'eq') return place.terms.bool(uidText(scope.uid) === text)
  return place.terms.bool(scope.uids.map(uidText).some((uid) => uid === text || ancestors.includes(uid)))
}

// ---- Sets ----

function setOf(value: Typed): SetValue {
  if (value.kind !== 'set') throw new Unsupported(`a ${value.kind} where a set is needed`)
  return value
}

function setLiteral(place: Place, expressions: readonly Expression[]): Result {
  const { terms } = place
  const results = expressions.map((each) => encode(place, each))
  const elements = results.map(({ value }) => {
    if (value.kind === 'set' || value.kind === 'record') throw new Unsupported(`a set of ${value.kind}s`)
    return value
  })
  const [first] = elements
  if (elements.some((each) => each.term.sort !== first?.term.sort)) throw new Unsupported('a set of values of different types')
  const typeOf = (each: NonNullable<typeof first>): Type => (each.kind === 'entity' ? { kind: 'entity', name: each.type } : { kind: each.kind })
  const element = first === undefined ? null : typeOf(first)
  const items = elements.map(({ term }) => ({ guard: terms.true, element: term }))
  return { err: terms.or(...results.map(({ err }) => err)), value: { kind: 'set', element, items, attributes: [] } }
}

function hasMember(place: Place, all: SetValue, wanted: Typed): Term {
  if (wanted.kind === 'set' || wanted.kind === 'record') throw new Unsupported(`a set of ${wanted.kind}s`)
  return member(place, all, wanted.term)
}

function member({ terms }: Place, { element, items, attributes }: SetValue, wanted: Term): Term {
  if (element === null || sortOf(element) !== wanted.sort) return terms.false
  return terms.or(
    ...items.map((item) => terms.and(item.guard, terms.eq(item.element, wanted))),
    ...attributes.map((attribute) => terms.and(attribute.guard, attribute.member(wanted))),
  )
}

function subset(place: Place, part: SetValue, whole: SetValue): Term {
  return place.terms.not(some(place, part, (element) => place.terms.not(member(place, whole, element))))
}

function intersects(place: Place, a: SetValue, b: SetValue): Term {
  const [finite, other] = a.attributes.length > 0 && b.attributes.length === 0 ? [b, a] : [a, b]
  return some(place, finite, (element) => member(place, other, element))
}

/** Whether some element of the set satisfies what is asked: one that is written out, or one of an attribute. */
function some({ terms, schema }: Place, { element, items, attributes }: SetValue, holds: (element: Term) => Term): Term {
  if (element === null) return terms.false
  const sort = sortOf(element)
  const ids = element.kind === 'entity' ? schema.entityTypes.get(element.name)?.ids ?? null : null
  // A type of few values is gone through, without a quantifier.
  const known = element.kind === 'bool' ? [terms.true, terms.false] : ids?.map((id) => terms.literal(sort, id)) ?? null
  const inAttribute = attributes.map((attribute) => {
    const both = (each: Term) => terms.and(attribute.guard, attribute.member(each), holds(each))
    return known === null ? terms.exists(sort, both(terms.bound(sort))) : terms.or(...known.map(both))
  })
  return terms.or(...items.map(({ guard, element: each }) => terms.and(guard, holds(each))), ...inAttribute)
}

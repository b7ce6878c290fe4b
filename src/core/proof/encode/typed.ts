import type { Uid } from '#core/policy/expression.ts'
import type { Attribute, RecordType, Type } from '#core/policy/schema.ts'
import { isNumericExtension, type NumericExtension } from '../extension.ts'
import type { FunctionSymbol, Term } from '../terms.ts'
import { sortOf } from '../values.ts'
import { actionOf, apply, Unsupported, type Place } from './place.ts'

/** What an expression evaluates to: whether that fails, and the value where it does not. */
export type Result = { readonly err: Term; readonly value: Typed }

export type Typed =
  | { readonly kind: 'bool' | 'long' | 'string' | NumericExtension; readonly term: Term }
  | { readonly kind: 'entity'; readonly type: string; readonly term: Term }
  | IpValue
  | RecordValue
  | SetValue
  /** A record, a set or an address as an element of some set: known by its parts, and never taken apart. */
  | { readonly kind: 'element'; readonly term: Term }

export type EntityValue = Typed & { readonly kind: 'entity' }
/** @see values.ts for the names of its parts. */
export type IpValue = { readonly kind: 'ip'; readonly part: (name: string) => Term }
export type RecordValue = { readonly kind: 'record'; readonly names: readonly string[]; readonly field: (name: string) => Field | null }
export type Field = { readonly present: Term; readonly value: () => Typed }

export type SetValue = {
  readonly kind: 'set'
  /** Elements that are written out, each with the condition under which it is one. */
  readonly items: readonly { readonly guard: Term; readonly element: Typed }[]
  /** Attributes whose elements, under a condition, are elements too. */
  readonly attributes: readonly { readonly guard: Term; readonly element: Type; readonly member: (element: Term) => Term }[]
}

// ---- What stands where a type is needed ----

export function truth(value: Typed): Term {
  return termOf(value, 'bool', 'a boolean')
}

export function integer(value: Typed): Term {
  return termOf(value, 'long', 'an integer')
}

export function text(value: Typed): Term {
  return termOf(value, 'string', 'a string')
}

export function termOf(value: Typed, kind: Typed['kind'], what: string): Term {
  if (value.kind !== kind || !('term' in value)) throw new Unsupported(`a ${value.kind} where ${what} is needed`)
  return value.term
}

export function entity(value: Typed): EntityValue {
  if (value.kind !== 'entity') throw new Unsupported(`a ${value.kind} where an entity is needed`)
  return value
}

export function setOf(value: Typed): SetValue {
  if (value.kind !== 'set') throw new Unsupported(`a ${value.kind} where a set is needed`)
  return value
}

export function ipValue(value: Typed): IpValue {
  if (value.kind !== 'ip') throw new Unsupported(`a ${value.kind} where an address is needed`)
  return value
}

// ---- Variables, entities, attributes, tags ----

export function variable(place: Place, name: 'principal' | 'action' | 'resource' | 'context'): Typed {
  const { terms, schema, environment } = place
  if (name === 'context') return valueAt(place, { owner: '', of: [], path: [] }, actionOf(place).context)
  if (name === 'action') return literalEntity(place, actionOf(place).uid)
  const type = environment[name]
  if (!schema.entityTypes.has(type)) throw new Unsupported(`the unknown entity type \`${type}\``)
  return { kind: 'entity', type, term: terms.variable(name, `entity:${type}`) }
}

export function literalEntity({ terms }: Place, { type, id }: Uid): EntityValue {
  return { kind: 'entity', type, term: terms.literal(`entity:${type}`, id) }
}

export function fieldOf(place: Place, value: Typed, name: string): Field | null {
  if (value.kind === 'record') return value.field(name)
  const { type, term } = entity(value)
  const declared = place.schema.entityTypes.get(type)?.shape.attributes[name]
  return declared === undefined ? null : attribute(place, { owner: type, of: [term], path: [name] }, declared)
}

/** A tag of an entity; null where its type has none. */
export function tagOf(place: Place, { type, term }: EntityValue, key: Term): Field | null {
  const tags = place.schema.entityTypes.get(type)?.tags ?? null
  return tags === null ? null : attribute(place, { owner: `${type}#tags`, of: [term, key], path: [] }, { type: tags, required: false })
}

/** Whose fact it is, and where. */
type Where = { readonly owner: string; readonly of: readonly Term[]; readonly path: readonly string[] }

function attribute(place: Place, where: Where, { type, required }: Pick<Attribute, 'type' | 'required'>): Field {
  const present = required ? place.terms.true : fact(place, 'present', where, 'bool')
  return { present, value: () => valueAt(place, where, type) }
}

/** The value of the attribute at a path: records and addresses are taken apart, so that only their leaves are terms. */
function valueAt(place: Place, where: Where, type: Type): Typed {
  switch (type.kind) {
    case 'bool': case 'long': case 'string': case 'entity': return wrap(type, fact(place, 'value', where, sortOf(type)))
    case 'set': {
      const member = (element: Term) => fact(place, 'member', { ...where, of: [...where.of, element] }, 'bool')
      return { kind: 'set', items: [], attributes: [{ guard: place.terms.true, element: type.element, member }] }
    }
    case 'record': return recordAt(type, (name, declared) => attribute(place, { ...where, path: [...where.path, name] }, declared))
    case 'extension': {
      if (isNumericExtension(type.name)) return wrap(type, fact(place, 'value', where, 'int'))
      if (type.name !== 'ipaddr') throw new Unsupported(`a value of the extension type \`${type.name}\``)
      return { kind: 'ip', part: (to) => fact(place, 'ip', where, to === 'prefix' ? 'int' : 'bool', to) }
    }
  }
}

function recordAt({ attributes }: RecordType, read: (name: string, declared: Attribute) => Field): RecordValue {
  const field = (name: string): Field | null => {
    const declared = Object.hasOwn(attributes, name) ? attributes[name] : undefined
    return declared === undefined ? null : read(name, declared)
  }
  return { kind: 'record', names: Object.keys(attributes), field }
}

function fact(place: Place, kind: FunctionSymbol['kind'], { owner, of, path }: Where, result: FunctionSymbol['result'], to = ''): Term {
  return apply(place, { kind, owner, path, to }, result, of)
}

/** A term as a value of a type: what an element of a set is. */
export function wrap(type: Type, term: Term): Typed {
  if (type.kind === 'bool' || type.kind === 'long' || type.kind === 'string') return { kind: type.kind, term }
  if (type.kind === 'entity') return { kind: 'entity', type: type.name, term }
  if (type.kind === 'extension' && isNumericExtension(type.name)) return { kind: type.name, term }
  return { kind: 'element', term }
}

// ---- One of two ----

/** The value of an `if`. */
export function choose(place: Place, condition: Term, yes: Typed, no: Typed): Typed {
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
    type Guarded = { readonly guard: Term }
    const under = <T extends Guarded>(guard: Term, all: readonly T[]) => all.map((each) => ({ ...each, guard: terms.and(guard, each.guard) }))
    const join = <T extends Guarded>(a: readonly T[], b: readonly T[]) => [...under(condition, a), ...under(terms.not(condition), b)]
    return { kind: 'set', items: join(yes.items, no.items), attributes: join(yes.attributes, no.attributes) }
  }
  if (yes.kind === 'ip' && no.kind === 'ip') return { kind: 'ip', part: (name) => terms.ite(condition, yes.part(name), no.part(name)) }
  if ('term' in yes && 'term' in no && yes.kind === no.kind && yes.term.sort === no.term.sort) return { ...yes, term: terms.ite(condition, yes.term, no.term) }
  throw new Unsupported('an `if` between values of different types')
}

import type { Type } from '#core/policy/schema.ts'
import type { Item, RecordField, Term, Terms } from '../terms.ts'
import { compoundOf, idsOf, IP_PARTS, isCompound, partSymbols, sortOf } from '../values.ts'
import { overflows, Unsupported, type Place } from './place.ts'
import { wrap, type IpValue, type SetValue, type Typed } from './typed.ts'

/** Whether two values are equal. Values of different types differ; that is an answer in Cedar, not an error. */
export function equality(place: Place, left: Typed, right: Typed): Term {
  const { terms } = place
  if (left.kind === 'element' || right.kind === 'element') {
    const sort = (left.kind === 'element' ? left : right as Typed & { kind: 'element' }).term.sort
    const type = compoundOf(sort)
    const [a, b] = type === null ? [null, null] : [reify(place, left, type), reify(place, right, type)]
    return a === null || b === null ? terms.false : terms.and(a.possible, b.possible, terms.eq(a.term, b.term))
  }
  if (left.kind === 'record' && right.kind === 'record') return once(left, right, () => {
    const names = [...new Set([...left.names, ...right.names])]
    return terms.and(
      ...names.map((name) => {
        const [a, b] = [left.field(name), right.field(name)]
        if (a === null || b === null) return terms.not((a ?? b)?.present ?? terms.false)
        return terms.and(terms.eq(a.present, b.present), terms.or(terms.not(a.present), equality(place, a.value(), b.value())))
      }),
    )
  })
  if (left.kind === 'set' && right.kind === 'set') return once(left, right, () => terms.and(subset(place, left, right), subset(place, right, left)))
  if (left.kind === 'ip' && right.kind === 'ip') return sameIp(place, left, right)
  if (!('term' in left) || !('term' in right)) return terms.false
  return left.kind === right.kind && left.term.sort === right.term.sort ? terms.eq(left.term, right.term) : terms.false
}

/**
 * Each pair is compared once, whichever comes first: sets are compared in both directions, element by element, so that each level of
 * sets within sets would double the work.
 */
function once(left: Typed, right: Typed, compare: () => Term): Term {
  const known = compared.get(left)?.get(right) ?? compared.get(right)?.get(left) ?? compare()
  const others = compared.get(left) ?? new WeakMap<Typed, Term>()
  compared.set(left, others.set(right, known))
  return known
}
const compared = new WeakMap<Typed, WeakMap<Typed, Term>>()

function sameIp({ terms }: Place, left: IpValue, right: IpValue): Term {
  // The few parts that tell most addresses apart come first, so that folding ends early.
  let same = terms.true
  for (const name of IP_PARTS) {
    same = terms.and(same, terms.eq(left.part(name), right.part(name)))
    if (same === terms.false) return same
  }
  return same
}

/** A value as one term of the sort of `type`, where it is possible at all that it is a value of that type; null where it is not. */
function reify(place: Place, value: Typed, type: Type): { readonly possible: Term; readonly term: Term } | null {
  const { terms } = place
  const sort = sortOf(type)
  if (value.kind === 'element' || !isCompound(type)) {
    if (!('term' in value)) return null
    if (value.kind === 'element' && value.term.sort !== sort) throw new Unsupported('elements of sets of different types')
    const isSame = value.term.sort === sort && wrap(type, value.term).kind === value.kind
    return isSame ? { possible: terms.true, term: fitting(terms, value.term) } : null
  }
  if (type.kind === 'extension' && value.kind === 'ip') {
    const fields = partSymbols(sort).map((part): RecordField => ({ symbol: part.value, present: terms.true, value: value.part(part.value.to) }))
    return { possible: terms.true, term: terms.record(sort, fields) }
  }
  if (type.kind === 'record' && value.kind === 'record') {
    let possible = terms.true
    for (const name of value.names) {
      if (!Object.hasOwn(type.attributes, name)) possible = terms.and(possible, terms.not(value.field(name)?.present ?? terms.false))
    }
    const fields: RecordField[] = []
    for (const { value: symbol, present: optional } of partSymbols(sort)) {
      const [name = ''] = symbol.path
      const field = value.field(name)
      const present = field?.present ?? terms.false
      if (optional === null) possible = terms.and(possible, present)
      if (field === null || present === terms.false) continue
      const made = reify(place, field.value(), (type.attributes[name] as { readonly type: Type }).type)
      possible = terms.and(possible, terms.or(terms.not(present), made?.possible ?? terms.false))
      if (made !== null) fields.push({ symbol, present, value: made.term })
    }
    return { possible, term: terms.record(sort, fields) }
  }
  if (type.kind === 'set' && value.kind === 'set') {
    const { element } = type
    let possible = terms.true
    const items: Item[] = []
    for (const { guard, element: each } of value.items) {
      const made = reify(place, each, element)
      possible = terms.and(possible, terms.or(terms.not(guard), made?.possible ?? terms.false))
      if (made !== null) items.push({ guard, element: made.term })
    }
    const over = sortOf(element)
    const bodies = value.attributes.map((attribute) => {
      if (sortOf(attribute.element) !== over) throw new Unsupported('sets of different types')
      return terms.and(attribute.guard, attribute.member(terms.bound(over)))
    })
    return { possible, term: terms.set(sort, over, items, terms.or(...bodies)) }
  }
  return null
}

/**
 * An integer as a part of a value: one of 64 bits. Where a result has no place in them, its evaluation fails, and what the value is matters no
 * more; but parts of values are promised to fit, and a promise that a failure breaks would leave the failure unseen.
 */
function fitting(terms: Terms, term: Term): Term {
  if (term.sort !== 'int' || term.kind === 'app' || term.kind === 'var' || term.kind === 'bound') return term
  if (term.kind === 'ite') return terms.ite(term.condition, fitting(terms, term.then), fitting(terms, term.else))
  return terms.ite(overflows(terms, term), terms.int(0n), term)
}

// ---- Sets ----

export function member(place: Place, set: SetValue, wanted: Typed): Term {
  const { terms } = place
  const { attributes } = set
  return terms.or(
    ...itemsLike(set, wanted).map((item) => terms.and(item.guard, equality(place, item.element, wanted))),
    ...attributes.map((attribute) => {
      const made = reify(place, wanted, attribute.element)
      return made === null ? terms.false : terms.and(attribute.guard, made.possible, attribute.member(made.term))
    }),
  )
}

/** The items that may equal a value: of those that are written out, a literal equals itself alone. */
function itemsLike(set: SetValue, wanted: Typed): SetValue['items'] {
  const literal = literalOf(wanted)
  if (literal === null) return set.items
  const known = sorted.get(set) ?? { byLiteral: Map.groupBy(set.items, ({ element }) => literalOf(element)) }
  sorted.set(set, known)
  return [...(known.byLiteral.get(literal) ?? []), ...(known.byLiteral.get(null) ?? [])]
}
const sorted = new WeakMap<SetValue, { readonly byLiteral: ReadonlyMap<Term | null, SetValue['items']> }>()

function literalOf(value: Typed): Term | null {
  return 'term' in value && (value.term.kind === 'literal' || value.term.kind === 'int') ? value.term : null
}

export function subset(place: Place, part: SetValue, whole: SetValue): Term {
  return place.terms.not(some(place, part, (element) => place.terms.not(member(place, whole, element))))
}

export function intersects(place: Place, a: SetValue, b: SetValue): Term {
  const [finite, other] = a.attributes.length > 0 && b.attributes.length === 0 ? [b, a] : [a, b]
  return some(place, finite, (element) => member(place, other, element))
}

/** Whether some element of the set satisfies what is asked: one that is written out, or one of an attribute. */
export function some({ terms, schema }: Place, { items, attributes }: SetValue, holds: (element: Typed) => Term): Term {
  const inAttribute = attributes.map(({ guard, element: type, member: has }) => {
    const sort = sortOf(type)
    const ids = type.kind === 'entity' ? idsOf(schema, type.name) : null
    // A type of few values is gone through, without a quantifier.
    const known = type.kind === 'bool' ? [terms.true, terms.false] : ids?.map((id) => terms.literal(sort, id)) ?? null
    const both = (each: Term) => terms.and(guard, has(each), holds(wrap(type, each)))
    return known === null ? terms.exists(sort, both(terms.bound(sort))) : terms.or(...known.map(both))
  })
  return terms.or(...items.map(({ guard, element }) => terms.and(guard, holds(element))), ...inAttribute)
}

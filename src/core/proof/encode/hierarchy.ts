import { uidText } from '#core/policy/policy.ts'
import type { Term } from '../terms.ts'
import { equality, member, some } from './compare.ts'
import { apply, Unsupported, type Place } from './place.ts'
import { entity, setOf, type EntityValue, type Typed } from './typed.ts'

/** Whether an entity is in another, or in one of a set. */
export function inside(place: Place, left: EntityValue, right: Typed): Term {
  if (right.kind === 'entity') return within(place, left, right)
  const all = setOf(right)
  if (all.attributes.some(({ element }) => element.kind !== 'entity')) throw new Unsupported('`in` a set of what is no entity')
  return place.terms.or(member(place, all, left), some(place, all, (element) => properly(place, left, entity(element))))
}

export function within(place: Place, left: EntityValue, right: EntityValue): Term {
  return place.terms.or(equality(place, left, right), properly(place, left, right))
}

/** Whether the right entity is a proper ancestor of the left one. Between actions that is known. */
function properly(place: Place, left: EntityValue, right: EntityValue): Term {
  const { terms, schema } = place
  if (left.term.kind === 'literal' && right.term.kind === 'literal') {
    const known = schema.actions.get(uidText({ type: left.type, id: left.term.value }))
    if (known !== undefined) return terms.bool(known.ancestors.includes(uidText({ type: right.type, id: right.term.value })))
  }
  if (!(schema.entityTypes.get(left.type)?.ancestors.includes(right.type) ?? false)) return ofActions(place, left, right)
  return apply(place, { kind: 'in', owner: left.type, path: [], to: right.type }, 'bool', [left.term, right.term])
}

/** Ancestry between actions of which one is an attribute's value: the schema knows every pair. */
function ofActions({ terms, schema }: Place, left: EntityValue, right: EntityValue): Term {
  const below = [...schema.actions.values()].filter(({ uid }) => uid.type === left.type)
  const pairs = below.flatMap(({ uid, ancestors }) =>
    ancestors.flatMap((text) => {
      const above = schema.actions.get(text)
      if (above === undefined || above.uid.type !== right.type) return []
      return [terms.and(terms.eq(left.term, terms.literal(left.term.sort, uid.id)), terms.eq(right.term, terms.literal(right.term.sort, above.uid.id)))]
    }),
  )
  return terms.or(...pairs)
}

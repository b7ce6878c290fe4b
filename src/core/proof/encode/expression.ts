import type { Expression } from '#core/policy/expression.ts'
import { matches, patternKey, patternOf } from '../pattern.ts'
import type { Term } from '../terms.ts'
import { equality, intersects, member, some, subset } from './compare.ts'
import { constructed, method } from './extension.ts'
import { inside } from './hierarchy.ts'
import { apply, LONG_MAX, LONG_MIN, overflows, Unsupported, type Place } from './place.ts'
import { choose, entity, fieldOf, integer, literalEntity, setOf, tagOf, termOf, text, truth, variable, type Field, type Result, type Typed } from './typed.ts'

/** The meaning of an expression. Parts that the left operand rules out are not looked into: they need not even have a type here. */
export function encode(place: Place, expression: Expression): Result {
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
    case 'hasTag':
    case 'getTag': {
      const [left, right] = [encode(place, expression.left), encode(place, expression.right)]
      const tag = tagOf(place, entity(left.value), text(right.value))
      const err = terms.or(left.err, right.err)
      if (expression.kind === 'hasTag') return { err, value: { kind: 'bool', term: tag?.present ?? never } }
      if (tag === null) throw new Unsupported('`getTag` where the schema gives no tags')
      return { err: terms.or(err, terms.not(tag.present)), value: tag.value() }
    }
    case 'eq':
    case 'neq': {
      const [left, right] = [encode(place, expression.left), encode(place, expression.right)]
      const equal = equality(place, left.value, right.value)
      return { err: terms.or(left.err, right.err), value: { kind: 'bool', term: expression.kind === 'eq' ? equal : terms.not(equal) } }
    }
    case 'less': case 'lessEq': case 'greater': case 'greaterEq': {
      const [left, right] = [encode(place, expression.left), encode(place, expression.right)]
      const [a, b] = ordered(left.value, right.value)
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
    case 'like': {
      const { err, value } = encode(place, expression.of)
      return { err, value: { kind: 'bool', term: like(place, text(value), expression.pattern) } }
    }
    case 'isEmpty': {
      const { err, value } = encode(place, expression.of)
      return { err, value: { kind: 'bool', term: terms.not(some(place, setOf(value), () => terms.true)) } }
    }
    case 'contains': case 'containsAll': case 'containsAny': {
      const [left, right] = [encode(place, expression.left), encode(place, expression.right)]
      const all = setOf(left.value)
      const term = expression.kind === 'contains' ? member(place, all, right.value)
        : expression.kind === 'containsAll' ? subset(place, setOf(right.value), all)
        : intersects(place, all, setOf(right.value))
      return { err: terms.or(left.err, right.err), value: { kind: 'bool', term } }
    }
    case 'set': {
      const results = expression.items.map((each) => encode(place, each))
      const items = results.map(({ value }) => ({ guard: terms.true, element: value }))
      return { err: terms.or(...results.map(({ err }) => err)), value: { kind: 'set', items, attributes: [] } }
    }
    case 'record': {
      const fields = Object.entries(expression.fields).map(([name, field]) => [name, encode(place, field)] as const)
      const byName = new Map(fields)
      const field = (name: string): Field | null => {
        const found = byName.get(name)
        return found === undefined ? null : { present: terms.true, value: () => found.value }
      }
      return { err: terms.or(...fields.map(([, each]) => each.err)), value: { kind: 'record', names: [...byName.keys()], field } }
    }
    case 'call': {
      const made = constructed(terms, expression.name, expression.args)
      if (made !== null) return { err: never, value: made }
      return method(place, expression.name, expression.args.map((each) => encode(place, each)))
    }
  }
}

function longOf(digits: string): bigint {
  const value = BigInt(digits)
  if (value < LONG_MIN || value > LONG_MAX) throw new Unsupported(`the integer ${digits}, which has more than 64 bits,`)
  return value
}

/** Integers, instants and durations have an order. */
function ordered(left: Typed, right: Typed): readonly [Term, Term] {
  const kind = left.kind === 'datetime' || left.kind === 'duration' ? left.kind : 'long'
  return [termOf(left, kind, 'something ordered'), termOf(right, kind, `a ${kind}`)]
}

function like(place: Place, subject: Term, parts: readonly (string | null)[]): Term {
  const { terms } = place
  const key = patternKey(parts)
  const pattern = patternOf(key)
  if (!pattern.includes(null)) return terms.eq(subject, terms.literal('string', pattern.join('')))
  if (pattern.length === 1) return terms.true
  if (subject.kind === 'literal') return terms.bool(matches(pattern, subject.value))
  // What a string is does not depend on the world.
  return apply({ ...place, copy: 0 }, { kind: 'matches', owner: '', path: [], to: key }, 'bool', [subject])
}

import type { BinaryKind, Expression } from '#core/policy/expression.ts'
import { Datetime, Duration } from '../extension/datetime.ts'
import { matcherOf } from '../like.ts'
import type { Entity } from '../situation.ts'
import { EntityValue, equals, RecordValue, SetValue, type Value } from '../value.ts'
import type { Interned } from './interned.ts'

export const YES = -1
export const NO = -2
/** Not known here: an error, something missing, or a kind of value that only the general evaluator knows. */
export const DOUBT = -3
export type Answer = typeof NO | typeof YES | typeof DOUBT

/** Where the answer to one request is looked up: the slots of its principal begin at `p` of `ps`, those of its resource at `r` of `rs`. */
export type Relation = (ps: Int32Array, p: number, rs: Int32Array, r: number, context: RecordValue) => Answer

/** What stands for a part of a relation; undefined is doubt. */
type Operand = (ps: Int32Array, p: number, rs: Int32Array, r: number, context: RecordValue) => Value | undefined

/** Of one side, principal or resource: where what depends on it alone is kept. */
export type Side = { readonly slotOf: (expression: Expression) => number | null; readonly entities: readonly (Entity | undefined)[] }

/** What a relation is compiled with. */
export type Ground = {
  readonly principal: Side
  readonly resource: Side
  readonly interned: Interned
  /** Which side alone an expression looks at, principal when it looks at none; null: at both, or at the context. */
  readonly sideOf: (expression: Expression) => 'principal' | 'resource' | null
  /** The general evaluator's answer. */
  readonly general: (expression: Expression) => Relation
}

/**
 * Compiles a condition that has no conditions in it: whatever depends on one entity alone is read from that entity's row. It answers YES or NO only
 * where the general evaluator would, with nothing missing; any doubt is for that one to settle.
 */
export function compileRelation(expression: Expression, ground: Ground): Relation {
  return relationOf(expression, ground) ?? ground.general(expression)
}

function relationOf(expression: Expression, ground: Ground): Relation | null {
  switch (expression.kind) {
    case 'eq': return equality(expression.left, expression.right, YES, NO, ground)
    case 'neq': return equality(expression.left, expression.right, NO, YES, ground)
    case 'like': {
      const [of, matches] = [operand(expression.of, ground), matcherOf(expression.pattern)]
      return of && ((ps, p, rs, r, context) => {
        const value = of(ps, p, rs, r, context)
        return typeof value === 'string' ? (matches(value) ? YES : NO) : DOUBT
      })
    }
    case 'has': {
      // A value from a row stands for all that equal it, and those may lack different things that their types promise.
      if (ground.sideOf(expression.of) !== null) return null
      const [of, { attribute }] = [operand(expression.of, ground), expression]
      return of && ((ps, p, rs, r, context) => {
        const value = of(ps, p, rs, r, context)
        return value instanceof RecordValue ? (value.fields.has(attribute) ? YES : value.absent === null ? NO : DOUBT) : DOUBT
      })
    }
    case 'isEmpty': {
      const of = operand(expression.of, ground)
      return of && ((ps, p, rs, r, context) => {
        const value = of(ps, p, rs, r, context)
        return value instanceof SetValue ? (value.isEmpty ? YES : NO) : DOUBT
      })
    }
    case 'in': return within(expression.left, expression.right, ground)
    case 'less':
    case 'lessEq':
    case 'greater':
    case 'greaterEq':
    case 'contains':
    case 'containsAll':
    case 'containsAny': return comparison(expression.left, expression.right, COMPARE[expression.kind], ground)
    default: return null
  }
}

/** Where the number of what depends on one entity alone is kept: in the row of which side, and where there. The number is 0 in doubt. */
type Slot = { readonly side: 'principal' | 'resource'; readonly at: number }

/** Null: it does not depend on one alone, or there is no room. */
export function slotOf(expression: Expression, ground: Ground): Slot | null {
  const side = ground.sideOf(expression)
  const at = side === null ? null : ground[side].slotOf(expression)
  return side === null || at === null ? null : { side, at }
}

/** An attribute of the context against a small integer: most limits are written like this. */
export type Limit = { readonly name: string; readonly bound: number; readonly holds: (value: number, bound: number) => boolean }

/** Null: it is none. */
export function limitOf(expression: Expression): Limit | null {
  const { kind } = expression
  if (kind !== 'less' && kind !== 'lessEq' && kind !== 'greater' && kind !== 'greaterEq') return null
  const { left, right } = expression
  if (left.kind !== 'get' || left.of.kind !== 'var' || left.of.name !== 'context' || right.kind !== 'long' || !Number.isSafeInteger(Number(right.value))) return null
  return { name: left.attribute, bound: Number(right.value) + 0, holds: LIMITS[kind] }
}

const LIMITS: { readonly [kind in 'less' | 'lessEq' | 'greater' | 'greaterEq']: (a: number, b: number) => boolean } = {
  less: (a, b) => a < b,
  lessEq: (a, b) => a <= b,
  greater: (a, b) => a > b,
  greaterEq: (a, b) => a >= b,
}

function operand(expression: Expression, ground: Ground): Operand | null {
  if (expression.kind === 'bool' || expression.kind === 'string') return () => expression.value
  if (expression.kind === 'long' && Number.isSafeInteger(Number(expression.value))) {
    const value = Number(expression.value) + 0
    return () => value
  }
  const slot = slotOf(expression, ground)
  if (slot !== null) {
    const [{ side, at }, { values }] = [slot, ground.interned]
    return side === 'principal' ? (ps, p) => values[ps[p + at] as number] : (_ps, _p, rs, r) => values[rs[r + at] as number]
  }
  if (expression.kind === 'var' && expression.name === 'context') return (_ps, _p, _rs, _r, context) => context
  if (expression.kind !== 'get') return null
  const { attribute } = expression
  if (expression.of.kind === 'var' && expression.of.name === 'context') return (_ps, _p, _rs, _r, context) => context.fields.get(attribute)
  const of = operand(expression.of, ground)
  return of && ((ps, p, rs, r, context) => {
    const owner = of(ps, p, rs, r, context)
    return owner instanceof RecordValue ? owner.fields.get(attribute) : undefined
  })
}

function equality(left: Expression, right: Expression, same: Answer, different: Answer, ground: Ground): Relation | null {
  const [a, b] = [operand(left, ground), operand(right, ground)]
  return a && b && ((ps, p, rs, r, context) => {
    const x = a(ps, p, rs, r, context)
    const y = b(ps, p, rs, r, context)
    return x === undefined || y === undefined ? DOUBT : equals(x, y) ? same : different
  })
}

function comparison(left: Expression, right: Expression, compare: Compare, ground: Ground): Relation | null {
  const [one, other] = [operand(left, ground), operand(right, ground)]
  return one && other && ((ps, p, rs, r, context) => {
    const a = one(ps, p, rs, r, context)
    const b = other(ps, p, rs, r, context)
    return a === undefined || b === undefined ? DOUBT : compare(a, b)
  })
}

/** The principal or the resource itself in something: its ancestors are at hand. */
function within(left: Expression, right: Expression, { principal, resource, ...ground }: Ground): Relation | null {
  if (left.kind !== 'var' || (left.name !== 'principal' && left.name !== 'resource')) return null
  const above = operand(right, { principal, resource, ...ground })
  const isPrincipal = left.name === 'principal'
  const { entities } = isPrincipal ? principal : resource
  const isIn = (entity: Entity, each: Value): boolean => each instanceof EntityValue && (entity.name.equals(each) || entity.ancestors.has(each.key))
  return above && ((ps, p, rs, r, context) => {
    const value = above(ps, p, rs, r, context)
    const entity = entities[isPrincipal ? ps[p] as number : rs[r] as number]
    if (value === undefined || entity === undefined || (entity.doubts !== undefined && entity.doubts.above !== null)) return DOUBT
    if (value instanceof SetValue) {
      if (value.entities === null) return DOUBT
      for (const each of value.entities) if (isIn(entity, each)) return YES
    } else {
      if (!(value instanceof EntityValue)) return DOUBT
      if (isIn(entity, value)) return YES
    }
    return entity.unknown.length > 0 ? DOUBT : NO
  })
}

type Compare = (one: Value, other: Value) => Answer

const COMPARE: { readonly [kind in Extract<BinaryKind, 'less' | 'lessEq' | 'greater' | 'greaterEq' | 'contains' | 'containsAll' | 'containsAny'>]: Compare } = {
  less: ordered((a, b) => a < b),
  lessEq: ordered((a, b) => a <= b),
  greater: ordered((a, b) => a > b),
  greaterEq: ordered((a, b) => a >= b),
  contains: (one, other) => (one instanceof SetValue ? (one.has(other) ? YES : NO) : DOUBT),
  containsAll: (one, other) => (one instanceof SetValue && other instanceof SetValue ? (one.hasAll(other) ? YES : NO) : DOUBT),
  containsAny: (one, other) => (one instanceof SetValue && other instanceof SetValue ? (one.hasAny(other) ? YES : NO) : DOUBT),
}

function ordered(compare: (a: number | bigint, b: number | bigint) => boolean): Compare {
  return (one, other) => {
    if (typeof one === 'number' && typeof other === 'number') return compare(one, other) ? YES : NO
    if (isLong(one) && isLong(other)) return compare(one, other) ? YES : NO
    if (one instanceof Datetime && other instanceof Datetime) return compare(one.ms, other.ms) ? YES : NO
    if (one instanceof Duration && other instanceof Duration) return compare(one.ms, other.ms) ? YES : NO
    return DOUBT
  }
}

function isLong(value: Value): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint'
}

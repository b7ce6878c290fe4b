import assert from 'node:assert/strict'
import type { BinaryKind, Expression } from '#core/policy/expression.ts'
import { EvaluationError, notA, type Outcome } from './evaluation-error.ts'
import { Datetime, Duration } from './extension/datetime.ts'
import { FUNCTIONS } from './extension/functions.ts'
import { matcherOf } from './like.ts'
import { add, longOf, multiply, subtract, type Long } from './long.ts'
import type { Situation } from './situation.ts'
import { EntityValue, equals, RecordValue, SetValue, valueText, type Value } from './value.ts'

/** An expression, compiled: what it is in a situation. */
export type Evaluate = (situation: Situation) => Outcome

/**
 * Compiles an expression of Cedar's language into closures, once, well typed or not. What they return is Cedar's own answer: its value, or an
 * error exactly where Cedar has one. Whatever needs no request is evaluated here.
 *
 * @see https://docs.cedarpolicy.com/policies/syntax-operators.html
 */
export function compileExpression(expression: Expression): Evaluate {
  const constant = constantOf(expression)
  if (constant !== null) return () => constant
  switch (expression.kind) {
    case 'bool':
    case 'string':
    case 'long':
    case 'entity': assert.fail('a literal is its own value')
    case 'var': return variable(expression.name)
    case 'get': return get(expression.of, expression.attribute)
    case 'has': return has(compileExpression(expression.of), expression.attribute)
    case 'not': return not(compileExpression(expression.of))
    case 'neg': return negate(compileExpression(expression.of))
    case 'isEmpty': return isEmpty(compileExpression(expression.of))
    case 'is': return is(expression)
    case 'if': return choose(compileExpression(expression.condition), compileExpression(expression.then), compileExpression(expression.else))
    case 'set': return set(expression.items.map(compileExpression))
    case 'record': return record(Object.entries(expression.fields).map(([name, field]) => [name, compileExpression(field)]))
    case 'like': return like(compileExpression(expression.of), matcherOf(expression.pattern))
    case 'call': return call(expression.name, expression.args.map(compileExpression))
    case 'eq': return equal(expression.left, expression.right)
    case 'neq': return not(equal(expression.left, expression.right))
    default: return BINARY[expression.kind](compileExpression(expression.left), compileExpression(expression.right))
  }
}

/** The value that an expression has in every situation, when that can be seen: literals, and what is made of them. */
function constantOf(expression: Expression): Value | null {
  switch (expression.kind) {
    case 'bool':
    case 'string': return expression.value
    case 'long': return literalLong(expression.value)
    case 'entity': return new EntityValue(expression.uid.type, expression.uid.id)
    case 'set': {
      const items = expression.items.map(constantOf)
      return items.every((item) => item !== null) ? new SetValue(items) : null
    }
    case 'record': {
      const fields = Object.entries(expression.fields).map(([name, field]) => [name, constantOf(field)] as const)
      return fields.every((field): field is readonly [string, Value] => field[1] !== null) ? new RecordValue(new Map(fields)) : null
    }
    case 'call': {
      const found = FUNCTIONS.get(expression.name)
      const [first, second] = expression.args.map(constantOf)
      if (found === undefined || found.arity !== 1 || second !== undefined || typeof first !== 'string') return null
      const made = found.call(first, first)
      return made instanceof EvaluationError ? null : made
    }
    default: return null
  }
}

function literalLong(digits: string): Long {
  const value = longOf(digits)
  assert(value !== null) // Cedar's parser lets no other literal through.
  return value
}

function variable(name: 'principal' | 'action' | 'resource' | 'context'): Evaluate {
  switch (name) {
    case 'principal': return (situation) => situation.principal
    case 'action': return (situation) => situation.action
    case 'resource': return (situation) => situation.resource
    case 'context': return (situation) => situation.context
  }
}

function get(of: Expression, attribute: string): Evaluate {
  const evaluate = compileExpression(of)
  return (situation) => {
    const owner = evaluate(situation)
    if (owner instanceof EntityValue) {
      const entity = situation.read(owner)
      if (entity === undefined) return new EvaluationError('entity', `the entity \`${String(owner)}\` does not exist`)
      const value = entity.attributes.get(attribute)
      if (value !== undefined) return value
      situation.noteAttribute(entity, attribute)
      return new EvaluationError('attribute', `\`${String(owner)}\` does not have the attribute \`${attribute}\``)
    }
    if (owner instanceof RecordValue) {
      const value = owner.fields.get(attribute)
      if (value !== undefined) return value
      situation.noteField(owner, attribute)
      return new EvaluationError('attribute', `the record does not have the attribute \`${attribute}\``)
    }
    return notA('a record or an entity', owner)
  }
}

function has(of: Evaluate, attribute: string): Evaluate {
  return (situation) => {
    const owner = of(situation)
    if (owner instanceof EntityValue) {
      const entity = situation.read(owner)
      if (entity === undefined) return false
      if (entity.attributes.has(attribute)) return true
      situation.noteAttribute(entity, attribute)
      return false
    }
    if (owner instanceof RecordValue) {
      if (owner.fields.has(attribute)) return true
      situation.noteField(owner, attribute)
      return false
    }
    return notA('a record or an entity', owner)
  }
}

function not(of: Evaluate): Evaluate {
  return (situation) => {
    const value = of(situation)
    return typeof value === 'boolean' ? !value : notA('bool', value)
  }
}

function negate(of: Evaluate): Evaluate {
  return (situation) => {
    const value = of(situation)
    if (!isLong(value)) return notA('long', value)
    return subtract(0, value) ?? new EvaluationError('overflow', `the negation of ${value} leaves 64 bits`)
  }
}

function isEmpty(of: Evaluate): Evaluate {
  return (situation) => {
    const value = of(situation)
    return value instanceof SetValue ? value.isEmpty : notA('set', value)
  }
}

function is({ of, type, in: above }: Extract<Expression, { kind: 'is' }>): Evaluate {
  const evaluate = compileExpression(of)
  const isOfType: Evaluate = (situation) => {
    const value = evaluate(situation)
    return value instanceof EntityValue ? value.type === type : notA('entity', value)
  }
  return above === null ? isOfType : and(isOfType, within(evaluate, compileExpression(above)))
}

function choose(condition: Evaluate, then: Evaluate, otherwise: Evaluate): Evaluate {
  return (situation) => {
    const value = condition(situation)
    return value === true ? then(situation) : value === false ? otherwise(situation) : notA('bool', value)
  }
}

function set(items: readonly Evaluate[]): Evaluate {
  return (situation) => {
    const values: Value[] = []
    for (const item of items) {
      const value = item(situation)
      if (value instanceof EvaluationError) return value
      values.push(value)
    }
    return new SetValue(values)
  }
}

function record(fields: readonly (readonly [string, Evaluate])[]): Evaluate {
  return (situation) => {
    const values = new Map<string, Value>()
    for (const [name, field] of fields) {
      const value = field(situation)
      if (value instanceof EvaluationError) return value
      values.set(name, value)
    }
    return new RecordValue(values)
  }
}

function like(of: Evaluate, matches: (text: string) => boolean): Evaluate {
  return (situation) => {
    const value = of(situation)
    return typeof value === 'string' ? matches(value) : notA('string', value)
  }
}

function call(name: string, args: readonly Evaluate[]): Evaluate {
  const found = FUNCTIONS.get(name)
  const isCallable = found !== undefined && found.arity === args.length
  const wrong = new EvaluationError('arguments', found === undefined ? `there is no function \`${name}\`` : `\`${name}\` takes ${found.arity} arguments, not ${args.length}`)
  return (situation) => {
    const values: Value[] = []
    for (const arg of args) {
      const value = arg(situation)
      if (value instanceof EvaluationError) return value
      values.push(value)
    }
    const [first] = values
    return isCallable && first !== undefined ? found.call(first, values[1] ?? first) : wrong
  }
}

/** Most comparisons are with a literal: with one that is no object, one look suffices. */
function equal(left: Expression, right: Expression): Evaluate {
  const [a, b] = [compileExpression(left), compileExpression(right)]
  const literal = constantOf(right)
  if (literal !== null && typeof literal !== 'object') {
    return (situation) => {
      const value = a(situation)
      return value === literal ? true : value instanceof EvaluationError ? value : false
    }
  }
  return (situation) => {
    const one = a(situation)
    if (one instanceof EvaluationError) return one
    const other = b(situation)
    return other instanceof EvaluationError ? other : equals(one, other)
  }
}

type Compile = (left: Evaluate, right: Evaluate) => Evaluate

const BINARY: { readonly [kind in Exclude<BinaryKind, 'eq' | 'neq'>]: Compile } = {
  and,
  or,
  in: within,
  less: ordered((a, b) => a < b),
  lessEq: ordered((a, b) => a <= b),
  greater: ordered((a, b) => a > b),
  greaterEq: ordered((a, b) => a >= b),
  add: arithmetic('+', add),
  sub: arithmetic('-', subtract),
  mul: arithmetic('*', multiply),
  contains: (left, right) => (situation) => {
    const container = left(situation)
    if (container instanceof EvaluationError) return container
    const value = right(situation)
    if (value instanceof EvaluationError) return value
    return container instanceof SetValue ? container.has(value) : notA('set', container)
  },
  containsAll: sets((a, b) => a.hasAll(b)),
  containsAny: sets((a, b) => a.hasAny(b)),
  getTag: tagged((owner, tag, situation) => {
    const entity = situation.readTagged(owner)
    if (entity === undefined) return new EvaluationError('entity', `the entity \`${String(owner)}\` does not exist`)
    return entity.tags.get(tag) ?? new EvaluationError('tag', `\`${String(owner)}\` does not have the tag ${valueText(tag)}`)
  }),
  hasTag: tagged((owner, tag, situation) => situation.readTagged(owner)?.tags.has(tag) ?? false),
}

function and(left: Evaluate, right: Evaluate): Evaluate {
  return (situation) => {
    const one = left(situation)
    if (one === false) return false
    if (one !== true) return notA('bool', one)
    const other = right(situation)
    return typeof other === 'boolean' ? other : notA('bool', other)
  }
}

function or(left: Evaluate, right: Evaluate): Evaluate {
  return (situation) => {
    const one = left(situation)
    if (one === true) return true
    if (one !== false) return notA('bool', one)
    const other = right(situation)
    return typeof other === 'boolean' ? other : notA('bool', other)
  }
}

function within(left: Evaluate, right: Evaluate): Evaluate {
  return (situation) => {
    const name = left(situation)
    if (name instanceof EvaluationError) return name
    const above = right(situation)
    if (above instanceof EvaluationError) return above
    if (!(name instanceof EntityValue)) return notA('entity', name)
    if (above instanceof EntityValue) return situation.isIn(name, above)
    if (!(above instanceof SetValue)) return notA('a set or an entity', above)
    const { entities } = above
    return entities === null ? notA('entity', above.items.find((item) => !(item instanceof EntityValue)) ?? above) : situation.isInAny(name, entities)
  }
}

/** Longs, datetimes and durations have an order; two of different types have none. */
function ordered(compare: (a: Long, b: Long) => boolean): Compile {
  return (left, right) => (situation) => {
    const one = left(situation)
    if (one instanceof EvaluationError) return one
    const other = right(situation)
    if (other instanceof EvaluationError) return other
    if (isLong(one)) return isLong(other) ? compare(one, other) : notA('long', other)
    if (one instanceof Datetime) return other instanceof Datetime ? compare(one.ms, other.ms) : notA('datetime', other)
    if (one instanceof Duration) return other instanceof Duration ? compare(one.ms, other.ms) : notA('duration', other)
    return notA('long, datetime or duration', one)
  }
}

function arithmetic(operator: string, apply: (a: Long, b: Long) => Long | null): Compile {
  return (left, right) => (situation) => {
    const one = left(situation)
    if (one instanceof EvaluationError) return one
    const other = right(situation)
    if (other instanceof EvaluationError) return other
    if (!isLong(one)) return notA('long', one)
    if (!isLong(other)) return notA('long', other)
    return apply(one, other) ?? new EvaluationError('overflow', `${one} ${operator} ${other} leaves 64 bits`)
  }
}

function sets(compare: (a: SetValue, b: SetValue) => boolean): Compile {
  return (left, right) => (situation) => {
    const one = left(situation)
    if (one instanceof EvaluationError) return one
    const other = right(situation)
    if (other instanceof EvaluationError) return other
    return one instanceof SetValue ? (other instanceof SetValue ? compare(one, other) : notA('set', other)) : notA('set', one)
  }
}

function tagged(apply: (owner: EntityValue, tag: string, situation: Situation) => Outcome): Compile {
  return (left, right) => (situation) => {
    const owner = left(situation)
    if (owner instanceof EvaluationError) return owner
    const tag = right(situation)
    if (tag instanceof EvaluationError) return tag
    return owner instanceof EntityValue ? (typeof tag === 'string' ? apply(owner, tag, situation) : notA('string', tag)) : notA('entity', owner)
  }
}

function isLong(value: Outcome): value is Long {
  return typeof value === 'number' || typeof value === 'bigint'
}

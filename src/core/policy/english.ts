import type { Norm } from '#core/unit/norm.ts'
import { childrenOf, type Expression } from './expression.ts'

/** What the variables are called in a sentence: by type where there is one, else by role. */
type Words = { readonly principal: string; readonly resource: string }

const COMPARISON: { readonly [kind: string]: string } = {
  eq: 'is', neq: 'is not', less: 'is below', lessEq: 'is at most', greater: 'is above', greaterEq: 'is at least', in: 'is in',
}

/** A norm in plain words, from its meaning and not from its source: what the author compares with what was written. */
export function renderNorm(norm: Norm): string {
  const words = { principal: `the ${noun(norm.principals, 'principal')}`, resource: `the ${noun(norm.resources, 'resource')}` }
  const who = norm.principals.length === 0 ? (norm.modality === 'forbid' ? 'nobody' : 'anyone') : `every ${noun(norm.principals, 'principal')}`
  const does = norm.actions.length === 0 ? 'do anything with' : list(norm.actions.map(({ id }) => verb(spaced(id), norm.resources)), 'or')
  const what = norm.resources.length === 0 ? 'anything' : `any ${noun(norm.resources, 'resource')}`
  const conditions = [
    norm.when === null ? '' : `, when ${renderCondition(norm.when, words)}`,
    norm.unless === null ? '' : `, unless ${renderCondition(norm.unless, words)}`,
  ].join('')
  switch (norm.modality) {
    case 'permit': return `${who} may ${does} ${what}${conditions}`
    case 'forbid': return norm.principals.length === 0 ? `nobody may ${does} ${what}${conditions}` : `${who.replace('every', 'no')} may ${does} ${what}${conditions}`
    case 'oblige': return `${norm.principals.length === 0 ? 'whoever' : `a ${noun(norm.principals, 'principal')} who`} does ${does} ${what}${conditions}, must see to it: ${norm.obligation}`
  }
}

/** `view chart` of a chart is "view"; `view record` of a customer record too. */
export function verb(action: string, resources: readonly string[]): string {
  const words = action.split(' ')
  const heads = resources.map((type) => spaced(type).split(' ').at(-1))
  return words.length > 1 && heads.every((head) => head === words.at(-1)) && heads.length > 0 ? words.slice(0, -1).join(' ') : action
}

/** A condition in plain words. */
export function renderCondition(expression: Expression, words: Words = { principal: 'the principal', resource: 'the resource' }): string {
  const say = (inner: Expression) => renderCondition(inner, words)
  switch (expression.kind) {
    case 'and': return conjuncts(expression).map((part) => (part.kind === 'or' ? `(${say(part)})` : say(part))).join(' and ')
    case 'or': return `${say(expression.left)} or ${say(expression.right)}`
    case 'not': return `not (${say(expression.of)})`
    case 'get': return isContext(expression.of) ? `“${spaced(expression.attribute)}” holds` : `${value(expression.of, words)} ${trait(expression.attribute)}`
    case 'has': return `${value(expression.of, words)} has ${spaced(expression.attribute)}`
    case 'hasTag': return `${value(expression.left, words)} has the tag ${value(expression.right, words)}`
    case 'is': return `${value(expression.of, words)} is a ${spaced(expression.type)}${expression.in === null ? '' : ` in ${value(expression.in, words)}`}`
    case 'contains': return expression.left.kind === 'set' ? `${value(expression.right, words)} is one of ${value(expression.left, words)}` : `${value(expression.left, words)} include ${value(expression.right, words)}`
    case 'containsAll': return `${value(expression.left, words)} contains all of ${value(expression.right, words)}`
    case 'containsAny': return `${value(expression.left, words)} contains any of ${value(expression.right, words)}`
    case 'isEmpty': return `${value(expression.of, words)} is empty`
    case 'if': return `(if ${say(expression.condition)} then ${say(expression.then)} else ${say(expression.else)})`
    case 'bool': return expression.value ? 'always' : 'never'
    default:
      if ('left' in expression && COMPARISON[expression.kind] !== undefined) return `${value(expression.left, words)} ${COMPARISON[expression.kind]} ${value(expression.right, words)}`
      return value(expression, words)
  }
}

function isContext(expression: Expression): boolean {
  return expression.kind === 'var' && expression.name === 'context'
}

/** What one is, where the ending does not say so. */
const TRAITS = new Set(['active', 'due', 'expert', 'fragile', 'idle', 'intact', 'junior', 'late', 'minor', 'mobile', 'old', 'overdue', 'overnight', 'pregnant', 'present', 'private', 'remote', 'secret', 'senior', 'sterile', 'trustworthy', 'urgent', 'vacant', 'valid', 'vip', 'void'])

/** A yes/no attribute as something that one is or has: `isArchived`, `onDuty`, `sealed`, `urgent` one is, `consent` one has. */
function trait(attribute: string): string {
  const words = spaced(attribute)
  if (/^(is|has|can|may|was|does) /.test(words)) return words
  return TRAITS.has(words.split(' ').at(-1) ?? words) || /^(on|in|off|under|over|out) |(ed|able|ible|ive|al|ous|ful|ic|en|ing)$/.test(words) ? `is ${words}` : `has ${words}`
}

/** `has x && x` is how a guard is written; people need not read the guard of what they read next to it. */
function conjuncts(expression: Expression): readonly Expression[] {
  const parts = partsOf(expression)
  return parts.filter((part) => part.kind !== 'has' || !parts.some((other) => other !== part && reads(other, part)))
}

function partsOf(expression: Expression): readonly Expression[] {
  return expression.kind === 'and' ? [...partsOf(expression.left), ...partsOf(expression.right)] : [expression]
}

/** Whether an expression reads the attribute that a `has` asks for. */
function reads(expression: Expression, { of, attribute }: Extract<Expression, { kind: 'has' }>): boolean {
  if (expression.kind === 'get' && expression.attribute === attribute && JSON.stringify(expression.of) === JSON.stringify(of)) return true
  return childrenOf(expression).some((child) => reads(child, { kind: 'has', of, attribute }))
}

function value(expression: Expression, words: Words): string {
  switch (expression.kind) {
    case 'var': return expression.name === 'principal' || expression.name === 'resource' ? words[expression.name] : expression.name === 'context' ? 'the request' : 'the action'
    case 'get': return expression.of.kind === 'var' && expression.of.name === 'context' ? `the ${spaced(expression.attribute)}` : `${value(expression.of, words)}’s ${spaced(expression.attribute)}`
    case 'entity': return `${spaced(expression.uid.type)} “${expression.uid.id}”`
    case 'string': return `“${expression.value}”`
    case 'long': return expression.value
    case 'bool': return String(expression.value)
    case 'set': return `[${expression.items.map((item) => value(item, words)).join(', ')}]`
    case 'add': return `${value(expression.left, words)} plus ${value(expression.right, words)}`
    case 'sub': return `${value(expression.left, words)} minus ${value(expression.right, words)}`
    case 'mul': return `${value(expression.left, words)} times ${value(expression.right, words)}`
    case 'neg': return `minus ${value(expression.of, words)}`
    case 'getTag': return `${value(expression.left, words)}’s tag ${value(expression.right, words)}`
    case 'record': return `{${Object.entries(expression.fields).map(([name, field]) => `${name}: ${value(field, words)}`).join(', ')}}`
    case 'call': return `${expression.name}(${expression.args.map((arg) => value(arg, words)).join(', ')})`
    case 'like': return `${value(expression.of, words)} is like “${expression.pattern.map((part) => part ?? '*').join('')}”`
    default: return renderCondition(expression, words)
  }
}

function noun(types: readonly string[], otherwise: string): string {
  return types.length === 0 ? otherwise : list(types.map(spaced), 'or')
}

/** `Clinic::CustomerRecord` and `customer_record` as "customer record". */
export function spaced(name: string): string {
  return (name.split('::').at(-1) ?? name).replace(/([a-z0-9])([A-Z])/g, '$1 $2').replace(/[_-]+/g, ' ').toLowerCase()
}

export function list(items: readonly string[], last: 'and' | 'or'): string {
  return items.length < 2 ? (items[0] ?? '') : `${items.slice(0, -1).join(', ')} ${last} ${items.at(-1)}`
}

import { all, not, path, type BinaryKind, type Expression, type Uid } from '#core/policy/expression.ts'
import { Failure } from '#core/failure.ts'
import type { ActionScope, Rule, Scope } from '#core/policy/policy.ts'

const BINARY: { readonly [operator: string]: BinaryKind } = {
  '&&': 'and', '||': 'or', '==': 'eq', '!=': 'neq', '<': 'less', '<=': 'lessEq', '>': 'greater', '>=': 'greaterEq',
  '+': 'add', '-': 'sub', '*': 'mul', in: 'in', contains: 'contains', containsAll: 'containsAll', containsAny: 'containsAny',
  getTag: 'getTag', hasTag: 'hasTag',
}

/**
 * A rule from Cedar's JSON policy format, as its parser wrote it.
 *
 * @param fallback The id of a rule without an `@id` annotation.
 * @param slots Of a template, what a link puts into them, by `?principal` and `?resource`.
 * @see https://docs.cedarpolicy.com/policies/json-format.html
 */
export function readRule(json: unknown, fallback: string, slots: Slots = {}): Rule {
  const rule = json as {
    effect: 'permit' | 'forbid'
    principal: JsonScope
    action: JsonScope
    resource: JsonScope
    conditions: readonly { kind: 'when' | 'unless'; body: unknown }[]
    annotations?: { readonly [name: string]: string | null }
  }
  const annotations = Object.fromEntries(Object.entries(rule.annotations ?? {}).map(([name, value]) => [name, value ?? '']))
  // Cedar evaluates conditions in the order of the text, and where one may fail the order matters: an `unless` before a `when` is read as
  // the `when` that it amounts to, so that "all of `when`, then none of `unless`" is the order of the text.
  const lastWhen = rule.conditions.findLastIndex(({ kind }) => kind === 'when')
  const conditions = rule.conditions.map(({ kind, body }, i) => ({ isWhen: i <= lastWhen, body: kind === 'unless' && i < lastWhen ? not(readExpression(body)) : readExpression(body) }))
  const bodies = (isWhen: boolean) => conditions.filter((condition) => condition.isWhen === isWhen).map(({ body }) => body)
  return {
    id: annotations['id'] ?? fallback,
    effect: rule.effect,
    annotations,
    principal: readScope(rule.principal, slots),
    action: readActionScope(rule.action),
    resource: readScope(rule.resource, slots),
    when: bodies(true),
    unless: bodies(false),
  }
}

/** What stands in the slots of a template, once it is linked. */
export type Slots = { readonly '?principal'?: Uid; readonly '?resource'?: Uid }

type JsonUid = { readonly type: string; readonly id: string } | { readonly __entity: { readonly type: string; readonly id: string } }
type JsonScope = {
  readonly op: 'All' | '==' | 'in' | 'is'
  readonly entity?: JsonUid
  readonly entities?: readonly JsonUid[]
  readonly entity_type?: string
  readonly slot?: keyof Slots
  readonly in?: { readonly entity: JsonUid } | { readonly slot: keyof Slots }
}

function readUid(json: JsonUid): Uid {
  const { type, id } = '__entity' in json ? json.__entity : json
  return { type, id }
}

function readScope(json: JsonScope, slots: Slots): Scope {
  const filled = (slot: keyof Slots): Uid => {
    const uid = slots[slot]
    if (uid === undefined) throw new Failure('POLICY_INVALID', `the template's slot \`${slot}\` is not filled: link it with an entity`, { problems: [{ place: slot, message: 'is not filled' }] })
    return uid
  }
  if (json.op === 'All') return { kind: 'any' }
  if (json.op === 'is' && json.entity_type !== undefined) {
    const above = json.in === undefined ? null : 'slot' in json.in ? filled(json.in.slot) : readUid(json.in.entity)
    return { kind: 'is', type: json.entity_type, in: above }
  }
  const uid = json.slot !== undefined ? filled(json.slot) : json.entity === undefined ? null : readUid(json.entity)
  if ((json.op === '==' || json.op === 'in') && uid !== null) return { kind: json.op === '==' ? 'eq' : 'in', uid }
  throw unknown('scope', json)
}

function readActionScope(json: JsonScope): ActionScope {
  if (json.op === 'All') return { kind: 'any' }
  if (json.op === '==' && json.entity !== undefined) return { kind: 'eq', uid: readUid(json.entity) }
  if (json.op === 'in' && json.entities !== undefined) return { kind: 'in', uids: json.entities.map(readUid) }
  if (json.op === 'in' && json.entity !== undefined) return { kind: 'in', uids: [readUid(json.entity)] }
  throw unknown('action scope', json)
}

/** An expression from Cedar's JSON. @throws {Failure} `UNSUPPORTED_CONSTRUCT` for a node this version does not know. */
function readExpression(json: unknown): Expression {
  const entries = Object.entries(json as object)
  const [operator, operand] = entries[0] ?? ['', undefined]
  if (entries.length !== 1) throw unknown('expression', json)
  const binary = BINARY[operator]
  if (binary !== undefined) {
    const { left, right } = operand as { left: unknown; right: unknown }
    return { kind: binary, left: readExpression(left), right: readExpression(right) }
  }
  switch (operator) {
    case 'Value': return readValue(operand)
    case 'Var': return { kind: 'var', name: operand as 'principal' }
    case '!': return { kind: 'not', of: readExpression((operand as { arg: unknown }).arg) }
    case 'neg': return { kind: 'neg', of: readExpression((operand as { arg: unknown }).arg) }
    case 'isEmpty': return { kind: 'isEmpty', of: readExpression((operand as { arg: unknown }).arg) }
    case '.':
    case 'has': {
      const { left, attr } = operand as { left: unknown; attr: string | readonly string[] }
      const of = readExpression(left)
      // `x has a.b` is `x has a && x.a has b`.
      if (typeof attr !== 'string') return all(attr.map((attribute, i) => ({ kind: 'has', of: path(of, attr.slice(0, i)), attribute })))
      return { kind: operator === '.' ? 'get' : 'has', of, attribute: attr }
    }
    case 'is': {
      const { left, entity_type, in: within } = operand as { left: unknown; entity_type: string; in?: unknown }
      return { kind: 'is', of: readExpression(left), type: entity_type, in: within === undefined ? null : readExpression(within) }
    }
    case 'like': {
      const { left, pattern } = operand as { left: unknown; pattern: readonly ('Wildcard' | { Literal: string })[] }
      return { kind: 'like', of: readExpression(left), pattern: pattern.map((part) => (part === 'Wildcard' ? null : part.Literal)) }
    }
    case 'if-then-else': {
      const branch = operand as { if: unknown; then: unknown; else: unknown }
      return { kind: 'if', condition: readExpression(branch.if), then: readExpression(branch.then), else: readExpression(branch.else) }
    }
    case 'Set': return { kind: 'set', items: (operand as readonly unknown[]).map(readExpression) }
    case 'Record': return { kind: 'record', fields: Object.fromEntries(Object.entries(operand as object).map(([name, field]) => [name, readExpression(field)])) }
    default:
      if (Array.isArray(operand)) return { kind: 'call', name: operator, args: operand.map(readExpression) }
      throw unknown('expression', json)
  }
}

function readValue(value: unknown): Expression {
  if (typeof value === 'boolean') return { kind: 'bool', value }
  if (typeof value === 'number') return { kind: 'long', value: String(value) }
  if (typeof value === 'string') return { kind: 'string', value }
  if (Array.isArray(value)) return { kind: 'set', items: value.map(readValue) }
  if (typeof value === 'object' && value !== null) {
    if ('__long' in value) return { kind: 'long', value: (value as { __long: string }).__long }
    if ('__entity' in value) return { kind: 'entity', uid: readUid(value as JsonUid) }
    if ('__extn' in value) {
      const { fn, arg } = (value as { __extn: { fn: string; arg: unknown } }).__extn
      return { kind: 'call', name: fn, args: [readValue(arg)] }
    }
    return { kind: 'record', fields: Object.fromEntries(Object.entries(value).map(([name, field]) => [name, readValue(field)])) }
  }
  throw unknown('value', value)
}

function unknown(what: string, json: unknown): Failure {
  return new Failure('UNSUPPORTED_CONSTRUCT', `Cedar wrote a ${what} that this version does not know: \`${JSON.stringify(json)?.slice(0, 200)}\``)
}

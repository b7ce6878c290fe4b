/** Names an entity: type (namespaces included) and id. `Action::"view"` is one too. */
export type Uid = { readonly type: string; readonly id: string }

export type Variable = 'principal' | 'action' | 'resource' | 'context'

/**
 * An expression of Cedar's language, as data: what its parser read, one node for one construct. The readers write these,
 * the constitution binds to these, the prover encodes these.
 *
 * Longs are decimal digits in a string, so that 64 bits stay exact in JSON.
 * @see https://docs.cedarpolicy.com/policies/syntax-grammar.html
 */
export type Expression =
  | { readonly kind: 'bool'; readonly value: boolean }
  | { readonly kind: 'long'; readonly value: string }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'entity'; readonly uid: Uid }
  | { readonly kind: 'var'; readonly name: Variable }
  | { readonly kind: 'get'; readonly of: Expression; readonly attribute: string }
  | { readonly kind: 'has'; readonly of: Expression; readonly attribute: string }
  | { readonly kind: 'not' | 'neg' | 'isEmpty'; readonly of: Expression }
  | { readonly kind: BinaryKind; readonly left: Expression; readonly right: Expression }
  | { readonly kind: 'is'; readonly of: Expression; readonly type: string; readonly in: Expression | null }
  | { readonly kind: 'if'; readonly condition: Expression; readonly then: Expression; readonly else: Expression }
  | { readonly kind: 'set'; readonly items: readonly Expression[] }
  | { readonly kind: 'record'; readonly fields: { readonly [name: string]: Expression } }
  /** A pattern's parts: a text, or `null` for the wildcard. */
  | { readonly kind: 'like'; readonly of: Expression; readonly pattern: readonly (string | null)[] }
  /** An extension function or method, e.g. `ip`, `isInRange`. */
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly Expression[] }

export type BinaryKind =
  | 'and' | 'or'
  | 'eq' | 'neq' | 'less' | 'lessEq' | 'greater' | 'greaterEq'
  | 'add' | 'sub' | 'mul'
  | 'in'
  | 'contains' | 'containsAll' | 'containsAny'
  | 'getTag' | 'hasTag'

export const TRUE: Expression = { kind: 'bool', value: true }
export const FALSE: Expression = { kind: 'bool', value: false }
export const PRINCIPAL: Expression = { kind: 'var', name: 'principal' }
export const RESOURCE: Expression = { kind: 'var', name: 'resource' }
export const CONTEXT: Expression = { kind: 'var', name: 'context' }

/** The conjunction of all; true of none. */
export function all(parts: readonly Expression[]): Expression {
  return parts.reduce<Expression | null>((left, right) => (left === null ? right : { kind: 'and', left, right }), null) ?? TRUE
}

/** The disjunction of all; false of none. */
export function any(parts: readonly Expression[]): Expression {
  return parts.reduce<Expression | null>((left, right) => (left === null ? right : { kind: 'or', left, right }), null) ?? FALSE
}

/** What a conjunction consists of, however it is nested; anything else is itself. */
export function conjuncts(expression: Expression): readonly Expression[] {
  return expression.kind === 'and' ? [...conjuncts(expression.left), ...conjuncts(expression.right)] : [expression]
}

export function not(of: Expression): Expression {
  return { kind: 'not', of }
}

/** `of.a.b.c` for the path `['a', 'b', 'c']`. */
export function path(of: Expression, attributes: readonly string[]): Expression {
  return attributes.reduce<Expression>((inner, attribute) => ({ kind: 'get', of: inner, attribute }), of)
}

/** The direct parts of an expression. */
export function childrenOf(expression: Expression): readonly Expression[] {
  switch (expression.kind) {
    case 'bool': case 'long': case 'string': case 'entity': case 'var': return []
    case 'get': case 'has': case 'not': case 'neg': case 'isEmpty': case 'like': return [expression.of]
    case 'is': return expression.in === null ? [expression.of] : [expression.of, expression.in]
    case 'if': return [expression.condition, expression.then, expression.else]
    case 'set': return expression.items
    case 'record': return Object.values(expression.fields)
    case 'call': return expression.args
    default: return [expression.left, expression.right]
  }
}

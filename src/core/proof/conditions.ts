import { Failure } from '#core/failure.ts'
import { all, any, childrenOf, not, PRINCIPAL, RESOURCE, type Expression, type Variable } from '#core/policy/expression.ts'
import type { Rule, Scope } from '#core/policy/policy.ts'
import { renderExpression } from '#core/policy/render.ts'
import { encodeStandalone, type Place } from './encode.ts'
import type { Term } from './terms.ts'

/** Something that holds of a request, does not, or cannot be evaluated: what rules are made of, and so what a difference is told in. */
export type Atom = { readonly expression: Expression; readonly err: Term; readonly value: Term }

export type Standing = 'holds' | 'does not hold' | 'fails'

/** What is known of one atom. */
export type Literal = { readonly atom: Atom; readonly standing: Standing }

/** A condition on requests: `when` holds, and none of `failing` can be evaluated, which Cedar’s language has no words for. */
export type Condition = { readonly when: Expression; readonly failing: readonly Expression[] }

/**
 * The atoms of rules in one environment, each once. What all of them are, in a request, decides what the rules do with it: so whatever
 * differs between two policies can be said in them.
 */
export function atomsOf(place: Place, rules: readonly Rule[]): readonly Atom[] {
  const found: Atom[] = []
  const seen = new Set<string>()
  for (const leaf of rules.flatMap((rule) => leavesOf(asExpression(rule)))) {
    const encoded = encodedOrNull(place, leaf)
    if (encoded === null) continue
    const { err, value } = encoded
    if (err === place.terms.false && value.kind === 'bool') continue
    const keys = [value, place.terms.not(value)].map(({ id }) => `${err.id},${id}`)
    if (keys.some((key) => seen.has(key))) continue
    keys.forEach((key) => seen.add(key))
    found.push({ expression: leaf, err, value })
  }
  return found
}

export function literalTerm({ terms }: Place, { atom: { err, value }, standing }: Literal): Term {
  if (standing === 'fails') return err
  return terms.and(terms.not(err), standing === 'holds' ? value : terms.not(value))
}

/** A rule’s scope and conditions as one expression, without its action scope, which the environment settles. */
export function asExpression({ principal, resource, when, unless }: Rule): Expression {
  return all([...scopeOf(PRINCIPAL, principal), ...scopeOf(RESOURCE, resource), ...when, ...unless.map(not)])
}

/** Of rules that concern one environment: that they permit, where none of them fails. */
export function permitting(rules: readonly Rule[]): Expression {
  const [permits, forbids] = (['permit', 'forbid'] as const).map((effect) => rules.filter((rule) => rule.effect === effect).map(asExpression)) as [Expression[], Expression[]]
  return forbids.length === 0 ? any(permits) : all([any(permits), not(any(forbids))])
}

/**
 * The literals as a condition that Cedar’s validator accepts: what may be absent is asked for before it is read.
 *
 * @param holds Of which of the guards it may be said: those that hold where the literals were found.
 */
export function conditionOf(place: Place, literals: readonly Literal[], holds: (guard: Expression) => boolean): Condition {
  const parts: Expression[] = []
  const said = new Set<string>()
  const say = (part: Expression): void => {
    const text = renderExpression(part)
    if (!said.has(text)) parts.push(part)
    said.add(text)
  }
  for (const { atom: { expression }, standing } of literals) {
    for (const guard of guardsOf(place, expression)) if (holds(guard)) say(guard)
    if (standing !== 'fails') say(standing === 'holds' ? expression : negated(expression))
  }
  return { when: all(parts), failing: literals.filter(({ standing }) => standing === 'fails').map(({ atom }) => atom.expression) }
}

/** @throws {Failure} `UNSUPPORTED_CONSTRUCT` */
export function conditionTerm(place: Place, { when, failing }: Condition): Term {
  const { terms } = place
  const { err, value } = encodeStandalone(place, when, 'a condition')
  return terms.and(terms.not(err), value, ...failing.map((each) => encodeStandalone(place, each, 'a condition').err))
}

/** What must be there for an expression to be read: presences that the schema leaves open, the outer ones first. */
export function guardsOf(place: Place, expression: Expression): readonly Expression[] {
  const inner = childrenOf(expression).flatMap((child) => guardsOf(place, child))
  const own: Expression[] = expression.kind === 'get' ? [{ kind: 'has', of: expression.of, attribute: expression.attribute }]
    : expression.kind === 'getTag' ? [{ kind: 'hasTag', left: expression.left, right: expression.right }]
    : []
  return [...inner, ...own.filter((guard) => encodedOrNull(place, guard)?.value.kind !== 'bool')]
}

/** Whether an expression reads a variable. */
export function reads(expression: Expression, name: Variable): boolean {
  return (expression.kind === 'var' && expression.name === name) || childrenOf(expression).some((child) => reads(child, name))
}

// ---- From rules to leaves ----

function leavesOf(expression: Expression): readonly Expression[] {
  switch (expression.kind) {
    case 'and': case 'or': return [...leavesOf(expression.left), ...leavesOf(expression.right)]
    case 'not': return leavesOf(expression.of)
    case 'if': return [expression.condition, expression.then, expression.else].flatMap(leavesOf)
    case 'bool': return []
    case 'neq': return [{ ...expression, kind: 'eq' }]
    default: return [expression]
  }
}

const OPPOSITE: { readonly [kind: string]: 'neq' | 'less' | 'lessEq' | 'greater' | 'greaterEq' } = {
  eq: 'neq', less: 'greaterEq', lessEq: 'greater', greater: 'lessEq', greaterEq: 'less',
}

function negated(expression: Expression): Expression {
  const kind = OPPOSITE[expression.kind]
  return kind !== undefined && 'left' in expression ? { kind, left: expression.left, right: expression.right } : not(expression)
}

function scopeOf(subject: Expression, scope: Scope): readonly Expression[] {
  switch (scope.kind) {
    case 'any': return []
    case 'eq': case 'in': return [{ kind: scope.kind, left: subject, right: { kind: 'entity', uid: scope.uid } }]
    case 'is': return [{ kind: 'is', of: subject, type: scope.type, in: scope.in === null ? null : { kind: 'entity', uid: scope.in } }]
  }
}

/** Null where the environment has no such thing, as behind a test that no request of it passes. */
function encodedOrNull(place: Place, expression: Expression): { readonly err: Term; readonly value: Term } | null {
  try {
    return encodeStandalone(place, expression, 'a condition')
  } catch (error) {
    if (error instanceof Failure && error.code === 'UNSUPPORTED_CONSTRUCT') return null
    throw error
  }
}

import { canonical, digest } from '#core/canonical.ts'
import { all, not, type Expression } from './expression.ts'
import { obligations, uidText, type ActionScope, type Rule } from './policy.ts'
import type { Schema } from './schema.ts'

/**
 * 16 hex digits of a policy set in a normal form: equal hashes mean equal meaning over the same schema. The converse does not
 * hold; what is written otherwise may mean the same, and `acgs prove equivalent` is the one to ask.
 *
 * The normal form forgets names, comments, annotations other than obligations, the order of rules, of actions and of operands
 * that cannot fail to evaluate, and where a condition stands (`unless` is a negated `when`).
 */
export function semanticHash(rules: readonly Rule[], schema: Schema): string {
  const normal = [...new Set(rules.map((rule) => canonical(normalRule(rule, schema))))].sort()
  return digest({ schema: schema.digest, rules: normal }).slice(0, 16)
}

function normalRule(rule: Rule, schema: Schema): unknown {
  const condition = all([...rule.when, ...rule.unless.map(not)])
  return {
    effect: rule.effect,
    obligations: rule.effect === 'permit' ? obligations(rule) : [],
    principal: rule.principal,
    actions: normalActions(rule.action, schema),
    resource: rule.resource,
    condition: normalExpression(condition),
  }
}

function normalActions(scope: ActionScope, schema: Schema): readonly string[] {
  const wanted = scope.kind === 'any' ? null : scope.kind === 'eq' ? [uidText(scope.uid)] : scope.uids.map(uidText)
  const isMeant = (text: string, ancestors: readonly string[]) => wanted === null || wanted.includes(text) || (scope.kind === 'in' && ancestors.some((group) => wanted.includes(group)))
  return [...schema.actions].filter(([text, action]) => action.principals.length > 0 && isMeant(text, action.ancestors)).map(([text]) => text).sort()
}

function normalExpression(expression: Expression): unknown {
  if (expression.kind === 'and' || expression.kind === 'or') {
    const parts = operands(expression, expression.kind)
    const normal = parts.map((part) => canonical(normalExpression(part)))
    // `false && overflow` is false and `overflow && false` fails: only what cannot fail may change places.
    return { [expression.kind]: parts.some(canFail) ? normal : [...new Set(normal)].sort() }
  }
  return Object.fromEntries(Object.entries(expression).map(([name, member]) => [name, normalMember(member)]))
}

function normalMember(member: unknown): unknown {
  if (Array.isArray(member)) return member.map(normalMember)
  if (typeof member === 'object' && member !== null) return 'kind' in member ? normalExpression(member as Expression) : Object.fromEntries(Object.entries(member).map(([name, inner]) => [name, normalMember(inner)]))
  return member
}

function operands(expression: Expression, kind: 'and' | 'or'): readonly Expression[] {
  return expression.kind === kind ? [...operands(expression.left, kind), ...operands(expression.right, kind)] : [expression]
}

/** Whether a strictly validated expression can fail to evaluate: only arithmetic and extension calls can. */
function canFail(expression: Expression): boolean {
  const text = canonical(expression)
  return ['add', 'sub', 'mul', 'neg', 'call', 'getTag'].some((kind) => text.includes(`"kind":"${kind}"`))
}

import { childrenOf, not, type Expression, type Variable } from '#core/policy/expression.ts'
import type { Rule } from '#core/policy/policy.ts'

/**
 * A rule's conditions as one sequence, which is evaluated in order up to the first part that is not true: the rule holds when there is none,
 * does not when that part is false, and fails when that part has no boolean value. `unless` is the negation of its body, part by part.
 */
export function conjunctsOf({ when, unless }: Pick<Rule, 'when' | 'unless'>): readonly Expression[] {
  return [...when.flatMap(parts), ...unless.flatMap(negated)]
}

function parts(body: Expression): readonly Expression[] {
  return body.kind === 'and' ? [...parts(body.left), ...parts(body.right)] : body.kind === 'not' ? negated(body.of) : [body]
}

function negated(body: Expression): readonly Expression[] {
  return body.kind === 'or' ? [...negated(body.left), ...negated(body.right)] : body.kind === 'not' ? parts(body.of) : [not(body)]
}

/** What of a request an expression looks at. */
export type Mentions = { readonly [of in Variable]: boolean }

export function mentionsOf(expression: Expression): Mentions {
  const found = { principal: false, action: false, resource: false, context: false }
  const look = (part: Expression): void => {
    if (part.kind === 'var') found[part.name] = true
    for (const inner of childrenOf(part)) look(inner)
  }
  look(expression)
  return found
}

import { all, any, FALSE, not, TRUE, type Expression } from '#core/policy/expression.ts'
import type { Rule } from '#core/policy/policy.ts'
import type { Random } from '#core/proof/random-world.ts'

/** The same rules in other words and in another order: operands turned round, double negations, cases written out. */
export function reworded(rules: readonly Rule[], random: Random): readonly Rule[] {
  const turn = (expression: Expression): Expression => {
    switch (expression.kind) {
      case 'and': return { kind: 'if', condition: turn(expression.left), then: turn(expression.right), else: FALSE }
      case 'or': return { kind: 'if', condition: turn(expression.left), then: TRUE, else: turn(expression.right) }
      case 'not': return { kind: 'if', condition: turn(expression.of), then: FALSE, else: TRUE }
      case 'greater': return { kind: 'less', left: expression.right, right: expression.left }
      case 'greaterEq': return not({ kind: 'less', left: expression.left, right: expression.right })
      case 'neq': return not({ kind: 'eq', left: expression.right, right: expression.left })
      case 'contains': return { kind: 'containsAll', left: expression.left, right: { kind: 'set', items: [expression.right] } }
      default: return expression
    }
  }
  return rules
    .map((rule) => (random() < 0.5 ? { ...rule, when: rule.when.map(turn) } : { ...rule, when: [not(not(any([rule.when.length === 0 ? TRUE : all(rule.when)])))] }))
    .map((rule) => ({ rule, rank: random() }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ rule }) => rule)
}

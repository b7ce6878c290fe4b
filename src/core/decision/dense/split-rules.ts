import type { Expression } from '#core/policy/expression.ts'
import { obligations as obligationsOf, type Rule } from '#core/policy/policy.ts'
import { compileExpression, type Evaluate } from '../compile-expression.ts'
import type { Decision } from '../decide.ts'
import { conjunctsOf, mentionsOf } from './conjuncts.ts'
import type { Demand } from './masks.ts'

/** A rule, taken apart once for all environments. */
export type SplitRule = {
  readonly rule: Rule
  readonly order: number
  readonly isPermit: boolean
  readonly obligations: readonly string[]
  /** What is decided when it alone determines. Shared by all such decisions. */
  readonly alone: Decision
  readonly principal: Demand
  readonly resource: Demand
  /** What remains for decision time, in order. */
  readonly relations: readonly { readonly key: string; readonly expression: Expression }[]
}

/** Of every decision made here. */
export const NOTHING = Object.freeze({ errors: Object.freeze([]), missing: Object.freeze([]) })
export const NO_OBLIGATIONS: readonly string[] = Object.freeze([])

/** Rules, each taken apart when it is first asked for. */
export class SplitRules {
  readonly #rules: readonly Rule[]
  readonly #split: SplitRule[] = []
  readonly #compiled = new Map<string, Evaluate>()

  constructor(rules: readonly Rule[]) {
    this.#rules = rules
  }

  /** Those of the rules that are wanted, in order. */
  filter(isWanted: (rule: Rule) => boolean): readonly SplitRule[] {
    const found: SplitRule[] = []
    for (const [order, rule] of this.#rules.entries()) if (isWanted(rule)) found.push(this.#split[order] ??= this.#splitRule(rule, order))
    return found
  }

  /**
   * Conjuncts of one side come before the others as masks, up to the first that is neither side's alone: from there on the rule's own order decides
   * whether one fails, and all is left to decision time.
   */
  #splitRule(rule: Rule, order: number): SplitRule {
    const conjuncts = conjunctsOf(rule).map((expression) => ({ expression, key: JSON.stringify(expression), ...mentionsOf(expression) }))
    const mixed = conjuncts.findIndex(({ principal, resource, context }) => context || (principal && resource))
    const before = mixed < 0 ? conjuncts : conjuncts.slice(0, mixed)
    const isPermit = rule.effect === 'permit'
    const obligations = Object.freeze([...obligationsOf(rule)])
    const determining = Object.freeze([rule.id])
    return {
      rule,
      order,
      isPermit,
      obligations,
      alone: Object.freeze(isPermit ? { decision: 'allow', verdict: 'permitted', determining, obligations, ...NOTHING } : { decision: 'deny', verdict: 'forbidden', determining, obligations: NO_OBLIGATIONS, ...NOTHING }),
      principal: { scope: rule.principal, conjuncts: before.filter(({ resource }) => !resource).map((each) => this.#compile(each)) },
      resource: { scope: rule.resource, conjuncts: before.filter(({ resource }) => resource).map((each) => this.#compile(each)) },
      relations: mixed < 0 ? [] : conjuncts.slice(mixed),
    }
  }

  #compile({ key, expression }: { readonly key: string; readonly expression: Expression }): Demand['conjuncts'][number] {
    const evaluate = this.#compiled.get(key) ?? compileExpression(expression)
    this.#compiled.set(key, evaluate)
    return { key, evaluate }
  }
}

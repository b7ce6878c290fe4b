import { obligationsOfAll, type PolicySet, type Rule } from '#core/policy/policy.ts'
import { written } from '#core/policy/render.ts'
import type { Environment, Schema } from '#core/policy/schema.ts'
import { decided, type EncodedPolicy, type EncodedRule, type Semantics } from './encode.ts'
import type { Proof } from './proof.ts'
import { meansElse } from './questions.ts'
import { settle, type Engines } from './settle.ts'
import { Study, type Claim, type Options, type Question } from './study.ts'
import type { Term, Terms } from './terms.ts'

/**
 * What is known about one rule among the others of its policy. Each is a question whose `proved` says that it is so, and whose
 * counterexample is a request that shows otherwise.
 */
export type RuleFindings = {
  readonly rule: Rule
  /** No request satisfies it. */
  readonly vacuous: Proof
  /**
   * It never tells: of a permit, that whatever satisfies it is denied all the same; of a forbid, that whatever satisfies it satisfies
   * another one too. So is every vacuous rule.
   */
  readonly shadowed: Proof
  /** The policy means the same without it: decisions, and obligations of what is permitted. */
  readonly redundant: Proof
  /** It evaluates without failing, whatever is asked. */
  readonly neverFails: Proof
}

/**
 * Looks at every rule of a policy: four questions each, all asked at once. A rule that concerns no environment is vacuous, shadowed and
 * redundant without a solver.
 *
 * Rules that are each redundant may not be so together: of two that say the same, each is, until the other is gone.
 *
 * @returns In the order of the rules. What the prover does not decide is `unknown` in that question, and nothing is thrown for it.
 */
export async function lint(policy: PolicySet, schema: Schema, engines: Engines, options: Options = {}): Promise<readonly RuleFindings[]> {
  const study = new Study(schema, options)
  const judged = judgeBy(policy, study.semantics)
  const questions = policy.rules.flatMap((rule) => QUESTIONS.map(({ name, goal, fails }): Question => ({
    name: `${name}:${rule.id}`,
    inputs: { policy: policy.text, rule: rule.id },
    environments: study.select(schema.environments),
    rules: policy.rules,
    claim: (environment) => ({
      goal: goalIn(study, policy, rule, environment, goal),
      mentions: [],
      fails: (scene, look) => fails(rule, judged(scene, look)),
    }),
  })))
  const proofs = await settle(study, questions, engines)
  const width = QUESTIONS.length
  return policy.rules.map((rule, i) => {
    const [vacuous, shadowed, redundant, neverFails] = proofs.slice(i * width, (i + 1) * width)
    return { rule, vacuous, shadowed, redundant, neverFails } as RuleFindings
  })
}

type Goal = (terms: Terms, rule: EncodedRule, whole: EncodedPolicy, without: () => EncodedPolicy) => Term

const QUESTIONS: readonly { readonly name: string; readonly goal: Goal; readonly fails: (rule: Rule, judged: Judged) => boolean }[] = [
  {
    name: 'vacuous',
    goal: (_, { satisfied }) => satisfied,
    fails: ({ id }, { satisfied }) => satisfied.has(id),
  },
  {
    name: 'shadowed',
    goal: (terms, { rule, satisfied }, { allow }, without) =>
      rule.effect === 'permit' ? terms.and(satisfied, allow) : terms.and(satisfied, terms.not(anyForbid(terms, without()))),
    fails: (rule, { satisfied, isAllowed, forbidding }) =>
      satisfied.has(rule.id) && (rule.effect === 'permit' ? isAllowed(null) : forbidding.length === 1),
  },
  {
    name: 'redundant',
    goal: (terms, _, whole, without) => meansElse(terms, whole, without()),
    fails: (rule, { isAllowed, obligations }) => isAllowed(null) !== isAllowed(rule) || obligations(null).join() !== obligations(rule).join(),
  },
  {
    name: 'never-fails',
    goal: (_, { err }) => err,
    fails: ({ id }, { erring }) => erring.has(id),
  },
]

/** What Cedar says of a request: which rules are satisfied, which fail, and so what all of them, or all but one, decide. */
type Judged = {
  readonly satisfied: ReadonlySet<string>
  readonly erring: ReadonlySet<string>
  readonly forbidding: readonly Rule[]
  readonly isAllowed: (without: Rule | null) => boolean
  readonly obligations: (without: Rule | null) => readonly string[]
}

/** Permits and forbids are asked apart, so that Cedar names every rule that is satisfied; both texts stay the same for all rules. */
function judgeBy(policy: PolicySet, semantics: Semantics): (...seen: Parameters<Claim['fails']>) => Judged {
  const askable = (effect: Rule['effect']): PolicySet => {
    return written(policy.rules.filter((rule) => rule.effect === effect).map((rule): Rule => ({ ...rule, effect: 'permit' })))
  }
  const parts = [askable('permit'), askable('forbid')]
  return (scene, look) => {
    const said = parts.map((part) => look.permits(part, scene))
    const satisfied = new Set(said.flatMap((each) => each.satisfied))
    const erring = new Set(said.flatMap((each) => each.erring))
    const holding = (effect: Rule['effect'], without: Rule | null) => policy.rules.filter((rule) => rule.effect === effect && rule !== without && satisfied.has(rule.id))
    const isAllowed = (without: Rule | null): boolean => {
      const fails = semantics === 'decision-point' && policy.rules.some((rule) => rule !== without && erring.has(rule.id))
      return holding('permit', without).length > 0 && holding('forbid', without).length === 0 && !fails
    }
    return {
      satisfied, erring, isAllowed,
      forbidding: holding('forbid', null),
      obligations: (without) => (isAllowed(without) ? obligationsOfAll(holding('permit', without)) : []),
    }
  }
}

function goalIn(study: Study, policy: PolicySet, rule: Rule, environment: Environment, goal: Goal): Term {
  const { terms } = study.place(environment)
  const whole = study.policy(environment, policy)
  const encoded = whole.rules.find((each) => each.rule === rule)
  if (encoded === undefined) return terms.false
  return goal(terms, encoded, whole, () => decided(terms, whole.rules.filter((each) => each !== encoded), study.semantics))
}

function anyForbid(terms: Terms, { rules }: EncodedPolicy): Term {
  return terms.or(...rules.filter((each) => each.rule.effect === 'forbid').map(({ satisfied }) => satisfied))
}

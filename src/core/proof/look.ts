import type { BoundArticle } from '#core/constitution/article.ts'
import type { Expression } from '#core/policy/expression.ts'
import { obligationsOfAll, type PolicySet, type Rule } from '#core/policy/policy.ts'
import { written } from '#core/policy/render.ts'
import type { Schema } from '#core/policy/schema.ts'
import type { CedarEntity, CedarRequest } from '#core/unit/semantic-unit.ts'
import type { Semantics } from './encode.ts'
import { forCedar } from './exact.ts'
import type { Counterexample } from './proof.ts'

/** Cedar's own decision, in which an erring rule is skipped and listed. Throws when request or entities do not fit the schema. */
export type Replay = (question: { policies: PolicySet; schema: Schema; request: CedarRequest; entities: readonly CedarEntity[] }) => {
  readonly decision: 'allow' | 'deny'
  readonly determining: readonly string[]
  readonly errors: readonly { readonly rule: string }[]
}

/** Which requests of an environment an article is about. */
export type Concern = BoundArticle['environments'][number]

/** What Cedar decides about a policy, under the semantics that is asked about. */
export type Decided = { readonly isAllowed: boolean; readonly errs: boolean; readonly obligations: readonly string[] }

/** A counterexample, seen with Cedar's eyes. */
export type Look = {
  readonly decided: (policy: PolicySet, counterexample: Counterexample) => Decided
  readonly concerned: (concern: Concern, counterexample: Counterexample) => boolean
  /** Which permits of a policy without forbids are satisfied, and which fail. */
  readonly permits: (policy: PolicySet, counterexample: Counterexample) => { readonly satisfied: readonly string[]; readonly erring: readonly string[] }
}

export function lookWith({ schema, semantics }: { readonly schema: Schema; readonly semantics: Semantics }, replay: Replay): Look {
  const ask = (policies: PolicySet, counterexample: Counterexample) => {
    const { principal, action, resource } = counterexample
    const { context, entities } = forCedar(schema, action, counterexample)
    return replay({ policies, schema, request: { principal, action, resource, context }, entities })
  }
  return {
    decided: (policy, counterexample) => {
      const { decision, determining, errors } = ask(policy, counterexample)
      const errs = errors.length > 0
      const isAllowed = decision === 'allow' && (semantics === 'cedar' || !errs)
      const permits = policy.rules.filter(({ id }) => determining.includes(id))
      return { isAllowed, errs, obligations: isAllowed ? obligationsOfAll(permits) : [] }
    },
    permits: (policy, counterexample) => {
      const { determining, errors } = ask(policy, counterexample)
      return { satisfied: determining, erring: errors.map(({ rule }) => rule) }
    },
    concerned: ({ matches, unless }, counterexample) => {
      const rules = [probe('matches', matches), ...(unless === null ? [] : [probe('unless', unless)])]
      const { determining, errors } = ask(written(rules), counterexample)
      const erring = errors.map(({ rule }) => rule)
      return (determining.includes('matches') || erring.includes('matches')) && !determining.includes('unless')
    },
  }
}

/** A rule that is satisfied exactly where a condition holds. */
export function probe(id: string, condition: Expression): Rule {
  const any = { kind: 'any' } as const
  return { id, effect: 'permit', annotations: {}, principal: any, action: any, resource: any, when: [condition], unless: [] }
}

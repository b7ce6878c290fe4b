import { digest } from '#core/canonical.ts'
import type { BoundArticle } from '#core/constitution/article.ts'
import { assemble } from '#core/policy/assemble.ts'
import { TRUE, type Expression } from '#core/policy/expression.ts'
import type { Rule } from '#core/policy/policy.ts'
import { renderExpression, renderRules } from '#core/policy/render.ts'
import type { Action, Schema } from '#core/policy/schema.ts'
import type { Norm } from '#core/unit/norm.ts'
import type { SemanticUnit } from '#core/unit/semantic-unit.ts'
import type { Candidate } from './candidate.ts'

const VERSION = '1'

/**
 * What the principles that a request names (all, when it names none) demand of any policy over its schema: for each
 * never-permit article the prohibitions that uphold it. It permits nothing and does not read the text, so it is no witness
 * of what the text means.
 */
export function proposePrinciples(unit: SemanticUnit, bound: readonly BoundArticle[]): Candidate {
  const named = unit.request.principles
  const chosen = bound.filter(({ article }) => article.kind === 'never-permit' && (named.length === 0 || named.includes(article.principle)))
  return {
    method: 'principles',
    readsText: false,
    lineage: `principles ${VERSION} ${digest(chosen).slice(0, 16)}`,
    cedar: renderRules(chosen.flatMap((article) => prohibitions(article, unit.schema))),
    readings: [],
  }
}

/** The forbid rules that together make a policy obey one never-permit article, each with the article's id and text. */
export function prohibitions(bound: BoundArticle, schema: Schema): readonly Rule[] {
  const { id, text } = bound.article
  return assemble(prohibitingNorms(bound, schema), schema).map((rule) => ({ ...rule, annotations: { article: id, text } }))
}

/** The same as norms: what a text would have to say. */
export function prohibitingNorms({ article, environments }: BoundArticle, schema: Schema): readonly Norm[] {
  // Environments of one meaning share a rule: first the principals of each action and resource, then the actions.
  const byTarget = Map.groupBy(environments, ({ environment, matches, unless }) => key(environment.action, environment.resource, matches, unless))
  const targets = [...byTarget.values()].map((group) => {
    const { environment, matches, unless } = group[0] as (typeof group)[number]
    return { ...environment, principals: group.map((each) => each.environment.principal), matches, unless }
  })
  const byMeaning = Map.groupBy(targets, ({ principals, resource, matches, unless }) => key(principals.join(' '), resource, matches, unless))

  return [...byMeaning.values()].map((group, index): Norm => {
    const { principals, resource, matches, unless } = group[0] as (typeof group)[number]
    return {
      id: byMeaning.size === 1 ? article.id : `${article.id}.${index + 1}`,
      sentence: 0,
      source: article.text,
      modality: 'forbid',
      principals: group.every(({ action }) => coversAll(schema.actions.get(action) as Action, principals)) ? [] : principals,
      actions: group.map(({ action }) => (schema.actions.get(action) as Action).uid),
      resources: [resource],
      when: matches === TRUE ? null : matches,
      unless,
      obligation: null,
    }
  })
}

function key(...parts: readonly (string | Expression | null)[]): string {
  return JSON.stringify(parts.map((part) => (part === null || typeof part === 'string' ? part : renderExpression(part))))
}

/** Naming every type that can do it says no more than naming none. */
function coversAll(action: Action, principals: readonly string[]): boolean {
  return action.principals.every((principal) => principals.includes(principal))
}

import type { PolicySet } from '#core/policy/policy.ts'
import { renderRules } from '#core/policy/render.ts'
import type { Schema } from '#core/policy/schema.ts'
import { parsePolicies, parseUnvalidated, type TemplateLink } from './cedar.ts'

/**
 * Reads a policy set with templates, strictly validated: the static rules in the order of the text, then one rule for each link. Its
 * text has no templates left: it is the one that is proved about, replayed and signed.
 *
 * @param links Templates of the text by their `@id`; a template without a link is no rule.
 * @throws {Failure} `POLICY_INVALID`: as `parsePolicies`, and where a link names no template, leaves a slot open or fills one that is not
 *   there.
 * @see https://docs.cedarpolicy.com/policies/templates.html
 */
export function parseLinked(text: string, links: readonly TemplateLink[], schema: Schema): PolicySet {
  const { rules } = parseUnvalidated(text, { links })
  const linked = new Set(links.map(({ id }) => id))
  return parsePolicies(renderRules(rules.map((rule) => (linked.has(rule.id) ? { ...rule, annotations: { ...rule.annotations, id: rule.id } } : rule))), schema)
}

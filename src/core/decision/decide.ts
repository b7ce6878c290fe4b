import { obligationsOfAll, uidText, type PolicySet } from '#core/policy/policy.ts'
import type { Schema } from '#core/policy/schema.ts'
import type { CedarEntity, CedarRequest } from '#core/unit/semantic-unit.ts'
import { meet, readsOf, typeOf } from './reads.ts'

/**
 * What the decision point answers. The three kinds of no are told apart: `forbidden` by a rule, `not_permitted` by any, and
 * `error`, when the question could not be evaluated (a rule failed, an entity that a rule reads is missing).
 */
export type Decision = {
  readonly decision: 'allow' | 'deny'
  readonly verdict: 'permitted' | 'forbidden' | 'not_permitted' | 'error'
  /** Ids of the rules that determined it. */
  readonly determining: readonly string[]
  /** For a permit: what whoever lets it through must do. */
  readonly obligations: readonly string[]
  readonly errors: readonly { readonly rule: string; readonly message: string }[]
  /** What a rule reads and nobody supplied: uids of entities, and attributes (`User::"ana".quota`, `context.amount`). */
  readonly missing: readonly string[]
}

/** Cedar's own answer, where an erring rule is skipped. */
export type Authorize = (question: { policies: PolicySet; schema: Schema | null; request: CedarRequest; entities: readonly CedarEntity[] }) => {
  readonly decision: 'allow' | 'deny'
  readonly determining: readonly string[]
  readonly errors: readonly { readonly rule: string; readonly message: string }[]
}

/**
 * Decides one request, failing closed: any evaluation error and anything missing that a rule reads denies. Cedar alone would
 * skip the erring rule, and a skipped `forbid` is an open door; what was proved assumes that neither happens.
 *
 * @throws {Failure} `REQUEST_MALFORMED` when the request or the entities do not fit the schema.
 */
export function decide(question: { policies: PolicySet; schema: Schema; request: CedarRequest; entities: readonly CedarEntity[] }, authorize: Authorize): Decision {
  return conclude(question.policies, authorize(question), missingFrom(question))
}

/** What follows from Cedar's own answer and from what is missing: an error wherever one of the two leaves a doubt. */
export function conclude(policies: PolicySet, { decision, determining, errors }: ReturnType<Authorize>, missing: readonly string[]): Decision {
  if (errors.length > 0 || missing.length > 0) return { decision: 'deny', verdict: 'error', determining: [], obligations: [], errors, missing }
  if (decision === 'deny') return { decision, verdict: determining.length > 0 ? 'forbidden' : 'not_permitted', determining, obligations: [], errors, missing }
  const permits = policies.rules.filter((rule) => determining.includes(rule.id))
  return { decision, verdict: 'permitted', determining, obligations: obligationsOfAll(permits), errors, missing }
}

function missingFrom({ policies, schema, request, entities }: { policies: PolicySet; schema: Schema; request: CedarRequest; entities: readonly CedarEntity[] }): readonly string[] {
  const present = new Map(entities.map((entity) => [uidText(entity.uid), entity]))
  const reads = readsOf(policies, schema, { principal: typeOf(request.principal), action: request.action, resource: typeOf(request.resource) })
  return meet(reads, { schema, request, lookup: (text) => present.get(text) ?? null, stored: (text) => present.get(text) ?? null }).missing
}

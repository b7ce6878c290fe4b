import type { Expression } from '#core/policy/expression.ts'
import { obligations as obligationsOf, uidText, type PolicySet, type Rule } from '#core/policy/policy.ts'
import type { Schema } from '#core/policy/schema.ts'
import type { CedarEntity, CedarRequest } from '#core/unit/semantic-unit.ts'

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
  /** Uids of entities that a rule reads and nobody supplied. */
  readonly missing: readonly string[]
}

/** Cedar's own answer, where an erring rule is skipped. */
export type Authorize = (question: { policies: PolicySet; schema: Schema | null; request: CedarRequest; entities: readonly CedarEntity[] }) => {
  readonly decision: 'allow' | 'deny'
  readonly determining: readonly string[]
  readonly errors: readonly { readonly rule: string; readonly message: string }[]
}

/**
 * Decides one request, failing closed: any evaluation error and any missing entity that a rule reads denies. Cedar alone would
 * skip the erring rule, and a skipped `forbid` is an open door; what was proved assumes that neither happens.
 *
 * @throws {Failure} `REQUEST_MALFORMED` when the request or the entities do not fit the schema.
 */
export function decide(question: { policies: PolicySet; schema: Schema; request: CedarRequest; entities: readonly CedarEntity[] }, authorize: Authorize): Decision {
  const { decision, determining, errors } = authorize(question)
  const missing = missingEntities(question)
  if (errors.length > 0 || missing.length > 0) return { decision: 'deny', verdict: 'error', determining: [], obligations: [], errors, missing }
  if (decision === 'deny') return { decision, verdict: determining.length > 0 ? 'forbidden' : 'not_permitted', determining, obligations: [], errors, missing }
  const permits = question.policies.rules.filter((rule) => determining.includes(rule.id))
  return { decision, verdict: 'permitted', determining, obligations: [...new Set(permits.flatMap(obligationsOf))].sort(), errors, missing }
}

type Value = unknown

/**
 * The entities that some rule for this action reads (an attribute, a tag, its ancestors) and that are not there. Cedar would answer
 * `has` and `in` about them with a silent no. What no rule reads may be missing.
 */
function missingEntities({ policies, schema, request, entities }: { policies: PolicySet; schema: Schema; request: CedarRequest; entities: readonly CedarEntity[] }): readonly string[] {
  const present = new Map(entities.map((entity) => [uidText(entity.uid), entity]))
  const missing = new Set<string>()
  const roots = { principal: request.principal, resource: request.resource }
  const readsOf = (uid: string) => {
    const type = uid.slice(0, uid.lastIndexOf('::"'))
    const declared = schema.entityTypes.get(type)
    if (declared === undefined || declared.ids !== null || present.has(uid)) return
    missing.add(uid)
  }

  const valueOf = (expression: Expression): Value => {
    switch (expression.kind) {
      case 'entity': return { __uid: uidText(expression.uid) }
      case 'var':
        if (expression.name === 'context') return request.context
        return expression.name === 'action' ? undefined : { __uid: roots[expression.name] }
      case 'get': {
        const of = valueOf(expression.of)
        if (typeof of !== 'object' || of === null) return undefined
        if (!('__uid' in of)) return refer((of as { [name: string]: Value })[expression.attribute])
        const entity = present.get((of as { __uid: string }).__uid)
        return entity === undefined ? undefined : refer(entity.attrs[expression.attribute])
      }
      default: return undefined
    }
  }
  const visit = (expression: Expression): void => {
    const read = 'of' in expression && ['get', 'has'].includes(expression.kind) ? expression.of
      : expression.kind === 'is' && expression.in !== null ? expression.of
      : 'left' in expression && ['in', 'getTag', 'hasTag'].includes(expression.kind) ? expression.left
      : null
    if (read !== null) {
      for (const leaf of leaves(read)) {
        const value = valueOf(leaf)
        if (typeof value === 'object' && value !== null && '__uid' in value) readsOf((value as { __uid: string }).__uid)
      }
    }
    for (const child of children(expression)) visit(child)
  }

  // Principal and resource are what the request is about: without them there is nothing to decide on.
  readsOf(roots.principal)
  readsOf(roots.resource)
  for (const rule of policies.rules) if (concerns(rule, request, schema)) for (const body of [...rule.when, ...rule.unless]) visit(body)
  return [...missing].sort()
}

function concerns(rule: Rule, request: CedarRequest, schema: Schema): boolean {
  if (rule.action.kind === 'any') return true
  const ancestors = schema.actions.get(request.action)?.ancestors ?? []
  if (rule.action.kind === 'eq') return uidText(rule.action.uid) === request.action
  return rule.action.uids.some((uid) => uidText(uid) === request.action || ancestors.includes(uidText(uid)))
}

/** What an expression can evaluate to, by its branches. */
function leaves(expression: Expression): readonly Expression[] {
  return expression.kind === 'if' ? [...leaves(expression.then), ...leaves(expression.else)] : [expression]
}

function children(expression: Expression): readonly Expression[] {
  switch (expression.kind) {
    case 'bool': case 'long': case 'string': case 'entity': case 'var': return []
    case 'get': case 'has': case 'not': case 'neg': case 'isEmpty': case 'like': return [expression.of]
    case 'is': return expression.in === null ? [expression.of] : [expression.of, expression.in]
    case 'if': return [expression.condition, expression.then, expression.else]
    case 'set': return expression.items
    case 'record': return Object.values(expression.fields)
    case 'call': return expression.args
    default: return [expression.left, expression.right]
  }
}

/** Entity references in Cedar's JSON, explicit (`__entity`) or implied by the schema. */
function refer(value: Value): Value {
  if (typeof value !== 'object' || value === null) return value
  const uid = '__entity' in value ? (value as { __entity: Value }).__entity : value
  if (typeof uid === 'object' && uid !== null && typeof (uid as { type?: unknown }).type === 'string' && typeof (uid as { id?: unknown }).id === 'string' && Object.keys(uid).length === 2) {
    return { __uid: uidText(uid as { type: string; id: string }) }
  }
  return value
}

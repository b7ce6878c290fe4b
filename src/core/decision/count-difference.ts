import { all, childrenOf, conjuncts, type Expression } from '#core/policy/expression.ts'
import { obligations as obligationsOf, type PolicySet } from '#core/policy/policy.ts'
import type { Environment, Schema, Type } from '#core/policy/schema.ts'
import { reads, type Condition } from '#core/proof/conditions.ts'
import { OUT_OF_TIME, type EnvironmentDifference, type Part } from '#core/proof/diff.ts'
import type { Semantics } from '#core/proof/encode.ts'
import { probe } from '#core/proof/study.ts'
import type { CedarEntity } from '#core/unit/semantic-unit.ts'
import { readEntities } from './entity-graph.ts'
import { Evaluator } from './evaluator.ts'
import type { Entities, Request } from './situation.ts'
import { EntityValue, RecordValue } from './value.ts'

/** What a difference amounts to over entities that there are. */
export type Counted = {
  /** So many pairs of a principal and a resource. */
  readonly pairs: number
  /**
   * Of the pairs, so many for which a part of the difference is so, and how many principals stand in them; null: they were not counted, for the reason
   * that is given. Where the context is read, a part whose conditions are open is left out.
   */
  readonly parts: readonly { readonly part: Part; readonly pairs: number; readonly principals: number }[] | null
  readonly uncounted: string | null
  /**
   * What it means that a part is so for a pair. decided: no rule reads the context, and both policies decide the pair so, missing entities and all.
   * some-context: in some context they may come with. at-most: of a condition, only what does not read the context was looked at, so that it may
   * hold of fewer.
   */
  readonly means: 'decided' | 'some-context' | 'at-most'
}

/** Beyond so many pairs nothing is counted: it would take minutes. */
export const PAIRS_MAX = 5_000_000

/** So many pairs are looked at before it is asked whether to go on. */
const PAIRS_AT_ONCE = 1_000

/**
 * Counts over an entity store, in environments in which the policies differ.
 *
 * @param goOn As for `diff`: when it says no, an environment that is not counted to its end is not counted.
 * @throws {Failure} `ENTITIES_INVALID`
 */
export function counter(
  before: PolicySet, after: PolicySet, schema: Schema, store: readonly CedarEntity[], semantics: Semantics, goOn: () => Promise<boolean> = async () => true,
): (difference: EnvironmentDifference) => Promise<Counted> {
  const entities = readEntities(store, schema)
  const ids = (type: string): readonly string[] => schema.entityTypes.get(type)?.ids ?? store.filter(({ uid }) => uid.type === type).map(({ uid }) => uid.id)
  const decide = (policy: PolicySet) => decider(policy, entities, semantics)
  const [old, now] = [decide(before), decide(after)]
  return async ({ environment, parts, readsContext }) => {
    const [principals, resources] = [ids(environment.principal), ids(environment.resource)]
    const pairs = principals.length * resources.length
    const means = readsContext ? meaning(parts, environment, schema) : 'decided'
    if (pairs > PAIRS_MAX) return { pairs, parts: null, uncounted: `more than ${PAIRS_MAX} pairs are not counted`, means }
    const decided = (request: Request) => {
      const [one, two] = [old(request), now(request)]
      return (part: Part) => isSo(part, one, two)
    }
    const conditions = new Map(parts.map((part) => [part, part.conditions.map(({ condition }) => meeting(condition, entities))]))
    const met = (request: Request) => (part: Part) => conditions.get(part)?.some((meets) => meets(request)) ?? false
    const look = readsContext ? met : decided
    const countable = readsContext ? parts.filter(({ open }) => open === null) : parts
    const counts = countable.map((part) => ({ part, pairs: 0, principals: 0 }))
    const action = schema.actions.get(environment.action)?.uid ?? { type: 'Action', id: environment.action }
    const request = { action: new EntityValue(action.type, action.id), context: new RecordValue(new Map()) }
    const [subjects, objects] = [principals.map((id) => new EntityValue(environment.principal, id)), resources.map((id) => new EntityValue(environment.resource, id))]
    let looks = 0
    for (const principal of subjects) {
      const before = counts.map((count) => count.pairs)
      for (const resource of objects) {
        if (looks++ % PAIRS_AT_ONCE === 0 && !(await goOn())) return { pairs, parts: null, uncounted: OUT_OF_TIME, means }
        const holds = look({ ...request, principal, resource })
        for (const count of counts) if (holds(count.part)) count.pairs++
      }
      counts.forEach((count, i) => void (count.principals += count.pairs > (before[i] as number) ? 1 : 0))
    }
    return { pairs, parts: counts, uncounted: null, means }
  }
}

type Said = { readonly isAllowed: boolean; readonly obligations: readonly string[] }

function decider({ rules }: PolicySet, entities: Entities, semantics: Semantics): (request: Request) => Said {
  const evaluator = new Evaluator(rules)
  const carries = new Map(rules.map((rule) => [rule.id, obligationsOf(rule)]))
  return (request) => {
    const { decision, determining } = semantics === 'cedar' ? evaluator.evaluate(request, entities) : evaluator.decide(request, entities)
    const isAllowed = decision === 'allow'
    return { isAllowed, obligations: isAllowed ? determining.flatMap((id) => carries.get(id) ?? []) : [] }
  }
}

function isSo({ kind, obligation }: Part, before: Said, after: Said): boolean {
  const [had, has] = [before, after].map(({ obligations }) => obligation !== null && obligations.includes(obligation)) as [boolean, boolean]
  switch (kind) {
    case 'gains': return after.isAllowed && !before.isAllowed
    case 'loses': return before.isAllowed && !after.isAllowed
    case 'demands': return before.isAllowed && after.isAllowed && has && !had
    case 'waives': return before.isAllowed && after.isAllowed && had && !has
  }
}

// ---- What of a condition can be seen without a context ----

/** Whether a pair meets what a condition says without the context. What cannot be told for want of an entity is not met. */
function meeting({ when, failing }: Condition, entities: Entities): (request: Request) => boolean {
  const holds = new Evaluator([probe('when', all(conjuncts(when).filter((each) => !reads(each, 'context'))))])
  const fail = failing.filter((each) => !reads(each, 'context')).map((each) => new Evaluator([probe('failing', each)]))
  return (request) => holds.decide(request, entities).decision === 'allow' && fail.every((each) => each.evaluate(request, entities).errors.length > 0)
}

/** A context can be chosen for any pair where what is said of it is said of nothing else, and of no entity that the store would have to have. */
function meaning(parts: readonly Part[], environment: Environment, schema: Schema): Counted['means'] {
  const context = schema.actions.get(environment.action)?.context ?? { kind: 'record', attributes: {} }
  const said = parts.flatMap((part) => part.conditions.flatMap(({ condition: { when, failing } }) => [...conjuncts(when), ...failing])).filter((each) => reads(each, 'context'))
  return said.every((each) => !reads(each, 'principal') && !reads(each, 'resource') && !looksUp(each, context)) ? 'some-context' : 'at-most'
}

function looksUp(expression: Expression, context: Type): boolean {
  switch (expression.kind) {
    case 'in': case 'getTag': case 'hasTag': return true
    case 'is': if (expression.in !== null) return true; break
    case 'get': case 'has': if (typeOf(expression.of, context)?.kind !== 'record') return true; break
    default:
  }
  return childrenOf(expression).some((child) => looksUp(child, context))
}

function typeOf(expression: Expression, context: Type): Type | null {
  if (expression.kind === 'var') return expression.name === 'context' ? context : null
  if (expression.kind !== 'get') return null
  const of = typeOf(expression.of, context)
  return of?.kind === 'record' ? (of.attributes[expression.attribute]?.type ?? null) : null
}

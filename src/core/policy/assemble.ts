import type { Norm } from '#core/unit/norm.ts'
import { all, any, not, PRINCIPAL, RESOURCE, type Expression, type Uid } from './expression.ts'
import { obligations, uidText, type ActionScope, type PolicySet, type Rule, type Scope } from './policy.ts'
import { written } from './render.ts'
import type { Schema } from './schema.ts'

/**
 * The rules that norms demand: one for each permission and prohibition, in their order. An obligation goes onto every permit
 * that it touches; a permit that it touches only in part is split, so that nothing is demanded where the text demands nothing.
 *
 * An obligation that touches no permit leaves no trace in the rules ({@link isCarried}): what is never permitted is never recorded.
 */
export function assemble(norms: readonly Norm[], schema: Schema): Rule[] {
  const drafts = norms.filter((norm) => norm.modality !== 'oblige').map((norm) => ({ norm, rule: ruleOf(norm) }))
  const obliged = norms.filter((norm) => norm.modality === 'oblige').reduce((present, norm) => present.flatMap((draft) => oblige(draft, norm, schema)), drafts)
  return obliged.map(({ rule }) => rule)
}

/** Whether an obligation has a trace in the rules of these norms: one of them permits something that it speaks of. */
export function isCarried(obligation: Norm, norms: readonly Norm[], schema: Schema): boolean {
  return norms.some((norm) => norm.modality === 'permit' && touched(norm, obligation, schema).length > 0)
}

/** The policy that norms make. */
export function policyOfNorms(norms: readonly Norm[], schema: Schema): PolicySet {
  return written(assemble(norms, schema))
}

/** A rule with the norm that it serves, whose types and actions say what the rule can touch. */
type Draft = { readonly norm: Norm; readonly rule: Rule }

function ruleOf(norm: Norm): Rule {
  // Types first: Cedar's type checker follows `&&` from left to right, and `when` speaks of these types' attributes.
  const types = [...typeTest(PRINCIPAL, norm.principals), ...typeTest(RESOURCE, norm.resources)]
  const when = norm.when === null ? types : [...types, norm.when]
  return {
    id: norm.id,
    effect: norm.modality === 'permit' ? 'permit' : 'forbid',
    annotations: { sentence: norm.source },
    principal: scope(norm.principals),
    action: actionScope(norm.actions),
    resource: scope(norm.resources),
    when: when.length === 0 ? [] : [all(when)],
    unless: norm.unless === null ? [] : [all([...types, norm.unless])],
  }
}

function scope(types: readonly string[]): Scope {
  return types.length === 1 ? { kind: 'is', type: types[0] as string, in: null } : { kind: 'any' }
}

function actionScope(actions: readonly Uid[]): ActionScope {
  if (actions.length === 0) return { kind: 'any' }
  return actions.length === 1 ? { kind: 'eq', uid: actions[0] as Uid } : { kind: 'in', uids: actions }
}

/** `x is A || x is B`, for several types; the scope itself says a single one. */
function typeTest(of: Expression, types: readonly string[]): Expression[] {
  return types.length < 2 ? [] : [any(types.map((type) => ({ kind: 'is', of, type, in: null })))]
}

function oblige(draft: Draft, norm: Norm, schema: Schema): Draft[] {
  const { rule, norm: origin } = draft
  const concerned = touched(origin, norm, schema)
  if (rule.effect !== 'permit' || concerned.length === 0) return [draft]
  const rest = actionsOf(origin.actions, schema).filter((uid) => !concerned.includes(uid))

  const conditions = [
    ...narrower(PRINCIPAL, origin.principals, norm.principals),
    ...narrower(RESOURCE, origin.resources, norm.resources),
    ...(norm.when === null ? [] : [norm.when]),
    ...(norm.unless === null ? [] : [not(norm.unless)]),
  ]
  const part = rest.length === 0 ? draft : confine(draft, concerned, 'a')
  const obliged = withObligation(part, norm.obligation ?? '')
  return [
    ...(rest.length === 0 ? [] : [confine(draft, rest, 'b')]),
    ...(conditions.length === 0
      ? [obliged]
      : [
          { ...obliged, rule: { ...obliged.rule, id: `${part.rule.id}x`, when: [...part.rule.when, all(conditions)] } },
          { ...part, rule: { ...part.rule, id: `${part.rule.id}y`, unless: [...part.rule.unless, all(conditions)] } },
        ]),
  ]
}

/** The actions of a norm that an obligation speaks of too, where both speak of the same principals and resources. */
function touched(norm: Norm, obligation: Norm, schema: Schema): readonly Uid[] {
  if (!overlap(norm.principals, obligation.principals) || !overlap(norm.resources, obligation.resources)) return []
  const wanted = actionsOf(obligation.actions, schema)
  return actionsOf(norm.actions, schema).filter((uid) => wanted.includes(uid))
}

function confine({ rule, norm }: Draft, actions: readonly Uid[], suffix: string): Draft {
  return { norm: { ...norm, actions }, rule: { ...rule, id: `${rule.id}${suffix}`, action: actionScope(actions) } }
}

function withObligation({ rule, norm }: Draft, obligation: string): Draft {
  const list = [...new Set([...obligations(rule), obligation])].sort().join(',')
  return { norm, rule: { ...rule, annotations: { ...rule.annotations, obligation: list } } }
}

/** The actions themselves, groups replaced by their members. */
function actionsOf(uids: readonly Uid[], schema: Schema): readonly Uid[] {
  const wanted = uids.map(uidText)
  return [...schema.actions]
    .filter(([text, action]) => action.principals.length > 0 && (wanted.length === 0 || wanted.includes(text) || action.ancestors.some((group) => wanted.includes(group))))
    .map(([, action]) => action.uid)
}

function overlap(some: readonly string[], others: readonly string[]): boolean {
  return some.length === 0 || others.length === 0 || some.some((type) => others.includes(type))
}

/** The test that confines a rule over `present` types to `wanted` ones; none when it is confined already. */
function narrower(of: Expression, present: readonly string[], wanted: readonly string[]): Expression[] {
  if (wanted.length === 0 || (present.length > 0 && present.every((type) => wanted.includes(type)))) return []
  return [any(wanted.map((type) => ({ kind: 'is', of, type, in: null })))]
}

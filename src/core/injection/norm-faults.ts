import { all, type Expression } from '#core/policy/expression.ts'
import type { Rule } from '#core/policy/policy.ts'
import type { Schema } from '#core/policy/schema.ts'
import { pick, type Random } from '#core/proof/random-world.ts'
import type { Norm } from '#core/unit/norm.ts'
import { FAULT_CLASSES } from './faults.ts'

/** One way in which norms can be wrong: the norms with one such fault in them; null where there is nothing to break in this way. */
export type NormFault = { readonly id: string; readonly what: string; readonly inject: (norms: readonly Norm[], schema: Schema, random: Random) => readonly Norm[] | null }

/** What conditions can be broken in, as the conditions of rules can. */
const CONDITION_FAULTS = FAULT_CLASSES.filter(({ id }) => ['dropped-condition', 'flipped-comparison', 'off-by-one', 'wrong-attribute', 'missing-negation', 'and-or', 'swapped-entity'].includes(id))

/** In the order in which they are reported. What one makes need not mean anything else: that is judged by whoever asked. */
export const NORM_FAULTS: readonly NormFault[] = [
  { id: 'dropped-norm', what: 'a norm is gone', inject: (norms, _, random) => (norms.length < 2 ? null : norms.toSpliced(Math.floor(random() * norms.length), 1)) },
  { id: 'wrong-modality', what: 'a permission is a prohibition, or the other way round', inject: (norms, _, random) => changed(norms, random, (norm) => (norm.modality === 'oblige' ? [] : [{ ...norm, modality: norm.modality === 'permit' ? 'forbid' : 'permit' }])) },
  { id: 'wrong-action', what: 'another action is meant', inject: (norms, schema, random) => changed(norms, random, (norm) => {
    const others = [...schema.actions.values()].filter(({ uid, principals }) => principals.length > 0 && !norm.actions.some(({ id }) => id === uid.id))
    return norm.when === null && norm.unless === null ? others.map(({ uid }) => ({ ...norm, actions: [uid] })) : []
  }) },
  { id: 'widened-norm', what: 'who it is about is not asked for any more', inject: (norms, _, random) => changed(norms, random, (norm) => (norm.principals.length > 0 && norm.when === null && norm.unless === null ? [{ ...norm, principals: [] }] : [])) },
  { id: 'turned-exception', what: 'an exception is a condition, or the other way round', inject: (norms, _, random) => changed(norms, random, (norm) => ((norm.when === null) === (norm.unless === null) ? [] : [{ ...norm, when: norm.unless, unless: norm.when }])) },
  { id: 'lost-obligation', what: 'what must be done is not said', inject: (norms, _, random) => {
    const duties = norms.filter(({ modality }) => modality === 'oblige')
    if (duties.length === 0) return null
    const gone = pick(random, duties)
    return norms.filter((norm) => norm !== gone)
  } },
  ...CONDITION_FAULTS.map(({ id, what, inject }): NormFault => ({ id, what, inject: (norms, schema, random) => {
    const able = norms.filter(({ when, unless }) => when !== null || unless !== null)
    if (able.length === 0) return null
    const norm = pick(random, able)
    const [made] = inject([conditionsOf(norm)], schema, random) ?? []
    if (made === undefined) return null
    return norms.map((each) => (each === norm ? { ...norm, when: joined(made.when), unless: made.unless.length === 0 ? null : (made.unless[0] as Expression) } : each))
  } })),
]

function conditionsOf({ when, unless }: Norm): Rule {
  const anything = { kind: 'any' } as const
  return { id: 'norm', effect: 'permit', annotations: {}, principal: anything, action: anything, resource: anything, when: when === null ? [] : [when], unless: unless === null ? [] : [unless] }
}

function joined(when: readonly Expression[]): Expression | null {
  return when.length === 0 ? null : all(when)
}

/** One norm is another one; null when no norm can be changed so. */
function changed(norms: readonly Norm[], random: Random, variants: (norm: Norm) => readonly Norm[]): readonly Norm[] | null {
  const possible = norms.flatMap((norm, i) => variants(norm).map((variant) => ({ i, variant })))
  if (possible.length === 0) return null
  const { i, variant } = pick(random, possible)
  return norms.with(i, variant)
}

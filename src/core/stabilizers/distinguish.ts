import { policyOfNorms } from '#core/policy/assemble.ts'
import type { PolicySet } from '#core/policy/policy.ts'
import type { Schema } from '#core/policy/schema.ts'
import type { Counterexample } from '#core/proof/proof.ts'
import type { Norm } from '#core/unit/norm.ts'
import type { DecisionTable } from './decision-table.ts'
import type { Comparison } from './meaning-classes.ts'

/** What an example of one norm is: a request that this norm alone decides, or the proof that there is none. */
export type Distinguished =
  | { readonly kind: 'by'; readonly norm: Norm; readonly request: Counterexample; readonly from: 'table' | 'prover' }
  | { readonly kind: 'nothing'; readonly norm: Norm }
  | { readonly kind: 'unknown'; readonly norm: Norm; readonly because: string }

/**
 * For each norm a request that only it decides: a permission, one that nothing else permits and nothing forbids; a prohibition, one that
 * nothing else forbids; an obligation, one on which nothing else demands the same.
 *
 * The decision table is looked through first, and only where it has no such row the prover is asked.
 */
export async function distinguish(
  norms: readonly Norm[], table: DecisionTable, schema: Schema, sameMeaning: (a: PolicySet, b: PolicySet, schema: Schema) => Promise<Comparison>,
): Promise<readonly Distinguished[]> {
  const byId = new Map(norms.map((norm) => [norm.id, norm]))
  const wholes = new Map<Norm['modality'], PolicySet>()
  return Promise.all(norms.map(async (norm): Promise<Distinguished> => {
    const row = table.rows.find(({ norms: speaking, decision }) => {
      if (!speaking.includes(norm.id)) return false
      const others = speaking.flatMap((id) => (id === norm.id ? [] : byId.get(id) ?? []))
      return others.every((other) => !saysTheSame(other, norm)) && (norm.modality !== 'permit' || decision === 'allow')
    })
    if (row !== undefined) return { kind: 'by', norm, request: row.request, from: 'table' }
    // What a prohibition forbids need not be permitted by anyone here, nor what an obligation demands.
    const beside = norm.modality === 'permit' ? norms : [ANYTHING, ...norms.filter(({ modality }) => modality === norm.modality)]
    const whole = wholes.get(norm.modality) ?? policyOfNorms(beside, schema)
    wholes.set(norm.modality, whole)
    const { answer } = await sameMeaning(whole, policyOfNorms(beside.filter((other) => other !== norm), schema), schema)
    switch (answer.kind) {
      case 'proved': return { kind: 'nothing', norm }
      case 'refuted': return { kind: 'by', norm, request: answer.counterexample, from: 'prover' }
      case 'unknown': return { kind: 'unknown', norm, because: answer.reason }
    }
  }))
}

function saysTheSame(one: Norm, other: Norm): boolean {
  return one.modality === other.modality && (one.modality !== 'oblige' || one.obligation === other.obligation)
}

/** A permission of everything: what else stands beside it is all that decides. */
export const ANYTHING: Norm = { id: 'anything', sentence: 0, source: '', modality: 'permit', principals: [], actions: [], resources: [], when: null, unless: null, obligation: null }

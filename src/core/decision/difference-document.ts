import { list, renderCondition } from '#core/policy/english.ts'
import { renderExpression } from '#core/policy/render.ts'
import type { Environment } from '#core/policy/schema.ts'
import type { Condition } from '#core/proof/conditions.ts'
import type { EnvironmentDifference, Part } from '#core/proof/diff.ts'
import type { Counterexample } from '#core/proof/proof.ts'
import type { Counted } from './count-difference.ts'

/** What changed in one request environment, as it is written for programs and read by people. */
export type EnvironmentDocument<Witness = Counterexample> = Environment & {
  readonly gains: Told<Witness>[]
  readonly loses: Told<Witness>[]
  readonly demands?: (Told<Witness> & { readonly obligation: string })[]
  readonly waives?: (Told<Witness> & { readonly obligation: string })[]
  /** Parts whose conditions may not cover everything, each with the reason and, when one was seen, a request that they leave out. */
  readonly open?: { readonly part: string; readonly reason: string; readonly witness?: Witness }[]
  readonly counted?: CountedDocument
}

/** A condition in Cedar’s words and in English, with a request that meets it. */
export type Told<Witness = Counterexample> = { readonly when: string; readonly failing?: string[]; readonly english: string; readonly witness: Witness }

export type CountedDocument =
  | { readonly pairs: number; readonly means: Counted['means']; readonly parts: { readonly part: string; readonly pairs: number; readonly principals: number }[] }
  | { readonly pairs: number; readonly reason: string }

/** @param counted Null when nothing was counted. */
export function differenceDocument({ environment, parts }: EnvironmentDifference, counted: Counted | null): EnvironmentDocument {
  const ofKind = (kind: Part['kind']) => parts.filter((part) => part.kind === kind)
  const moved = (kind: 'gains' | 'loses') => ofKind(kind).flatMap(({ conditions }) => conditions.map(tell))
  const put = (kind: 'demands' | 'waives') => ofKind(kind).flatMap(({ obligation, conditions }) => conditions.map((each) => ({ obligation: String(obligation), ...tell(each) })))
  const open = parts.flatMap((part) => (part.open === null ? [] : [{ part: nameOf(part), reason: part.open, ...(part.uncovered === null ? {} : { witness: part.uncovered }) }]))
  return {
    ...environment, gains: moved('gains'), loses: moved('loses'),
    ...(ofKind('demands').length === 0 ? {} : { demands: put('demands') }), ...(ofKind('waives').length === 0 ? {} : { waives: put('waives') }),
    ...(open.length === 0 ? {} : { open }), ...(counted === null ? {} : { counted: countedDocument(counted) }),
  }
}

function tell({ condition, witness }: Part['conditions'][number]): Told {
  const failing = condition.failing.map(renderExpression)
  return { when: renderExpression(condition.when), ...(failing.length === 0 ? {} : { failing }), english: english(condition), witness }
}

function countedDocument({ pairs, parts, means, uncounted }: Counted): CountedDocument {
  return parts === null ? { pairs, reason: String(uncounted) } : { pairs, means, parts: parts.map(({ part, pairs, principals }) => ({ part: nameOf(part), pairs, principals })) }
}

function nameOf({ kind, obligation }: Part): string {
  return obligation === null ? kind : `${kind} ${obligation}`
}

function english({ when, failing }: Condition): string {
  const cannot = failing.map((each) => `it cannot be evaluated whether ${renderCondition(each)}`)
  return list([...(when.kind === 'bool' && when.value && cannot.length > 0 ? [] : [renderCondition(when)]), ...cannot], 'and')
}

import { all, any, conjuncts, type Expression } from '#core/policy/expression.ts'
import { renderExpression } from '#core/policy/render.ts'
import type { Condition } from './conditions.ts'
import type { Counterexample } from './proof.ts'

/** A condition and a request that meets it. */
export type Described = { readonly condition: Condition; readonly witness: Counterexample }

/** So many values make a list of what something is one of. */
const VALUES_MIN = 3

/**
 * The same conditions, told in fewer: those that differ in one value become one that lists the values, and, only while there are more than
 * `readable`, those that differ in one part become one with the parts as alternatives.
 *
 * Whoever believes the result proves it: nothing here is trusted.
 */
export function merged(described: readonly Described[], readable: number): readonly Described[] {
  let all = described
  for (;;) {
    const next = mergeOne(all, valueIn, VALUES_MIN) ?? (all.length > readable ? mergeOne(all, alternativeIn, 2) : null)
    if (next === null) return all
    all = next
  }
}

/** A way to say that a part stands for others of its family: conditions whose parts are of one family, and that agree in the rest, can be merged. */
type Family = { readonly key: string; readonly item: Expression; readonly join: (items: readonly Expression[]) => Expression }

/** `x == value`: that x is one of the values. */
function valueIn(part: Expression): Family | null {
  if (part.kind === 'contains' && part.left.kind === 'set' && part.left.items.every(isValue)) return { ...among(part.right), item: part.left }
  if (part.kind !== 'eq' || isValue(part.left) === isValue(part.right)) return null
  const [subject, value] = isValue(part.right) ? [part.left, part.right] : [part.right, part.left]
  return { ...among(subject), item: value }
}

function among(subject: Expression): Omit<Family, 'item'> {
  const valuesOf = (item: Expression): readonly Expression[] => (item.kind === 'set' ? item.items : [item])
  return { key: `${renderExpression(subject)} ==`, join: (items) => ({ kind: 'contains', left: { kind: 'set', items: items.flatMap(valuesOf) }, right: subject }) }
}

/** Anything but a presence, which other parts may rest on. */
function alternativeIn(part: Expression): Family | null {
  return part.kind === 'has' || part.kind === 'hasTag' ? null : { key: '', item: part, join: any }
}

/** The largest group that can be one condition, made one, in the place of its first; null when there is none of that size. */
function mergeOne(described: readonly Described[], familyOf: (part: Expression) => Family | null, min: number): readonly Described[] | null {
  type Member = { readonly each: Described; readonly rest: readonly Expression[]; readonly family: Family }
  const groups = new Map<string, Member[]>()
  for (const each of described) {
    const { when, failing } = each.condition
    const parts = conjuncts(when)
    for (const [i, part] of parts.entries()) {
      const family = familyOf(part)
      if (family === null) continue
      const rest = parts.filter((_, at) => at !== i)
      const key = JSON.stringify([family.key, rest.map(renderExpression).sort(), failing.map(renderExpression).sort()])
      const group = groups.get(key) ?? []
      groups.set(key, group)
      if (!group.some((member) => member.each === each)) group.push({ each, rest, family })
    }
  }
  const largest = [...groups.values()].reduce<readonly Member[]>((most, group) => (group.length > most.length ? group : most), [])
  const [first] = largest
  if (first === undefined || largest.length < min) return null
  const condition: Condition = { when: all([...first.rest, first.family.join(largest.map(({ family }) => family.item))]), failing: first.each.condition.failing }
  const gone = new Set(largest.map(({ each }) => each))
  return described.flatMap((each) => (each === first.each ? [{ condition, witness: first.each.witness }] : gone.has(each) ? [] : [each]))
}

function isValue({ kind }: Expression): boolean {
  return kind === 'string' || kind === 'long' || kind === 'entity'
}

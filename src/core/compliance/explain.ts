import type { Counterexample } from '#core/proof/proof.ts'
import { uidText } from '#core/policy/policy.ts'

/**
 * A counterexample in one line: who does what to what, with what matters of it, e.g.
 * `Employee "employee1" exportRecord CustomerRecord "record1", consent false`.
 *
 * @param mentions The attributes that matter; the request itself has the rest.
 */
export function describe(counterexample: Counterexample, mentions: readonly string[]): string {
  const { principal, action, resource, context, entities, other } = counterexample
  const matters = (record: { readonly [name: string]: unknown } | undefined) =>
    Object.entries(record ?? {}).flatMap(([name, value]) => (mentions.includes(name) ? [`${name} ${short(value)}`] : []))
  const attributes = (uid: string) => matters(entities.find((entity) => uidText(entity.uid) === uid)?.attrs)
  const involved = [...new Set([resource, principal, ...entities.map(({ uid }) => uidText(uid))])]
  const facts = [...new Set([...involved.flatMap(attributes), ...matters(context)])].slice(0, FACTS_MAX)
  const id = /::"((?:[^"\\]|\\.)*)"$/.exec(action)?.[1] ?? action
  const line = [`${plain(principal)} ${id} ${resource === principal ? 'itself' : plain(resource)}`, ...facts].join(', ')
  return other === undefined ? line : `${line}; decided otherwise when only that changes`
}

const FACTS_MAX = 6

function short(value: unknown): string {
  if (typeof value === 'object' && value !== null && '__entity' in value) return plain(uidText((value as { __entity: { type: string; id: string } }).__entity))
  return JSON.stringify(value)
}

/** A uid without its namespace. */
function plain(uid: string): string {
  const match = /^(?:.*::)?([A-Za-z_]\w*)::(".*")$/su.exec(uid)
  return match === null ? uid : `${match[1]} ${match[2]}`
}

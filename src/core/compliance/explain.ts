import type { Counterexample } from '#core/proof/proof.ts'

/** A counterexample in one line: who does what to what, with the plain attributes that it sets. E.g. `Employee "e1" exports …`. */
export function describe(counterexample: Counterexample): string {
  const { principal, action, resource, context, entities, other } = counterexample
  const verb = /::"((?:[^"\\]|\\.)*)"$/.exec(action)?.[1] ?? action
  const facts = [...factsOf(entities, principal, 'principal'), ...(resource === principal ? [] : factsOf(entities, resource, 'resource')), ...plain(context).map((fact) => `context ${fact}`)]
  const line = `${short(principal)} · ${verb} · ${resource === principal ? 'itself' : short(resource)}${facts.length === 0 ? '' : `, with ${facts.join(', ')}`}`
  return other === undefined ? line : `${line}; decided otherwise when only what must not matter differs`
}

function factsOf(entities: Counterexample['entities'], uid: string, role: string): readonly string[] {
  const entity = entities.find((each) => `${each.uid.type}::${JSON.stringify(each.uid.id)}` === uid)
  return entity === undefined ? [] : plain(entity.attrs).map((fact) => `${role} ${fact}`)
}

/** Booleans, numbers and entity references, at most six: what a person can take in at a glance; the request itself has the rest. */
function plain(record: { readonly [name: string]: unknown }): readonly string[] {
  return Object.entries(record)
    .flatMap(([name, value]) => {
      if (typeof value === 'boolean' || typeof value === 'number') return [`${name} ${value}`]
      const reference = typeof value === 'object' && value !== null && '__entity' in value ? (value as { __entity: { type: string; id: string } }).__entity : null
      return reference === null ? [] : [`${name} ${short(`${reference.type}::${JSON.stringify(reference.id)}`)}`]
    })
    .slice(0, 6)
}

function short(uid: string): string {
  const match = /^(?:.*::)?([^:]+)::(".*")$/.exec(uid)
  return match === null ? uid : `${match[1]} ${match[2]}`
}

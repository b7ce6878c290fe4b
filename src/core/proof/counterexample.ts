import { childrenOf, type Expression, type Uid } from '#core/policy/expression.ts'
import { uidText, type Rule } from '#core/policy/policy.ts'
import type { Environment, RecordType, Schema, Type } from '#core/policy/schema.ts'
import type { CedarEntity, CedarRequest } from '#core/unit/semantic-unit.ts'
import { ipJson, isNumericExtension, numericJson, widthOf, type Ip } from './extension.ts'
import { namesOf, tabulate, type Where } from './facts.ts'
import type { Counterexample } from './proof.ts'
import type { Term, Value } from './terms.ts'
import { IP_BITS, isCompound, sortOf } from './values.ts'
import type { Attributes, Scene } from './world.ts'

/** A solver's model as a request with its entities; two of them when the question is about two worlds. */
export type Picture = { readonly first: Scene; readonly second: Scene | null }

/**
 * A concrete request with its entities from a model: readable ids, every attribute that the schema demands, every entity that a rule
 * names. What the model leaves open gets the plainest value, the same in both worlds.
 *
 * @param model What each free term denotes, elements of uninterpreted sorts by the solver's names.
 * @param literals Entities that rules or articles name: they exist, and no invented entity takes their id.
 */
export function concretize(question: {
  readonly schema: Schema
  readonly environment: Environment
  readonly model: ReadonlyMap<Term, Value>
  readonly literals: readonly Uid[]
  readonly hasTwoWorlds: boolean
}): Picture {
  const { schema, environment, model, literals, hasTwoWorlds } = question
  const names = namesOf(schema, model, literals)
  const known = tabulate(model, names)
  const entities = new Map<string, Uid>()
  const meet = (uid: Uid): Uid => {
    entities.set(uidText(uid), uid)
    return uid
  }
  const root = (name: 'principal' | 'resource'): string => {
    const type = environment[name]
    const chosen = known.variables.get(name)
    return meet({ type, id: chosen === undefined ? names.plainest(type) : String(chosen) }).id
  }

  for (const uid of literals) meet(uid)
  const [principal, resource] = [root('principal'), root('resource')]
  for (const uid of known.named) meet(uid)

  const build = (type: RecordType, where: Where, copy: 0 | 1): Attributes => {
    const built: [string, unknown][] = []
    for (const [name, attribute] of Object.entries(type.attributes)) {
      const at = { ...where, path: [...where.path, name] }
      if (!attribute.required && known.fact('present', at, copy) !== true) continue
      built.push([name, value(attribute.type, at, copy)])
    }
    return Object.fromEntries(built)
  }
  const value = (type: Type, where: Where, copy: 0 | 1): unknown => {
    const isElement = where.owner.startsWith('value:') && where.path.length > 0 // Its parts are elements in turn.
    if (!isElement && type.kind === 'record') return build(type, where, copy)
    if (!isElement && type.kind === 'set') return known.members(where, copy).map((each) => element(each, type.element))
    if (!isElement && isCompound(type)) return ipAt(where, copy)
    const found = known.fact('value', where, copy)
    return found === undefined ? plain(type) : element(found, type)
  }
  const element = (each: Value, type: Type): unknown =>
    isCompound(type) ? value(type, { owner: sortOf(type), of: [each], path: [] }, 0) : toJson(each, type, meet)
  const ipAt = (where: Where, copy: 0 | 1): unknown => {
    const facts = known.ip(where, copy)
    return facts.size === 0 ? PLAIN_EXTENSION['ipaddr'] : ipJson(ipFrom(facts))
  }
  const plain = (type: Type): unknown => {
    switch (type.kind) {
      case 'bool': return false
      case 'long': return 0
      case 'string': return 'any'
      case 'entity': return reference(meet({ type: type.name, id: names.plainest(type.name) }))
      case 'extension': return PLAIN_EXTENSION[type.name] ?? ''
      case 'set': return []
      case 'record': return Object.fromEntries(Object.entries(type.attributes).filter(([, { required }]) => required).map(([name, attribute]) => [name, plain(attribute.type)]))
    }
  }
  const scene = (copy: 0 | 1): Scene => {
    const context = build(schema.actions.get(environment.action)?.context ?? { kind: 'record', attributes: {} }, { owner: '', of: [], path: [] }, copy)
    const made: CedarEntity[] = []
    const done = new Set<string>()
    // Attributes may refer to entities that nothing named so far.
    for (let open = [...entities.values()]; open.length > 0; open = [...entities.values()].filter((uid) => !done.has(uidText(uid)))) {
      for (const uid of open) {
        done.add(uidText(uid))
        const type = schema.entityTypes.get(uid.type)
        if (type === undefined || type.ids !== null) continue
        const parents = known.parents(uid, copy).map(meet)
        const attrs = build(type.shape, { owner: uid.type, of: [uid.id], path: [] }, copy)
        const { tags } = type
        const tagged = tags === null ? [] : known.tagKeys(uid).map((key) => [key, value(tags, { owner: `${uid.type}#tags`, of: [uid.id, key], path: [] }, copy)] as const)
        made.push({ uid, attrs, parents: [...parents].sort(byText), ...(tagged.length === 0 ? {} : { tags: Object.fromEntries(tagged) }) })
      }
    }
    return { principal, resource, context, entities: made.sort((a, b) => byText(a.uid, b.uid)) }
  }
  scene(0)
  const second = hasTwoWorlds ? scene(1) : null
  return { first: scene(0), second: second === null ? null : scene(1) }
}

/** A picture as the counterexample that is shown and replayed. */
export function toCounterexample(environment: Environment, { first, second }: Picture): Counterexample {
  return second === null ? toRequest(environment, first) : { ...toRequest(environment, first), other: toRequest(environment, second) }
}

function toRequest(environment: Environment, scene: Scene): CedarRequest & { readonly entities: readonly CedarEntity[] } {
  return {
    principal: uidText({ type: environment.principal, id: scene.principal }),
    action: environment.action,
    resource: uidText({ type: environment.resource, id: scene.resource }),
    context: scene.context,
    entities: scene.entities,
  }
}

/** The entities that rules name, in scopes or conditions; actions are the schema's own. */
export function literalsOf(rules: readonly Rule[], expressions: readonly Expression[], schema: Schema): readonly Uid[] {
  const found = new Map<string, Uid>()
  const meet = (uid: Uid | null): void => {
    const type = uid === null ? undefined : schema.entityTypes.get(uid.type)
    if (uid !== null && type !== undefined) found.set(uidText(uid), { type: uid.type, id: uid.id })
  }
  const visit = (expression: Expression): void => {
    if (expression.kind === 'entity') meet(expression.uid)
    childrenOf(expression).forEach(visit)
  }
  for (const { principal, resource, when, unless } of rules) {
    for (const scope of [principal, resource]) meet(scope.kind === 'any' ? null : scope.kind === 'is' ? scope.in : scope.uid)
    for (const body of [...when, ...unless]) visit(body)
  }
  expressions.forEach(visit)
  return [...found.values()].sort(byText)
}

/** The plainest value of each extension type. */
export const PLAIN_EXTENSION: { readonly [name: string]: unknown } = {
  ipaddr: { __extn: { fn: 'ip', arg: '10.0.0.1' } },
  decimal: { __extn: { fn: 'decimal', arg: '0.0' } },
  datetime: { __extn: { fn: 'datetime', arg: '2024-01-01' } },
  duration: { __extn: { fn: 'duration', arg: '0ms' } },
}

/** The address that has these parts; where they do not tell, a single one of the older family. */
function ipFrom(parts: ReadonlyMap<string, Value>): Ip {
  const set = IP_BITS.filter((bit) => parts.get(bit) === true).map(Number)
  const prefix = parts.get('prefix')
  const v4 = parts.get('v4') ?? !(set.some((bit) => bit >= 32) || Number(prefix ?? 0) > 32)
  const width = widthOf(v4 === true)
  const address = set.reduce((sum, bit) => sum + (1n << BigInt(width - 1 - bit)), 0n)
  return { v4: v4 === true, address, prefix: prefix === undefined ? width : Number(prefix) }
}

function toJson(value: Value, type: Type, meet: (uid: Uid) => Uid): unknown {
  if (type.kind === 'entity') return reference(meet({ type: type.name, id: String(value) }))
  if (typeof value !== 'bigint') return value
  if (type.kind === 'extension' && isNumericExtension(type.name)) return numericJson(type.name, value)
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : String(value)
}

function reference(uid: Uid): unknown {
  return { __entity: { type: uid.type, id: uid.id } }
}

function byText(a: Uid, b: Uid): number {
  const [left, right] = [uidText(a), uidText(b)]
  return left < right ? -1 : left > right ? 1 : 0
}

import { childrenOf, type Expression, type Uid } from '#core/policy/expression.ts'
import { uidText, type PolicySet, type Rule, type Scope } from '#core/policy/policy.ts'
import type { EntityType, RecordType, Schema, Type } from '#core/policy/schema.ts'
import { uidOf } from '#core/revision/entities.ts'
import type { CedarEntity, CedarRequest } from '#core/unit/semantic-unit.ts'

/** Where a value comes from: a root, and attributes one after another. `resource.owner.quota` is read at `resource.owner`. */
type Path = { readonly root: 'principal' | 'resource' | 'context' | Uid; readonly steps: readonly Step[] }

/** An attribute, or the value of a tag: of any, where its key is not written out. */
type Step = string | { readonly tag: string | null }

/** One thing that a rule may ask: an attribute of what is at a path, or (null) what it is in. */
export type Read = { readonly at: Path; readonly attribute: string | null }

/**
 * What the rules may read about a request of one kind, whichever way they are evaluated: of rules whose scope cannot fit these types,
 * nothing. Computed once for a policy set and a kind.
 */
export function readsOf(policies: PolicySet, schema: Schema, kind: { readonly principal: string; readonly action: string; readonly resource: string }): readonly Read[] {
  const known = computed.get(policies) ?? new Map<string, readonly Read[]>()
  computed.set(policies, known)
  const key = `${kind.principal} ${kind.resource} ${kind.action}`
  const found = known.get(key)
  if (found !== undefined) return found
  const reads = new Map<string, Read>()
  for (const rule of policies.rules) {
    if (!mayFit(rule.principal, kind.principal, schema) || !mayFit(rule.resource, kind.resource, schema) || !concerns(rule, kind.action, schema)) continue
    const found = (read: Read) => reads.set(JSON.stringify(read), read)
    for (const root of ['principal', 'resource'] as const) if (asksWhatItIsIn(rule[root])) found({ at: { root, steps: [] }, attribute: null })
    for (const body of [...rule.when, ...rule.unless]) visit(body, found)
  }
  known.set(key, [...reads.values()])
  return [...reads.values()]
}
const computed = new WeakMap<PolicySet, Map<string, readonly Read[]>>()

/** An entity, and what rules ask of it. */
export type Met = {
  readonly entity: CedarEntity
  /** Attributes; null: what it is in. */
  readonly asked: Set<string | null>
  /** Everything that it is in, itself left out, if that is asked. */
  above: readonly Uid[]
}

/**
 * What rules meet when they read through a request and its entities.
 *
 * @param lookup The entity of a uid, which is null for principal and resource; null when nobody supplied it.
 * @param stored The same of what is stored alone: what only the question describes is in nobody knows what.
 * @returns The entities that were met, by uid text, and what is missing: uids of entities that are read and were not supplied
 *   (`User::"bo"`), among them groups between an entity and what it may be in; attributes that their type promises and that are not there
 *   (`User::"bo".quota`, `context.amount`). Cedar would answer `has` and `in` about those with a silent no. What no rule reads may be missing.
 */
export function meet(
  reads: readonly Read[], { schema, request, lookup, stored }: { readonly schema: Schema; readonly request: CedarRequest; readonly lookup: (text: string, uid: Uid | null) => CedarEntity | null; readonly stored: (text: string, uid: Uid) => CedarEntity | null },
): { readonly met: ReadonlyMap<string, Met>; readonly missing: readonly string[] } {
  const met = new Map<string, Met>()
  const missing = new Set<string>()

  type Spot =
    | { readonly kind: 'entity'; readonly name: string; readonly type: EntityType; readonly entity: CedarEntity | null }
    | { readonly kind: 'record'; readonly name: string; readonly shape: RecordType; readonly json: { readonly [name: string]: unknown } }
  const atEntity = (text: string, typeName: string, uid: Uid | null): Spot | null => {
    const type = schema.entityTypes.get(typeName)
    if (type === undefined) return null
    const entity = lookup(text, uid)
    if (entity !== null && !met.has(text)) met.set(text, { entity, asked: new Set(), above: [] })
    return { kind: 'entity', name: text, type, entity }
  }
  const into = (type: Type, json: unknown, name: string): Spot | null => {
    if (typeof json !== 'object' || json === null) return null
    if (type.kind === 'record') return { kind: 'record', name, shape: type, json: json as { [name: string]: unknown } }
    if (type.kind !== 'entity') return null
    const uid = uidOf(json)
    return uid === null ? null : atEntity(uidText(uid), uid.type, uid)
  }
  const rootOf = (root: Path['root']): Spot | null => {
    if (root === 'context') return { kind: 'record', name: 'context', shape: schema.actions.get(request.action)?.context ?? { kind: 'record', attributes: {} }, json: request.context }
    return typeof root === 'string' ? atEntity(request[root], typeOf(request[root]), null) : atEntity(uidText(root), root.type, root)
  }
  const steps = (spot: Spot, to: Step): readonly Spot[] => {
    const spots = typeof to === 'string' ? [attributeAt(spot, to)] : tagsAt(spot, to.tag)
    return spots.filter((each) => each !== null)
  }
  const tagsAt = (spot: Spot, key: string | null): readonly (Spot | null)[] => {
    if (spot.kind === 'record' || spot.type.tags === null) return []
    const { tags: type } = spot.type
    const tags = Object.entries(spot.entity?.tags ?? {}).filter(([name]) => key === null || name === key)
    return tags.map(([name, json]) => into(type, json, `${spot.name} tag ${name}`))
  }
  const attributeAt = (spot: Spot, name: string): Spot | null => {
    const shape = spot.kind === 'record' ? spot.shape : spot.type.shape
    const json = spot.kind === 'record' ? spot.json : spot.entity?.attrs
    const attribute = Object.hasOwn(shape.attributes, name) ? shape.attributes[name] : undefined
    return attribute === undefined || json === undefined || !Object.hasOwn(json, name) ? null : into(attribute.type, json[name], `${spot.name}.${name}`)
  }
  /** A group that is not there, of a type that can be in something, could be in anything. */
  const ancestors = (text: string, { parents }: CedarEntity): readonly Uid[] => {
    const found = new Map<string, Uid>()
    const queue = [...parents]
    for (let each = queue.pop(); each !== undefined; each = queue.pop()) {
      const key = uidText(each)
      if (key === text || found.has(key)) continue
      found.set(key, each)
      const entity = stored(key, each)
      if (entity === null && (schema.entityTypes.get(each.type)?.ancestors.length ?? 0) > 0) missing.add(key)
      queue.push(...(entity?.parents ?? []))
    }
    return [...found.values()]
  }
  const ask = (spot: Spot, attribute: string | null): void => {
    if (spot.kind === 'entity' && spot.entity === null) {
      if (spot.type.ids === null) missing.add(spot.name)
      return
    }
    const here = spot.kind === 'entity' ? met.get(spot.name) : undefined
    if (here !== undefined && attribute === null && !here.asked.has(null)) here.above = ancestors(spot.name, here.entity)
    here?.asked.add(attribute)
    if (attribute === null) return
    const shape = spot.kind === 'record' ? spot.shape : spot.type.shape
    const json = spot.kind === 'record' ? spot.json : (spot.entity as CedarEntity).attrs
    const isPromised = Object.hasOwn(shape.attributes, attribute) && shape.attributes[attribute]?.required === true
    if (isPromised && !Object.hasOwn(json, attribute)) missing.add(`${spot.name}.${attribute}`)
  }

  // Principal and resource are what the request is about: without them there is nothing to decide on.
  for (const root of ['principal', 'resource'] as const) {
    const spot = rootOf(root)
    if (spot?.kind === 'entity' && spot.entity === null && spot.type.ids === null) missing.add(spot.name)
  }
  for (const { at, attribute } of reads) {
    const root = rootOf(at.root)
    const spots = at.steps.reduce<readonly Spot[]>((all, to) => all.flatMap((each) => steps(each, to)), root === null ? [] : [root])
    for (const spot of spots) ask(spot, attribute)
  }
  return { met, missing: [...missing].sort() }
}

/** The type in a uid's text. */
export function typeOf(uid: string): string {
  return uid.slice(0, uid.lastIndexOf('::"'))
}

function asksWhatItIsIn(scope: Scope): boolean {
  return scope.kind === 'in' || (scope.kind === 'is' && scope.in !== null)
}

/** Whether a scope can hold for an entity of a type. */
function mayFit(scope: Scope, type: string, schema: Schema): boolean {
  switch (scope.kind) {
    case 'any': return true
    case 'is': return scope.type === type
    case 'eq': return scope.uid.type === type
    case 'in': return scope.uid.type === type || (schema.entityTypes.get(type)?.ancestors.includes(scope.uid.type) ?? true)
  }
}

function concerns(rule: Rule, action: string, schema: Schema): boolean {
  if (rule.action.kind === 'any') return true
  if (rule.action.kind === 'eq') return uidText(rule.action.uid) === action
  const ancestors = schema.actions.get(action)?.ancestors ?? []
  return rule.action.uids.some((uid) => uidText(uid) === action || ancestors.includes(uidText(uid)))
}

function visit(expression: Expression, found: (read: Read) => void): void {
  switch (expression.kind) {
    case 'get': case 'has':
      for (const at of pathsOf(expression.of)) found({ at, attribute: expression.attribute })
      break
    case 'is':
      if (expression.in !== null) for (const at of pathsOf(expression.of)) found({ at, attribute: null })
      break
    case 'in': case 'getTag': case 'hasTag':
      for (const at of pathsOf(expression.left)) found({ at, attribute: null })
      break
  }
  for (const child of childrenOf(expression)) visit(child, found)
}

/** Where an expression's value may come from, when it is an entity or a record. */
function pathsOf(expression: Expression): readonly Path[] {
  const from = (each: Expression): readonly Path[] => {
    switch (each.kind) {
      case 'entity': return [{ root: each.uid, steps: [] }]
      case 'var': return each.name === 'action' ? [] : [{ root: each.name, steps: [] }]
      case 'if': return [...from(each.then), ...from(each.else)]
      case 'get': return from(each.of).map(({ root, steps }) => ({ root, steps: [...steps, each.attribute] }))
      case 'getTag': {
        const tag = each.right.kind === 'string' ? each.right.value : null
        return pathsOf(each.left).map(({ root, steps }) => ({ root, steps: [...steps, { tag }] }))
      }
      default: return []
    }
  }
  return from(reduced(expression))
}

/** The same value without a record that is written out only to be read: `{ a: x }.a` is `x`, and a choice is made last. */
function reduced(expression: Expression): Expression {
  if (expression.kind === 'if') return { ...expression, then: reduced(expression.then), else: reduced(expression.else) }
  if (expression.kind !== 'get') return expression
  const of = reduced(expression.of)
  if (of.kind === 'if') return { ...of, then: reduced({ ...expression, of: of.then }), else: reduced({ ...expression, of: of.else }) }
  if (of.kind === 'record' && Object.hasOwn(of.fields, expression.attribute)) return reduced(of.fields[expression.attribute] as Expression)
  return { ...expression, of }
}

import { sha256 } from '#core/canonical.ts'
import { Failure } from '#core/failure.ts'
import { uidText } from '#core/policy/policy.ts'
import type { Action, Annotations, EntityType, RecordType, Schema, Type } from '#core/policy/schema.ts'

type JsonType = {
  readonly type: string
  readonly name?: string
  readonly element?: JsonType
  readonly attributes?: { readonly [name: string]: JsonType }
  readonly required?: boolean
  readonly annotations?: { readonly [name: string]: string | null }
}
type JsonEntityType = {
  readonly memberOfTypes?: readonly string[]
  readonly shape?: JsonType
  readonly tags?: JsonType
  readonly enum?: readonly string[]
  readonly annotations?: { readonly [name: string]: string | null }
}
type JsonAction = {
  readonly appliesTo?: { readonly principalTypes: readonly string[]; readonly resourceTypes: readonly string[]; readonly context?: JsonType }
  readonly memberOf?: readonly { readonly id: string; readonly type?: string }[]
  readonly annotations?: { readonly [name: string]: string | null }
}
type JsonNamespace = {
  readonly entityTypes: { readonly [name: string]: JsonEntityType }
  readonly actions: { readonly [name: string]: JsonAction }
  readonly commonTypes?: { readonly [name: string]: JsonType }
}

/** Each is a question of its own to the prover, for every article. */
const ENVIRONMENTS_MAX = 2_000

const EMPTY: RecordType = { kind: 'record', attributes: {} }

/** Cedar's resolved JSON schema as our vocabulary: names qualified, common types inlined, hierarchies closed. */
export function readSchema(text: string, json: unknown): Schema {
  const namespaces = Object.entries(json as { readonly [namespace: string]: JsonNamespace })
  const common = new Map(
    namespaces.flatMap(([namespace, { commonTypes }]) => Object.entries(commonTypes ?? {}).map(([name, type]) => [qualify(namespace, name), type] as const)),
  )

  const declared = new Map(namespaces.flatMap(([namespace, { entityTypes }]) => Object.entries(entityTypes).map(([name, type]) => [qualify(namespace, name), type] as const)))
  const entityTypes = new Map<string, EntityType>()
  for (const [name, type] of declared) {
    const shape = type.shape === undefined ? EMPTY : readType(type.shape, common)
    entityTypes.set(name, {
      name,
      annotations: readAnnotations(type.annotations),
      memberOf: type.memberOfTypes ?? [],
      ancestors: closure(name, (each) => declared.get(each)?.memberOfTypes ?? []),
      shape: shape.kind === 'record' ? shape : EMPTY,
      tags: type.tags === undefined ? null : readType(type.tags, common),
      ids: type.enum ?? null,
    })
  }

  const parents = new Map<string, readonly string[]>()
  const jsonActions = namespaces.flatMap(([namespace, { actions: all }]) =>
    Object.entries(all).map(([id, action]) => {
      const uid = { type: qualify(namespace, 'Action'), id }
      parents.set(uidText(uid), (action.memberOf ?? []).map((parent) => uidText({ type: parent.type ?? uid.type, id: parent.id })))
      return { uid, action }
    }),
  )
  const actions = new Map<string, Action>()
  for (const { uid, action } of jsonActions) {
    const context = action.appliesTo?.context === undefined ? EMPTY : readType(action.appliesTo.context, common)
    actions.set(uidText(uid), {
      uid,
      annotations: readAnnotations(action.annotations),
      ancestors: closure(uidText(uid), (each) => parents.get(each) ?? []),
      principals: action.appliesTo?.principalTypes ?? [],
      resources: action.appliesTo?.resourceTypes ?? [],
      context: context.kind === 'record' ? context : EMPTY,
    })
  }

  // Counted before they are made: a short schema can name many.
  const count = [...actions.values()].reduce((sum, { principals, resources }) => sum + principals.length * resources.length, 0)
  if (count > ENVIRONMENTS_MAX) {
    throw new Failure('SCHEMA_INVALID', `the schema has ${count} request environments (principal type × action × resource type), and ${ENVIRONMENTS_MAX} are the most: divide it by application`, {
      problems: [{ place: 'schema', message: `${count} request environments` }],
    })
  }
  const environments = [...actions]
    .flatMap(([action, { principals, resources }]) => principals.flatMap((principal) => resources.map((resource) => ({ principal, action, resource }))))
    .sort((a, b) => compare(a.action, b.action) || compare(a.principal, b.principal) || compare(a.resource, b.resource))
  return { text, digest: sha256(text), entityTypes, actions, environments }
}

function readType(json: JsonType, common: ReadonlyMap<string, JsonType>): Type {
  switch (json.type) {
    case 'Bool':
    case 'Boolean': return { kind: 'bool' }
    case 'Long': return { kind: 'long' }
    case 'String': return { kind: 'string' }
    case 'Entity': return { kind: 'entity', name: json.name ?? '' }
    case 'Set': return { kind: 'set', element: readType(json.element as JsonType, common) }
    case 'Extension': return { kind: 'extension', name: json.name ?? '' }
    case 'Record': {
      const attributes = Object.entries(json.attributes ?? {}).map(([name, attribute]) => [
        name,
        { type: readType(attribute, common), required: attribute.required ?? true, annotations: readAnnotations(attribute.annotations) },
      ])
      return { kind: 'record', attributes: Object.fromEntries(attributes) }
    }
    default: {
      const named = common.get(json.type)
      if (named !== undefined) return readType(named, common)
      // `__cedar::Long` is what a schema writes where something of its own could be called `Long`.
      const builtIn = json.type.replace(/^__cedar::/, '')
      return ['Bool', 'Long', 'String'].includes(builtIn) ? readType({ ...json, type: builtIn }, common) : { kind: 'extension', name: builtIn }
    }
  }
}

function readAnnotations(json: { readonly [name: string]: string | null } | undefined): Annotations {
  return Object.fromEntries(Object.entries(json ?? {}).map(([name, value]) => [name, value ?? '']))
}

function qualify(namespace: string, name: string): string {
  return namespace === '' ? name : `${namespace}::${name}`
}

/** Everything reachable from a start, in order of discovery; the start only when it reaches itself. */
function closure(start: string, next: (each: string) => readonly string[]): readonly string[] {
  const found = new Set<string>()
  const queue = [...next(start)]
  for (let each = queue.shift(); each !== undefined; each = queue.shift()) {
    if (found.has(each)) continue
    found.add(each)
    queue.push(...next(each))
  }
  return [...found]
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

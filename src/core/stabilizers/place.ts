import type { Expression, Uid } from '#core/policy/expression.ts'
import { uidText } from '#core/policy/policy.ts'
import type { Environment, RecordType, Schema, Type } from '#core/policy/schema.ts'

/** A value as norms compare it. */
export type Value = boolean | bigint | string | Uid | readonly Value[]

/** Something that a request has at a path from one of its variables; its key is its Cedar text. */
export type Place = { readonly key: string; readonly root: 'principal' | 'resource' | 'context'; readonly path: readonly string[] }

/** Nobody says anything there. */
export const ABSENT = null
export type Chosen = Value | typeof ABSENT

/** Thrown while a table is made, and caught there: the norms hold something that has no classes of values. */
export class NoClasses extends Error {}

export function placeAt(root: Place['root'], path: readonly string[]): Place {
  return { key: [root, ...path].join('.'), root, path }
}

export function placeOf(expression: Expression): Place | null {
  if (expression.kind === 'var') return expression.name === 'action' ? null : placeAt(expression.name, [])
  if (expression.kind !== 'get') return null
  const of = placeOf(expression.of)
  return of === null ? null : placeAt(of.root, [...of.path, expression.attribute])
}

export function literalOf(expression: Expression): Value | null {
  switch (expression.kind) {
    case 'bool': case 'string': return expression.value
    case 'long': return BigInt(expression.value)
    case 'entity': return expression.uid
    default: return null
  }
}

export function keyOf(expression: Expression): string {
  return placeOf(expression)?.key ?? textOf(literalOf(expression) ?? '')
}

export function textOf(value: Value): string {
  if (typeof value === 'bigint') return String(value)
  if (typeof value !== 'object') return JSON.stringify(value)
  return isSet(value) ? `[${value.map(textOf).sort().join()}]` : uidText(value)
}

export function isSet(value: Value): value is readonly Value[] {
  return Array.isArray(value)
}

export function distinct(values: readonly Value[]): readonly Value[] {
  return [...new Map(values.map((value) => [textOf(value), value])).values()]
}

export function typeAt({ root, path, key }: Place, { principal, action, resource }: Environment, schema: Schema): { readonly type: Type; readonly isOptional: boolean } {
  let type: Type = root === 'context' ? (schema.actions.get(action)?.context as RecordType) : { kind: 'entity', name: root === 'principal' ? principal : resource }
  let isOptional = false
  for (const name of path) {
    const attribute: RecordType['attributes'][string] | undefined = (type.kind === 'entity' ? schema.entityTypes.get(type.name)?.shape : type.kind === 'record' ? type : undefined)?.attributes[name]
    if (attribute === undefined) throw new NoClasses(`\`${key}\` does not exist there`)
    isOptional = !attribute.required
    type = attribute.type
  }
  return { type, isOptional }
}

export function isMadeOfParts({ kind }: Type): boolean {
  return kind === 'record' || kind === 'set'
}

export function entityTypeOf(expression: Expression, environment: Environment, schema: Schema): string | null {
  if (expression.kind === 'entity') return expression.uid.type
  const place = placeOf(expression)
  const type = place === null ? null : typeAt(place, environment, schema).type
  return type?.kind === 'entity' ? type.name : null
}

import type { RecordType, Schema, Type } from '#core/policy/schema.ts'
import { bitOf, ipOf, isKnownExtension, isNumericExtension, numericOf, type Ip } from './extension.ts'
import { recordValue, setValue, type FunctionSymbol, type Sort, type Value } from './terms.ts'

/**
 * The sort of values of a type. Records, sets and addresses are taken apart wherever they stand alone; as elements of a set they are
 * values of a sort of their own, of which two with equal parts are one.
 */
export function sortOf(type: Type): Sort {
  switch (type.kind) {
    case 'bool': return 'bool'
    case 'long': return 'int'
    case 'string': return 'string'
    case 'entity': return `entity:${type.name}`
    case 'extension': return isNumericExtension(type.name) ? 'int' : `value:${JSON.stringify(bare(type))}`
    case 'record': case 'set': return `value:${JSON.stringify(bare(type))}`
  }
}

export function isCompound(type: Type): boolean {
  return sortOf(type).startsWith('value:')
}

/** The type of a `value:` sort; null for any other. */
export function compoundOf(sort: Sort): Type | null {
  if (!sort.startsWith('value:')) return null
  const known = compounds.get(sort) ?? (JSON.parse(sort.slice('value:'.length)) as Type)
  if (compounds.size > 256) compounds.clear()
  compounds.set(sort, known)
  return known
}
const compounds = new Map<Sort, Type>()

/** How many levels of parts a sort has: an element of a set has fewer than the set. */
export function depthOf(sort: Sort): number {
  const type = compoundOf(sort)
  return type === null ? 0 : depthOfType(type)
}

function depthOfType(type: Type): number {
  switch (type.kind) {
    case 'record': return 1 + Math.max(0, ...Object.values(type.attributes).map((attribute) => depthOfType(attribute.type)))
    case 'set': return 1 + depthOfType(type.element)
    case 'extension': return isNumericExtension(type.name) ? 0 : 1
    default: return 0
  }
}

/** A type without annotations, its attributes in one order. */
function bare(type: Type): Type {
  if (type.kind === 'set') return { kind: 'set', element: bare(type.element) }
  if (type.kind !== 'record') return type
  const sorted = Object.entries(type.attributes).sort(([a], [b]) => (a < b ? -1 : 1))
  return { kind: 'record', attributes: Object.fromEntries(sorted.map(([name, { type: own, required }]) => [name, { type: bare(own), required, annotations: {} }])) }
}

/** The parts of an address, by which it is known. */
export const IP_BITS = Array.from({ length: 128 }, (_, bit) => String(bit))
export const IP_PARTS = ['v4', 'prefix', ...IP_BITS]

export function ipPart({ v4, address, prefix }: Ip, part: string): boolean | bigint {
  return part === 'v4' ? v4 : part === 'prefix' ? BigInt(prefix) : bitOf({ v4, address, prefix }, Number(part))
}

/** The parts of values of a `value:` sort of records or addresses, as functions of it. */
export type PartSymbol = { readonly value: FunctionSymbol; readonly present: FunctionSymbol | null }

export function partSymbols(sort: Sort): readonly PartSymbol[] {
  const type = compoundOf(sort)
  const symbol = { owner: sort, path: [], to: '', copy: 0 } as const
  if (type?.kind === 'extension') return IP_PARTS.map((to) => ({ value: { ...symbol, kind: 'ip', to, result: to === 'prefix' ? 'int' : 'bool' }, present: null }))
  if (type?.kind !== 'record') return []
  return Object.entries(type.attributes).map(([name, attribute]) => ({
    value: { ...symbol, kind: 'value', path: [name], result: sortOf(attribute.type) },
    present: attribute.required ? null : { ...symbol, kind: 'present', path: [name], result: 'bool' },
  }))
}

export function memberSymbol(sort: Sort): FunctionSymbol {
  return { kind: 'member', owner: sort, path: [], to: '', copy: 0, result: 'bool' }
}

/** What a value of Cedar's JSON is in a world of terms. */
export function valueOf(json: unknown, type: Type): Value {
  switch (type.kind) {
    case 'long': return BigInt(json as number | string)
    case 'entity': {
      const uid = typeof json === 'object' && json !== null && '__entity' in json ? json.__entity : json
      return (uid as { id: string }).id
    }
    case 'set': return setValue((json as readonly unknown[]).map((each) => valueOf(each, type.element)))
    case 'record': return recordOf(json as { readonly [name: string]: unknown }, type)
    case 'extension': {
      if (!isKnownExtension(type)) throw new Error(`the extension type ${type.name} is not known`)
      if (isNumericExtension(type.name)) return numericOf(type.name, json)
      const ip = ipOf(json)
      return recordValue(IP_PARTS.map((to) => [{ path: [], to }, ipPart(ip, to)]))
    }
    default: return json as boolean | string
  }
}

function recordOf(json: { readonly [name: string]: unknown }, type: RecordType): Value {
  const present = Object.entries(type.attributes).filter(([name]) => Object.hasOwn(json, name))
  return recordValue(present.map(([name, attribute]) => [{ path: [name], to: '' }, valueOf(json[name], attribute.type)]))
}

/** What a part of a value of a `value:` sort is: its field, whether it has that, or whether it has an element. */
export function partOf({ kind, path, to, result }: FunctionSymbol, value: Value, element: Value | undefined): Value {
  const parsed = JSON.parse(String(value)) as readonly string[] | { readonly [part: string]: string }
  if (Array.isArray(parsed)) return kind === 'member' && parsed.includes(String(element))
  const key = [...path, to].join('/')
  const fields = parsed as { readonly [part: string]: string }
  const found = Object.hasOwn(fields, key) ? fields[key] as string : null
  if (kind === 'present') return found !== null
  if (result === 'bool') return found === 'true'
  if (result === 'int') return BigInt(found ?? 0)
  return found ?? ''
}

/** The only ids that entities of a type have: of an enumerated type those, of actions the declared ones; null where any will do. */
export function idsOf(schema: Schema, type: string): readonly string[] | null {
  const declared = schema.entityTypes.get(type)
  if (declared !== undefined) return declared.ids
  return [...schema.actions.values()].filter(({ uid }) => uid.type === type).map(({ uid }) => uid.id)
}

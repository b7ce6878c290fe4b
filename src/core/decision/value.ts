import type { Uid } from '#core/policy/expression.ts'
import { quote, uidText } from '#core/policy/policy.ts'
import type { Datetime, Duration } from './extension/datetime.ts'
import type { Decimal } from './extension/decimal.ts'
import type { IpAddress } from './extension/ip.ts'
import type { Long } from './long.ts'

/**
 * A value of Cedar's language. Strings are well formed, as Cedar's are: a text that has half a character never becomes one.
 * Two values are equal exactly when {@link equals} says so.
 */
export type Value = boolean | Long | string | EntityValue | SetValue | RecordValue | ExtensionValue

export type ExtensionValue = Decimal | IpAddress | Datetime | Duration

/** Cedar's `==`: never an error; values of different types are different. */
export function equals(a: Value, b: Value): boolean {
  return a === b || (typeof a === 'object' && a.equals(b))
}

/** What a value is called in messages, as Cedar calls its types. */
export function typeName(value: Value): string {
  switch (typeof value) {
    case 'boolean': return 'bool'
    case 'number':
    case 'bigint': return 'long'
    case 'string': return 'string'
    case 'object': return value.typeName
  }
}

/** An entity as a value: its name. What it has is a matter of the store. */
export class EntityValue implements Uid {
  readonly type: string
  readonly id: string
  #key: string | null = null

  constructor(type: string, id: string) {
    this.type = type
    this.id = id
  }

  get typeName(): string {
    return 'entity'
  }

  /** The name as one string, for sets and maps; made once. No type has a U+0000, so that no two names share one. */
  get key(): string {
    this.#key ??= `${this.type}\0${this.id}`
    return this.#key
  }

  equals(other: Value): boolean {
    return this === other || (other instanceof EntityValue && this.id === other.id && this.type === other.type)
  }

  toString(): string {
    return uidText(this)
  }
}

/** A set: what it contains, each value once. Whether it contains a value takes the same time at any size. */
export class SetValue {
  readonly items: readonly Value[]
  // Each of its own kind of key; most sets need only one of them.
  #plain: Set<boolean | Long | string> | null = null
  #entities: Set<string> | null = null
  #others: Set<string> | null = null

  constructor(members: readonly Value[]) {
    this.items = members.filter((member) => this.#isNew(member))
  }

  get typeName(): string {
    return 'set'
  }

  get isEmpty(): boolean {
    return this.items.length === 0
  }

  /** The set's items when all of them are entities, which `in` demands; null otherwise. */
  get entities(): readonly EntityValue[] | null {
    return (this.#entities?.size ?? 0) === this.items.length ? this.items as readonly EntityValue[] : null
  }

  has(value: Value): boolean {
    if (typeof value !== 'object') return this.#plain !== null && this.#plain.has(value)
    if (value instanceof EntityValue) return this.#entities !== null && this.#entities.has(value.key)
    return this.#others !== null && this.#others.has(keyOf(value))
  }

  hasAll(other: SetValue): boolean {
    return other.items.length <= this.items.length && other.items.every((item) => this.has(item))
  }

  hasAny(other: SetValue): boolean {
    const [few, many] = other.items.length < this.items.length ? [other, this] : [this, other]
    return few.items.some((item) => many.has(item))
  }

  equals(other: Value): boolean {
    return this === other || (other instanceof SetValue && this.items.length === other.items.length && this.hasAll(other))
  }

  toString(): string {
    return `[${this.items.map(valueText).join(', ')}]`
  }

  #isNew(value: Value): boolean {
    if (this.has(value)) return false
    if (typeof value !== 'object') (this.#plain ??= new Set()).add(value)
    else if (value instanceof EntityValue) (this.#entities ??= new Set()).add(value.key)
    else (this.#others ??= new Set()).add(keyOf(value))
    return true
  }
}

/** A record. A request's context is one. */
export class RecordValue {
  readonly fields: ReadonlyMap<string, Value>
  /** Attributes that its type promises and that nobody supplied, each as it is called to whoever should; null: none. */
  readonly absent: ReadonlyMap<string, string> | null

  constructor(fields: ReadonlyMap<string, Value>, absent: ReadonlyMap<string, string> | null = null) {
    this.fields = fields
    this.absent = absent
  }

  get typeName(): string {
    return 'record'
  }

  equals(other: Value): boolean {
    if (this === other) return true
    if (!(other instanceof RecordValue) || this.fields.size !== other.fields.size) return false
    for (const [name, value] of this.fields) {
      const theirs = other.fields.get(name)
      if (theirs === undefined || !equals(value, theirs)) return false
    }
    return true
  }

  toString(): string {
    return `{${[...this.fields].map(([name, value]) => `${quote(name)}: ${valueText(value)}`).join(', ')}}`
  }
}

/** A value as Cedar text writes it. */
export function valueText(value: Value): string {
  return typeof value === 'string' ? quote(value) : String(value)
}

/** The same text for equal values and for no others: every part says where it ends. */
export function keyOf(value: Value): string {
  switch (typeof value) {
    case 'boolean': return value ? 't' : 'f'
    case 'number':
    case 'bigint': return `l${value};`
    case 'string': return `s${value.length};${value}`
    case 'object': break
  }
  if (value instanceof EntityValue) return `e${value.key.length};${value.key}`
  if (value instanceof SetValue) return `[${value.items.map(keyOf).sort().join('')}]`
  if (value instanceof RecordValue) return `{${[...value.fields].map(([name, field]) => `${name.length};${name}${keyOf(field)}`).sort().join('')}}`
  return `x${value.key};`
}

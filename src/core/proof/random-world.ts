import type { Environment, RecordType, Schema, Type } from '#core/policy/schema.ts'
import type { CedarEntity } from '#core/unit/semantic-unit.ts'
import { idsOf } from './values.ts'
import type { Attributes, Scene } from './world.ts'

/** A number in [0, 1), the next of a sequence that its seed determines. */
export type Random = () => number

/** A sequence of pseudo-random numbers (a 32-bit mix of a counter), for tests that can be repeated; nothing secret may rest on it. */
export function seeded(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x9e3779b9) >>> 0
    let mixed = state
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad)
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32
  }
}

export function pick<T>(random: Random, from: readonly T[]): T {
  return from[Math.floor(random() * from.length)] as T
}

/** What random values are drawn from: few, so that they meet each other and what rules name. */
export type Pool = {
  readonly idsOf: (type: string) => readonly string[]
  readonly strings: readonly string[]
  /** Digits, within 64 bits. */
  readonly longs: readonly string[]
  /** Texts of values of the extension types, by the name of the type. */
  readonly extensions: { readonly [type: string]: readonly string[] }
  /** Instants that have no text of their own, in milliseconds since 1970: Cedar's JSON has them as offsets. */
  readonly instants: readonly string[]
}

export const POOL: Pool = {
  idsOf: () => ['a', 'b', 'c'],
  strings: ['', 'x', 'yes', 'xyx', 'y*x', '😀x'],
  longs: ['0', '1', '-1', '2', '7', '9223372036854775807', '-9223372036854775808', '4611686018427387904', '3037000500'],
  extensions: {
    decimal: ['0.0', '1.5', '-0.0001', '922337203685477.5807', '-922337203685477.5808'],
    datetime: ['1970-01-01', '1969-12-31T23:59:59.999Z', '2024-02-29T12:00:00+0130', '2024-02-29', '9999-12-31T23:59:59Z', '0000-01-01'],
    duration: ['0ms', '1ms', '-1ms', '1d', '-1d1h', '23h59m59s999ms', '106751991167d', '-106751991167d7h12m55s808ms'],
    ipaddr: ['10.0.0.1', '10.0.0.0/8', '10.0.0.1/8', '10.1.0.0/16', '127.0.0.1', '224.0.0.0/3', '0.0.0.0/0', '::1', '::/0', '2001:db8::/32', '2001:db8::1', 'ff00::/8', '::a00:1'],
  },
  instants: [],
}

/** Whatever Cedar reads. */
export const WHOLE_POOL: Pool = { ...POOL, instants: ['-9223372036854775808', '9223372036854775807'] }

/** A request of an environment with every entity there is: attributes as the schema has them, a hierarchy without cycles, levels skipped. */
export function randomScene(schema: Schema, environment: Environment, random: Random, pool: Pool = POOL): Scene {
  const value = (type: Type): unknown => {
    switch (type.kind) {
      case 'bool': return random() < 0.5
      case 'long': {
        const digits = pick(random, pool.longs)
        return Number.isSafeInteger(Number(digits)) ? Number(digits) : digits
      }
      case 'string': return pick(random, pool.strings)
      case 'entity': return { __entity: { type: type.name, id: pick(random, ids(type.name)) } }
      case 'set': return Array.from({ length: Math.floor(random() * 4) }, () => value(type.element))
      case 'record': return record(type)
      case 'extension': {
        const texts = pool.extensions[type.name]
        if (texts === undefined) throw new Error(`no random value of the extension type ${type.name}`)
        if (type.name === 'datetime' && pool.instants.length > 0 && random() < 0.15) return instant(pick(random, pool.instants))
        return { __extn: { fn: type.name === 'ipaddr' ? 'ip' : type.name, arg: pick(random, texts) } }
      }
    }
  }
  const instant = (ms: string) => ({ __extn: { fn: 'offset', args: [{ __extn: { fn: 'datetime', arg: '1970-01-01' } }, { __extn: { fn: 'duration', arg: `${ms}ms` } }] } })
  const record = (type: RecordType): Attributes => {
    const present = Object.entries(type.attributes).filter(([, { required }]) => required || random() < 0.6)
    return Object.fromEntries(present.map(([name, attribute]) => [name, value(attribute.type)]))
  }
  const ids = (type: string): readonly string[] => idsOf(schema, type) ?? pool.idsOf(type)
  const tags = (type: Type | null) => (type === null ? {} : { tags: Object.fromEntries(pool.strings.filter(() => random() < 0.4).map((key) => [key, value(type)])) })

  const all = [...schema.entityTypes.values()].filter((type) => type.ids === null).flatMap((type) => ids(type.name).map((id) => ({ type, id })))
  // Parents come later in this order, so that nothing is its own ancestor.
  const order = all.map((each) => ({ ...each, rank: random() })).sort((a, b) => a.rank - b.rank)
  const entities = order.map(({ type, id }, i): CedarEntity => ({
    uid: { type: type.name, id },
    attrs: record(type.shape),
    parents: order.slice(i + 1).filter((other) => type.ancestors.includes(other.type.name) && random() < 0.3).map((other) => ({ type: other.type.name, id: other.id })),
    ...tags(type.tags),
  }))
  return {
    principal: pick(random, ids(environment.principal)),
    resource: pick(random, ids(environment.resource)),
    context: record(schema.actions.get(environment.action)?.context ?? { kind: 'record', attributes: {} }),
    entities,
  }
}

import type { Environment, RecordType, Schema, Type } from '#core/policy/schema.ts'
import type { CedarEntity } from '#core/unit/semantic-unit.ts'
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
}

export const POOL: Pool = {
  idsOf: () => ['a', 'b', 'c'],
  strings: ['', 'x', 'yes'],
  longs: ['0', '1', '-1', '2', '7', '9223372036854775807', '-9223372036854775808', '4611686018427387904', '3037000500'],
}

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
      case 'extension': throw new Error(`no random value of the extension type ${type.name}`)
    }
  }
  const record = (type: RecordType): Attributes => {
    const present = Object.entries(type.attributes).filter(([, { required }]) => required || random() < 0.6)
    return Object.fromEntries(present.map(([name, attribute]) => [name, value(attribute.type)]))
  }
  const ids = (type: string): readonly string[] => schema.entityTypes.get(type)?.ids ?? pool.idsOf(type)

  const all = [...schema.entityTypes.values()].filter((type) => type.ids === null).flatMap((type) => ids(type.name).map((id) => ({ type, id })))
  // Parents come later in this order, so that nothing is its own ancestor.
  const order = all.map((each) => ({ ...each, rank: random() })).sort((a, b) => a.rank - b.rank)
  const entities = order.map(({ type, id }, i): CedarEntity => ({
    uid: { type: type.name, id },
    attrs: record(type.shape),
    parents: order.slice(i + 1).filter((other) => type.ancestors.includes(other.type.name) && random() < 0.3).map((other) => ({ type: other.type.name, id: other.id })),
  }))
  return {
    principal: pick(random, ids(environment.principal)),
    resource: pick(random, ids(environment.resource)),
    context: record(schema.actions.get(environment.action)?.context ?? { kind: 'record', attributes: {} }),
    entities,
  }
}

import { uidText } from '#core/policy/policy.ts'
import type { Described } from './question.ts'
import type { Doubt, Entities, Entity } from './situation.ts'
import { EntityValue, type Value } from './value.ts'

/** The entities of one question: what it says of them laid over what is stored. */
export class DescribedEntities implements Entities {
  readonly #stored: Entities
  readonly #described: readonly Entity[]

  constructor(stored: Entities, described: readonly Described<Value>[]) {
    this.#stored = stored
    this.#described = described.map((each) => {
      const name = new EntityValue(each.uid.type, each.uid.id)
      const known = stored.find(name)
      return known === undefined ? unstored(name, each) : laidOver(known, each)
    })
  }

  find(name: EntityValue): Entity | undefined {
    for (const each of this.#described) if (each.name.id === name.id && each.name.type === name.type) return each
    return this.#stored.find(name)
  }
}

function laidOver(stored: Entity, { properties, none }: Described<Value>): Entity {
  const attributes = new Map(stored.attributes)
  for (const [name, value] of properties) attributes.set(name, value)
  for (const name of none) attributes.delete(name)
  if (stored.doubts === undefined) return { ...stored, attributes }
  const left = [...stored.doubts.attributes].filter(([name]) => !properties.has(name) && !none.has(name))
  return { ...stored, attributes, doubts: { ...stored.doubts, attributes: new Map(left) } }
}

/**
 * An entity that only the question describes. What it is in, its tags and the optional attributes that the question does not mention nobody
 * knows: taken for "in nothing" and "has none", they would let it past a prohibition.
 */
function unstored(name: EntityValue, { type: { shape }, properties, none }: Described<Value>): Entity {
  const text = uidText(name)
  const missing = (what: string): Doubt => ({ kind: 'missing', what })
  const untold = new Map<string, Doubt>()
  for (const attribute of Object.keys(shape.attributes)) {
    if (!properties.has(attribute) && !none.has(attribute)) untold.set(attribute, missing(`${text}.${attribute}`))
  }
  return { name, attributes: properties, tags: NO_TAGS, ancestors: NO_ANCESTORS, unknown: [], doubts: { attributes: untold, above: missing(text), tags: missing(text) } }
}

const NO_TAGS: Entity['tags'] = new Map()
const NO_ANCESTORS: Entity['ancestors'] = new Set()

import { rawJSON } from '#core/json.ts'
import type { RecordType, Schema, Type } from '#core/policy/schema.ts'
import type { CedarEntity } from '#core/unit/semantic-unit.ts'
import type { Attributes } from './world.ts'

/**
 * Context and entities as Cedar's binding must get them: a string of digits where the schema has a Long becomes that very integer,
 * which a JavaScript number could not carry beyond 2⁵³.
 *
 * @param action Uid text of the action whose context it is; null when there is no context.
 */
export function forCedar(
  schema: Schema, action: string | null, scene: { readonly context: Attributes; readonly entities: readonly CedarEntity[] },
): { readonly context: Attributes; readonly entities: readonly CedarEntity[] } {
  const context = action === null ? undefined : schema.actions.get(action)?.context
  return {
    context: context === undefined ? scene.context : recordWith(context, scene.context),
    entities: scene.entities.map((entity) => {
      const type = schema.entityTypes.get(entity.uid.type)
      if (type === undefined) return entity
      const attrs = recordWith(type.shape, entity.attrs)
      return type.tags === null || entity.tags === undefined ? { ...entity, attrs } : { ...entity, attrs, tags: tagsWith(type.tags, entity.tags) }
    }),
  }
}

function recordWith(type: RecordType, json: Attributes): Attributes {
  return Object.fromEntries(Object.entries(json).map(([name, value]) => {
    const attribute = type.attributes[name]
    return [name, attribute === undefined ? value : valueWith(attribute.type, value)]
  }))
}

/** What is no object stays, to be refused by who reads it. */
function tagsWith(type: Type, tags: Attributes): Attributes {
  if (typeof tags !== 'object' || tags === null || Array.isArray(tags)) return tags
  return Object.fromEntries(Object.entries(tags).map(([name, tag]) => [name, valueWith(type, tag)]))
}

function valueWith(type: Type, json: unknown): unknown {
  if (type.kind === 'long' && typeof json === 'string' && /^-?(?:0|[1-9]\d*)$/.test(json)) return rawJSON(json)
  if (type.kind === 'set' && Array.isArray(json)) return json.map((each) => valueWith(type.element, each))
  if (type.kind === 'record' && typeof json === 'object' && json !== null) return recordWith(type, json as Attributes)
  return json
}

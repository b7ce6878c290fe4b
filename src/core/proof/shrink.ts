import { canonical } from '#core/canonical.ts'
import { PLAIN_EXTENSION, type Picture } from './counterexample.ts'
import type { Attributes, Scene } from './world.ts'
import type { Environment, RecordType, Schema } from '#core/policy/schema.ts'
import type { CedarEntity } from '#core/unit/semantic-unit.ts'

/**
 * The same counterexample with less in it: one thing after the other is made plain (false, 0, empty, absent, no parent, no entity), and
 * stays so where the claim still fails. What is left is there for a reason.
 *
 * @param keep Entities that rules name: a rule that reads one that is not there fails.
 * @param holds Whether a picture is still a counterexample; exact, and cheap enough for a few hundred questions.
 */
export function shrink(
  schema: Schema, environment: Environment, picture: Picture, keep: readonly Uid[], holds: (picture: Picture) => boolean,
): Picture {
  let best = picture
  // An edit that changes nothing gives back the very scene.
  const attempt = (edit: (scene: Scene) => Scene, editSecond = edit): void => {
    const next = { first: edit(best.first), second: best.second === null ? null : editSecond(best.second) }
    if ((next.first !== best.first || next.second !== best.second) && holds(next)) best = next
  }
  if (best.second !== null) {
    for (const entity of best.first.entities) attempt((scene) => scene, (scene) => onEntity(scene, entity.uid, (each) => (isSameValue(each, entity) ? each : entity)))
  }
  for (const { uid } of picture.first.entities) {
    const parents = picture.first.entities.find((each) => isSame(each.uid, uid))?.parents ?? []
    for (const parent of parents) {
      attempt((scene) => onEntity(scene, uid, (each) => (each.parents.some((one) => isSame(one, parent)) ? { ...each, parents: each.parents.filter((one) => !isSame(one, parent)) } : each)))
    }
    const type = schema.entityTypes.get(uid.type)
    if (type === undefined) continue
    for (const plainer of plainers(type.shape)) {
      attempt((scene) => onEntity(scene, uid, (each) => {
        const attrs = plainer(each.attrs)
        return attrs === each.attrs ? each : { ...each, attrs }
      }))
    }
  }
  for (const { uid, tags } of picture.first.entities) {
    for (const key of Object.keys(tags ?? {})) attempt((scene) => onEntity(scene, uid, (each) => withoutTag(each, key)))
  }
  const context = schema.actions.get(environment.action)?.context
  if (context !== undefined) for (const plainer of plainers(context)) {
    attempt((scene) => {
      const changed = plainer(scene.context)
      return changed === scene.context ? scene : { ...scene, context: changed }
    })
  }
  for (const { uid } of picture.first.entities) {
    if (keep.some((each) => isSame(each, uid))) continue
    attempt((scene) => (isNeeded(scene, environment, uid) ? scene : { ...scene, entities: scene.entities.filter((each) => !isSame(each.uid, uid)) }))
  }
  return best
}

type Uid = CedarEntity['uid']

function isSame(a: Uid, b: Uid): boolean {
  return a.type === b.type && a.id === b.id
}

function onEntity(scene: Scene, uid: Uid, edit: (entity: CedarEntity) => CedarEntity): Scene {
  const at = scene.entities.findIndex((each) => isSame(each.uid, uid))
  const old = scene.entities[at]
  if (old === undefined) return scene
  const made = edit(old)
  return made === old ? scene : { ...scene, entities: scene.entities.with(at, made) }
}

function withoutTag(tagged: CedarEntity, key: string): CedarEntity {
  const { tags, ...entity } = tagged
  if (tags === undefined || !Object.hasOwn(tags, key)) return tagged
  const left = Object.entries(tags ?? {}).filter(([each]) => each !== key)
  return left.length === 0 ? entity : { ...entity, tags: Object.fromEntries(left) }
}

function isSameValue(a: unknown, b: unknown): boolean {
  return a === b || canonical(a) === canonical(b)
}

/** Whether something refers to an entity; what is removed must leave no reference behind. */
function isNeeded(scene: Scene, environment: Environment, uid: Uid): boolean {
  const roots = (['principal', 'resource'] as const).map((name) => ({ type: environment[name], id: scene[name] }))
  if (roots.some((root) => isSame(uid, root))) return true
  const reference = canonical({ type: uid.type, id: uid.id })
  const others = scene.entities.filter((each) => !isSame(each.uid, uid)).map(({ attrs, parents, tags = {} }) => ({ attrs, parents, tags }))
  return [scene.context, ...others].some((json) => canonical(json).includes(reference))
}

/** For each attribute, what makes it plainer: left out, or the plainest value. */
function plainers(type: RecordType, prefix: readonly string[] = []): readonly ((json: Attributes) => Attributes)[] {
  return Object.entries(type.attributes).flatMap(([name, { type: own, required }]) => {
    const path = [...prefix, name]
    const drop = required ? [] : [(json: Attributes) => change(json, path, () => undefined)]
    const set = (value: unknown) => (json: Attributes) => change(json, path, (old) => (old === undefined || isSameValue(old, value) ? old : value))
    switch (own.kind) {
      case 'bool': return [...drop, set(false)]
      case 'long': return [...drop, set(1), set(0)]
      case 'extension': return [...drop, set(PLAIN_EXTENSION[own.name])]
      case 'set': return [...drop, set([]), ...Array.from({ length: ELEMENTS_MAX }, (_, i) => without(path, i))]
      case 'record': return [...drop, ...plainers(own, path)]
      default: return drop
    }
  })
}

/** Elements of a set that are tried one by one, from the last. */
const ELEMENTS_MAX = 6

function without(path: readonly string[], fromLast: number): (json: Attributes) => Attributes {
  return (json) => change(json, path, (old) => (Array.isArray(old) && old.length > fromLast + 1 ? old.filter((_, i) => i !== old.length - 1 - fromLast) : old))
}

function change(json: Attributes, [name, ...rest]: readonly string[], edit: (old: unknown) => unknown): Attributes {
  if (name === undefined || !Object.hasOwn(json, name)) return json
  const old = json[name]
  const made = rest.length === 0 ? edit(old) : change(old as Attributes, rest, edit)
  if (made === old) return json
  return made === undefined ? Object.fromEntries(Object.entries(json).filter(([each]) => each !== name)) : { ...json, [name]: made }
}

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Failure } from '#core/failure.ts'
import { pick, seeded } from '#core/proof/random-world.ts'
import type { CedarEntity } from '#core/unit/semantic-unit.ts'
import { importTwin, type Sabotage } from '#test/twin.ts'
import { readEntities } from '../entity-graph.ts'
import type { Entities } from '../situation.ts'
import { EntityValue } from '../value.ts'
import { LiveEntities } from './live-entities.ts'

const SEED = Number(process.env['ACGS_SEED'] ?? 20_261_128)
const CHANGES = 3_000
const IDS = Array.from({ length: 12 }, (_, i) => `n${i}`)
const uid = (id: string) => ({ type: 'Node', id })

/** The first change after which the entities are not those that reading all of them anew gives; null when there is none. */
function firstDifference(Live: typeof LiveEntities, seed: number): string | null {
  const random = seeded(seed)
  const live = new Live(null)
  let given = new Map<string, CedarEntity>()
  const counts = { changes: 0, refused: 0 }
  for (let i = 0; i < CHANGES; i++) {
    const isWhole = random() < 0.02
    const deleted = random() < 0.3 ? [pick(random, IDS)] : []
    const upserted = [...new Set(Array.from({ length: isWhole ? 8 : random() < 0.8 ? 1 : 3 }, () => pick(random, IDS)))].map((id): CedarEntity => {
      const keeps = random() < 0.3 ? given.get(id)?.parents : undefined
      return { uid: uid(id), attrs: { n: i }, parents: keeps ?? IDS.filter(() => random() < 0.12).map(uid) }
    })
    const next = new Map(isWhole ? [] : given)
    for (const id of deleted) next.delete(id)
    for (const entity of upserted) next.set(entity.uid.id, entity)
    const want = attempt(() => readEntities([...next.values()], null))
    const got = attempt(() => {
      live.apply({ isWhole, upserted, deleted: deleted.map(uid) })
      return live
    })
    if ((want === null) !== (got === null)) return `change ${i}: ${want === null ? 'is taken, and makes a cycle' : 'is refused'}`
    if (want !== null) given = next
    else counts.refused++
    counts.changes++
    const whole = readEntities([...given.values()], null)
    for (const id of IDS) {
      const [one, other] = [described(whole, id), described(live, id)]
      if (one !== other) return `change ${i}: ${id} is ${other} and should be ${one}`
    }
  }
  assert.ok(counts.refused > CHANGES / 100, `${counts.refused} changes were refused: too few to say anything`)
  return null
}

function attempt<T>(work: () => T): T | null {
  try {
    return work()
  } catch (error) {
    if (error instanceof Failure && error.code === 'ENTITIES_INVALID') return null
    throw error
  }
}

function described(entities: Entities, id: string): string {
  const found = entities.find(new EntityValue('Node', id))
  return found === undefined ? 'absent' : JSON.stringify({ n: found.attributes.get('n'), ancestors: [...found.ancestors].sort(), unknown: found.unknown.map(String).sort() })
}

test(`entities that change are those that reading them anew gives: ${CHANGES} changes, seed ${SEED}`, () => {
  assert.equal(firstDifference(LiveEntities, SEED), null)
})

const TWINS: { readonly [name: string]: Sabotage } = {
  'what is below keeps its stale ancestors': { file: 'dense/live-entities.ts', from: 'for (const key of found) for (const child of this.#children.get(key) ?? []) found.add(child)', to: '' },
  'only what is directly below is seen': { file: 'dense/live-entities.ts', from: 'for (const key of found) for (const child', to: 'for (const key of keys) for (const child' },
  'a child is settled before its parent': { file: 'dense/live-entities.ts', from: 'if (waiting.length > 0) {', to: 'if (waiting.length > 99) {' },
  'a parent that is gone is still in the way': { file: 'dense/live-entities.ts', from: 'children?.delete(key)', to: 'children?.clear()' },
  'an update of attributes is forgotten': { file: 'dense/live-entities.ts', from: 'new Set([...staged.keys(), ...moved])', to: 'moved' },
}

for (const [name, sabotage] of Object.entries(TWINS)) {
  test(`the sabotage twin is caught: ${name}`, { timeout: 60_000 }, async () => {
    const twin = await importTwin<{ LiveEntities: typeof LiveEntities }>('src/core/decision/', ['dense/live-entities.ts'], sabotage, name)
    assert.ok(isCaught(twin.LiveEntities))
  })
}

function isCaught(Twin: typeof LiveEntities): boolean {
  try {
    return firstDifference(Twin, SEED) !== null
  } catch (error) {
    if (error instanceof Failure || error instanceof TypeError) return true
    throw error
  }
}

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseSchema } from '#adapters/cedar/cedar.ts'
import { pick, seeded } from '#core/proof/random-world.ts'
import type { CedarEntity } from '#core/unit/semantic-unit.ts'
import { importTwin, type Sabotage } from '#test/twin.ts'
import { EntityStore } from './entity-store.ts'
import type { Entity } from './situation.ts'
import { EntityValue } from './value.ts'

const SEED = Number(process.env['ACGS_SEED'] ?? 20_261_128)
const CHANGES = 2_000
const SCHEMA = parseSchema('entity Kind enum ["n0", "n1"]; entity Node in [Node] { n: Long, m?: Long } tags String; action see appliesTo { principal: Node, resource: Kind };')
const IDS = Array.from({ length: 12 }, (_, i) => `n${i}`)
const TYPES = ['Node', 'Node', 'Node', 'Node', 'Node', 'Node', 'Kind']
const uid = (id: string, type = 'Node') => ({ type, id })

/** What is kept, and what was told of it, after many changes; null when it is always what reading everything anew gives. */
function firstDifference(Store: typeof EntityStore, keptMax: number): string | null {
  const random = seeded(SEED)
  const store = new Store(keptMax)
  const entities = store.readBy(SCHEMA)
  const known = new Map<string, string>()
  const follower = { known, changed: (key: string) => { known.delete(key) }, settled: () => {} }
  entities.follow(follower)
  let given = new Map<string, CedarEntity>()
  for (let i = 1; i <= CHANGES; i++) {
    const isWhole = random() < 0.02
    const deleted = random() < 0.3 ? [uid(pick(random, IDS), pick(random, TYPES))] : []
    const upserted = Array.from({ length: isWhole ? 8 : random() < 0.8 ? 1 : 3 }, (): CedarEntity => {
      const [id, type] = [pick(random, IDS), pick(random, TYPES)]
      const parents = random() < 0.3 ? given.get(`${type}::${id}`)?.parents : undefined
      const attrs = random() < 0.1 ? {} : { n: random() < 0.1 ? 'x' : i % 3, ...(random() < 0.2 ? { m: random() < 0.5 ? 1 : false } : {}) }
      return { uid: uid(id, type), attrs, parents: parents ?? IDS.filter(() => random() < 0.12).map((each) => uid(each, pick(random, TYPES))), ...(random() < 0.1 ? { tags: { k: random() < 0.5 ? 'v' : 1 } } : {}) }
    })
    given = new Map(isWhole ? [] : given)
    for (const { type, id } of deleted) given.delete(`${type}::${id}`)
    for (const entity of upserted) given.set(`${entity.uid.type}::${entity.uid.id}`, entity)
    store.apply({ version: i, isWhole, upserted, deleted })
    const anew = new EntityStore()
    anew.apply({ version: 1, isWhole: true, upserted: [...given.values()], deleted: [] })
    const whole = anew.readBy(SCHEMA)
    for (const type of ['Node', 'Kind']) {
      for (const id of IDS) {
        const name = new EntityValue(type, id)
        const want = described(whole.find(name))
        const told = follower.known.get(name.key)
        if (told !== undefined && told !== want) return `change ${i}: nobody was told that ${name} is ${want}, no longer ${told}`
        if (random() < 0.5) continue
        const got = described(entities.find(name))
        if (got !== want) return `change ${i}: ${name} is ${got} and should be ${want}`
        known.set(name.key, got)
      }
    }
    store.readBy(SCHEMA) // Makes room.
  }
  return null
}

function described(entity: Entity | undefined): string {
  if (entity === undefined) return 'absent'
  const { attributes, tags, ancestors, unknown, doubts } = entity
  return JSON.stringify({ attributes: [...attributes], tags: [...tags], ancestors: [...ancestors].sort(), unknown: unknown.map(String).sort(), doubts: doubts === undefined ? null : [[...doubts.attributes], doubts.above?.kind, doubts.tags] })
}

for (const keptMax of [5, 100]) {
  test(`what is kept is what reading it anew gives, and who has read it hears of every change: ${CHANGES} changes, ${keptMax} kept, seed ${SEED}`, () => {
    assert.equal(firstDifference(EntityStore, keptMax), null)
  })
}

const TWINS: { readonly [name: string]: Sabotage } = {
  'what changed is kept': { file: 'stored-entities.ts', from: 'table.remove(row)', to: '' },
  'what is below keeps its stale ancestors': { file: 'stored-entities.ts', from: 'for (const { members } of [...below])', to: 'for (const { members } of [])' },
  'what is above is shared with those to come': { file: 'stored-entities.ts', from: 'this.#above.delete(above.key)', to: '' },
  'a group that comes or goes moves nobody': { file: 'entity-store.ts', from: 'before === null || text === null || parentsIn', to: 'before !== null && text !== null && parentsIn' },
  'a group that is in something else moves nobody': { file: 'entity-store.ts', from: 'parentsIn(before) !== parentsIn(text)', to: 'false' },
  'what was not there and comes is not told': { file: 'stored-entities.ts', from: '    tell(key, table, row)', to: '    if (row > 0) tell(key, table, row)' },
  'what is below is not told': { file: 'stored-entities.ts', from: 'this.#forget(member.name, tell)', to: 'this.#forget(member.name, () => {})' },
  'a whole leaves what was there': { file: 'entity-store.ts', from: 'if (!here.has(id)) here', to: 'if (false) here' },
}

for (const [name, sabotage] of Object.entries(TWINS)) {
  test(`the sabotage twin is caught: ${name}`, async () => {
    const twin = await importTwin<{ EntityStore: typeof EntityStore }>('src/core/decision/', ['entity-store.ts'], sabotage, name)
    assert.notEqual(firstDifference(twin.EntityStore, 100), null)
  })
}

test('room is made of what was read longest ago, and a change costs only what depends on it', () => {
  const store = new EntityStore(8)
  const node = (id: string, n: number, ...parents: string[]): CedarEntity => ({ uid: uid(id), attrs: { n }, parents: parents.map((each) => uid(each)) })
  store.apply({ version: 1, isWhole: true, upserted: [node('top', 0), node('mid', 0, 'top'), ...Array.from({ length: 20 }, (_, i) => node(`n${i}`, 0, i < 3 ? 'mid' : 'absent'))], deleted: [] })
  const entities = store.readBy(SCHEMA)
  let told: string[] = []
  const follower = { changed: (key: string) => { told.push(key.slice(key.indexOf('\0') + 1)) }, settled: () => {} }
  entities.follow(follower)
  const toldAfter = (work: () => void) => {
    told = []
    work()
    return told.toSorted()
  }
  for (let i = 0; i < 9; i++) entities.find(new EntityValue('Node', `n${i}`))
  assert.deepEqual(toldAfter(() => store.readBy(SCHEMA)), ['n0', 'n1'])
  const change = (entity: CedarEntity) => toldAfter(() => store.apply({ version: 2, isWhole: false, upserted: [entity], deleted: [] }))
  assert.deepEqual(change(node('mid', 1, 'top')), ['mid'])
  assert.deepEqual(change(node('n5', 0, 'absent')), [])
  assert.deepEqual(change(node('n5', 1, 'absent')), ['n5'])
  assert.deepEqual(change(node('top', 0, 'other')), ['n2', 'top'])
  assert.deepEqual(change(node('absent', 0)), ['absent', 'n3', 'n4', 'n6', 'n7', 'n8'])
  assert.deepEqual(change(node('top', 0)), ['top'])
})

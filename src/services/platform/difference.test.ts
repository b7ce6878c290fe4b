import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { parsePolicies, parseSchema } from '#adapters/cedar/cedar.ts'
import { insertApplication, lockApplication } from '#adapters/postgres/applications.ts'
import { changeEntities } from '#adapters/postgres/entities.ts'
import { createProver } from '#adapters/solver/prover.ts'
import { Failure } from '#core/failure.ts'
import { OUT_OF_TIME } from '#core/proof/diff.ts'
import { LIMITS } from '#core/proof/questions.ts'
import { keep } from '#core/revision/entities.ts'
import type { CedarEntity } from '#core/unit/semantic-unit.ts'
import { testDatabase, type TestDatabase } from '#test/database.ts'
import { createDiffer } from './difference.ts'

const SCHEMA = parseSchema(`
entity Team;
entity User in [Team] { level: Long, role: String, active: Bool };
entity Doc { owner: User, size: Long, tags: Set<String>, open: Bool };
action view, edit, share, purge appliesTo { principal: User, resource: Doc, context: { mfa: Bool } };
`)
const user = (id: string, level: number): CedarEntity => ({ uid: { type: 'User', id }, attrs: { level, role: 'none', active: true }, parents: [] })
const doc = (id: string, owner: string): CedarEntity => ({ uid: { type: 'Doc', id }, attrs: { owner: { __entity: { type: 'User', id: owner } }, size: 1, tags: [], open: false }, parents: [] })

const prover = createProver(LIMITS)
let database: TestDatabase
before(async () => {
  database = await testDatabase()
  const at = new Date('2026-11-28T12:00:00.000Z')
  for (const name of ['office', 'empty']) await database.transaction((tx) => insertApplication(tx, { name, schema: SCHEMA, by: 'test', at }))
  const upserted = [user('ana', 5), user('bo', 1), doc('a', 'ana'), doc('b', 'bo')].map(keep)
  await database.transaction(async (tx) => changeEntities(tx, 'office', { upserted, deleted: [] }, { version: (await lockApplication(tx, 'office'))?.entitiesVersion ?? -1, by: 'test', at }))
})
after(async () => {
  await prover[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})

const OWN = 'permit (principal, action == Action::"view", resource) when { resource.owner == principal };'
const differ = (options: { withinMs?: number; entitiesMax?: number; diff?: typeof prover.diff } = {}) => {
  const tell = createDiffer({ diff: prover.diff, database, withinMs: 60_000, ...options })
  return (application: string, before: string, now: string) => tell(application, parsePolicies(before, SCHEMA), parsePolicies(now, SCHEMA), SCHEMA)
}

test('what changes is told where it does, counted over the entities as they are stored', async () => {
  const { environments, ...rest } = await differ()('office', OWN, `${OWN} permit (principal, action == Action::"view", resource) when { principal.level > 3 };`)
  assert.deepEqual(rest, { equivalent: false, compared: 4, entities: { version: 1, count: 4 }, unknown: null })
  assert.deepEqual(environments.map(({ action, gains, loses, counted }) => [action, gains.map(({ when }) => when), loses, counted]), [
    ['Action::"view"', ['principal.level > 3 && resource.owner != principal'], [], { pairs: 4, means: 'decided', parts: [{ part: 'gains', pairs: 1, principals: 1 }] }],
  ])
  assert.deepEqual(await differ()('office', OWN, OWN), { equivalent: true, environments: [], compared: 4, entities: null, unknown: null })
})

test('an empty store is not counted, nor one that is too large to read; what changes is told all the same', async () => {
  for (const [application, entities, options] of [['empty', { version: 0, count: 0 }, {}], ['office', { version: 1, count: 4 }, { entitiesMax: 3 }]] as const) {
    const told = await differ(options)(application, '', OWN)
    assert.deepEqual([told.entities, told.environments.map(({ gains, counted }) => [gains.length, counted])], [entities, [[1, undefined]]])
  }
})

test('when the time is over, or the prover fails, it is said, and nothing is thrown', async () => {
  const late = await differ({ withinMs: 0 })('office', '', OWN)
  assert.deepEqual([late.equivalent, late.unknown, new Set(late.environments.flatMap(({ open = [] }) => open.map(({ reason }) => reason)))], [null, null, new Set([OUT_OF_TIME])])
  const failing = await differ({ diff: () => Promise.reject(new Failure('SOLVER_FAILED', 'it is gone')) })('office', '', OWN)
  assert.deepEqual([failing.equivalent, failing.environments, failing.unknown], [null, [], 'it is gone'])
  await assert.rejects(differ({ diff: () => Promise.reject(new TypeError('ours')) })('office', '', OWN), TypeError)
})

test('two sets of two hundred rules that have little in common: told in part, in some seconds, while others get their turn', async () => {
  const rules = (from: number) => Array.from({ length: 200 }, (_, i) => {
    const n = from + i
    return [
      `permit (principal, action == Action::"view", resource) when { principal.role == "r${n}" && resource.size < ${n} && context.mfa };`,
      `permit (principal in Team::"t${n}", action in [Action::"view", Action::"edit"], resource) when { principal.active && principal.level > ${n} };`,
      `forbid (principal, action == Action::"share", resource) when { resource.tags.contains("x${n}") && principal.level < ${n} };`,
      `permit (principal, action == Action::"share", resource) when { resource.open && resource.size > ${n} } unless { principal.role == "q${n}" };`,
      `permit (principal, action == Action::"purge", resource) when { resource.owner == principal && resource.tags.contains("old${n}") };`,
    ][i % 5]
  }).join('\n')
  let turns = 0
  const ticking = setInterval(() => turns++, 5)
  const started = performance.now()
  const { environments, equivalent, unknown } = await differ({ withinMs: 2_000 })('office', rules(0), rules(1_000))
  clearInterval(ticking)
  const seconds = (performance.now() - started) / 1_000
  console.log(JSON.stringify({ seconds, turns, environments: environments.length, told: environments.flatMap(({ gains, loses }) => [...gains, ...loses]).length, open: environments.flatMap(({ open = [] }) => open).length }))
  assert.deepEqual([equivalent, unknown], [false, null])
  assert.ok(environments.length > 0 && turns > 2 && seconds < 20)
})

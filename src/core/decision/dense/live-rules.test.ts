import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parsePolicies, parseSchema } from '#adapters/cedar/cedar.ts'
import { RecordValue } from '../value.ts'
import { LiveRules } from './live-rules.ts'

const SCHEMA = parseSchema('entity Team; entity User in [Team] { active: Bool }; action view appliesTo { principal: User, resource: Team };')
const rulesOf = (text: string) => parsePolicies(text, SCHEMA).rules
const uid = (type: string, id: string) => ({ type, id })
const user = (active: boolean, ...teams: string[]) => ({ uid: uid('User', 'ana'), attrs: { active }, parents: teams.map((id) => uid('Team', id)) })
const question = { principal: uid('User', 'ana'), action: uid('Action', 'view'), resource: uid('Team', 'red'), context: new RecordValue(new Map()) }

test('what is decided follows the entities and the rules, each from one decision to the next', () => {
  const live = new LiveRules(rulesOf('@id("members") permit(principal, action, resource) when { principal in resource && principal.active };'), SCHEMA)
  const verdict = () => live.decide(question).verdict
  assert.equal(verdict(), 'error')
  live.entities.apply({ upserted: [user(true, 'red'), { uid: uid('Team', 'red'), attrs: {}, parents: [] }] })
  assert.deepEqual(live.decide(question).determining, ['members'])
  live.entities.apply({ upserted: [user(false, 'red')] })
  assert.equal(verdict(), 'not_permitted')
  live.entities.apply({ upserted: [user(true)] })
  assert.equal(verdict(), 'not_permitted')
  live.replace(rulesOf('@id("all") permit(principal, action, resource); @id("idle") forbid(principal, action, resource) unless { principal.active };'))
  assert.deepEqual(live.decide(question).determining, ['all'])
  live.entities.apply({ upserted: [user(false)] })
  assert.deepEqual(live.decide(question).determining, ['idle'])
  live.entities.apply({ upserted: [], deleted: [uid('User', 'ana')] })
  assert.equal(verdict(), 'error')
})

test('entities of which one cannot be read leave all as they were', () => {
  const live = new LiveRules(rulesOf('permit(principal, action, resource);'), SCHEMA)
  live.entities.apply({ upserted: [user(true), { uid: uid('Team', 'red'), attrs: {}, parents: [] }] })
  assert.throws(() => live.entities.apply({ upserted: [user(true, 'red'), { ...user(true), uid: uid('User', 'bob'), attrs: {} }] }), { code: 'ENTITIES_INVALID' })
  assert.equal(live.entities.size, 2)
  assert.equal(live.decide(question).verdict, 'permitted')
})

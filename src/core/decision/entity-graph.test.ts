import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseSchema, parseUnvalidated } from '#adapters/cedar/cedar.ts'
import { Failure } from '#core/failure.ts'
import type { CedarEntity } from '#core/unit/semantic-unit.ts'
import { importTwin, type Sabotage } from '#test/twin.ts'
import { readContext, readEntities } from './entity-graph.ts'
import { Evaluator } from './evaluator.ts'
import { EntityValue } from './value.ts'

const SCHEMA = parseSchema(`
entity Team in [Team];
entity Level enum ["low", "high"];
entity User in [Team] { name: String, quota?: Long, boss?: User, from?: ipaddr, level: Level } tags Long;
action group;
action view in [group] appliesTo { principal: User, resource: User, context: { at?: datetime } };`)

const team = (id: string, ...parents: string[]): CedarEntity => ({ uid: { type: 'Team', id }, attrs: {}, parents: parents.map((parent) => ({ type: 'Team', id: parent })) })
const user = (id: string, attrs: object = {}, ...teams: string[]): CedarEntity => ({
  uid: { type: 'User', id }, attrs: { name: id, level: { type: 'Level', id: 'low' }, ...attrs }, parents: teams.map((each) => ({ type: 'Team', id: each })),
})
const problemsOf = (entities: readonly CedarEntity[]): readonly string[] => {
  try {
    readEntities(entities, SCHEMA)
    return []
  } catch (error) {
    assert.ok(error instanceof Failure && error.code === 'ENTITIES_INVALID')
    return error.problems.map(({ place, message }) => `${place} ${message}`)
  }
}

test('everything that an entity is in is worked out, over thousands of levels too, and shared by those with the same parents', () => {
  const chain = Array.from({ length: 3_000 }, (_, i) => team(String(i), ...(i < 2_999 ? [String(i + 1)] : [])))
  const graph = readEntities([user('a', {}, '0'), user('b', {}, '0'), ...chain], SCHEMA)
  const [a, b] = ['a', 'b'].map((id) => graph.find(new EntityValue('User', id)))
  assert.equal(a?.ancestors.size, 3_000)
  assert.equal(a?.ancestors, b?.ancestors)
})

test('what does not fit is refused, each with its place', () => {
  assert.deepEqual(problemsOf([user('a', {}, 't'), team('t')]), [])
  for (const [entities, expected] of [
    [[team('a', 'b'), team('b', 'c'), team('c', 'a')], /above itself in the hierarchy/],
    [[team('a', 'a')], /above itself/],
    [[team('a'), team('a')], /given twice/],
    [[user('a', { quota: 'x' })], /quota is not an integer of 64 bits/],
    [[user('a', { quota: 9223372036854775808n })], /quota is not an integer of 64 bits/],
    [[user('a', { level: { type: 'Level', id: 'odd' } })], /none of the ids/],
    [[user('a', { name: undefined })], /name is not a string/],
    [[user('a', { other: 1 })], /other is an attribute that the schema does not have/],
    [[user('a', { from: '10.0.0.0/33' })], /is not an IP address/],
    [[{ ...user('a'), parents: [{ type: 'User', id: 'b' }] }], /its type cannot be in/],
    [[{ ...user('a'), tags: { x: true } }], /x is not an integer/],
    [[{ ...team('a'), tags: { x: 1 } }], /gives its type none/],
    [[{ uid: { type: 'Nobody', id: 'a' }, attrs: {}, parents: [] }], /of a type that the schema does not have/],
  ] as const) assert.match(problemsOf(entities).join('; '), expected)
})

test('implicit forms are read by the type, escapes in any case, integers exactly', () => {
  const graph = readEntities([user('a', { quota: '9007199254740993', boss: { __entity: { type: 'User', id: 'b' } }, from: '10.0.0.1', level: { type: 'Level', id: 'high' } })], SCHEMA)
  const attributes = graph.find(new EntityValue('User', 'a'))?.attributes
  assert.equal(attributes?.get('quota'), 9007199254740993n)
  assert.equal(String(attributes?.get('boss')), 'User::"b"')
  assert.equal(String(attributes?.get('from')), 'ip("10.0.0.1/32")')
  const action = { type: 'Action', id: 'view' }
  const [implicit, escaped] = ['2024-01-01', { __extn: { fn: 'datetime', arg: '2024-01-01T00:00:00Z' } }].map((at) => readContext({ at }, SCHEMA, action))
  assert.ok(implicit?.equals(escaped ?? true))
  assert.equal(readContext({ at: '2024-01-01' }, null, action).fields.get('at'), '2024-01-01')
})

test('without a schema, what is marked is what it is marked as, and a mark that says nothing is refused', () => {
  const read = (v: unknown) => readEntities([{ uid: { type: 'User', id: 'a' }, attrs: { v }, parents: [] }], null).find(new EntityValue('User', 'a'))?.attributes.get('v')
  assert.ok(read({ __entity: { type: 'User', id: 'b' } }) instanceof EntityValue)
  assert.equal(String(read({ __extn: { fn: 'offset', args: [{ __extn: { fn: 'datetime', arg: '1970-01-01' } }, { __extn: { fn: 'duration', arg: '-1ms' } }] } })), 'datetime("1970-01-01").offset(duration("-1ms"))')
  assert.equal(String(read({ type: 'User', id: 'b' })), '{"type": "User", "id": "b"}')
  for (const odd of [null, 1.5, 2 ** 53, 2n ** 63n, '\ud800', { __expr: '1' }, { __entity: 'User::"b"' }, { __extn: { fn: 'ip', arg: 'x' } }, { __extn: { fn: 'toDays', arg: 'x' } }, { __extn: { fn: 'ip' } }]) {
    assert.throws(() => read(odd), (error) => error instanceof Failure && error.code === 'ENTITIES_INVALID')
  }
})

const ana = new EntityValue('User', 'ana')
const bo = new EntityValue('User', 'bo')
const view = new EntityValue('Action', 'view')
type Engine = { Evaluator: typeof Evaluator; readEntities: typeof readEntities; readContext: typeof readContext }

function decide(policies: string, entities: readonly CedarEntity[], { Evaluator: Made, readEntities: read, readContext: readContextOf }: Engine = { Evaluator, readEntities, readContext }) {
  const { verdict, missing, obligations, errors } = new Made(parseUnvalidated(policies).rules)
    .decide({ principal: ana, action: view, resource: bo, context: readContextOf({}, SCHEMA, view) }, read(entities, SCHEMA))
  return { verdict, missing, obligations, failed: errors.map(({ rule }) => rule) }
}

const PERMIT = '@obligation("log") permit(principal, action in Action::"group", resource);'
const DOUBTFUL: readonly (readonly [string, string, readonly CedarEntity[], readonly string[]])[] = [
  ['a resource that is not there', PERMIT, [user('ana')], ['User::"bo"']],
  ['a prohibition about an attribute of nobody', `${PERMIT} forbid(principal, action, resource) when { resource.boss has quota };`, [user('ana'), user('bo', { boss: { type: 'User', id: 'cy' } })], ['User::"cy"']],
  ['a prohibition about a group that a missing one could be in', `${PERMIT} forbid(principal in Team::"out", action, resource);`, [user('ana', {}, 't'), user('bo')], ['Team::"t"']],
]

test('any doubt denies: what a decision reads must be there', () => {
  assert.deepEqual(decide(PERMIT, [user('ana'), user('bo')]), { verdict: 'permitted', missing: [], obligations: ['log'], failed: [] })
  assert.deepEqual(decide('', [user('ana'), user('bo')]).verdict, 'not_permitted')
  assert.deepEqual(decide(`${PERMIT} forbid(principal, action, resource) unless { resource.level == Level::"high" };`, [user('ana'), user('bo')]).verdict, 'forbidden')
  assert.deepEqual(decide(`${PERMIT} @id("f") forbid(principal, action, resource) when { resource.quota > 3 };`, [user('ana'), user('bo')]), { verdict: 'error', missing: [], obligations: [], failed: ['f'] })
  for (const [what, policies, entities, missing] of DOUBTFUL) assert.deepEqual({ what, ...decide(policies, entities) }, { what, verdict: 'error', missing, obligations: [], failed: [] })
})

test('what no evaluation reads may be missing', () => {
  const never = `${PERMIT} forbid(principal is Team, action, resource) when { resource.boss has quota }; forbid(principal, action, resource) when { false && resource.boss has quota };`
  assert.equal(decide(never, [user('ana'), user('bo', { boss: { type: 'User', id: 'cy' } })]).verdict, 'permitted')
})

const TWINS: readonly Sabotage[] = [
  { file: 'evaluator.ts', from: 'if (situation.resourceEntity === undefined) situation.note(situation.resource)', to: '' },
  { file: 'situation.ts', from: 'if (entity === undefined) this.note(name)', to: '' },
  { file: 'entity-graph.ts', from: 'unknown.set(name.key, name)', to: 'continue' },
]

test('the sabotage twins are caught: each doubt is permitted once what notices it is gone', async () => {
  for (const [i, sabotage] of TWINS.entries()) {
    const twin = await importTwin<Engine>('src/core/decision/', ['evaluator.ts', 'entity-graph.ts'], sabotage, `open door ${i}`)
    const [, policies, entities] = DOUBTFUL[i] as (typeof DOUBTFUL)[number]
    assert.equal(decide(policies, entities, twin).verdict, 'permitted', sabotage.file)
  }
})

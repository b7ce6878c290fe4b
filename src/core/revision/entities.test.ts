import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { checkEntities, parseSchema } from '#adapters/cedar/cedar.ts'
import { digest } from '#core/canonical.ts'
import { Failure } from '#core/failure.ts'
import type { CedarEntity } from '#core/unit/semantic-unit.ts'
import { changeDigest, entityReader, Findings, findCyclesAmong, keep } from './entities.ts'
import { flawOfExtension } from './extension-value.ts'

const SCHEMA = parseSchema(`
  entity Org; entity Team in [Org, Team]; entity Kind enum ["a", "b"]; entity Doc in [Kind];
  entity User in [Team] {
    n: Long, k?: Kind, ip?: ipaddr, d?: decimal, t?: datetime, u?: duration,
    r?: { x: Long, y?: { z: Set<String> } }, s?: Set<Long>, o?: User, name?: String, b?: Bool,
  } tags Set<Kind>;
  action view appliesTo { principal: User, resource: [Team, Doc] };
`)

function read(values: readonly unknown[]): { entities: readonly CedarEntity[]; problems: readonly string[] } {
  const findings = new Findings()
  const reader = entityReader(SCHEMA, 'entities', findings)
  const entities = [...reader(values.slice(0, 1)), ...reader(values.slice(1))]
  if (findings.count === 0) findCyclesAmong(entities, findings)
  return { entities, problems: findings.problems.map(({ place, message }) => `${place}: ${message}`) }
}
const user = (attrs: object, more: object = {}) => ({ uid: { type: 'User', id: 'u' }, attrs: { n: 1, ...attrs }, parents: [], ...more })
const team = (id: string, ...parents: string[]) => ({ uid: { type: 'Team', id }, attrs: {}, parents: parents.map((parent) => ({ type: 'Team', id: parent })) })

test('what fits the schema is kept in one form, whichever of Cedar’s forms it came in', () => {
  const { entities, problems } = read([
    user(
      { n: '-9223372036854775808', k: { type: 'Kind', id: 'a' }, ip: '10.0.0.0/8', d: { fn: 'decimal', arg: '1.50' }, t: { __extn: { fn: 'datetime', arg: '2024-02-29' } }, o: { __entity: { type: 'User', id: 'gone' } }, s: [1, 9007199254740993n, '7'] },
      { parents: [{ __entity: { type: 'Team', id: 't' } }, { type: 'Team', id: 't' }, { type: 'Org', id: 'nowhere' }], tags: { colour: [{ type: 'Kind', id: 'b' }] } },
    ),
    { uid: { __entity: { type: 'Kind', id: 'a' } } },
  ])
  assert.deepEqual(problems, [])
  assert.deepEqual(entities, [
    {
      uid: { type: 'User', id: 'u' },
      attrs: {
        n: '-9223372036854775808', k: { __entity: { type: 'Kind', id: 'a' } }, ip: { __extn: { fn: 'ip', arg: '10.0.0.0/8' } }, d: { __extn: { fn: 'decimal', arg: '1.50' } },
        t: { __extn: { fn: 'datetime', arg: '2024-02-29' } }, o: { __entity: { type: 'User', id: 'gone' } }, s: [1, '9007199254740993', 7],
      },
      parents: [{ type: 'Team', id: 't' }, { type: 'Org', id: 'nowhere' }],
      tags: { colour: [{ __entity: { type: 'Kind', id: 'b' } }] },
    },
    { uid: { type: 'Kind', id: 'a' }, attrs: {}, parents: [] },
  ])
  checkEntities(entities, SCHEMA)
})

const BAD: readonly [string, readonly unknown[], string][] = [
  ['no object', ['x'], 'entities[0]: is not an entity: an object with `uid`, `attrs` and `parents`'],
  ['no uid', [{ uid: 'User::"u"' }], 'entities[0].uid: is not a uid: write it as { "type": "User", "id": "ana" }'],
  ['an unknown type', [{ uid: { type: 'Usr', id: 'u' } }], 'Usr::"u": is of the type `Usr`, which the schema does not have: it has Doc, Kind, Org, Team, User'],
  ['an action', [{ uid: { type: 'Action', id: 'view' } }], 'Action::"view": is an action: actions and their groups are the schema’s, leave it out'],
  ['a duplicate', [team('a'), team('a')], 'Team::"a": is given twice, again at entities[1]'],
  ['an unknown member', [user({}, { attributes: {} })], 'User::"u" attributes: is not a member of an entity: it has `uid`, `attrs`, `parents` and `tags`'],
  ['a missing attribute', [{ uid: { type: 'User', id: 'u' } }], 'User::"u" attrs.n: is missing'],
  ['an unknown attribute', [user({ m: 1 })], 'User::"u" attrs.m: is an attribute that the schema does not have'],
  ['a wrong kind deep inside', [user({ r: { x: 1, y: { z: ['a', 2] } } })], 'User::"u" attrs.r.y.z[1]: is not a string'],
  ['a fraction', [user({ n: 1.5 })], 'User::"u" attrs.n: is not an integer'],
  ['an integer beyond 64 bits', [user({ n: 9223372036854775808n })], 'User::"u" attrs.n: is not an integer of 64 bits'],
  ['an integer that was rounded', [user({ n: 2 ** 60 })], 'User::"u" attrs.n: is an integer that a number does not hold exactly: write it as a string of digits'],
  ['a reference to another type', [user({ o: { type: 'Team', id: 't' } })], 'User::"u" attrs.o: is `Team::"t"`, not a User'],
  ['a name where a reference belongs', [user({ o: 'User::"x"' })], 'User::"u" attrs.o: is not a reference to an entity: write it as { "__entity": { "type": "User", "id": "…" } }'],
  ['an id that is not enumerated', [user({ k: { type: 'Kind', id: 'z' } })], 'User::"u" attrs.k: is `Kind::"z"`, and the ids of that enumerated type are a, b'],
  ['an entity that is not enumerated', [{ uid: { type: 'Kind', id: 'z' } }], 'Kind::"z": is none of the ids of its enumerated type: a, b'],
  ['a parent of a type that is not allowed', [user({}, { parents: [{ type: 'Doc', id: 'd' }] })], 'User::"u" parents[0]: is `Doc::"d"`, and the schema lets a User be in Team, Org only'],
  ['a parent that is not enumerated', [{ uid: { type: 'Doc', id: 'd' }, parents: [{ type: 'Kind', id: 'z' }] }], 'Doc::"d" parents[0]: is `Kind::"z"`, and the ids of that enumerated type are a, b'],
  ['tags on what has none', [{ ...team('t'), tags: { a: 1 } }], 'Team::"t" tags: are given, and the schema gives a Team none'],
  ['null for tags', [user({}, { tags: null })], 'User::"u" tags: is not an object of tags'],
  ['a wrong tag', [user({}, { tags: { 'a b': ['x'] } })], 'User::"u" tags["a b"][0]: is not a reference to an entity: write it as { "__entity": { "type": "Kind", "id": "…" } }'],
  ['a wrong address', [user({ ip: '10.0.0.300' })], 'User::"u" attrs.ip: is not an IP address or range, such as "10.0.0.1", "10.0.0.0/8" or "2001:db8::/32"'],
  ['another function', [user({ d: { fn: 'ip', arg: '10.0.0.1' } })], 'User::"u" attrs.d: is not a value of the type decimal: write it as { "__extn": { "fn": "decimal", "arg": "…" } }'],
  ['an id that no index holds', [team('x'.repeat(2_000))], `Team::"${'x'.repeat(2_000)}": has a longer id than 2000 bytes`],
  ['itself as parent', [team('a', 'a')], 'Team::"a": is above itself in the hierarchy: `Team::"a"` in `Team::"a"`'],
  ['a cycle', [team('a', 'b'), team('b', 'c', 'd'), team('c', 'a'), team('d')], 'Team::"a": is above itself in the hierarchy: `Team::"a"` in `Team::"b"` in `Team::"c"` in `Team::"a"`'],
]
for (const [what, values, problem] of BAD) {
  test(`refused: ${what}`, () => {
    const { entities, problems } = read(values)
    assert.deepEqual(problems, [problem])
    entities.forEach(keep) // Which happens before anything is refused.
  })
}

test('every problem is named, and beyond a hundred they are counted', () => {
  const findings = new Findings()
  entityReader(SCHEMA, 'entities', findings)(Array.from({ length: 150 }, (_, i) => ({ uid: { type: 'User', id: `u${i}` }, attrs: { m: 1 } })))
  assert.throws(() => findings.refuse('no'), (error: Failure) => {
    assert.equal(error.problems.length, 100)
    assert.deepEqual(error.details, { problems_total: 300, problems_more: 200 })
    assert.match(error.message, /^no: User::"u0" attrs\.m: is an attribute that the schema does not have \(and 299 other problems, of which 99 are named\)$/)
    return true
  })
})

test('every cycle is named, however long, and what only leads into one is not', () => {
  const chain = Array.from({ length: 20_000 }, (_, i) => team(`c${i}`, `c${(i + 1) % 20_000}`))
  const { problems } = read([...chain, team('below', 'c0'), team('x', 'y'), team('y', 'x'), team('above')])
  assert.deepEqual(problems.map((problem) => problem.split(':')[0]).sort(), ['Team', 'Team'])
  assert.equal(problems.some((problem) => problem.includes('below')), false)
})

test('the digest of a change is that of its canonical form', () => {
  const { entities } = read([user({ name: 'ü' }), team('a')])
  for (const change of [{ upserted: entities, deleted: [{ type: 'User', id: 'x' }, { type: 'User', id: 'y' }] }, { upserted: [], deleted: [] }]) {
    assert.equal(changeDigest({ ...change, upserted: change.upserted.map(keep) }), digest(change))
  }
})

// Against Cedar: the same answer for random entities, most of them a little wrong.
const ids = fc.constantFrom('a', 'b', 'c')
const uid = fc.record({ type: fc.constantFrom('User', 'Team', 'Org', 'Kind', 'Doc', 'Nope'), id: ids })
const reference = fc.oneof(uid, uid.map((each) => ({ __entity: each })))
const of = (type: string) => fc.oneof({ weight: 8, arbitrary: ids.map((id) => ({ __entity: { type, id } })) }, { weight: 1, arbitrary: reference })
const mostly = <T>(right: fc.Arbitrary<T>): fc.Arbitrary<unknown> => fc.oneof({ weight: 12, arbitrary: right as fc.Arbitrary<unknown> }, { weight: 1, arbitrary: fc.constantFrom<unknown>(1, 'x', true, null, [], {}, 1.5, { type: 'User', id: 'a' }) })
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined, freq: 2 })
const long = fc.integer()
const textOf = (...pieces: string[]) => fc.array(fc.constantFrom(...pieces), { minLength: 1, maxLength: 6 }).map((parts) => parts.join(''))
const attributes = fc.record({
  n: fc.oneof({ weight: 15, arbitrary: mostly(long) }, { weight: 1, arbitrary: fc.constant(undefined) }),
  k: maybe(mostly(of('Kind'))),
  ip: maybe(mostly(fc.oneof(fc.ipV4(), fc.ipV6(), textOf('1', '255', '256', '.', ':', '::', '/', '0', 'f')))),
  d: maybe(mostly(fc.oneof(fc.constantFrom('1.0', '-0.1234', '922337203685477.5807'), textOf('1', '0', '.', '-', '9223372')))),
  t: maybe(mostly(fc.oneof(fc.date({ noInvalidDate: true, min: new Date('0000-01-01'), max: new Date('9999-12-31') }).map((date) => date.toISOString()), textOf('2024', '-', '02', '29', '30', 'T', '10', ':', '.500', 'Z', '+0100')))),
  u: maybe(mostly(fc.oneof(fc.constantFrom('1d2h', '-5ms'), textOf('1', '0', 'd', 'h', 'm', 's', 'ms', '-')))),
  r: maybe(mostly(fc.record({ x: mostly(long), y: maybe(mostly(fc.record({ z: mostly(fc.array(mostly(fc.string({ maxLength: 3 })), { maxLength: 2 })) }))) }))),
  s: maybe(mostly(fc.array(mostly(long), { maxLength: 3 }))),
  o: maybe(mostly(of('User'))),
  extra: fc.oneof({ weight: 15, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: fc.constant(1) }),
})
const parentsOf = (...types: string[]) => fc.array(fc.oneof({ weight: 12, arbitrary: fc.record({ type: fc.constantFrom(...types), id: ids }) }, { weight: 1, arbitrary: uid }), { maxLength: 2 })
const entity = fc.oneof(
  { weight: 4, arbitrary: fc.record({ uid: ids.map((id) => ({ type: 'User', id })), attrs: attributes, parents: parentsOf('Team', 'Org'), tags: maybe(mostly(fc.dictionary(fc.constantFrom('p', 'q'), mostly(fc.array(of('Kind'), { maxLength: 2 }))))) }) },
  { weight: 4, arbitrary: fc.record({ uid: ids.map((id) => ({ type: 'Team', id })), attrs: fc.constant({}), parents: parentsOf('Team', 'Team', 'Org') }) },
  { weight: 1, arbitrary: fc.record({ uid: ids.map((id) => ({ type: 'Doc', id })), attrs: fc.constant({}), parents: parentsOf('Kind') }) },
  { weight: 1, arbitrary: fc.record({ uid, attrs: fc.constant({}), parents: fc.constant([]) }) },
)
/** No entity twice: there we are stricter on purpose. */
const world = fc.uniqueArray(entity, { maxLength: 5, selector: ({ uid: { type, id } }) => `${type} ${id}` }).map((all) => JSON.parse(JSON.stringify(all)) as CedarEntity[])

function cedarTakes(entities: readonly CedarEntity[]): boolean {
  try {
    checkEntities(entities, SCHEMA)
    return true
  } catch (error) {
    assert.ok(error instanceof Failure && error.code === 'ENTITIES_INVALID', String(error))
    return false
  }
}

test('our yes is Cedar’s yes, in the form that is kept too, and our no is Cedar’s no', () => {
  const count = { yes: 0, no: 0 }
  fc.assert(
    fc.property(world, (entities) => {
      const { entities: kept, problems } = read(entities)
      const isTaken = cedarTakes(entities)
      assert.equal(problems.length === 0, isTaken, JSON.stringify([entities, problems]))
      if (isTaken) assert.ok(cedarTakes(kept), JSON.stringify(kept))
      count[isTaken ? 'yes' : 'no']++
    }),
    { numRuns: 1_500 },
  )
  assert.ok(count.yes > 200 && count.no > 200, JSON.stringify(count))
})

test('the sabotage twin: readers that forget to look at parents, at ids or at extension values are found out by the same comparison', () => {
  const forgets: { readonly [what: string]: (problem: string) => boolean } = {
    parents: (problem) => problem.includes('parents'), ids: (problem) => problem.includes('enumerated'), extensions: (problem) => /attrs\.(ip|d|t|u):/.test(problem), cycles: (problem) => problem.includes('above itself'),
  }
  for (const [what, forgotten] of Object.entries(forgets)) {
    const isFoundOut = fc.sample(world, { numRuns: 1_500, seed: 7 }).some((entities) => {
      const { problems } = read(entities)
      return problems.length > 0 && problems.every(forgotten) && !cedarTakes(entities)
    })
    assert.ok(isFoundOut, what)
  }
})

test('texts of extension values are judged as Cedar judges them', () => {
  const cases: readonly [string, string, readonly string[]][] = [
    ['decimal', 'd', ['1.0', '1', '01.5', '1.23456', '922337203685477.5808', '-922337203685477.5808', '+1.0', '.5', '1.', '00.0']],
    ['ipaddr', 'ip', ['01.2.3.4', '1.2.3.4/32', '1.2.3.4/33', '1.2.3.4/032', '1.2.3.4/', '::', '::1/129', '::ffff:1.2.3.4', 'fe80::1%eth0', '1::2::3', '12345::', '1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:8::', '::2:3:4:5:6:7:8', '1:2:3:4:5:6:7', ' 1.2.3.4', '0.0.0.0/00', ':::', '1:']],
    ['datetime', 't', ['2024-02-29', '2023-02-29', '1900-02-29', '2000-02-29', '0000-01-01', '2024-01-01T24:00:00Z', '2024-01-01T23:59:60Z', '2024-01-01T23:59:59.9Z', '2024-01-01T23:59:59.123-2359', '2024-01-01T23:59:59+2400', '2024-01-01T23:59:59+0160', '2024-01-01T23:59:59', '2024-00-01']],
    ['duration', 'u', ['1d2h3m4s5ms', '', '-', '1h1d', '106751991167d', '106751991168d', '-9223372036854775808ms', '9223372036854775808ms', '01d', '1m2ms', '-0ms', '1.5h', '+1d']],
  ]
  for (const [type, attribute, texts] of cases) {
    const answers = texts.map((text) => [text, flawOfExtension(type, text) === null, cedarTakes([user({ [attribute]: text })])])
    for (const [text, ours, theirs] of answers) assert.equal(ours, theirs, `${type} ${text}`)
  }
})

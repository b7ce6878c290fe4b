import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { authorize, parsePolicies, parseSchema } from '#adapters/cedar/cedar.ts'
import { createProver } from '#adapters/solver/prover.ts'
import { ask, interpreter } from './differential.ts'
import { alwaysAllows, alwaysDenies, LIMITS, neverErrors } from './questions.ts'
import type { Attributes, Scene } from './world.ts'

const reports: unknown[] = []
/** The measure of work decides, on a busy machine too. */
const limits = { ...LIMITS, timeoutMs: 60_000 }
const prover = createProver({ ...LIMITS, disagreed: (report) => reports.push(report) })
after(async () => {
  await prover[Symbol.asyncDispose]()
  assert.deepEqual(reports, [])
})

const SCHEMA = parseSchema(`
entity Kind enum ["a", "b"];
entity Group in [Group];
entity User in [Group] {
  name: String, nick: String, words: Set<String>,
  balance: decimal, limit?: decimal, born: datetime, seen?: datetime, ttl: duration, from: ipaddr, home?: ipaddr,
  nets: Set<ipaddr>, days: Set<datetime>, grid: Set<Set<Long>>, row: Set<Long>, pairs: Set<{ a: Long, b?: String }>, pair: { a: Long, b?: String },
  deep: Set<{ who: User, nets: Set<ipaddr>, at: { when: datetime } }>, verbs: Set<Action>, verb: Action, kind: Kind, team: Group, size: Long,
} tags Set<String>;
entity Doc tags { level: Long, from?: ipaddr };
action all;
action view, edit in [all] appliesTo { principal: User, resource: Doc, context: {} };
`)
const ENVIRONMENT = { principal: 'User', action: 'Action::"view"', resource: 'Doc' }

const extension = (fn: string) => (arg: string) => ({ __extn: { fn, arg } })
const [decimal, datetime, duration, ip] = [extension('decimal'), extension('datetime'), extension('duration'), extension('ip')] as const
const instant = (ms: string) => ({ __extn: { fn: 'offset', args: [datetime('1970-01-01'), duration(`${ms}ms`)] } })
const MAX = '9223372036854775807'
const MIN = '-9223372036854775808'

function scene(attrs: Attributes = {}, tags: { readonly user?: Attributes; readonly doc?: Attributes } = {}): Scene {
  const plain = {
    name: '', nick: '', words: [], balance: decimal('0.0'), born: datetime('2000-01-01'), ttl: duration('0ms'), from: ip('10.0.0.1'),
    nets: [], days: [], grid: [], row: [], pairs: [], pair: { a: 0 }, deep: [], verbs: [], verb: { __entity: { type: 'Action', id: 'edit' } }, kind: { __entity: { type: 'Kind', id: 'a' } }, team: { __entity: { type: 'Group', id: 'g' } }, size: 0,
  }
  return {
    principal: 'u', resource: 'd', context: {},
    entities: [
      { uid: { type: 'User', id: 'u' }, attrs: { ...plain, ...attrs }, parents: [], tags: tags.user ?? {} },
      { uid: { type: 'Doc', id: 'd' }, attrs: {}, parents: [], tags: tags.doc ?? {} },
    ],
  }
}

type Case = readonly [condition: string, world: Scene, expected: boolean | 'fails']

/** Cedar is asked as well, so that no expectation is mine alone. */
const CASES: { readonly [construct: string]: readonly Case[] } = {
  'like': [
    ['principal.name like "a*b"', scene({ name: 'ab' }), true],
    ['principal.name like "a*b"', scene({ name: 'a' }), false],
    ['principal.name like "*a*b*"', scene({ name: 'xbxaxbx' }), true],
    ['principal.name like "a\\**"', scene({ name: 'a*c' }), true],
    ['principal.name like "a\\**"', scene({ name: 'abc' }), false],
    ['principal.name like "*😀"', scene({ name: 'x😀' }), true],
    ['principal.name like "*"', scene(), true],
    ['principal.name like "a*" && principal.name like "*a" && !(principal.name like "*a*a*")', scene({ name: 'a' }), true],
    ['principal.name like "admin-*" && principal.name == principal.nick && principal.words.contains(principal.nick)', scene({ name: 'admin-x', nick: 'admin-x', words: ['admin-x'] }), true],
    ['(if principal.nick == "" then principal.name else principal.nick) like "x*y"', scene({ name: 'xy' }), true],
  ],
  'decimal': [
    ['principal.balance.lessThan(decimal("0.1"))', scene({ balance: decimal('-0.0001') }), true],
    ['principal.balance.greaterThanOrEqual(decimal("922337203685477.5807"))', scene({ balance: decimal('922337203685477.5807') }), true],
    ['principal has limit && principal.balance.greaterThan(principal.limit)', scene({ balance: decimal('1.5'), limit: decimal('1.4999') }), true],
    ['principal.balance == decimal("1.50")', scene({ balance: decimal('1.5') }), true],
    ['principal.balance.lessThanOrEqual(decimal("-922337203685477.5808"))', scene(), false],
  ],
  'datetime and duration': [
    ['principal.born < datetime("1970-01-01T00:00:00.001+0100")', scene({ born: datetime('1969-12-31') }), true],
    ['principal.born.toDate() == datetime("1969-12-31")', scene({ born: instant('-1') }), true],
    ['principal.born.toTime() == duration("23h59m59s999ms")', scene({ born: instant('-1') }), true],
    ['principal.born.toDate() < datetime("2024-01-01")', scene({ born: instant(MIN) }), 'fails'],
    ['principal.born.offset(principal.ttl) > datetime("2024-01-01")', scene({ born: instant(MAX), ttl: duration('1ms') }), 'fails'],
    ['principal.born.offset(principal.ttl) > datetime("2024-01-01")', scene({ born: instant(MAX), ttl: duration('-1ms') }), true],
    ['principal has seen && principal.seen.durationSince(principal.born) > duration("30d")', scene({ born: datetime('2024-01-01'), seen: datetime('2024-02-01') }), true],
    ['principal has seen && principal.seen.durationSince(principal.born) > duration("30d")', scene({ born: instant(MIN), seen: instant('1') }), 'fails'],
    ['principal.ttl.toDays() == -1 && principal.ttl.toHours() == -36', scene({ ttl: duration('-1d12h') }), true],
    ['principal.ttl.toSeconds() == -1 && principal.ttl.toMinutes() == 0 && principal.ttl.toMilliseconds() == -1999', scene({ ttl: duration('-1999ms') }), true],
    ['principal.ttl == duration("106751991167d7h12m55s807ms")', scene({ ttl: duration(`${MAX}ms`) }), true],
    ['principal.days.contains(principal.born.toDate())', scene({ born: datetime('2000-01-01T13:00:00Z'), days: [datetime('2000-01-01')] }), true],
  ],
  'ipaddr': [
    ['principal.from.isInRange(ip("10.0.0.0/8"))', scene({ from: ip('10.255.0.1') }), true],
    ['principal.from.isInRange(ip("10.0.0.0/8"))', scene({ from: ip('10.0.0.0/7') }), false],
    ['principal.from.isInRange(ip("10.1.2.3/8"))', scene({ from: ip('10.0.0.0/9') }), true],
    ['principal.from == ip("10.0.0.1/8")', scene({ from: ip('10.0.0.0/8') }), false],
    ['principal.from == ip("10.0.0.1/32")', scene(), true],
    ['principal.from.isIpv6() && principal.from.isInRange(ip("2001:db8::/33"))', scene({ from: ip('2001:db8:7fff::/48') }), true],
    ['principal.from.isInRange(ip("2001:db8::/33"))', scene({ from: ip('2001:db8:8000::') }), false],
    ['principal.from.isInRange(ip("::/0"))', scene(), false],
    ['principal.from.isLoopback() && principal.from.isIpv4()', scene({ from: ip('127.0.0.0/9') }), true],
    ['principal.from.isLoopback()', scene({ from: ip('::1/127') }), false],
    ['principal.from.isMulticast()', scene({ from: ip('ff02::1') }), true],
    ['principal.from.isMulticast()', scene({ from: ip('224.0.0.0/3') }), false],
    ['principal has home && principal.from.isInRange(principal.home) && principal.from != principal.home', scene({ from: ip('10.2.0.0/16'), home: ip('10.1.0.0/14') }), true],
    ['principal has home && principal.from.isInRange(principal.home)', scene({ from: ip('10.4.0.0'), home: ip('10.1.0.0/14') }), false],
    ['principal has home && (if principal.from.isIpv4() then principal.from else principal.home).isLoopback()', scene({ from: ip('::2'), home: ip('127.1.2.3') }), true],
    ['principal.nets.contains(principal.from) && !principal.nets.contains(ip("10.0.0.1"))', scene({ from: ip('10.0.0.1/8'), nets: [ip('10.0.0.1/8')] }), true],
    ['[ip("10.0.0.1"), ip("::1")].contains(principal.from)', scene({ from: ip('0:0::0001') }), true],
  ],
  'sets of sets and records': [
    ['principal.grid.contains([1, 2])', scene({ grid: [[2, 1, 1]] }), true],
    ['principal.grid.contains(principal.row)', scene({ grid: [[3]], row: [3, 3] }), true],
    ['principal.grid == [[1], [2, 3]]', scene({ grid: [[3, 2], [1]] }), true],
    ['principal.grid == [[1], [2, 3]]', scene({ grid: [[3, 2], [1], [4]] }), false],
    ['principal.grid.containsAll([principal.row, [7]])', scene({ grid: [[7], []] }), true],
    ['!principal.grid.isEmpty() && principal.grid.containsAny(principal.grid) && !principal.grid.contains(principal.row)', scene({ grid: [[7]] }), true],
    ['principal.pairs.contains(principal.pair)', scene({ pairs: [{ a: 1, b: 'x' }], pair: { a: 1, b: 'x' } }), true],
    ['principal.pairs.contains(principal.pair)', scene({ pairs: [{ a: 1, b: 'x' }], pair: { a: 1 } }), false],
    ['principal.pairs == [principal.pair]', scene({ pairs: [{ a: 1 }, { a: 1 }], pair: { a: 1 } }), true],
    ['[principal.row, [5]].contains([5, 5])', scene(), true],
    ['[{ x: 1, y: [principal.name] }].contains({ y: ["me", "me"], x: 1 })', scene({ name: 'me' }), true],
    ['principal.deep.contains({ who: principal, nets: [ip("10.0.0.1")], at: { when: datetime("2000-01-01") } })', scene({ deep: [{ who: { __entity: { type: 'User', id: 'u' } }, nets: [ip('10.0.0.1/32')], at: { when: datetime('2000-01-01') } }] }), true],
    ['principal.deep.contains({ who: principal, nets: principal.nets, at: { when: principal.born } })', scene({ nets: [ip('::1')], deep: [{ who: { __entity: { type: 'User', id: 'u' } }, nets: [], at: { when: datetime('2000-01-01') } }] }), false],
  ],
  'results that do not fit, as parts of values': [
    ['principal.row.contains(principal.size + 1)', scene({ size: MAX }), 'fails'],
    ['principal.grid.contains([principal.size + 1])', scene({ size: MAX }), 'fails'],
    ['principal.grid.contains([principal.size + 1, 3])', scene({ size: 1, grid: [[3, 2]] }), true],
    ['[[principal.size + 1], [7]] == principal.grid', scene({ size: MAX }), 'fails'],
    ['principal.grid.containsAny([[principal.size * 2], [principal.size * 3]])', scene({ size: MAX }), 'fails'],
    ['principal.grid.containsAny([[principal.size * 2], [principal.size * 3]]) || principal.grid.contains(principal.row)', scene({ size: MAX }), 'fails'],
    ['principal.deep.contains({ who: principal, nets: principal.nets, at: { when: principal.born.offset(principal.ttl) } })', scene({ born: instant(MAX), ttl: duration('1ms') }), 'fails'],
    // What follows fails never: the failure is in what must be known before it.
    ['principal.deep.contains({ who: principal, nets: principal.nets, at: { when: principal.born.offset(principal.ttl) } }) || principal.size < 5 && principal.size + 1 > 0', scene({ born: instant(MAX), ttl: duration('1ms') }), 'fails'],
    ['principal.grid.containsAny([[principal.size * 2], [principal.size * 3]]) || principal.ttl.toDays() < 5 && principal.ttl.toDays() + 1 > 7', scene({ size: MAX }), 'fails'],
    ['[principal.grid, [[principal.size * 2], [principal.size * 3]]].contains([principal.row]) || principal.ttl.toDays() < 5 && principal.ttl.toDays() + 1 > 7', scene({ size: MAX }), 'fails'],
    ['principal.days.contains(principal.born.offset(principal.ttl))', scene({ born: instant(MAX), ttl: duration('1ms') }), 'fails'],
    ['principal.days == [principal.born.offset(principal.ttl)]', scene({ born: instant(MIN), ttl: duration('-1ms') }), 'fails'],
  ],
  'tags': [
    ['principal.hasTag("team") && principal.getTag("team").contains("red")', scene({}, { user: { team: ['red'] } }), true],
    ['principal.hasTag("team") && principal.getTag("team").contains("red")', scene({}, { user: { teams: ['red'] } }), false],
    ['principal.hasTag(principal.name) && principal.getTag(principal.name) == principal.words', scene({ name: 'k', words: ['a'] }, { user: { k: ['a', 'a'] } }), true],
    ['resource.hasTag("x") && resource.getTag("x").level > 3 && resource.getTag("x") has from && resource.getTag("x").from.isIpv6()', scene({}, { doc: { x: { level: 4, from: ip('::5') } } }), true],
    ['principal.hasTag("a") && !principal.hasTag("b")', scene({}, { user: { b: [] } }), false],
  ],
  'actions as values': [
    ['principal.verbs.contains(action)', scene({ verbs: [{ __entity: { type: 'Action', id: 'view' } }] }), true],
    ['action in principal.verbs && !principal.verbs.contains(action)', scene({ verbs: [{ __entity: { type: 'Action', id: 'all' } }] }), true],
  ],
}

const policyOf = (condition: string) => parsePolicies(`permit (principal, action == Action::"view", resource) when { ${condition} };`, SCHEMA)

for (const [construct, cases] of Object.entries(CASES)) {
  test(`${construct}: terms mean what Cedar means`, () => {
    for (const [condition, world, expected] of cases) {
      const policy = policyOf(condition)
      const theirs = ask(SCHEMA, ENVIRONMENT, policy, world, authorize)
      assert.equal(theirs.erring.length > 0 ? 'fails' : theirs.decision === 'allow', expected, `Cedar about ${condition}`)
      assert.deepEqual(interpreter(SCHEMA, ENVIRONMENT, policy)(world), theirs, condition)
    }
  })

  test(`${construct}: the solver finds a request for each, and Cedar decides it so`, async () => {
    const options = { only: { action: ENVIRONMENT.action }, limits }
    for (const [condition, , expected] of cases) {
      const policy = policyOf(condition)
      const { answer } = await alwaysDenies(policy, SCHEMA, prover.engines, options)
      assert.equal(answer.kind, 'refuted', `${condition}: ${JSON.stringify(answer)}`)
      if (condition !== 'principal.name like "*"' && !condition.startsWith('[principal.row, [5]]')) {
        const denied = await alwaysAllows(policy, SCHEMA, prover.engines, options)
        assert.equal(denied.answer.kind, 'refuted', `${condition}: ${JSON.stringify(denied.answer)}`)
      }
      if (expected !== 'fails') continue
      const failing = await neverErrors(policy, SCHEMA, prover.engines, options)
      assert.equal(failing.answer.kind, 'refuted', `${condition}: ${JSON.stringify(failing.answer)}`)
    }
  })
}

/** What no request can be: proved, in each construct's own way. */
const IMPOSSIBLE = [
  'principal in principal.team && principal.team in Group::"x" && !(principal in Group::"x")',
  'principal.team in Group::"x" && Group::"x" in principal.team && principal.team != Group::"x"',
  'principal.kind != Kind::"a" && principal.kind != Kind::"b"',
  'principal.verb != Action::"view" && principal.verb != Action::"edit" && principal.verb != Action::"all"',
  'principal.name == "ab" && principal.name like "b*"',
  'principal.words == ["ab"] && principal.words.contains(principal.name) && !(principal.name like "*b")',
  'principal.name like "a*" && principal.name like "b*"',
  'principal.name like "a*" && !(principal.name like "*") || principal.name like "ab*" && !(principal.name like "a*")',
  'principal.name like "a*" && principal.name like "*a" && !(principal.name like "*a*a*") && principal.name != "a"',
  'principal.name like "x*" && principal.nick == principal.name && !(principal.nick like "x*")',
  'principal.balance.lessThan(decimal("1.0")) && principal.balance.greaterThan(decimal("0.9999"))',
  'principal.born.toTime() >= duration("1d") || principal.born.toTime() < duration("0ms")',
  'principal.born.toDate() > principal.born',
  'principal.ttl.toDays() == 1 && principal.ttl.toHours() < 24',
  'principal.born.durationSince(datetime("1970-01-01")) == duration("1d") && principal.born != datetime("1970-01-02")',
  'principal.from.isInRange(ip("10.0.0.0/8")) && principal.from.isInRange(ip("11.0.0.0/8"))',
  'principal.from.isInRange(ip("10.1.0.0/16")) && !principal.from.isInRange(ip("10.0.0.0/8"))',
  'principal.from.isInRange(ip("10.0.0.0/31")) && principal.from != ip("10.0.0.0/31") && principal.from != ip("10.0.0.1/31") && principal.from != ip("10.0.0.0") && principal.from != ip("10.0.0.1")',
  'principal.from.isLoopback() && principal.from.isMulticast()',
  'principal has home && principal.from.isInRange(principal.home) && principal.home.isInRange(ip("2001:db8::/32")) && !principal.from.isInRange(ip("2001:db8::/31"))',
  'principal has home && principal.from.isInRange(principal.home) && principal.home.isInRange(principal.from) && principal.from.isIpv4() && !principal.home.isIpv4()',
  'principal.grid == [[1]] && principal.grid.contains([2])',
  'principal.grid.contains(principal.row) && principal.row == [1] && !principal.grid.contains([1])',
  'principal.pairs == [principal.pair] && !principal.pairs.contains(principal.pair)',
  'principal.nets == [principal.from] && principal.nets.contains(ip("::1")) && principal.from != ip("::1")',
  'principal.hasTag("a") && principal.name == "a" && !principal.hasTag(principal.name)',
  'principal.hasTag("a") && principal.name == "a" && principal.hasTag(principal.name) && principal.getTag(principal.name) != principal.getTag("a")',
  'action in principal.verbs && !principal.verbs.contains(Action::"view") && !principal.verbs.contains(Action::"all")',
]

test('what cannot be is proved: each of these conditions holds of no request', async () => {
  for (const condition of IMPOSSIBLE) {
    const { answer } = await alwaysDenies(policyOf(condition), SCHEMA, prover.engines, { only: { action: ENVIRONMENT.action }, limits })
    assert.equal(answer.kind, 'proved', `${condition}: ${JSON.stringify(answer)}`)
  }
})

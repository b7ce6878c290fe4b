import assert from 'node:assert/strict'
import { test } from 'node:test'
import { authorize, parsePolicies, parseSchema } from '#adapters/cedar/cedar.ts'
import { Failure } from '#core/failure.ts'
import { ask, interpreter } from './differential.ts'
import { encodePolicy, encodeStandalone, placeIn } from './encode.ts'
import { ground, simplify } from './ground.ts'
import { emit } from './smtlib.ts'
import { Terms } from './terms.ts'
import type { Attributes, Scene } from './world.ts'

const SCHEMA = parseSchema(`
entity Kind enum ["a", "b"];
entity Org;
entity Dept in [Org];
entity Group in [Group, Dept];
entity User in [Group] {
  n: Long, m: Long, on: Bool, kind: Kind, name: String, boss?: User, peers: Set<User>, groups: Set<Group>, nums: Set<Long>, words: Set<String>, kinds: Set<Kind>,
  flags: Set<Bool>, home: { street: String, floor?: Long, deep?: { door?: Long } }, twin: { street: String, floor?: Long, deep?: { door?: Long } },
};
entity Doc in [Dept] { owner: User, secret?: Bool, ip: ipaddr };
action all;
action view, edit in [all] appliesTo { principal: User, resource: [Doc, User], context: { x?: Long } };
`)
const ENVIRONMENT = { principal: 'User', action: 'Action::"view"', resource: 'Doc' }
const MAX = '9223372036854775807'
const MIN = '-9223372036854775808'

const user = (id: string, attrs: Attributes = {}, parents: readonly [string, string][] = []) => ({
  uid: { type: 'User', id },
  attrs: { n: 0, m: 0, on: false, kind: ref('Kind', 'a'), name: '', peers: [], groups: [], nums: [], words: [], kinds: [], flags: [], home: { street: '' }, twin: { street: '' }, ...attrs },
  parents: parents.map(([type, parent]) => ({ type, id: parent })),
})
const ref = (type: string, id: string) => ({ __entity: { type, id } })
const thing = (type: string, id: string, parents: readonly [string, string][] = []) => ({ uid: { type, id }, attrs: {}, parents: parents.map(([above, parent]) => ({ type: above, id: parent })) })

/** A request by `u` about `d`, in which `u` has these attributes and parents. */
function scene(attrs: Attributes, parents: readonly [string, string][] = [], rest: { readonly context?: Attributes; readonly doc?: Attributes } = {}): Scene {
  const doc = { uid: { type: 'Doc', id: 'd' }, attrs: { owner: ref('User', 'v'), ip: { __extn: { fn: 'ip', arg: '10.0.0.1' } }, ...rest.doc }, parents: [] }
  return {
    principal: 'u', resource: 'd', context: rest.context ?? {},
    entities: [user('u', attrs, parents), user('v', {}, [['Group', 'g']]), doc, thing('Group', 'g', [['Group', 'h']]), thing('Group', 'h', [['Dept', 'e']]), thing('Group', 'alone'), thing('Dept', 'e', [['Org', 'o']]), thing('Org', 'o')],
  }
}

/** Condition, a request, and what Cedar must say: true, false, or fails. Cedar is asked, so that no expectation is mine alone. */
const CASES: readonly (readonly [string, Scene, boolean | 'fails'])[] = [
  ['principal.n + 1 > 0', scene({ n: 1 }), true],
  ['principal.n + 1 > 0', scene({ n: MAX }), 'fails'],
  ['principal.n - 1 < 0', scene({ n: MIN }), 'fails'],
  ['-principal.n > 0', scene({ n: MIN }), 'fails'],
  ['-principal.n < 0', scene({ n: MAX }), true],
  ['principal.n * 2 > 0', scene({ n: '4611686018427387904' }), 'fails'],
  ['principal.n * 2 < 0', scene({ n: '-4611686018427387904' }), true],
  ['principal.n * principal.m == 6', scene({ n: 2, m: 3 }), true],
  ['principal.n * principal.m > 0', scene({ n: '3037000500', m: '3037000500' }), 'fails'],
  ['principal.n + principal.m - principal.m == 1', scene({ n: 1, m: MAX }), 'fails'],
  [`principal.n == ${MAX}`, scene({ n: MAX }), true],
  ['principal.n == 9007199254740993', scene({ n: '9007199254740992' }), false],
  ['principal.on || principal.n + 1 > 0', scene({ n: MAX, on: true }), true],
  ['principal.on || principal.n + 1 > 0', scene({ n: MAX }), 'fails'],
  ['principal.on && principal.n + 1 > 0', scene({ n: MAX }), false],
  ['if principal.on then principal.n + 1 > 0 else true', scene({ n: MAX }), true],
  ['if principal.n + 1 > 0 then true else true', scene({ n: MAX }), 'fails'],
  ['principal has boss && principal.boss.on', scene({ boss: ref('User', 'u'), on: true }), true],
  ['principal has boss && principal.boss.on', scene({ on: true }), false],
  ['if principal has boss then principal.boss == principal else true', scene({}), true],
  ['principal.home has floor && principal.home.floor == 2', scene({ home: { street: 's', floor: 2 } }), true],
  ['principal.home has deep.door && principal.home.deep.door == 2', scene({ home: { street: 's', deep: { door: 2 } } }), true],
  ['principal.home has deep.door', scene({ home: { street: 's', deep: {} } }), false],
  ['principal.home == principal.twin', scene({ home: { street: 's', floor: 1 }, twin: { street: 's', floor: 1 } }), true],
  ['principal.home == principal.twin', scene({ home: { street: 's', floor: 1 }, twin: { street: 's' } }), false],
  ['principal.home == principal.twin', scene({ home: { street: 's', deep: {} }, twin: { street: 's', deep: { door: 1 } } }), false],
  ['context has x && context.x == 3', scene({}, [], { context: { x: 3 } }), true],
  ['resource has secret && resource.secret', scene({}, [], { doc: { secret: true } }), true],
  ['resource has nonsense', scene({}), false],
  ['principal in Group::"g"', scene({}, [['Group', 'g']]), true],
  ['principal in Group::"h"', scene({}, [['Group', 'g']]), true],
  ['principal in Org::"o"', scene({}, [['Group', 'g']]), true],
  // A parent of a higher level than the schema's next one: Cedar accepts it.
  ['principal in Org::"o" && !(principal in Dept::"e")', scene({}, [['Org', 'o']]), true],
  ['principal in User::"u"', scene({}), true],
  ['principal in User::"v"', scene({}), false],
  ['principal in [Group::"alone", Group::"h"]', scene({}, [['Group', 'g']]), true],
  ['principal in principal.groups', scene({ groups: [ref('Group', 'h')] }, [['Group', 'g']]), true],
  ['principal in principal.groups', scene({ groups: [ref('Group', 'alone')] }, [['Group', 'g']]), false],
  ['principal in resource.owner.peers', scene({}), false],
  ['principal is User in Dept::"e"', scene({}, [['Group', 'g']]), true],
  ['principal is Doc', scene({}), false],
  ['action in Action::"all"', scene({}), true],
  ['action == Action::"edit"', scene({}), false],
  ['action in [Action::"edit", Action::"view"]', scene({}), true],
  ['principal.kind == Kind::"b"', scene({ kind: ref('Kind', 'b') }), true],
  ['principal.kinds.containsAll([Kind::"a", Kind::"b"])', scene({ kinds: [ref('Kind', 'b'), ref('Kind', 'a')] }), true],
  ['principal.peers.contains(resource.owner)', scene({ peers: [ref('User', 'v')] }), true],
  ['principal.peers.containsAny(resource.owner.peers)', scene({ peers: [ref('User', 'v')] }), false],
  ['principal.peers.containsAll(resource.owner.peers)', scene({}), true],
  ['principal.nums == [1, 2]', scene({ nums: [2, 1, 2] }), true],
  ['principal.nums == [1, 2]', scene({ nums: [1, 2, 3] }), false],
  ['principal.nums.contains(principal.n + 1)', scene({ nums: [1] }), true],
  ['principal.nums.contains(principal.n + 1)', scene({ nums: [1], n: MAX }), 'fails'],
  ['principal.words.isEmpty()', scene({}), true],
  ['principal.words.containsAny(["x", principal.name])', scene({ words: ['y'], name: 'y' }), true],
  ['principal.flags.containsAll([true, false])', scene({ flags: [true] }), false],
  ['(if principal.on then principal else resource.owner).name == "me"', scene({ on: true, name: 'me' }), true],
  ['(if principal.on then principal.nums else [7]).contains(7)', scene({}), true],
  ['(if principal.on then principal.nums else [7]).containsAny(principal.nums)', scene({ nums: [7] }), true],
  ['(if principal.on then principal.home else principal.twin) has floor', scene({ twin: { street: 's', floor: 1 } }), true],
  ['principal.name == ""', scene({}), true],
]

test('each construct means what it means to Cedar', () => {
  for (const [condition, world, expected] of CASES) {
    const policy = parsePolicies(`permit (principal, action, resource is Doc) when { ${condition} };`, SCHEMA)
    const theirs = ask(SCHEMA, ENVIRONMENT, policy, world, authorize)
    const said = theirs.erring.length > 0 ? 'fails' : theirs.decision === 'allow'
    assert.equal(said, expected, `Cedar about ${condition}`)
    assert.deepEqual(interpreter(SCHEMA, ENVIRONMENT, policy)(world), theirs, condition)
  }
})

test('sets within sets, as deep as they may be written, and large ones take no longer for it', () => {
  const nested = (inner: string, levels: number, wrap: (text: string) => string): string => (levels === 0 ? inner : nested(wrap(inner), levels - 1, wrap))
  const numbers = (from: number) => `[${Array.from({ length: 1_500 }, (_, i) => from + i).join()}]`
  const inSets = (inner: string) => nested(inner, 60, (text) => `[${text}]`)
  const inRecords = (inner: string) => nested(inner, 28, (text) => `[{ a: ${text} }]`)
  const conditions = [
    [`${inSets('principal.n')} == ${inSets('1')}`, scene({ n: 1 }), true],
    [`${inSets('principal.n')} == ${inSets('1')}`, scene({ n: 2 }), false],
    [`${inRecords('principal.n')} == ${inRecords('principal.m')}`, scene({ n: 3, m: 3 }), true],
    [`${numbers(0)} == ${numbers(1)}`, scene({}), false],
    [`${numbers(0)}.containsAll(principal.nums)`, scene({ nums: [7, 1_499] }), true],
  ] as const
  for (const [condition, world, expected] of conditions) {
    const policy = parsePolicies(`permit (principal, action == Action::"view", resource is Doc) when { ${condition} };`, SCHEMA)
    const said = interpreter(SCHEMA, ENVIRONMENT, policy)(world)
    assert.equal(said.decision === 'allow', expected, condition.slice(0, 80))
    assert.deepEqual(said, ask(SCHEMA, ENVIRONMENT, policy, world, authorize))
  }
})

test('a condition that stands before another in the text is evaluated before it', () => {
  for (const text of [
    'permit (principal, action, resource) unless { principal.n + 1 > 0 } when { principal.on };',
    'permit (principal, action, resource) when { principal.on } unless { principal.n + 1 > 0 };',
    'permit (principal, action, resource) when { principal.on } unless { principal.n + 1 > 0 } when { principal.on };',
  ]) {
    const policy = parsePolicies(text, SCHEMA)
    for (const on of [true, false]) {
      const world = scene({ n: MAX, on })
      assert.deepEqual(interpreter(SCHEMA, ENVIRONMENT, policy)(world), ask(SCHEMA, ENVIRONMENT, policy, world, authorize), text)
    }
  }
})

test('what is not covered is refused by its name and its rule, unless the scope excludes the environment', () => {
  const { rules: [rule] } = parsePolicies('@id("odd") permit (principal, action == Action::"view", resource is Doc) when { principal.on };', SCHEMA)
  assert.ok(rule !== undefined)
  // Strict validation lets neither of these pass; whoever brings them past it is refused all the same.
  const unknown = { ...rule, when: [{ kind: 'call', name: 'sqrt', args: [{ kind: 'var', name: 'principal' }] } as const] }
  const huge = { ...rule, when: [{ kind: 'eq', left: { kind: 'long', value: '9223372036854775808' }, right: { kind: 'long', value: '1' } } as const] }
  const encodeIn = (which: typeof rule, environment = ENVIRONMENT) => () => encodePolicy(placeIn(new Terms(), SCHEMA, environment), [which], 'decision-point')
  const names = (what: RegExp) => (error: unknown) => error instanceof Failure && error.code === 'UNSUPPORTED_CONSTRUCT' && what.test(error.message) && error.message.includes('`odd`')
  assert.throws(encodeIn(unknown), names(/the extension function `sqrt`/))
  assert.throws(encodeIn(huge), names(/9223372036854775808/))
  encodeIn(unknown, { ...ENVIRONMENT, action: 'Action::"edit"' })()
  encodeIn(unknown, { ...ENVIRONMENT, resource: 'User' })()
})

test('an erring rule denies at the decision point, and is skipped by Cedar’s own semantics', () => {
  const { rules } = parsePolicies('permit (principal, action, resource); forbid (principal, action, resource) when { principal.n + 1 > 100 };', SCHEMA)
  const terms = new Terms()
  const place = placeIn(terms, SCHEMA, ENVIRONMENT)
  const [strict, lenient] = [encodePolicy(place, rules, 'decision-point'), encodePolicy(place, rules, 'cedar')]
  assert.notEqual(strict.err, terms.false)
  assert.equal(simplify(terms, terms.and(strict.allow, strict.err)), terms.false)
  assert.notEqual(simplify(terms, terms.and(lenient.allow, lenient.err)), terms.false)
})

test('folding settles without a solver what the conjuncts settle', () => {
  const terms = new Terms()
  const place = placeIn(terms, SCHEMA, ENVIRONMENT)
  const term = (condition: string) => {
    const [rule] = parsePolicies(`permit (principal, action, resource is Doc) when { ${condition} };`, SCHEMA).rules
    return encodeStandalone(place, rule?.when[0] ?? { kind: 'bool', value: true }, 'it').value
  }
  const isSettled = (condition: string) => simplify(terms, term(condition)) === terms.false
  assert.ok(isSettled('principal.on && !principal.on'))
  assert.ok(isSettled('principal.on && !(principal.on || principal.n > 3)'))
  assert.ok(isSettled('principal.kind == Kind::"a" && (principal.kind == Kind::"b" || !(principal.kind == Kind::"a"))'))
  assert.ok(isSettled('(principal.on || principal.n > 3) && !principal.on && !(principal.n > 3)'))
  assert.ok(!isSettled('(principal.on || principal.n > 3) && !principal.on'))
})

test('what the schema promises reaches the solver: the range of integers, the ids of an enumeration, the hierarchy’s laws', () => {
  const terms = new Terms()
  const place = placeIn(terms, SCHEMA, ENVIRONMENT)
  const { allow } = encodePolicy(place, parsePolicies('permit (principal in Group::"g", action, resource) when { principal.n > principal.m && principal.kind != Kind::"a" && principal in Org::"o" };', SCHEMA).rules, 'decision-point')
  const { text } = emit(ground(terms, SCHEMA, allow))
  assert.match(text, /9223372036854775807/)
  assert.match(text, /\(distinct f\d+ f\d+\)/)
  assert.ok(text.split('\n').filter((line) => line.startsWith('(assert')).length > 5)
})

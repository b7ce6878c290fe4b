import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { parsePolicies, parseSchema } from '#adapters/cedar/cedar.ts'
import { renderExpression } from '#core/policy/render.ts'
import type { Schema } from '#core/policy/schema.ts'
import type { Failure } from '#core/failure.ts'
import { bind, type Binding } from './bind.ts'
import { parseConstitution } from './constitution.ts'

const constitution = parseConstitution(readFileSync('constitutions/acgs.yaml', 'utf8'))
const packs = ['data-protection', 'ai-agents'].map((name) => readFileSync(`packs/${name}/schema.cedarschema`, 'utf8'))

/** A constitution of one article, on the shipped one's concepts or others. */
function one(kind: string, rest: string) {
  return parseConstitution(`{title: T, version: 1.0.0, principles: [{id: p, title: P, text: T, weight: 1, hard: true, articles: [{id: p.a, kind: ${kind}, text: T, ${rest}}]}]}`)
}

/** Each environment as `Principal action Resource: matches | unless`. */
function lines({ bound }: Binding): readonly string[] {
  return bound.flatMap(({ environments }) =>
    environments.map(({ environment, matches, unless }) =>
      `${environment.principal} ${environment.action} ${environment.resource}: ${renderExpression(matches)} | ${unless === null ? '-' : renderExpression(unless)}`.replace(/Action::"(\w+)"/, '$1'),
    ),
  )
}

/** Fails when an expression of the articles does not pass Cedar's strict validation in its environment. */
function assertWellTyped({ bound }: Binding, schema: Schema): void {
  const rules = bound.flatMap(({ environments }) =>
    environments.map(({ environment, matches, unless }) => {
      const excuse = unless === null ? '' : ` unless { ${renderExpression(unless)} }`
      return `forbid (principal is ${environment.principal}, action == ${environment.action}, resource is ${environment.resource}) when { ${renderExpression(matches)} }${excuse};`
    }),
  )
  parsePolicies([...new Set(rules)].join('\n'), schema)
}

const missing = ({ inapplicable }: Binding) => Object.fromEntries(inapplicable.map(({ article, missing }) => [article.id, missing]))

test('every article is bound by a pack, and is well-typed in each of its environments', () => {
  const found = packs.flatMap((text) => {
    const schema = parseSchema(text)
    const binding = bind(constitution, schema)
    assertWellTyped(binding, schema)
    assert.equal(binding.bound.length + binding.inapplicable.length, constitution.clauses.length)
    assert.deepEqual(binding.unused, [])
    return binding.bound.map(({ article }) => article.id)
  })
  assert.deepEqual(constitution.clauses.map(({ id }) => id).filter((id) => !found.includes(id)), [])
})

test('a schema without annotations is told only that no rule may fail', () => {
  const schema = parseSchema('entity U; entity D { n?: Long }; action a appliesTo { principal: U, resource: D };')
  const { bound, inapplicable } = bind(constitution, schema)
  assert.deepEqual(bound.map(({ article }) => article.id), ['security.well-defined'])
  assert.equal(inapplicable.length, constitution.clauses.length - 1)
  assert.deepEqual(bound[0]?.environments.map(({ environment }) => environment), schema.environments)
})

test('a condition is found on the resource, one entity away, and in the context', () => {
  const schema = parseSchema(`
    entity U;
    entity Person { @concept("consent") agreed: Bool };
    entity Far { person: Person };
    @concept("personal-data") entity D { person: Person };
    @concept("personal-data") entity E { @concept("consent") agreed: Bool };
    @concept("personal-data") entity F { far: Far };
    @concept("disclose") action a appliesTo { principal: U, resource: [D, E, F] };
    @concept("disclose") action b appliesTo { principal: U, resource: F, context: { @concept("consent") agreed: Bool } };`)
  const article = one('never-permit', 'when: {action: disclose, resource: personal-data}, unless: [{holds: consent}]')
  assert.deepEqual(lines(bind(article, schema)), [
    'U a D: true | resource.person.agreed',
    'U a E: true | resource.agreed',
    'U a F: true | -', // two entities away is too far to be meant: the stricter article remains
    'U b F: true | context.agreed',
  ])
})

test('an optional attribute is read only where it is present, and absent it neither matches nor excuses', () => {
  const schema = parseSchema(`
    entity U;
    entity Person { @concept("consent") agreed?: Bool };
    @concept("personal-data") entity D { person?: Person, facts?: { @concept("restricted") sealed?: Bool } };
    @concept("disclose") action a appliesTo { principal: U, resource: D };`)
  const article = one('never-permit', 'when: {action: disclose, and: [{holds: restricted}]}, unless: [{holds: consent}]')
  const binding = bind(article, schema)
  assert.deepEqual(lines(binding), ['U a D: resource has facts && resource.facts has sealed && resource.facts.sealed | resource has person && resource.person has agreed && resource.person.agreed'])
  assertWellTyped(binding, schema)
})

test('a concept in two places: any place makes an article match, all are needed to be excused', () => {
  const schema = parseSchema(`
    entity U;
    entity D { @concept("restricted, consent") one: Bool, @concept("restricted, consent") two: Bool };
    @concept("disclose") action a appliesTo { principal: U, resource: D };`)
  const article = one('never-permit', 'when: {action: disclose, and: [{holds: restricted}]}, unless: [{holds: consent}]')
  assert.deepEqual(lines(bind(article, schema)), ['U a D: resource.one || resource.two | resource.one && resource.two'])
})

test('concepts of actions are found on their groups, also indirect ones, and on namespaced names', () => {
  const schema = parseSchema(`
    namespace Shop {
      entity U; entity D;
      @concept("disclose") action out;
      action copy in [out];
      action print in [copy] appliesTo { principal: U, resource: D };
      action view appliesTo { principal: U, resource: D };
    }`)
  const binding = bind(one('must-record', 'when: {action: disclose}, record: log'), schema)
  assert.deepEqual(binding.bound[0]?.environments.map(({ environment }) => environment.action), ['Shop::Action::"print"'])
  assert.equal(binding.bound[0]?.obligation, 'log')
})

test('whoever asks is the subject by an attribute, by a set, or by being the resource itself', () => {
  const schema = parseSchema(`
    entity A; 
    @concept("subject") entity P;
    entity D { @concept("subject") of: P };
    entity G { @concept("subject") all: Set<P> };
    action a appliesTo { principal: [A, P], resource: [D, G, P] };`)
  assert.deepEqual(lines(bind(one('must-permit', 'when: {and: [{principal-is: subject}]}'), schema)), [
    'P a D: resource.of == principal | -',
    'P a G: resource.all.contains(principal) | -',
    'P a P: resource == principal | -',
  ])
})

test('groups are shared by attributes, by sets of them, and by membership', () => {
  const schema = parseSchema(`
    entity W;
    entity A { @concept("care-unit") w: W };
    entity B { @concept("care-unit") ws: Set<W> };
    entity C in [W];
    entity P { @concept("care-unit") w: W };
    entity D { p: P };
    entity E { @concept("care-unit") ws: Set<W> };
    @concept("read") action a appliesTo { principal: [A, B, C], resource: [D, E] };`)
  assert.deepEqual(lines(bind(one('never-permit', 'when: {action: read}, unless: [{shares: care-unit}]'), schema)), [
    'A a D: true | principal.w == resource.p.w',
    'A a E: true | resource.ws.contains(principal.w)',
    'B a D: true | principal.ws.contains(resource.p.w)',
    'B a E: true | principal.ws.containsAny(resource.ws)',
    'C a D: true | principal in resource.p.w',
    'C a E: true | -',
  ])
})

test('amounts are compared with a limit wherever it is, and with a number', () => {
  const schema = parseSchema(`
    @concept("agent") entity A { @concept("limit") most: Long };
    entity D;
    @concept("spend") action pay appliesTo { principal: A, resource: D, context: { @concept("amount") sum?: Long } };`)
  const article = (bound: string) => one('never-permit', `when: {principal: agent, action: spend}, unless: [{at-most: [amount, ${bound}]}]`)
  assert.deepEqual(lines(bind(article('limit'), schema)), ['A pay D: true | context has sum && context.sum <= principal.most'])
  assert.deepEqual(lines(bind(article('-5'), schema)), ['A pay D: true | context has sum && context.sum <= -5'])
})

test('an article whose excuse the schema cannot express is inapplicable, never turned into a plain ban', () => {
  const schema = parseSchema('entity U; @concept("personal-data") entity D; @concept("disclose") action a appliesTo { principal: U, resource: D };')
  assert.deepEqual(missing(bind(constitution, schema))['privacy.consent'], ['consent', 'subject', 'anonymized'])
})

test('two concepts that never meet in one request leave an article inapplicable', () => {
  const schema = parseSchema(`
    entity U; @concept("personal-data") entity D { @concept("consent") c: Bool }; entity E;
    @concept("disclose") action a appliesTo { principal: U, resource: E };
    action b appliesTo { principal: U, resource: D };`)
  assert.deepEqual(missing(bind(constitution, schema))['privacy.consent'], ['disclose with personal-data'])
})

test('protected are annotated attributes, attributes that name a protected group, and membership in one', () => {
  const schema = parseSchema(`
    @concept("protected") entity Faith;
    entity U in [Faith] { @concept("protected") gender?: String, faith: Faith, other: Set<Faith>, age: Long };
    entity D; action a appliesTo { principal: U, resource: D };`)
  assert.deepEqual(bind(constitution, schema).bound.find(({ article }) => article.id === 'fairness.protected-attributes')?.protected, [
    { kind: 'attribute', type: 'U', path: ['faith'] },
    { kind: 'attribute', type: 'U', path: ['gender'] },
    { kind: 'attribute', type: 'U', path: ['other'] },
    { kind: 'membership', of: 'U', in: 'Faith' },
  ])
})

test('a protected group is protected within records, in tags, and in what it is in itself', () => {
  const schema = parseSchema(`
    entity Church; @concept("protected") entity Faith in [Church]; entity Club in [Church];
    entity U in [Faith] { profile: { level: Long, deep: { faith?: Faith }, all: Set<{ n: Long, faith: Faith }> } } tags Set<Faith>;
    entity D in [Club]; action a appliesTo { principal: U, resource: D };`)
  assert.deepEqual(bind(constitution, schema).bound.find(({ article }) => article.id === 'fairness.protected-attributes')?.protected, [
    { kind: 'attribute', type: 'U', path: ['profile', 'all'] },
    { kind: 'attribute', type: 'U', path: ['profile', 'deep', 'faith'] },
    { kind: 'tags', type: 'U' },
    { kind: 'membership', of: 'U', in: 'Faith' },
    { kind: 'membership', of: 'U', in: 'Church' },
  ])
})

test('a protected type that nobody has anything to do with protects nothing: inapplicable', () => {
  const schema = parseSchema('@concept("protected") entity Faith; entity U; entity D; action a appliesTo { principal: U, resource: D };')
  assert.deepEqual(missing(bind(constitution, schema))['fairness.protected-attributes'], ['protected'])
})

const HOSTILE: readonly (readonly [what: string, schema: string, problem: RegExp])[] = [
  ['consent as a text', 'entity U; entity D { @concept("consent") c: String }; action a appliesTo { principal: U, resource: D };', /^D\.c: `@concept\("consent"\)` belongs on a Bool attribute .* this is a String$/],
  ['a limit as a text', 'entity U { @concept("limit") c: String }; entity D; action a appliesTo { principal: U, resource: D };', /^U\.c: .* a Long attribute/],
  ['disclose on a type', '@concept("disclose") entity U; entity D; action a appliesTo { principal: U, resource: D };', /^U: .* an action or a group of actions/],
  ['personal data on an action', 'entity U; entity D; @concept("personal-data") action a appliesTo { principal: U, resource: D };', /^Action::"a": .* an entity type/],
  ['personal data on a text attribute', 'entity U; entity D { @concept("personal-data") mail: String }; action a appliesTo { principal: U, resource: D };', /^D\.mail: .*an entity type, or a Bool attribute of one, and this is a String/],
  ['the subject as a text', 'entity U; entity D { @concept("subject") name: String }; action a appliesTo { principal: U, resource: D };', /^D\.name: .*names an entity/],
  ['protected in the context', 'entity U; entity D; action a appliesTo { principal: U, resource: D, context: { @concept("protected") gender: String } };', /^Action::"a" context\.gender: /],
  ['protected inside a record', 'entity U { facts: { @concept("protected") gender: String } }; entity D; action a appliesTo { principal: U, resource: D };', /^U\.facts\.gender: .*not inside a record/],
  ['purposes of two types', 'entity U; entity D { @concept("collected-purpose") p: String }; action a appliesTo { principal: U, resource: D, context: { @concept("declared-purpose") p: Long } };', /context\.p: .*is compared with D\.p, which is a String, and this is a Long/],
]
for (const [what, text, problem] of HOSTILE) {
  test(`${what} is refused with its place: the article would only look applied`, () => {
    assert.throws(() => bind(constitution, parseSchema(text)), (failure: Failure) => {
      assert.equal(failure.code, 'SCHEMA_INVALID')
      assert.match(failure.problems.map(({ place, message }) => `${place}: ${message}`).join('\n'), problem)
      return true
    })
  })
}

test('a concept that no article knows is reported, in case it is misspelt', () => {
  const schema = parseSchema('entity U; @concept("personnal-data, tenant") entity D; action a appliesTo { principal: U, resource: D };')
  assert.deepEqual(bind(constitution, schema).unused, ['personnal-data', 'tenant'])
})

test('whichever annotation is left out, an article is still well-typed, or named with what is missing', () => {
  for (const text of packs) {
    const whole = bind(constitution, parseSchema(text))
    for (const annotation of text.matchAll(/@concept\("[^"]*"\)/g)) {
      const schema = parseSchema(text.slice(0, annotation.index) + text.slice(annotation.index + annotation[0].length))
      const binding = bind(constitution, schema)
      // Validating with Cedar takes long; only the articles that the annotation changed are new to it.
      const before = new Set(whole.bound.map((article) => JSON.stringify(article)))
      assertWellTyped({ ...binding, bound: binding.bound.filter((article) => !before.has(JSON.stringify(article))) }, schema)
      assert.equal(binding.bound.length + binding.inapplicable.length, constitution.clauses.length)
      assert(binding.inapplicable.every(({ missing }) => missing.length > 0))
      assert(binding.bound.length <= whole.bound.length)
    }
  }
})

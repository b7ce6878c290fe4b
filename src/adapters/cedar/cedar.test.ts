import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Failure } from '#core/failure.ts'
import { authorize, checkEntities, parsePolicies, parseSchema, parseTogether } from './cedar.ts'

// Validation goes without the schema's annotations: what is only called so must stay.
const NAMED = parseSchema(`
@doc("who")
entity annotations { @synonyms("a") annotations: Long, actions?: { annotations: String, attributes: Bool } };
@doc("what")
action annotations appliesTo { principal: annotations, resource: annotations, context: { annotations: String } };`)

test('what a schema calls annotations, actions or attributes is part of its types', () => {
  const { rules } = parsePolicies(
    'permit(principal, action == Action::"annotations", resource) when { principal.annotations < 3 && context.annotations == "x" && resource has actions && resource.actions.annotations == "y" && resource.actions.attributes };',
    NAMED,
  )
  assert.equal(rules.length, 1)
})

test('a rule that compares one of them with another type does not type-check', () => {
  assert.throws(() => parsePolicies('permit(principal, action, resource) when { principal.annotations == "x" };', NAMED), (error) => error instanceof Failure && error.code === 'POLICY_INVALID')
})

test('a number with leading zeros is no integer, and said to be none', () => {
  const schema = parseSchema('entity U; action a appliesTo { principal: U, resource: U, context: { n: Long } };')
  const ask = (n: unknown) => authorize({
    policies: parsePolicies('permit(principal, action, resource) when { context.n == 9007199254740993 };', schema), schema,
    request: { principal: 'U::"u"', action: 'Action::"a"', resource: 'U::"u"', context: { n } as never }, entities: [],
  }).decision
  assert.equal(ask('9007199254740993'), 'allow')
  assert.equal(ask(0), 'deny')
  assert.throws(() => ask('09007199254740993'), (error) => error instanceof Failure && error.code === 'REQUEST_MALFORMED')
})

test('a type of the language is that type however it is written', () => {
  const written = ['Long', 'Bool', 'String'].map((name) => `${name.toLowerCase()}: __cedar::${name}`).join(', ')
  const { shape } = parseSchema(`entity U { ${written}, ip: __cedar::ipaddr }; action a appliesTo { principal: U, resource: U };`).entityTypes.get('U') ?? {}
  assert.deepEqual(Object.values(shape?.attributes ?? {}).map(({ type }) => type), [{ kind: 'bool' }, { kind: 'extension', name: 'ipaddr' }, { kind: 'long' }, { kind: 'string' }])
})

const SCHEMA = parseSchema('entity User { level: Long, name: String }; entity Doc { owner: User }; action view appliesTo { principal: User, resource: Doc };')
function problemsOf(read: () => unknown): readonly string[] {
  try {
    read()
  } catch (error) {
    assert.ok(error instanceof Failure, String(error))
    return error.problems.map(({ place, message }) => `${place}: ${message}`)
  }
  return []
}

test('every fault of a policy set is named with its line and column, the same one in two rules twice, after comments and letters of several bytes', () => {
  const rule = 'permit (principal, action, resource) when { principal.nope };'
  const text = `// é permit (principal, action, resource);\n@id("é") ${rule}\n${rule} permit (principal == Usr::"a", action == Action::"vew", resource)\n  unless { resource.owner == true };`
  assert.deepEqual(problemsOf(() => parsePolicies(text, SCHEMA)).map((each) => each.replace(/;.*/, '')), [
    'policies line 2 column 54: in rule `é`: attribute `nope` on entity type `User` not found', 'policies line 3 column 45: in rule `policy1`: attribute `nope` on entity type `User` not found',
    'policies line 3 column 84: in rule `policy2`: unrecognized entity type `Usr`', 'policies line 3 column 104: in rule `policy2`: unrecognized action `Action::"vew"`',
  ])
  assert.deepEqual(problemsOf(() => parsePolicies('permit (principal action, resource);\npermit (principal, action, resource) when { 1 + };', SCHEMA)).map((each) => each.split(':')[0]), ['policies line 1 column 19', 'policies line 2 column 49'])
})

test('several texts at once are what each is alone; one that is wrong is never among them', () => {
  const good = [
    '@id("a")\npermit(principal, action, resource) when { principal.annotations < 9007199254740993 }; // to the end',
    '@id("a")\nforbid(principal, action, resource) unless { context.annotations == "// no comment" };',
    '', '// nothing',
    Array.from({ length: 12 }, (_, i) => `@id("r${i}") permit(principal, action, resource) when { principal.annotations == ${i} };`).join('\n'),
  ]
  assert.deepEqual(parseTogether(good, NAMED), good.map((text) => parsePolicies(text, NAMED)))
  const wrong = {
    'does not parse': 'permit(principal', 'reaches into the next': 'permit(principal, action, resource) when { "', 'begins in the one before': '} ; permit(principal, action, resource);',
    'of another type': 'permit(principal, action, resource) when { principal.annotations == "x" };',
    'one id twice': '@id("a") permit(principal, action, resource); @id("a") forbid(principal, action, resource);', 'a template': 'permit(principal == ?principal, action, resource);',
  }
  for (const [what, text] of Object.entries(wrong)) {
    for (const texts of [[text, ...good], [...good, text]]) {
      const read = parseTogether(texts, NAMED)
      assert.equal(read[texts.indexOf(text)], null, what)
      for (const [i, policies] of read.entries()) if (policies !== null) assert.deepEqual(policies, parsePolicies(texts[i] as string, NAMED), what)
    }
  }
})

test('rules with one id are named where they stand, beside faults of type; templates too', () => {
  const rule = '@id("a") permit (principal, action, resource);'
  assert.deepEqual(problemsOf(() => parsePolicies(`${rule}\n // ${rule}\n ${rule} ${rule}\npermit (principal, action, resource) when { principal.level };`, SCHEMA)).map((each) => each.split(': ').slice(0, 2).join(': ')), [
    'policies line 3 column 2: two rules have the id `a`', 'policies line 3 column 49: two rules have the id `a`', 'policies line 4 column 45: in rule `policy3`',
  ])
  assert.deepEqual(problemsOf(() => parsePolicies(`${rule}\n  permit (principal == ?principal, action, resource);\n${rule}`, SCHEMA)), [
    'policies line 2 column 3: is a template, which is no rule here', 'policies line 3 column 1: two rules have the id `a`: ids name rules in answers, so give each its own',
  ])
})

test('every name that a schema does not declare is named wherever it stands', () => {
  const text = '// Lng\nentity User { Lng: Lng, name: Strng, "Usr": NS::Thing } tags Set<Strng>;\nentity Doc in [Foldr];\naction "Lng" appliesTo { principal: [User, Usr], resource: Doc };'
  assert.deepEqual(problemsOf(() => parseSchema(text)), [
    'schema line 2 column 20: there is no type `Lng`', 'schema line 2 column 31: there is no type `Strng`', 'schema line 2 column 45: there is no type `NS::Thing`', 'schema line 2 column 66: there is no type `Strng`',
    'schema line 3 column 16: there is no type `Foldr`', 'schema line 4 column 44: there is no type `Usr`',
  ])
  assert.match(problemsOf(() => parseSchema('entity User { level Long };\naction a;'))[0] ?? '', /^schema line 1 column 21: /)
})

test('every entity that does not fit is named, with its attribute', () => {
  const uid = (type: string, id: string) => ({ type, id })
  const entities = [{ uid: uid('User', 'a'), attrs: { level: 'x', nam: 1 }, parents: [] }, { uid: uid('Usr', 'b'), attrs: {}, parents: [] }]
  assert.deepEqual(problemsOf(() => checkEntities(entities, SCHEMA)).map((each) => each.split(': ')[0]), ['User::"a" attrs.level', 'User::"a" attrs.nam', 'User::"a" attrs.name', 'Usr::"b"'])
})

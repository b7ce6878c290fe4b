import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Failure } from '#core/failure.ts'
import { authorize, parsePolicies, parseSchema } from './cedar.ts'

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

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Failure } from '#core/failure.ts'
import { parsePolicies, parseSchema } from './cedar.ts'

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

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parsePolicies, parseSchema } from '#adapters/cedar/cedar.ts'
import { renderCondition } from './english.ts'

const SCHEMA = parseSchema('entity User { manager?: User, level?: Long }; entity Doc { secret: Bool }; action view appliesTo { principal: User, resource: Doc, context: { amount?: Long } };')

test('of a condition only the guard of what is read beside it is left unsaid', () => {
  const said = (condition: string) => {
    const when = parsePolicies(`permit(principal, action, resource) when { ${condition} };`, SCHEMA).rules[0]?.when[0]
    assert.ok(when !== undefined)
    return renderCondition(when)
  }
  assert.equal(said('principal has level && principal.level > 3'), 'the principal’s level is above 3')
  assert.equal(said('context has amount && !(context.amount > 3)'), 'not (the amount is above 3)')
  assert.equal(said('principal has manager && resource.secret'), 'the principal has manager and the resource is secret')
  assert.equal(said('context has amount && principal has manager && resource.secret && principal.manager.level == 1'.replace('&& principal.manager.level == 1', '&& principal.manager has level && principal.manager.level == 1')), 'the request has amount and the resource is secret and the principal’s manager’s level is 1')
  assert.equal(said('principal has level && principal has manager && principal.manager has level && principal.manager.level > 3'), 'the principal has level and the principal’s manager’s level is above 3')
})

test('what one is and what one has are told apart', () => {
  const schema = parseSchema('entity User; entity Doc { fragile: Bool, urgent: Bool, consent: Bool, onLoan: Bool, sealed: Bool, discount: Bool }; action view appliesTo { principal: User, resource: Doc };')
  const said = (attribute: string) => renderCondition(parsePolicies(`permit(principal, action, resource) when { resource.${attribute} };`, schema).rules[0]!.when[0]!)
  assert.deepEqual(['fragile', 'urgent', 'onLoan', 'sealed'].map(said), ['is fragile', 'is urgent', 'is on loan', 'is sealed'].map((each) => `the resource ${each}`))
  assert.deepEqual(['consent', 'discount'].map(said), ['has consent', 'has discount'].map((each) => `the resource ${each}`))
})

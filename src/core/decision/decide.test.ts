import assert from 'node:assert/strict'
import test from 'node:test'
import { authorize, parsePolicies, parseSchema } from '#adapters/cedar/cedar.ts'
import type { CedarEntity } from '#core/unit/semantic-unit.ts'
import { decide, type Authorize } from './decide.ts'

const schema = parseSchema(`
  entity Team;
  entity User in [Team] = { blocked?: Bool, quota: Long };
  entity Doc = { owner: User, secret: Bool };
  action read appliesTo { principal: [User], resource: [Doc], context: { n: Long } };
`)
const ana: CedarEntity = { uid: { type: 'User', id: 'ana' }, attrs: { quota: 1 }, parents: [] }
const doc: CedarEntity = { uid: { type: 'Doc', id: 'd' }, attrs: { owner: { __entity: { type: 'User', id: 'bo' } }, secret: true }, parents: [] }
const bo: CedarEntity = { uid: { type: 'User', id: 'bo' }, attrs: { quota: 2, blocked: true }, parents: [] }

function ask(cedar: string, entities: readonly CedarEntity[], use: Authorize = authorize, n = 1) {
  const policies = parsePolicies(cedar, schema)
  return decide({ policies, schema, request: { principal: 'User::"ana"', action: 'Action::"read"', resource: 'Doc::"d"', context: { n } }, entities }, use)
}

test('the three kinds of no are told apart, and a yes names its rules and obligations', () => {
  assert.deepEqual(ask('@id("a") @obligation("log") permit(principal, action, resource);', [ana, doc]), { decision: 'allow', verdict: 'permitted', determining: ['a'], obligations: ['log'], errors: [], missing: [] })
  assert.equal(ask('', [ana, doc]).verdict, 'not_permitted')
  const forbidden = ask('permit(principal, action, resource); @id("no") forbid(principal, action, resource) when { resource.secret };', [ana, doc])
  assert.deepEqual([forbidden.decision, forbidden.verdict, forbidden.determining], ['deny', 'forbidden', ['no']])
})

const OVERFLOW = 'permit(principal, action, resource); @id("guard") forbid(principal, action, resource) when { context.n + 9223372036854775807 > 0 };'

test('a rule that fails to evaluate denies, where Cedar alone would allow', () => {
  const { decision, verdict, errors } = ask(OVERFLOW, [ana, doc])
  assert.deepEqual([decision, verdict, errors.map(({ rule }) => rule)], ['deny', 'error', ['guard']])
  const alone = authorize({ policies: parsePolicies(OVERFLOW, schema), schema, request: { principal: 'User::"ana"', action: 'Action::"read"', resource: 'Doc::"d"', context: { n: 1 } }, entities: [ana, doc] })
  assert.equal(alone.decision, 'allow') // the open door that this closes
})

test('a missing entity that a rule reads denies and is named; one that no rule reads may be missing', () => {
  const guarded = 'permit(principal, action, resource); forbid(principal, action, resource) when { resource.owner has blocked && resource.owner.blocked };'
  assert.deepEqual(ask(guarded, [ana, doc]).missing, ['User::"bo"'])
  assert.equal(ask(guarded, [ana, doc, bo]).verdict, 'forbidden')
  assert.equal(ask('permit(principal, action, resource) when { resource.owner != principal };', [ana, doc]).verdict, 'permitted')
  assert.deepEqual(ask('permit(principal, action, resource) unless { resource.owner in Team::"t" };', [ana, doc]).missing, ['User::"bo"'])
})

test('a request about a resource or a principal that nobody supplied is an error', () => {
  assert.deepEqual(ask('permit(principal, action, resource);', [ana]).missing, ['Doc::"d"'])
  assert.deepEqual(ask('permit(principal, action, resource);', [doc]).missing, ['User::"ana"'])
})

test('a wrongly typed context is refused, not decided', () => {
  const policies = parsePolicies('permit(principal, action, resource);', schema)
  assert.throws(
    () => decide({ policies, schema, request: { principal: 'User::"ana"', action: 'Action::"read"', resource: 'Doc::"d"', context: { n: 'x' } }, entities: [ana, doc] }, authorize),
    { code: 'REQUEST_MALFORMED' },
  )
})

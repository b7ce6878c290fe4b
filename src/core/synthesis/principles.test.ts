import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { authorize, parsePolicies, parseSchema } from '#adapters/cedar/cedar.ts'
import { loadPacks } from '#adapters/packs.ts'
import { bind } from '#core/constitution/bind.ts'
import { parseConstitution } from '#core/constitution/constitution.ts'
import type { GovernanceRequest, SemanticUnit } from '#core/unit/semantic-unit.ts'
import { proposePrinciples } from './principles.ts'

const constitution = parseConstitution(readFileSync('constitutions/acgs.yaml', 'utf8'))
const packs = loadPacks('packs')

function propose(name: string, principles: readonly string[] = []) {
  const pack = packs.find((each) => each.name === name)
  assert(pack !== undefined)
  const schema = parseSchema(pack.schema)
  const request: GovernanceRequest = { title: 'T', description: 'D', stakeholders: [], principles, priority: 'medium', examples: [], explanations: [], complianceThreshold: 0.8, consensusRequired: false, multiModelValidation: false }
  const unit: SemanticUnit = { id: 'u', request, schema, sentences: [] }
  const candidate = proposePrinciples(unit, bind(constitution, schema).bound)
  return { candidate, schema, pack, policies: parsePolicies(candidate.cedar, schema) }
}

test('it demands prohibitions only, each citing its article, and is no witness of the text', () => {
  const { candidate, policies } = propose('data-protection')
  assert.equal(candidate.readsText, false)
  assert.deepEqual(candidate.readings, [])
  assert(policies.rules.length > 5)
  const ids: readonly string[] = constitution.clauses.filter(({ kind }) => kind === 'never-permit').map(({ id }) => id)
  for (const { effect, annotations } of policies.rules) {
    assert.equal(effect, 'forbid')
    assert(ids.includes(annotations['article'] ?? ''))
  }
})

test('principles that a request names narrow it to theirs', () => {
  const { policies } = propose('ai-agents', ['human-oversight'])
  assert.deepEqual([...new Set(policies.rules.map(({ annotations }) => annotations['article']))], ['human-oversight.amounts', 'human-oversight.irreversible'])
})

test('with everything else permitted, Cedar forbids exactly what the articles forbid', () => {
  const { candidate, schema, pack } = propose('ai-agents')
  const policies = parsePolicies(`${candidate.cedar}\npermit (principal, action, resource);`, schema)
  const ask = (action: string, resource: string, context: Record<string, unknown>) =>
    authorize({ policies, schema, entities: pack.entities, request: { principal: 'Agent::"alpha"', action: `Action::"${action}"`, resource, context } })
  assert.equal(ask('sendPayment', 'Account::"acme"', { amount: 500, humanApproved: false }).decision, 'allow')
  const over = ask('sendPayment', 'Account::"acme"', { amount: 501, humanApproved: false })
  assert.deepEqual([over.decision, over.determining], ['deny', ['human-oversight.amounts']])
  assert.equal(ask('sendPayment', 'Account::"acme"', { amount: 501, humanApproved: true }).decision, 'allow')
  assert.deepEqual(ask('raiseLimit', 'Agent::"alpha"', {}).determining, ['security.no-self-grant'])
  assert.equal(ask('raiseLimit', 'Agent::"beta"', {}).decision, 'allow')
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as wasm from '@cedar-policy/cedar-wasm/nodejs'
import { createProver } from '#adapters/solver/prover.ts'
import { Failure } from '#core/failure.ts'
import { randomScene, seeded } from '#core/proof/random-world.ts'
import { LIMITS } from '#core/proof/questions.ts'
import { authorize, parsePolicies, parseSchema, type TemplateLink } from './cedar.ts'
import { parseLinked } from './link.ts'

const SCHEMA = parseSchema('entity Team in [Team]; entity User in [Team] { n: Long, name: String }; entity Doc in [Team]; action view appliesTo { principal: User, resource: Doc };')
const TEXT = `
@id("all") permit (principal == User::"c", action, resource);
@id("share") @obligation("log") permit (principal in ?principal, action, resource == ?resource) when { principal.n != 9007199254740993 && principal.name != "?principal \\"; }" };
@id("own") permit (principal is User in ?principal, action, resource);
@id("never") forbid (principal, action, resource in ?resource);
`
const LINKS: readonly TemplateLink[] = [
  { template: 'share', id: 'share-1', principal: { type: 'Team', id: 'a' }, resource: { type: 'Doc', id: 'a' } },
  { template: 'share', id: 'share-2', principal: { type: 'User', id: 'b' }, resource: { type: 'Doc', id: 'it"s' } },
  { template: 'own', id: 'own-1', principal: { type: 'Team', id: 'b' } },
  { template: 'never', id: 'never-1', resource: { type: 'Team', id: 'c' } },
]

test('linked templates decide as Cedar decides with the same links, on random requests', () => {
  const policies = parseLinked(TEXT, LINKS, SCHEMA)
  assert.deepEqual(policies.rules.map(({ id }) => id), ['all', 'share-1', 'share-2', 'own-1', 'never-1'])
  assert.match(policies.text, /9007199254740993/)
  assert.ok(!policies.text.includes('?resource'))
  const parts = wasm.policySetTextToParts(TEXT)
  assert.ok(parts.type === 'success')
  const templates = Object.fromEntries(parts.policy_templates.map((part) => [/@id\("(\w+)"\)/.exec(part)?.[1] ?? '', part]))
  const templateLinks = LINKS.map(({ template, id, principal, resource }) => ({
    templateId: template, newId: id, values: { ...(principal === undefined ? {} : { '?principal': principal }), ...(resource === undefined ? {} : { '?resource': resource }) },
  }))
  const random = seeded(11)
  const [environment] = SCHEMA.environments
  assert.ok(environment !== undefined)
  let allowed = 0
  for (let i = 0; i < 200; i++) {
    const { principal, resource, entities } = randomScene(SCHEMA, environment, random, { idsOf: () => ['a', 'b', 'c'], strings: ['x'], longs: ['1', '2'], extensions: {}, instants: [] })
    const answer = wasm.isAuthorized({
      principal: { type: 'User', id: principal }, action: { type: 'Action', id: 'view' }, resource: { type: 'Doc', id: resource }, context: {},
      policies: { staticPolicies: { all: parts.policies[0] ?? '' }, templates, templateLinks }, entities: entities as unknown as wasm.Entities,
    })
    assert.ok(answer.type === 'success', JSON.stringify(answer))
    const ours = authorize({ policies, schema: SCHEMA, request: { principal: `User::"${principal}"`, action: 'Action::"view"', resource: `Doc::"${resource}"`, context: {} }, entities })
    assert.equal(ours.decision, answer.response.decision)
    assert.deepEqual(ours.determining, [...answer.response.diagnostics.reason].sort())
    if (ours.decision === 'allow') allowed++
  }
  assert.ok(allowed > 20 && allowed < 180, String(allowed))
})

test('what is proved about linked templates is what is proved about the rules that they amount to', async () => {
  await using prover = createProver(LIMITS)
  const linked = parseLinked('@id("t") permit (principal in ?principal, action, resource == ?resource) when { principal.n > 3 };', [{ template: 't', id: 'x', principal: { type: 'Team', id: 'a' }, resource: { type: 'Doc', id: 'd' } }], SCHEMA)
  const [same, wider] = ['3', '2'].map((n) => parsePolicies(`permit (principal in Team::"a", action, resource == Doc::"d") when { principal.n > ${n} };`, SCHEMA))
  assert.ok(same !== undefined && wider !== undefined)
  assert.equal((await prover.compare.equivalent(linked, same, SCHEMA)).answer.kind, 'proved')
  assert.equal((await prover.compare.equivalent(linked, wider, SCHEMA)).answer.kind, 'refuted')
})

test('a link that does not fit is refused by its name', () => {
  const refused = (link: TemplateLink, what: RegExp) => assert.throws(() => parseLinked(TEXT, [link], SCHEMA), (error) => error instanceof Failure && error.code === 'POLICY_INVALID' && what.test(error.message))
  refused({ template: 'none', id: 'x' }, /`x` names the template `none`/)
  refused({ template: 'own', id: 'x' }, /slot `\?principal` is not filled/)
  refused({ template: 'own', id: 'x', principal: { type: 'Team', id: 'a' }, resource: { type: 'Doc', id: 'a' } }, /fills the slot `\?resource`/)
  refused({ template: 'own', id: 'all', principal: { type: 'Team', id: 'a' } }, /two rules have the id `all`/)
  refused({ template: 'share', id: 'x', principal: { type: 'Nobody', id: 'a' }, resource: { type: 'Doc', id: 'a' } }, /type-check/)
  assert.throws(() => parseLinked('permit (', [], SCHEMA), Failure)
})

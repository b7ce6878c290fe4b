import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Failure } from '#core/failure.ts'
import { parseUnvalidated } from './cedar.ts'

const TEXT = `// permit(principal, action, resource);
permit(principal, action, resource) when { 7 == 9007199254740993 && -9223372036854775808 has a };
@id("own") forbid(principal == ?principal, action, resource in ?resource); // a template
@note("permit(principal, action, resource);")
permit(principal is User in ?principal, action == Action::"view", resource) unless { resource.locked };
@id("last") permit(principal, action, resource);`

test('policies are read without a schema, well typed or not, every digit kept, and called by their @id or their place', () => {
  const { rules } = parseUnvalidated(TEXT)
  assert.deepEqual(rules.map(({ id }) => id), ['policy0', 'last'])
  assert.match(JSON.stringify(rules[0]?.when), /"value":"9007199254740993".*"value":"-9223372036854775808"/)
  assert.deepEqual(parseUnvalidated(TEXT, { ids: 'positional' }).rules.map(({ id }) => id), ['policy0', 'policy3'])
})

test('a template becomes a rule by each of its links', () => {
  const [ana, open] = [{ type: 'User', id: 'ana' }, { type: 'Folder', id: 'open' }]
  const { rules } = parseUnvalidated(TEXT, { links: [{ template: 'own', id: 'one', principal: ana, resource: open }, { template: 'policy2', id: 'two', principal: { type: 'Team', id: 'blue' } }] })
  assert.deepEqual(rules.slice(2).map(({ id, effect, principal, resource }) => ({ id, effect, principal, resource })), [
    { id: 'one', effect: 'forbid', principal: { kind: 'eq', uid: ana }, resource: { kind: 'in', uid: open } },
    { id: 'two', effect: 'permit', principal: { kind: 'is', type: 'User', in: { type: 'Team', id: 'blue' } }, resource: { kind: 'any' } },
  ])
})

test('twelve policies and templates between them keep their places', () => {
  const policies = Array.from({ length: 12 }, (_, i) => (i % 3 === 1 ? `permit(principal in ?principal, action, resource) when { ${i} == 1 };` : `permit(principal, action, resource) when { ${i} == 1 };`))
  const { rules } = parseUnvalidated(policies.join('\n'), { links: [{ template: 'policy10', id: 'linked', principal: { type: 'T', id: 't' } }] })
  assert.deepEqual(rules.map(({ id }) => id), ['policy0', 'policy2', 'policy3', 'policy5', 'policy6', 'policy8', 'policy9', 'policy11', 'linked'])
  for (const { id, when } of rules) assert.match(JSON.stringify(when), new RegExp(`"value":"${id === 'linked' ? 10 : id.slice(6)}"`))
})

test('what does not fit together is refused: an unknown template, an empty slot, an id that is taken', () => {
  const links = (...all: NonNullable<NonNullable<Parameters<typeof parseUnvalidated>[1]>['links']>) => () => parseUnvalidated(TEXT, { links: all })
  const refused = (code: RegExp) => (error: unknown) => error instanceof Failure && error.code === 'POLICY_INVALID' && code.test(error.message)
  assert.throws(links({ template: 'nobody', id: 'x' }), refused(/names the template `nobody`/))
  assert.throws(links({ template: 'own', id: 'x', principal: { type: 'User', id: 'ana' } }), refused(/`\?resource` is not filled/))
  assert.throws(links({ template: 'policy2', id: 'last', principal: { type: 'User', id: 'ana' } }), refused(/two rules have the id `last`/))
  assert.throws(() => parseUnvalidated('permit(principal'), refused(/line 1/))
})

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { runAcgs } from '#test/product.ts'

const folder = mkdtempSync(join(tmpdir(), 'acgs-diff-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const file = (name: string, text: string) => {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}
const schema = file('s.cedarschema', 'entity User { n: Long, ok: Bool }; entity Doc { owner: User }; action read, write appliesTo { principal: User, resource: Doc, context: { consent?: Bool } };')
const own = 'permit (principal, action, resource) when { resource.owner == principal };'
const before = file('old.cedar', own)
const now = file('new.cedar', `${own}\n@obligation("log") permit (principal, action == Action::"read", resource) when { principal.ok && context has consent && context.consent };\nforbid (principal, action == Action::"write", resource) when { principal.n > 3 };`)
const entities = file('e.json', JSON.stringify([
  { uid: { type: 'User', id: 'ana' }, attrs: { n: 7, ok: true }, parents: [] }, { uid: { type: 'User', id: 'bo' }, attrs: { n: 1, ok: false }, parents: [] },
  { uid: { type: 'Doc', id: 'd' }, attrs: { owner: { __entity: { type: 'User', id: 'ana' } } }, parents: [] },
]))

test('who gains and who loses, each with a request that decide answers so', async () => {
  const { status, stdout } = await runAcgs(['diff', before, now, '--schema', schema, '--entities', entities, '--json'], {})
  assert.equal(status, 3)
  const { equivalent, environments } = JSON.parse(stdout)
  assert.equal(equivalent, false)
  const [read, write] = ['read', 'write'].map((name) => environments.find(({ action }: { action: string }) => action === `Action::"${name}"`))
  assert.deepEqual([read.gains.map(({ when }: { when: string }) => when), read.loses], [['principal.ok && context has consent && context.consent && resource.owner != principal'], []])
  assert.deepEqual([write.gains, write.loses.map(({ when }: { when: string }) => when)], [[], ['principal.n > 3 && resource.owner == principal']])
  assert.deepEqual(read.demands.map(({ obligation }: { obligation: string }) => obligation), ['log'])
  assert.deepEqual(read.counted, { pairs: 2, means: 'some-context', parts: [{ part: 'gains', pairs: 0, principals: 0 }, { part: 'demands log', pairs: 1, principals: 1 }] })
  assert.deepEqual(write.counted, { pairs: 2, means: 'decided', parts: [{ part: 'loses', pairs: 1, principals: 1 }] })
  for (const [policies, exit] of [[before, 0], [now, 3]] as const) {
    const request = file('w.json', JSON.stringify(write.loses[0].witness))
    assert.equal((await runAcgs(['decide', '--policies', policies, '--schema', schema, '--request', request], {})).status, exit)
  }
})

test('no difference exits 0 and says over how many environments, and a part of the requests can be asked about', async () => {
  const same = await runAcgs(['diff', before, before, '--schema', schema], {})
  assert.deepEqual([same.status, same.stdout.trim()], [0, 'no difference, proved in 2 request environments'])
  const part = await runAcgs(['diff', before, now, '--schema', schema, '--action', 'Action::"write"'], {})
  assert.deepEqual([part.status, /gains/.test(part.stdout), /loses/.test(part.stdout)], [3, false, true], part.stdout)
})

test('what rules say of tags is told in words too', async () => {
  const tagged = file('t.cedarschema', 'entity User tags Long; entity Doc; action view appliesTo { principal: User, resource: Doc };')
  const rule = file('t.cedar', 'permit (principal, action, resource) when { principal.hasTag("x") && principal.getTag("x") > 3 };')
  const { status, stdout } = await runAcgs(['diff', file('none.cedar', ''), rule, '--schema', tagged, '--json'], {})
  assert.equal(status, 3)
  const [{ when, english }] = JSON.parse(stdout).environments[0].gains
  assert.deepEqual([when, /has the tag “x”/.test(english)], ['principal.hasTag("x") && principal.getTag("x") > 3', true])
})

test('bad files say where, and exit 2', async () => {
  const broken = await runAcgs(['diff', before, file('b.cedar', `${own}\npermit (principal action, resource);`), '--schema', schema], {})
  assert.deepEqual([broken.status, /line 2 column/.test(broken.stderr)], [2, true], broken.stderr)
  const misfit = await runAcgs(['diff', before, now, '--schema', schema, '--entities', file('m.json', '[{"uid":{"type":"User","id":"x"},"attrs":{},"parents":[]}]')], {})
  assert.equal(misfit.status, 2, misfit.stderr)
})

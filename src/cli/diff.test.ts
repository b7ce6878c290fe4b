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

test('tags: told in words, counted over a store that has them, and what prove shows with tags is read by decide', async () => {
  const tagged = file('t.cedarschema', 'entity User tags Long; entity Doc tags Set<String>; action view appliesTo { principal: User, resource: Doc };')
  const rule = file('t.cedar', 'permit (principal, action, resource) when { principal.hasTag("x") && principal.getTag("x") > 9007199254740993 && resource.hasTag("k\\"") && resource.getTag("k\\"").contains("a") };')
  const none = file('none.cedar', '')
  const store = file('t.json', JSON.stringify([
    ...['9007199254740994', '9007199254740993'].map((x, i) => ({ uid: { type: 'User', id: `u${i}` }, tags: { x } })), { uid: { type: 'User', id: 'bare' } },
    { uid: { type: 'Doc', id: 'd' }, tags: { 'k"': ['a', 'b'] } },
  ]))
  const { status, stdout, stderr } = await runAcgs(['diff', none, rule, '--schema', tagged, '--entities', store, '--json'], {})
  assert.equal(status, 3, stderr)
  const [{ gains: [{ when, english }], counted }] = JSON.parse(stdout).environments
  assert.match(when, /principal\.getTag\("x"\) > 9007199254740993/)
  assert.match(english, /has the tag “x”/)
  assert.deepEqual(counted, { pairs: 3, means: 'decided', parts: [{ part: 'gains', pairs: 1, principals: 1 }] })
  const refuted = await runAcgs(['prove', 'always-denies', rule, '--schema', tagged, '--json'], {})
  const forPeople = await runAcgs(['prove', 'always-denies', rule, '--schema', tagged], {})
  assert.match(forPeople.stdout, /^refuted by this request, which --json has whole as “counterexample”, for \.\/acgs decide:\n {2}(?:Given .*: m|M)ay .*\?\n$/)
  const request = file('c.json', JSON.stringify(JSON.parse(refuted.stdout).counterexample))
  for (const [policies, exit] of [[rule, 0], [none, 3]] as const) {
    const decided = await runAcgs(['decide', '--policies', policies, '--schema', tagged, '--request', request], {})
    assert.equal(decided.status, exit, decided.stderr)
  }
})

test('bad files: every fault with its file, line and column, of both policies at once, and exit 2', async () => {
  const [broken, misfit] = [file('b.cedar', `${own}\npermit (principal action, resource);\npermit (principal, action, resource) when { 1 + };`), file('m.cedar', 'permit (principal, action, resource) when { principal.nope };\nforbid (principal, action, resource) when { principal.nope };')]
  const { status, stdout, stderr } = await runAcgs(['diff', misfit, broken, '--schema', schema, '--json'], {})
  assert.equal(status, 2)
  const places = [`${misfit}:1:45`, `${misfit}:2:45`, `${broken}:2:19`, `${broken}:3:49`]
  assert.deepEqual(JSON.parse(stdout).error.problems.map(({ place }: { place: string }) => place), places)
  for (const place of places) assert.equal(stderr.split(`${place}: `).length, 2, `${place}\n${stderr}`)
  const wrong = await runAcgs(['diff', before, now, '--schema', file('w.cedarschema', 'entity User { a: Lng, b: Strng };\nentity Doc;\naction a appliesTo { principal: User, resource: Dc };')], {})
  assert.equal(wrong.status, 2)
  for (const place of ['w.cedarschema:1:18: ', 'w.cedarschema:1:26: ', 'w.cedarschema:3:49: ']) assert.ok(wrong.stderr.includes(place), wrong.stderr)
  const store = await runAcgs(['diff', before, now, '--schema', schema, '--entities', file('m.json', '[{"uid":{"type":"User","id":"x"},"attrs":{"n":"a"},"parents":[]}]')], {})
  assert.equal(store.status, 2)
  for (const place of ['User::"x" attrs.n: ', 'User::"x" attrs.ok: ']) assert.ok(store.stderr.includes(place), store.stderr)
})

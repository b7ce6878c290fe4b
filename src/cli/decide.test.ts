import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { runAcgs } from '#test/product.ts'

const SCHEMA = 'entity Team; entity User in [Team] { n: Long }; entity Doc { owner: User }; action read appliesTo { principal: User, resource: Doc, context: { k: Long } };'
const USER = { uid: { type: 'User', id: 'a' }, attrs: { n: 1 }, parents: [{ type: 'Team', id: 't' }] }
const DOC = { uid: { type: 'Doc', id: 'd' }, attrs: { owner: { __entity: { type: 'User', id: 'b' } } }, parents: [] }
const REQUEST = { principal: 'User::"a"', action: 'Action::"read"', resource: 'Doc::"d"', context: { k: 1 } }

type Asked = { readonly policies?: string; readonly schema?: string; readonly entities?: unknown; readonly request?: unknown; readonly semantics?: string }
type Answer = { readonly status: number; readonly stdout: string; readonly stderr: string; readonly json: any }

/** Asks with each part in a file of its own; an entities file only where there is one. */
async function asking(run: (ask: (asked: Asked) => Promise<Answer>) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'acgs-decide-'))
  let files = 0
  const file = (content: unknown) => {
    const name = join(folder, String(files++))
    writeFileSync(name, typeof content === 'string' ? content : JSON.stringify(content))
    return name
  }
  try {
    await run(async ({ policies, schema, entities, request = REQUEST, semantics }) => {
      const options = { policies, schema, entities, request }
      const args = Object.entries(options).flatMap(([name, content]) => (content === undefined ? [] : [`--${name}`, file(content)]))
      const answer = await runAcgs(['decide', ...args, ...(semantics === undefined ? [] : ['--semantics', semantics]), '--json'])
      return { ...answer, json: answer.stdout === '' ? null : JSON.parse(answer.stdout) }
    })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

test('the yes and the three kinds of no, each with its rules, obligations and exit status', () => asking(async (ask) => {
  const schema = SCHEMA
  const entities = [USER, DOC]
  const rules = {
    permitted: '@id("yes") @obligation("log, tell") permit(principal in Team::"t", action, resource);',
    forbidden: '@id("yes") permit(principal, action, resource); @id("no") forbid(principal, action, resource) when { context.k == 1 };',
    not_permitted: '@id("yes") permit(principal, action, resource) when { context.k == 2 };',
    error: '@id("yes") permit(principal, action, resource); @id("no") forbid(principal, action, resource) when { context.k + 9223372036854775807 > 0 };',
  }
  const answers = await Promise.all(Object.values(rules).map((policies) => ask({ policies, schema, entities })))
  assert.deepEqual(answers.map(({ status }) => status), [0, 3, 3, 3])
  const [permitted, forbidden, notPermitted, error] = answers.map(({ json }) => json)
  assert.deepEqual(permitted, { decision: 'allow', verdict: 'permitted', determining: ['yes'], obligations: ['log', 'tell'], errors: [], missing: [] })
  assert.deepEqual(forbidden, { decision: 'deny', verdict: 'forbidden', determining: ['no'], obligations: [], errors: [], missing: [] })
  assert.deepEqual(notPermitted, { decision: 'deny', verdict: 'not_permitted', determining: [], obligations: [], errors: [], missing: [] })
  assert.deepEqual([error.decision, error.verdict, error.determining, error.errors.map(({ rule }: { rule: string }) => rule)], ['deny', 'error', [], ['no']])
  // Cedar alone skips the prohibition that fails.
  const cedar = await ask({ policies: rules.error, schema, entities, semantics: 'cedar' })
  assert.deepEqual([cedar.status, cedar.json.decision, cedar.json.verdict, cedar.json.determining, cedar.json.errors.map(({ rule }: { rule: string }) => rule)], [0, 'allow', 'permitted', ['yes'], ['no']])
}))

test('what a rule reads and nobody supplied denies and is named, under Cedar’s semantics it does not matter', () => asking(async (ask) => {
  const policies = '@id("yes") permit(principal, action, resource); @id("no") forbid(principal, action, resource) when { resource.owner in Team::"t" };'
  const missing = await ask({ policies, schema: SCHEMA, entities: [USER, DOC] })
  assert.deepEqual([missing.status, missing.json.verdict, missing.json.missing], [3, 'error', ['User::"b"']])
  const cedar = await ask({ policies, schema: SCHEMA, entities: [USER, DOC], semantics: 'cedar' })
  assert.deepEqual([cedar.status, cedar.json.verdict], [0, 'permitted'])
  const nobody = await ask({ policies: '@id("yes") permit(principal, action, resource);', schema: SCHEMA, request: { ...REQUEST, entities: [DOC] } })
  assert.deepEqual([nobody.status, nobody.json.missing], [3, ['User::"a"']])
}))

test('without a schema the JSON says what its values are, and rules need not be well typed', () => asking(async (ask) => {
  const policies = '@id("yes") permit(principal, action, resource) when { resource.owner == User::"b" && context.from.isLoopback() }; @id("odd") permit(principal, action, resource) when { context.k && 1 };'
  const request = { ...REQUEST, context: { k: 1, from: { __extn: { fn: 'ip', arg: '127.0.0.1' } } }, entities: [USER, DOC] }
  const cedar = await ask({ policies, request, semantics: 'cedar' })
  assert.deepEqual([cedar.status, cedar.json.determining, cedar.json.errors.map(({ rule }: { rule: string }) => rule)], [0, ['yes'], ['odd']])
  assert.match(cedar.stderr, /without --schema/)
  assert.deepEqual([(await ask({ policies, request })).json.verdict, (await ask({ policies, request, schema: SCHEMA })).status], ['error', 2])
}))

test('integers beyond 2⁵³ are exact, written as numbers or as digits', () => asking(async (ask) => {
  const policies = '@id("yes") permit(principal, action, resource) when { context.k == 9007199254740993 };'
  const raw = (k: string) => JSON.stringify({ ...REQUEST, context: { k: '#' }, entities: [USER, DOC] }).replace('"#"', k)
  const exits = await Promise.all([raw('9007199254740993'), raw('"9007199254740993"'), raw('9007199254740992'), raw('9223372036854775808')].map(async (request) => (await ask({ policies, schema: SCHEMA, request })).status))
  assert.deepEqual(exits, [0, 0, 3, 2])
}))

test('what the oracle writes out needs no other file', () => asking(async (ask) => {
  const request = { ...REQUEST, entities: [{ ...USER, attrs: {} }, DOC], policies: '@id("yes") permit(principal, action, resource) when { resource.owner == User::"b" };', schema: SCHEMA, oracle: { revision: 1 } }
  assert.equal((await ask({ request, semantics: 'cedar' })).status, 0)
  assert.equal((await ask({ request: REQUEST, schema: SCHEMA })).status, 2)
}))

test('bad input exits 2 and names every problem, with line and column where it is a text', () => asking(async (ask) => {
  const schema = SCHEMA
  const good = 'permit(principal, action, resource);'
  const cases: readonly (readonly [Asked, RegExp])[] = [
    [{ policies: 'permit(principal, action, resource);\n\n  permit(principal action', schema }, /\d:3:20: unexpected token `action`/],
    [{ policies: `${good}\n@id("b")\nforbid(principal, action, resource) when {\n  principal.nn > 0 && "a" };`, schema }, /\d:4:3: in rule `b`: .*`nn`.*[^]*\d:4:23: in rule `b`/],
    [{ policies: good, schema: 'entity User;\nentity Doc {' }, /\d:2:/],
    [{ policies: good, schema, entities: [{ ...USER, attrs: { n: 'x' } }, { ...DOC, attrs: {} }] }, /User::"a"[^]*Doc::"d"/],
    [{ policies: good, schema, request: { ...REQUEST, principal: 'Doc::"d"' } }, /principal: is a `Doc`.*applies to `User`/],
    [{ policies: good, schema, request: { ...REQUEST, action: 'Action::"write"' } }, /none of the actions: there are `Action::"read"`|there are `Action::\\"read\\"`/],
    [{ policies: good, schema, request: { ...REQUEST, context: {} } }, /context.k/],
    [{ policies: good, schema, request: '{"principal": 1,\n "action"' }, /:2:10: is not JSON/],
  ]
  for (const [asked, message] of cases) {
    const { status, stderr, json } = await ask(asked)
    assert.equal(status, 2, stderr)
    assert.match(stderr, message)
    assert.ok(json.error.problems.length > 0)
  }
}))

test('an overflow that the prover finds is an error for the decision point, integers beyond 2^53 included', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'acgs-decide-'))
  try {
    const file = (name: string, content: string) => (writeFileSync(join(folder, name), content), join(folder, name))
    const schema = file('s.cedarschema', 'entity User { n: Long }; entity Doc; action read appliesTo { principal: User, resource: Doc, context: { k: Long } };')
    const policy = file('p.cedar', 'permit(principal, action, resource) when { principal.n + context.k > 0 };')
    const proved = await runAcgs(['prove', 'never-errors', policy, '--schema', schema, '--json'])
    assert.equal(proved.status, 3, proved.stdout + proved.stderr)
    const { counterexample } = JSON.parse(proved.stdout)
    const decided = await runAcgs(['decide', '--policies', policy, '--schema', schema, '--request', file('r.json', JSON.stringify(counterexample)), '--json'])
    assert.equal(decided.status, 3, decided.stdout + decided.stderr)
    assert.equal(JSON.parse(decided.stdout).verdict, 'error')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { authorize, parsePolicies, parseSchema } from './cedar.ts'
import { startOracle } from './oracle-thread.ts'

const schema = parseSchema('entity User { n: Long }; entity Doc; action read appliesTo { principal: User, resource: Doc, context: { n: Long } };')
const POLICIES = parsePolicies(`
  @id("reads") permit(principal, action, resource) when { context.n == 9007199254740993 };
  @id("guard") forbid(principal, action, resource) when { principal.n + 9223372036854775807 > 0 };`, schema)
const { rawJSON } = JSON as unknown as { readonly rawJSON: (digits: string) => unknown }
const question = (n: number, exact: string) => ({
  policies: POLICIES, request: { principal: 'User::"ana"', action: 'Action::"read"', resource: 'Doc::"d"', context: { n: rawJSON(exact) } },
  entities: [{ uid: { type: 'User', id: 'ana' }, attrs: { n }, parents: [] }],
})

test('answers as Cedar does here, under Cedar’s semantics, rules by their ids and integers exact', async () => {
  await using oracle = startOracle()
  for (const asked of [question(0, '9007199254740993'), question(0, '9007199254740992'), question(1, '9007199254740993'), question(-1, '9007199254740993')]) {
    assert.deepEqual(await oracle.ask(asked), authorize({ ...asked, schema: null }))
  }
  assert.deepEqual((await oracle.ask(question(1, '9007199254740993'))).errors.map(({ rule }) => rule), ['guard'])
})

test('answers to questions that are asked at once are not mixed up', async () => {
  await using oracle = startOracle()
  const asked = Array.from({ length: 60 }, (_, i) => question(i % 2, i % 3 === 0 ? '9007199254740993' : '1'))
  assert.deepEqual(await Promise.all(asked.map((each) => oracle.ask(each))), asked.map((each) => authorize({ ...each, schema: null })))
})

test('more policy sets than it keeps are told apart', async () => {
  await using oracle = startOracle()
  const sets = Array.from({ length: 40 }, (_, i) => parsePolicies(`@id("only${i}") permit(principal, action, resource);`, schema))
  for (const policies of [...sets, ...sets.toReversed()]) {
    assert.deepEqual((await oracle.ask({ ...question(0, '1'), policies })).determining, policies.rules.map(({ id }) => id))
  }
})

test('a thread that dies or hangs answers nothing, and the next question gets a new one', async () => {
  const dies = "data:text/javascript,import { parentPort } from 'node:worker_threads'; parentPort.on('message', () => process.exit(3))"
  const hangs = "data:text/javascript,import { parentPort } from 'node:worker_threads'; parentPort.on('message', () => { for (;;); })"
  const fails = 'data:text/javascript,throw new Error("no engine")'
  for (const [body, why] of [[dies, /ended/], [hangs, /did not answer within 300 ms/], [fails, /no engine/]] as const) {
    await using oracle = startOracle({ body: new URL(body), timeoutMs: 300 })
    for (let i = 0; i < 2; i++) await assert.rejects(oracle.ask(question(0, '1')), why)
  }
})

test('a question that Cedar refuses is no answer, and costs no thread', async () => {
  await using oracle = startOracle()
  await assert.rejects(oracle.ask({ ...question(0, '1'), request: { ...question(0, '1').request, principal: 'nobody' } }), /not an entity uid/)
  assert.deepEqual((await oracle.ask(question(-1, '1'))).determining, ['guard'])
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parsePolicies, parseSchema } from '#adapters/cedar/cedar.ts'
import { agreeingProver } from '#test/prover.ts'
import { isAnswer } from '#core/unit/example.ts'
import { GenerateBody } from '#core/unit/request.ts'
import { withAnswers } from './answers.ts'
import { chooseQuestion, largest, questionOf, type Asking } from './question.ts'

const prover = agreeingProver()
const SCHEMA = parseSchema('entity Team; entity User in [Team] { n: Long, admin: Bool, note?: String }; entity Doc { owner: User, labels: Set<String> }; action view, edit appliesTo { principal: User, resource: Doc, context: { mfa: Bool } };')
const policies = (...texts: readonly string[]) => texts.map((text) => parsePolicies(text, SCHEMA))
const from = (n: number) => `permit(principal, action == Action::"view", resource) when { principal.n >= ${n} };`
const only = (n: number) => `permit(principal, action == Action::"view", resource) when { principal.n == ${n} };`

test('the question halves meanings that can be halved', async () => {
  const chosen = await chooseQuestion(policies(from(1), from(2), from(3), from(4)), SCHEMA, prover)
  assert.deepEqual(chosen?.sides.map(({ said, policies: left }) => [said.decision, left]), [['allow', [0, 1]], ['deny', [2, 3]]])
  assert.match(chosen?.question.words ?? '', /^Given user “user1” \(n: 2\): may user “user1” view doc “doc1”\?$/)
})

test('where each stands alone, one is told from the others, and that nothing splits better is proved', async () => {
  const four = policies(only(1), only(2), only(3), only(4))
  assert.deepEqual(await prover.splits(four, 2, SCHEMA), { requests: [], unknown: null })
  const chosen = await chooseQuestion(four, SCHEMA, prover)
  assert.equal(chosen === null ? null : largest(chosen), 3)
})

test('of the requests that split alike, the one with the least to read is asked', async () => {
  const long = 'permit(principal, action == Action::"edit", resource) when { resource.labels.contains("x") && principal.admin && context.mfa };'
  const short = 'permit(principal, action == Action::"view", resource);'
  const chosen = await chooseQuestion(policies(`${long} ${short}`, 'permit(principal, action, resource) when { false };'), SCHEMA, prover)
  assert.equal(chosen?.question.words, 'May user “user1” view doc “doc1”?')
})

test('what differs in duties alone asks for them', async () => {
  const chosen = await chooseQuestion(policies(`@obligation("log") ${from(1)}`, `@obligation("log,notify") ${from(1)}`), SCHEMA, prover)
  assert.deepEqual(chosen?.question.obligations, ['notify'])
  assert.deepEqual(chosen?.sides.map(({ said }) => said.obligations), [['notify'], []])
})

test('without an answer of the prover there is no question', async () => {
  const mute: Asking = { ...prover, splits: async () => ({ requests: [], unknown: 'timeout' }), sameMeaning: async (a, b, schema) => ({ ...(await prover.sameMeaning(a, b, schema)), answer: { kind: 'unknown', reason: 'timeout' } }) }
  assert.equal(await chooseQuestion(policies(from(1), from(2)), SCHEMA, mute), null)
})

test('in words: what rules look at, what is absent, where things are, what the request carries', () => {
  const entities = [
    { uid: { type: 'Doc', id: 'd' }, attrs: { owner: { __entity: { type: 'User', id: 'u' } }, labels: ['a', 'b'] }, parents: [] },
    { uid: { type: 'User', id: 'u' }, attrs: { n: 3, admin: true }, parents: [{ type: 'Team', id: 't' }] },
  ]
  const [{ rules }] = policies('permit(principal in Team::"t", action == Action::"edit", resource) when { resource.owner == principal && resource.labels.contains("a") && !(principal has note) && context.mfa };') as [ReturnType<typeof parsePolicies>]
  const question = questionOf({ principal: 'User::"u"', action: 'Action::"edit"', resource: 'Doc::"d"', context: { mfa: true }, entities }, SCHEMA, rules)
  assert.equal(question.words, 'Given user “u” (no note, in team “t”), doc “d” (labels: “a” and “b”, owner: user “u”) and the request (mfa: yes): may user “u” edit doc “d”?')
  const other = questionOf({ principal: 'User::"u"', action: 'Action::"view"', resource: 'Doc::"d"', context: { mfa: true }, entities }, SCHEMA, rules)
  assert.equal(other.words, 'May user “u” view doc “d”?')
  assert.notEqual(question.id, other.id)
})

test('what an answer becomes, stored and read again, is known as the answer to this very request', async () => {
  const chosen = await chooseQuestion(policies(from(1), from(2)), SCHEMA, prover)
  const request = GenerateBody.parse({ title: 'Documents', description: 'Whoever has enough of n may view.' })
  const stored = JSON.parse(JSON.stringify({ id: 'gen_1', request, evidence: { inquiry: { kind: 'open', question: chosen?.question } } }))
  const { context: { examples: [example] } } = GenerateBody.parse(JSON.parse(JSON.stringify(withAnswers(stored, [{ question: chosen?.question.id ?? '', decision: 'allow' }]))))
  assert.ok(example?.name !== undefined)
  const answer = { ...example, name: example.name }
  assert.equal(isAnswer(answer, SCHEMA), true)
  assert.equal(isAnswer({ ...answer, request: { ...answer.request, action: 'Action::"edit"' } }, SCHEMA), false)
})

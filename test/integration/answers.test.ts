import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after, before } from 'node:test'
import { parsePolicies, parseSchema } from '#adapters/cedar/cedar.ts'
import { startProduct, type Product } from '#test/product.ts'
import { agreeingProver } from '#test/prover.ts'

/** The whole product, whose author answers what it asks. */
let product: Product
const tokens = new Map<string, string>()
const prover = agreeingProver()
const scratch = mkdtempSync(join(tmpdir(), 'acgs-answers-'))

before(async () => {
  product = await startProduct()
  for (const role of ['author', 'operator', 'council']) tokens.set(role, await product.token(role))
})
after(async () => {
  await product[Symbol.asyncDispose]()
  rmSync(scratch, { recursive: true, force: true })
})

type Reply = { status: number; body: any }
async function ask(path: string, { role = 'author', body, headers = {} }: { role?: string; body?: unknown; headers?: { [name: string]: string } } = {}): Promise<Reply> {
  const response = await fetch(`${product.url.platform}${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${tokens.get(role)}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  return { status: response.status, body: await response.json() }
}
const generate = (body: unknown) => ask('/api/v1/generate-policy', { body })
const answer = (id: string, answers: unknown, more: Parameters<typeof ask>[1] = {}) => ask(`/api/v1/generations/${id}/answers`, { body: { answers }, ...more })

const SCHEMA = 'entity Nurse { onDuty: Bool }; entity Doctor { onDuty: Bool }; entity Chart { sealed: Bool }; action view, edit appliesTo { principal: [Nurse, Doctor], resource: Chart };'
const REQUEST = { title: 'Charts', description: 'Nurses and doctors on duty may view charts. Nurses and doctors on duty may edit charts.', context: { schema: SCHEMA } }
const MEANT = ['permit(principal is Doctor, action == Action::"view", resource) when { principal.onDuty };', 'permit(principal is Nurse, action == Action::"view", resource);', 'permit(principal, action == Action::"edit", resource) when { principal.onDuty };'].join('\n')

/** What an author says who means a policy. */
function saidBy(cedar: string, { request, entities }: { request: any; entities: any }): 'allow' | 'deny' {
  const schema = parseSchema(SCHEMA)
  return prover.decidedOn({ ...request, entities }, schema)(parsePolicies(cedar, schema)).decision
}
async function isSame(a: string, b: string): Promise<boolean> {
  const schema = parseSchema(SCHEMA)
  return (await prover.sameMeaning(parsePolicies(a, schema), parsePolicies(b, schema), schema)).answer.kind === 'proved'
}

/** Answers until nothing is asked, and returns every reply. */
async function answered(cedar: string, change: (decision: 'allow' | 'deny', at: number) => 'allow' | 'deny' = (decision) => decision): Promise<Reply[]> {
  const replies = [await generate(REQUEST)]
  for (let last = replies[0] as Reply; last.body.questionnaire?.state === 'open'; last = replies.at(-1) as Reply) {
    const { generation_id: id, questionnaire: { question } } = last.body
    replies.push(await answer(id, [{ question: question.id, decision: change(saidBy(cedar, question), replies.length) }]))
    assert.ok(replies.length < 6)
  }
  return replies
}

test('an ambiguous request asks, each answer leads on, and the last one to a certificate of what the author means', async () => {
  const replies = await answered(MEANT)
  assert.deepEqual(replies.map(({ status }) => status), [422, 422, 200], JSON.stringify(replies.at(-1)?.body))
  assert.deepEqual(replies.map(({ body }) => [body.questionnaire.state, body.questionnaire.at_most]), [['open', 2], ['open', 1], ['settled', undefined]])
  const [first, second, last] = replies.map(({ body }) => body)
  assert.equal(first.code, 'POLICY_UNDETERMINED')
  assert.match(first.detail, new RegExp(`answer question ${first.questionnaire.question.id}: Given .*: may `))
  assert.deepEqual([first.revises, second.revises, last.revises], [null, first.generation_id, second.generation_id])
  assert.ok(await isSame(last.cedar, MEANT), last.cedar)
  assert.deepEqual(last.unread, [])
  assert.ok(last.ledger.index > second.ledger.index)

  const certificate = join(scratch, 'certificate.json')
  writeFileSync(certificate, JSON.stringify(last.certificate))
  assert.equal((await product.acgs('verify', certificate)).status, 0)

  const whole = (await ask(`/api/v1/generations/${last.generation_id}`)).body
  assert.equal(whole.revises, second.generation_id)
  assert.deepEqual(whole.request.context.examples.map(({ name }: { name: string }) => name), [`answer to ${first.questionnaire.question.id}`, `answer to ${second.questionnaire.question.id}`])
  assert.deepEqual(whole.generation.candidates, (await ask(`/api/v1/generations/${first.generation_id}`)).body.generation.candidates)
})

test('an answer the other way round leads to another policy, and can be taken back where it was asked', async () => {
  const flipped = await answered(MEANT, (decision, at) => (at === 1 ? (decision === 'allow' ? 'deny' : 'allow') : decision))
  const [first, ...others] = flipped.map(({ body }) => body)
  assert.ok(!(await isSame(others.at(-1).cedar, MEANT)), others.at(-1).cedar)
  const again = await answer(first.generation_id, [{ question: first.questionnaire.question.id, decision: saidBy(MEANT, first.questionnaire.question) }])
  const { questionnaire: { question } } = again.body
  assert.ok(await isSame((await answer(again.body.generation_id, [{ question: question.id, decision: saidBy(MEANT, question) }])).body.cedar, MEANT))
})

test('what is not asked, was answered, contradicts, or is not the author’s to answer is told apart', async () => {
  const [first, second] = (await answered(MEANT)).map(({ body }) => body)
  const { question } = first.questionnaire
  const said = saidBy(MEANT, question)
  const unknown = await answer(first.generation_id, [{ question: 'q_0000000000000000', decision: 'allow' }])
  assert.deepEqual([unknown.status, unknown.body.code, unknown.body.known], [404, 'NOT_FOUND', [question.id]])
  const late = await answer(second.generation_id, [{ question: question.id, decision: said }])
  assert.deepEqual([late.status, late.body.code, late.body.reason], [409, 'CONFLICT', 'answered'])
  const both = await answer(first.generation_id, [{ question: question.id, decision: 'allow' }, { question: question.id, decision: 'deny' }])
  assert.deepEqual([both.status, both.body.code], [422, 'EXAMPLES_CONTRADICT'])
  const duties = await answer(first.generation_id, [{ question: question.id, decision: 'allow', obligations: ['log'] }])
  assert.deepEqual([duties.status, duties.body.problems?.[0]?.place], [400, 'body.answers[0].obligations'])
  assert.equal((await answer('gen_none', [{ question: question.id, decision: 'allow' }])).status, 404)
  assert.equal((await answer(first.generation_id, [{ question: question.id, decision: 'maybe' }])).status, 400)
  assert.equal((await answer(first.generation_id, [])).status, 400)
  for (const role of ['operator', 'council']) assert.equal((await answer(first.generation_id, [{ question: question.id, decision: said }], { role })).status, 403)
  const claimed = await generate({ ...REQUEST, context: { ...REQUEST.context, revises: first.generation_id } })
  assert.deepEqual([claimed.status, claimed.body.problems?.[0]?.place], [400, 'body.context.revises'])
})

test('examples that contradict each other are refused with the request, and leave nothing behind', async () => {
  const stored = async () => (await ask('/api/v1/generations?limit=200', { role: 'operator' })).body.generations.length
  const count = await stored()
  const request = { principal: 'Nurse::"n"', action: 'Action::"view"', resource: 'Chart::"c"', context: {} }
  const entities = [{ uid: { type: 'Nurse', id: 'n' }, attrs: { onDuty: true }, parents: [] }, { uid: { type: 'Chart', id: 'c' }, attrs: { sealed: false }, parents: [] }]
  const { status, body } = await generate({ ...REQUEST, context: { ...REQUEST.context, examples: [{ request, entities, decision: 'allow' }, { name: 'no', request, entities: entities.toReversed(), decision: 'deny' }] } })
  assert.deepEqual([status, body.code, body.problems[0].place], [422, 'EXAMPLES_CONTRADICT', 'context.examples[1]'])
  assert.match(body.detail, /`no` wants deny, and `example 1` wants allow/)
  assert.equal(await stored(), count)
})

test('a schema to which no sentence can be tied: every sentence is named, nothing is certified, and there is nothing to answer', async () => {
  const schema = 'entity Turbine { rpm: Long }; entity Valve; action spin appliesTo { principal: Turbine, resource: Valve };'
  const { status, body } = await generate({ ...REQUEST, context: { schema } })
  assert.deepEqual([status, body.code, body.certificate ?? null, body.questionnaire ?? null], [422, 'POLICY_UNDETERMINED', null, null])
  const messages: string[] = body.doubts.map(({ message }: { message: string }) => message)
  for (const sentence of [1, 2]) assert.ok(messages.some((message) => message.includes(`sentence ${sentence}`)), messages.join('\n'))
  for (const { remedy } of body.doubts) assert.ok(remedy.length > 0)
  assert.deepEqual((await answer(body.generation_id, [{ question: 'q_1', decision: 'allow' }])).status, 404)
})

test('an answer under a key is given once', async () => {
  const { body: { generation_id: id, questionnaire: { question } } } = await generate(REQUEST)
  const given = [{ question: question.id, decision: saidBy(MEANT, question) }]
  const headers = { 'idempotency-key': '"answers-1"' }
  const [one, two] = [await answer(id, given, { headers }), await answer(id, given, { headers })]
  assert.equal(one.body.generation_id, two.body.generation_id)
  const other = await answer(id, [{ question: question.id, decision: given[0]?.decision === 'allow' ? 'deny' : 'allow' }], { headers })
  assert.deepEqual([other.status, other.body.code], [422, 'IDEMPOTENCY_KEY_REUSED'])
})

test('a request that one norm alone decides can be confirmed, and denied: then nobody is believed', async () => {
  const { status, body } = await generate({ title: 'Charts', description: 'Nurses may view charts. Doctors may edit sealed charts.', context: { schema: SCHEMA } })
  assert.equal(status, 200, JSON.stringify(body))
  assert.deepEqual(body.open_examples.map(({ norm, decided }: { norm: string; decided: unknown }) => [norm, decided]), [['N1', { decision: 'allow', obligations: null }], ['N2', { decision: 'allow', obligations: null }]])
  const [{ question }] = body.open_examples
  const confirmed = await answer(body.generation_id, [{ question: question.id, decision: 'allow' }])
  assert.deepEqual([confirmed.status, confirmed.body.open_examples.map(({ norm }: { norm: string }) => norm)], [200, ['N2']])
  assert.equal(confirmed.body.cedar, body.cedar)
  const denied = await answer(body.generation_id, [{ question: question.id, decision: 'deny' }])
  assert.deepEqual([denied.status, denied.body.code, denied.body.diagnosis.kind], [422, 'POLICY_UNDETERMINED', 'unexplained'])
  assert.match(denied.body.detail, /wants deny, against sentence 1 \(“Nurses may view charts\.”\): reword it, or take the example back/)
})

test('the command line shows what is asked, answers it and shows what comes next', async () => {
  const { body: { generation_id: id, questionnaire: { question } } } = await generate(REQUEST)
  const shown = await product.acgs('answer', id)
  assert.deepEqual([shown.status, shown.stdout.includes(question.words)], [4, true], shown.stdout + shown.stderr)
  assert.match(shown.stdout, /asks at most 2 questions, this one first:\n/)
  const first = await product.acgs('answer', id, saidBy(MEANT, question))
  assert.equal(first.status, 4, first.stdout + first.stderr)
  assert.match(first.stdout, /asks one question, the last:\n/)
  const [, next = '', asked = ''] = /answer (gen_\S+) --question (q_\w+)/.exec(first.stdout) ?? []
  const { body: second } = await ask(`/api/v1/generations/${next}`)
  const last = await product.acgs('answer', next, '--question', asked, saidBy(MEANT, second.questions[0]))
  assert.equal(last.status, 0, last.stdout + last.stderr)
  assert.match(last.stdout, /^certified {3}gen_\S+ {3}certificate [0-9a-f]{32}\n/)
  assert.match(last.stdout, /to be confirmed or not/)
  const [, done = '', , open = '', ] = /certified {3}(gen_\S+)[^]*?\n {2}(N\S+) {2}(q_\w+) /.exec(last.stdout) ?? []
  const { body: { questions } } = await ask(`/api/v1/generations/${done}`)
  const against = questions.find(({ id: each }: { id: string }) => each === open)
  const denied = await product.acgs('answer', done, '--question', open, saidBy(MEANT, against) === 'allow' ? 'deny' : 'allow')
  assert.equal(denied.status, 4, denied.stdout + denied.stderr)
  assert.match(denied.stdout, /^undetermined {3}gen_\S+\n$/)
  assert.match(denied.stderr, /to settle it/)
  const none = await product.acgs('answer', id, '--question', 'q_0000000000000000', 'allow')
  assert.deepEqual([none.status, /does not ask/.test(none.stderr)], [2, true], none.stderr)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Failure } from '#core/failure.ts'
import { GenerateBody } from '#core/unit/request.ts'
import { questionsIn, withAnswers } from './answers.ts'

const asking = (id: string, obligations: string[] = []) => ({ id, words: `${id}?`, request: { principal: 'A::"a"', action: 'Action::"x"', resource: `B::"${id}"`, context: {} }, entities: [], obligations })
const BODY = GenerateBody.parse({ title: 'A title', description: 'Somebody may do something.', context: { domain: 'd', note: 'kept' } })
const GENERATION = {
  id: 'gen_1', request: JSON.parse(JSON.stringify(BODY)) as unknown,
  evidence: { inquiry: { kind: 'open', question: asking('q_1') }, normExamples: [{ kind: 'open', norm: 'N1', question: asking('q_2', ['log', 'notify']) }, { kind: 'redundant', norm: 'N2' }] },
}
const refused = (code: string, place?: string) => (error: unknown) => error instanceof Failure && error.code === code && (place === undefined || error.problems.some((each) => each.place === place))

test('a stored generation asks what would settle its meaning, then what would confirm a norm; an older one asks nothing', () => {
  assert.deepEqual(questionsIn(GENERATION.evidence).map(({ about, question: { id } }) => [about, id]), [[{ atMost: null }, 'q_1'], [{ norm: 'N1' }, 'q_2']])
  assert.deepEqual(questionsIn({ verdict: { kind: 'compliant' } }), [])
})

test('an answer becomes an example, and everything else of the request stays', () => {
  const { context, ...rest } = withAnswers(GENERATION, [{ question: 'q_1', decision: 'deny' }, { question: 'q_2', decision: 'allow', obligations: ['log'] }])
  const { context: before, ...same } = BODY
  assert.deepEqual(rest, same)
  assert.deepEqual(context, {
    ...before, revises: 'gen_1', examples: [
      { name: 'answer to q_1', request: asking('q_1').request, entities: [], decision: 'deny' },
      { name: 'answer to q_2', request: asking('q_2').request, entities: [], decision: 'allow', obligations: { log: true, notify: false } },
    ],
  })
})

test('the same answer twice is one; two different ones are refused', () => {
  assert.equal(withAnswers(GENERATION, [{ question: 'q_1', decision: 'deny' }, { question: 'q_1', decision: 'deny' }]).context.examples.length, 1)
  assert.throws(() => withAnswers(GENERATION, [{ question: 'q_1', decision: 'deny' }, { question: 'q_1', decision: 'allow' }]), refused('EXAMPLES_CONTRADICT', 'body.answers[1]'))
})

test('what is not asked, was answered, or does not fit the question is told apart', () => {
  assert.throws(() => withAnswers(GENERATION, [{ question: 'q_9', decision: 'deny' }]), (error) => refused('NOT_FOUND')(error) && /it asks q_1, q_2/.test((error as Failure).message))
  const next = { ...GENERATION, id: 'gen_2', request: withAnswers(GENERATION, [{ question: 'q_1', decision: 'deny' }]) }
  assert.throws(() => withAnswers(next, [{ question: 'q_1', decision: 'allow' }]), refused('CONFLICT'))
  assert.throws(() => withAnswers(GENERATION, [{ question: 'q_2', decision: 'allow' }]), refused('REQUEST_MALFORMED', 'body.answers[0].obligations'))
  assert.throws(() => withAnswers(GENERATION, [{ question: 'q_2', decision: 'allow', obligations: ['dance'] }]), refused('REQUEST_MALFORMED', 'body.answers[0].obligations'))
  assert.throws(() => withAnswers(GENERATION, [{ question: 'q_2', decision: 'deny', obligations: ['log'] }]), refused('REQUEST_MALFORMED', 'body.answers[0].obligations'))
  assert.equal(withAnswers(GENERATION, [{ question: 'q_2', decision: 'deny' }]).context.examples[0]?.obligations, undefined)
})

test('where there are as many examples as there may be, an answer says so, and where', () => {
  const examples = Array.from({ length: 100 }, (_, i) => ({ name: `e${i}`, request: asking('q_1').request, entities: [], decision: 'allow' as const }))
  const full = { ...GENERATION, request: { ...BODY, context: { ...BODY.context, examples } } }
  assert.throws(() => withAnswers(full, [{ question: 'q_1', decision: 'deny' }]), (error) => refused('REQUEST_MALFORMED', 'body.answers')(error) && /100 of at most 100, so that some must be left out/.test((error as Failure).message))
  assert.equal(withAnswers({ ...full, request: { ...BODY, context: { ...BODY.context, examples: examples.slice(1) } } }, [{ question: 'q_1', decision: 'deny' }]).context.examples.length, 100)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Failure } from '#core/failure.ts'
import { meets, refuseContradictions } from './example.ts'
import type { Example } from './semantic-unit.ts'

const [u, d] = [{ uid: { type: 'U', id: 'u' }, attrs: {}, parents: [{ type: 'T', id: 'a' }, { type: 'T', id: 'b' }] }, { uid: { type: 'D', id: 'd' }, attrs: { x: 1 }, parents: [] }]
const example = (name: string, change: Partial<Example> = {}): Example => ({ name, request: { principal: 'U::"u"', action: 'Action::"x"', resource: 'D::"d"', context: {} }, entities: [u, d], decision: 'allow', ...change })
const contradict = (...examples: Example[]) => {
  try {
    refuseContradictions(examples, 'context.examples')
    return null
  } catch (error) {
    assert.ok(error instanceof Failure && error.code === 'EXAMPLES_CONTRADICT')
    return error.problems.map(({ place }) => place)
  }
}

test('an example is met by its decision, and by the obligations that it speaks of', () => {
  const decided = { decision: 'allow', obligations: ['log'] } as const
  assert.equal(meets(decided, { decision: 'allow' }), true)
  assert.equal(meets(decided, { decision: 'deny' }), false)
  assert.equal(meets(decided, { decision: 'allow', obligations: { log: true, notify: false } }), true)
  assert.equal(meets(decided, { decision: 'allow', obligations: { notify: true } }), false)
  assert.equal(meets(decided, { decision: 'allow', obligations: { log: false } }), false)
  assert.equal(meets({ decision: 'deny', obligations: [] }, { decision: 'deny', obligations: { log: true } }), true)
})

test('two examples contradict each other when they want different things of one request, however it is written', () => {
  assert.deepEqual(contradict(example('a'), example('b', { decision: 'deny', entities: [d, { ...u, parents: u.parents.toReversed() }] })), ['context.examples[1]'])
  assert.deepEqual(contradict(example('a', { obligations: { log: true } }), example('b', { obligations: { log: false } })), ['context.examples[1]'])
  assert.equal(contradict(example('a', { obligations: { log: true } }), example('b', { obligations: { notify: false } })), null)
  assert.equal(contradict(example('a'), example('b')), null)
  assert.equal(contradict(example('a'), example('b', { decision: 'deny', entities: [u, { ...d, attrs: { x: 2 } }] })), null)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Failure } from '#core/failure.ts'
import { emit, readReply, readValues } from './smtlib.ts'
import { evaluate, Terms, type FunctionSymbol, type World } from './terms.ts'

test('only a script taken without a word and then exactly sat or unsat is an answer', () => {
  assert.deepEqual(readReply({ script: '', verdict: 'unsat\n', rest: '' }), { kind: 'unsat' })
  assert.deepEqual(readReply({ script: '', verdict: 'sat\n', rest: '((a 1))' }), { kind: 'sat', values: '((a 1))' })
  for (const [script, verdict] of [
    ['', '(error "line 1 column 2: unknown constant")\nunsat'],
    ['(error "line 1 column 2: unknown constant")\n', 'unsat'],
    ['', 'unsat\nunsat'], ['', 'unsatisfiable'], ['', ''], ['', 'UNSAT'], ['', 'unknown'], ['warning', 'sat'],
  ] as const) assert.equal(readReply({ script, verdict, rest: '' }).kind, 'unknown', JSON.stringify([script, verdict]))
})

test('why a solver gave no answer is told: its limit, or what it says itself', () => {
  const reason = (rest: string) => { const reply = readReply({ script: '', verdict: 'unknown', rest }); return reply.kind === 'unknown' ? reply.reason : '' }
  assert.match(reason('(:reason-unknown "canceled")'), /^timeout/)
  assert.match(reason('(:reason-unknown "max. resource limit exceeded")'), /^timeout/)
  assert.match(reason('(:reason-unknown "(incomplete (theory arithmetic))")'), /^solver gave up: .*incomplete/)
})

const AGE: FunctionSymbol = { kind: 'value', owner: 'User', path: ['age'], to: '', copy: 0, result: 'int' }

test('a script declares what it uses, names what it uses twice, and keeps literals apart', () => {
  const terms = new Terms()
  const principal = terms.variable('principal', 'entity:User')
  const age = terms.app(AGE, [principal])
  const [a, b] = [terms.literal('entity:User', 'a'), terms.literal('entity:User', 'b')]
  const script = emit([terms.and(terms.le(terms.int(-5n), age), terms.not(terms.eq(principal, a)), terms.not(terms.eq(principal, b)))])
  assert.match(script.text, /^\(declare-sort S0 0\)$/m)
  assert.match(script.text, /\(<= \(- 5\) \(f\d+ f\d+\)\)/)
  assert.match(script.text, /^\(assert \(distinct f\d+ f\d+\)\)$/m)
  assert.equal(script.asked.length, script.values.length)
  assert.deepEqual(new Set(script.asked), new Set([principal, age, a, b]))
})

test('values are read exactly, however large, or not at all', () => {
  const terms = new Terms()
  const principal = terms.variable('principal', 'entity:User')
  const age = terms.app(AGE, [principal])
  const script = emit([terms.le(age, terms.int(3n))])
  assert.deepEqual(script.asked, [principal, age])
  assert.deepEqual([...readValues('((f0 S0!val!0)\n ((f1 f0) (- 9223372036854775808)))', script).values()], ['S0!val!0', -9223372036854775808n])
  for (const reply of ['', '((f0 S0!val!0))', '((f0 S0!val!0) ((f1 f0) 1.0))', '((f0 S0!val!0) ((f1 f0) true))', '((f0 S0!val!0) ((f1 f0) 3)', '(error "no model")']) {
    assert.throws(() => readValues(reply, script), (error) => error instanceof Failure && error.code === 'SOLVER_FAILED', reply)
  }
})

test('folding keeps the meaning: every small formula over two truths and a number', () => {
  const truth = (name: string): FunctionSymbol => ({ kind: 'value', owner: '', path: [name], to: '', copy: 0, result: 'bool' })
  const number: FunctionSymbol = { kind: 'value', owner: '', path: ['n'], to: '', copy: 0, result: 'int' }
  const terms = new Terms()
  const [p, q, n] = [terms.app(truth('p'), []), terms.app(truth('q'), []), terms.app(number, [])]
  type Meaning = (p: boolean, q: boolean, n: bigint) => boolean
  let formulas: readonly (readonly [typeof p, Meaning])[] = [
    [terms.true, () => true], [p, (a) => a], [q, (_, b) => b], [terms.le(n, terms.int(1n)), (_, __, c) => c <= 1n], [terms.eq(n, terms.int(2n)), (_, __, c) => c === 2n],
  ]
  for (let round = 0; round < 2; round++) {
    const some = formulas.filter((_, i) => round === 0 || i % 7 === 0)
    formulas = some.flatMap(([a, x]) => [
      [terms.not(a), (...w) => !x(...w)] as const,
      ...some.flatMap(([b, y]): (readonly [typeof p, Meaning])[] => [
        [terms.and(a, b), (...w) => x(...w) && y(...w)], [terms.or(a, b), (...w) => x(...w) || y(...w)], [terms.eq(a, b), (...w) => x(...w) === y(...w)],
        [terms.ite(p, a, b), (...w) => (w[0] ? x(...w) : y(...w))], [terms.ite(a, b, terms.not(a)), (...w) => (x(...w) ? y(...w) : !x(...w))],
      ]),
    ])
  }
  let checked = 0
  for (const [term, meaning] of formulas) {
    for (const a of [false, true]) for (const b of [false, true]) for (const c of [0n, 2n]) {
      const world: World = { variable: () => '', apply: ({ path }) => (path[0] === 'p' ? a : path[0] === 'q' ? b : c), elements: () => [] }
      assert.equal(evaluate(term, world), meaning(a, b, c))
      checked++
    }
  }
  assert.ok(checked > 5_000)
})

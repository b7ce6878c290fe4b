import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseSchema } from '#adapters/cedar/cedar.ts'
import { createProver } from '#adapters/solver/prover.ts'
import { not } from '#core/policy/expression.ts'
import { renderRules } from '#core/policy/render.ts'
import { randomRules, randomSchemaText, writer } from '#test/random-policy.ts'
import { reworded } from '#core/injection/reword.ts'
import { randomAssertions, worldOfModel } from '#test/random-terms.ts'
import { neverErrors, proveEquivalent, type Engines } from '../questions.ts'
import { pick, seeded } from '../random-world.ts'
import { emit } from '../smtlib.ts'
import { evaluate, postorder, symbolKey, Terms, type Term, type Value } from '../terms.ts'
import { solve } from './cdcl.ts'
import { checkRup } from './check-rup.ts'
import { decideBySat, SAT_LIMITS, type SatAnswer } from './decide.ts'
import { representatives } from './order.ts'
import { reduce } from './reduce.ts'
import type { Cnf, Law } from './cnf.ts'

const SLOW = process.env['ACGS_SLOW'] === '1'
const SEED = Number(process.env['ACGS_SEED'] ?? 1)

/** An answer, with its evidence looked at: a model satisfies every assertion, a proof is one. */
function decided(assertions: readonly Term[]): SatAnswer['kind'] {
  const answer = decideBySat(assertions)
  if (answer.kind === 'sat') confirm(assertions, answer.values)
  if (answer.kind === 'unsat') assert.ok(checkRup(answer.certificate.cnf, answer.certificate.proof), 'the certificate is refused')
  return answer.kind
}

function confirm(assertions: readonly Term[], values: ReadonlyMap<Term, Value>): void {
  assert.deepEqual(new Set(values.keys()), new Set(emit(assertions).asked))
  const world = worldOfModel(values)
  for (const assertion of assertions) assert.equal(evaluate(assertion, world), true)
}

/** Whether assertions can hold together: every value for every free term, from domains in which every model has its like. */
function bruteForce(assertions: readonly Term[], limit: number): boolean | null {
  const all = postorder(assertions)
  const free = all.filter(({ kind }) => kind === 'app' || kind === 'var')
  const fresh = free.map((_, i) => `fresh ${i}`)
  const ints = all.flatMap((term) => (term.kind === 'int' ? [term.value] : []))
  const numbers = new Set([0n, ...ints].flatMap((value) => Array.from({ length: free.length + 1 }, (_, i) => [value - BigInt(i), value + BigInt(i)]).flat()))
  const domain = ({ sort }: Term): readonly Value[] => {
    if (sort === 'bool') return [false, true]
    if (sort === 'int') return [...numbers]
    const same = free.filter((other) => other.sort === sort).length
    return [...all.flatMap((term) => (term.kind === 'literal' && term.sort === sort ? [term.value] : [])), ...fresh.slice(0, same)]
  }
  const domains = free.map(domain)
  if (domains.reduce((product, { length }) => product * length, 1) > limit) return null
  const values = new Map<Term, Value>()
  const denote = (term: Term): Value => {
    switch (term.kind) {
      case 'bool': case 'int': case 'literal': return term.value
      case 'var': case 'app': return values.get(term) as Value
      case 'not': return !denote(term.of)
      case 'and': return term.parts.every(denote)
      case 'or': return term.parts.some(denote)
      case 'ite': return denote(denote(term.condition) ? term.then : term.else)
      case 'eq': return denote(term.left) === denote(term.right)
      case 'le': return denote(term.left) <= denote(term.right)
      default: throw new Error(`a ${term.kind} is not for brute force`)
    }
  }
  const isFunctional = (term: Term): boolean => term.kind !== 'app' || free.every((other) => {
    if (other === term || other.kind !== 'app' || !values.has(other) || symbolKey(other.symbol) !== symbolKey(term.symbol)) return true
    return other.args.some((arg, i) => denote(arg) !== denote(term.args[i] as Term)) || values.get(other) === values.get(term)
  })
  const search = (at: number): boolean => {
    const term = free[at]
    if (term === undefined) return assertions.every(denote)
    for (const value of domains[at] as readonly Value[]) {
      values.set(term, value)
      // Arguments come before what is applied to them.
      if (isFunctional(term) && search(at + 1)) return true
    }
    values.delete(term)
    return false
  }
  return search(0)
}

/** Small random formulas, with what brute force says of them. */
function* small(seed: number, count: number): Iterable<{ readonly assertions: readonly Term[]; readonly isSatisfiable: boolean }> {
  const random = seeded(seed)
  for (let found = 0; found < count;) {
    const dense = pick(random, [null, null, 'int', 'entity:E'] as const)
    const { assertions } = randomAssertions(random, dense !== null
      ? { depth: 1, count: 3 + Math.floor(random() * 6), names: 3, dense }
      : { depth: 2, count: 2 + Math.floor(random() * 3), names: 2 })
    const isSatisfiable = bruteForce(assertions, 20_000)
    if (isSatisfiable === null) continue
    found++
    yield { assertions, isSatisfiable }
  }
}

test('answers as every value for every term does, on small formulas', () => {
  const counts = { seed: SEED, sat: 0, unsat: 0 }
  for (const { assertions, isSatisfiable } of small(SEED, SLOW ? 30_000 : 3_000)) {
    const kind = isSatisfiable ? 'sat' : 'unsat'
    assert.equal(decided(assertions), kind, emit(assertions).text)
    counts[kind]++
  }
  console.log(JSON.stringify(counts))
  assert.ok(counts.unsat > counts.sat / 20, 'too few contradictions to show anything')
})

test('answers as Z3 does, on formulas of every size', async () => {
  await using prover = createProver({ rlimit: 40_000_000, timeoutMs: 20_000 })
  const random = seeded(SEED + 1)
  const counts = { seed: SEED + 1, sat: 0, unsat: 0, inapplicable: 0 }
  for (let round = 0; round < (SLOW ? 400 : 60); round++) {
    const all = Array.from({ length: 50 }, () => randomAssertions(random, random() < 0.3 ? { depth: 1, count: 5 + Math.floor(random() * 60), names: 3 + Math.floor(random() * 9), dense: pick(random, ['int', 'entity:E']) } : {
      depth: 2 + Math.floor(random() * 3), count: 1 + Math.floor(random() * 12), names: 1 + Math.floor(random() * 3), calculates: random() < 0.1 ? 0.2 : 0,
    }).assertions)
    const replies = await prover.engines.solve(all.map((assertions) => emit(assertions)), { rlimit: 40_000_000, timeoutMs: 20_000 })
    all.forEach((assertions, i) => {
      const answer = decided(assertions)
      if (answer === 'inapplicable') {
        assert.ok(postorder(assertions).some(({ kind }) => kind === 'add' || kind === 'sub'))
        counts.inapplicable++
        return
      }
      assert.equal(answer, replies[i]?.kind, emit(assertions).text)
      if (answer !== 'unknown') counts[answer]++
    })
  }
  console.log(JSON.stringify(counts))
  assert.ok(counts.unsat > counts.sat / 20, 'too few contradictions to show anything')
})

test('answers as Z3 does, on what random policies are asked', async () => {
  await using prover = createProver({ rlimit: 40_000_000, timeoutMs: 20_000 })
  const random = seeded(SEED + 4)
  const counts = { seed: SEED + 4, sat: 0, unsat: 0, inapplicable: 0 }
  let asked: (readonly Term[])[] = []
  const engines: Engines = { ...prover.engines, sat: (assertions) => {
    asked.push(assertions)
    return decideBySat(assertions)
  } }
  for (let round = 0; round < (SLOW ? 1_500 : 120); round++) {
    const schema = parseSchema(randomSchemaText(random))
    const environment = pick(random, schema.environments)
    const policy = () => {
      const rules = randomRules(schema, environment, random, { count: 1 + Math.floor(random() * 6), carelessness: 0.2 })
      return { text: renderRules(rules), rules }
    }
    const a = policy()
    // Every rule cut in two, which no folding of terms puts together again.
    const { bool } = writer(schema, environment, random, 0)
    const rewritten = reworded(a.rules, random).flatMap((rule) => {
      const condition = bool(1)
      return [{ ...rule, when: [condition, ...rule.when] }, { ...rule, id: `${rule.id} otherwise`, when: [not(condition), ...rule.when] }]
    })
    const b = random() < 0.3 ? policy() : { text: renderRules(rewritten), rules: rewritten }
    asked = []
    // What is refuted is replayed through Cedar, so that its counterexample is one.
    const proof = await proveEquivalent(a, b, schema, engines)
    assert.notEqual(proof.answer.kind, 'unknown', JSON.stringify(proof))
    await neverErrors(a, schema, engines)
    const replies = await prover.engines.solve(asked.map((assertions) => emit(assertions)), { rlimit: 40_000_000, timeoutMs: 20_000 })
    asked.forEach((assertions, i) => {
      const kind = decided(assertions)
      if (kind === 'unknown') assert.fail('a limit was reached')
      counts[kind]++
      if (kind !== 'inapplicable') assert.equal(kind, replies[i]?.kind, emit(assertions).text)
    })
  }
  console.log(JSON.stringify(counts))
  assert.ok(counts.unsat > 10 && counts.sat > 10)
})

function without(law: Law, { clauses, variables }: Cnf, laws: readonly Law[]): Cnf {
  const kept: number[] = []
  let at = 0
  for (const literal of clauses) {
    if (laws[at] !== law) kept.push(literal)
    if (literal === 0) at++
  }
  return { variables, clauses: Int32Array.from(kept) }
}

for (const law of ['congruence', 'distinct', 'transitive', 'order'] as const) {
  test(`without the clauses of the law “${law}”, contradictions are missed`, () => {
    const random = seeded(SEED + 2)
    let missed = 0
    for (let i = 0; i < 1_000; i++) {
      const { assertions } = randomAssertions(random, i % 2 === 0 ? { depth: 1, count: 20, names: 5, dense: pick(random, ['int', 'entity:E']) } : { depth: 2, count: 6, names: 2 })
      const { cnf, laws } = reduce(assertions, SAT_LIMITS.clauses)
      if (solve(cnf, 1_000).kind === 'unsat' && solve(without(law, cnf, laws), 1_000).kind === 'sat') missed++
    }
    assert.ok(missed > 0)
  })
}

for (const [what, choose] of [
  ['one integer too few in every gap', (bounds, count) => representatives(bounds, count - 1)],
  ['no integer beyond the last bound', (bounds, count) => representatives(bounds, count).slice(0, bounds.length === 0 ? count : -count)],
  ['integers of a gap that lie in the next', (bounds, count) => bounds.flatMap((bound) => Array.from({ length: count }, (_, i) => bound + BigInt(i)))],
] as [string, typeof representatives][]) {
  test(`with ${what}, answers are wrong`, () => {
    let wrong = 0
    for (const { assertions, isSatisfiable } of small(SEED + 3, 2_000)) {
      try {
        const { cnf, values } = reduce(assertions, SAT_LIMITS.clauses, choose)
        const solution = solve(cnf, 1_000)
        assert.equal(solution.kind, isSatisfiable ? 'sat' : 'unsat')
        if (solution.kind === 'sat') confirm(assertions, values(solution.model))
      } catch {
        wrong++
      }
    }
    assert.ok(wrong > 0)
  })
}

test('what it does not reach it says, with the construct', () => {
  const terms = new Terms()
  const [a, b] = [terms.variable('a', 'int'), terms.variable('b', 'int')]
  for (const kind of ['add', 'sub', 'mul'] as const) assert.deepEqual(decideBySat([terms.le(terms[kind](a, b), b)]), { kind: 'inapplicable', reason: `arithmetic (${kind})` })
  assert.deepEqual(decideBySat([terms.le(terms.neg(a), b)]), { kind: 'inapplicable', reason: 'arithmetic (neg)' })
  assert.deepEqual(decideBySat([terms.le(a, b), terms.le(b, terms.int(3n))], { clauses: 3, conflicts: 10 }), { kind: 'inapplicable', reason: 'more than 3 clauses' })
  assert.throws(() => decideBySat([terms.exists('string', terms.eq(terms.bound('string'), terms.literal('string', 'x')))]), /ground it first/)
})

test('integers are exact beyond every machine’s, and a gap holds no more than it has', () => {
  const terms = new Terms()
  const [a, b, c] = ['a', 'b', 'c'].map((name) => terms.variable(name, 'int')) as [Term, Term, Term]
  const far = 2n ** 70n
  const between = (low: bigint, high: bigint) => [a, b, c].flatMap((each) => [terms.lt(terms.int(low), each), terms.lt(each, terms.int(high))])
  const rising = [terms.lt(a, b), terms.lt(b, c)]
  assert.equal(decided([...between(far, far + 4n), ...rising]), 'sat')
  assert.equal(decided([...between(far, far + 3n), ...rising]), 'unsat')
  const answer = decideBySat([...between(far, far + 4n), ...rising])
  assert.deepEqual(answer.kind === 'sat' && [a, b, c].map((each) => answer.values.get(each)), [far + 1n, far + 2n, far + 3n])
})

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { seeded, type Random } from '../random-world.ts'
import { solve } from './cdcl.ts'
import { checkRup } from './check-rup.ts'
import type { Cnf } from './cnf.ts'

const SLOW = process.env['ACGS_SLOW'] === '1'
const SEED = Number(process.env['ACGS_SEED'] ?? 1)

type Clause = readonly number[]

function cnfOf(variables: number, clauses: readonly Clause[]): Cnf {
  return { variables, clauses: Int32Array.from(clauses.flatMap((clause) => [...clause, 0])) }
}

function clausesOf(flat: Int32Array): Clause[] {
  const all: number[][] = [[]]
  for (const literal of flat) literal === 0 ? all.push([]) : all.at(-1)?.push(literal)
  return all.slice(0, -1)
}

function randomClauses(random: Random, variables: number, count: number, length: () => number): readonly Clause[] {
  return Array.from({ length: count }, () => {
    const chosen = new Set<number>()
    for (const wanted = Math.min(length(), variables); chosen.size < wanted;) chosen.add(1 + Math.floor(random() * variables))
    return [...chosen].map((variable) => (random() < 0.5 ? variable : -variable))
  })
}

function holds(clauses: readonly Clause[], isTrue: (variable: number) => boolean): boolean {
  return clauses.every((clause) => clause.some((literal) => isTrue(Math.abs(literal)) === literal > 0))
}

/** Solves, and looks at the evidence. */
function decided(variables: number, clauses: readonly Clause[], conflicts = 100_000): string {
  const cnf = cnfOf(variables, clauses)
  const solution = solve(cnf, conflicts)
  if (solution.kind === 'sat') assert.ok(holds(clauses, (variable) => solution.model[variable] === 1), 'the model does not satisfy the clauses')
  if (solution.kind === 'unsat') assert.ok(checkRup(cnf, solution.proof), 'the proof is refused')
  return solution.kind
}

/** One pigeon more than holes. */
function pigeons(holes: number): { readonly variables: number; readonly clauses: readonly Clause[] } {
  const at = (pigeon: number, hole: number) => pigeon * holes + hole + 1
  const all = Array.from({ length: holes }, (_, hole) => hole)
  const birds = [...all, holes]
  const some = birds.map((pigeon) => all.map((hole) => at(pigeon, hole)))
  const alone = all.flatMap((hole) => birds.flatMap((a) => birds.filter((b) => b > a).map((b) => [-at(a, hole), -at(b, hole)])))
  return { variables: holes * (holes + 1), clauses: [...some, ...alone] }
}

test('decides random clauses as trying every assignment does', () => {
  const random = seeded(SEED)
  const counts = { seed: SEED, sat: 0, unsat: 0 }
  for (let i = 0; i < (SLOW ? 50_000 : 5_000); i++) {
    const variables = 1 + Math.floor(random() * 9)
    const clauses = randomClauses(random, variables, Math.floor(random() * 40), () => Math.floor(0.98 + random() * 4))
    let isSatisfiable = false
    for (let bits = 0; bits < 2 ** variables && !isSatisfiable; bits++) isSatisfiable = holds(clauses, (variable) => ((bits >> (variable - 1)) & 1) === 1)
    const kind = decided(variables, clauses)
    assert.equal(kind, isSatisfiable ? 'sat' : 'unsat', JSON.stringify({ variables, clauses }))
    counts[isSatisfiable ? 'sat' : 'unsat']++
  }
  console.log(JSON.stringify(counts))
  assert.ok(counts.sat > 500 && counts.unsat > 500)
})

test('decides three literals a clause near the threshold, and pigeonholes', () => {
  const random = seeded(SEED)
  const counts = { seed: SEED, sat: 0, unsat: 0 }
  const started = performance.now()
  for (let i = 0; i < 30; i++) {
    const kind = decided(100, randomClauses(random, 100, 426, () => 3))
    assert.notEqual(kind, 'unknown')
    counts[kind === 'sat' ? 'sat' : 'unsat']++
  }
  for (const holes of [2, 3, 4, 5, 6]) {
    const { variables, clauses } = pigeons(holes)
    assert.equal(decided(variables, clauses), 'unsat')
    assert.equal(decided(variables, clauses.slice(1)), 'sat')
  }
  console.log(JSON.stringify({ ...counts, ms: Math.round(performance.now() - started) }))
  assert.ok(counts.sat > 3 && counts.unsat > 3)
})

test('answers the same clauses alike, and gives up after so many conflicts', () => {
  const { variables, clauses } = pigeons(6)
  const cnf = cnfOf(variables, clauses)
  assert.deepEqual(solve(cnf, 100_000), solve(cnf, 100_000))
  assert.deepEqual(solve(cnf, 10), { kind: 'unknown' })
})

test('a proof is refused once its clauses, or what it is a proof of, are others', () => {
  const random = seeded(SEED)
  const refused = { withoutClause: 0, withoutLemma: 0, flipped: 0, cut: 0 }
  for (let i = 0; i < 60; i++) {
    const clauses = randomClauses(random, 12, 60, () => 3)
    const cnf = cnfOf(12, clauses)
    const solution = solve(cnf, 100_000)
    if (solution.kind !== 'unsat') continue
    const lemmas = clausesOf(solution.proof)
    const at = Math.floor(random() * clauses.length)
    const isStill = (mutated: readonly Clause[], proof: readonly Clause[]) => checkRup(cnfOf(12, mutated), cnfOf(12, proof).clauses)
    // What remains may still be contradictory, and then a proof may still be one; never where an assignment satisfies it.
    const soundly = (mutated: readonly Clause[], proof: readonly Clause[]): boolean => {
      const accepted = isStill(mutated, proof)
      if (accepted) assert.equal(solve(cnfOf(12, mutated), 100_000).kind, 'unsat', 'a proof of what is not so was accepted')
      return accepted
    }
    if (!soundly(clauses.filter((_, k) => k !== at), lemmas)) refused.withoutClause++
    if (!soundly(clauses.map((clause, k) => (k === at ? clause.map((literal, j) => (j === 0 ? -literal : literal)) : clause)), lemmas)) refused.flipped++
    if (!soundly(clauses, lemmas.slice(1))) refused.withoutLemma++
    if (!soundly(clauses, [])) refused.cut++
  }
  console.log(JSON.stringify({ seed: SEED, refused }))
  for (const [how, count] of Object.entries(refused)) assert.ok(count > 0, how)
})

test('every clause of a small core is needed', () => {
  const core = [[1, 2], [1, -2], [-1, 2], [-1, -2]]
  const proof = Int32Array.of(1, 0, 0)
  assert.ok(checkRup(cnfOf(2, core), proof))
  core.forEach((_, i) => {
    assert.ok(!checkRup(cnfOf(2, core.filter((_, k) => k !== i)), proof))
    assert.ok(!checkRup(cnfOf(2, core.map((clause, k) => (k === i ? [-(clause[0] as number), clause[1] as number] : clause))), proof))
  })
  assert.ok(!checkRup(cnfOf(2, core), Int32Array.of()))
  assert.ok(!checkRup(cnfOf(2, core), Int32Array.of(0)), 'the empty clause does not follow by unit propagation alone')
  assert.ok(checkRup(cnfOf(1, [[1], [-1]]), Int32Array.of(0)))
  assert.ok(checkRup(cnfOf(1, [[]]), Int32Array.of(0)))
})

test('no clause is believed because of its length: of clauses that hold together nothing is a proof', () => {
  const proof = Int32Array.from([1, -2, 0, -1, 2, 0, -1, -2, 0, 1, 0, 0])
  assert.ok(!checkRup(cnfOf(2, [[1, 2]]), proof))
  const random = seeded(11)
  for (let i = 0; i < 500; i++) {
    const lemmas = Array.from({ length: 1 + Math.floor(random() * 6) }, () => Array.from({ length: 1 + Math.floor(random() * 3) }, () => (1 + Math.floor(random() * 3)) * (random() < 0.5 ? -1 : 1)))
    assert.ok(!checkRup(cnfOf(3, [[1, 2, 3], [-1, 2, 3]]), cnfOf(3, [...lemmas, []]).clauses))
  }
})

test('what is malformed is no proof', () => {
  const contradiction = cnfOf(1, [[1], [-1]])
  assert.ok(checkRup(contradiction, Int32Array.of(0)))
  assert.ok(!checkRup(contradiction, Int32Array.of(1)), 'a clause without its end')
  assert.ok(!checkRup(contradiction, Int32Array.of(2, 0)), 'an unknown variable')
  assert.ok(!checkRup({ variables: 1, clauses: Int32Array.of(1, 0, -1) }, Int32Array.of(0)), 'clauses without their end')
  assert.ok(!checkRup(cnfOf(1, [[1]]), Int32Array.of(0)))
  assert.ok(!checkRup(cnfOf(1, []), Int32Array.of(0)))
})

test('the checker is a page, and nothing of the solver’s runs in it', () => {
  const text = readFileSync(new URL('./check-rup.ts', import.meta.url), 'utf8')
  assert.deepEqual(text.match(/^import .*$/gm), ["import type { Cnf } from './cnf.ts'"])
  assert.ok(text.split('\n').length <= 100)
})

import { parseUid } from '#adapters/cedar/cedar.ts'
import { createProver } from '#adapters/solver/prover.ts'
import { readContext, readEntities } from '#core/decision/entity-graph.ts'
import { Evaluator } from '#core/decision/evaluator.ts'
import { EntityValue } from '#core/decision/value.ts'
import type { PolicySet } from '#core/policy/policy.ts'
import type { Counterexample, Proof } from '#core/proof/proof.ts'
import { LIMITS, proveArticles, proveEquivalent, type Engines, type Options } from '#core/proof/questions.ts'
import { checkRup } from '#core/proof/sat/check-rup.ts'
import { decideBySat, type Certificate } from '#core/proof/sat/decide.ts'
import { bound, mutantOf, policyOf, rewordedOf, schema } from './governance.ts'
import { summarize, type Result } from './measure.ts'

const SIZES = [1, 10, 50, 200, 1_000]

/**
 * Whole questions, every environment of the schema of `data-protection`, warm: whether a policy obeys the constitution that ships,
 * whether two are equivalent. Each by Z3 alone (the baseline) and by both engines, which must agree; and the part of it in which no
 * engine is asked. Every sample is another policy.
 */
export async function run(): Promise<readonly Result[]> {
  await using prover = createProver(LIMITS)
  await prover.warm()
  const { second: _, ...alone } = prover.engines
  let certificates: Certificate[] = []
  const both: Engines = { ...alone, second: (assertions) => {
    const answer = decideBySat(assertions)
    if (answer.kind === 'unsat') certificates.push(answer.certificate)
    return answer
  } }
  const none: Engines = { ...alone, second: () => ({ kind: 'unsat', certificate: { cnf: { variables: 0, clauses: Int32Array.of(0) }, proof: Int32Array.of(0) } }) }
  const results: Result[] = []
  const cost = new Map<string, [size: number, ms: number][]>()
  for (const rules of SIZES) {
    const runs = rules >= 1_000 ? 7 : rules >= 200 ? 20 : 40
    const policies = Array.from({ length: runs }, (_, seed) => policyOf(rules, seed))
    const questions: { readonly [name: string]: (policy: PolicySet, seed: number, engines: Engines, options: Options) => Promise<readonly Proof[]> } = {
      'constitution': (policy, _, engines, options) => proveArticles(policy, schema, bound, engines, options),
      'equivalent': async (policy, seed, engines, options) => [await proveEquivalent(policy, reworded(policy, seed), schema, engines, options)],
      'not equivalent': async (policy, seed, engines, options) => [await proveEquivalent(policy, mutant(policy, seed), schema, engines, options)],
    }
    const reworded = remembered(rewordedOf)
    const mutant = remembered(mutantOf)
    for (const [name, ask] of Object.entries(questions)) {
      const checks: number[] = []
      const measure = async (engines: Engines, warmup: number): Promise<readonly number[]> => {
        const samples: number[] = []
        for (let i = 0; i < warmup + runs; i++) {
          const policy = policies[i % runs] as PolicySet
          certificates = []
          const started = performance.now()
          const proofs = await ask(policy, i % runs, engines, { agreement: engines === none ? 'either' : 'both' })
          if (i >= warmup) samples.push(performance.now() - started)
          if (engines !== none) check(name, proofs)
          if (engines !== both) continue
          const restarted = performance.now()
          if (!certificates.every(({ cnf, proof }) => checkRup(cnf, proof))) throw new Error('a certificate is refused')
          if (i >= warmup) checks.push(performance.now() - restarted)
        }
        return samples
      }
      const warmup = rules >= 1_000 ? 2 : runs
      const z3 = summarize(`${rules} rules, ${name}, Z3`, 'ms', await measure(alone, warmup))
      const sat = summarize(`${rules} rules, ${name}, both`, 'ms', await measure(both, warmup), z3)
      results.push(z3, sat, summarize(`${rules} rules, ${name}, its certificates checked again`, 'ms', checks))
      results.push(summarize(`${rules} rules, ${name}, encoding alone`, 'ms', await measure(none, warmup)))
      for (const [engine, { p50 }] of [['Z3', z3], ['both', sat]] as const) {
        cost.set(`${name}, ${engine}`, [...(cost.get(`${name}, ${engine}`) ?? []), [rules * schema.environments.length, p50]])
      }
    }
  }
  results.push(await clustering(both))
  for (const [name, points] of cost) results.push(summarize(`${name}: exponent of the cost in rules × environments, from 10 rules`, 'exponent', [exponent(points.slice(1))]))
  return results
}

const CANDIDATES = 16
const MEANINGS = 4

/** How long it takes to find which of sixteen candidates of thirty rules mean the same; warm, every sample others. */
async function clustering(engines: Engines): Promise<Result> {
  const runs = 20
  const samples: number[] = []
  for (let i = 0; i < 2 * runs; i++) {
    const policy = policyOf(30, i % runs)
    const meant = [policy, ...Array.from({ length: MEANINGS - 1 }, (_, k) => mutantOf(policy, k))]
    const candidates = Array.from({ length: CANDIDATES }, (_, k) => (k < MEANINGS ? meant[k] as PolicySet : rewordedOf(meant[k % MEANINGS] as PolicySet, k)))
    const started = performance.now()
    const classes = await classesOf(candidates, engines)
    if (i >= runs) samples.push(performance.now() - started)
    if (candidates.some((_, k) => k >= MEANINGS && classes[k] !== classes[k % MEANINGS])) throw new Error('what says the same is told apart')
  }
  return summarize(`${CANDIDATES} candidates of 30 rules: which mean the same`, 'ms', samples)
}

/** For each candidate, the first that means the same. A request that has told two apart is put to the others before anybody is asked to prove anything. */
async function classesOf(candidates: readonly PolicySet[], engines: Engines): Promise<readonly number[]> {
  const evaluators = candidates.map(({ rules }) => new Evaluator(rules))
  const scenes: ((of: number) => string)[] = []
  const classes: number[] = []
  for (const [i, candidate] of candidates.entries()) {
    let found = i
    for (const first of new Set(classes)) {
      if (scenes.some((answer) => answer(first) !== answer(i))) continue
      const { answer } = await proveEquivalent(candidates[first] as PolicySet, candidate, schema, engines)
      if (answer.kind === 'unknown') throw new Error(answer.reason)
      if (answer.kind === 'proved') {
        found = first
        break
      }
      scenes.push(answersTo(answer.counterexample, evaluators))
    }
    classes.push(found)
  }
  return classes
}

function answersTo({ principal, action, resource, context, entities }: Counterexample, evaluators: readonly Evaluator[]): (of: number) => string {
  const uid = (text: string, place: string) => {
    const { type, id } = parseUid(text, place)
    return new EntityValue(type, id)
  }
  const request = { principal: uid(principal, 'principal'), action: uid(action, 'action'), resource: uid(resource, 'resource'), context: readContext(context, schema, parseUid(action, 'action')) }
  const graph = readEntities(entities, schema)
  const known = new Map<number, string>()
  return (of) => {
    const said = known.get(of) ?? JSON.stringify([evaluators[of]?.decide(request, graph)].map((decision) => [decision?.decision, decision?.obligations]))
    known.set(of, said)
    return said
  }
}

/** A figure of wrong answers would be no figure. */
function check(name: string, proofs: readonly Proof[]): void {
  const wanted = { 'constitution': ['proved', 'refuted'], 'equivalent': ['proved'], 'not equivalent': ['refuted', 'proved'] }[name] ?? []
  for (const { question, answer } of proofs) {
    if (!wanted.includes(answer.kind)) throw new Error(`${question} is ${answer.kind}${answer.kind === 'unknown' ? `: ${answer.reason}` : ''}`)
  }
}

function remembered(make: (policy: PolicySet, seed: number) => PolicySet): (policy: PolicySet, seed: number) => PolicySet {
  const made = new Map<PolicySet, PolicySet>()
  return (policy, seed) => {
    const found = made.get(policy) ?? make(policy, seed)
    made.set(policy, found)
    return found
  }
}

/** The slope of the line through the logarithms. */
function exponent(points: readonly (readonly [size: number, ms: number])[]): number {
  const logs = points.map(([size, ms]) => [Math.log(size), Math.log(ms)] as const)
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  const [x, y] = [mean(logs.map(([size]) => size)), mean(logs.map(([, ms]) => ms))]
  return logs.reduce((sum, [size, ms]) => sum + (size - x) * (ms - y), 0) / logs.reduce((sum, [size]) => sum + (size - x) ** 2, 0)
}

import { createProver } from '#adapters/solver/prover.ts'
import type { PolicySet } from '#core/policy/policy.ts'
import type { Proof } from '#core/proof/proof.ts'
import { LIMITS, proveArticles, proveEquivalent, type Engines, type Options } from '#core/proof/questions.ts'
import { checkRup } from '#core/proof/sat/check-rup.ts'
import { decideBySat, type Certificate } from '#core/proof/sat/decide.ts'
import { classesOf } from '#core/syndrome/majority.ts'
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
  const { sat: _, ...alone } = prover.engines
  let certificates: Certificate[] = []
  const both: Engines = { ...alone, sat: (assertions) => {
    const answer = decideBySat(assertions)
    if (answer.kind === 'unsat') certificates.push(answer.certificate)
    return answer
  } }
  const none: Engines = { ...alone, sat: () => ({ kind: 'unsat', certificate: { cnf: { variables: 0, clauses: Int32Array.of(0) }, proof: Int32Array.of(0) } }) }
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
  results.push(await clustering(prover))
  for (const [name, points] of cost) results.push(summarize(`${name}: exponent of the cost in rules × environments, from 10 rules`, 'exponent', [exponent(points.slice(1))]))
  return results
}

const CANDIDATES = 16
const MEANINGS = 4

/** How long it takes to find which of sixteen candidates of thirty rules mean the same; warm, every sample others. */
async function clustering(prover: Parameters<typeof classesOf>[2]): Promise<Result> {
  const runs = 20
  const samples: number[] = []
  for (let i = 0; i < 2 * runs; i++) {
    const policy = policyOf(30, i % runs)
    const meant = [policy, ...Array.from({ length: MEANINGS - 1 }, (_, k) => mutantOf(policy, k))]
    const candidates = Array.from({ length: CANDIDATES }, (_, k) => (k < MEANINGS ? meant[k] as PolicySet : rewordedOf(meant[k % MEANINGS] as PolicySet, k)))
    const started = performance.now()
    const told = await classesOf(candidates, schema, prover)
    if (i >= runs) samples.push(performance.now() - started)
    if (told.kind === 'untold') throw new Error(told.because)
    const classOf = (k: number) => told.classes.findIndex((members) => members.includes(k))
    if (candidates.some((_, k) => k >= MEANINGS && classOf(k) !== classOf(k % MEANINGS))) throw new Error('what says the same is told apart')
  }
  return summarize(`${CANDIDATES} candidates of 30 rules: which mean the same`, 'ms', samples)
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

import { authorize, CEDAR_VERSION, parseUid } from '#adapters/cedar/cedar.ts'
import type { Prover as Asked } from '#adapters/examiner.ts'
import { evaluatorOf } from '#core/decision/answer.ts'
import type { Decision } from '#core/decision/decide.ts'
import { readContext, readEntities } from '#core/decision/entity-graph.ts'
import { EntityValue } from '#core/decision/value.ts'
import type { PolicySet } from '#core/policy/policy.ts'
import type { Schema } from '#core/policy/schema.ts'
import type { Counterexample, Limits, Proof } from '#core/proof/proof.ts'
import { alwaysAllows, alwaysDenies, disjoint, implies, neverErrors, proveArticles, proveEquivalent, type Engines, type Options } from '#core/proof/questions.ts'
import { diff, type Difference, type DiffOptions } from '#core/proof/diff.ts'
import { lint, type RuleFindings } from '#core/proof/lint.ts'
import { proveMajority, type Halves, type Voter } from '#core/proof/majority.ts'
import { decideBySat, SAT_ENGINE } from '#core/proof/sat/decide.ts'
import { decidedByPart, splits } from '#core/proof/splits.ts'
import { turn } from '../turn.ts'
import { startSolver, Z3, type PoolState } from './pool.ts'

/** The questions of `core/proof`, asked of a Z3 in a thread of its own; counterexamples are replayed through Cedar's own engine. */
export type Prover = Asked & AsyncDisposable & {
  readonly engine: { readonly name: string; readonly version: string }
  readonly warm: () => Promise<void>
  /** How its pool of solvers stands. */
  readonly pool: () => PoolState
  readonly compare: { readonly [question in 'equivalent' | 'implies' | 'disjoint']: (a: PolicySet, b: PolicySet, schema: Schema, options?: Options) => Promise<Proof> }
  readonly about: { readonly [question in 'always-denies' | 'always-allows' | 'never-errors']: (policy: PolicySet, schema: Schema, options?: Options) => Promise<Proof> }
  readonly lint: (policy: PolicySet, schema: Schema, options?: Options) => Promise<readonly RuleFindings[]>
  readonly diff: (before: PolicySet, after: PolicySet, schema: Schema, options?: DiffOptions) => Promise<Difference>
  readonly articles: (policy: PolicySet, schema: Schema, bound: Parameters<typeof proveArticles>[2], options?: Options) => Promise<readonly Proof[]>
  /** What the decision point decides on a counterexample. */
  readonly decidedOn: (counterexample: Counterexample, schema: Schema) => (policy: PolicySet) => Decision
  readonly isMajority: (policy: PolicySet, voters: readonly Voter[], schema: Schema, halves?: Halves) => Promise<Proof>
  readonly engines: Engines
  /** Whether the solver tells a contradiction from what can be: for its health. */
  readonly probe: () => Promise<{ readonly status: 'healthy' } | { readonly status: 'unhealthy'; readonly detail: string }>
}

/** @param answered Told of every question that was answered, with its time in seconds. */
export function createProver({ rlimit, timeoutMs, solvers = 1, answered = () => {}, disagreed = shout, onScript }: Limits & {
  /** So many threads at most. */
  solvers?: number
  answered?: (proof: Proof, seconds: number) => void
  /** As `Engines.onScript`. */
  onScript?: Engines['onScript']
  /** Two engines disagree: a bug of ours, which must not stay unseen. */
  disagreed?: (report: Parameters<NonNullable<Engines['onDisagreement']>>[0]) => void
}): Prover {
  const solver = startSolver({ size: solvers })
  const limits = { rlimit, timeoutMs }
  const engines: Engines = {
    solve: solver.solve,
    replay: ({ policies, schema, request, entities }) => authorize({ policies, schema, request, entities }),
    sat: (assertions) => decideBySat(assertions),
    versions: [Z3, SAT_ENGINE, { name: 'cedar', version: CEDAR_VERSION }],
    onDisagreement: disagreed,
    turn,
    ...(onScript === undefined ? {} : { onScript }),
  }
  const timed = async <T extends Proof | readonly Proof[]>(work: Promise<T>): Promise<T> => {
    const started = performance.now()
    const result = await work
    const seconds = (performance.now() - started) / 1000
    const proofs = [result].flat() as Proof[]
    for (const proof of proofs) answered(proof, seconds / proofs.length)
    return result
  }
  const limited = (options: Options = {}): Options => ({ limits, ...options })
  const articles: Prover['articles'] = (policy, schema, bound, options) => timed(proveArticles(policy, schema, bound, engines, limited(options)))
  return {
    engine: Z3,
    engines,
    warm: solver.warm,
    pool: solver.state,
    articles,
    lint: (policy, schema, options) => lint(policy, schema, engines, limited(options)),
    diff: (before, after, schema, options) => diff(before, after, schema, engines, { ...options, ...limited(options) }),
    proveArticles: (policy, schema, bound) => articles(policy, schema, bound),
    sameMeaning: (a, b, schema) => timed(proveEquivalent(a, b, schema, engines, limited())),
    decidedOn,
    splits: (policies, least, schema) => splits(policies, least, schema, engines, limited()),
    decidedByPart: (whole, without, schema) => decidedByPart(whole, without, schema, engines, limited()),
    isMajority: (policy, voters, schema, halves = 'deny') => timed(proveMajority(policy, voters, schema, engines, { ...limited(), halves })),
    neverErrors: (policy, schema) => timed(neverErrors(policy, schema, engines, limited())),
    compare: {
      equivalent: (a, b, schema, options) => timed(proveEquivalent(a, b, schema, engines, limited(options))),
      implies: (a, b, schema, options) => timed(implies(a, b, schema, engines, limited(options))),
      disjoint: (a, b, schema, options) => timed(disjoint(a, b, schema, engines, limited(options))),
    },
    about: {
      'always-denies': (policy, schema, options) => timed(alwaysDenies(policy, schema, engines, limited(options))),
      'always-allows': (policy, schema, options) => timed(alwaysAllows(policy, schema, engines, limited(options))),
      'never-errors': (policy, schema, options) => timed(neverErrors(policy, schema, engines, limited(options))),
    },
    probe: async () => {
      const replies = await solver.solve([{ text: '(assert false)', values: [] }, { text: '(assert true)', values: [] }], { rlimit: 10_000, timeoutMs: 1_500 })
      const kinds = replies.map(({ kind }) => kind).join(' ')
      return kinds === 'unsat sat' ? { status: 'healthy' } : { status: 'unhealthy', detail: `answers ${kinds} where unsat sat is right` }
    },
    [Symbol.asyncDispose]: () => solver[Symbol.asyncDispose]() as Promise<void>,
  }
}

function decidedOn({ principal, action, resource, context, entities }: Counterexample, schema: Schema): (policy: PolicySet) => Decision {
  const uid = (text: string, place: string) => {
    const { type, id } = parseUid(text, place)
    return new EntityValue(type, id)
  }
  const asked = uid(action, 'action')
  const request = { principal: uid(principal, 'principal'), action: asked, resource: uid(resource, 'resource'), context: readContext(context, schema, asked) }
  const graph = readEntities(entities, schema)
  return (policy) => evaluatorOf(policy).decide(request, graph)
}

function shout(report: Parameters<NonNullable<Engines['onDisagreement']>>[0]): void {
  process.stderr.write(`acgs: engines of the prover disagree on ${report.question}, please report this: ${JSON.stringify(report)}\n`)
}

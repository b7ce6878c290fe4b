import { digest } from '#core/canonical.ts'
import type { BoundArticle } from '#core/constitution/article.ts'
import { Failure } from '#core/failure.ts'
import type { Expression, Uid } from '#core/policy/expression.ts'
import { obligations as obligationsOf, type PolicySet, type Rule } from '#core/policy/policy.ts'
import { renderRules } from '#core/policy/render.ts'
import type { Environment, Schema } from '#core/policy/schema.ts'
import type { CedarEntity, CedarRequest } from '#core/unit/semantic-unit.ts'
import { concretize, literalsOf, toCounterexample, type Picture } from './counterexample.ts'
import { encodePolicy, placeIn, scopeOf, type EncodedPolicy, type Place, type Semantics } from './encode.ts'
import { forCedar } from './exact.ts'
import { ground, simplify } from './ground.ts'
import type { Answer, Basis, Counterexample, Limits, Proof } from './proof.ts'
import { checkRup } from './sat/check-rup.ts'
import { shrink } from './shrink.ts'
import { markOf, type CertificateMark, type SatAnswer } from './sat/decide.ts'
import { emit, readValues, type Ask, type Reply, type Script } from './smtlib.ts'
import { evaluate, Terms, type Term, type Value } from './terms.ts'
import { worldOf } from './world.ts'

/** Asks a solver: one reply for each script, in order, each under the limits for itself. */
export type Solve = (asks: readonly Ask[], limits: Limits) => Promise<readonly Reply[]>

/** Cedar's own decision, in which an erring rule is skipped and listed. Throws when request or entities do not fit the schema. */
export type Replay = (question: { policies: PolicySet; schema: Schema; request: CedarRequest; entities: readonly CedarEntity[] }) => {
  readonly decision: 'allow' | 'deny'
  readonly determining: readonly string[]
  readonly errors: readonly { readonly rule: string }[]
}

/** What the prover asks of the world. */
export type Engines = {
  readonly solve: Solve
  readonly replay: Replay
  /**
   * Another engine over the same terms, asked first. A model of it needs no solver, since Cedar judges the counterexample. What it contradicts is
   * proved only when its certificate is checked and the solver says so too, unless `agreement` says that either suffices.
   */
  readonly second?: (assertions: readonly Term[]) => SatAnswer
  /** Names and versions of the solver and of Cedar, for the record. */
  readonly versions: readonly { readonly name: string; readonly version: string }[]
  /** Told of every question as a script, before anybody is asked; of one that folded to a contradiction, that. */
  readonly onScript?: (asked: { readonly question: string; readonly environment: Environment; readonly text: string }) => void
  /** Told when solver and Cedar disagree, which is a bug of ours and never an answer. */
  readonly onDisagreement?: (report: Disagreement) => void
}

export type Disagreement = {
  readonly question: string
  readonly environment: Environment
  readonly what: string
  readonly counterexample: Counterexample
}

export type Options = {
  /** The decision point's by default. */
  readonly semantics?: Semantics
  /** Only environments with this principal type, action (uid text) or resource type. */
  readonly only?: { readonly principal?: string; readonly action?: string; readonly resource?: string }
  readonly limits?: Limits
  /** `both` by default: where both engines can decide, both must. `either`: for what is only looked at, and decides nothing. */
  readonly agreement?: 'both' | 'either'
}

export const LIMITS: Limits = { rlimit: 12_000_000, timeoutMs: 5_000 }

/** One question over several environments; in each, a claim that fails exactly where its goal can hold. */
export type Question = {
  readonly name: string
  readonly inputs: unknown
  readonly environments: readonly Environment[]
  readonly rules: readonly Rule[]
  /** @throws {Failure} `UNSUPPORTED_CONSTRUCT` */
  readonly claim: (environment: Environment) => Claim
}

export type Claim = {
  readonly goal: Term
  /** Expressions beside the policy's that name entities. */
  readonly mentions: readonly Expression[]
  /** Whether the claim fails on a counterexample, by Cedar's own decisions. */
  readonly fails: (counterexample: Counterexample, look: Look) => boolean
}

export type Concern = BoundArticle['environments'][number]
export type Scene = CedarRequest & { readonly entities: readonly CedarEntity[] }
export type Decided = { readonly isAllowed: boolean; readonly errs: boolean; readonly obligations: readonly string[] }
export type Look = {
  readonly decided: (policy: PolicySet, scene: Scene) => Decided
  readonly concerned: (concern: Concern, scene: Scene) => boolean
  /** Which permits of a policy without forbids are satisfied, and which fail. */
  readonly permits: (policy: PolicySet, scene: Scene) => { readonly satisfied: readonly string[]; readonly erring: readonly string[] }
}

/** What the questions of one call share: one graph of terms for each environment, in which each policy is encoded once. */
export class Study {
  readonly schema: Schema
  readonly semantics: Semantics
  readonly limits: Limits
  readonly agreement: NonNullable<Options['agreement']>
  readonly #only: NonNullable<Options['only']>
  readonly #places = new Map<string, Place>()
  readonly #rules = new Map<readonly Rule[], Map<string, readonly Rule[]>>()
  readonly #policies = new Map<string, Map<PolicySet, EncodedPolicy | Failure>>()

  constructor(schema: Schema, { semantics = 'decision-point', only = {}, limits = LIMITS, agreement = 'both' }: Options) {
    this.schema = schema
    this.semantics = semantics
    this.limits = limits
    this.agreement = agreement
    this.#only = only
  }

  get options() {
    return { semantics: this.semantics, only: this.#only, limits: this.limits, agreement: this.agreement }
  }

  select(environments: readonly Environment[]): readonly Environment[] {
    const wanted = Object.entries(this.#only) as [keyof Environment, string][]
    return environments.filter((each) => wanted.every(([part, value]) => each[part] === value))
  }

  place(environment: Environment): Place {
    const key = environmentKey(environment)
    const known = this.#places.get(key) ?? placeIn(new Terms(), this.schema, environment)
    this.#places.set(key, known)
    return known
  }

  policy(environment: Environment, policy: PolicySet): EncodedPolicy {
    const key = environmentKey(environment)
    const here = this.#policies.get(key) ?? new Map<PolicySet, EncodedPolicy | Failure>()
    this.#policies.set(key, here)
    const known = here.get(policy) ?? this.#encode(environment, policy)
    here.set(policy, known)
    if (known instanceof Failure) throw known
    return known
  }

  /** The entities that must be there: those that articles name, and rules, except rules that do not look at requests of the environment. */
  literals(environment: Environment, rules: readonly Rule[], mentions: readonly Expression[]): readonly Uid[] {
    const here = this.#rules.get(rules) ?? new Map<string, readonly Rule[]>()
    this.#rules.set(rules, here)
    const key = environmentKey(environment)
    const place = this.place(environment)
    const looking = here.get(key) ?? rules.filter((rule) => scopeOf(place, rule) !== place.terms.false)
    here.set(key, looking)
    return literalsOf(looking, mentions, this.schema)
  }

  #encode(environment: Environment, policy: PolicySet): EncodedPolicy | Failure {
    try {
      return encodePolicy(this.place(environment), policy.rules, this.semantics)
    } catch (error) {
      if (error instanceof Failure) return error
      throw error
    }
  }
}

export function environmentKey({ principal, action, resource }: Environment): string {
  return `${principal}|${action}|${resource}`
}

// ---- From claims to proofs ----

type Model = ReadonlyMap<Term, Value>

/** What shows that a claim holds: nothing but folding, a certificate, or the solver's word. */
type Shown = 'folded' | 'solver' | CertificateMark
type Settled = { readonly answer: Answer; /** Null unless it is proved. */ readonly by: Shown | null }

/** A claim that folding has not settled: it goes to the solver, unless there is a model already. */
type Open = {
  readonly question: Question
  readonly environment: Environment
  readonly claim: Claim
  readonly goal: Term
} & ({ readonly script: Script; /** That the other engine contradicts it. */ readonly certificate: CertificateMark | null } | { readonly model: Model })

export async function settle(study: Study, questions: readonly Question[], engines: Engines): Promise<readonly Proof[]> {
  const prepared = questions.map((question) => question.environments.map((environment) => prepare(study, question, environment, engines)))
  const open = prepared.flat().filter((each) => 'script' in each)
  // Names in a script say nothing about their environment, so that many environments ask the same.
  const asks = [...new Map(open.map(({ script: { text, values } }) => [text, { text, values }])).values()]
  const replies = asks.length === 0 ? [] : await engines.solve(asks, study.limits)
  const mute: Reply = { kind: 'unknown', reason: 'solver failed: it did not reply' }
  const replyTo = new Map(asks.map(({ text }, i) => [text, replies[i] ?? mute]))
  return Promise.all(questions.map(async (question, i) => {
    const settled: Settled[] = []
    for (const each of prepared[i] ?? []) {
      const isShown = !settled.some(({ answer: { kind } }) => kind === 'refuted')
      if ('script' in each) {
        const said = await answer(study, each, replyTo.get(each.script.text) as Reply, engines, isShown)
        settled.push({ answer: said, by: said.kind === 'proved' ? each.certificate ?? 'solver' : null })
      } else settled.push('model' in each ? { answer: picture(study, each, each.model, engines, isShown), by: null } : each)
    }
    return proofOf(study, question, settled, engines)
  }))
}

function prepare(study: Study, question: Question, environment: Environment, { second, onScript }: Engines): Settled | Open {
  try {
    const claim = question.claim(environment)
    const { terms } = study.place(environment)
    const goal = simplify(terms, claim.goal)
    if (goal === terms.false) {
      onScript?.({ question: question.name, environment, text: '(assert false)\n' })
      return { answer: { kind: 'proved' }, by: 'folded' }
    }
    // INVARIANT: only `unsat` and `false` prove; a goal that folds to `true` still goes to the solver, for its counterexample.
    const assertions = ground(terms, study.schema, goal)
    onScript?.({ question: question.name, environment, text: emit(assertions).text })
    const known = second?.(assertions)
    if (known?.kind === 'sat') return { question, environment, claim, goal, model: known.values }
    const found = known?.kind === 'unsat' ? known.certificate : null
    if (found !== null && !checkRup(found.cnf, found.proof)) return { answer: disagreement('the certificate of a contradiction does not hold'), by: null }
    const certificate = found === null ? null : markOf(found)
    if (certificate !== null && study.agreement === 'either') return { answer: { kind: 'proved' }, by: certificate }
    return { question, environment, claim, goal, script: emit(assertions), certificate }
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== 'UNSUPPORTED_CONSTRUCT') throw error
    return { answer: { kind: 'unknown', reason: `unsupported: ${error.message}` }, by: null }
  }
}

/**
 * @param isShown The first refutation of a question is the one that is shown: it is asked for in a context of its own, so that it
 *   depends on nothing else, made small, and replayed through Cedar. Those of further environments add nothing to the answer; the
 *   interpreter confirms them.
 */
async function answer(study: Study, open: Extract<Open, { script: Script }>, first: Reply, engines: Engines, isShown: boolean): Promise<Answer> {
  if (first.kind === 'unsat') return { kind: 'proved' }
  const again = isShown || first.kind === 'unknown'
  const [reply = first] = again ? await engines.solve([{ text: open.script.text, values: open.script.values }], study.limits) : [first]
  switch (reply.kind) {
    case 'unsat': return first.kind === 'sat' ? disagreement('two runs of the solver answer differently') : { kind: 'proved' }
    case 'unknown': return open.certificate !== null ? { kind: 'unknown', reason: `${reply.reason}; the other engine proves it, and both must` } : reply
    case 'sat': {
      if (open.certificate !== null) return disagreement('one has a model of what the other contradicts')
      let model: Model
      try {
        model = readValues(reply.values, open.script)
      } catch (error) {
        if (error instanceof Failure && error.code === 'SOLVER_FAILED') return { kind: 'unknown', reason: `solver failed: ${error.message}` }
        throw error
      }
      return picture(study, open, model, engines, isShown)
    }
  }
}

function picture(study: Study, { question, environment, claim, goal }: Open, model: Model, engines: Engines, isShown: boolean): Answer {
  const { schema } = study
  const literals = study.literals(environment, question.rules, claim.mentions)
  const hasTwoWorlds = [...model.keys()].some((term) => term.kind === 'app' && term.symbol.copy === 1)
  const found = concretize({ schema, environment, model, literals, hasTwoWorlds })
  const holds = ({ first, second }: Picture): boolean => evaluate(goal, worldOf(schema, environment, first, second)) === true
  const report = (what: string, counterexample: Counterexample): Answer => {
    engines.onDisagreement?.({ question: question.name, environment, what, counterexample })
    return disagreement(what)
  }
  if (!holds(found)) return report('the solver’s model does not satisfy what it was asked', toCounterexample(environment, found))
  if (!isShown) return { kind: 'refuted', counterexample: toCounterexample(environment, found) }
  const counterexample = toCounterexample(environment, shrink(schema, environment, found, literals, holds))
  try {
    if (claim.fails(counterexample, lookWith(study, environment, engines.replay))) return { kind: 'refuted', counterexample }
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    return report(`Cedar refuses the counterexample: ${error.message}`, counterexample)
  }
  return report('Cedar does not decide the counterexample as the prover does', counterexample)
}

function disagreement(what: string): Answer {
  return { kind: 'unknown', reason: `engines disagree, which is a bug of the prover: ${what}` }
}

/** Looks at a counterexample with Cedar's eyes. */
export function lookWith({ schema, semantics }: Study, environment: Environment, replay: Replay): Look {
  const ask = (policies: PolicySet, scene: Scene) => {
    const { principal, action, resource } = scene
    const { context, entities } = forCedar(schema, environment.action, scene)
    return replay({ policies, schema, request: { principal, action, resource, context }, entities })
  }
  return {
    decided: (policy, scene) => {
      const { decision, determining, errors } = ask(policy, scene)
      const errs = errors.length > 0
      const isAllowed = decision === 'allow' && (semantics === 'cedar' || !errs)
      const permits = policy.rules.filter(({ id }) => determining.includes(id))
      return { isAllowed, errs, obligations: isAllowed ? [...new Set(permits.flatMap(obligationsOf))].sort() : [] }
    },
    permits: (policy, scene) => {
      const { determining, errors } = ask(policy, scene)
      return { satisfied: determining, erring: errors.map(({ rule }) => rule) }
    },
    concerned: ({ matches, unless }, scene) => {
      const rules = [probe('matches', matches), ...(unless === null ? [] : [probe('unless', unless)])]
      const { determining, errors } = ask({ text: renderRules(rules), rules }, scene)
      const erring = errors.map(({ rule }) => rule)
      return (determining.includes('matches') || erring.includes('matches')) && !determining.includes('unless')
    },
  }
}

export function probe(id: string, condition: Expression): Rule {
  const any = { kind: 'any' } as const
  return { id, effect: 'permit', annotations: {}, principal: any, action: any, resource: any, when: [condition], unless: [] }
}

function proofOf(study: Study, question: Question, settled: readonly Settled[], { versions }: Engines): Proof {
  const answers = settled.map(({ answer }) => answer)
  const refuted = answers.find(({ kind }) => kind === 'refuted')
  const unknown = answers.find(({ kind }) => kind === 'unknown')
  const none: Answer = { kind: 'unknown', reason: 'unsupported: the question concerns no request that the schema allows' }
  return {
    question: question.name,
    answer: refuted ?? unknown ?? answers[0] ?? none,
    environments: question.environments.map((environment, i) => ({ ...environment, answer: (answers[i] as Answer).kind })),
    engines: versions,
    inputDigest: digest({
      question: question.name, ...(question.inputs as object), schema: study.schema.digest, ...study.options, engines: versions,
    }),
    basis: basisOf(settled),
    limits: study.limits,
  }
}

function basisOf(settled: readonly Settled[]): Basis {
  const shown = settled.flatMap(({ by }) => by ?? [])
  const certificates = shown.filter((by) => typeof by === 'object')
  return {
    folded: shown.filter((by) => by === 'folded').length,
    certified: certificates.length,
    solver: shown.filter((by) => by === 'solver').length,
    steps: certificates.reduce((sum, { steps }) => sum + steps, 0),
    certificates: certificates.length === 0 ? null : digest(certificates.map((each) => each.digest)),
  }
}

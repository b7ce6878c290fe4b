import { digest } from '#core/canonical.ts'
import type { BoundArticle, ProtectedFact } from '#core/constitution/article.ts'
import { Failure } from '#core/failure.ts'
import type { Expression, Uid } from '#core/policy/expression.ts'
import { obligations as obligationsOf, type PolicySet, type Rule } from '#core/policy/policy.ts'
import { renderRules } from '#core/policy/render.ts'
import type { Environment, Schema } from '#core/policy/schema.ts'
import type { CedarEntity, CedarRequest } from '#core/unit/semantic-unit.ts'
import { concretize, literalsOf, toCounterexample, type Picture } from './counterexample.ts'
import { encodePolicy, encodeStandalone, placeIn, scopeOf, type EncodedPolicy, type Place, type Semantics } from './encode.ts'
import { forCedar } from './exact.ts'
import { ground, simplify } from './ground.ts'
import type { Answer, Counterexample, Limits, Proof } from './proof.ts'
import { checkRup } from './sat/check-rup.ts'
import { shrink } from './shrink.ts'
import type { SatAnswer } from './sat/decide.ts'
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

/** Whether a policy obeys each article, in the order of the articles. An article that concerns no environment is unknown, never proved. */
export async function proveArticles(
  policy: PolicySet, schema: Schema, bound: readonly BoundArticle[], engines: Engines, options: Options = {},
): Promise<readonly Proof[]> {
  const study = new Study(schema, options)
  const questions = bound.map((article): Question => {
    const { article: { id, kind }, environments, protected: facts, obligation } = article
    const concerned = new Map(environments.map((each) => [environmentKey(each.environment), each]))
    return {
      name: `article:${id}`,
      inputs: { policy: policy.text, bound: { kind, environments, protected: facts, obligation } },
      environments: study.select(environments.map(({ environment }) => environment)),
      rules: policy.rules,
      claim: (environment) => articleClaim(study, policy, article, concerned.get(environmentKey(environment)) as Concern),
    }
  })
  return settle(study, questions, engines)
}

/** Whether two policies decide every request alike and demand the same obligations for what they permit. */
export async function proveEquivalent(a: PolicySet, b: PolicySet, schema: Schema, engines: Engines, options: Options = {}): Promise<Proof> {
  return compare('equivalent', a, b, schema, engines, options, meansElse, (left, right) => left.isAllowed !== right.isAllowed || left.obligations.join() !== right.obligations.join())
}

/** Where two policies decide differently, or demand other obligations. */
export function meansElse(terms: Terms, left: EncodedPolicy, right: EncodedPolicy): Term {
  const names = [...new Set([...left.obligations.keys(), ...right.obligations.keys()])]
  const carried = names.map((name) => terms.xor(left.obligations.get(name) ?? terms.false, right.obligations.get(name) ?? terms.false))
  return terms.or(terms.xor(left.allow, right.allow), ...carried)
}

/** Whether everything that `a` permits, `b` permits too. */
export async function implies(a: PolicySet, b: PolicySet, schema: Schema, engines: Engines, options: Options = {}): Promise<Proof> {
  return compare('implies', a, b, schema, engines, options,
    (terms, left, right) => terms.and(left.allow, terms.not(right.allow)),
    (left, right) => left.isAllowed && !right.isAllowed)
}

/** Whether no request is permitted by both. */
export async function disjoint(a: PolicySet, b: PolicySet, schema: Schema, engines: Engines, options: Options = {}): Promise<Proof> {
  return compare('disjoint', a, b, schema, engines, options,
    (terms, left, right) => terms.and(left.allow, right.allow),
    (left, right) => left.isAllowed && right.isAllowed)
}

export async function alwaysDenies(policy: PolicySet, schema: Schema, engines: Engines, options: Options = {}): Promise<Proof> {
  return single('always-denies', policy, schema, engines, options, (_, { allow }) => allow, ({ isAllowed }) => isAllowed)
}

export async function alwaysAllows(policy: PolicySet, schema: Schema, engines: Engines, options: Options = {}): Promise<Proof> {
  return single('always-allows', policy, schema, engines, options, (terms, { allow }) => terms.not(allow), ({ isAllowed }) => !isAllowed)
}

/** Whether no rule can fail to evaluate. */
export async function neverErrors(policy: PolicySet, schema: Schema, engines: Engines, options: Options = {}): Promise<Proof> {
  return single('never-errors', policy, schema, engines, options, (_, { err }) => err, ({ errs }) => errs)
}

export type Permits =
  | { readonly kind: 'yes'; readonly example: Counterexample }
  | { readonly kind: 'no' }
  | { readonly kind: 'unknown'; readonly reason: string }

/**
 * Whether the policy permits some request that an article concerns, with an example: an article over requests of which none is
 * permitted holds, and says nothing.
 */
export async function permitsSomething(
  policy: PolicySet, schema: Schema, concerned: BoundArticle['environments'], engines: Engines, options: Options = {},
): Promise<Permits> {
  const study = new Study(schema, options)
  const byEnvironment = new Map(concerned.map((each) => [environmentKey(each.environment), each]))
  const [proof] = await settle(study, [{
    name: 'permits-nothing',
    inputs: { policy: policy.text, concerned },
    environments: study.select(concerned.map(({ environment }) => environment)),
    rules: policy.rules,
    claim: (environment) => {
      const part = byEnvironment.get(environmentKey(environment)) as Concern
      const place = study.place(environment)
      return {
        goal: place.terms.and(concernTerm(place, part), study.policy(environment, policy).allow),
        mentions: mentionsOf(part),
        fails: (scene, look) => look.concerned(part, scene) && look.decided(policy, scene).isAllowed,
      }
    },
  }], engines) as [Proof]
  switch (proof.answer.kind) {
    case 'refuted': return { kind: 'yes', example: proof.answer.counterexample }
    case 'proved': return { kind: 'no' }
    case 'unknown': return proof.answer
  }
}

// ---- From a question to claims ----

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

type Concern = BoundArticle['environments'][number]
type Scene = CedarRequest & { readonly entities: readonly CedarEntity[] }
type Decided = { readonly isAllowed: boolean; readonly errs: boolean; readonly obligations: readonly string[] }
export type Look = {
  readonly decided: (policy: PolicySet, scene: Scene) => Decided
  readonly concerned: (concern: Concern, scene: Scene) => boolean
  /** Which permits of a policy without forbids are satisfied, and which fail. */
  readonly permits: (policy: PolicySet, scene: Scene) => { readonly satisfied: readonly string[]; readonly erring: readonly string[] }
}

function articleClaim(study: Study, policy: PolicySet, { article, protected: facts, obligation }: BoundArticle, concern: Concern): Claim {
  const { environment } = concern
  const place = study.place(environment)
  const { terms } = place
  const { allow, err, obligations } = study.policy(environment, policy)
  const concerned = concernTerm(place, concern)
  const mentions = mentionsOf(concern)
  const where = (holds: (decided: Decided) => boolean): Claim['fails'] => (scene, look) => look.concerned(concern, scene) && holds(look.decided(policy, scene))
  switch (article.kind) {
    case 'never-permit':
      return { goal: terms.and(concerned, allow), mentions, fails: where(({ isAllowed }) => isAllowed) }
    case 'must-permit':
      return { goal: terms.and(concerned, terms.not(allow)), mentions, fails: where(({ isAllowed }) => !isAllowed) }
    case 'never-error':
      return { goal: terms.and(concerned, err), mentions, fails: where(({ errs }) => errs) }
    case 'must-record': {
      if (obligation === null) throw new Error(`the article ${article.id} names no obligation`)
      const goal = terms.and(concerned, allow, terms.not(obligations.get(obligation) ?? terms.false))
      return { goal, mentions, fails: where(({ isAllowed, obligations: carried }) => isAllowed && !carried.includes(obligation)) }
    }
    case 'independent-of': {
      // The two worlds may change places, so that it is enough to look for one that is permitted beside one that is not.
      const second: Place = { ...place, copy: 1, differs: (symbol) => facts.some((fact) => isProtected(fact, symbol)) }
      const { allow: allowsOther } = encodePolicy(second, policy.rules, study.semantics)
      const goal = terms.and(concerned, concernTerm(second, concern), allow, terms.not(allowsOther))
      const fails = (scene: Counterexample, look: Look) => {
        const { other } = scene
        const [one, two] = [where(({ isAllowed }) => isAllowed), where(({ isAllowed }) => !isAllowed)]
        return other !== undefined && one(scene, look) && two(other, look)
      }
      return { goal, mentions, fails }
    }
  }
}

function isProtected(fact: ProtectedFact, symbol: Parameters<Place['differs']>[0]): boolean {
  if (fact.kind === 'membership') return symbol.kind === 'in' && symbol.owner === fact.of && symbol.to === fact.in
  return symbol.kind !== 'in' && symbol.owner === fact.type && symbol.path[0] === fact.attribute
}

/** A condition that cannot be evaluated concerns the request: doubt never makes an article weaker. */
function concernTerm(place: Place, { matches, unless }: Concern): Term {
  const { terms } = place
  const inside = encodeStandalone(place, matches, 'the article')
  const outside = unless === null ? { err: terms.false, value: terms.false } : encodeStandalone(place, unless, 'the article')
  return terms.and(terms.or(inside.value, inside.err), terms.or(terms.not(outside.value), outside.err))
}

function mentionsOf({ matches, unless }: Concern): readonly Expression[] {
  return unless === null ? [matches] : [matches, unless]
}

async function compare(
  name: string, a: PolicySet, b: PolicySet, schema: Schema, engines: Engines, options: Options,
  goalOf: (terms: Terms, left: EncodedPolicy, right: EncodedPolicy) => Term,
  differ: (left: Decided, right: Decided) => boolean,
): Promise<Proof> {
  const study = new Study(schema, options)
  const [proof] = await settle(study, [{
    name,
    inputs: { a: a.text, b: b.text },
    environments: study.select(schema.environments),
    rules: [...a.rules, ...b.rules],
    claim: (environment) => ({
      goal: goalOf(study.place(environment).terms, study.policy(environment, a), study.policy(environment, b)),
      mentions: [],
      fails: (scene, look) => differ(look.decided(a, scene), look.decided(b, scene)),
    }),
  }], engines)
  return proof as Proof
}

async function single(
  name: string, policy: PolicySet, schema: Schema, engines: Engines, options: Options,
  goalOf: (terms: Terms, policy: EncodedPolicy) => Term,
  isSo: (decided: Decided) => boolean,
): Promise<Proof> {
  const study = new Study(schema, options)
  const [proof] = await settle(study, [{
    name,
    inputs: { policy: policy.text },
    environments: study.select(schema.environments),
    rules: policy.rules,
    claim: (environment) => ({
      goal: goalOf(study.place(environment).terms, study.policy(environment, policy)),
      mentions: [],
      fails: (scene, look) => isSo(look.decided(policy, scene)),
    }),
  }], engines)
  return proof as Proof
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

function environmentKey({ principal, action, resource }: Environment): string {
  return `${principal}|${action}|${resource}`
}

// ---- From claims to proofs ----

type Model = ReadonlyMap<Term, Value>

/** A claim that folding has not settled: it goes to the solver, unless there is a model already. */
type Open = {
  readonly question: Question
  readonly environment: Environment
  readonly claim: Claim
  readonly goal: Term
} & ({ readonly script: Script; /** By the other engine. */ readonly isContradicted: boolean } | { readonly model: Model })

export async function settle(study: Study, questions: readonly Question[], engines: Engines): Promise<readonly Proof[]> {
  const prepared = questions.map((question) => question.environments.map((environment) => prepare(study, question, environment, engines)))
  const open = prepared.flat().filter((each) => 'script' in each)
  // Names in a script say nothing about their environment, so that many environments ask the same.
  const asks = [...new Map(open.map(({ script: { text, values } }) => [text, { text, values }])).values()]
  const replies = asks.length === 0 ? [] : await engines.solve(asks, study.limits)
  const mute: Reply = { kind: 'unknown', reason: 'solver failed: it did not reply' }
  const replyTo = new Map(asks.map(({ text }, i) => [text, replies[i] ?? mute]))
  return Promise.all(questions.map(async (question, i) => {
    const answers: Answer[] = []
    for (const each of prepared[i] ?? []) {
      const isShown = !answers.some(({ kind }) => kind === 'refuted')
      answers.push('script' in each ? await answer(study, each, replyTo.get(each.script.text) as Reply, engines, isShown)
        : 'model' in each ? picture(study, each, each.model, engines, isShown)
        : each)
    }
    return proofOf(study, question, answers, engines)
  }))
}

function prepare(study: Study, question: Question, environment: Environment, { second }: Engines): Answer | Open {
  try {
    const claim = question.claim(environment)
    const { terms } = study.place(environment)
    const goal = simplify(terms, claim.goal)
    if (goal === terms.false) return { kind: 'proved' }
    // INVARIANT: only `unsat` and `false` prove; a goal that folds to `true` still goes to the solver, for its counterexample.
    const assertions = ground(terms, study.schema, goal)
    const known = second?.(assertions)
    if (known?.kind === 'sat') return { question, environment, claim, goal, model: known.values }
    const isContradicted = known?.kind === 'unsat'
    if (isContradicted && !checkRup(known.certificate.cnf, known.certificate.proof)) return disagreement('the certificate of a contradiction does not hold')
    if (isContradicted && study.agreement === 'either') return { kind: 'proved' }
    return { question, environment, claim, goal, script: emit(assertions), isContradicted }
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== 'UNSUPPORTED_CONSTRUCT') throw error
    return { kind: 'unknown', reason: `unsupported: ${error.message}` }
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
    case 'unknown': return open.isContradicted ? { kind: 'unknown', reason: `${reply.reason}; the other engine proves it, and both must` } : reply
    case 'sat': {
      if (open.isContradicted) return disagreement('one has a model of what the other contradicts')
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
function lookWith({ schema, semantics }: Study, environment: Environment, replay: Replay): Look {
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

function probe(id: string, condition: Expression): Rule {
  const any = { kind: 'any' } as const
  return { id, effect: 'permit', annotations: {}, principal: any, action: any, resource: any, when: [condition], unless: [] }
}

function proofOf(study: Study, question: Question, answers: readonly Answer[], { versions }: Engines): Proof {
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
    limits: study.limits,
  }
}

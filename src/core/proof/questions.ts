import type { BoundArticle, ProtectedFact } from '#core/constitution/article.ts'
import type { Expression } from '#core/policy/expression.ts'
import type { PolicySet } from '#core/policy/policy.ts'
import type { Schema } from '#core/policy/schema.ts'
import { encodePolicy, encodeStandalone, type EncodedPolicy, type Place } from './encode.ts'
import type { Concern, Decided, Look } from './look.ts'
import type { Counterexample, Proof } from './proof.ts'
import { settle, type Engines } from './settle.ts'
import { environmentKey, Study, type Claim, type Options, type Question } from './study.ts'
import type { Term, Terms } from './terms.ts'

export type { Replay } from './look.ts'
export type { Disagreement, Engines, Solve } from './settle.ts'
export { LIMITS, type Options } from './study.ts'

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

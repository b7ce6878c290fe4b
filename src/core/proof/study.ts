import { Failure } from '#core/failure.ts'
import type { Expression, Uid } from '#core/policy/expression.ts'
import type { PolicySet, Rule } from '#core/policy/policy.ts'
import type { Environment, Schema } from '#core/policy/schema.ts'
import { literalsOf } from './counterexample.ts'
import { encodePolicy, placeIn, scopeOf, type EncodedPolicy, type Place, type Semantics } from './encode.ts'
import type { Look } from './look.ts'
import type { Counterexample, Limits } from './proof.ts'
import { Terms, type Term } from './terms.ts'

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
  /** What the answer depends on, beside schema and options. */
  readonly inputs: { readonly [name: string]: unknown }
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

/** What the questions of one call share: one graph of terms for each environment, in which each policy is encoded once. */
export class Study {
  readonly schema: Schema
  readonly semantics: Semantics
  readonly limits: Limits
  readonly agreement: NonNullable<Options['agreement']>
  readonly #only: NonNullable<Options['only']>
  #places = new Map<string, Place>()
  readonly #rules = new Map<readonly Rule[], Map<string, readonly Rule[]>>()
  #policies = new Map<string, Map<PolicySet, EncodedPolicy | Failure>>()
  #folds = true

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
    return environments.filter((each) => isAsked(each, this.#only))
  }

  place(environment: Environment): Place {
    const key = environmentKey(environment)
    const known = this.#places.get(key) ?? placeIn(new Terms({ folds: this.#folds }), this.schema, environment)
    this.#places.set(key, known)
    return known
  }

  /** What a piece of work makes of the same questions when nothing in them is folded, in graphs of its own. */
  unfolded<T>(work: () => T): T {
    const [places, policies] = [this.#places, this.#policies]
    try {
      [this.#folds, this.#places, this.#policies] = [false, new Map(), new Map()]
      return work()
    } finally {
      [this.#folds, this.#places, this.#policies] = [true, places, policies]
    }
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

/** Whether an environment is among those that are asked about. */
export function isAsked(environment: Environment, only: NonNullable<Options['only']>): boolean {
  return (['principal', 'action', 'resource'] as const).every((part) => only[part] === undefined || only[part] === environment[part])
}

export function environmentKey({ principal, action, resource }: Environment): string {
  return `${principal}|${action}|${resource}`
}

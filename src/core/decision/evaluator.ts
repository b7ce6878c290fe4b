import type { Expression, Uid } from '#core/policy/expression.ts'
import { obligations as obligationsOf, type ActionScope, type Rule, type Scope } from '#core/policy/policy.ts'
import { compileExpression, type Evaluate } from './compile-expression.ts'
import type { Decision } from './decide.ts'
import { EvaluationError, notA } from './evaluation-error.ts'
import { Situation, type Entities, type Request } from './situation.ts'
import { EntityValue } from './value.ts'

/** What Cedar's semantics say of one request: a rule that fails is skipped, and named. */
export type Evaluation = {
  readonly decision: 'allow' | 'deny'
  /** Ids of the rules that determined it, in the order of the rules. */
  readonly determining: readonly string[]
  /** Rules that could not be evaluated, in the order of the rules. */
  readonly errors: readonly { readonly rule: string; readonly message: string }[]
  /** What evaluation read and what is not there, uid texts of entities above all; sorted. Cedar itself does not mind. */
  readonly missing: readonly string[]
}

/**
 * Rules, compiled once, to evaluate many requests by: the whole of Cedar's language, well typed or not, on any entities.
 *
 * It is the reference inside the product: what decides faster must decide the same.
 */
export class Evaluator {
  readonly #rules: readonly CompiledRule[]
  /** Rules that can fit, by action, type of the principal and type of the resource. */
  readonly #fitting = new Map<string, Map<string, Map<string, readonly CompiledRule[]>>>()
  #kinds = 0

  constructor(rules: readonly Rule[]) {
    this.#rules = rules.map(compileRule)
  }

  /** What Cedar decides. Every rule that fits is evaluated: whether one fails is part of the answer. */
  evaluate(request: Request, entities: Entities): Evaluation {
    return this.#conclude(new Situation(request, entities)).evaluation
  }

  /**
   * What the decision point decides: any error denies, and so does what evaluation read and what is not there or cannot be used, a principal or
   * a resource that is not there in any case.
   *
   * What was not read cannot change the answer: evaluation is determined by what it reads, so that every store that adds to this one what is
   * not there would have led it the same way. That is the prover's assumption about the store, and no more than that.
   */
  decide(request: Request, entities: Entities): Decision {
    const situation = new Situation(request, entities)
    if (situation.principalEntity === undefined) situation.note(situation.principal)
    if (situation.resourceEntity === undefined) situation.note(situation.resource)
    const { evaluation: { decision, determining, errors, missing }, obligations } = this.#conclude(situation)
    const { unusable } = situation
    if (errors.length > 0 || missing.length > 0 || unusable.length > 0) {
      // A rule that fails over what is unusable says nothing new.
      return { decision: 'deny', verdict: 'error', determining: NONE, obligations: NONE, errors: unusable.length > 0 ? unusable.map((message) => ({ rule: '', message })) : errors, missing }
    }
    if (decision === 'allow') return { decision, verdict: 'permitted', determining, obligations, errors, missing }
    return { decision, verdict: determining.length > 0 ? 'forbidden' : 'not_permitted', determining, obligations: NONE, errors, missing }
  }

  #conclude(situation: Situation): { readonly evaluation: Evaluation; readonly obligations: readonly string[] } {
    let permits: CompiledRule[] | null = null
    let forbids: CompiledRule[] | null = null
    let errors: { readonly rule: string; readonly message: string }[] | null = null
    for (const rule of this.#fittingFor(situation)) {
      if (rule.fits !== null && !rule.fits(situation)) continue
      const outcome = rule.holds(situation)
      if (outcome instanceof EvaluationError) (errors ??= []).push({ rule: rule.id, message: outcome.message })
      else if (outcome && rule.isPermit) (permits ??= []).push(rule)
      else if (outcome) (forbids ??= []).push(rule)
    }
    const isAllowed = permits !== null && forbids === null
    const [only, ...others] = (forbids ?? permits ?? []) as readonly CompiledRule[]
    return {
      evaluation: {
        decision: isAllowed ? 'allow' : 'deny',
        determining: only === undefined ? NONE : others.length === 0 ? only.alone : [only, ...others].map(({ id }) => id),
        errors: errors ?? NO_ERRORS,
        missing: situation.missing,
      },
      obligations: !isAllowed || only === undefined ? NONE
        : others.length === 0 ? only.obligations
        : [...new Set([only, ...others].flatMap(({ obligations }) => obligations))].sort(),
    }
  }

  #fittingFor({ action, principal, resource }: Situation): readonly CompiledRule[] {
    const key = action.key
    const known = this.#fitting.get(key)?.get(principal.type)?.get(resource.type)
    if (known !== undefined) return known
    const fitting = this.#rules.filter(({ rule }) => mayFitAction(rule.action, action) && mayFitType(rule.principal, principal.type) && mayFitType(rule.resource, resource.type))
    // Requests name what they like: only so many kinds of them are remembered.
    if (this.#kinds < KINDS_MAX) {
      this.#kinds++
      const byPrincipal = this.#fitting.get(key) ?? new Map<string, Map<string, readonly CompiledRule[]>>()
      this.#fitting.set(key, byPrincipal)
      const byResource = byPrincipal.get(principal.type) ?? new Map<string, readonly CompiledRule[]>()
      byPrincipal.set(principal.type, byResource)
      byResource.set(resource.type, fitting)
    }
    return fitting
  }
}

const KINDS_MAX = 10_000
const NONE: readonly string[] = Object.freeze([])
const NO_ERRORS: Evaluation['errors'] = Object.freeze([])

type CompiledRule = {
  readonly rule: Rule
  readonly id: string
  readonly isPermit: boolean
  /** Its id as the only determining one. */
  readonly alone: readonly string[]
  readonly obligations: readonly string[]
  /** Whether what its scope names is met, of a request whose action and types fit; null: it names nothing more. A scope never fails. */
  readonly fits: Fits | null
  readonly holds: (situation: Situation) => boolean | EvaluationError
}

function compileRule(rule: Rule): CompiledRule {
  return {
    rule,
    id: rule.id,
    isPermit: rule.effect === 'permit',
    alone: Object.freeze([rule.id]),
    obligations: Object.freeze([...obligationsOf(rule)]),
    fits: compileScopes(rule),
    holds: compileConditions(rule.when, rule.unless),
  }
}

type Fits = (situation: Situation) => boolean

/**
 * What {@link mayFitAction} and {@link mayFitType} leave open. What must be read in the hierarchy comes last: what a cheaper part excludes is
 * not read.
 */
function compileScopes({ principal, action, resource }: Rule): Fits | null {
  const [tests, lookups]: [Fits[], Fits[]] = [[], []]
  const of = { principal: (situation: Situation) => situation.principal, resource: (situation: Situation) => situation.resource }
  for (const [name, scope] of [['principal', principal], ['resource', resource]] as const) {
    const subject = of[name]
    if (scope.kind === 'eq') {
      const { id } = scope.uid
      tests.push((situation) => subject(situation).id === id)
    }
    const above = scope.kind === 'in' ? scope.uid : scope.kind === 'is' ? scope.in : null
    if (above !== null) {
      const group = entityOf(above)
      lookups.push((situation) => situation.isIn(subject(situation), group))
    }
  }
  if (action.kind === 'in') {
    const groups = action.uids.map(entityOf)
    lookups.unshift((situation) => situation.isInAny(situation.action, groups))
  }
  return conjunction([...tests, ...lookups])
}

function conjunction(parts: readonly Fits[]): Fits | null {
  return parts.reduceRight<Fits | null>((rest, part) => (rest === null ? part : (situation) => part(situation) && rest(situation)), null)
}

function compileConditions(when: readonly Expression[], unless: readonly Expression[]): CompiledRule['holds'] {
  const conditions = [...when.map((body) => condition(compileExpression(body), true)), ...unless.map((body) => condition(compileExpression(body), false))]
  const [first, ...others] = conditions
  if (first === undefined) return () => true
  if (others.length === 0) return first
  return (situation) => {
    for (const each of conditions) {
      const outcome = each(situation)
      if (outcome !== true) return outcome
    }
    return true
  }
}

function condition(evaluate: Evaluate, wanted: boolean): CompiledRule['holds'] {
  return (situation) => {
    const outcome = evaluate(situation)
    return typeof outcome === 'boolean' ? outcome === wanted : notA('bool', outcome)
  }
}

/** Whether an action scope could hold, and for one action whether it does. What an action is in, the entities say. */
function mayFitAction(scope: ActionScope, action: EntityValue): boolean {
  return scope.kind !== 'eq' || (scope.uid.id === action.id && scope.uid.type === action.type)
}

/** Whether a scope could hold for an entity of a type, and for a mere type whether it does. */
function mayFitType(scope: Scope, type: string): boolean {
  return scope.kind === 'eq' ? scope.uid.type === type : scope.kind === 'is' ? scope.type === type : true
}

function entityOf({ type, id }: Uid): EntityValue {
  return new EntityValue(type, id)
}

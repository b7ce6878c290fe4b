import { Failure } from '#core/failure.ts'
import type { Expression } from '#core/policy/expression.ts'
import { obligations, obligationsOfAll, uidText, type Rule, type Scope } from '#core/policy/policy.ts'
import { equality } from './encode/compare.ts'
import { encode } from './encode/expression.ts'
import { within } from './encode/hierarchy.ts'
import { actionOf, Unsupported, type Place } from './encode/place.ts'
import { entity, literalEntity, truth, variable } from './encode/typed.ts'
import type { Term, Terms } from './terms.ts'

export { LONG_MAX, LONG_MIN, placeIn, type Place } from './encode/place.ts'

/** A rule in an environment: when it fails to evaluate, and when it is satisfied (which excludes failing). */
export type EncodedRule = { readonly rule: Rule; readonly err: Term; readonly satisfied: Term }

/** A whole policy in an environment. Obligations are of permits: what letting a request through demands. */
export type EncodedPolicy = {
  readonly rules: readonly EncodedRule[]
  readonly err: Term
  readonly allow: Term
  readonly obligations: ReadonlyMap<string, Term>
}

/** Which decision is asked about: the decision point's (any erring rule denies) or Cedar's own (an erring rule is skipped). */
export type Semantics = 'decision-point' | 'cedar'

/**
 * What a policy decides in one environment, as terms.
 *
 * ASSUMES that principal, resource and every entity that a rule reads are there and fit the schema, and that the hierarchy has no cycle.
 * Of an entity that is not there, Cedar fails to read an attribute, while `has`, `hasTag` and `in` are false without a word: a decision point
 * must deny where it lacks one, as ours does, or what is proved is not what happens.
 *
 * @throws {Failure} `UNSUPPORTED_CONSTRUCT` naming construct and rule: nothing is approximated. A rule whose scope excludes the
 *   environment is not looked into.
 */
export function encodePolicy(place: Place, rules: readonly Rule[], semantics: Semantics): EncodedPolicy {
  const encoded = rules
    .map((rule) => encodeRule(place, rule))
    .filter(({ err, satisfied }) => err !== place.terms.false || satisfied !== place.terms.false)
  return decided(place.terms, encoded, semantics)
}

/** What encoded rules decide together. */
export function decided(terms: Terms, rules: readonly EncodedRule[], semantics: Semantics): EncodedPolicy {
  const withEffect = (effect: Rule['effect']) => rules.filter(({ rule }) => rule.effect === effect)
  const err = terms.or(...rules.map((each) => each.err))
  const permits = withEffect('permit')
  const allow = terms.and(
    terms.or(...permits.map((each) => each.satisfied)),
    terms.not(terms.or(...withEffect('forbid').map((each) => each.satisfied))),
    semantics === 'cedar' ? terms.true : terms.not(err),
  )
  const names = obligationsOfAll(permits.map(({ rule }) => rule))
  const carried = names.map((name) => {
    const carriers = permits.filter(({ rule }) => obligations(rule).includes(name)).map((each) => each.satisfied)
    return [name, terms.and(allow, terms.or(...carriers))] as const
  })
  return { rules, err, allow, obligations: new Map(carried) }
}

function encodeRule(place: Place, rule: Rule): EncodedRule {
  const { terms } = place
  const scope = scopeOf(place, rule)
  if (scope === terms.false) return { rule, err: terms.false, satisfied: terms.false }
  const body = [...rule.when, ...rule.unless.map((of) => ({ kind: 'not', of }) as const)].reduce<Expression | null>(
    (left, right) => (left === null ? right : { kind: 'and', left, right }),
    null,
  )
  try {
    const { err, value } = body === null ? { err: terms.false, value: terms.true } : encodeCondition(place, body)
    return { rule, err: terms.and(scope, err), satisfied: terms.and(scope, value, terms.not(err)) }
  } catch (error) {
    if (!(error instanceof Unsupported)) throw error
    throw refusal(`rule \`${rule.id}\``, error)
  }
}

/** A condition that stands outside of any rule, e.g. an article's. @throws {Failure} `UNSUPPORTED_CONSTRUCT` naming `what`. */
export function encodeStandalone(place: Place, expression: Expression, what: string): { readonly err: Term; readonly value: Term } {
  try {
    return encodeCondition(place, expression)
  } catch (error) {
    if (!(error instanceof Unsupported)) throw error
    throw refusal(what, error)
  }
}

function refusal(what: string, error: Unsupported): Failure {
  return new Failure('UNSUPPORTED_CONSTRUCT', `${what} uses ${error.message}, which the prover does not decide`, { cause: error })
}

function encodeCondition(place: Place, expression: Expression): { readonly err: Term; readonly value: Term } {
  const { err, value } = encode(place, expression)
  return { err, value: truth(value) }
}

// ---- Scopes ----

/** Whether a rule looks at a request at all; false where its scope excludes the whole environment. */
export function scopeOf(place: Place, rule: Rule): Term {
  const parts = [scopeTerm(place, 'principal', rule.principal), actionScope(place, rule), scopeTerm(place, 'resource', rule.resource)]
  return parts.includes(place.terms.false) ? place.terms.false : place.terms.and(...parts)
}

function scopeTerm(place: Place, name: 'principal' | 'resource', scope: Scope): Term {
  if (scope.kind === 'any') return place.terms.true
  const value = entity(variable(place, name))
  if (scope.kind !== 'is') {
    const named = literalEntity(place, scope.uid)
    return scope.kind === 'eq' ? equality(place, value, named) : within(place, value, named)
  }
  if (value.type !== scope.type) return place.terms.false
  return scope.in === null ? place.terms.true : within(place, value, literalEntity(place, scope.in))
}

function actionScope(place: Place, { action: scope }: Rule): Term {
  if (scope.kind === 'any') return place.terms.true
  const { ancestors } = actionOf(place)
  const text = place.environment.action
  if (scope.kind === 'eq') return place.terms.bool(uidText(scope.uid) === text)
  return place.terms.bool(scope.uids.map(uidText).some((uid) => uid === text || ancestors.includes(uid)))
}

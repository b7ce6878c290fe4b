import type { Environment, Schema } from '#core/policy/schema.ts'
import type { FunctionSymbol, Sort, Term, Terms } from '../terms.ts'

/** Where expressions are read: one request environment of a schema, in the first world of a question or in its second. */
export type Place = {
  readonly terms: Terms
  readonly schema: Schema
  readonly environment: Environment
  readonly copy: 0 | 1
  /** What may differ in the second world; without it, both worlds are one. */
  readonly differs: (symbol: Pick<FunctionSymbol, 'kind' | 'owner' | 'path' | 'to'>) => boolean
}

/** The first world, in which everything is what it is. */
export function placeIn(terms: Terms, schema: Schema, environment: Environment): Place {
  return { terms, schema, environment, copy: 0, differs: () => false }
}

export const LONG_MIN = -(2n ** 63n)
export const LONG_MAX = 2n ** 63n - 1n

/** Whether an exact result has no place in 64 bits. */
export function overflows(terms: Terms, exact: Term): Term {
  return terms.not(terms.and(terms.le(terms.int(LONG_MIN), exact), terms.le(exact, terms.int(LONG_MAX))))
}

/** What the prover does not decide, by its name. */
export class Unsupported extends Error {}

/** A fact of this place's world. */
export function apply(place: Place, symbol: Pick<FunctionSymbol, 'kind' | 'owner' | 'path' | 'to'>, result: Sort, args: readonly Term[]): Term {
  return place.terms.app({ ...symbol, copy: place.copy === 1 && place.differs(symbol) ? 1 : 0, result }, args)
}

export function actionOf({ schema, environment }: Place) {
  const found = schema.actions.get(environment.action)
  if (found === undefined) throw new Error(`the schema has no action ${environment.action}`)
  return found
}

import type { BoundArticle, Inapplicable } from '#core/constitution/article.ts'
import type { Decision } from '#core/decision/decide.ts'
import type { PolicySet } from '#core/policy/policy.ts'
import type { Schema } from '#core/policy/schema.ts'
import type { Counterexample, Proof } from '#core/proof/proof.ts'
import type { Example } from '#core/unit/semantic-unit.ts'
import type { Telling } from './meaning-classes.ts'
import type { RepresentationId } from './representation.ts'

/**
 * +1: the check holds. −1: it fires, with what shows it. 0: it was not run, never a pass: `idle` when there was nothing to look at
 * (a reader abstained, a candidate does not parse), `failed` when there was and no answer came (timeout, unsupported construct).
 */
export type Outcome =
  | { readonly value: 1 }
  | { readonly value: -1; readonly evidence: unknown }
  | { readonly value: 0; readonly why: 'idle' | 'failed'; readonly because: string }

/** What the checks may ask of the world. */
export type Instruments = {
  /** Lets others have their turn, before each check; without it nobody waits. */
  readonly turn?: () => Promise<void>
  readonly parse: (cedar: string, schema: Schema) => PolicySet
  /** Told of texts that will be parsed: for who parses several at once faster than one after the other. */
  readonly parseAhead?: (texts: readonly string[], schema: Schema) => void
  readonly decide: (policies: PolicySet, schema: Schema, example: Example) => Decision
  /** What policies decide on one request of the decision table; the request is read once. */
  readonly decidedOn: (request: Counterexample, schema: Schema) => (policies: PolicySet) => Decision
  readonly sameMeaning: (a: PolicySet, b: PolicySet, schema: Schema) => Promise<Proof>
  readonly neverErrors: (policies: PolicySet, schema: Schema) => Promise<Proof>
  /** The constitution, bound to the unit's schema. */
  readonly bound: { readonly bound: readonly BoundArticle[]; readonly inapplicable: readonly Inapplicable[] }
  readonly proveArticles: (policy: PolicySet, schema: Schema, articles: readonly BoundArticle[]) => Promise<readonly Proof[]>
  /** Runs a check, for who wants to know how long it takes; without it, it is simply run. */
  readonly run?: (check: Check) => Promise<Outcome>
}

/** The instruments as a check uses them: a comparison may follow from others. */
export type Looking = Omit<Instruments, 'sameMeaning'> & Pick<Telling, 'sameMeaning'>

/** One row of the check matrix, for given candidates: what it looks at, and how it is decided. */
export type Check = {
  readonly stabilizer: string
  /** Indices of the candidates that it looks at; what it can put suspicion on. */
  readonly candidates: readonly number[]
  /** Everything that it looks at, candidates included: where it fires, at least one of these is at fault. */
  readonly representations: readonly RepresentationId[]
  /** Digests of everything that its outcome depends on; where they are the same, so is the outcome. */
  readonly compares: readonly string[]
  readonly run: () => Promise<Outcome>
}

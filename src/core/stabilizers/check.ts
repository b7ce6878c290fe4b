import type { BoundArticle, Inapplicable } from '#core/constitution/article.ts'
import type { Decision } from '#core/decision/decide.ts'
import type { Problem } from '#core/failure.ts'
import type { PolicySet } from '#core/policy/policy.ts'
import type { Schema } from '#core/policy/schema.ts'
import type { Counterexample, Proof } from '#core/proof/proof.ts'
import type { Example } from '#core/unit/semantic-unit.ts'
import type { Row } from './decision-table.ts'
import type { Telling } from './meaning-classes.ts'
import type { RepresentationId } from './representation.ts'

/**
 * +1: the check holds. −1: it fires, with what shows it. 0: it was not run, never a pass: `idle` when there was nothing to look at
 * (a reader abstained, a candidate does not parse), `failed` when there was and no answer came (timeout, unsupported construct).
 */
export type Outcome = Showing<unknown>

/** An outcome that shows this where it fires. */
export type Showing<Evidence> = { readonly value: 1 } | { readonly value: -1; readonly evidence: Evidence } | Unanswered

export type Unanswered = { readonly value: 0; readonly why: 'idle' | 'failed'; readonly because: string }

/** What each stabilizer of the table shows where it fires, as it is stored and replied. */
export type EvidenceOf = {
  readonly 'well-typed': { readonly method: string; readonly problems: readonly Problem[]; readonly message: string }
  readonly 'never-errors': Counterexample
  readonly 'same-meaning': Differing
  /** `against`: the sentences whose rules decided so. */
  readonly decides: { readonly example: string; readonly wanted: Decision['decision']; readonly decided: Decision['decision']; readonly against: readonly number[] }
  readonly covers: never
  readonly conforms: Differing
  readonly 'conforms-to-table': Differing & Pick<Row, 'norms' | 'values' | 'obligations'> & { readonly wanted: Row['decision']; readonly decided: Row['decision'] }
  readonly 'examples-distinguish': { readonly decideNothing: readonly { readonly norm: string; readonly sentence: number }[] }
  readonly 'says-the-norms': { readonly norms: readonly { readonly norm: string; readonly means: string | null; readonly saidAs: string | null }[] }
  readonly 'round-trip': Differing | { readonly because: string; readonly message?: string }
  readonly within: { readonly articles: readonly { readonly article: string; readonly request: Counterexample }[] }
}

/** The sentences that two things say differently, and a request on which they do. */
export type Differing = { readonly sentences: readonly number[]; readonly request: Counterexample }

export type StabilizerId = keyof EvidenceOf

/** What a check of one stabilizer comes to. */
export type OutcomeOf<Id extends StabilizerId> = Showing<EvidenceOf[Id]>

/** Whether something was measured by a stabilizer: an id that the table does not have does not compile. */
export function isOf(id: StabilizerId, { stabilizer }: { readonly stabilizer: string }): boolean {
  return stabilizer === id
}

/** What a stabilizer shows in something that was measured; null where that is of another one, or has not fired. */
export function evidenceOf<Id extends StabilizerId>(id: Id, measured: { readonly stabilizer: string; readonly outcome: Outcome }): EvidenceOf[Id] | null {
  return isOf(id, measured) && measured.outcome.value === -1 ? measured.outcome.evidence as EvidenceOf[Id] : null
}

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
  readonly stabilizer: StabilizerId
  /** Indices of the candidates that it looks at; what it can put suspicion on. */
  readonly candidates: readonly number[]
  /** Everything that it looks at, candidates included: where it fires, at least one of these is at fault. */
  readonly representations: readonly RepresentationId[]
  /** Digests of everything that its outcome depends on; where they are the same, so is the outcome. */
  readonly compares: readonly string[]
  readonly run: () => Promise<Outcome>
}

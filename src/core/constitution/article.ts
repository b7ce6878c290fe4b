import type { Expression } from '#core/policy/expression.ts'
import type { Environment } from '#core/policy/schema.ts'

export type ArticleKind = 'never-permit' | 'must-permit' | 'independent-of' | 'must-record' | 'never-error'

/** A theorem about every policy, written over concepts; `constitution.ts` has the document's schema. */
export type Article = {
  readonly id: string
  readonly principle: string
  readonly kind: ArticleKind
  readonly text: string
  /** Violating a hard article always refuses; a soft one lowers the score. */
  readonly hard: boolean
  /** Share of the score, > 0. */
  readonly weight: number
}

/**
 * An article bound to one schema: in each environment that it concerns, as Cedar expressions over that environment.
 *
 * `matches` and `unless` type-check in the environment and never fail to evaluate (optional attributes are guarded).
 * - never-permit: no request where `matches` and not `unless` is permitted.
 * - must-permit: every request where `matches` and not `unless` is permitted.
 * - independent-of: among requests where `matches`, the decision never depends on `protected`.
 * - must-record: every permitted request where `matches` carries `obligation`.
 * - never-error: no rule fails to evaluate (matches is true).
 */
export type BoundArticle = {
  readonly article: Article
  readonly environments: readonly { readonly environment: Environment; readonly matches: Expression; readonly unless: Expression | null }[]
  /** For independent-of. */
  readonly protected: readonly ProtectedFact[]
  /** For must-record. */
  readonly obligation: string | null
}

/** What must not matter: an attribute of an entity type, in records within it too, all its tags, or membership in entities of a type. */
export type ProtectedFact =
  | { readonly kind: 'attribute'; readonly type: string; readonly path: readonly string[] }
  | { readonly kind: 'tags'; readonly type: string }
  | { readonly kind: 'membership'; readonly of: string; readonly in: string }

/** An article that the schema does not bind, and the concepts that are missing. */
export type Inapplicable = { readonly article: Article; readonly missing: readonly string[] }

/** The names of the attributes that an article speaks of in a schema, sorted. */
export function attributesOf({ environments, protected: facts }: BoundArticle): readonly string[] {
  const names = new Set(facts.flatMap((fact) => (fact.kind === 'attribute' ? fact.path : [])))
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return
    if ('kind' in value && (value.kind === 'get' || value.kind === 'has')) names.add((value as unknown as { attribute: string }).attribute)
    Object.values(value).forEach(visit)
  }
  for (const { matches, unless } of environments) [matches, unless].forEach(visit)
  return [...names].sort()
}

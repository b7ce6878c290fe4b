import type { PolicySet } from '#core/policy/policy.ts'
import type { Schema } from '#core/policy/schema.ts'

/** What decides for an application: the revision that the decision point has loaded, every check passed. Replaced as a whole. */
export type ActiveRevision = {
  readonly application: string
  readonly revision: number
  /** Of the revision's content. */
  readonly digest: string
  /** Without the permits that rest on a revoked certificate. */
  readonly policies: PolicySet
  readonly schema: Schema
  /** Revoked certificates whose permits were taken out. */
  readonly withdrawn: readonly string[]
  /** By rule id: the sentence that the rule came from. */
  readonly sentenceOf: ReadonlyMap<string, string>
}

import type { Schema } from '#core/policy/schema.ts'

/** What someone wants to have governed, as it arrived and passed the edge. */
export type GovernanceRequest = {
  readonly title: string
  readonly description: string
  readonly stakeholders: readonly string[]
  /** Ids of principles of the constitution in force. */
  readonly principles: readonly string[]
  readonly priority: 'low' | 'medium' | 'high' | 'critical'
  readonly examples: readonly Example[]
  /** Numbers of sentences that the author marked as explanation: they rule nothing. */
  readonly explanations: readonly number[]
  /** Score from which on a policy can be certified, 0..1. */
  readonly complianceThreshold: number
  /** Two independent readers must have read every sentence. */
  readonly consensusRequired: boolean
  /** Several language models must agree. */
  readonly multiModelValidation: boolean
  /** The generation whose questions were answered. */
  readonly revises?: string
}

/** A decision the author expects: this request, this answer. */
export type Example = {
  readonly name: string
  readonly request: CedarRequest
  readonly entities: readonly CedarEntity[]
  readonly decision: 'allow' | 'deny'
  /** Of a request that is allowed: which obligations must be demanded with it, and which must not. Of others it says nothing. */
  readonly obligations?: { readonly [name: string]: boolean }
}

/** A request in the form of Cedar's own tools: uids as text, e.g. `User::"ana"`. */
export type CedarRequest = {
  readonly principal: string
  readonly action: string
  readonly resource: string
  readonly context: { readonly [name: string]: unknown }
}

/** An entity in Cedar's JSON format. */
export type CedarEntity = {
  readonly uid: { readonly type: string; readonly id: string }
  readonly attrs: { readonly [name: string]: unknown }
  readonly parents: readonly { readonly type: string; readonly id: string }[]
  readonly tags?: { readonly [name: string]: unknown }
}

/**
 * The intended meaning, never directly observable: what every later step is a witness of.
 * Sentences are numbered from 1; `[start, end)` are UTF-16 offsets into the description.
 */
export type SemanticUnit = {
  readonly id: string
  readonly request: GovernanceRequest
  readonly schema: Schema
  readonly sentences: readonly Sentence[]
}

export type Sentence = {
  readonly number: number
  readonly text: string
  readonly start: number
  readonly end: number
  /** It has a modal, a negation or an action of the schema: left unread, it leaves the whole request undetermined. */
  readonly mayRule: boolean
  /** Marked by the author as explanation. */
  readonly isExplanation: boolean
}

/** Whether a sentence, left unread, could hide a rule: it may rule, and its author has not declared it as explanation. */
export function mayHideRule(unit: SemanticUnit, sentence: number): boolean {
  const found = unit.sentences[sentence - 1]
  return found !== undefined && found.mayRule && !found.isExplanation
}

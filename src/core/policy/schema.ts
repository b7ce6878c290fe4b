/**
 * An application's vocabulary: its Cedar schema with common types resolved, names fully qualified and annotations kept.
 * Made by `adapters/cedar` from a schema's text; the text itself is what is signed.
 */
export type Schema = {
  readonly text: string
  /** SHA-256 of the text, annotations included. */
  readonly digest: string
  readonly entityTypes: ReadonlyMap<string, EntityType>
  readonly actions: ReadonlyMap<string, Action>
  /** Every combination that a request can have: one proof question each. Sorted by action, principal, resource. */
  readonly environments: readonly Environment[]
}

/** Annotations of Cedar's syntax, e.g. `doc`, `synonyms`, `concept`. */
export type Annotations = { readonly [name: string]: string }

export type EntityType = {
  readonly name: string
  readonly annotations: Annotations
  /** Types its entities may be directly in. */
  readonly memberOf: readonly string[]
  /** The same, transitively: every type that `in` can lead to, itself only when the schema says so. */
  readonly ancestors: readonly string[]
  readonly shape: RecordType
  readonly tags: Type | null
  /** The only ids there are, for an enumerated type. */
  readonly ids: readonly string[] | null
}

/** An action by its uid's text, e.g. `Action::"view"` or `Clinic::Action::"view"`, the key of `Schema.actions`. */
export type Action = {
  readonly uid: { readonly type: string; readonly id: string }
  readonly annotations: Annotations
  /** Uid texts of the action groups it is in, transitively. */
  readonly ancestors: readonly string[]
  readonly principals: readonly string[]
  readonly resources: readonly string[]
  readonly context: RecordType
}

export type Environment = {
  readonly principal: string
  /** The action's uid text. */
  readonly action: string
  readonly resource: string
}

export type Type =
  | { readonly kind: 'bool' | 'long' | 'string' }
  | { readonly kind: 'entity'; readonly name: string }
  | { readonly kind: 'set'; readonly element: Type }
  | RecordType
  | { readonly kind: 'extension'; readonly name: string }

export type RecordType = { readonly kind: 'record'; readonly attributes: { readonly [name: string]: Attribute } }

export type Attribute = { readonly type: Type; readonly required: boolean; readonly annotations: Annotations }

/** The concepts that an annotation `@concept("a, b")` names. */
export function concepts(annotations: Annotations): readonly string[] {
  return words(annotations['concept'])
}

/** The phrases that an annotation `@synonyms("a, b")` names. */
export function synonyms(annotations: Annotations): readonly string[] {
  return words(annotations['synonyms'])
}

function words(list: string | undefined): readonly string[] {
  return (list ?? '').split(',').map((word) => word.trim()).filter((word) => word !== '')
}

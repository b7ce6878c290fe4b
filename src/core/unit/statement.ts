/**
 * What one sentence says, before any schema has been asked: words in their places. A reader makes it, `groundStatement`
 * turns it into norms. Everything that a sentence says has a place here; a word without a place makes the sentence unread.
 *
 * Words are as written (any inflection, any case), without articles and quantifiers.
 */
export type Statement = {
  /**
   * - `permit`, `forbid`: the subject may, must not do the deeds.
   * - `require`: the deeds are forbidden unless `requirement` holds; where it names nothing, `duty` is what must be done.
   * - `oblige`: whoever does the deeds must do `duty`.
   */
  readonly force: 'permit' | 'forbid' | 'require' | 'oblige'
  /**
   * With `permit` only. `subject`: "Only nurses may …". `condition`: "may only … of/if …", "… only if …". `deed`: of these objects nothing but
   * these deeds. `all`: these deeds on these objects, and nothing else at all.
   */
  readonly only: 'subject' | 'condition' | 'deed' | 'all' | null
  /** `only` stands before the verb, so that it can be about the verb, the object or both. */
  readonly isOnlyOfVerb?: true
  /** Any of these; empty: anyone. */
  readonly subject: readonly Noun[]
  /** "Nobody except nurses", "everyone but contractors". */
  readonly exceptSubject: readonly Noun[]
  readonly deeds: readonly Deed[]
  readonly when: Condition | null
  readonly unless: Condition | null
  /** Nouns after "except" behind the deed: objects ("except sealed charts") or subjects ("except nurses"), whichever they name. */
  readonly except: readonly Noun[]
  readonly requirement: Condition | null
  /** What must be done: `['logged']`, `['notify', 'the', 'council']`. */
  readonly duty: readonly string[] | null
}

export type Deed = {
  /** The verb or the noun made of it, e.g. `['exported']`, `['sign', 'off']`; null: any action ("do anything with"). */
  readonly verb: readonly string[] | null
  /** Any of these; empty: whatever the action applies to. */
  readonly object: readonly Noun[]
  /** What follows and is neither object nor condition: "to anyone", "from outside the hospital", "on behalf of …". */
  readonly tails: readonly Tail[]
}

export type Tail = { readonly preposition: string; readonly noun: Noun }

/** A noun phrase. Without words it is anyone, anything, those, ones. */
export type Noun = {
  /** Adjectives and head: `['sealed', 'charts']`. */
  readonly words: readonly string[]
  /** The id in quotes behind it: folder "public". */
  readonly quoted: string | null
  /** "other users", "another user's", "someone else": not the subject. */
  readonly other: boolean
  /** "the ward": one that is known already. Where it names nothing known, the sentence is unread. */
  readonly isDefinite?: boolean
  readonly modifiers: readonly Modifier[]
}

export type Modifier =
  /** "their own chart" (`isSaid`), "their chart": it is the subject's. `isIts`: "its driver", who is never the subject's. */
  | { readonly kind: 'own'; readonly isSaid: boolean; readonly isIts?: true }
  /** "of patients", "of their own ward" (the noun is `own`), "the patient's", "in the same department" (`same`). */
  | { readonly kind: 'of'; readonly preposition: string; readonly noun: Noun }
  | { readonly kind: 'same'; readonly words: readonly string[]; readonly as: Ref | null }
  /** "that are sealed", "who are on duty", "whose status is open", "they treat": holds of the noun, which is `this` in it. */
  | { readonly kind: 'such'; readonly condition: Condition }

/** What a condition speaks about. */
export type Ref =
  /** The noun that the clause hangs on. */
  | { readonly kind: 'this' }
  /** he, she, the sentence's actor and nobody else. */
  | { readonly kind: 'subject' }
  /** it. */
  | { readonly kind: 'it' }
  /** they, them: the subject, or the object when only that makes sense. */
  | { readonly kind: 'they' }
  | { readonly kind: 'noun'; readonly noun: Noun }

export type Condition =
  | { readonly kind: 'all' | 'any'; readonly parts: readonly Condition[] }
  | { readonly kind: 'not'; readonly of: Condition }
  /**
   * A boolean, an enumerated value, a role or a type: "is sealed", "are on duty", "is a manager", "has given consent", and, with
   * `of` null, "with consent", "in an emergency", "unless approved". Prepositions stay among the words.
   */
  | { readonly kind: 'is'; readonly of: Ref | null; readonly words: readonly string[] }
  /** "is at most 500", "is open", "is one of A, B" (`values` several, operator `==`: any of them). */
  | { readonly kind: 'compare'; readonly left: Operand; readonly operator: Operator; readonly values: readonly Operand[] }
  /** "they treat the patient", "the document belongs to them", "the ticket is assigned to them" (verb `['assigned', 'to']`). */
  | { readonly kind: 'relates'; readonly subject: Ref; readonly verb: readonly string[]; readonly object: Ref }
  /** "is the owner of the document", "is a member of the project", "is a doctor", "is their own chart"; "of which they are the driver" (`whose`). */
  | { readonly kind: 'isa'; readonly of: Ref; readonly noun: Noun; readonly whose?: Ref }
  /** "are in the same department [as the owner]". */
  | { readonly kind: 'same'; readonly of: Ref; readonly words: readonly string[]; readonly as: Ref | null }
  /** "are in the project", "are in group "finance"", "is outside of …" is not one. */
  | { readonly kind: 'within'; readonly of: Ref; readonly noun: Noun }

/** A condition that joins no others. */
export type Atom = Exclude<Condition, { kind: 'all' | 'any' | 'not' }>

export type Operator = '<' | '<=' | '>' | '>=' | '==' | '!='

export type Operand =
  /** "the amount", "the amount of the payment", "their limit"; `words` empty with `of`: the thing itself, or its one quantity. */
  | { readonly kind: 'attribute'; readonly words: readonly string[]; readonly of: Ref | null }
  /** Digits without separators, and the unit as written: `EUR`, `$`, `days`. */
  | { readonly kind: 'number'; readonly digits: string; readonly unit: string | null }
  /** Quoted text, or words where a value stands. */
  | { readonly kind: 'text'; readonly value: string; readonly quoted: boolean }

/** A noun of these words and nothing else. */
export function noun(words: readonly string[], rest: Partial<Noun> = {}): Noun {
  return { words, quoted: null, other: false, modifiers: [], ...rest }
}

/** A statement with nothing said but what is given. */
export function statement(parts: Partial<Statement> & Pick<Statement, 'force'>): Statement {
  return {
    only: null, subject: [], exceptSubject: [], deeds: [], when: null, unless: null, except: [], requirement: null, duty: null,
    ...parts,
  }
}

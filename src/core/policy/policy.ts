import type { Expression, Uid } from './expression.ts'

/** An enforceable policy: Cedar text, and the rules that Cedar's own parser read from exactly that text. */
export type PolicySet = { readonly text: string; readonly rules: readonly Rule[] }

export type Rule = {
  /** Unique in its set: the `@id` annotation, else `policy0`, `policy1` … in the order of the text. */
  readonly id: string
  readonly effect: 'permit' | 'forbid'
  readonly annotations: { readonly [name: string]: string }
  readonly principal: Scope
  readonly action: ActionScope
  readonly resource: Scope
  /** `when` bodies; all must hold. They are evaluated in order, then those of `unless`: each may fail only where those before it hold. */
  readonly when: readonly Expression[]
  /** `unless` bodies; none may hold. */
  readonly unless: readonly Expression[]
}

export type Scope =
  | { readonly kind: 'any' }
  | { readonly kind: 'eq' | 'in'; readonly uid: Uid }
  | { readonly kind: 'is'; readonly type: string; readonly in: Uid | null }

export type ActionScope = { readonly kind: 'any' } | { readonly kind: 'eq'; readonly uid: Uid } | { readonly kind: 'in'; readonly uids: readonly Uid[] }

/** The same rule under another id; its annotation goes, which would say the old one. */
export function renamed(rule: Rule, id: string): Rule {
  const { id: _, ...annotations } = rule.annotations
  return { ...rule, id, annotations }
}

/** What a permit demands of whoever lets it through: the comma-separated `@obligation` annotation, sorted, without repeats. */
export function obligations(rule: Rule): readonly string[] {
  const list = (rule.annotations['obligation'] ?? '').split(',').map((word) => word.trim())
  return [...new Set(list)].filter((word) => word !== '').sort()
}

/** What permits demand together, sorted, without repeats. */
export function obligationsOfAll(permits: readonly Rule[]): readonly string[] {
  return [...new Set(permits.flatMap(obligations))].sort()
}

/** `Type::"id"`, with the id quoted as Cedar quotes it. */
export function uidText(uid: Uid): string {
  return `${uid.type}::${quote(uid.id)}`
}

/** A string literal of Cedar. Its escapes are Rust's: what does not print is written as `\u{…}`. */
export function quote(value: string): string {
  if (/^[ !#-[\]-~]*$/.test(value)) return `"${value}"`
  const escaped = [...value].map((char) => {
    if (char === '"' || char === '\\') return `\\${char}`
    return /[\p{L}\p{M}\p{N}\p{P}\p{S} ]/u.test(char) ? char : `\\u{${(char.codePointAt(0) as number).toString(16)}}`
  })
  return `"${escaped.join('')}"`
}

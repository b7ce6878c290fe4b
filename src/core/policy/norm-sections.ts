import type { Norm } from '#core/unit/norm.ts'
import { renderNorm } from './english.ts'

/** Norms of one modality as the document says them: numbered, each in words made from its meaning, with its source beneath. */
export function sayNorms(norms: readonly Norm[], modality: Norm['modality']): readonly string[] {
  return norms.filter((norm) => norm.modality === modality).map((norm) => `${norm.id}. ${capital(renderNorm(norm))}.\n   > ${norm.source}`)
}

/** Rules as the document says them. */
export function sayRules(cedar: string): string {
  return `\`\`\`cedar\n${cedar}\`\`\``
}

/** The part of the document that binds: its norms in words, and its rules. */
export function sayWhatBinds(norms: readonly Norm[], cedar: string): string {
  return [...(['permit', 'forbid', 'oblige'] as const).flatMap((modality) => sayNorms(norms, modality)), sayRules(cedar)].join('\n')
}

/** Reads the rules back from a document; null when it has none, or several. */
export function rulesIn(document: string): string | null {
  const found = [...document.matchAll(/^```cedar\n([\s\S]*?)```$/gm)]
  return found.length === 1 ? (found[0]?.[1] ?? null) : null
}

/** Reads the norms back from a document, as they are said there, by id. */
export function normsIn(document: string): ReadonlyMap<string, string> {
  return new Map([...document.matchAll(/^(N\d+(?:\.\d+)?)\. (.*)$/gm)].map(([, id = '', text = '']) => [id, text]))
}

export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

import { canonical, type Json } from '#core/canonical.ts'

/**
 * One act, for ever: what happened, when, to whom, and the digests of the bodies that tell the rest.
 *
 * It holds no body, so that a body can be erased (GDPR Article 17) without breaking the tree.
 */
export type LedgerEntry = {
  readonly kind: LedgerKind
  /** UTC, ISO 8601, milliseconds. */
  readonly at: string
  /** Ids, by noun: `{ generation: '…', certificate: '…' }`; an answer that is kept to be given again has its SHA-256 for one. */
  readonly subject: { readonly [noun: string]: string }
  /** SHA-256 in hex, of the canonical form of each body. */
  readonly digests: { readonly [body: string]: string }
}

/** The acts that are recorded. */
export const LEDGER_KINDS = [
  'generation.certified', 'generation.refused', 'generation.undetermined',
  'application.put', 'entities.changed',
  'revision.proposed', 'revision.approved', 'revision.activated', 'revision.reproved', 'revision.disagreed', 'revision.released',
  'certificate.revoked',
] as const
export type LedgerKind = (typeof LEDGER_KINDS)[number]

/** What an entry is found by: the id of what its kind is about, e.g. a generation's, or `clinic` for all acts on that application. */
export function subjectOf({ kind, subject }: { readonly kind: string; readonly subject: LedgerEntry['subject'] }): string | null {
  const noun = kind.startsWith('generation.') ? 'generation' : kind.startsWith('certificate.') ? 'certificate' : 'application'
  return subject[noun] ?? null
}

/** The bytes that the ledger hashes. */
export function entryText(entry: LedgerEntry): string {
  return canonical(entry)
}

/** Reads an entry back; null when the text is not the canonical form of one. Kinds of later releases are read as well. */
export function readEntry(text: string): (Omit<LedgerEntry, 'kind'> & { readonly kind: string }) | null {
  let value: Json
  try {
    value = JSON.parse(text) as Json
    if (canonical(value) !== text) return null
  } catch {
    return null
  }
  if (!isTextMap(value, ['kind', 'at'])) return null
  const { kind, at, subject, digests } = value
  if (typeof kind !== 'string' || typeof at !== 'string' || !isTextMap(subject) || !isTextMap(digests)) return null
  return { kind, at, subject: subject as LedgerEntry['subject'], digests: digests as LedgerEntry['digests'] }
}


function isTextMap(value: Json | undefined, only?: readonly string[]): value is { readonly [key: string]: Json } {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  return (only ?? Object.keys(value)).every((key) => typeof (value as Record<string, Json>)[key] === 'string')
}

import { readFileSync } from 'node:fs'
import type { Constitution } from '#core/constitution/constitution.ts'
import { parseConstitution } from '#core/constitution/constitution.ts'
import { checkRatification, parseRatification, type Ratification } from '#core/constitution/ratification.ts'
import { INHERITED_ID } from '#core/constitution/inherited.ts'
import { Failure } from '#core/failure.ts'

/** A constitution that may be enforced: its document, and the record that ties it to its id. */
export type ConstitutionInForce = {
  readonly constitution: Constitution
  readonly ratification: Ratification | null
  /** The 16-digit id, and the full SHA-256 of the document that stands behind it. */
  readonly shown: { readonly hash: string; readonly digest: string; readonly isInherited: boolean }
}

/**
 * The constitution of two files, as the service enforces it.
 *
 * @param expected `CONSTITUTIONAL_HASH`.
 * @throws {Failure} `FILE_UNREADABLE`, `CONSTITUTION_INVALID`, or `CONSTITUTION_MISMATCH` when document, record and expected hash disagree.
 */
export function loadConstitution(files: { readonly document: string; readonly ratification: string }, expected: string): ConstitutionInForce {
  const constitution = parseConstitution(text(files.document))
  const ratification = parseRatification(text(files.ratification))
  checkRatification(constitution, ratification, expected)
  return { constitution, ratification, shown: { hash: ratification.id, digest: constitution.digest, isInherited: ratification.id === INHERITED_ID } }
}

/** A constitution that nobody ratified, for trying things out: its id is the beginning of its own digest. */
export function loadDraft(document: string): ConstitutionInForce {
  const constitution = parseConstitution(text(document))
  return { constitution, ratification: null, shown: { hash: constitution.digest.slice(0, 16), digest: constitution.digest, isInherited: false } }
}

function text(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new Failure('FILE_UNREADABLE', `cannot read \`${file}\`: ${(cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file' : (cause as Error).message}`, { cause })
  }
}

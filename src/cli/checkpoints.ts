import { existsSync } from 'node:fs'
import type { Config } from '#config'
import { noteFile } from '#adapters/checkpoint-file.ts'
import { keysIn, keySetFile, publicKeysIn } from '#adapters/keys/certificate-key.ts'
import type { LedgerProblem } from '#adapters/postgres/ledger-verify.ts'
import { Failure } from '#core/failure.ts'
import { openCheckpoint, type SignedCheckpoint } from '#core/ledger/checkpoint.ts'
import type { NoteKey } from '#core/ledger/note.ts'

export type Outside = SignedCheckpoint & { readonly file: string }

/** The checkpoints that are kept outside of the database; one that does not count is a problem. */
export function readOutside(files: readonly string[], keys: readonly NoteKey[], config: Config, mustBeThere: boolean): { found: readonly Outside[]; problems: LedgerProblem[] } {
  const problems: LedgerProblem[] = []
  const found = files.flatMap((file): Outside[] => {
    const note = noteFile(file).read()
    if (note === null && mustBeThere) throw new Failure('FILE_UNREADABLE', `there is no file \`${file}\``)
    if (note === null) return []
    try {
      return [{ ...openCheckpoint(note, keys, config.audit.checkpointOrigin), file }]
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      problems.push({ from: null, to: null, message: `${error.message} (${file})` })
      return []
    }
  })
  return { found, problems }
}

/** Whose checkpoints count; null when the data folder has no keys and none were given. */
export function trusted(config: Config, options: { readonly trust?: string }): readonly NoteKey[] | null {
  const file = options.trust ?? keySetFile(keysIn(config.service.dataFolder))
  return options.trust === undefined && !existsSync(file) ? null : publicKeysIn(file)
}

import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Failure } from '#core/failure.ts'
import { whyUnwritable } from './file-failure.ts'

/** Where one note is kept: the newest checkpoint, outside of the database that it speaks about. */
export type NoteStore = {
  /** How people find it. */
  readonly name: string
  /** Null when nothing was ever written. @throws {Failure} `FILE_UNREADABLE` */
  readonly read: () => string | null
  /** When it returns, the note survives a loss of power; whoever reads sees the old note or the new one. @throws {Failure} `FILE_UNREADABLE` */
  readonly write: (note: string) => void
}

/** A note in a file; its folder is made when it is first written. */
export function noteFile(file: string): NoteStore {
  return {
    name: file,
    read: () => {
      try {
        return readFileSync(file, 'utf8')
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null
        throw new Failure('FILE_UNREADABLE', `cannot read the checkpoint \`${file}\``, { cause })
      }
    },
    write: (note) => {
      try {
        mkdirSync(dirname(file), { recursive: true, mode: 0o755 })
        const draft = `${file}.new`
        const opened = openSync(draft, 'w', 0o644)
        try {
          writeSync(opened, note)
          fsyncSync(opened)
        } finally {
          closeSync(opened)
        }
        renameSync(draft, file)
        syncFolder(dirname(file))
      } catch (cause) {
        throw new Failure('FILE_UNREADABLE', `cannot write the checkpoint \`${file}\`: ${whyUnwritable(cause) ?? 'choose another place with audit.checkpoint_file'}`, { cause })
      }
    },
  }
}

/** Where the platform keeps the newest checkpoint. */
export function checkpointFileOf({ service, audit }: { readonly service: { readonly dataFolder: string }; readonly audit: { readonly checkpointFile: string | null } }): string {
  return audit.checkpointFile ?? join(service.dataFolder, 'ledger', 'checkpoint')
}

/** Where compliance remembers the last checkpoint it signed. */
export function signedCheckpointFileOf({ service }: { readonly service: { readonly dataFolder: string } }): string {
  return join(service.dataFolder, 'decision-point', 'checkpoint')
}

function syncFolder(folder: string): void {
  const opened = openSync(folder, 'r')
  try {
    fsyncSync(opened)
  } finally {
    closeSync(opened)
  }
}

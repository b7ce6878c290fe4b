import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { Failure } from '#core/failure.ts'
import { ApplicationName } from '#core/revision/application.ts'

const Kept = z.strictObject({ revision: z.int().positive(), digest: z.string(), bundle: z.unknown() })
const Revoked = z.strictObject({ revoked: z.array(z.string()) })

/** What the decision point must not forget between two starts: the highest revision of every application, and what was revoked. */
export type StateFolder = {
  readonly kept: () => readonly { readonly application: string; readonly revision: number; readonly digest: string; readonly bundle: unknown }[]
  readonly keep: (application: string, kept: { readonly revision: number; readonly digest: string; readonly bundle: unknown }) => void
  readonly revoked: () => readonly string[]
  readonly keepRevoked: (ids: readonly string[]) => void
}

/**
 * A folder with one file an application. Every file is there whole or not at all.
 *
 * @throws {Failure} `FILE_UNREADABLE` when a file is not one of ours: a decision point that has forgotten what it saw could be made to load
 *   an old revision again, so that it must not start as if the folder were empty.
 */
export function stateFolder(folder: string): StateFolder {
  const revisions = join(folder, 'revisions')
  mkdirSync(revisions, { recursive: true, mode: 0o700 })
  const revokedFile = join(folder, 'revoked.json')
  return {
    kept: () => readdirSync(revisions).filter((name) => name.endsWith('.json')).sort().map((name) => {
      const application = ApplicationName.safeParse(name.slice(0, -'.json'.length))
      if (!application.success) throw unreadable(join(revisions, name))
      return { application: application.data, ...read(join(revisions, name), Kept) }
    }),
    keep: (application, kept) => writeWhole(join(revisions, `${application}.json`), kept),
    revoked: () => read(revokedFile, Revoked, { revoked: [] }).revoked,
    keepRevoked: (ids) => writeWhole(revokedFile, { revoked: [...ids].sort() }),
  }
}

function read<S extends z.ZodType>(file: string, shape: S, absent?: z.output<S>): z.output<S> {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' && absent !== undefined) return absent
    throw unreadable(file, error)
  }
  try {
    return shape.parse(JSON.parse(text))
  } catch (error) {
    throw unreadable(file, error)
  }
}

function unreadable(file: string, cause?: unknown): Failure {
  return new Failure('FILE_UNREADABLE', `\`${file}\` is not what the decision point wrote: restore it from a backup, or remove it knowing that an old revision could then be loaded again`, { cause })
}

function writeWhole(file: string, value: unknown): void {
  writeFileSync(`${file}.new`, JSON.stringify(value), { mode: 0o600, flush: true })
  renameSync(`${file}.new`, file)
}

import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { Failure } from '#core/failure.ts'
import { ApplicationName } from '#core/revision/application.ts'
import { Notice } from '#core/revision/notice.ts'

const Slow = z.strictObject({
  application: ApplicationName,
  revision: z.int().positive(),
  digest: z.string(),
  since: z.iso.datetime(),
  /** Where the question is; null: it could not be written out. */
  fixture: z.string().nullable(),
  differences: z.array(z.string()).readonly(),
})
const Kept = z.strictObject({ slow: z.array(Slow).readonly(), untold: z.array(Notice).readonly() })

/** A revision by which Cedar's engine decides, since the evaluator did not agree with it. */
export type SlowRevision = z.infer<typeof Slow>
export type Kept = z.infer<typeof Kept>

/** So many disagreements are kept as files, the newest. */
const FIXTURES_MAX = 20

/** What the oracle must not forget between two starts, and the questions that it wrote out. */
export type OracleFolder = {
  readonly kept: () => Kept
  readonly keep: (kept: Kept) => void
  /** @returns Where it is. */
  readonly writeFixture: (name: string, text: string) => string
}

/** @param folder Of the decision point's state. @throws {Failure} `FILE_UNREADABLE` from `kept` when the file is not one of ours. */
export function oracleFolder(folder: string): OracleFolder {
  const file = join(folder, 'slow-path.json')
  const fixtures = join(folder, 'disagreements')
  mkdirSync(fixtures, { recursive: true, mode: 0o700 })
  const write = (to: string, text: string): void => {
    writeFileSync(`${to}.new`, text, { mode: 0o600, flush: true })
    renameSync(`${to}.new`, to)
  }
  return {
    kept: () => {
      try {
        return Kept.parse(JSON.parse(readFileSync(file, 'utf8')))
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return { slow: [], untold: [] }
        throw new Failure('FILE_UNREADABLE', `\`${file}\` is not what the oracle wrote: restore it from a backup, or remove it knowing that revisions about which Cedar’s engine disagreed are decided by the evaluator again`, { cause })
      }
    },
    keep: (kept) => write(file, JSON.stringify(kept)),
    writeFixture: (name, text) => {
      write(join(fixtures, name), text)
      // By when they were written: the end of the name says it.
      const written = readdirSync(fixtures).filter((each) => each.endsWith('.json')).sort((a, b) => ((a.split('-').at(-1) as string) < (b.split('-').at(-1) as string) ? -1 : 1))
      for (const old of written.slice(0, -FIXTURES_MAX)) rmSync(join(fixtures, old), { force: true })
      return join(fixtures, name)
    },
  }
}

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { checkBackup, restoreInto, validateBackup, type Validated } from '#adapters/postgres/backup.ts'
import { contentOf, notEmpty } from '#adapters/postgres/empty.ts'
import { Failure } from '#core/failure.ts'
import { INTERRUPTED, INTERRUPTING, allParts, comparesLedger, configOf, knownOutside, megabytes, onDatabase, problemLines, withFile, withTarget, type DatabaseOptions } from './ops-database.ts'
import { counted, EXIT, finish, progress, type Answer } from './terminal.ts'

type Options = DatabaseOptions & { keepOwners?: boolean; acceptOlder?: boolean }

export function restoreCommand(): Command {
  return restoring('restore', 'put a backup into an empty database and verify its ledger; a plain one is SQL, and all of it is run', './acgs ops restore backups/acgs.dump')
    .option('--keep-owners', 'keep the owners and rights of a backup in custom format; their roles must be there')
}

/** The same for an export. */
export function importCommand(): Command {
  return restoring('import', 'put an export into an empty database, of any version, and verify its ledger', './acgs ops import everything.acgs --data ./new')
}

function restoring(name: 'restore' | 'import', what: string, example: string): Command {
  return comparesLedger(onDatabase(name, what, example))
    .argument('<file>', `what ${name === 'import' ? '`acgs ops export` has' : '`acgs ops backup`, `acgs ops export` or pg_dump has'} written; - for standard input`)
    .option('--accept-older', 'also one that is older than the newest checkpoint: what came since is lost')
    .option('--dry-run', 'look at the file and at the database, and change nothing')
    .action((file: string, options: Options) => withFile(file, async (kept) => finish(await restore(kept, file, name, options), options)))
}

export function verifyCommand(): Command {
  return comparesLedger(onDatabase('verify', 'restore a backup into a scratch database, verify its ledger there, and compare it with the ledger of today', './acgs ops verify backups/acgs.dump'))
    .argument('<file>', 'a backup; - for standard input')
    .option('--dry-run', 'only look at the file')
    .action((file: string, options: Options) => withFile(file, async (kept) => finish(await verify(kept, file, options), options)))
}

async function restore(file: string, shown: string, name: 'restore' | 'import', options: Options): Promise<Answer> {
  const { kind, bytes } = await checkBackup(file)
  if (name === 'import' && kind !== 'export') throw new Failure('FILE_UNREADABLE', `\`${shown}\` is a backup by pg_dump, not an export: restore it with ./acgs ops restore`)
  const known = knownOutside(configOf(options), options)
  if (known.problems.length > 0) return { json: { file: shown, valid: false, problems: known.problems }, text: ['nothing was restored:', ...problemLines(known.problems)].join('\n'), exit: EXIT.no }
  if (options.dryRun && isNew(options)) return { json: { file: shown, kind, bytes, dry_run: true, empty: true, found: [] }, text: `would restore ${shown} (${kind}, ${megabytes(bytes)}) into a new embedded PostgreSQL\n${known.notice}`, exit: EXIT.yes }

  return withTarget(options, true, async ({ config, db, url, name: target, isEmbedded }) => {
    const found = await contentOf(db)
    if (found.length > 0) {
      return { json: { file: shown, kind, valid: null, empty: false, found }, text: '', error: `${notEmpty(found)}: restore into an empty one; nothing was changed`, exit: EXIT.no }
    }
    if (options.dryRun) return { json: { file: shown, kind, bytes, dry_run: true, empty: true, found }, text: `would restore ${shown} (${kind}, ${megabytes(bytes)}) into ${target}, which is empty\n${known.notice}`, exit: EXIT.yes }
    progress('restoring …', options)
    const { report, behind } = await restoreInto({
      db, url, file, parts: allParts(), known: known.found, keys: known.keys, keepOwners: options.keepOwners ?? false, isOlderAccepted: options.acceptOlder ?? false,
    })
    const json = { file: shown, kind, ...report, behind: known.found.length === 0 ? null : behind, compared: known.found.map(({ file: name, size, root }) => ({ file: name, size, root })) }
    if (!report.valid) {
      const older = behind > 0 ? [`it is older than what is known, by ${counted(behind, 'entry', 'entries')}. Restore a newer one, or this one with --accept-older`] : []
      return { json, text: ['not valid, and nothing of it was kept: the database is empty', ...problemLines(report.problems), ...older].join('\n'), exit: EXIT.no }
    }
    const unsigned = known.keys === null && isEmbedded ? [`before it is started, copy \`keys\`, \`ledger\` and \`decision-point\` of the data folder that was backed up into ${config.service.dataFolder}: a start without them makes new keys, by which no certificate or checkpoint of before counts`] : []
    const lost = behind === 0 ? [] : [`known from elsewhere and lost: ${counted(behind, 'entry', 'entries')}. Nothing is recorded before you go on as docs/concepts/ledger.md says (“When entries are lost for good”)`]
    return { json, text: [`restored into ${target} and valid: ${counted(report.entries, 'entry', 'entries')}, root ${report.root}`, known.notice, ...unsigned, ...lost].join('\n'), exit: EXIT.yes }
  })
}

async function verify(file: string, shown: string, options: Options): Promise<Answer> {
  if (options.dryRun) {
    const { kind, bytes } = await checkBackup(file)
    return { json: { file: shown, kind, bytes, dry_run: true }, text: `${shown} is whole, as far as its form shows that (${kind}, ${megabytes(bytes)}); it was not restored anywhere`, exit: EXIT.yes }
  }
  const config = configOf(options)
  const known = knownOutside(config, options)
  progress('restoring into a scratch database …', options)
  const asked = new AbortController()
  for (const signal of INTERRUPTING) process.once(signal, () => asked.abort()) // Asked twice, it ends at once.
  const validated = async (live: Parameters<typeof validateBackup>[0]['live'], url: string | null) =>
    validateBackup({ file, url, dataFolder: config.service.dataFolder, live, parts: allParts(), known: known.found, keys: known.keys, signal: asked.signal })
  let found: Validated
  try {
    found = isNew(options) ? await validated(null, null) : await withTarget(options, false, ({ db, url }) => validated(db, url))
  } catch (error) {
    if (!asked.signal.aborted) throw error
    return { json: { file: shown, valid: null, interrupted: true }, text: '', error: 'interrupted: the scratch database was removed, and the backup is not verified', exit: INTERRUPTED }
  }
  const problems = [...found.problems, ...known.problems]
  const valid = problems.length === 0
  const behind = found.behind === null ? 'not compared with a ledger of today' : found.behind === 0 ? 'nothing was recorded since' : `${counted(found.behind, 'entry', 'entries')} recorded since`
  return {
    json: { file: shown, ...found, valid, problems },
    text: valid
      ? [`valid: ${counted(found.entries, 'entry', 'entries')}, root ${found.root} (${found.kind}, ${megabytes(found.bytes)})`, `${behind}; ${known.notice}`].join('\n')
      : [`not valid: ${counted(found.entries, 'entry', 'entries')}`, ...problemLines(problems)].join('\n'),
    exit: valid ? EXIT.yes : EXIT.no,
  }
}

/** Whether there is no database yet: an embedded one would be made for the question. */
function isNew(options: DatabaseOptions): boolean {
  const { database, service } = configOf(options)
  return database.url === null && !existsSync(join(service.dataFolder, 'postgres'))
}

import { Option, type Command } from 'commander'
import packageJson from '../../package.json' with { type: 'json' }
import { backUp, planBackup, refuseTarget, type BackupKind } from '#adapters/postgres/backup.ts'
import { Failure } from '#core/failure.ts'
import { counted, EXIT, finish, progress, type Answer } from './terminal.ts'
import { megabytes, onDatabase, withTarget, type DatabaseOptions } from './ops-database.ts'

type Options = DatabaseOptions & { format?: BackupKind }

const MEANS: Readonly<Record<BackupKind, string>> = {
  custom: 'pg_dump’s custom format, which pg_restore reads',
  plain: 'plain SQL, which psql reads',
  export: 'an export of ours, which needs no program; `acgs ops restore` reads it, psql does not',
}

export function backupCommand(): Command {
  return onDatabase('backup', 'write the whole database into a file, from one snapshot, while everything goes on', './acgs ops backup backups/acgs.dump')
    .argument('<file>', 'where to; it must not be there yet. Its digest is written beside it, as FILE.sha256')
    .addOption(new Option('--format <format>', 'custom and plain: by pg_dump; export: by us, without any program. By default custom, and export for the embedded PostgreSQL, which brings no pg_dump').choices(Object.keys(MEANS)))
    .option('--dry-run', 'say what would be done, and write nothing')
    .action(async (file: string, options: Options) => finish(await backup(file, options), options))
}

/** The same by its other name: an export, also of a real server, to move to another one or to another version. */
export function exportCommand(): Command {
  return onDatabase('export', 'write everything into a file that any database of any version can take, the embedded one too', './acgs ops export everything.acgs')
    .argument('<file>', 'where to; it must not be there yet')
    .option('--dry-run', 'say what would be done, and write nothing')
    .action(async (file: string, options: Options) => finish(await backup(file, { ...options, format: 'export' }), options))
}

async function backup(file: string, options: Options): Promise<Answer> {
  if (file === '-') throw new Failure('FILE_UNREADABLE', 'a backup is a file with its digest beside it, and is not written to standard output: name a file')
  refuseTarget(file)
  return withTarget(options, false, async ({ db, url, name, isEmbedded }) => {
    const kind = options.format ?? (isEmbedded ? 'export' : 'custom')
    const plan = await planBackup(db, kind)
    const by = plan.program === null ? null : `${plan.program.name} ${plan.program.major} (${plan.program.path})`
    const of = { server: plan.server, embedded: isEmbedded, format: kind, program: by }
    if (options.dryRun) {
      return { json: { ...of, file, entries: plan.entries, dry_run: true }, text: `would write ${file}: ${counted(plan.entries, 'ledger entry', 'ledger entries')} of ${name}, PostgreSQL ${plan.server}, as ${MEANS[kind]}${by === null ? '' : `\nby ${by}`}`, exit: EXIT.yes }
    }
    progress('reading the database …', options)
    const { bytes, sha256, entries, file: written } = await backUp({ db, url, kind, file, release: packageJson.version, at: new Date() })
    return {
      json: { ...of, file: written, bytes, sha256, entries },
      text: [
        `${written}: ${megabytes(bytes)}, ${counted(entries, 'ledger entry', 'ledger entries')} of ${name}, sha256 ${sha256}`,
        `${MEANS[kind]}${by === null ? '' : `; by ${by}`}`,
        'keys and checkpoints are not in it: keep the data folder’s keys, ledger and decision-point too; try it with ./acgs ops verify',
      ].join('\n'),
      exit: EXIT.yes,
    }
  })
}

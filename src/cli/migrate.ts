import { join } from 'node:path'
import { Argument, type Command } from 'commander'
import { readConfig, ROOT } from '#config'
import { connect } from '#adapters/postgres/connect.ts'
import { migrate, readMigrations } from '#adapters/postgres/migrate.ts'
import { atStart } from '#adapters/postgres/unavailable.ts'
import { EXIT, finish, newCommand } from './terminal.ts'

type Options = { config?: string; json?: boolean; quiet?: boolean }

/** Whose tables are where: each process migrates its own part, with its own role. */
const PARTS = {
  platform: { folder: 'migrations', schema: 'public' },
  auth: { folder: join('migrations', 'auth'), schema: 'auth' },
} as const

export function command(): Command {
  return newCommand('migrate', 'bring the database of one process up to date before it starts; the start does the same', './acgs migrate platform')
    .addArgument(new Argument('<process>', 'whose part').choices(Object.keys(PARTS)))
    .option('--config <file>', 'another configuration file')
    .action(async (name: keyof typeof PARTS, options: Options) => {
      const { database } = readConfig({ file: options.config ?? null, env: process.env, process: name })
      const { folder, schema } = PARTS[name]
      await using db = connect(database.url as string, { name: 'migrate', connectionsMax: 1, connectTimeoutMs: database.connectTimeoutMs })
      const applied = await atStart(database.url as string, () => migrate(db, readMigrations(join(ROOT, folder)), schema))
      finish({ json: { process: name, applied }, text: applied.length === 0 ? `${name}: nothing to do` : applied.map((file) => `${name}: ${file}`).join('\n'), exit: EXIT.yes }, options)
    })
}

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { ROOT, readConfig } from '#config'
import { connect, type Database } from '#adapters/postgres/connect.ts'
import { borrowEmbedded } from '#adapters/postgres/embedded.ts'
import { verifyLedger } from '#adapters/postgres/ledger-verify.ts'
import { migrate, readMigrations } from '#adapters/postgres/migrate.ts'
import { Failure } from '#core/failure.ts'
import { EXIT, finish, newCommand, newGroup, progress } from './terminal.ts'

type Options = { data?: string; config?: string; json?: boolean; quiet?: boolean }

export function command(): Command {
  const verify = newCommand('verify', 'recompute the audit ledger and compare it with what is stored, and with the bodies that it digests', './acgs ledger verify')
    .option('--data <dir>', 'the data folder of the embedded database')
    .option('--config <file>', 'another configuration file')
    .action(async (options: Options) => {
      progress('reading the ledger …', options)
      const report = await withDatabase(options, (db) => verifyLedger(db))
      const range = ({ from, to }: { from: number | null; to: number | null }) => (from === null ? '' : from === to || to === null ? `entry ${from}: ` : `entries ${from} to ${to}: `)
      const text = report.valid
        ? `valid: ${report.entries} entries, root ${report.root}`
        : [`not valid: ${report.entries} entries`, ...report.problems.map((problem) => `  ${range(problem)}${problem.message}`)].join('\n')
      finish({ json: report, text, exit: report.valid ? EXIT.yes : EXIT.no }, options)
    })
  return newGroup('ledger', 'the audit ledger, in which every generation leaves an entry', './acgs ledger verify').addCommand(verify)
}

/**
 * The configured database, or the embedded one: that of the running product, else started for this command.
 *
 * @throws {Failure} `NOT_FOUND` where there is no ledger: one that is made for the question would be valid and say nothing.
 */
async function withDatabase<T>(options: Options, work: (db: Database) => Promise<T>): Promise<T> {
  const config = readConfig({ file: options.config ?? null, env: process.env, dataFolder: options.data })
  const { dataFolder } = config.service
  if (config.database.url === null && !existsSync(join(dataFolder, 'postgres'))) {
    throw new Failure('NOT_FOUND', `there is no database in \`${dataFolder}\`: give the data folder of the product with --data, or its PostgreSQL with DATABASE_URL`)
  }
  const embedded = config.database.url === null ? await borrowEmbedded({ dataDir: dataFolder }) : null
  try {
    await using db = connect(embedded?.url ?? (config.database.url as string), { name: 'cli' })
    const { rows } = await db.query<{ found: boolean }>(`select to_regclass('ledger_tip') is not null as found`)
    if (rows[0]?.found !== true) throw new Failure('NOT_FOUND', 'there is no ledger in this database: nothing was ever recorded in it')
    await migrate(db, readMigrations(join(ROOT, 'migrations')))
    return await work(db)
  } finally {
    await embedded?.stop()
  }
}

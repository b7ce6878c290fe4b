import { createWriteStream, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { ROOT, readConfig, type Config } from '#config'
import { checkpointFileOf, signedCheckpointFileOf } from '#adapters/checkpoint-file.ts'
import { connect, type Database } from '#adapters/postgres/connect.ts'
import { borrowEmbedded } from '#adapters/postgres/embedded.ts'
import type { Parts } from '#adapters/postgres/export.ts'
import type { LedgerProblem } from '#adapters/postgres/ledger-verify.ts'
import { readMigrations } from '#adapters/postgres/migrate.ts'
import { atStart, databaseName } from '#adapters/postgres/unavailable.ts'
import { Failure } from '#core/failure.ts'
import type { NoteKey } from '#core/ledger/note.ts'
import type { Command } from 'commander'
import { readOutside, trusted, type Outside } from './checkpoints.ts'
import { newCommand } from './terminal.ts'

/** What shells call a command that was interrupted. */
export const INTERRUPTED = 130
export const INTERRUPTING = ['SIGINT', 'SIGTERM'] as const

/** What the commands on a whole database take. */
export type DatabaseOptions = { data?: string; config?: string; trust?: string; checkpoint?: string; dryRun?: boolean; json?: boolean; quiet?: boolean }

/** The database that is meant: the embedded one of the data folder, or that of DATABASE_URL. `name` tells an operator which. */
export type Target = { readonly config: Config; readonly db: Database; readonly url: string; readonly name: string; readonly isEmbedded: boolean }

export function onDatabase(name: string, what: string, example: string): Command {
  return newCommand(name, what, example)
    .option('--data <dir>', 'the data folder: what its embedded database holds where there is no DATABASE_URL, and its checkpoints')
    .option('--config <file>', 'another configuration file')
}

/** Adds what a ledger is compared with. */
export function comparesLedger(command: Command): Command {
  return command
    .option('--trust <keys>', 'public keys whose checkpoints count; without it, those of the data folder')
    .option('--checkpoint <file>', 'a signed checkpoint that was kept; without it, those in the data folder')
}

export function configOf(options: DatabaseOptions): Config {
  return readConfig({ file: options.config ?? null, env: process.env, dataFolder: options.data, startsNothing: true })
}

/**
 * Does the work with the configured database: that of a running product, else the embedded one, started for this command.
 *
 * @param isNewAllowed Whether an embedded database may be made for it.
 * @throws {Failure} `NOT_FOUND` where there is none.
 */
export async function withTarget<T>(options: DatabaseOptions, isNewAllowed: boolean, work: (target: Target) => Promise<T>): Promise<T> {
  const config = configOf(options)
  const { dataFolder } = config.service
  if (config.database.url === null && !isNewAllowed && !existsSync(join(dataFolder, 'postgres'))) {
    throw new Failure('NOT_FOUND', `there is no database in \`${dataFolder}\`: give the data folder of the product with --data, or its PostgreSQL with DATABASE_URL`)
  }
  const borrowed = config.database.url === null ? borrowEmbedded({ dataDir: dataFolder }) : null
  // A server that was started for this command is no child that a signal reaches. Whoever listens already ends the work itself.
  const isHeard = process.listenerCount('SIGINT') > 0
  let isGivenUp = false
  const giveUp = () => {
    isGivenUp = true
    process.stderr.write('interrupted: no half of it is left\n')
    void (borrowed ?? Promise.resolve(null)).then((server) => server?.stop()).catch(() => {}).finally(() => process.exit(INTERRUPTED))
  }
  if (!isHeard) for (const signal of INTERRUPTING) process.once(signal, giveUp)
  const embedded = await borrowed
  try {
    const url = embedded?.url ?? (config.database.url as string)
    await using db = connect(url, { name: 'cli', connectionsMax: 4, connectTimeoutMs: config.database.connectTimeoutMs })
    return await atStart(url, () => work({ config, db, url, name: embedded === null ? databaseName(url) : `the embedded one in ${dataFolder}`, isEmbedded: embedded !== null }))
  } catch (error) {
    if (isGivenUp) await new Promise(() => {}) // What fails because its server ends is not worth a report: `giveUp` leaves.
    throw error
  } finally {
    await embedded?.stop()
    for (const signal of INTERRUPTING) process.off(signal, giveUp)
  }
}

export function allParts(): Parts {
  return { public: readMigrations(join(ROOT, 'migrations')), auth: readMigrations(join(ROOT, 'migrations', 'auth')) }
}

/** What is known of a ledger outside of any database: signed checkpoints, and whose count. */
export type Known = { readonly keys: readonly NoteKey[] | null; readonly found: readonly Outside[]; readonly problems: readonly LedgerProblem[]; readonly notice: string }

export function knownOutside(config: Config, options: DatabaseOptions): Known {
  const keys = trusted(config, options)
  if (keys === null && options.checkpoint !== undefined) throw new Failure('FILE_UNREADABLE', `there are no keys to trust in ${config.service.dataFolder}: give the public keys with --trust KEYS.json`)
  const files = options.checkpoint === undefined ? [checkpointFileOf(config), signedCheckpointFileOf(config)] : [options.checkpoint]
  const { found, problems } = keys === null ? { found: [], problems: [] } : readOutside(files, keys, config, options.checkpoint !== undefined)
  const notice = keys === null ? 'there are no keys to check signed checkpoints with: give them with --trust'
    : found.length === 0 ? 'not compared with a checkpoint outside of the database, so that an older one would not show; give one with --checkpoint'
    : `compared with the signed checkpoints in ${found.map(({ file, size }) => `${file} (${size})`).join(' and ')}`
  return { keys, found, problems, notice }
}

export function problemLines(problems: readonly LedgerProblem[]): readonly string[] {
  return problems.map(({ from, to, message }) => `  ${from === null ? '' : from === to || to === null ? `entry ${from}: ` : `entries ${from} to ${to}: `}${message}`)
}

/** Does the work with a file; standard input (`-`) is kept in one meanwhile, since it is read more than once. */
export async function withFile<T>(file: string, work: (file: string) => Promise<T>): Promise<T> {
  if (file !== '-') return work(file)
  const folder = mkdtempSync(join(tmpdir(), 'acgs-input-'))
  try {
    const kept = join(folder, 'input')
    await pipeline(process.stdin, createWriteStream(kept, { mode: 0o600 }))
    return await work(kept)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

export function megabytes(bytes: number): string {
  return bytes < 1_000_000 ? `${(bytes / 1_000).toFixed(1)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`
}

import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { sha256 } from '#core/canonical.ts'
import { Failure } from '#core/failure.ts'
import type { Database, Queryable } from './connect.ts'
import { unavailable } from './unavailable.ts'

export type Migration = {
  readonly number: number
  readonly name: string
  readonly sql: string
  readonly digest: string
  /** A line `--! breaking` in it: releases that do not know it cannot work on what it leaves. */
  readonly isBreaking: boolean
}

/** Any two replicas that start together meet at this advisory lock. */
const LOCK = 0x61636773 // 'acgs'

/**
 * How long a statement waits for a table that somebody uses, before everything is given up and tried again a little later: while it waits,
 * whatever comes after it waits behind it, the release before included.
 */
const WAIT: Wait = { lockMs: 1_000, pauseMs: 1_000, timesMax: 60 }
type Wait = { readonly lockMs: number; readonly pauseMs: number; readonly timesMax: number }
/** PostgreSQL's `lock_not_available`. */
const IS_IN_USE = '55P03'

/** The migrations of a folder in their order. Forward only: `0001_what_it_brings.sql`, whose first line says what and why. */
export function readMigrations(folder: string): readonly Migration[] {
  const migrations = readdirSync(folder)
    .filter((name) => name.endsWith('.sql'))
    .sort()
    .map((name) => {
      const sql = readFileSync(join(folder, name), 'utf8')
      return { number: Number(/^(\d{4})_[a-z0-9_]+\.sql$/.exec(name)?.[1]), name, sql, digest: sha256(sql), isBreaking: /^--! breaking$/m.test(sql) }
    })
  for (const [at, { number, name }] of migrations.entries()) {
    if (Number.isNaN(number)) throw refused(`\`${name}\` is not named like \`0001_what_it_brings.sql\``)
    if (number === migrations[at - 1]?.number) throw refused(`\`${name}\` has the number of \`${migrations[at - 1]?.name}\``)
  }
  return migrations
}

/**
 * Brings a database up to date: all that is missing, in one transaction, or nothing.
 *
 * What a newer release has already applied is left alone: the release before keeps working while the next one rolls out, unless what was applied is
 * marked as breaking. It never makes that one wait for long: who waits for a table in use gives up within a second, lets the others pass, and comes again.
 *
 * @param schema Where what was applied is noted; made when it is not there. Each process migrates its own part, with a role that may
 *   touch nothing else.
 * @returns the names applied now, in order.
 * @param signal Asks to give up, between two tries.
 * @throws {Failure} `DATABASE_UNAVAILABLE` when a migration was changed after it was applied, comes too late in the order, or fails; when a newer
 *   release has applied a breaking one; when a table was in use, or another process migrated, all the time. The signal's reason.
 */
export async function migrate(db: Database, migrations: readonly Migration[], schema: 'public' | 'auth' = 'public', wait: Wait = WAIT, signal?: AbortSignal): Promise<readonly string[]> {
  for (let times = 1; ; times++) {
    signal?.throwIfAborted()
    try {
      return await db.transaction((tx) => migrateIn(tx, migrations, schema, wait.lockMs))
    } catch (error) {
      const { code, message, cause } = error as { code?: string; message: string; cause?: { code?: string } }
      if (code === LACKS_RIGHT) throw refused(`is not possible: ${message}${OWNER}`, error)
      if (cause?.code !== IS_IN_USE || times >= wait.timesMax) throw error
      await sleep(wait.pauseMs, undefined, { signal })
    }
  }
}

/**
 * The same within a transaction that may do more.
 *
 * @param lockMs How long it may wait for a table, or for another process that migrates; as long as it takes without this.
 */
export async function migrateIn(tx: Queryable, migrations: readonly Migration[], schema: 'public' | 'auth' = 'public', lockMs = 0): Promise<readonly string[]> {
  const noted = `${schema}.schema_migrations`
  await tx.query('set local statement_timeout = 0')
  await tx.query(`set local lock_timeout = ${lockMs}`)
  await tx.query('select pg_advisory_xact_lock($1)', [LOCK]).catch((cause: unknown) => {
    if ((cause as { code?: string }).code !== IS_IN_USE) throw cause
    throw refused('waits for another process that migrates this database: let it finish, or end it (`select pid, application_name, query from pg_stat_activity`), and start again', cause)
  })
  // Looked for first: `if not exists` still demands the right to create schemas, which a role of its own need not have.
  if ((await tx.query('select from pg_namespace where nspname = $1', [schema])).rowCount === 0) await tx.query(`create schema ${schema}`)
  await tx.query(
    `create table if not exists ${noted} (
       number integer primary key, name text not null, digest text not null, applied_at timestamptz not null default now())`,
  )
  const hasMark = await tx.query("select from pg_attribute where attrelid = $1::regclass and attname = 'is_breaking'", [noted])
  if (hasMark.rowCount === 0) await tx.query(`alter table ${noted} add column is_breaking boolean not null default false`)
  const { rows } = await tx.query<{ number: number; name: string; digest: string; is_breaking: boolean }>(`select number, name, digest, is_breaking from ${noted} order by number`)
  const applied = new Map(rows.map((row) => [row.number, row.digest]))
  const newest = Math.max(0, ...applied.keys())
  const newestKnown = migrations.at(-1)?.number ?? 0
  const beyond = rows.find(({ number, is_breaking }) => is_breaking && number > newestKnown)
  if (beyond !== undefined) throw refused(`\`${beyond.name}\` of a newer release changed this database so that this release cannot work on it: start that release, or restore the backup from before it`)

  const now: string[] = []
  for (const { number, name, sql, digest, isBreaking } of migrations) {
    const before = applied.get(number)
    if (before === digest) continue
    if (before !== undefined) throw refused(`\`${name}\` was changed after this database applied it; restore it and add a new migration instead`)
    if (number < newest) throw refused(`\`${name}\` comes too late: this database is already at ${newest}; give it a higher number`)
    try {
      await tx.query(sql)
    } catch (cause) {
      const { code, message } = cause as { code?: string; message: string }
      if (code === IS_IN_USE) throw refused(`\`${name}\` waits for a table that is in use all the time: end what uses it (\`select pid, query from pg_stat_activity\`) and start again`, cause)
      throw unavailable(cause) ?? refused(`\`${name}\` failed: ${message}${code === LACKS_RIGHT ? OWNER : ''}`, cause)
    }
    await tx.query(`insert into ${noted} (number, name, digest, is_breaking) values ($1, $2, $3, $4)`, [number, name, digest, isBreaking])
    now.push(name)
  }
  return now
}

const LACKS_RIGHT = '42501'
const OWNER = ': run `acgs migrate` with the role that owns the tables, or grant it the right'

function refused(message: string, cause?: unknown): Failure {
  return new Failure('DATABASE_UNAVAILABLE', `migration ${message}`, { cause })
}

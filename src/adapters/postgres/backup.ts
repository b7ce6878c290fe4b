import { createHash, randomBytes } from 'node:crypto'
import { closeSync, createReadStream, createWriteStream, existsSync, fsyncSync, linkSync, lstatSync, openSync, readFileSync, readSync, rmSync, statSync, writeFileSync, type Stats } from 'node:fs'
import { mkdir, mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { whyUnreadable, whyUnwritable } from '#adapters/file-failure.ts'
import { Failure } from '#core/failure.ts'
import type { NoteKey } from '#core/ledger/note.ts'
import { connect, type Database, type Queryable } from './connect.ts'
import { emptyAgain, refuseFull, schemasOf } from './empty.ts'
import { checkExport, exportDatabase, importInto, type Parts } from './export.ts'
import { ledgerTree } from './ledger-tree.ts'
import { verifyLedger, type LedgerProblem, type LedgerReport } from './ledger-verify.ts'
import { hasLedger, ledgerTip, refuseWithoutLedger, type KnownState } from './ledger.ts'
import { migrate } from './migrate.ts'
import { findPrograms, programFor, runProgram, type Program } from './programs.ts'
import { openScratch } from './scratch.ts'

/** What a backup is: of `pg_dump` in its custom format or as plain SQL, or an export of ours. */
export type BackupKind = 'custom' | 'plain' | 'export'

/** A backup on disk. `entries` is how far the ledger had come in the snapshot that it is of. */
export type Backup = { readonly file: string; readonly kind: BackupKind; readonly bytes: number; readonly sha256: string; readonly entries: number }

/** What there is to do a backup with: which program, or none for an export. */
export type BackupPlan = { readonly kind: BackupKind; readonly program: Program | null; readonly server: string; readonly entries: number }

const WITHOUT = 'use `--format export`, which needs none'

/** What a backup of a database would be made with. @throws {Failure} `NOT_FOUND` when a program is missing, or there is no ledger. */
export async function planBackup(db: Queryable, kind: BackupKind): Promise<BackupPlan> {
  const server = await serverOf(db)
  await refuseWithoutLedger(db)
  return { kind, program: kind === 'export' ? null : programFor('pg_dump', server.major, WITHOUT), server: server.version, entries: (await ledgerTip(db)).size }
}

/**
 * Writes a backup of one snapshot of the whole database, and beside it its digest, as `sha256sum --check` reads it.
 *
 * Either both are there at the end, or neither; a file that is there already is never replaced.
 * @throws {Failure} `FILE_UNREADABLE` when it cannot be written; whatever `planBackup` throws.
 */
export async function backUp({ db, url, kind, file, release, at }: { db: Database; url: string; kind: BackupKind; file: string; release: string; at: Date }): Promise<Backup> {
  const target = resolve(file)
  refuseTarget(file)
  const { program } = await planBackup(db, kind)
  const draft = draftOf(target)
  let isBegun = false
  const clear = () => {
    if (isBegun) rmSync(draft, { force: true })
  }
  process.once('exit', clear) // An interrupted command ends without coming to `finally`.
  try {
    await mkdir(dirname(target), { recursive: true, mode: 0o700 })
    closeSync(openSync(draft, 'wx', 0o600))
    isBegun = true
    const entries = program === null
      ? await exportDatabase(db, { release, at }, async (lines, { ledger }) => (await pipeline(Readable.from(lines), createGzip(), createWriteStream(draft, { flags: 'w' })), ledger.size))
      : await db.transaction(async (tx) => {
        // The program reads the same snapshot as we do, so that what is said of the backup is true of it.
        const { rows } = await tx.query<{ id: string }>('select pg_export_snapshot() as id')
        await runProgram(program, [`--format=${kind}`, `--snapshot=${rows[0]?.id}`, `--file=${draft}`, '--lock-wait-timeout=60000'], url)
        return (await ledgerTip(tx)).size
      }, 'snapshot')
    sync(draft)
    const sha256 = await digestOf(draft)
    linkSync(draft, target)
    try {
      writeFileSync(digestFile(target), `${sha256}  ${basename(target)}\n`, { mode: 0o600, flag: 'wx' })
    } catch (cause) {
      rmSync(target)
      if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') rmSync(digestFile(target), { force: true })
      throw cause
    }
    return { file: target, kind, bytes: statSync(target).size, sha256, entries }
  } catch (cause) {
    if (cause instanceof Failure || !(cause as NodeJS.ErrnoException).code?.startsWith('E')) throw cause
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') refuseTaken(target) // Somebody was quicker.
    throw new Failure('FILE_UNREADABLE', `cannot write \`${target}\`: ${whyUnwritable(cause, 'name another place') ?? `it cannot be there (${(cause as NodeJS.ErrnoException).code}): name another place`}`, { cause })
  } finally {
    clear()
    process.off('exit', clear)
  }
}

/** Passes when a backup can be named so: neither it nor its digest is there, whatever they would be. @throws {Failure} `FILE_UNREADABLE` */
export function refuseTarget(file: string): void {
  if (file === '' || file.endsWith('/')) throw new Failure('FILE_UNREADABLE', `\`${file}\` names a folder: name a file in it`)
  refuseTaken(resolve(file))
}

function refuseTaken(target: string): void {
  for (const each of [target, digestFile(target), draftOf(target)]) {
    try {
      const isLost = lstatSync(each).isSymbolicLink() && !existsSync(each)
      throw new Failure('FILE_UNREADABLE', `\`${each}\` ${isLost ? 'is a link that leads nowhere: name another file' : existingAs(statSync(each))}`)
    } catch (cause) {
      if (cause instanceof Failure) throw cause
      const { code } = cause as NodeJS.ErrnoException
      if (code === 'ENOTDIR') throw new Failure('FILE_UNREADABLE', `cannot write \`${target}\`: its path leads through a file: name another place`, { cause })
      if (code === 'ENAMETOOLONG') throw new Failure('FILE_UNREADABLE', `cannot write \`${target}\`: the name is too long, with what is added to it: name it shorter`, { cause })
      if (code !== 'ENOENT') throw new Failure('FILE_UNREADABLE', `cannot write \`${target}\`: ${whyUnwritable(cause, 'name another place') ?? code}`, { cause })
    }
  }
}

/** Why a backup cannot be put where there is something. */
function existingAs(found: Stats): string {
  return found.isDirectory() ? 'is a folder: name a file in it' : found.isFile() ? 'is there already: name another file' : 'is no file, but a device, a pipe or a socket: name a file'
}

/**
 * What a file is, after finding it whole as far as its kind shows that.
 *
 * The digest beside it, when there is one, must be its own.
 * @throws {Failure} `FILE_UNREADABLE` when it is no backup, was cut off or changed.
 */
export async function checkBackup(file: string): Promise<{ readonly kind: BackupKind; readonly bytes: number }> {
  const kind = kindOf(file)
  const beside = existsSync(digestFile(file)) ? digestBeside(file) : null
  if (beside !== null && beside !== (await digestOf(file))) throw new Failure('FILE_UNREADABLE', `\`${file}\` cannot be used: it was changed or cut off, since its digest is not the one in \`${digestFile(file)}\``)
  if (kind === 'export') await checkExport(file)
  return { kind, bytes: statSync(file).size }
}

/** What a file is. @throws {Failure} `FILE_UNREADABLE` when it is no backup, or was seen to be cut off. */
export function kindOf(file: string): BackupKind {
  const found = recognized(file)
  if (found === null) throw new Failure('FILE_UNREADABLE', `\`${file}\` is no backup: neither of \`pg_dump\` (custom or plain) nor an export`)
  if (found.isCutOff) throw new Failure('FILE_UNREADABLE', `\`${file}\` cannot be used: it was cut off`)
  return found.kind
}

/** What a file is by how it begins and, where that is written, how it ends; null when it is no backup. @throws {Failure} `FILE_UNREADABLE` */
export function recognized(file: string): { readonly kind: BackupKind; readonly isCutOff: boolean } | null {
  const [head, tail] = ends(file)
  if (head.subarray(0, 5).toString('latin1') === 'PGDMP') return { kind: 'custom', isCutOff: false }
  if (head[0] === 0x1f && head[1] === 0x8b) return { kind: 'export', isCutOff: false }
  if (!head.toString('latin1').includes('-- PostgreSQL database dump')) return null
  return { kind: 'plain', isCutOff: !tail.toString('latin1').includes('-- PostgreSQL database dump complete') }
}

/** What came of a restore: a valid ledger, or why not; then the database is empty again. */
export type Restored = {
  readonly kind: BackupKind
  readonly report: LedgerReport
  /** Entries that are known to have come since the backup; more than 0 only where an older one is accepted. */
  readonly behind: number
}

/**
 * Restores a backup into an empty database and verifies its ledger. What is not valid, or older than a known state, is removed again.
 *
 * A plain backup is SQL, and all of it is run: restore only what you have written yourself.
 * @param isOlderAccepted Known states that the backup does not reach speak against it unless this is true.
 * @throws {Failure} `CONFLICT` when the database is not empty; `FILE_UNREADABLE` when the file is not whole; `NOT_FOUND` when a program is
 *   missing; `DATABASE_UNAVAILABLE` when the program fails. Then nothing is there.
 */
export async function restoreInto({ db, url, file, parts, known, keys, keepOwners = false, isOlderAccepted = false }: {
  db: Database
  url: string
  file: string
  parts: Parts
  known: readonly KnownState[]
  keys: readonly NoteKey[] | null
  keepOwners?: boolean
  isOlderAccepted?: boolean
}): Promise<Restored> {
  const { kind } = await checkBackup(file)
  const against = (entries: number) => (isOlderAccepted ? known.filter(({ size }) => size <= entries) : known)
  const answer = (report: LedgerReport): Restored => ({ kind, report, behind: Math.max(0, ...known.map(({ size }) => size - report.entries)) })
  if (kind === 'export') return answer((await importInto(db, file, { parts, against, keys })).report)
  await refuseFull(db)
  const schemas = await schemasOf(db)
  await runRestore({ db, url, file, kind, keepOwners })
  let isKept = false
  try {
    if (!(await hasLedger(db))) throw new Failure('FILE_UNREADABLE', `\`${file}\` cannot be used: there is no ledger in it`)
    if (!keepOwners) await migrate(db, parts.public) // An older release's, as its start would do.
    const report = await verifyLedger(db, against((await ledgerTip(db)).size), keys)
    isKept = report.valid
    return answer(report)
  } finally {
    if (!isKept) await emptyAgain(db, schemas)
  }
}

/** In one transaction of the program's own: all of the file, or nothing. */
async function runRestore({ db, url, file, kind, keepOwners }: { db: Queryable; url: string; file: string; kind: 'custom' | 'plain'; keepOwners: boolean }): Promise<void> {
  if (kind === 'plain') {
    // The program runs what a text tells it to, on this machine too, until it is told not to and by which word it may again.
    const restricted = ['--command', `\\restrict ${randomBytes(24).toString('hex')}`, '--file=-']
    await runProgram(newest('psql'), ['--no-psqlrc', '--quiet', '--single-transaction', '--set=ON_ERROR_STOP=1', '--output=/dev/null', ...restricted], url, Readable.from(withoutRestriction(file))).catch((cause: unknown) => {
      if (!(cause instanceof Failure)) throw cause
      if (cause.message.includes('permission denied to create extension')) throw new Failure('DATABASE_UNAVAILABLE', `${cause.message.replace(/\.$/, '')}: plain SQL makes the extensions again, so give DATABASE_URL a superuser, or restore a custom backup or an export, which leave them to the server`, { cause })
      if (!cause.message.includes('\\restrict')) throw cause
      throw new Failure('NOT_FOUND', 'the `psql` here would run commands that stand in the file, on this machine: update it (to 13.22, 14.19, 15.14, 16.10, 17.6 or later), or restore an export', { cause })
    })
    return
  }
  const program = newest('pg_restore')
  const { rows } = await db.query<{ name: string }>('select nspname as name from pg_namespace')
  const listed = await reading(file, runProgram(program, ['--list', file], null))
  const isThere = (line: string) => {
    const [, kind = '', schema] = /^\d+; \d+ \d+ (EXTENSION|COMMENT - EXTENSION|COMMENT - SCHEMA public|SCHEMA - (\S+)) /.exec(line) ?? []
    // Extensions are the server's, and take more rights than ours; a schema may have been made for whom it belongs to.
    return schema === undefined ? kind !== '' : rows.some(({ name }) => name === schema)
  }
  const folder = await mkdtemp(join(tmpdir(), 'acgs-restore-'))
  try {
    const wanted = join(folder, 'list')
    writeFileSync(wanted, listed.split('\n').filter((line) => !isThere(line)).join('\n'))
    await reading(file, runProgram(program, ['--exit-on-error', '--single-transaction', ...(keepOwners ? [] : ['--no-owner', '--no-privileges']), `--use-list=${wanted}`, file], url))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/**
 * The text of a plain backup without the two lines that restrict `psql` to what is no command of its own, where `pg_dump` has written them: it is
 * restricted already, and refuses a second word.
 */
async function* withoutRestriction(file: string): AsyncIterable<Buffer> {
  let isHead = true
  let end: string | null = null
  const isKept = (line: string): boolean => {
    const word = isHead ? /^\\restrict (\w+)$/.exec(line)?.[1] : undefined
    isHead &&= word === undefined && (line === '' || line.startsWith('--'))
    if (word !== undefined) end = `\\unrestrict ${word}`
    return word === undefined && line !== end
  }
  let rest = ''
  for await (const chunk of createReadStream(file, 'latin1')) {
    const lines = `${rest}${chunk}`.split('\n')
    rest = lines.pop() ?? ''
    yield Buffer.from(lines.filter(isKept).map((line) => `${line}\n`).join(''), 'latin1')
  }
  if (isKept(rest)) yield Buffer.from(rest, 'latin1')
}

/** What `pg_restore` comes to. @throws {Failure} `FILE_UNREADABLE` where it complains about what it reads, and not about the database. */
async function reading<T>(file: string, run: Promise<T>): Promise<T> {
  try {
    return await run
  } catch (cause) {
    const isOfTheFile = cause instanceof Failure && /could not read from input file|could not uncompress data|unexpected end of file|not appear to be a valid archive|corrupt/.test(cause.message)
    throw isOfTheFile ? new Failure('FILE_UNREADABLE', `\`${file}\` cannot be used: it was changed or cut off (${cause.message})`, { cause }) : cause
  }
}

function newest(name: 'psql' | 'pg_restore'): Program {
  return programFor(name, 0, 'restore an export instead, which needs none', findPrograms(name).toReversed())
}

/** What is known of a backup after it was restored somewhere else. */
export type Validated = {
  readonly kind: BackupKind
  readonly bytes: number
  readonly valid: boolean
  readonly entries: number
  readonly root: string
  readonly problems: readonly LedgerProblem[]
  /** Entries that are known to have come since; null when nothing is known from elsewhere. */
  readonly behind: number | null
}

/**
 * Restores a backup into a scratch database, verifies its ledger there, and compares it with the ledger of today: a backup is the
 * beginning of it, or is not valid. Touches nothing else.
 *
 * @param live The database of today; null when there is none to compare with.
 * @param signal Gives up, and removes the scratch database at once.
 * @throws {Failure} `FILE_UNREADABLE`, `NOT_FOUND`, `DATABASE_UNAVAILABLE` when it could not be restored.
 */
export async function validateBackup({ file, url, dataFolder, live, parts, known, keys, signal }: {
  file: string
  url: string | null
  dataFolder: string
  live: Queryable | null
  parts: Parts
  known: readonly KnownState[]
  keys: readonly NoteKey[] | null
  signal?: AbortSignal
}): Promise<Validated> {
  const { kind, bytes } = await checkBackup(file)
  await using scratch = await openScratch({ url, dataFolder })
  // Whatever is asked of it then fails, and nothing of it stays.
  signal?.addEventListener('abort', () => void Promise.resolve(scratch[Symbol.asyncDispose]()).catch(() => {}), { once: true })
  signal?.throwIfAborted()
  await using db = connect(scratch.url, { name: 'validation', connectionsMax: 2 })
  const { report: alone } = await restoreInto({ db, url: scratch.url, file, parts, known: [], keys })
  const { entries: size, root } = alone
  const outside = known.filter((state) => state.size <= size)
  const today = live === null ? null : await stateAt(live, size)
  const states = [...outside, ...(today?.at == null ? [] : [today.at])]
  // What is not valid by itself is not there any more.
  const report = !alone.valid || states.length === 0 ? alone : await verifyLedger(db, states, keys)
  const latest = Math.max(...known.map((state) => state.size), ...(today === null ? [] : [today.size]))
  const problems = [...report.problems, ...(today !== null && today.size < size ? [{ from: today.size, to: size - 1, message: `the backup has ${size} entries and the database only ${today.size}: the end was cut off there, or an old backup was restored` }] : [])]
  return { kind, bytes, valid: problems.length === 0, entries: size, root, problems, behind: Number.isFinite(latest) ? Math.max(0, latest - size) : null }
}

/** The root that the database of today has for so many entries; null where there are fewer. */
async function stateAt(live: Queryable, size: number): Promise<{ readonly size: number; readonly at: KnownState | null } | null> {
  if (!(await hasLedger(live))) return null
  const root = await ledgerTree(live).rootAt(size)
  return { size: (await ledgerTip(live)).size, at: root === null ? null : { size, root } }
}

async function serverOf(db: Queryable): Promise<{ version: string; major: number }> {
  const { rows } = await db.query<{ version: string; number: string }>(`select current_setting('server_version') as version, current_setting('server_version_num') as number`)
  return { version: rows[0]?.version ?? '', major: Math.floor(Number(rows[0]?.number) / 10_000) }
}

function draftOf(file: string): string {
  return `${file}.partial-${process.pid}`
}

function digestFile(file: string): string {
  return `${file}.sha256`
}

function digestBeside(file: string): string | undefined {
  try {
    return readFileSync(digestFile(file), 'utf8').split(/\s/)[0]
  } catch (cause) {
    throw new Failure('FILE_UNREADABLE', `cannot read \`${digestFile(file)}\`: ${whyUnreadable(cause)}`, { cause })
  }
}

async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(file), hash)
  return hash.digest('hex')
}

function ends(file: string): readonly [Buffer, Buffer] {
  let opened: number
  try {
    opened = openSync(file, 'r')
  } catch (cause) {
    throw new Failure('FILE_UNREADABLE', `cannot read \`${file}\`: ${whyUnreadable(cause)}`, { cause })
  }
  try {
    const { size } = statSync(file)
    const at = (from: number) => {
      const bytes = Buffer.alloc(ENDS_BYTES)
      return bytes.subarray(0, readSync(opened, bytes, 0, ENDS_BYTES, Math.max(0, from)))
    }
    return [at(0), at(size - ENDS_BYTES)]
  } catch (cause) {
    throw new Failure('FILE_UNREADABLE', `cannot read \`${file}\`: ${whyUnreadable(cause)}`, { cause })
  } finally {
    closeSync(opened)
  }
}

const ENDS_BYTES = 512

function sync(file: string): void {
  const opened = openSync(file, 'r')
  try {
    fsyncSync(opened)
  } finally {
    closeSync(opened)
  }
}

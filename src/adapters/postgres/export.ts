import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { createGunzip } from 'node:zlib'
import pg from 'pg'
import { z } from 'zod'
import { Failure } from '#core/failure.ts'
import type { NoteKey } from '#core/ledger/note.ts'
import type { Database, Queryable } from './connect.ts'
import { refuseFull } from './empty.ts'
import { verifyLedgerIn, type LedgerReport } from './ledger-verify.ts'
import { ledgerTip, refuseWithoutLedger, type KnownState } from './ledger.ts'
import { migrateIn, type Migration } from './migrate.ts'

/** Whose tables an export holds, each with the migrations that make them. */
export type Parts = { readonly public: readonly Migration[]; readonly auth: readonly Migration[] }
type Schema = keyof Parts

const SCHEMAS = ['public', 'auth'] as const
const NOTED = 'schema_migrations'
const ROWS_READ = 100
const BATCH_ROWS = 200
const BATCH_CHARS = 1_000_000

const Column = z.strictObject({ name: z.string(), type: z.string(), isIdentity: z.boolean() })
const Table = z.strictObject({ schema: z.enum(SCHEMAS), name: z.string(), columns: z.array(Column).min(1) })
const Applied = z.array(z.strictObject({ name: z.string(), digest: z.string() }))
const Header = z.strictObject({
  format: z.literal('acgs-export'),
  version: z.int(),
  release: z.string(),
  server: z.string(),
  at: z.iso.datetime(),
  ledger: z.strictObject({ size: z.int().nonnegative(), root: z.string() }),
  migrations: z.strictObject({ public: Applied, auth: Applied.nullable() }),
  tables: z.array(Table),
})
const Start = z.strictObject({ table: z.string() })
const End = z.strictObject({ end: z.literal(true), rows: z.int().nonnegative(), sha256: z.string() })
const Row = z.array(z.string().nullable())

type Table = z.infer<typeof Table>
/** What an export says of itself in its first line. */
export type ExportHeader = z.infer<typeof Header>

/** Raised when a file means something else than before: older ones are then still read. */
const VERSION = 1

/** How each value is written as text, whatever the server is set to: exact, and the same in every version of it. */
const AS_TEXT = ['extra_float_digits = 1', `datestyle = 'ISO, MDY'`, `timezone = 'UTC'`, `intervalstyle = 'postgres'`, `bytea_output = 'hex'`, 'statement_timeout = 0']

/**
 * Everything in a database as lines of JSON, from one snapshot: a header, each table's rows, an end with the digest of all lines before it.
 *
 * A row is a list of texts, in the form in which PostgreSQL reads each value back. Tables are made by the migrations when it is read, so
 * that no file says what a table is.
 * @throws {Failure} `FORBIDDEN` when the role may not read something; `NOT_FOUND` when there is no ledger.
 */
export async function exportDatabase<T>(db: Database, given: { readonly release: string; readonly at: Date }, consume: (lines: AsyncIterable<Buffer>, header: ExportHeader) => Promise<T>): Promise<T> {
  return db.transaction(async (tx) => {
    for (const setting of AS_TEXT) await tx.query(`set local ${setting}`)
    const header = await headerOf(tx, given)
    return consume(linesOf(tx, header), header)
  }, 'snapshot')
}

async function headerOf(tx: Queryable, { release, at }: { readonly release: string; readonly at: Date }): Promise<ExportHeader> {
  await refuseWithoutLedger(tx)
  const { rows: [there] } = await tx.query<{ server: string; auth: boolean }>(
    `select current_setting('server_version') as server,
            exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'auth' and c.relname = '${NOTED}') as auth`,
  )
  const tables = await tablesOf(tx)
  const applied = async (schema: Schema) => (await tx.query<{ name: string; digest: string }>(`select name, digest from ${schema}.${NOTED} order by number`)).rows
  const { size, root } = await ledgerTip(tx)
  return {
    format: 'acgs-export', version: VERSION, release, server: there?.server ?? '', at: at.toISOString(), ledger: { size, root },
    migrations: { public: await applied('public'), auth: there?.auth === true ? await applied('auth') : null }, tables: [...tables],
  }
}

/** Our tables with the columns that are written, those first that others refer to. */
async function tablesOf(tx: Queryable): Promise<readonly Table[]> {
  const { rows } = await tx.query<{ schema: Schema; name: string; readable: boolean; columns: { name: string; type: string; isIdentity: boolean }[]; refers: string[] }>(
    `select n.nspname as schema, c.relname as name,
            has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select') as readable,
            (select json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod), 'isIdentity', a.attidentity <> '') order by a.attnum)
             from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '') as columns,
            array(select f.relname::text from pg_constraint r join pg_class f on f.oid = r.confrelid where r.conrelid = c.oid and r.contype = 'f' and r.confrelid <> c.oid) as refers
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.relkind in ('r', 'p') and n.nspname = any ($1) and c.relname <> '${NOTED}'
       and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e') order by n.nspname desc, c.relname`,
    [SCHEMAS],
  )
  const closed = rows.filter(({ readable }) => !readable).map(nameOf)
  if (closed.length > 0) throw new Failure('FORBIDDEN', `this role may not read ${closed.map((each) => `\`${each}\``).join(', ')}: give a DATABASE_URL whose role may read everything`)
  const ordered: typeof rows = []
  while (ordered.length < rows.length) {
    const next = rows.filter((row) => !ordered.includes(row) && row.refers.every((name) => ordered.some((each) => each.name === name)))
    if (next.length === 0) throw new Error('tables refer to each other in a circle')
    ordered.push(...next)
  }
  return ordered.map(({ schema, name, columns }) => ({ schema, name, columns }))
}

async function* linesOf(tx: Queryable, header: ExportHeader): AsyncGenerator<Buffer> {
  const hash = createHash('sha256')
  let rows = 0
  const line = (text: string): Buffer => {
    const bytes = Buffer.from(`${text}\n`)
    hash.update(bytes)
    return bytes
  }
  yield line(JSON.stringify(header))
  for (const table of header.tables) {
    yield line(JSON.stringify({ table: nameOf(table) } satisfies z.infer<typeof Start>))
    const columns = table.columns.map(({ name }) => `${pg.escapeIdentifier(name)}::text`)
    const { rows: key } = await tx.query<{ column: string }>(
      `select quote_ident(a.attname) as column from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey)
       where i.indrelid = $1::regclass and i.indisprimary order by array_position(i.indkey::int2[], a.attnum)`, [sqlName(table)],
    )
    const order = key.length === 0 ? '' : `order by ${key.map(({ column }) => column).join(', ')}`
    await tx.query(`declare exported no scroll cursor for select array_to_json(array[${columns.join(', ')}])::text as line from ${sqlName(table)} ${order}`)
    for (;;) {
      const fetched = await tx.query<{ line: string }>(`fetch ${ROWS_READ} from exported`)
      for (const row of fetched.rows) yield line(row.line.replaceAll('\n', ' '))
      rows += fetched.rows.length
      if (fetched.rows.length < ROWS_READ) break
    }
    await tx.query('close exported')
  }
  yield Buffer.from(`${JSON.stringify({ end: true, rows, sha256: hash.digest('hex') } satisfies z.infer<typeof End>)}\n`)
}

/**
 * Reads the whole file and finds it whole: every line, and the digest at its end.
 * @throws {Failure} `FILE_UNREADABLE` saying whether it was cut off or changed.
 */
export async function checkExport(file: string): Promise<ExportHeader> {
  let header: ExportHeader | null = null
  for await (const line of checkedLines(file)) header ??= headerIn(line, file)
  if (header === null) throw bad(file, 'it is empty')
  return header
}

/** What came of an import: everything is there and valid, or nothing is there. */
export type Imported =
  | { readonly kind: 'imported'; readonly header: ExportHeader; readonly rows: number; readonly report: LedgerReport; readonly applied: readonly string[] }
  | { readonly kind: 'not_valid'; readonly header: ExportHeader; readonly report: LedgerReport }

/**
 * Puts an export into an empty database, in one transaction: the tables as the release that wrote it had them, the rows, the ledger
 * verified from what now is there, and then what this release has changed since.
 *
 * @param against States of the ledger that were written down elsewhere, for so many entries: with one that the export does not have,
 *   nothing is imported.
 * @param keys Whose checkpoints count; null leaves those in the file aside.
 * @throws {Failure} `CONFLICT` when the database is not empty; `FILE_UNREADABLE` when the file is not whole, is of a newer release, or does
 *   not fit. Whatever it throws, nothing was written.
 */
export async function importInto(db: Database, file: string, { parts, against, keys }: { readonly parts: Parts; readonly against: (entries: number) => readonly KnownState[]; readonly keys: readonly NoteKey[] | null }): Promise<Imported> {
  const header = await checkExport(file)
  const before = { public: theirsOf(parts.public, header.migrations.public, file), auth: header.migrations.auth === null ? null : theirsOf(parts.auth, header.migrations.auth, file) }
  try {
    return await db.transaction(async (tx) => {
      await refuseFull(tx)
      await migrateIn(tx, before.public)
      if (before.auth !== null) await migrateIn(tx, before.auth, 'auth')
      for (const setting of AS_TEXT) await tx.query(`set local ${setting}`)
      const tables = await tablesOf(tx)
      for (const table of header.tables) refuseOther(table, tables, file)
      for (const table of tables) {
        if (!header.tables.some((each) => nameOf(each) === nameOf(table))) throw bad(file, `it says nothing of the table \`${nameOf(table)}\``)
      }
      for (const table of tables) await tx.query(`alter table ${sqlName(table)} disable trigger user`)
      for (const table of tables.toReversed()) await tx.query(`delete from ${sqlName(table)}`) // What migrations put there.
      const rows = await load(tx, file)
      for (const table of tables) {
        await tx.query(`alter table ${sqlName(table)} enable trigger user`)
        for (const { name } of table.columns.filter(({ isIdentity }) => isIdentity)) {
          await tx.query(`select setval(pg_get_serial_sequence($1, $2), coalesce(max(${pg.escapeIdentifier(name)}), 1), max(${pg.escapeIdentifier(name)}) is not null) from ${sqlName(table)}`, [sqlName(table), name])
        }
      }
      const report = await verifyLedgerIn(tx, against(header.ledger.size), keys)
      if (!report.valid) throw new NotValid(report)
      if (report.entries !== header.ledger.size || report.root !== header.ledger.root) throw bad(file, 'its header speaks of another ledger')
      const applied = [...(await migrateIn(tx, parts.public)), ...(before.auth === null ? [] : await migrateIn(tx, parts.auth, 'auth'))]
      return { kind: 'imported', header, rows, report, applied }
    })
  } catch (error) {
    if (error instanceof NotValid) return { kind: 'not_valid', header, report: error.report }
    throw error
  }
}

/** Rolls the import back, and carries why. */
class NotValid extends Error {
  readonly report: LedgerReport
  constructor(report: LedgerReport) {
    super('the ledger is not valid')
    this.report = report
  }
}

/** Our migrations, as far as whoever wrote the file had them. */
function theirsOf(ours: readonly Migration[], theirs: z.infer<typeof Applied>, file: string): readonly Migration[] {
  const known = new Map(ours.map((each) => [each.name, each]))
  return theirs.map(({ name, digest }) => {
    const same = known.get(name)
    if (same === undefined) throw bad(file, `it was written by a newer release (\`${name}\` is not known here): import it with that one`)
    if (same.digest !== digest) throw bad(file, `its migration \`${name}\` is not the one of this release`)
    return same
  })
}

function refuseOther(table: Table, tables: readonly Table[], file: string): void {
  const ours = tables.find((each) => nameOf(each) === nameOf(table))
  if (ours === undefined) throw bad(file, `it has a table \`${nameOf(table)}\` that no migration makes`)
  if (JSON.stringify(ours.columns) !== JSON.stringify(table.columns)) throw bad(file, `its table \`${nameOf(table)}\` has other columns than the migrations make`)
}

async function load(tx: Queryable, file: string): Promise<number> {
  let header: ExportHeader | null = null
  let table: Table | null = null
  let batch: string[] = []
  let chars = 0
  let rows = 0
  const flush = async () => {
    if (table === null || batch.length === 0) return
    const columns = table.columns.map(({ name }) => pg.escapeIdentifier(name)).join(', ')
    const values = table.columns.map(({ type }, at) => `(r ->> ${at})::${type}`).join(', ')
    // The types are those of the table that is there: they were compared before.
    await tx.query(`insert into ${sqlName(table)} (${columns}) overriding system value select ${values} from json_array_elements($1::json) r`, [`[${batch.join(',')}]`])
    batch = []
    chars = 0
  }
  for await (const line of checkedLines(file)) {
    if (header === null) {
      header = headerIn(line, file)
      continue
    }
    if (line.startsWith('{')) {
      await flush()
      const { table: name } = shaped(Start, line, file)
      table = header.tables.find((each) => nameOf(each) === name) ?? null
      if (table === null) throw bad(file, `its header does not name the table \`${name}\``)
      continue
    }
    if (table === null || shaped(Row, line, file).length !== table.columns.length) throw bad(file, 'a row does not fit its table')
    batch.push(line)
    chars += line.length
    rows++
    if (batch.length >= BATCH_ROWS || chars >= BATCH_CHARS) await flush()
  }
  await flush()
  return rows
}

/** The lines of an export without the last, whose digest they must have. */
async function* checkedLines(file: string): AsyncGenerator<string> {
  const hash = createHash('sha256')
  let rows = 0
  let end: z.infer<typeof End> | null = null
  for await (const line of textLines(file)) {
    if (end !== null) throw bad(file, 'something follows its end')
    if (line.startsWith('{"end":')) {
      end = shaped(End, line, file)
      continue
    }
    hash.update(`${line}\n`)
    if (line.startsWith('[')) rows++
    yield line
  }
  if (end === null) throw bad(file, 'it was cut off')
  if (end.sha256 !== hash.digest('hex') || end.rows !== rows) throw bad(file, 'it was changed: its digest is another')
}

async function* textLines(file: string): AsyncGenerator<string> {
  const source = createReadStream(file)
  const text = createGunzip()
  source.on('error', (error) => text.destroy(error))
  let parts: Buffer[] = []
  try {
    for await (const chunk of source.pipe(text) as AsyncIterable<Buffer>) {
      let from = 0
      for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, from)) {
        yield Buffer.concat([...parts, chunk.subarray(from, at)]).toString('utf8')
        parts = []
        from = at + 1
      }
      if (from < chunk.length) parts.push(chunk.subarray(from))
    }
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (cause instanceof Failure || code === undefined) throw cause
    throw bad(file, code === 'Z_BUF_ERROR' ? 'it was cut off' : code.startsWith('Z_') ? 'it was changed, or is no export' : code, cause)
  } finally {
    source.destroy()
    text.destroy()
  }
  if (parts.length > 0) throw bad(file, 'it was cut off')
}

function headerIn(line: string, file: string): ExportHeader {
  const version = z.object({ format: z.literal('acgs-export'), version: z.int() }).safeParse(parsed(line))
  if (!version.success) throw bad(file, 'it is no export')
  if (version.data.version !== VERSION) throw bad(file, `it has the format ${version.data.version} and this release reads ${VERSION}: import it with the release that wrote it`)
  return shaped(Header, line, file)
}

function shaped<S extends z.ZodType>(schema: S, line: string, file: string): z.output<S> {
  const found = schema.safeParse(parsed(line))
  if (found.success) return found.data
  throw bad(file, 'a line in it is not one that we write')
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line) as unknown
  } catch {
    return undefined
  }
}

function bad(file: string, because: string, cause?: unknown): Failure {
  return new Failure('FILE_UNREADABLE', `\`${file}\` cannot be used: ${because}`, cause === undefined ? {} : { cause })
}

function nameOf({ schema, name }: { readonly schema: string; readonly name: string }): string {
  return `${schema}.${name}`
}

function sqlName({ schema, name }: { readonly schema: string; readonly name: string }): string {
  return `${pg.escapeIdentifier(schema)}.${pg.escapeIdentifier(name)}`
}

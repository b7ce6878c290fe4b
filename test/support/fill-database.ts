import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { after, before } from 'node:test'
import { sha256 } from '#core/canonical.ts'
import { keep } from '#core/revision/entities.ts'
import { revisionDigest, type RevisionContent } from '#core/revision/revision.ts'
import { appendPut, insertApplication } from '#adapters/postgres/applications.ts'
import type { Database } from '#adapters/postgres/connect.ts'
import { recordUnitDiagnostic } from '#adapters/postgres/diagnostics.ts'
import { changeEntities } from '#adapters/postgres/entities.ts'
import { recordGeneration } from '#adapters/postgres/generations.ts'
import { storeCheckpoint } from '#adapters/postgres/ledger-entries.ts'
import { ledgerTip, type KnownState } from '#adapters/postgres/ledger.ts'
import { readMigrations, type Migration } from '#adapters/postgres/migrate.ts'
import { activateRevision, insertRevision, insertRevocation, putApproval } from '#adapters/postgres/revisions.ts'
import { signCheckpoint } from '#core/ledger/checkpoint.ts'
import { checkpointKey } from './checkpoint-key.ts'
import { testDatabase, type TestDatabase } from './database.ts'
import { diagnosticRow, execution, lsuRow } from './diagnostic-row.ts'
import { generationRow } from './generation-row.ts'
import { temporaryFolder } from './server.ts'
import type { NoteSigner } from '#core/ledger/note.ts'

const AT = new Date('2026-11-24T12:00:00.007Z')

/** Something in every table of a database that is up to date, as the product would have put it there, with values that are easily lost. */
export async function fillDatabase(db: Database, { generations = 5, signer = null }: { generations?: number; signer?: NoteSigner | null } = {}): Promise<KnownState> {
  const schema = { text: 'entity User;', digest: sha256('entity User;') }
  const content: RevisionContent = {
    application: 'clinic', schema, constitution: { hash: 'cdd01ef066bc6cf2', digest: sha256('c') },
    applicable: { articles: 1, of: 2, missing: [] }, certificates: [], policy: '', proposedBy: 'author-1', proposedAt: AT.toISOString(),
  }
  const digest = revisionDigest(content)
  const put = { name: 'clinic', by: 'author-1', at: AT, schema }
  await db.transaction(async (tx) => (await insertApplication(tx, put), await appendPut(tx, put)))
  const entity = (id: string, big: string) => keep({ uid: { type: 'User', id }, attrs: { big, text: 'tab\there, "quotes", \\N and a line\nbreak – ünïcode 🙂' }, parents: [] })
  await db.transaction((tx) => changeEntities(tx, 'clinic', { upserted: [entity('a', '9223372036854775807'), entity('b', '-9223372036854775808')], deleted: [] }, { version: 0, by: 'author-1', at: AT }))
  await db.transaction((tx) => changeEntities(tx, 'clinic', { upserted: [], deleted: [{ type: 'User', id: 'b' }] }, { version: 1, by: 'author-1', at: AT }))
  await db.transaction((tx) => insertRevision(tx, { application: 'clinic', base: null, rollback_of: null, content, digest, verdict: 'proved', examination: {}, proved_at: AT, proposed_by: 'author-1', proposed_at: AT }))
  await db.transaction((tx) => putApproval(tx, { application: 'clinic', revision: 1, digest, member: 'council-1', token: 'token', at: AT, instead: null }))
  await db.transaction((tx) => activateRevision(tx, { application: 'clinic', number: 1, by: 'council-1', at: AT, bundle: { envelope: { payloadType: 'application/vnd.in-toto+json', payload: 'first', signatures: [{ keyid: 'k', sig: 's' }] } } }))
  await db.transaction((tx) => insertRevocation(tx, { certificate: 'cert-1', reason: 'withdrawn', by: 'operator-1', at: AT }))
  await db.query(`insert into revision_differences (application, number, difference) values ('clinic', 1, '{"exact": 12345678901234567890.123456789}')`)
  await db.query(`insert into generation_requests (generation_id, subject, request_digest, request, state, accepted_at, attempt, silent, held_until) values ('gen-later', 'author-1', 'd', '{"title":"later"}', 'accepted', '2026-11-24T12:00:00.007Z', 0, 0, '2026-11-24 12:00:00.123456+00')`)
  await db.query(`insert into auth.oidc_payloads (model, id, payload, expires_at) values ('Used', 'jti-1', '{}', 'infinity')`)
  await recordUnitDiagnostic(db, diagnosticRow(1), lsuRow, [execution(0, 1), execution(1, 0, { durationMs: 0.1 + 0.2 })], AT)
  for (let n = 0; n < generations; n++) await db.transaction((tx) => recordGeneration(tx, generationRow(n)))
  const tip = await ledgerTip(db)
  if (signer !== null) await storeCheckpoint(db, signCheckpoint({ origin: 'acgs-pgp-v8', ...tip }, signer), AT, [signer.publicKey])
  return tip
}

/** Every row of every table as PostgreSQL writes it, with all digits, by table. */
export async function contentsOf(db: Database): Promise<{ readonly [table: string]: readonly string[] }> {
  const { rows: tables } = await db.query<{ name: string }>(
    `select format('%I.%I', table_schema, table_name) as name from information_schema.tables where table_schema in ('public', 'auth') and table_type = 'BASE TABLE' order by 1`,
  )
  const contents: Record<string, readonly string[]> = {}
  for (const { name } of tables) {
    const columns = name.endsWith('.schema_migrations') ? 't.number, t.name, t.digest' : 't.*'
    contents[name] = (await db.query<{ row: string }>(`select (row(${columns}))::text as row from ${name} t order by 1`)).rows.map(({ row }) => row)
  }
  return contents
}

/** A database with something in every table and a folder beside it, for all tests of a file; both are gone after them. */
export function filledDatabase(): { readonly db: TestDatabase; readonly folder: string; readonly signer: ReturnType<typeof checkpointKey>; readonly parts: { readonly public: readonly Migration[]; readonly auth: readonly Migration[] } } {
  const signer = checkpointKey()
  const folder = temporaryFolder()
  let made: TestDatabase | null = null
  before(async () => {
    made = await testDatabase()
    await fillDatabase(made, { signer })
  })
  after(async () => {
    await made?.[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true, force: true })
  })
  return {
    signer, folder, parts: { public: readMigrations('migrations'), auth: readMigrations('migrations/auth') },
    get db() {
      assert.ok(made !== null, 'it is made before the first test')
      return made
    },
  }
}

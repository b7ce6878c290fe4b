import { z } from 'zod'
import { digest, sha256 } from '#core/canonical.ts'
import type { Certificate } from '#core/certificate/statement.ts'
import { CertificateFile } from '#core/certificate/verify.ts'
import { Failure } from '#core/failure.ts'
import { Bundle } from '#core/revision/bundle.ts'
import type { Heads } from '#core/revision/application.ts'
import { RevisionContent } from '#core/revision/revision.ts'
import type { Queryable } from './connect.ts'
import { append, type Receipt } from './ledger.ts'

const Row = z.object({
  application: z.string(),
  number: z.int(),
  base: z.int().nullable(),
  rollback_of: z.int().nullable(),
  content: RevisionContent,
  digest: z.string(),
  verdict: z.enum(['proved', 'refuted', 'undetermined']),
  examination: z.unknown(),
  proved_at: z.date(),
  proposed_by: z.string(),
  proposed_at: z.date(),
  activated_by: z.string().nullable(),
  activated_at: z.date().nullable(),
  bundle: Bundle.nullable(),
})

/** A revision as it is stored. `proposed_by` asked for this number; the content keeps who proposed it first. */
export type RevisionRow = z.infer<typeof Row>

/** An approval as it is stored; the token is what counts. */
export type ApprovalRow = { readonly member: string; readonly token: string; readonly at: Date }

/**
 * Stores a proposal under the next number and appends it to the ledger, both in the caller's transaction, which must hold the
 * application's row (`lockApplication`), so that two proposals get two numbers.
 */
export async function insertRevision(tx: Queryable, row: Omit<RevisionRow, 'number' | 'activated_by' | 'activated_at' | 'bundle'>): Promise<{ number: number; ledger: Receipt }> {
  const { rows } = await tx.query<{ number: number }>(
    `insert into revisions (application, number, base, rollback_of, content, digest, verdict, examination, proved_at, proposed_by, proposed_at)
     select $1, coalesce(max(number), 0) + 1, $2, $3, $4, $5, $6, $7, $8, $9, $10 from revisions where application = $1 returning number`,
    [row.application, row.base, row.rollback_of, JSON.stringify(row.content), row.digest, row.verdict, JSON.stringify(row.examination), row.proved_at, row.proposed_by, row.proposed_at],
  )
  const number = (rows[0] as { number: number }).number
  const ledger = await append(tx, {
    kind: 'revision.proposed', at: row.proposed_at.toISOString(),
    subject: { application: row.application, revision: String(number), by: row.proposed_by, ...(row.rollback_of === null ? {} : { rollback_of: String(row.rollback_of) }) },
    digests: { content: row.digest },
  })
  return { number, ledger }
}

export async function readRevision(db: Queryable, application: string, number: number): Promise<RevisionRow | null> {
  const { rows } = await db.query('select * from revisions where application = $1 and number = $2', [application, number])
  return rows[0] === undefined ? null : Row.parse(rows[0])
}

/** Keeps what a proposal changes, in the transaction that stores it. */
export async function insertDifference(tx: Queryable, application: string, number: number, difference: unknown): Promise<void> {
  await tx.query('insert into revision_differences (application, number, difference) values ($1, $2, $3)', [application, number, JSON.stringify(difference)])
}

/** As it was kept; null when none was. */
export async function readDifference(db: Queryable, application: string, number: number): Promise<unknown> {
  const { rows } = await db.query<{ difference: unknown }>('select difference from revision_differences where application = $1 and number = $2', [application, number])
  return rows[0]?.difference ?? null
}

/** The newest first. */
export async function listRevisions(db: Queryable, application: string, limit = 50): Promise<readonly RevisionRow[]> {
  const { rows } = await db.query('select * from revisions where application = $1 order by number desc limit $2', [application, limit])
  return rows.map((row) => Row.parse(row))
}

/** The revision that decides, one for each application that has one. */
export async function activeRevisions(db: Queryable): Promise<readonly RevisionRow[]> {
  const { rows } = await db.query('select r.* from revisions r join applications a on a.name = r.application and a.active_revision = r.number order by r.application')
  return rows.map((row) => Row.parse(row))
}

export async function approvalsOf(db: Queryable, application: string, contentDigest: string): Promise<readonly ApprovalRow[]> {
  const { rows } = await db.query<ApprovalRow>('select member, token, at from approvals where application = $1 and digest = $2 order by at, member', [application, contentDigest])
  return rows
}

/** Who proposed a content, under whichever numbers: whoever asks for its return is one of them. */
export async function proposersOf(db: Queryable, application: string, contentDigest: string): Promise<readonly string[]> {
  const { rows } = await db.query<{ proposed_by: string }>('select distinct proposed_by from revisions where application = $1 and digest = $2', [application, contentDigest])
  return rows.map(({ proposed_by }) => proposed_by)
}

/**
 * Stores an approval and appends it to the ledger.
 *
 * @param instead The member's token that it replaces, since that one counts no more; null when there is none.
 * @returns False when the member's approval of this content is another one by now: nothing changes.
 */
export async function putApproval(tx: Queryable, approval: ApprovalRow & { readonly application: string; readonly revision: number; readonly digest: string; readonly instead: string | null }): Promise<boolean> {
  const { application, digest: contentDigest, member, token, at, revision, instead } = approval
  const { rowCount } = await tx.query(
    `insert into approvals (application, digest, member, token, at) values ($1, $2, $3, $4, $5)
     on conflict (application, digest, member) do update set token = excluded.token, at = excluded.at where approvals.token = $6`,
    [application, contentDigest, member, token, at, instead],
  )
  if (rowCount === 0) return false
  await append(tx, { kind: 'revision.approved', at: at.toISOString(), subject: { application, revision: String(revision), member }, digests: { content: contentDigest, token: sha256(token) } })
  return true
}

/** Makes a revision the one that decides. The transaction holds the application's lock: there is one active revision before and after. */
export async function activateRevision(tx: Queryable, { application, number, by, at, bundle }: { application: string; number: number; by: string; at: Date; bundle: Bundle }): Promise<Receipt> {
  await tx.query('update revisions set bundle = $3, activated_by = $4, activated_at = $5 where application = $1 and number = $2', [application, number, JSON.stringify(bundle), by, at])
  await tx.query('update applications set active_revision = $2, updated_at = $3 where name = $1', [application, number, at])
  return append(tx, { kind: 'revision.activated', at: at.toISOString(), subject: { application, revision: String(number), by }, digests: { bundle: digest(bundle) } })
}

/** Keeps what a new proof of the active revision found, and the bundle that says so; null keeps the one that is there. */
export async function reproveRevision(tx: Queryable, { application, number, verdict, examination, at, bundle }: {
  application: string; number: number; verdict: RevisionRow['verdict']; examination: unknown; at: Date; bundle: Bundle | null
}): Promise<Receipt> {
  await tx.query(
    'update revisions set bundle = coalesce($3, bundle), verdict = $4, examination = $5, proved_at = $6 where application = $1 and number = $2',
    [application, number, bundle === null ? null : JSON.stringify(bundle), verdict, JSON.stringify(examination), at],
  )
  return append(tx, { kind: 'revision.reproved', at: at.toISOString(), subject: { application, revision: String(number), verdict }, digests: bundle === null ? {} : { bundle: digest(bundle) } })
}

/** Revokes a certificate. @returns False when it was revoked already: nothing changes. */
export async function insertRevocation(tx: Queryable, { certificate, reason, by, at }: { certificate: string; reason: string; by: string; at: Date }): Promise<boolean> {
  const { rowCount } = await tx.query(
    'insert into revocations (certificate_id, reason, revoked_by, at) values ($1, $2, $3, $4) on conflict (certificate_id) do nothing', [certificate, reason, by, at],
  )
  if (rowCount === 0) return false
  await append(tx, { kind: 'certificate.revoked', at: at.toISOString(), subject: { certificate, by }, digests: { reason: sha256(reason) } })
  return true
}

export async function readRevocations(db: Queryable): Promise<readonly string[]> {
  const { rows } = await db.query<{ certificate_id: string }>('select certificate_id from revocations order by certificate_id')
  return rows.map(({ certificate_id }) => certificate_id)
}

/** When a certificate that was issued here was revoked; null when none of that id was issued. */
export async function readCertificateStatus(db: Queryable, id: string): Promise<{ readonly revokedAt: Date | null } | null> {
  const { rows } = await db.query<{ at: Date | null }>('select r.at from policy_generations g left join revocations r on r.certificate_id = g.certificate_id where g.certificate_id = $1', [id])
  return rows[0] === undefined ? null : { revokedAt: rows[0].at }
}

/** Certificates by id, in the order asked for. @throws {Failure} `CERTIFICATE_UNUSABLE` naming each that is not here. */
export async function readCertificates(db: Queryable, ids: readonly string[]): Promise<readonly Certificate[]> {
  const { rows } = await db.query<{ certificate: unknown }>('select certificate from policy_generations where certificate_id = any($1)', [ids])
  const found = new Map(rows.map(({ certificate }) => CertificateFile.parse(certificate)).map((certificate) => [certificate.id, certificate]))
  const missing = ids.filter((id) => !found.has(id))
  if (missing.length > 0) {
    throw new Failure('CERTIFICATE_UNUSABLE', missing.map((id) => `certificate \`${id}\` is not known here`).join('; ') + ': generate-policy gives the ids of certificates', {
      problems: missing.map((id) => ({ place: id, message: 'is not known here' })),
    })
  }
  return ids.map((id) => found.get(id) as Certificate)
}

/** The revision that decides for an application, and its schema; null when there is no such application. */
export async function readNow(db: Queryable, application: string): Promise<{ readonly activeRevision: number | null; readonly schemaDigest: string } | null> {
  const { rows } = await db.query<{ active_revision: number | null; schema_digest: string }>('select active_revision, schema_digest from applications where name = $1', [application])
  return rows[0] === undefined ? null : { activeRevision: rows[0].active_revision, schemaDigest: rows[0].schema_digest }
}

/** How far every application has come, in one cheap question: what the decision point asks twice a second. */
export async function readHeads(db: Queryable): Promise<Heads> {
  const { rows } = await db.query<{ name: string; number: number | null; proved_at: Date | null; entities_version: string }>(
    `select a.name, r.number, r.proved_at, a.entities_version
     from applications a left join revisions r on r.application = a.name and r.number = a.active_revision order by a.name`,
  )
  return {
    applications: rows.map(({ name, number, proved_at, entities_version }) => ({
      // A bundle is signed anew with every proof.
      name, bundleTag: number === null || proved_at === null ? null : `${number} ${proved_at.toISOString()}`, entitiesVersion: Number(entities_version),
    })),
    revoked: await readRevocations(db),
  }
}

/** The bundle of the revision that decides; null while none does. */
export async function readBundle(db: Queryable, application: string): Promise<{ readonly revision: number; readonly bundle: Bundle } | null> {
  const { rows } = await db.query<{ number: number; bundle: unknown }>(
    'select r.number, r.bundle from applications a join revisions r on r.application = a.name and r.number = a.active_revision where a.name = $1', [application],
  )
  return rows[0] === undefined ? null : { revision: rows[0].number, bundle: Bundle.parse(rows[0].bundle) }
}

/** The certificates of active revisions that expire before a moment, the earliest first. */
export async function expiringCertificates(db: Queryable, before: Date): Promise<readonly { application: string; certificate: string; expires_at: string }[]> {
  const { rows } = await db.query<{ application: string; certificate: string; payload: string }>(
    `select r.application, c ->> 'id' as certificate, g.certificate -> 'envelope' ->> 'payload' as payload
     from applications a join revisions r on r.application = a.name and r.number = a.active_revision
     cross join jsonb_array_elements(r.content -> 'certificates') c join policy_generations g on g.certificate_id = c ->> 'id'`,
  )
  return rows
    .map(({ application, certificate, payload }) => ({ application, certificate, expires_at: expiryIn(payload) }))
    .filter(({ expires_at }) => Date.parse(expires_at) < before.getTime())
    .sort((a, b) => (a.expires_at < b.expires_at ? -1 : 1))
}

function expiryIn(payload: string): string {
  return z.object({ predicate: z.object({ expiresAt: z.string() }) }).parse(JSON.parse(Buffer.from(payload, 'base64').toString())).predicate.expiresAt
}

import { digest, sha256 } from '#core/canonical.ts'
import type { readEntry } from '#core/ledger/entry.ts'
import type { Queryable } from './connect.ts'

type Entry = NonNullable<ReturnType<typeof readEntry>>
type Seen = { readonly index: number; readonly entry: Entry }
type Report = (from: number | null, to: number | null, message: string) => void

/** What the rows of applications, revisions, approvals and revocations must say, gathered from the entries that digest them. */
export type BodyChecks = {
  readonly see: (index: number, entry: Entry) => void
  /** Compares every row with its entry, and every entry with its row. */
  readonly compare: (tx: Queryable, report: Report) => Promise<void>
}

/** A body that was replaced is compared with the last entry about it: a schema that was put again, a bundle that was signed anew. */
export function bodyChecks(): BodyChecks {
  const puts = new Map<string, Seen>()
  const makers = new Map<string, string | undefined>()
  const changes = new Map<string, Seen>()
  const proposals = new Map<string, Seen>()
  const approvals = new Map<string, Seen>()
  const activations = new Map<string, Seen>()
  const bundles = new Map<string, Seen>()
  const deciding = new Map<string, Seen>()
  const revocations = new Map<string, Seen>()

  return {
    see: (index, entry) => {
      const { application = '', revision = '', member = '', certificate = '' } = entry.subject
      const seen = { index, entry }
      if (entry.kind === 'application.put') {
        puts.set(application, seen)
        if (!makers.has(application)) makers.set(application, entry.subject['by'])
      }
      else if (entry.kind === 'entities.changed') changes.set(application, seen)
      else if (entry.kind === 'revision.proposed') proposals.set(key(application, revision), seen)
      else if (entry.kind === 'revision.approved') approvals.set(key(application, entry.digests['content'] ?? '', member), seen)
      else if (entry.kind === 'certificate.revoked') revocations.set(certificate, seen)
      if (entry.kind === 'revision.activated') {
        activations.set(key(application, revision), seen)
        deciding.set(application, seen)
      }
      // One without a bundle kept the bundle that was there.
      if (/^revision\.(activated|reproved)$/.test(entry.kind) && entry.digests['bundle'] !== undefined) bundles.set(key(application, revision), seen)
    },

    compare: async (tx, report) => {
      const check = checking(report)
      await eachRow<ApplicationRow>(tx, 'applications', ['name'], (row) => {
        const what = `application \`${row.name}\``
        check(puts, row.name, what, (put) => [
          ['schema', put.digests['schema'] === sha256(row.schema) && row.schema_digest === sha256(row.schema)], ['created_by', isBy(makers.get(row.name), row.created_by)],
        ])
        const version = changes.get(row.name)
        if (String(version?.entry.subject['version'] ?? 0) !== row.entities_version) report(version?.index ?? null, version?.index ?? null, `${what} was changed (the version of its entities)`)
        const active = deciding.get(row.name)
        if ((active?.entry.subject['revision'] ?? null) !== text(row.active_revision)) report(active?.index ?? null, active?.index ?? null, `${what} was changed (which revision decides)`)
      })
      await eachRow<RevisionRow>(tx, 'revisions', ['application', 'number'], (row) => {
        const id = key(row.application, String(row.number))
        const what = `revision ${row.number} of \`${row.application}\``
        check(proposals, id, what, ({ subject, digests, at }) => [
          ['content', digests['content'] === digestOf(row.content)], ['digest', digests['content'] === row.digest], ['proposed_at', isAt(row.proposed_at, at)],
          ['proposed_by', isBy(subject['by'], row.proposed_by)], ['rollback_of', subject['by'] === undefined || (subject['rollback_of'] ?? null) === text(row.rollback_of)],
        ])
        if (row.activated_at !== null) check(activations, id, `the activation of ${what}`, ({ subject, at }) => [['activated_by', subject['by'] === row.activated_by], ['activated_at', isAt(row.activated_at, at)]])
        if (row.bundle !== null) check(bundles, id, `the bundle of ${what}`, ({ digests }) => [['bundle', digests['bundle'] === digestOf(row.bundle)]])
      })
      await eachRow<ApprovalRow>(tx, 'approvals', ['application', 'digest', 'member'], (row) => {
        check(approvals, key(row.application, row.digest, row.member), `the approval of \`${row.member}\` for \`${row.application}\``, ({ digests, at }) => [
          ['token', digests['token'] === sha256(row.token)], ['at', isAt(row.at, at)],
        ])
      })
      await eachRow<RevocationRow>(tx, 'revocations', ['certificate_id'], (row) => {
        check(revocations, row.certificate_id, `the revocation of certificate \`${row.certificate_id}\``, ({ subject, digests, at }) => [
          ['reason', digests['reason'] === sha256(row.reason)], ['revoked_by', subject['by'] === row.revoked_by], ['at', isAt(row.at, at)],
        ])
      })
      check.missing(puts, 'the application')
      check.missing(proposals, 'the revision')
      check.missing(activations, 'the activation')
      check.missing(bundles, 'the bundle')
      check.missing(approvals, 'the approval')
      check.missing(revocations, 'the revocation')
    },
  }
}

type ApplicationRow = { name: string; schema: string; schema_digest: string; created_by: string; entities_version: string; active_revision: number | null }
type RevisionRow = {
  application: string; number: number; content: unknown; digest: string; bundle: unknown; proposed_by: string; proposed_at: Date; rollback_of: number | null; activated_by: string | null; activated_at: Date | null
}
type ApprovalRow = { application: string; digest: string; member: string; token: string; at: Date }
type RevocationRow = { certificate_id: string; reason: string; revoked_by: string; at: Date }

function checking(report: Report) {
  const found = new Map<unknown, Set<string>>()
  const check = (entries: ReadonlyMap<string, Seen>, id: string, what: string, parts: (entry: Entry) => readonly (readonly [name: string, isRight: boolean])[]): void => {
    const seen = entries.get(id)
    found.set(entries, (found.get(entries) ?? new Set()).add(id))
    if (seen === undefined) return report(null, null, `${what} is not in the ledger`)
    const wrong = parts(seen.entry).filter(([, isRight]) => !isRight).map(([name]) => name)
    if (wrong.length > 0) report(seen.index, seen.index, `${what} was changed (its ${wrong.join(', ')})`)
  }
  return Object.assign(check, {
    /** Entries whose row was not there. */
    missing: (entries: ReadonlyMap<string, Seen>, what: string): void => {
      for (const [id, { index }] of entries) if (!found.get(entries)?.has(id)) report(index, index, `${what} that it is about is missing`)
    },
  })
}

const PAGE = 50

/** Rows in pages, by their key, so that a table may be long. */
async function eachRow<R extends object>(tx: Queryable, table: string, by: readonly string[], look: (row: R) => void): Promise<void> {
  const columns = by.join(', ')
  const beyond = `where (${columns}) > (${by.map((_, at) => `$${at + 1}`).join(', ')})`
  let after: readonly unknown[] = []
  for (;;) {
    const { rows } = await tx.query(`select * from ${table} ${after.length === 0 ? '' : beyond} order by ${columns} limit ${PAGE}`, [...after])
    for (const row of rows) look(row as R)
    const last = rows.at(-1)
    if (last === undefined || rows.length < PAGE) return
    after = by.map((column): unknown => last[column])
  }
}

function digestOf(value: unknown): string | null {
  try {
    return digest(value)
  } catch (error) {
    if (error instanceof TypeError) return null // It has no canonical form, so it is nothing that we wrote.
    throw error
  }
}

/** Entries of releases before this one name nobody. */
function isBy(said: string | undefined, by: string): boolean {
  return said === undefined || said === by
}

function isAt(at: Date | null, wanted: string): boolean {
  return at instanceof Date && Number.isFinite(at.getTime()) && at.toISOString() === wanted
}

/** No part of a key has a line break. */
function key(...parts: readonly string[]): string {
  return parts.join('\n')
}

function text(value: number | null): string | null {
  return value === null ? null : String(value)
}

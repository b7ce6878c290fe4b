import { entryText, subjectOf, type LedgerEntry } from '#core/ledger/entry.ts'
import type { Notice } from '#core/revision/notice.ts'
import { lockApplication } from './applications.ts'
import type { Queryable } from './connect.ts'
import { append } from './ledger.ts'

/**
 * Records what a decision point told. Told again, since the reply was lost, it changes nothing.
 *
 * @returns False when there is no such application: there is nothing to record it about.
 */
export async function recordNotice(tx: Queryable, notice: Notice): Promise<boolean> {
  const { application } = notice
  if ((await lockApplication(tx, application)) === null) return false
  const entry = entryOf(notice)
  const { rowCount } = await tx.query('select from ledger_entries where subject = $1 and kind = $2 and entry = $3', [subjectOf(entry), entry.kind, entryText(entry)])
  if (rowCount === 0) await append(tx, entry)
  return true
}

function entryOf(notice: Notice): LedgerEntry {
  const { kind, application, revision, at } = notice
  const subject = { application, revision: String(revision) }
  return notice.kind === 'revision.disagreed' ? { kind, at, subject, digests: { fixture: notice.fixture } } : { kind, at, subject: { ...subject, by: notice.by }, digests: {} }
}

import type { ApprovalRow, RevisionRow } from '#adapters/postgres/revisions.ts'
import { concerned } from '#core/revision/compose.ts'

/** Why a revision cannot decide at present: for programs, and for people with what to do. */
export type Obstacle = { readonly reason: 'not_proved' | 'superseded' | 'stale' | 'revoked' | 'not_approved'; readonly message: string }

/** What an application has now: the revision that decides, and the schema. */
export type Now = { readonly activeRevision: number | null; readonly schemaDigest: string }

/** What is demanded now: under which constitution, and by how many of the council. */
export type Demanded = { readonly constitution: string; readonly approvals: number }

/**
 * Everything that keeps a revision that does not decide from deciding, the weightiest first; empty: it can be activated.
 *
 * @param revoked Those of its certificates that were.
 */
export function obstaclesOf(row: RevisionRow, { activeRevision, schemaDigest }: Now, { approvals, demanded, revoked }: {
  readonly approvals: readonly Pick<ApprovalRow, 'member'>[]; readonly demanded: Demanded; readonly revoked: readonly string[]
}): readonly Obstacle[] {
  if (row.activated_at !== null) return [{ reason: 'superseded', message: `it was superseded: bring its content back with \`acgs revision rollback ${row.application} ${row.number}\`` }]
  const lacking = demanded.approvals - approvals.filter(({ member }) => !mayNotApprove(row).has(member)).length
  const all: readonly (Obstacle | false)[] = [
    row.verdict !== 'proved' && { reason: 'not_proved', message: `the set as a whole is ${row.verdict}, and only what is proved may decide` },
    row.base !== activeRevision && { reason: 'stale', message: `it was proposed on ${named(row.base)}, and ${named(activeRevision)} decides now: propose it again` },
    row.content.schema.digest !== schemaDigest && { reason: 'stale', message: 'the schema changed since it was proved: propose it again' },
    row.content.constitution.digest !== demanded.constitution && { reason: 'stale', message: 'the constitution changed since it was proposed: propose it again' },
    ...revoked.map((id): Obstacle => ({ reason: 'revoked', message: `certificate ${id} was revoked: propose the set without it` })),
    lacking > 0 && { reason: 'not_approved', message: `${lacking} approval${lacking === 1 ? '' : 's'} by the council` },
  ]
  return all.filter((each) => each !== false)
}

/** Whose approval does not count for a revision: whoever proposed its content or wrote a part of it, and whoever asked for its return. */
export function mayNotApprove({ content, proposed_by }: RevisionRow): ReadonlySet<string> {
  return new Set([...concerned(content), proposed_by])
}

function named(revision: number | null): string {
  return revision === null ? 'no revision' : `revision ${revision}`
}

import type { RevisionRow } from '#adapters/postgres/revisions.ts'
import { sha256, canonical } from '#core/canonical.ts'
import { Failure } from '#core/failure.ts'
import { Answer, route, type Route } from '#http/contract.ts'
import { getBundle, getRevision, getRevisions, getRevocations, postActivation, postApproval, postRevision, postRevocation, type RevisionReply } from './revision-contract.ts'
import type { Revisions, RevisionView } from './revisions.ts'

export type Use = {
  readonly revisions: Revisions
  /** The row that decides for an application; null while none does. */
  readonly active: (application: string) => Promise<RevisionRow | null>
  readonly revoked: () => Promise<readonly string[]>
}

export function routes({ revisions, active, revoked }: Use): Route[] {
  return [
    route(postRevision, async ({ params: { app }, body, caller }) => {
      const { rollback_to: to, ...change } = body
      const isEmpty = change.add.length + change.remove.length + change.replace.length === 0
      if (to === undefined ? isEmpty : !isEmpty) {
        const message = isEmpty ? 'give `add`, `replace` or `remove` with ids of certificates, or `rollback_to` with a revision' : '`rollback_to` stands alone: leave out add, replace and remove'
        throw new Failure('REQUEST_MALFORMED', message, { problems: [{ place: 'body', message }] })
      }
      const view = to === undefined ? await revisions.propose(app, change, caller) : await revisions.rollBack(app, to, caller)
      const reply = replyOf(view)
      if (reply.verdict === 'proved') return reply
      const broken = reply.articles.filter(({ answer }) => answer !== 'proved').map(({ id }) => id)
      throw new Failure(reply.verdict === 'refuted' ? 'POLICY_REFUSED' : 'POLICY_UNDETERMINED', `revision ${reply.revision} of \`${app}\` is ${reply.verdict} as a whole: ${broken.join(', ')}`, { details: { ...reply } })
    }),
    route(getRevisions, async ({ params: { app } }) => ({ revisions: (await revisions.list(app)).map(replyOf) })),
    route(getRevision, async ({ params: { app, n } }) => replyOf(await revisions.read(app, n))),
    route(postApproval, async ({ params: { app, n }, body, caller }) => replyOf(await revisions.approve(app, n, body.approval_token, caller))),
    route(postActivation, async ({ params: { app, n }, caller }) => replyOf(await revisions.activate(app, n, caller))),
    route(postRevocation, async ({ params: { id }, body, caller }) => {
      const { isNew } = await revisions.revoke(id, body.reason, caller)
      return { certificate: id, revoked: true as const, was_revoked_already: !isNew }
    }),
    route(getBundle, async ({ params: { app }, headers }) => {
      const row = await active(app)
      if (row === null || row.bundle === null) throw new Failure('NOT_FOUND', `no revision decides for \`${app}\``)
      const etag = `"${sha256(canonical(row.bundle)).slice(0, 32)}"`
      const reply = { revision: row.number, bundle: row.bundle }
      return new Answer(reply, { headers: { etag }, ...(headers['if-none-match'] === etag ? { status: 304 } : {}) })
    }),
    route(getRevocations, async () => ({ revoked: [...(await revoked())] })),
  ]
}

/** A revision as it is shown: how many articles apply comes first. */
export function replyOf({ row, isActive, approvals, required, missing }: RevisionView): RevisionReply {
  const { articles } = row.examination as { articles: RevisionReply['articles'] }
  return {
    applicable: row.content.applicable,
    application: row.application,
    revision: row.number,
    digest: row.digest,
    verdict: row.verdict,
    is_active: isActive,
    missing: [...missing],
    approvals: approvals.map(({ member, at }) => ({ member, at: at.toISOString() })),
    approvals_required: required,
    certificates: row.content.certificates.map(({ id, author }) => ({ id, author })),
    articles,
    policy: row.content.policy,
    base: row.base,
    rollback_of: row.rollback_of,
    proposed_by: row.proposed_by,
    proposed_at: row.proposed_at.toISOString(),
    proved_at: row.proved_at.toISOString(),
    activated_by: row.activated_by,
    activated_at: row.activated_at?.toISOString() ?? null,
  }
}

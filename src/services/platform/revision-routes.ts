import { sha256, canonical } from '#core/canonical.ts'
import { Failure } from '#core/failure.ts'
import type { Heads } from '#core/revision/application.ts'
import type { Bundle } from '#core/revision/bundle.ts'
import { Answer, route, type Route } from '#http/contract.ts'
import { getBundle, getCertificateStatus, getRevision, getRevisions, getHeads, postActivation, postApproval, postRevision, postRevocation, type RevisionReply } from './revision-contract.ts'
import type { Revisions, RevisionView } from './revisions.ts'

export type Use = {
  readonly revisions: Revisions
  /** What decides for an application; null while nothing does. */
  readonly bundle: (application: string) => Promise<{ readonly revision: number; readonly bundle: Bundle } | null>
  readonly heads: () => Promise<Heads>
  /** Null for a certificate that was not issued here. */
  readonly certificate: (id: string) => Promise<{ readonly revokedAt: Date | null } | null>
}

export function revisionRoutes({ revisions, bundle, heads, certificate }: Use): Route[] {
  return [
    route(postRevision, async ({ params: { app }, body, caller }) => {
      const { rollback_to: to, ...change } = body
      const isEmpty = change.add.length + change.remove.length + change.replace.length === 0
      if (to === undefined ? isEmpty : !isEmpty) {
        const message = isEmpty ? 'give `add`, `replace` or `remove` with ids of certificates, or `rollback_to` with a revision' : '`rollback_to` stands alone: leave out add, replace and remove'
        throw new Failure('REQUEST_MALFORMED', message, { problems: [{ place: 'body', message }] })
      }
      const view = to === undefined ? await revisions.propose(app, change, caller) : await revisions.rollBack(app, to, caller)
      const reply = { ...replyOf(view), difference: view.difference }
      if (reply.verdict === 'proved') return reply
      const broken = reply.articles.filter(({ answer }) => answer !== 'proved').map(({ id }) => id)
      throw new Failure(reply.verdict === 'refuted' ? 'POLICY_REFUSED' : 'POLICY_UNDETERMINED', `revision ${reply.revision} of \`${app}\` is ${reply.verdict} as a whole: ${broken.join(', ')}`, { details: { ...reply } })
    }),
    route(getRevisions, async ({ params: { app } }) => ({ revisions: (await revisions.list(app)).map(replyOf) })),
    route(getRevision, async ({ params: { app, n } }) => {
      const view = await revisions.read(app, n)
      return { ...replyOf(view), difference: view.difference, content: view.row.content }
    }),
    route(postApproval, async ({ params: { app, n }, body, caller }) => replyOf(await revisions.approve(app, n, body.approval_token, caller))),
    route(postActivation, async ({ params: { app, n }, caller }) => replyOf(await revisions.activate(app, n, caller))),
    route(postRevocation, async ({ params: { id }, body, caller }) => {
      const { isNew } = await revisions.revoke(id, body.reason, caller)
      return { certificate: id, revoked: true as const, was_revoked_already: !isNew }
    }),
    route(getBundle, async ({ params: { app }, headers }) => {
      const reply = await bundle(app)
      if (reply === null) throw new Failure('NOT_FOUND', `no revision decides for \`${app}\``)
      const etag = `"${sha256(canonical(reply.bundle)).slice(0, 32)}"`
      return new Answer(reply, { headers: { etag }, ...(headers['if-none-match'] === etag ? { status: 304 } : {}) })
    }),
    route(getCertificateStatus, async ({ params: { id } }) => {
      const found = await certificate(id)
      if (found === null) throw new Failure('NOT_FOUND', `no certificate \`${id}\` was issued here`)
      return { certificate: id, revoked: found.revokedAt !== null, revoked_at: found.revokedAt?.toISOString() ?? null }
    }),
    route(getHeads, async () => {
      const { applications, revoked } = await heads()
      return { applications: applications.map((each) => ({ ...each })), revoked: [...revoked] }
    }),
  ]
}

/** A revision as it is shown: how many articles apply comes first. */
export function replyOf({ row, isActive, approvals, required, revoked, obstacles }: RevisionView): RevisionReply {
  const { articles } = row.examination as { articles: RevisionReply['articles'] }
  return {
    applicable: row.content.applicable,
    application: row.application,
    revision: row.number,
    digest: row.digest,
    verdict: row.verdict,
    is_active: isActive,
    missing: obstacles.map(({ message }) => message),
    revoked: [...revoked],
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

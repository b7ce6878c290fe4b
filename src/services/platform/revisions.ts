import type { ConstitutionInForce } from '#adapters/constitution.ts'
import type { Examiner } from '#adapters/examiner.ts'
import { lockApplication } from '#adapters/postgres/applications.ts'
import type { Database, Queryable } from '#adapters/postgres/connect.ts'
import {
  activateRevision, activeRevisions, approvalsOf, insertDifference, insertRevision, insertRevocation, listRevisions, proposersOf, putApproval, readCertificates,
  readDifference, readNow, readRevision, readRevocations, reproveRevision, type ApprovalRow, type RevisionRow,
} from '#adapters/postgres/revisions.ts'
import { canonical, digest } from '#core/canonical.ts'
import { applicableOf, type Certificate } from '#core/certificate/statement.ts'
import { open } from '#core/certificate/verify.ts'
import { score, standingOf, type Examination } from '#core/compliance/judge.ts'
import { Failure, type Problem } from '#core/failure.ts'
import { examine } from '#core/generate.ts'
import type { VerifyApproval } from '#adapters/keys/approval.ts'
import type { PolicySet } from '#core/policy/policy.ts'
import { written } from '#core/policy/render.ts'
import type { Schema } from '#core/policy/schema.ts'
import type { Approved } from '#core/revision/approval.ts'
import type { Application } from '#core/revision/application.ts'
import type { Bundle } from '#core/revision/bundle.ts'
import { changed, cite, compose, concerned, unusable, type Change, type OpenCertificate } from '#core/revision/compose.ts'
import type { RevisionContent } from '#core/revision/revision.ts'
import { flawOf } from '#core/revision/usable.ts'
import type { Caller } from '#http/contract.ts'
import type { BundleRequest } from '#services/compliance/bundles.ts'
import { notTold, type Differ } from './difference.ts'
import { mayNotApprove, obstaclesOf, type Now, type Obstacle } from './obstacles.ts'
import { RevisionDifference } from './revision-contract.ts'

/** A revision as whoever reads it sees it: what it is, how it stands, and what is still missing before it can decide. */
export type RevisionView = {
  readonly row: RevisionRow
  readonly isActive: boolean
  readonly approvals: readonly ApprovalRow[]
  readonly required: number
  /** Certificates of it that were revoked: while it decides, it does so without their permits. */
  readonly revoked: readonly string[]
  /** What keeps it from deciding, the weightiest first; empty: it can be activated, or decides already. */
  readonly obstacles: readonly Obstacle[]
}

/** The same with what it changes against what decided when it was proposed; null: nothing did. */
export type ProposedView = RevisionView & { readonly difference: RevisionDifference | null }

/** What the acts on revisions are given. */
export type Given = {
  readonly database: Database
  readonly examiner: Examiner
  readonly inForce: ConstitutionInForce
  readonly threshold: number
  /** Compliance: judges again, then signs. */
  readonly bundle: (request: BundleRequest) => Promise<Bundle>
  readonly approvalOf: VerifyApproval
  readonly differ: Differ
  /** Told when the decision point has something to fetch. */
  readonly onChanged: () => void
  /** Told of an active revision whose bundle compliance will not sign anew. */
  readonly onUnsigned: (application: string, revision: number, because: string) => void
  /** Told of every certificate that was revoked. */
  readonly onRevoked: (certificate: string) => void
  readonly now: () => Date
}

/** The acts on revisions. Each is one transaction: done and in the ledger, or not done. */
export type Revisions = {
  /**
   * Proves the whole set that the change would make, and stores it under the next number, whatever the proof says.
   *
   * @throws {Failure} `NOT_FOUND`, `CERTIFICATE_UNUSABLE`, `POLICY_INVALID`; `CONFLICT` when the active revision changed meanwhile.
   */
  readonly propose: (application: string, change: Change, caller: Caller) => Promise<ProposedView>
  /** The same for the content of an earlier revision, whose approvals count again while constitution and schema are those of then. */
  readonly rollBack: (application: string, to: number, caller: Caller) => Promise<ProposedView>
  readonly read: (application: string, number: number) => Promise<ProposedView>
  readonly list: (application: string) => Promise<readonly RevisionView[]>
  /** @throws {Failure} `APPROVAL_INVALID`, `CONFLICT` when it is not proved. An approval that is there already changes nothing. */
  readonly approve: (application: string, number: number, token: string, caller: Caller) => Promise<RevisionView>
  /** @throws {Failure} `CONFLICT` with `reason` not_proved, not_approved, revoked, superseded or stale; whatever compliance refuses. Activating what is active changes nothing. */
  readonly activate: (application: string, number: number, caller: Caller) => Promise<RevisionView>
  /** @throws {Failure} `NOT_FOUND` when no such certificate is here. Revoking again changes nothing. */
  readonly revoke: (certificate: string, reason: string, caller: Caller) => Promise<{ readonly isNew: boolean }>
  /**
   * Proves every active revision again that was last proved a day ago, or under another constitution or schema, and has its bundle signed
   * anew. A revision that no longer holds goes on deciding until the council acts.
   *
   * @returns What was found, by application; of those that were not due, nothing.
   */
  readonly reprove: () => Promise<readonly { readonly application: string; readonly number: number; readonly verdict: RevisionRow['verdict']; readonly score: number | null }[]>
}

export function createRevisions({ database, examiner, inForce, threshold, bundle, approvalOf, differ, onChanged, onUnsigned, onRevoked, now }: Given): Revisions {
  const parse: Parameters<typeof compose>[2] = (text, schema) => examiner.examining(schema).parse(text, schema)
  const required = inForce.constitution.approvals
  const demanded = { constitution: inForce.shown.digest, approvals: required }
  const recordedApprovalOf = (token: string, of: Approved) => approvalOf(token, of, { at: 'recorded' })

  const found = async (db: Queryable, application: string, number: number): Promise<RevisionRow> => {
    const row = await readRevision(db, application, number)
    if (row !== null) return row
    await activeOf(db, application) // That there is no such application is said first.
    throw new Failure('NOT_FOUND', `application \`${application}\` has no revision ${number}`)
  }
  const view = async (db: Queryable, row: RevisionRow, now: Now): Promise<RevisionView> => {
    const approvals = await approvalsOf(db, row.application, row.digest)
    const everRevoked = new Set(await readRevocations(db))
    const revoked = row.content.certificates.flatMap(({ id }) => (everRevoked.has(id) ? [id] : []))
    const isActive = row.number === now.activeRevision
    return { row, isActive, approvals, required, revoked, obstacles: isActive ? [] : obstaclesOf(row, now, { approvals: await stillCounting(row, approvals), demanded, revoked }) }
  }
  const activeOf = async (db: Queryable, application: string): Promise<Now> => (await readNow(db, application)) ?? unknownApplication(application)
  const locked = async (tx: Queryable, application: string) => (await lockApplication(tx, application)) ?? unknownApplication(application)
  /** Approvals that count today: a token of an issuer that is gone would have the whole bundle refused. While nobody can judge them, they stand. */
  const stillCounting = async (row: RevisionRow, approvals: readonly ApprovalRow[]): Promise<readonly ApprovalRow[]> => {
    const counts = await Promise.all(approvals.map(({ token }) => doesCount(token, { application: row.application, digest: row.digest }).catch(() => true)))
    return approvals.filter((_, at) => counts[at])
  }
  const standingTokens = async (row: RevisionRow, approvals: readonly ApprovalRow[]): Promise<readonly string[]> =>
    (await stillCounting(row, approvals)).flatMap(({ member, token }) => (mayNotApprove(row).has(member) ? [] : [token]))
  const doesCount = async (token: string, of: Approved): Promise<boolean> => {
    try {
      await recordedApprovalOf(token, of)
      return true
    } catch (error) {
      if (!(error instanceof Failure) || error.code !== 'APPROVAL_INVALID') throw error
      return false
    }
  }

  /** Reads what decides now, makes a content of it without holding a lock, and stores it when nothing has changed meanwhile. */
  const store = async (application: string, caller: Caller, make: (present: RevisionRow | null, schema: { text: string; digest: string }) => Promise<Proposal>): Promise<ProposedView> => {
    const before = await database.transaction(async (tx) => {
      const lock = await locked(tx, application)
      return { lock, present: lock.activeRevision === null ? null : await found(tx, application, lock.activeRevision) }
    })
    const { content, examination, rollbackOf, difference } = await make(before.present, before.lock.schema)
    const at = now()
    return database.transaction(async (tx) => {
      const lock = await locked(tx, application)
      if (lock.activeRevision !== before.lock.activeRevision || lock.schema.digest !== before.lock.schema.digest) {
        throw conflict('stale', `what decides for \`${application}\` changed while this was proved: propose it again`)
      }
      const { number } = await insertRevision(tx, {
        application, base: lock.activeRevision, rollback_of: rollbackOf, content, digest: digest(content), ...stand(examination, content.schema.digest),
        proved_at: at, proposed_by: caller.subject, proposed_at: at,
      })
      if (difference !== null) await insertDifference(tx, application, number, difference)
      return { ...(await view(tx, await found(tx, application, number), nowOf(lock))), difference }
    })
  }
  /** Both at once: what the set is worth, and what it changes. */
  const provedWhole = async (content: Omit<RevisionContent, 'applicable'>, present: RevisionRow | null): Promise<Omit<Proposal, 'rollbackOf'>> => {
    const schema = examiner.parseSchema(content.schema.text)
    const policy = parse(content.policy, schema)
    const [examination, difference] = await Promise.all([examine(policy, schema, examiner.examining(schema)), present === null ? null : differenceTo(present, policy, schema)])
    return { content: { ...content, applicable: applicableOf(examination) }, examination, difference }
  }
  const differenceTo = async ({ application, number, content }: RevisionRow, after: PolicySet, schema: Schema): Promise<RevisionDifference> => {
    try {
      const before = withoutPermitsOf(new Set(await readRevocations(database)), parse(content.policy, schema))
      return { against: number, ...(await differ(application, before, after, schema)) }
    } catch (error) {
      if (!(error instanceof Failure) || error.code !== 'POLICY_INVALID') throw error
      return { against: number, ...notTold(`the policy of revision ${number} does not fit the schema of today: ${error.message}`) }
    }
  }

  return {
    propose: (application, change, caller) => store(application, caller, async (present, schema) => {
      const ids = changed(present?.content.certificates.map(({ id }) => id) ?? [], change)
      const certificates = opened(await readCertificates(database, ids))
      const stays = new Set(present?.content.certificates.map(({ id }) => id))
      refuseUnusable(certificates, { application, schemaDigest: schema.digest, stays, revoked: new Set(await readRevocations(database)), at: now() })
      return {
        rollbackOf: null,
        ...(await provedWhole({
          application, schema, constitution: { hash: inForce.shown.hash, digest: inForce.shown.digest }, certificates: certificates.map(cite),
          policy: compose(certificates, examiner.parseSchema(schema.text), parse), proposedBy: caller.subject, proposedAt: now().toISOString(),
        }, present)),
      }
    }),

    rollBack: (application, to, caller) => store(application, caller, async (present, schema) => {
      const earlier = await found(database, application, to)
      if (earlier.activated_at === null) throw conflict('never_active', `revision ${to} of \`${application}\` never decided: there is nothing to go back to`)
      const certificates = opened(await readCertificates(database, earlier.content.certificates.map(({ id }) => id)))
      const stays = new Set(certificates.map(({ id }) => id))
      refuseUnusable(certificates, { application, schemaDigest: schema.digest, stays, revoked: new Set(await readRevocations(database)), at: now() })
      const isSame = earlier.content.constitution.digest === inForce.shown.digest && earlier.content.schema.digest === schema.digest
      // Under another constitution or schema it is another content: proved again, and to be approved again.
      const base = isSame ? earlier.content : {
        ...earlier.content, schema, constitution: { hash: inForce.shown.hash, digest: inForce.shown.digest },
        policy: compose(certificates, examiner.parseSchema(schema.text), parse), proposedBy: caller.subject, proposedAt: now().toISOString(),
      }
      return { rollbackOf: to, ...(await provedWhole(base, present)) }
    }),

    read: async (application, number) => {
      const seen = await view(database, await found(database, application, number), await activeOf(database, application))
      return { ...seen, difference: RevisionDifference.nullable().parse(await readDifference(database, application, number)) }
    },

    list: async (application) => {
      const active = await activeOf(database, application)
      return Promise.all((await listRevisions(database, application)).map((row) => view(database, row, active)))
    },

    approve: async (application, number, token, caller) => {
      const row = await found(database, application, number)
      if (row.verdict !== 'proved') throw conflict('not_proved', `revision ${number} of \`${application}\` is ${row.verdict}: there is nothing to approve`)
      const of = { application, digest: row.digest }
      const { member } = await approvalOf(token, of)
      if (member !== caller.subject) throw new Failure('APPROVAL_INVALID', `the approval is \`${member}\`'s, and \`${caller.subject}\` brings it: bring your own`)
      const proposers = await proposersOf(database, application, row.digest)
      if (concerned(row.content).has(member) || proposers.includes(member)) {
        throw new Failure('APPROVAL_INVALID', `\`${member}\` proposed what revision ${number} holds or wrote a part of it: another member of the council must approve it, or an author who is no member must propose it`)
      }
      const given = (await approvalsOf(database, application, row.digest)).find((each) => each.member === member)
      const isNeeded = given === undefined || !(await doesCount(given.token, of))
      return database.transaction(async (tx) => {
        const lock = await locked(tx, application)
        if (isNeeded) await putApproval(tx, { ...of, revision: number, member, token, at: now(), instead: given?.token ?? null })
        return view(tx, row, nowOf(lock))
      })
    },

    activate: async (application, number, caller) => {
      // Compliance judges the whole set again, and nobody has to wait for that: what may change meanwhile is looked at again, under the lock.
      const [row, before] = [await found(database, application, number), await activeOf(database, application)]
      const { isActive, obstacles, approvals } = await view(database, row, before)
      if (isActive) return view(database, row, before)
      refuseBlocked(row, obstacles)
      const certificates = await readCertificates(database, row.content.certificates.map(({ id }) => id))
      const signed = await bundle({ revision: number, content: row.content, certificates, approvals: await standingTokens(row, approvals) })
      const result = await database.transaction(async (tx) => {
        const lock = await locked(tx, application)
        const again = await view(tx, await found(tx, application, number), nowOf(lock))
        if (again.isActive) return again
        refuseBlocked(row, again.obstacles)
        await activateRevision(tx, { application, number, by: caller.subject, at: now(), bundle: signed })
        return view(tx, await found(tx, application, number), { ...nowOf(lock), activeRevision: number })
      })
      onChanged()
      return result
    },

    revoke: async (certificate, reason, caller) => {
      const { rowCount } = await database.query('select from policy_generations where certificate_id = $1', [certificate])
      if (rowCount === 0) throw new Failure('NOT_FOUND', `there is no certificate \`${certificate}\``)
      const isNew = await database.transaction((tx) => insertRevocation(tx, { certificate, reason, by: caller.subject, at: now() }))
      if (isNew) onRevoked(certificate)
      onChanged()
      return { isNew }
    },

    reprove: async () => {
      const results: Awaited<ReturnType<Revisions['reprove']>>[number][] = []
      const again = async (row: RevisionRow) => {
        const { application, number, content, verdict, proved_at, examination } = row
        const under = { constitution: inForce.shown.digest, schema: (await activeOf(database, application)).schemaDigest }
        const age = now().getTime() - proved_at.getTime()
        if (age < (verdict === 'undetermined' ? RETRY_MS : DAY_MS) && isUnder(examination, under)) return
        const { schema, certificates, approvals } = await database.transaction(async (tx) => ({
          schema: (await locked(tx, application)).schema,
          certificates: await readCertificates(tx, content.certificates.map(({ id }) => id)),
          approvals: await approvalsOf(tx, application, digest(content)),
        }))
        const today = await examineUnder(schema, content.policy)
        const signed = await standingTokens(row, approvals).then((tokens) => bundle({ revision: number, content, certificates, approvals: tokens })).catch((error: unknown) => refusedBundle(error, (because) => onUnsigned(application, number, because)))
        const at = now()
        const isStill = await database.transaction(async (tx) => {
          if ((await locked(tx, application)).activeRevision !== number) return false
          await reproveRevision(tx, { application, number, verdict: today.verdict, examination: today.examination, at, bundle: signed })
          return true
        })
        if (isStill) results.push({ application, number, verdict: today.verdict, score: today.score })
      }
      // What fails for one application is tried again at the next look, and keeps no other from being proved.
      for (const row of await activeRevisions(database)) await again(row).catch((error: unknown) => onUnsigned(row.application, row.number, error instanceof Error ? error.message : String(error)))
      if (results.length > 0) onChanged()
      return results
    },
  }

  /** The verdict on a set, with the articles and what they were proved under, as they are stored. */
  function stand(examination: Examination, schema: string): { verdict: RevisionRow['verdict']; examination: unknown } {
    const { verdict, articles } = standing(examination, threshold)
    return { verdict, examination: { articles, under: { constitution: inForce.shown.digest, schema } } }
  }

  /** How a policy stands over the schema of today; a policy that no longer fits it is undetermined, and says why. */
  async function examineUnder(today: { text: string; digest: string }, policy: string): Promise<{ verdict: RevisionRow['verdict']; examination: unknown; score: number | null }> {
    try {
      const schema = examiner.parseSchema(today.text)
      const examination = await examine(parse(policy, schema), schema, examiner.examining(schema))
      return { ...stand(examination, schema.digest), score: score(examination) }
    } catch (error) {
      if (!(error instanceof Failure) || !['POLICY_INVALID', 'SCHEMA_INVALID', 'SOLVER_FAILED'].includes(error.code)) throw error
      return { verdict: 'undetermined', examination: { articles: [], because: error.message, under: { constitution: inForce.shown.digest, schema: today.digest } }, score: null }
    }
  }
}

/** What compliance will not sign anew goes on with the bundle that it has. */
function refusedBundle(error: unknown, report: (because: string) => void): null {
  if (!(error instanceof Failure)) throw error
  report(error.message)
  return null
}

function nowOf({ activeRevision, schema }: Application): Now {
  return { activeRevision, schemaDigest: schema.digest }
}

function unknownApplication(application: string): never {
  throw new Failure('NOT_FOUND', `there is no application \`${application}\`: put its schema first`)
}

function refuseBlocked({ application, number }: RevisionRow, obstacles: readonly Obstacle[]): void {
  const [first] = obstacles
  if (first === undefined) return
  const missing = obstacles.map(({ message }) => message)
  const message = first.reason === 'not_approved' ? `it still needs ${first.message}` : missing.join('; ')
  throw conflict(first.reason, `revision ${number} of \`${application}\` cannot decide: ${message}`, { missing })
}

type Proposal = { readonly content: RevisionContent; readonly examination: Examination; readonly difference: RevisionDifference | null; readonly rollbackOf: number | null }

/** As a set decides once certificates of it are revoked: their prohibitions stay. */
function withoutPermitsOf(revoked: ReadonlySet<string>, policy: PolicySet): PolicySet {
  const kept = policy.rules.filter(({ effect, annotations: { certificate } }) => effect === 'forbid' || certificate === undefined || !revoked.has(certificate))
  return kept.length === policy.rules.length ? policy : written(kept)
}

const VERDICTS = { proved: 'proved', refuted: 'refuted', unknown: 'undetermined' } as const

function standing(examination: Examination, threshold: number): { verdict: RevisionRow['verdict']; articles: readonly unknown[] } {
  const { kind } = standingOf(examination, threshold)
  const articles = examination.proofs.map(({ article: { id, hard, principle, text }, proof: { answer }, mentions }) => ({ id, principle, hard, text, answer: answer.kind, mentions, ...answer }))
  return { verdict: VERDICTS[kind], articles: articles.map(({ kind: _, ...article }) => article) }
}

function isUnder(examination: unknown, { constitution, schema }: { constitution: string; schema: string }): boolean {
  const { under } = examination as { under?: { constitution?: string; schema?: string } }
  return under?.constitution === constitution && under.schema === schema
}

const DAY_MS = 86_400_000
/** What could not be decided may be when the solver is less busy. */
const RETRY_MS = 600_000

/** The platform holds no key: it reads what it stored, and compliance checks the signatures before it signs. */
function opened(certificates: readonly Certificate[]): readonly OpenCertificate[] {
  return certificates.map((certificate) => {
    const { statement } = open(Buffer.from(canonical(certificate)), () => true)
    if (statement === null) throw unusable([{ place: certificate.id, message: 'has a form that this version does not read: generate its policy again' }])
    return { id: certificate.id, statement }
  })
}

function refuseUnusable(certificates: readonly OpenCertificate[], { application, schemaDigest, stays, revoked, at }: {
  application: string; schemaDigest: string; stays: ReadonlySet<string>; revoked: ReadonlySet<string>; at: Date
}): void {
  const problems = certificates.flatMap((certificate): Problem[] => {
    const { id, statement } = certificate
    const flaw = flawOf(certificate, { isRevoked: (each) => revoked.has(each), at })
    if (flaw !== null) return [flaw]
    if (stays.has(id) || statement.predicate.digests.schema === schemaDigest) return []
    return [{ place: id, message: `is for another schema than that of \`${application}\`: generate the policy with this application's schema` }]
  })
  if (problems.length > 0) throw unusable(problems)
}

function conflict(reason: string, message: string, details: Record<string, unknown> = {}): Failure {
  return new Failure('CONFLICT', message, { details: { reason, ...details } })
}

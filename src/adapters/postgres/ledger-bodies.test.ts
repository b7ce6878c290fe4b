import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'

import { sha256 } from '#core/canonical.ts'
import { keep } from '#core/revision/entities.ts'
import { revisionDigest, type RevisionContent } from '#core/revision/revision.ts'
import { testDatabase, type TestDatabase } from '#test/database.ts'
import { appendPut, insertApplication, updateSchema } from './applications.ts'
import { changeEntities } from './entities.ts'
import { verifyLedger } from './ledger-verify.ts'
import { activateRevision, putApproval, insertRevision, insertRevocation, reproveRevision } from './revisions.ts'

const AT = new Date('2026-11-24T12:00:00.007Z')
const schemaOf = (text: string) => ({ text, digest: sha256(text) })
const bundleOf = (payload: string) => ({ envelope: { payloadType: 'application/vnd.in-toto+json' as const, payload, signatures: [{ keyid: 'k', sig: 's' }] } })

const CONTENT: RevisionContent = {
  application: 'clinic', schema: schemaOf('entity User;'), constitution: { hash: 'cdd01ef066bc6cf2', digest: sha256('c') },
  applicable: { articles: 1, of: 2, missing: [] }, certificates: [], policy: '', proposedBy: 'author-1', proposedAt: AT.toISOString(),
}
const DIGEST = revisionDigest(CONTENT)

/** An application that was put twice, with two revisions: the first approved, activated and proved again. Entries 0 to 7. */
let db: TestDatabase
before(async () => {
  db = await testDatabase()
  const put = { name: 'clinic', by: 'author-1', at: AT }
  await db.transaction(async (tx) => (await insertApplication(tx, { ...put, schema: schemaOf('old') }), await appendPut(tx, { ...put, schema: schemaOf('old') })))
  await db.transaction(async (tx) => (await updateSchema(tx, { ...put, schema: CONTENT.schema }), await appendPut(tx, { ...put, schema: CONTENT.schema })))
  await db.transaction((tx) => changeEntities(tx, 'clinic', { upserted: [keep({ uid: { type: 'User', id: 'a' }, attrs: {}, parents: [] })], deleted: [] }, { version: 0, by: 'author-1', at: AT }))
  const revision = { application: 'clinic', base: null, rollback_of: null, content: CONTENT, digest: DIGEST, verdict: 'proved' as const, examination: {}, proved_at: AT, proposed_by: 'author-1', proposed_at: AT }
  await db.transaction((tx) => insertRevision(tx, revision))
  await db.transaction((tx) => putApproval(tx, { application: 'clinic', revision: 1, digest: DIGEST, member: 'council-1', token: 'token', at: AT, instead: null }))
  await db.transaction((tx) => activateRevision(tx, { application: 'clinic', number: 1, by: 'council-1', at: AT, bundle: bundleOf('first') }))
  await db.transaction((tx) => reproveRevision(tx, { application: 'clinic', number: 1, verdict: 'proved', examination: {}, at: AT, bundle: bundleOf('again') }))
  await db.transaction((tx) => insertRevocation(tx, { certificate: 'cert-1', reason: 'withdrawn', by: 'operator-1', at: AT }))
})
after(() => db[Symbol.asyncDispose]())

const problems = async () => (await verifyLedger(db)).problems

test('rows of every kind agree with their entries, also what was replaced', async () => {
  assert.deepEqual(await problems(), [])
})

/** What is done to a row, and the entry and the words by which it is found. */
const CHANGES: readonly (readonly [sql: string, entry: number | null, message: RegExp])[] = [
  [`update applications set schema = 'old'`, 1, /application `clinic` was changed \(its schema\)/],
  [`update applications set schema_digest = 'x'`, 1, /its schema/],
  [`update applications set created_by = 'somebody'`, 1, /its created_by/],
  [`update applications set entities_version = 7`, 2, /the version of its entities/],
  [`update applications set active_revision = null`, 5, /which revision decides/],
  [`update applications set active_revision = 2`, 5, /which revision decides/],
  [`update revisions set content = jsonb_set(content, '{policy}', '"permit(principal,action,resource);"')`, 3, /revision 1 of `clinic` was changed \(its content\)/],
  [`update revisions set digest = 'x'`, 3, /its digest/],
  [`update revisions set proposed_by = 'somebody'`, 3, /its proposed_by/],
  [`update revisions set rollback_of = 1`, 3, /its rollback_of/],
  [`update revisions set proposed_at = proposed_at - interval '1 day'`, 3, /its proposed_at/],
  [`update revisions set activated_by = 'somebody'`, 5, /activation of revision 1 of `clinic` was changed \(its activated_by\)/],
  [`update revisions set activated_at = now()`, 5, /its activated_at/],
  [`update revisions set activated_at = null`, 5, /activation that it is about is missing/],
  [`update revisions set bundle = jsonb_set(bundle, '{envelope,payload}', '"first"')`, 6, /bundle of revision 1 of `clinic` was changed/],
  [`update revisions set bundle = null`, 6, /bundle that it is about is missing/],
  [`update revisions set content = '{"n": 1e400}'`, 3, /its content/],
  [`update revisions set number = 2`, null, /revision 2 of `clinic` is not in the ledger/],
  [`delete from revisions`, 3, /revision that it is about is missing/],
  [`update approvals set token = 'forged'`, 4, /approval of `council-1` for `clinic` was changed \(its token\)/],
  [`update approvals set at = at + interval '1 hour'`, 4, /its at/],
  [`update approvals set member = 'author-1'`, null, /approval of `author-1` for `clinic` is not in the ledger/],
  [`insert into approvals values ('clinic', 'd', 'council-2', 't', now())`, null, /approval of `council-2` for `clinic` is not in the ledger/],
  [`delete from approvals`, 4, /approval that it is about is missing/],
  [`update revocations set reason = 'none'`, 7, /revocation of certificate `cert-1` was changed \(its reason\)/],
  [`update revocations set revoked_by = 'somebody'`, 7, /its revoked_by/],
  [`insert into revocations values ('cert-2', 'r', 'b', now())`, null, /revocation of certificate `cert-2` is not in the ledger/],
  [`delete from revocations`, 7, /revocation that it is about is missing/],
  [`insert into applications (name, schema, schema_digest, created_by, created_at, updated_at) values ('other', '', '', '', now(), now())`, null, /application `other` is not in the ledger/],
]

for (const [sql, entry, message] of CHANGES) {
  test(`found: ${sql}`, async () => {
    const tables = ['applications', 'revisions', 'approvals', 'revocations']
    for (const table of tables) await db.query(`create table was_${table} as select * from ${table}`)
    try {
      await db.query(sql)
      const found = await problems()
      assert.ok(found.some((problem) => problem.from === entry && problem.to === entry && message.test(problem.message)), JSON.stringify(found))
    } finally {
      await db.query(`delete from applications where name = 'other'`)
      for (const table of ['approvals', 'revisions', 'revocations']) await db.query(`delete from ${table}; insert into ${table} select * from was_${table}`)
      await db.query('update applications a set schema = w.schema, created_by = w.created_by, schema_digest = w.schema_digest, entities_version = w.entities_version, active_revision = w.active_revision from was_applications w where w.name = a.name')
      for (const table of tables) await db.query(`drop table was_${table}`)
    }
    // Sabotage: as it was, nothing is found, so it was the change that was found.
    assert.deepEqual(await problems(), [])
  })
}

import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { revisionDigest, type RevisionContent } from '#core/revision/revision.ts'
import { runAcgs } from '#test/product.ts'

const CONTENT: RevisionContent = {
  application: 'clinic', schema: { text: 'entity User;', digest: '0'.repeat(64) }, constitution: { hash: 'c', digest: '0'.repeat(64) }, applicable: { articles: 1, of: 19, missing: [] },
  certificates: [{ id: 'a'.repeat(32), policyDigest: '0'.repeat(64), author: 'ann' }], policy: '@sentence("Users may read.")\npermit (principal, action, resource);', proposedBy: 'pat', proposedAt: '2026-01-01T00:00:00.000Z',
}
let shown: object = {}
const asked: string[] = []
/** A platform that was broken into: it answers whatever is put into `shown`. */
const platform = createServer((request, response) => {
  asked.push(`${request.method} ${request.url}`)
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(shown))
})
let url = ''
before(() => new Promise<void>((resolve) => platform.listen(0, '127.0.0.1', () => {
  url = `http://127.0.0.1:${(platform.address() as AddressInfo).port}`
  resolve()
})))
after(() => platform.close())

const revision = (content: RevisionContent, digest = revisionDigest(content)) => ({
  applicable: { articles: 1, of: 19, missing: [] }, application: 'clinic', revision: 3, digest, verdict: 'proved', is_active: false, missing: ['1 approval by the council'], revoked: [], approvals: [], approvals_required: 1,
  certificates: [], articles: [], policy: '', base: null, rollback_of: null, proposed_by: 'pat', proposed_at: '2026-01-01T00:00:00.000Z', proved_at: '2026-01-01T00:00:00.000Z', activated_by: null, activated_at: null, content,
})
const acgs = (...args: string[]) => runAcgs(args, { PLATFORM_SERVICE_URL: url, AUTH_SERVICE_URL: url, ACGS_TOKEN: 'a.b.c' })

test('a revision is shown with its rules, their sentences, authors and proposer', async () => {
  shown = revision(CONTENT)
  const { status, stdout } = await acgs('revision', 'show', 'clinic', '3')
  assert.equal(status, 0)
  for (const part of ['1 of 19 articles apply', '0 of 1 approval', 'proposed by pat', `certificate ${'a'.repeat(32)} by ann`, 'Users may read.', 'permit (principal']) assert.ok(stdout.includes(part), `${part}: ${stdout}`)
})

test('what is not what its digest says is neither shown nor approved, nor what has another digest than was looked at', async () => {
  shown = revision({ ...CONTENT, policy: 'forbid (principal, action, resource);' }, revisionDigest(CONTENT))
  asked.length = 0
  for (const command of ['show', 'approve']) {
    const { status, stdout, stderr } = await acgs('revision', command, 'clinic', '3')
    assert.deepEqual([status, stdout, /not what its digest says/.test(stderr)], [1, '', true], stderr)
  }
  shown = revision(CONTENT)
  const { status, stderr } = await acgs('revision', 'approve', 'clinic', '3', '--digest', 'f'.repeat(64))
  assert.deepEqual([status, /look at it again/.test(stderr)], [1, true])
  assert.deepEqual([...new Set(asked)], ['GET /api/v1/applications/clinic/revisions/3'])
})

test('what is typed wrong is named as it is typed, and nobody is asked', async () => {
  asked.length = 0
  for (const [args, message] of [
    [['propose', 'clinic'], /give --add, --remove or --replace/], [['propose', 'clinic', '--add', 'x'], /--add: `x` is not the id/], [['propose', 'clinic', '--replace', 'x'], /--replace: is not OLD=NEW/], [['show', 'clinic', '0'], /<n>: `0` is not the number/],
  ] as const) {
    const { status, stderr } = await acgs('revision', ...args)
    assert.deepEqual([status, message.test(stderr)], [2, true], stderr)
  }
  assert.deepEqual(asked, [])
})

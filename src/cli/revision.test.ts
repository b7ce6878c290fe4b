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

test('what a revision changes is told in words with a request each, or why it is not', async () => {
  const witness = { principal: 'User::"u"', action: 'Action::"read"', resource: 'Doc::"d"', context: { a: 1 }, entities: [] }
  const told = { when: 'principal.a', english: 'the principal has a', witness }
  const difference = {
    against: 2, equivalent: false, compared: 28, entities: { version: 4, count: 1 }, unknown: null,
    environments: [{
      principal: 'User', action: 'Action::"read"', resource: 'Doc', gains: [told], loses: [], demands: [{ obligation: 'log', ...told }], open: [{ part: 'loses', reason: 'the time was over', witness }],
      counted: { pairs: 6, means: 'some-context', parts: [{ part: 'gains', pairs: 2, principals: 1 }] },
    }],
  }
  const lines = async (more: object) => {
    shown = { ...revision(CONTENT), ...more }
    const { status, stdout, stderr } = await acgs('revision', 'show', 'clinic', '3')
    assert.equal(status, 0, stderr)
    return stdout
  }
  const whole = await lines({ difference })
  for (const part of [
    'against revision 2, in 1 of 28 request environments, counted over 1 entity:', 'gains (2 of 6 pairs, 1 principal, each in some context)', 'when the principal has a', 'demands log\n', 'e.g. User::"u" Action::"read" Doc::"d" {"a":1}',
    'loses\n        perhaps, and it is not told how: the time was over',
  ]) assert.ok(whole.includes(part), `${part}\n${whole}`)
  assert.match(await lines({ difference: { ...difference, equivalent: true, environments: [] } }), /means the same as revision 2 in all of 28 request environments/)
  assert.match(await lines({ difference: { ...difference, equivalent: null, environments: [], unknown: 'the schema is another' } }), /against revision 2 is not known: the schema is another/)
  assert.match(await lines({ difference: null }), /whatever it permits is new/)
  assert.match(await lines({ difference: null, base: 1 }), /was not kept/)
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

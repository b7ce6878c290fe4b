import assert from 'node:assert/strict'
import { test } from 'node:test'
import { activeRevision, decisionPoint, decisionService } from '#test/decision-service.ts'
import { runAcgs } from '#test/product.ts'

const SCHEMA = 'entity User; entity Doc = { secret: Bool }; action read appliesTo { principal: User, resource: Doc, context: { n: Long } };'
const RULES = `
  @id("all") @obligation("log") permit(principal, action, resource) when { context.n == 9007199254740993 };
  @id("no") @sentence("Nobody may read what is secret.") forbid(principal, action, resource) when { resource.secret };`

test('a question on the command line: allow is 0, the kinds of no are 3, what cannot be asked is 2', async () => {
  const entities = ['open', 'secret'].map((id) => ({ uid: { type: 'Doc', id }, attrs: { secret: id === 'secret' }, parents: [] }))
  await using at = await decisionService(await decisionPoint(activeRevision('docs', SCHEMA, RULES, 4), [...entities, { uid: { type: 'User', id: 'ana' }, attrs: {}, parents: [] }]))
  const { port } = await at.server.listen({ host: '127.0.0.1', port: 0 })
  const evaluate = (...args: string[]) => runAcgs(['evaluate', ...args], { ACGS_TOKEN: 'service', PGC_SERVICE_URL: `http://127.0.0.1:${port}` })
  const question = (doc: string, n: string) => ['docs', '--subject', 'User::ana', '--action', 'read', '--resource', `Doc::"${doc}"`, '--context', `{"n":${n}}`]

  const [allowed, inexact, forbidden, unknown, action, json, app, older] = await Promise.all([
    evaluate(...question('open', '9007199254740993')), evaluate(...question('open', '9007199254740992')), evaluate(...question('secret', '1')), evaluate(...question('none', '1')),
    evaluate(...question('open', '1').with(4, 'fly')), evaluate(...question('secret', '1'), '--json'), evaluate(...question('open', '1').with(0, 'shop')), evaluate(...question('open', '1'), '--min-revision', '5'),
  ])
  assert.deepEqual([allowed.status, allowed.stdout], [0, 'allow\npermitted by all (revision 4)\nobligations: log\n'], allowed.stderr)
  assert.deepEqual([inexact.status, inexact.stdout], [3, 'deny\nno rule permits it (revision 4)\n'])
  assert.deepEqual([forbidden.status, forbidden.stdout], [3, 'deny\nforbidden by no (“Nobody may read what is secret.”) (revision 4)\n'])
  assert.deepEqual([unknown.status, unknown.stdout], [3, 'deny\nmissing: Doc::"none"; store it, or send it with the question (revision 4)\n'])
  assert.equal(action.status, 2)
  assert.match(action.stderr, /`fly` is none of the actions: there are `read`/)
  assert.deepEqual([json.status, JSON.parse(json.stdout).context.verdict], [3, 'forbidden'])
  assert.equal(app.status, 2)
  assert.match(app.stderr, /there is no application `shop`: there are `docs`/)
  assert.equal(older.status, 3)
  assert.match(older.stderr, /revision 4 decides here/)
})

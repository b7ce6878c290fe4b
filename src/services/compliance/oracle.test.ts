import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { authorize } from '#adapters/cedar/cedar.ts'
import { startOracle } from '#adapters/cedar/oracle-thread.ts'
import { evaluatorOf, type Decides } from '#core/decision/answer.ts'
import { seeded } from '#core/proof/random-world.ts'
import type { Notice } from '#core/revision/notice.ts'
import { activeRevision, decisionPoint, decisionService } from '#test/decision-service.ts'
import { oracleFolder } from './oracle-folder.ts'
import { createOracle } from './oracle.ts'

const SCHEMA = `
  entity Team; entity User in [Team] { level: Long, blocked?: Bool }; entity Doc { owner: User, secret: Bool };
  action read appliesTo { principal: User, resource: Doc, context: { n: Long } };`
const RULES = `
  @id("levels") @obligation("log") permit(principal, action, resource) when { principal.level + context.n > 3 };
  @id("owns") permit(principal, action, resource) when { resource.owner == principal };
  @id("blocked") forbid(principal, action, resource) when { principal has blocked && principal.blocked };
  @id("secret") forbid(principal, action, resource) when { resource.secret && !(principal in Team::"inner") };`
const ENTITIES = [
  { uid: { type: 'Team', id: 'inner' }, attrs: {}, parents: [] },
  ...Array.from({ length: 12 }, (_, i) => ({ uid: { type: 'User', id: `u${i}` }, attrs: { level: i, ...(i % 3 === 0 ? { blocked: i % 2 === 0 } : {}) }, parents: i % 2 === 0 ? [{ type: 'Team', id: 'inner' }] : [] })),
  ...Array.from({ length: 8 }, (_, i) => ({ uid: { type: 'Doc', id: `d${i}` }, attrs: { owner: { type: 'User', id: `u${i}` }, secret: i % 4 === 0 }, parents: [] })),
]
const ask = (user: number, doc: number, n: number | string = 1) => ({ subject: { type: 'User', id: `u${user}` }, action: { name: 'read' }, resource: { type: 'Doc', id: `d${doc}` }, context: { n } })

/** The engine, wrong about one user: everybody is told so. */
const wrongAbout = (user: string): (() => Decides) => () => ({
  decide: (request, entities) => {
    const right = evaluatorOf(ACTIVE.policies).decide(request, entities)
    return request.principal.id === user ? { ...right, decision: 'allow', verdict: 'permitted', determining: ['levels'], obligations: ['log'], errors: [], missing: [] } : right
  },
})
const ACTIVE = activeRevision('docs', SCHEMA, RULES, 7)

async function service({ perSecond = 1_000, folder, decidesFor, ask: asked = async (question) => authorize(question), report = async () => {}, retryMs = 5 }: {
  perSecond?: number; folder: string; decidesFor?: () => Decides; ask?: Parameters<typeof createOracle>[0]['ask']; report?: (notice: Notice) => Promise<unknown>; retryMs?: number
}) {
  const point = await decisionPoint(ACTIVE, ENTITIES)
  const made = await decisionService(point, {
    ...(decidesFor === undefined ? {} : { decidesFor }),
    oracleWith: (telemetry) => createOracle({ perSecond, point, folder: oracleFolder(folder), ask: asked, authorize, report, telemetry, version: 'test', now: () => new Date(), random: seeded(1), retryMs }),
  })
  const counts = () => made.oracle!.status().counts
  const compared = () => { const { agreed, disagreed, not_compared } = counts(); return agreed + disagreed + not_compared }
  return { ...made, point, counts, compared, settled: async (n: number) => { for (let i = 0; i < 500 && compared() < n; i++) await new Promise((resolve) => setTimeout(resolve, 2)) } }
}

async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'acgs-oracle-'))
  try {
    await run(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

test('over hundreds of questions the engines agree, in their thread, errors and missing entities included', () => inFolder(async (folder) => {
  await using engine = startOracle()
  await using made = await service({ folder, ask: engine.ask })
  const random = seeded(3)
  let asked = 0
  while (made.counts().agreed < 400 && asked++ < 4_000) {
    const question = ask(Math.floor(random() * 14), Math.floor(random() * 9), random() < 0.2 ? '9223372036854775807' : Math.floor(random() * 5))
    assert.equal((await made.ask(question)).status, 200)
    await made.settled(asked)
  }
  assert.equal(made.counts().disagreed, 0)
  assert.ok(made.counts().agreed >= 400, JSON.stringify(made.counts()))
  for (const verdict of ['permitted', 'forbidden', 'not_permitted', 'error']) assert.ok(await made.counted(verdict) > 0, verdict)
  assert.match(await made.metrics(), /oracle_comparisons_total{result="agreed"} 4\d\d/)
  assert.deepEqual(made.oracle!.probe(), { status: 'healthy' })
}))

test('one wrong answer: counted, written out, told, and Cedar’s engine decides until an operator releases the revision, over restarts', () => inFolder(async (folder) => {
  const told: Notice[] = []
  const report = async (notice: Notice) => { told.push(notice) }
  {
    await using made = await service({ folder, decidesFor: wrongAbout('u1'), report })
    assert.equal((await made.ask(ask(4, 1))).body.decision, true)
    await made.settled(1)
    assert.deepEqual(made.counts(), { agreed: 1, disagreed: 0, not_compared: 0 })
    assert.equal((await made.ask(ask(1, 2, 0))).body.decision, true, 'the wrong answer itself went out')
    await made.settled(2)
    assert.deepEqual(made.counts(), { agreed: 1, disagreed: 1, not_compared: 0 })
    const again = await made.ask(ask(1, 2, 0))
    assert.deepEqual([again.body.decision, again.body.context.verdict, again.body.context.revision], [false, 'not_permitted', 7])
    assert.equal((await made.ask(ask(0, 0, '9223372036854775807'))).body.context.verdict, 'forbidden')
    assert.equal((await made.ask(ask(3, 3, '9223372036854775807'))).body.context.verdict, 'error', 'the slow path fails closed, where Cedar alone would allow')
    assert.equal((await made.ask(ask(13, 3))).body.context.missing[0], 'User::"u13"')
    assert.equal(made.compared(), 2, 'on the slow path nothing is compared')
    const { status, detail } = made.oracle!.probe()
    assert.equal(status, 'degraded')
    assert.match(detail ?? '', /revision 7 of docs .*disagreements/)
    assert.match(await made.metrics(), /slow_revisions 1/)
    assert.deepEqual(told.map(({ kind, application, revision }) => ({ kind, application, revision })), [{ kind: 'revision.disagreed', application: 'docs', revision: 7 }])
  }
  await using made = await service({ folder, decidesFor: wrongAbout('u1'), report })
  assert.equal((await made.ask(ask(1, 2, 0))).body.decision, false, 'a restart does not forget')
  const shown = (await made.get('/api/v1/decision-point/oracle', { authorization: 'Bearer council' })).body
  assert.deepEqual([shown.slow[0].revision, shown.slow[0].decides], [7, true])
  const written = JSON.parse(readFileSync(shown.slow[0].fixture, 'utf8'))
  assert.deepEqual([written.principal, written.oracle.answered.decision, written.oracle.cedar.decision, written.oracle.revision], ['User::"u1"', true, 'deny', 7])

  const release = (role: string, revision: number) => made.post('/api/v1/decision-point/oracle/docs/release', { revision }, { authorization: `Bearer ${role}` })
  for (const role of ['author', 'council', 'service']) assert.equal((await release(role, 7)).status, 403, role)
  assert.equal((await release('operator', 6)).status, 409)
  assert.equal((await release('operator', 7)).status, 200)
  assert.equal((await release('operator', 7)).status, 404)
  assert.equal((await made.ask(ask(1, 2, 0))).body.decision, true, 'the engine decides again, wrong as it is')
  await made.settled(1)
  assert.equal((await made.ask(ask(1, 2, 0))).body.decision, false, 'and is found out again')
  assert.deepEqual(told.map((notice) => [notice.kind, 'by' in notice ? notice.by : null]), [['revision.disagreed', null], ['revision.released', 's'], ['revision.disagreed', null]])
}))

test('a revision with other rules is decided by the evaluator; one with the same rules is as slow, whatever its number', () => inFolder(async (folder) => {
  await using made = await service({ folder, decidesFor: wrongAbout('u1') })
  await made.ask(ask(1, 2, 0))
  await made.settled(1)
  assert.equal(made.oracle!.probe().status, 'degraded')
  // A revocation changes the rules, and not which revision it is.
  await made.point.load({ ...ACTIVE, digest: 'other' })
  assert.equal((await made.ask(ask(1, 2, 0))).body.decision, false)
  await made.point.load({ ...ACTIVE, revision: 9 })
  assert.deepEqual([made.oracle!.probe().status, (await made.ask(ask(1, 2, 0))).body.decision], ['degraded', false])
  await made.point.load(activeRevision('docs', SCHEMA, `${RULES}\n@id("more") forbid(principal, action, resource) when { false };`, 8))
  assert.deepEqual([made.oracle!.probe().status, made.oracle!.status().slow[0]?.decides], ['healthy', false])
  assert.equal((await made.ask(ask(1, 2, 0))).body.decision, true)
}))

test('of a batch any question may be the one that is repeated', () => inFolder(async (folder) => {
  const seen = new Set<string>()
  await using made = await service({ folder, ask: async (question) => { seen.add(question.request.principal); return authorize(question) } })
  for (let i = 0; i < 60; i++) {
    await made.askAll({ evaluations: Array.from({ length: 6 }, (_, user) => ask(user, 1)) })
    await made.settled(i + 1)
  }
  assert.equal(seen.size, 6)
}))

test('what cannot be compared is counted as that: one at a time, entities that change, an engine that does not answer', () => inFolder(async (folder) => {
  let release = () => {}
  let mode: 'holds' | 'fails' | 'answers' = 'holds'
  await using made = await service({ folder, ask: async (question) => {
    if (mode === 'holds') await new Promise<void>((resolve) => (release = resolve))
    if (mode === 'fails') throw new Error('the thread ended')
    return authorize(question)
  } })
  const due = () => new Promise((resolve) => setTimeout(resolve, 5))
  await made.ask(ask(1, 1))
  await due()
  await made.ask(ask(1, 1))
  await made.settled(1)
  assert.deepEqual(made.counts(), { agreed: 0, disagreed: 0, not_compared: 1 })
  mode = 'fails'
  release()
  await made.settled(2)
  assert.deepEqual(made.counts(), { agreed: 0, disagreed: 0, not_compared: 2 })
  mode = 'answers'
  await due()
  await made.ask(ask(1, 1))
  await made.settled(3)
  assert.deepEqual(made.counts(), { agreed: 1, disagreed: 0, not_compared: 2 })
}))

test('an answer whose entities changed before it was repeated says nothing', () => inFolder(async (folder) => {
  const point = await decisionPoint(ACTIVE, ENTITIES)
  await using made = await decisionService(point, {
    oracleWith: (telemetry) => createOracle({ perSecond: 1, point, folder: oracleFolder(folder), ask: async (question) => authorize(question), authorize, report: async () => {}, telemetry, version: 'test', now: () => new Date() }),
  })
  const ground = { application: 'docs', active: ACTIVE, entities: point.entitiesOf('docs'), now: () => new Date() }
  made.oracle!.note(() => ask(1, 1), ground, 'body', { decision: false, context: { revision: 7, verdict: 'not_permitted', determining: [], reason_admin: { en: '' }, reason_user: { en: '' }, obligations: [], missing: [], ignored: [] } })
  ground.entities.apply({ version: 2, isWhole: false, upserted: [], deleted: [{ type: 'User', id: 'u1' }] })
  await new Promise((resolve) => setTimeout(resolve, 20))
  assert.deepEqual(made.oracle!.status().counts, { agreed: 0, disagreed: 0, not_compared: 1 })
}))

test('no more than so many a second; with 0 none, and health says so', () => inFolder(async (folder) => {
  await using some = await service({ folder, perSecond: 4 })
  const until = performance.now() + 1_000
  while (performance.now() < until) await some.ask(ask(1, 1))
  assert.ok(some.compared() >= 2 && some.compared() <= 5, String(some.compared()))
  await using none = await service({ folder, perSecond: 0, decidesFor: wrongAbout('u1') })
  for (let i = 0; i < 20; i++) await none.ask(ask(1, 2, 0))
  await new Promise((resolve) => setTimeout(resolve, 20))
  assert.equal(none.compared(), 0)
  assert.match(none.oracle!.probe().detail ?? '', /off/)
}))

test('what cannot be told is told later, and after a restart; health says so', () => inFolder(async (folder) => {
  let isOut = true
  const told: string[] = []
  const report = async ({ kind }: Notice) => { if (isOut) throw new Error('the platform is out'); told.push(kind) }
  {
    await using made = await service({ folder, decidesFor: wrongAbout('u1'), report, retryMs: 60_000 })
    await made.ask(ask(1, 2, 0))
    await made.settled(1)
    await new Promise((resolve) => setTimeout(resolve, 10))
    assert.match(made.oracle!.probe().detail ?? '', /ledger does not know of 1 changes yet: the platform is out/)
  }
  await using made = await service({ folder, report })
  await new Promise((resolve) => setTimeout(resolve, 30))
  assert.deepEqual(told, [])
  isOut = false
  await new Promise((resolve) => setTimeout(resolve, 60))
  assert.deepEqual(told, ['revision.disagreed'])
  assert.doesNotMatch(made.oracle!.probe().detail ?? '', /ledger/)
}))

test('a disk that takes nothing: the slow path holds, and health says what a restart would forget', () => inFolder(async (folder) => {
  await using made = await service({ folder, decidesFor: wrongAbout('u1') })
  rmSync(join(folder, 'disagreements'), { recursive: true })
  mkdirSync(join(folder, 'slow-path.json.new'))
  await made.ask(ask(1, 2, 0))
  await made.settled(1)
  assert.equal((await made.ask(ask(1, 2, 0))).body.decision, false)
  assert.match(made.oracle!.probe().detail ?? '', /could not be written out.*a restart would forget/)
  rmSync(join(folder, 'slow-path.json.new'), { recursive: true })
  await new Promise((resolve) => setTimeout(resolve, 50))
  assert.doesNotMatch(made.oracle!.probe().detail ?? '', /restart/)
  assert.match(readFileSync(join(folder, 'slow-path.json'), 'utf8'), /"docs"/)
}))

test('a file that is not ours stops the start; only the newest disagreements are kept', () => inFolder(async (folder) => {
  const { writeFixture, kept } = oracleFolder(folder)
  for (let i = 0; i < 30; i++) writeFixture(`app-${i % 3}-2026112800${String(i).padStart(2, '0')}.json`, '{}')
  const names = readdirSync(join(folder, 'disagreements')).map((name) => Number(name.slice(-7, -5))).sort((a, b) => a - b)
  assert.deepEqual(names, Array.from({ length: 20 }, (_, i) => i + 10))
  writeFileSync(join(folder, 'slow-path.json'), '{"slow": 1}')
  assert.throws(() => kept(), { code: 'FILE_UNREADABLE' })
}))

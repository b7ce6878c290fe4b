import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { endRequest } from '#adapters/postgres/generation-requests.ts'
import { recordGeneration } from '#adapters/postgres/generations.ts'
import { verifyLedger } from '#adapters/postgres/ledger-verify.ts'
import type { Json } from '#core/canonical.ts'
import { Failure } from '#core/failure.ts'
import type { Generation } from '#core/generate.ts'
import { GenerateBody } from '#core/unit/request.ts'
import type { SemanticUnit } from '#core/unit/semantic-unit.ts'
import { createLog } from '#telemetry/log.ts'
import { createMetrics } from '#telemetry/metrics.ts'
import { testDatabase, type TestDatabase } from '#test/database.ts'
import { refusedRow } from '#test/generation-row.ts'
import { EndedElsewhere, type Attempt, type UnderWork } from './attempt.ts'
import { createRequests, type Requests } from './requests.ts'

const telemetry = { log: createLog({ service: 'test', level: 'silent' }), metrics: createMetrics({ service: 'test', version: '8.0.0', constitutionalHash: 'cdd01ef066bc6cf2', description: 'test' }) }
const body = GenerateBody.parse({ title: 'Documents', description: 'Users may read documents of theirs.' })
const ada = { subject: 'ada', clientId: 'ada', roles: ['author'] } as const

/** Stores a refusal as the real attempt does; `before` runs ahead of the end. */
function attempt(db: TestDatabase, name: string, before: (work: UnderWork) => Promise<unknown> = async () => {}): Attempt {
  return async (work) => {
    const { id, body: { title } } = work.request
    work.steps.push({ attempt: work.request.attempt, step: 'propose', at: new Date().toISOString() })
    await before(work)
    const outcome = { kind: 'problem', code: 'POLICY_REFUSED', detail: `refused by ${name}`, details: { generation_id: id } } as const
    const told = JSON.stringify(outcome)
    const ledger = await db.transaction(async (tx) => {
      if (!(await endRequest(tx, id, { state: 'finished', at: new Date(), steps: work.steps, outcome: told }))) throw new EndedElsewhere(id)
      return recordGeneration(tx, refusedRow(1, { generation_id: id, title, request: JSON.parse(JSON.stringify(work.request.body)) as Json }), told)
    })
    return { outcome, ledger, generation: { verdict: { kind: 'violates', violations: [] }, score: 0, diagnosis: { kind: 'clean' }, corrections: [{ setAside: [] }], objections: [], confidence: { value: null } } as unknown as Generation }
  }
}

function requestsOf(db: TestDatabase, how: Attempt, workersMax = 4, backlogMax = 1_000, log = telemetry.log): Requests {
  return createRequests({ database: db, holds: db, telemetry: { ...telemetry, log }, unitOf: (id) => ({ id }) as SemanticUnit, attempt: how, onJudged: () => {}, workersMax, keptHours: 24, backlogMax })
}
const never = () => new Promise<never>(() => {})
const told = async (ended: Promise<{ outcome: unknown }>) => ((await ended).outcome as { detail: string }).detail
async function untilEnded(requests: Requests, id: string, withinMs: number): Promise<'finished' | 'failed' | 'accepted'> {
  for (const deadline = Date.now() + withinMs; ; await sleep(50)) {
    const state = (await requests.progress(id))?.state ?? assert.fail(`${id} is not there`)
    if (state !== 'accepted' || Date.now() > deadline) return state
  }
}
const entries = async (db: TestDatabase) => Number((await db.query('select count(*)::int as n from ledger_entries')).rows[0]?.['n'])

// Most of it is waiting for somebody to be thought dead.
describe('requests', { concurrency: 6 }, () => {
  test('what its process no longer works on is finished by another within seconds, once', async () => {
    await using db = await testDatabase()
    const dead = requestsOf(db, attempt(db, 'the dead', never)) // It has not begun to say that it still works, nor to look.
    const living = requestsOf(db, attempt(db, 'the living'))
    const { id } = await dead.undertake(body, ada, null)
    living.begin()
    assert.equal(await untilEnded(living, id, 8_000), 'finished')
    assert.deepEqual((await living.progress(id))?.steps.map(({ attempt, step }) => [attempt, step]), [[2, 'propose']])
    assert.equal(await entries(db), 1)
    assert.equal((await verifyLedger(db)).valid, true)
    await living.close(0)
  })

  test('sabotage twin: without anybody who looks, it is not', async () => {
    await using db = await testDatabase()
    const dead = requestsOf(db, attempt(db, 'the dead', never))
    const living = requestsOf(db, attempt(db, 'the living'))
    const { id } = await dead.undertake(body, ada, null)
    assert.equal(await untilEnded(living, id, 8_000), 'accepted')
  })

  test('what takes longer than its process need be silent stays its own', async () => {
    await using db = await testDatabase()
    const slow = requestsOf(db, attempt(db, 'the slow', () => sleep(7_000)))
    const other = requestsOf(db, attempt(db, 'the other'))
    slow.begin()
    other.begin()
    const { id, ended } = await slow.undertake(body, ada, null)
    await sleep(2_000)
    assert.deepEqual((await other.progress(id))?.steps.map(({ step }) => step), ['propose'], 'the other sees how far it has come')
    assert.equal(await told(ended), 'refused by the slow')
    await Promise.all([slow.close(0), other.close(0)])
  })

  test('a process whose hold has lapsed does not begin a second time what it works on', async () => {
    await using db = await testDatabase()
    const gate = Promise.withResolvers<void>()
    let begun = 0
    const requests = requestsOf(db, attempt(db, 'one', () => (begun++, gate.promise)))
    const { id, ended } = await requests.undertake(body, ada, null)
    requests.begin()
    for (let n = 0; n < 15; n++, await sleep(100)) await db.query(`update generation_requests set held_until = now() - interval '1 second' where generation_id = $1`, [id])
    assert.equal(begun, 1)
    gate.resolve()
    await ended
    await requests.close(0)
  })

  test('who has lost a request shows how far it has come where it is worked on', async () => {
    await using db = await testDatabase()
    const gate = Promise.withResolvers<void>()
    const lost = requestsOf(db, attempt(db, 'the one that lost it', () => gate.promise))
    const taker = requestsOf(db, attempt(db, 'the taker', () => gate.promise))
    const { id, ended } = await lost.undertake(body, ada, null)
    await db.query(`update generation_requests set held_until = now()`)
    taker.begin()
    const attempts = async () => (await lost.progress(id))?.steps.map(({ attempt }) => attempt) ?? []
    for (const deadline = Date.now() + 30_000; !(await attempts()).includes(2); await sleep(50)) assert.ok(Date.now() < deadline, 'it shows its own')
    gate.resolve()
    await ended
    await taker.close(5_000)
  })

  test('whoever is overtaken keeps nothing, and tells its client what is stored', async () => {
    await using db = await testDatabase()
    const paused = requestsOf(db, attempt(db, 'the paused', () => sleep(6_500)))
    const other = requestsOf(db, attempt(db, 'the other'))
    const { ended } = await paused.undertake(body, ada, null)
    other.begin()
    assert.equal(await told(ended), 'refused by the other')
    assert.equal(await entries(db), 1)
    await other.close(0)
  })

  test('a key: the same answer for the same request, none while it is under way, a refusal for another one; of one subject', async () => {
    await using db = await testDatabase()
    const gate = Promise.withResolvers<void>()
    const requests = requestsOf(db, attempt(db, 'one', () => gate.promise))
    const first = await requests.undertake(body, ada, 'k')
    await assert.rejects(requests.undertake(body, ada, 'k'), (error: Failure) => error.code === 'CONFLICT' && error.details['reason'] === 'in_flight' && error.details['generation_id'] === first.id)
    assert.equal((await requests.accept(body, ada, 'k')).id, first.id, 'who does not wait is told where it is')
    gate.resolve()
    const ended = await first.ended
    assert.deepEqual(await (await requests.undertake(body, ada, 'k')).ended, ended)
    await assert.rejects(requests.undertake({ ...body, title: 'Other documents' }, ada, 'k'), { code: 'IDEMPOTENCY_KEY_REUSED' })
    assert.equal(await entries(db), 1)
    const bens = await requests.undertake(body, { ...ada, subject: 'ben' }, 'k')
    assert.notEqual(bens.id, first.id)
    await bens.ended
  })

  test('of many who send one key at once, one is accepted', async () => {
    await using db = await testDatabase()
    const requests = requestsOf(db, attempt(db, 'one', () => sleep(200)))
    const all = await Promise.allSettled(Array.from({ length: 10 }, async () => (await requests.undertake(body, ada, 'k')).ended))
    assert.equal(all.filter(({ status }) => status === 'fulfilled').length, 1)
    assert.equal(await entries(db), 1)
  })

  test('what needs something that is away waits for it, and says so', async () => {
    await using db = await testDatabase()
    let isAway = true
    const requests = requestsOf(db, attempt(db, 'one', async () => {
      if (isAway) throw new Failure('PEER_UNAVAILABLE', 'compliance does not answer')
    }))
    requests.begin()
    const { id, ended } = await requests.undertake(body, ada, null)
    await assert.rejects(ended, (error: Failure) => error.code === 'PEER_UNAVAILABLE' && /is kept and will be finished/.test(error.message) && error.details['generation_id'] === id)
    assert.equal(await untilEnded(requests, id, 1_500), 'accepted')
    isAway = false
    assert.equal(await untilEnded(requests, id, 5_000), 'finished')
    await requests.close(0)
  })

  test('what would fail again ends as failed, and whoever asks again is told the same', async () => {
    await using db = await testDatabase()
    const requests = requestsOf(db, async () => { throw new Failure('SCHEMA_INVALID', 'the schema is not valid', { problems: [{ place: 'context.schema', message: 'is not one' }] }) })
    const { outcome } = await (await requests.undertake(body, ada, 'k')).ended
    assert.deepEqual([outcome.kind, outcome.kind === 'problem' && outcome.code], ['problem', 'SCHEMA_INVALID'])
    assert.deepEqual((await (await requests.undertake(body, ada, 'k')).ended).outcome, outcome)
    assert.equal(await entries(db), 0)
  })

  test('what was kept to be told of a failure is not told when it speaks of a verdict', async () => {
    await using db = await testDatabase()
    const requests = requestsOf(db, async () => { throw new Failure('SCHEMA_INVALID', 'the schema is not valid') })
    await (await requests.undertake(body, ada, 'k')).ended
    await db.query('update generation_requests set outcome = $1', [JSON.stringify({ kind: 'problem', code: 'POLICY_REFUSED', detail: 'refused', details: {} })])
    await assert.rejects(async () => (await requests.undertake(body, ada, 'k')).ended, { code: 'LEDGER_CORRUPT' })
  })

  test('a solver that fails on one request again and again is not waited for without end', async () => {
    await using db = await testDatabase()
    const requests = requestsOf(db, async () => { throw new Failure('SOLVER_FAILED', 'the solver died') })
    const idle = requestsOf(db, attempt(db, 'nobody'))
    idle.rest()
    const { id } = await idle.accept(body, ada, null)
    await db.query('update generation_requests set postponed = 4')
    requests.begin()
    for (const deadline = Date.now() + 10_000; (await db.query(`select from generation_requests where postponed = 5`)).rowCount === 0; await sleep(50)) assert.ok(Date.now() < deadline, 'the fifth time it is laid aside once more')
    await db.query('update generation_requests set held_until = now()')
    assert.equal(await untilEnded(requests, id, 10_000), 'failed')
    await requests.close(0)
  })

  test('a request that ends every process that touches it is given up', async () => {
    await using db = await testDatabase()
    const requests = requestsOf(db, attempt(db, 'one'))
    const { id } = await requestsOf(db, attempt(db, 'the dead', never)).undertake(body, ada, null)
    await db.query(`update generation_requests set silent = 8, held_until = now()`)
    requests.begin()
    assert.equal(await untilEnded(requests, id, 3_000), 'failed')
    await requests.close(0)
  })

  test('a process that stops takes nothing more and leaves to others, at once, what it cannot finish', async () => {
    await using db = await testDatabase()
    const stopping = requestsOf(db, attempt(db, 'the stopping', never))
    const other = requestsOf(db, attempt(db, 'the other'))
    stopping.begin()
    await sleep(300) // Its first look has ended: one that is under way when it is told to stop may still take a request.
    const { id } = await stopping.undertake(body, ada, null)
    stopping.rest()
    const later = await stopping.accept(body, ada, null)
    await sleep(700)
    assert.equal(stopping.isWorkedOnHere(later.id), false)
    assert.equal(await stopping.close(100), 1)
    other.begin()
    for (const each of [id, later.id]) assert.equal(await untilEnded(other, each, 1_000), 'finished')
    await other.close(0)
  })

  test('what another process has ended for a client of its own is no warning here', async () => {
    await using db = await testDatabase()
    const lines: string[] = []
    const log = createLog({ service: 'test', level: 'warn', destination: { write: (line: string) => void lines.push(line) } })
    const requests = requestsOf(db, async ({ request: { id } }) => {
      assert.ok(await endRequest(db, id, { state: 'finished', at: new Date(), steps: [], outcome: null }), 'as the other does')
      throw new EndedElsewhere(id)
    }, 4, 1_000, log)
    requests.begin()
    const { id } = await requests.accept(body, ada, null)
    assert.equal(await untilEnded(requests, id, 5_000), 'finished')
    await requests.close(5_000)
    assert.deepEqual(lines, [])
  })

  test('no more are taken at once than may be', async () => {
    await using db = await testDatabase()
    let atOnce = 0
    let most = 0
    const requests = requestsOf(db, attempt(db, 'one', async () => {
      most = Math.max(most, ++atOnce)
      await sleep(50)
      atOnce--
    }), 2)
    requests.begin()
    const ids = await Promise.all(Array.from({ length: 12 }, async () => (await requests.accept(body, ada, null)).id))
    for (const id of ids) assert.equal(await untilEnded(requests, id, 5_000), 'finished')
    assert.equal(most, 2)
    await requests.close(0)
  })

  test('while too many wait for somebody nothing more is accepted for later, and afterwards it is', async () => {
    await using db = await testDatabase()
    const requests = requestsOf(db, attempt(db, 'one'), 4, 3)
    const later = () => requests.accept(body, ada, null)
    requests.rest() // Nobody takes them.
    for (let n = 0; n < 3; n++) await later()
    await assert.rejects(later(), { code: 'OVERLOADED' })
    assert.equal((await db.query('select from generation_requests')).rowCount, 3)

    const taking = requestsOf(db, attempt(db, 'another'))
    taking.begin()
    requests.begin() // It counts, and takes nothing.
    for (const deadline = Date.now() + 20_000; ; await sleep(100)) {
      if (await later().then(() => true, () => false)) break
      assert.ok(Date.now() < deadline, 'it does not recover')
    }
    await Promise.all([requests.close(0), taking.close(1_000)])
  })
})

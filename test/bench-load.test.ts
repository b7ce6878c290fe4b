import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { test } from 'node:test'
import { connect } from '#adapters/postgres/connect.ts'
import { emptyDatabase } from '#test/database.ts'
import { renderCapacity } from '../bench/load/capacity-page.ts'
import { work } from '../bench/load/client.ts'
import { ASKED_ABOUT, readMeasured } from '../bench/load/costs.ts'
import { BUSY, carry, Costs, secondPlatform } from '../bench/load/model.ts'
import { spentBy } from '../bench/load/processor.ts'
import { request } from '../bench/load/requests.ts'
import { slope } from '../bench/load/slope.ts'
import { countTraffic, createReader, statementsOf } from '../bench/load/wire.ts'
import { aimed, summarize } from '../bench/measure.ts'

test('no two requests of the load are alike, and the same seed asks the same', () => {
  const texts = [1, 2].flatMap((seed) => Array.from({ length: 20_000 }, (_, n) => request(seed, n).body.description))
  assert.equal(new Set(texts).size, texts.length)
  assert.deepEqual(request(7, 19_999), request(7, 19_999))
  const outcomes = Array.from({ length: 1_000 }, (_, n) => request(3, n).outcome)
  assert.ok(outcomes.filter((each) => each === 'refused').length > 100 && outcomes.filter((each) => each === 'certified').length > 500)
})

test('an option that there is not is told, with those that there are', () => {
  const { status, stderr } = spawnSync(process.execPath, ['bench/run.ts', 'load', '--second', '3'], { encoding: 'utf8' })
  assert.equal(status, 2)
  assert.match(stderr, /^bench: Unknown option '--second': there are NAME, --json, .*--seconds/)
})

test('a target is met by the figure that it is about', () => {
  const result = summarize('r', 'ms', [1, 2, 3, 900])
  assert.deepEqual([aimed(result, 'at most', 10).target?.isMet, aimed(result, 'at most', 10, 'p95').target?.isMet, aimed(result, 'at least', 3).target?.isMet, aimed(result, 'at least', 4).target?.isMet], [true, false, true, false])
})

test('a slope is what most points agree on', () => {
  assert.equal(slope([[0, 5], [1, 5], [2, 5]]), 0)
  assert.equal(slope(Array.from({ length: 21 }, (_, x) => [x, x === 10 ? 1_000 : 3 * x] as const)), 3)
  assert.deepEqual([slope([]), slope([[1, 1]]), slope([[1, 1], [1, 9]])], [0, 0, 0])
})

test('what is served, refused and wrong are told apart', async () => {
  let asked = 0
  const server = createServer((incoming, response) => {
    incoming.resume().on('end', () => {
      const n = asked++
      if (n % 4 === 0) response.writeHead(503, { 'retry-after': '7' }).end()
      else if (n % 4 === 1) response.writeHead(503).end()
      else if (n % 4 === 2) response.destroy()
      else response.writeHead(200).end('{}')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const urls = [`http://127.0.0.1:${(server.address() as { port: number }).port}`]
  const outcome = await work({ urls, token: 't', seed: 1, from: 0, seconds: 30, atMost: 40, clients: 1 })
  server.close()
  const refusedOnes = Array.from({ length: 10 }, (_, i) => request(1, 4 * i + 3)).filter((each) => each.outcome === 'refused').length
  assert.equal(outcome.sent, 40)
  assert.deepEqual(outcome.retryAfter, Array.from({ length: 10 }, () => 7))
  // A refusal that is answered as certified is wrong.
  assert.ok(refusedOnes > 0)
  assert.deepEqual([outcome.served.length, outcome.errors], [10 - refusedOnes, 20 + refusedOnes])
})

test('who arrives while others wait is timed from when it was due', async () => {
  let free = Promise.resolve()
  const server = createServer((incoming, response) => {
    // One at a time, 20 ms each, while one comes every 5 ms: the last waits the longest.
    free = free.then(() => new Promise((resolve) => setTimeout(resolve, 20))).then(() => void response.writeHead(200).end('{}'))
    incoming.resume()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const urls = [`http://127.0.0.1:${(server.address() as { port: number }).port}`]
  const { served, errors, sent } = await work({ urls, token: 't', seed: 5, from: 0, seconds: 60, atMost: 40, perSecond: 200 })
  server.close()
  assert.equal(served.length + errors, sent)
  assert.ok(Math.max(...served) > 300, `the longest took ${Math.max(...served)} ms`)
})

test('messages are told apart however a stream is cut', () => {
  const message = (type: string, body: string) => Buffer.concat([Buffer.from(type), Buffer.from(new Uint32Array([body.length + 4]).buffer).swap32(), Buffer.from(body)])
  const stream = Buffer.concat([Buffer.from([0, 0, 0, 8, 0, 3, 0, 0]), message('Q', 'commit\0'), message('S', ''), message('E', 'x'.repeat(300))])
  for (const size of [1, 3, 7, 1_000]) {
    const told: string[] = []
    const read = createReader(true, (type, body) => told.push(`${type}${body.length}`))
    for (let at = 0; at < stream.length; at += size) read(stream.subarray(at, at + size))
    assert.deepEqual(told, ['Q7', 'S0', 'E300'], `in pieces of ${size}`)
  }
})

test('statements and commits on the way to a database are counted', async () => {
  await using db = await emptyDatabase()
  await using counted = await countTraffic(db.url)
  await using through = connect(counted.url, { name: 'test', connectionsMax: 2 })
  await through.query('select 1')
  await through.query('select $1::int', [1])
  await through.transaction((tx) => tx.query('select $1::int', [2]))
  await assert.rejects(through.transaction(async (tx) => {
    await tx.query('select 3')
    throw new Error('not kept')
  }), /not kept/)
  const after = counted.traffic()
  assert.deepEqual(Object.fromEntries(after.statements), { 'set search_path to public': 1, 'select 1': 1, 'select $1::int': 2, begin: 2, commit: 1, 'select 3': 1, rollback: 1 })
  assert.ok(after.waitedMs > 0)
  assert.equal(after.locks, 0)
  await through.query(`create function ledger_append() returns int language sql as 'select 1'`)
  await through.transaction(async (tx) => {
    await tx.query('select ledger_append()')
    await new Promise((resolve) => setTimeout(resolve, 50))
  })
  const { lockedMs } = counted.traffic()
  assert.ok(lockedMs > 40)
  // Sent at once, each is answered for itself, and waited for from the answer before.
  const before = counted.traffic()
  await through.transaction((tx) => Promise.all([tx.query('select pg_sleep(0.05)'), tx.query('select pg_sleep(0.05)'), tx.last('select ledger_append()')]))
  const { locks, lockedMs: heldMs, waitedMs, statements } = counted.traffic()
  assert.equal(locks, 2)
  assert.ok(waitedMs - before.waitedMs > 90)
  assert.ok(heldMs - lockedMs < waitedMs - before.waitedMs - 90, 'what came before the append is not counted')
  assert.equal(statements.get('select pg_sleep(0.05)'), 2)

  const at = (statements: Record<string, number>) => ({ statements: new Map(Object.entries(statements)), waitedMs: 0, locks: 0, lockedMs: 0 })
  // What comes once a second by itself is not of the requests, and what is late now is not taken off from what they send.
  const idle = { before: at({ look: 0, insert: 0, commit: 0 }), after: at({ look: 10, commit: 10 }), seconds: 10 }
  assert.deepEqual(Object.fromEntries(statementsOf(at({ look: 10, insert: 5, commit: 10 }), at({ look: 12, insert: 25, commit: 34 }), 4, idle)), { look: 0, insert: 20, commit: 20 })
})

test('a process spends the processor time that it uses', { skip: process.platform === 'linux' ? false : 'reads /proc' }, () => {
  const before = spentBy(process.pid)
  for (const until = performance.now() + 200; performance.now() < until;);
  const after = spentBy(process.pid)
  assert.ok(after.mainMs > before.mainMs && after.allMs >= after.mainMs)
})

const costs: Costs = {
  at: '2026-01-01', version: '8.0.0', machine: { cpu: 'c', cores: 2 }, busy: 0, generations: 100,
  generation: {
    apart: { platform: { mainMs: 20, allMs: 25 }, synthesis: { mainMs: 5, allMs: 5 }, compliance: { mainMs: 10, allMs: 12 }, auth: { mainMs: 0, allMs: 0 } },
    database: { processorMs: 5, statements: 7, transactions: 1, waitedMs: 3, walKb: 64, storedKb: 32 }, appendMs: 0.2, tipHeldMs: 0.5, clientMs: 3,
  },
  decision: { processorMs: 0.1, statements: 0 }, platforms: { one: 30, two: 33 }, connectionsPerPlatform: 14,
}

test('what is carried is what the scarcest part carries, whichever that is', () => {
  const asked = { replicas: 4, coresPerReplica: 2, databaseCores: 16 }
  const few = carry(costs, asked)
  // 20 ms of JavaScript on one processor: fifty a second each.
  assert.equal(few.generations, BUSY * 4 * 50)
  assert.match(few.bounds[0].what, /platform/)
  assert.deepEqual([few.connections, few.walMbPerSecond, few.decisions], [56, (BUSY * 200 * 64) / 1_024, BUSY * 40_000])
  // With one processor the other threads compete with it.
  assert.equal(carry(costs, { ...asked, coresPerReplica: 1 }).generations, BUSY * 4 * 40)
  const many = carry(costs, { ...asked, replicas: 1_000 })
  assert.match(many.bounds[0].what, /ledger/)
  assert.equal(many.generations, BUSY * 2_000)
  assert.match(carry(costs, { ...asked, replicas: 1_000, databaseCores: 1 }).bounds[0].what, /1 processors of the database/)
})

test('a second platform adds what the machine has left', () => {
  // 50 ms of everything on two processors are forty a second, and one platform reaches that.
  assert.deepEqual(secondPlatform(costs), { measured: 1.1, expected: 1 })
  assert.equal(secondPlatform({ ...costs, machine: { cpu: 'c', cores: 8 } }).expected, 2)
})

test('the page on capacity says what was measured and what follows from it', () => {
  assert.equal(readFileSync(new URL('../docs/operations/capacity.md', import.meta.url), 'utf8'), renderCapacity(readMeasured(), ASKED_ABOUT))
})

import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { createLog } from '#telemetry/log.ts'
import { BREAKER_STATES, createMetrics } from '#telemetry/metrics.ts'
import { importTwin } from '#test/twin.ts'
import * as ours from './breaker.ts'

const RULES = { failuresMax: 3, restMs: 100 }
type Module = Pick<typeof ours, 'createBreaker'>
class Out extends Error {}
class Gone extends Error {}

/** A breaker with a clock of its own, and calls that come out when they are told to. */
function bench({ createBreaker }: Module, meanwhile: 'wait' | 'refuse') {
  const metrics = createMetrics({ service: 'acgs-test', version: '8.0.0', constitutionalHash: 'cdd01ef066bc6cf2', description: 'test' })
  let at = 0
  let refusals = 0
  const begun: { readonly at: number; readonly end: (how: 'success' | 'failure' | 'neither') => void }[] = []
  const breaker = createBreaker({
    service: 'redis', telemetry: { metrics, log: createLog({ service: 'acgs-test', level: 'silent' }) }, meanwhile, rules: RULES, now: () => at,
    meaningOf: (error) => (error instanceof Out ? 'failure' : error instanceof Gone ? 'neither' : 'success'), refused: () => (refusals++, new Error('left alone')),
  })
  return {
    breaker, begun,
    refusals: () => refusals,
    pass: (ms: number) => { at += ms },
    call: () => breaker.run(() => new Promise<void>((resolve, reject) => {
      begun.push({ at, end: (how) => (how === 'success' ? resolve() : reject(how === 'failure' ? new Out() : new Gone())) })
    })).catch(() => {}),
    gauge: async () => BREAKER_STATES[(await metrics.circuitBreakerState.get()).values.find(({ labels }) => labels.service === 'redis')?.value ?? -1],
  }
}
const settle = () => new Promise<void>((resolve) => setImmediate(resolve))

async function ended(world: ReturnType<typeof bench>, how: 'success' | 'failure' | 'neither'): Promise<void> {
  void world.call()
  world.begun.at(-1)?.end(how)
  await settle()
}

test('closed, open after so many failures in a row, half-open after its rest with one call, and the gauge says so', async () => {
  const world = bench(ours, 'refuse')
  for (const how of ['failure', 'failure', 'success', 'failure', 'neither', 'failure'] as const) await ended(world, how)
  assert.equal(world.breaker.state(), 'closed')
  await ended(world, 'failure')
  assert.deepEqual([world.breaker.state(), await world.gauge(), world.begun.length], ['open', 'open', 7])
  world.pass(99)
  await world.call()
  assert.deepEqual([world.begun.length, world.refusals()], [7, 1])
  world.pass(1)
  void world.call()
  await world.call()
  assert.deepEqual([world.begun.length, world.refusals(), await world.gauge()], [8, 2, 'half-open'])
  world.begun[7]?.end('failure')
  await settle()
  assert.equal(world.breaker.state(), 'open')
  world.pass(100)
  await ended(world, 'success')
  assert.deepEqual([world.breaker.state(), await world.gauge()], ['closed', 'closed'])
})

test('who may wait is let through when the one call finds that it goes again, and refused when not', async () => {
  for (const [how, begun] of [['success', 6], ['failure', 4]] as const) {
    const world = bench(ours, 'wait')
    for (let i = 0; i < 3; i++) await ended(world, 'failure')
    world.pass(100)
    for (let i = 0; i < 3; i++) void world.call()
    assert.equal(world.begun.length, 4)
    world.begun[3]?.end(how)
    await settle()
    assert.equal(world.begun.length, begun, how)
  }
})

test('who waits for a call that never comes out tries in its place once the rest is over', async () => {
  const world = bench(ours, 'wait')
  for (let i = 0; i < 3; i++) await ended(world, 'failure')
  world.pass(100)
  for (let i = 0; i < 2; i++) void world.call()
  assert.equal(world.begun.length, 4)
  world.pass(100)
  for (const deadline = Date.now() + 30_000; world.begun.length < 5; await sleep(10)) assert.ok(Date.now() < deadline, 'it still waits')
  world.begun[4]?.end('success')
  await settle()
  assert.equal(world.breaker.state(), 'closed')
})

/** Every standing that there is, by its kind and by whether its rest is over. */
const STANDINGS: readonly ours.Standing[] = [
  ...Array.from({ length: RULES.failuresMax }, (_, failures) => ({ kind: 'closed' as const, failures })),
  ...(['open', 'half-open'] as const).flatMap((kind) => [{ kind, since: 1_000 }, { kind, since: 1_000 - RULES.restMs }]),
]

test('from every standing one success after the rest closes it, and no standing lets more than a trial through', () => {
  for (const standing of STANDINGS) {
    assert.ok(['call', 'try'].includes(ours.mayCall(standing, 1_000 + RULES.restMs, RULES)), JSON.stringify(standing))
    assert.deepEqual(ours.afterCall(standing, 'success', 1_000, RULES), ours.CLOSED)
    const worse = ours.afterCall(standing, 'failure', 1_000, RULES)
    assert.ok(STANDINGS.some((each) => JSON.stringify(each) === JSON.stringify(worse)), `${JSON.stringify(standing)} leads out to ${JSON.stringify(worse)}`)
    if (standing.kind !== 'closed') assert.deepEqual(worse, { kind: 'open', since: 1_000 })
  }
})

const Step = fc.oneof(
  { weight: 5, arbitrary: fc.constant({ kind: 'call' as const }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('end' as const), which: fc.nat(20), how: fc.constantFrom('success' as const, 'failure' as const, 'failure' as const, 'neither' as const) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.constantFrom(1, 50, 99, 100, 250) }) },
)

/** Whatever happened, it goes again; and while it is open, nothing is begun but one call in each rest. */
async function holds(module: Module): Promise<void> {
  await fc.assert(fc.asyncProperty(fc.array(Step, { minLength: 10, maxLength: 60 }), fc.constantFrom('wait' as const, 'refuse' as const), async (steps, meanwhile) => {
    const world = bench(module, meanwhile)
    const pending: { readonly turn: number; readonly end: (how: 'success' | 'failure' | 'neither') => void }[] = []
    let turn = 0
    for (const step of steps) {
      const before = { state: world.breaker.state(), begun: world.begun.length }
      if (step.kind === 'pass') world.pass(step.ms)
      else if (step.kind === 'call') void world.call()
      const [ending] = step.kind === 'end' ? pending.splice(step.which % (pending.length + 1), 1) : []
      if (step.kind === 'end') ending?.end(step.how)
      await settle()
      if (ending !== undefined && ending.turn !== turn) assert.equal(world.breaker.state(), before.state, 'what was begun before it turned has a say')
      if (world.breaker.state() !== before.state) turn++
      pending.push(...world.begun.slice(before.begun).map(({ end }) => ({ turn, end })))
      if (step.kind === 'call' && before.state !== 'closed') assert.ok(world.begun.length <= before.begun + 1)
      assert.equal(await world.gauge(), world.breaker.state())
    }
    const tries = world.begun.length
    if (world.breaker.state() !== 'closed') {
      await settle()
      world.pass(RULES.restMs)
      for (let i = 0; i < 5; i++) void world.call()
      await settle()
      assert.equal(world.begun.length, tries + 1, 'one call finds out')
    } else void world.call()
    world.begun.at(-1)?.end('success')
    await settle()
    assert.equal(world.breaker.state(), 'closed', 'it sticks')
  }), { numRuns: 400, seed: 11 })
}

test('no sequence of calls, outcomes and waits makes it stick, or lets many through to who is out', () => holds(ours))

test('the property notices a breaker that sticks, one that tries with everybody, and one that believes what is long past', async () => {
  const twins = {
    'a trial that never comes out': { from: "if (at - standing.since >= restMs) return 'try'", to: "if (standing.kind === 'open' && at - standing.since >= restMs) return 'try'" },
    'everybody tries': { from: "return standing.kind === 'open' ? 'refuse' : 'await'", to: "return standing.kind === 'open' ? 'refuse' : 'try'" },
    'old outcomes': { from: "outcome !== 'neither' && turn === turns", to: "outcome !== 'neither'" },
  }
  for (const [name, sabotage] of Object.entries(twins)) {
    const twin = await importTwin<Module>('src/http/', ['breaker.ts'], { file: 'breaker.ts', ...sabotage }, name)
    await assert.rejects(holds(twin), name)
  }
})

test('a clock that is set back does not keep it open', async () => {
  mock.timers.enable({ apis: ['Date'], now: Date.now() })
  try {
    const metrics = createMetrics({ service: 'acgs-test', version: '8.0.0', constitutionalHash: 'cdd01ef066bc6cf2', description: 'test' })
    const breaker = ours.createBreaker({
      service: 'database', telemetry: { metrics, log: createLog({ service: 'acgs-test', level: 'silent' }) }, meanwhile: 'refuse', rules: { failuresMax: 1, restMs: 20 },
      meaningOf: () => 'failure', refused: () => new Error('left alone'),
    })
    await assert.rejects(breaker.run(() => Promise.reject(new Out())))
    mock.timers.setTime(0)
    await sleep(40)
    assert.equal(await breaker.run(async () => 'goes again'), 'goes again')
  } finally {
    mock.timers.reset()
  }
})

test('who looked without being let through may say that somebody is back: that counts when the rest is over, and only then', async () => {
  const world = bench(ours, 'refuse')
  for (let i = 0; i < 2; i++) await ended(world, 'failure')
  world.breaker.back()
  await ended(world, 'failure')
  assert.equal(await world.gauge(), 'open', 'it has not made good what failed before')
  world.pass(99)
  world.breaker.back()
  await settle()
  assert.equal(await world.gauge(), 'open')
  world.pass(1)
  world.breaker.back()
  await settle()
  assert.equal(await world.gauge(), 'closed')
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Failure } from '#core/failure.ts'
import { toProblem } from '#http/problem.ts'
import { createLog } from '#telemetry/log.ts'
import { createMetrics } from '#telemetry/metrics.ts'
import { scrape } from '#telemetry/scrape.ts'
import { importTwin, type Sabotage } from '#test/twin.ts'
import { createAdmission } from './admission.ts'

const going = new AbortController().signal

function admissionOf({ atOnceMax = 2, waitingMax = 3, timeoutMs = 60_000, create = createAdmission }: { atOnceMax?: number; waitingMax?: number; timeoutMs?: number; create?: typeof createAdmission } = {}) {
  const metrics = createMetrics({ service: 'test', version: '8.0.0', constitutionalHash: 'cdd01ef066bc6cf2', description: 'test' })
  let time = 0
  const admission = create({ atOnceMax, waitingMax, timeoutMs, telemetry: { log: createLog({ service: 'test', level: 'silent' }), metrics }, now: () => time })
  const series = async (name: string) => Number((await scrape(metrics, undefined)).text.split('\n').find((line) => line.startsWith(`acgs_pgp_v8_${name} `))?.split(' ').at(-1))
  return { ...admission, series, pass: (ms: number) => { time += ms } }
}

test('so many begin at once, so many wait and begin in the order of arrival, and the next is told when to come back', () => isBounded(createAdmission))

async function isBounded(create: typeof createAdmission, timeoutMs = 60_000): Promise<void> {
  const { enter, series, pass } = admissionOf({ create, timeoutMs })
  const begun: number[] = []
  const leaving: (() => void)[] = []
  const come = (n: number) => {
    const coming = enter(going).then((leave) => {
      begun.push(n)
      leaving.push(leave)
    })
    coming.catch(() => {}) // Of a twin, some that nobody waits for any more.
    return coming
  }
  const all = [0, 1, 2, 3, 4].map(come)
  await Promise.all(all.slice(0, 2))
  assert.deepEqual(begun, [0, 1])
  assert.equal(await series('admission_waiting'), 3)
  pass(4_000)
  leaving[1]?.()
  await all[2]
  leaving[1]?.() // Leaving twice makes no second place.
  await new Promise(setImmediate)
  assert.deepEqual(begun, [0, 1, 2])

  await Promise.all([come(5)].map((each) => Promise.race([each, new Promise(setImmediate)])))
  const failure = await come(6).then(() => assert.fail('it was admitted'), (error: unknown) => error as Failure)
  assert.equal(failure.code, 'OVERLOADED')
  const problem = toProblem(failure, 't')
  // Four turns of four seconds each, two at a time.
  assert.deepEqual([problem.status, problem.headers['retry-after'], problem.body['reason']], [503, '8', 'full'])
  assert.equal(await series('overloaded_requests_total{because="full"}'), 1)

  for (let n = 0; n < 6; n++) {
    leaving[n === 1 ? 5 : n]?.()
    await new Promise(setImmediate)
  }
  assert.deepEqual(begun, [0, 1, 2, 3, 4, 5])
  assert.equal(await series('admission_waiting'), 0)
  await Promise.all([come(7), come(8)]) // It has recovered: both begin at once.
}

const TWINS: Readonly<Record<string, Omit<Sabotage, 'file'>>> = {
  'any number waits': { from: 'waiting.size >= waitingMax', to: 'false' },
  'any number begins': { from: 'atOnce < atOnceMax', to: 'true' },
  'who leaves twice makes two places': { from: 'if (hasLeft) return', to: '' },
  'the last to come begins first': { from: 'const [next] = waiting', to: 'const next = [...waiting].at(-1)' },
  'a place that is left is not given back': { from: 'if (next === undefined) atOnce--', to: 'if (next === undefined) return' },
}
for (const [name, change] of Object.entries(TWINS)) {
  test(`it is noticed when ${name}`, async () => {
    const twin = await importTwin<{ createAdmission: typeof createAdmission }>('src/services/platform/', ['admission.ts'], { file: 'admission.ts', ...change }, name)
    await assert.rejects(isBounded(twin.createAdmission, 1_000))
  })
}

test('whose turn does not come in time is told so, and nobody begins in its place twice', async () => {
  const { enter, series } = admissionOf({ atOnceMax: 1, timeoutMs: 20 })
  const leave = await enter(going)
  await assert.rejects(enter(going), (error: Failure) => error.code === 'OVERLOADED' && error.details['reason'] === 'late')
  assert.equal(await series('overloaded_requests_total{because="late"}'), 1)
  leave()
  const next = await enter(going)
  await assert.rejects(enter(going), { code: 'OVERLOADED' })
  next()
})

test('who goes away while waiting gives its turn to the next', async () => {
  const { enter } = admissionOf({ atOnceMax: 1 })
  const leave = await enter(going)
  const gone = new AbortController()
  const first = enter(gone.signal)
  const second = enter(going)
  gone.abort(new Failure('SHUTTING_DOWN', 'the caller went away'))
  await assert.rejects(first, { code: 'SHUTTING_DOWN' })
  leave()
  ;(await second)()
  await assert.rejects(enter(gone.signal), { code: 'SHUTTING_DOWN' })
})

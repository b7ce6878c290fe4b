import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Failure } from '#core/failure.ts'
import { startSolver } from './pool.ts'

const LIMITS = { rlimit: 10_000_000, timeoutMs: 5_000 }
const ask = (text: string, values: readonly string[] = []) => ({ text, values })

/** Three numbers whose cubes add up as nobody's do: nothing that a solver settles in a moment. */
const HARD = '(declare-const x Int)(declare-const y Int)(declare-const z Int)\n(assert (and (> x 1) (> y 1) (> z 1) (= (+ (* x x x) (* y y y)) (* z z z))))'

test('scripts of one call are answered each for itself, in order', async () => {
  await using solver = startSolver()
  const replies = await solver.solve([
    ask('(declare-const p Bool)\n(assert (and p (not p)))'),
    ask('(declare-const n Int)\n(assert (> n 9223372036854775806))\n(assert (< n 9223372036854775808))', ['n']),
    ask('(assert true)'),
  ], LIMITS)
  assert.deepEqual(replies.map(({ kind }) => kind), ['unsat', 'sat', 'sat'])
  assert.match(replies[1]?.kind === 'sat' ? replies[1].values : '', /\(\(n 9223372036854775807\)\)/)
})

test('what one script declares, the next does not see, and a script with a mistake is no proof', async () => {
  await using solver = startSolver()
  const replies = await solver.solve([ask('(declare-const p Bool)\n(assert p)'), ask('(assert (and p (not p)))\n(assert false)'), ask('(assert false)')], LIMITS)
  assert.deepEqual(replies.map(({ kind }) => kind), ['sat', 'unknown', 'unsat'])
  assert.match(replies[1]?.kind === 'unknown' ? replies[1].reason : '', /solver failed: it answered `\(error/)
})

test('work beyond the limit is unknown, each time alike, and hinders no other script', async () => {
  await using solver = startSolver()
  for (let i = 0; i < 2; i++) {
    const replies = await solver.solve([ask('(assert false)'), ask(HARD), ask('(assert true)')], { rlimit: 200_000, timeoutMs: 5_000 })
    assert.deepEqual(replies.map(({ kind }) => kind), ['unsat', 'unknown', 'sat'])
    assert.match(replies[1]?.kind === 'unknown' ? replies[1].reason : '', /^(timeout|solver gave up)/)
  }
})

test('a script that outlives its time is killed with its thread; the others are answered by a new one', async () => {
  await using solver = startSolver()
  await solver.warm()
  const started = performance.now()
  const replies = await solver.solve([ask('(assert false)'), ask(HARD), ask('(assert true)'), ask('(assert false)')], { rlimit: 2_000_000_000, timeoutMs: 300 })
  assert.deepEqual(replies.map(({ kind }) => kind), ['unsat', 'unknown', 'sat', 'unsat'])
  assert.match(replies[1]?.kind === 'unknown' ? replies[1].reason : '', /^timeout: no answer within 300 ms/)
  assert.ok(performance.now() - started < 20_000)
})

test('a thread that ends, or never starts, makes unknown what was asked, and nothing worse', async () => {
  const body = (code: string) => new URL(`data:text/javascript,${encodeURIComponent(`import { parentPort } from 'node:worker_threads'; ${code}`)}`)
  const dying = startSolver({ body: body("parentPort.postMessage({ kind: 'ready', version: '' }); parentPort.on('message', () => process.exit(1))") })
  const replies = await dying.solve([ask('(assert false)'), ask('(assert false)')], LIMITS)
  assert.deepEqual(replies.map(({ kind }) => kind), ['unknown', 'unknown'])
  await dying[Symbol.asyncDispose]()
  await using never = startSolver({ body: body("throw new Error('no wasm here')") })
  const [reply] = await never.solve([ask('(assert false)')], LIMITS)
  assert.match(reply?.kind === 'unknown' ? reply.reason : '', /solver failed: no wasm here/)
  await assert.rejects(never.warm(), (error) => error instanceof Failure && error.code === 'SOLVER_FAILED')
})

test('a thread that dies over one script leaves that one unknown; another answers what is left, and what is asked later', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'acgs-solver-'))
  const code = `
    import { existsSync, writeFileSync } from 'node:fs'
    import { parentPort } from 'node:worker_threads'
    const marker = ${JSON.stringify(join(folder, 'died'))}
    if (existsSync(marker)) await import(${JSON.stringify(new URL('./worker.ts', import.meta.url).href)})
    else {
      parentPort.on('message', () => { writeFileSync(marker, ''); process.exit(1) })
      parentPort.postMessage({ kind: 'ready', version: '' })
    }`
  try {
    await using solver = startSolver({ body: new URL(`data:text/javascript,${encodeURIComponent(code)}`) })
    const replies = await solver.solve([ask('(assert false)'), ask('(assert false)'), ask('(assert true)')], LIMITS)
    assert.deepEqual(replies.map(({ kind }) => kind), ['unknown', 'unsat', 'sat'])
    assert.deepEqual((await solver.solve([ask('(assert false)')], LIMITS)).map(({ kind }) => kind), ['unsat'])
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('calls that overlap wait for each other; after the end there is only a refusal', async () => {
  const solver = startSolver()
  const replies = await Promise.all(Array.from({ length: 5 }, (_, i) => solver.solve([ask(`(assert ${i % 2 === 0})`)], LIMITS)))
  assert.deepEqual(replies.flat().map(({ kind }) => kind), ['sat', 'unsat', 'sat', 'unsat', 'sat'])
  await solver[Symbol.asyncDispose]()
  await assert.rejects(solver.solve([ask('(assert true)')], LIMITS), (error) => error instanceof Failure && error.code === 'SHUTTING_DOWN')
})

test('several calls are answered side by side: an easy one does not wait for a hard one, unless there are no more threads', async () => {
  const limits = { rlimit: 2_000_000_000, timeoutMs: 1_500 }
  for (const size of [2, 1]) {
    await using solver = startSolver({ size, idleMs: 50 })
    await solver.warm()
    let isHardDone = false
    const hard = solver.solve([ask(HARD)], limits).then(([reply]) => ((isHardDone = true), reply))
    const easy = await Promise.all([1, 2, 3].map(() => solver.solve([ask('(assert false)')], limits)))
    assert.deepEqual([easy.map(([reply]) => reply?.kind), isHardDone], [['unsat', 'unsat', 'unsat'], size === 1])
    assert.equal((await hard)?.kind, 'unknown')
    await new Promise((resolve) => setTimeout(resolve, 200))
    assert.equal((await solver.solve([ask('(assert false)')], limits))[0]?.kind, 'unsat') // After the idle ones have ended.
  }
})

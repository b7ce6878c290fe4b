import { createRequire } from 'node:module'
import { Worker } from 'node:worker_threads'
import { Failure } from '#core/failure.ts'
import type { Limits } from '#core/proof/proof.ts'
import { readReply, type Ask, type Reply } from '#core/proof/smtlib.ts'
import type { FromWorker, Job } from './worker.ts'

/** The solver as proofs name it. */
export const Z3 = { name: 'z3', version: (createRequire(import.meta.url)('z3-solver/package.json') as { version: string }).version } as const

/** One or several Z3, each in a thread of its own: about 100 MB while it lives, 0.2 s to start, which happens when a question finds no other idle, or at `warm`. */
export type Solver = AsyncDisposable & {
  /**
   * One reply for each script, in order. Scripts of one call share a context; each has the limits for itself. A script that outlives
   * its time is `unknown`: its thread is killed, and the others go on in a new one. Never rejects for what a solver may do.
   *
   * @throws {Failure} `SHUTTING_DOWN` after disposal.
   */
  readonly solve: (asks: readonly Ask[], limits: Limits) => Promise<readonly Reply[]>
  /** Starts the thread ahead of the first question. @throws {Failure} `SOLVER_FAILED` when it does not start. */
  readonly warm: () => Promise<void>
  readonly state: () => PoolState
}

/** How a pool stands: threads that may be, are there and work, and questions that wait for one. */
export type PoolState = { readonly max: number; readonly threads: number; readonly busy: number; readonly waiting: number }

type One = Omit<Solver, 'state'>
type Start = { readonly startTimeoutMs?: number; readonly body?: URL }

/**
 * A pool of solvers: a call goes to one that is idle, else to a new one while there are fewer than `size`, else it waits for
 * the first that is idle again. All but the first end when they have been idle for `idleMs`.
 *
 * @param startTimeoutMs How long a thread may take to start.
 */
export function startSolver({ size = 1, idleMs = 30_000, ...start }: Start & { readonly size?: number; readonly idleMs?: number } = {}): Solver {
  type Lane = { readonly solver: One; isIdle: boolean; ending: NodeJS.Timeout | null }
  const lanes: Lane[] = []
  const waiting: ((lane: Lane) => void)[] = []
  const free = (): Lane | Promise<Lane> => {
    const idle = lanes.find(({ isIdle }) => isIdle)
    if (idle !== undefined) return idle
    if (lanes.length >= size) return new Promise((resolve) => waiting.push(resolve))
    const lane = { solver: startOne(start), isIdle: true, ending: null }
    lanes.push(lane)
    return lane
  }
  const inLane = async <T>(use: (solver: One) => Promise<T>): Promise<T> => {
    const found = free()
    const lane = found instanceof Promise ? await found : found
    lane.isIdle = false
    if (lane.ending !== null) clearTimeout(lane.ending)
    try {
      return await use(lane.solver)
    } finally {
      const next = waiting.shift()
      if (next !== undefined) next(lane)
      else {
        lane.isIdle = true
        if (lane !== lanes[0]) lane.ending = setTimeout(() => void end(lane), idleMs).unref()
      }
    }
  }
  const end = async (lane: Lane): Promise<void> => {
    const at = lanes.indexOf(lane)
    if (at >= 0) lanes.splice(at, 1)
    await lane.solver[Symbol.asyncDispose]()
  }
  let isClosed = false
  return {
    solve: (asks, limits) => (isClosed ? Promise.reject(stopped()) : inLane((solver) => solver.solve(asks, limits))),
    warm: () => inLane((solver) => solver.warm()),
    state: () => ({ max: size, threads: lanes.length, busy: lanes.filter(({ isIdle }) => !isIdle).length, waiting: waiting.length }),
    [Symbol.asyncDispose]: async () => {
      isClosed = true
      for (const { ending } of lanes) if (ending !== null) clearTimeout(ending)
      await Promise.all([...lanes].map(end))
    },
  }
}

function stopped(): Failure {
  return new Failure('SHUTTING_DOWN', 'the solver has been stopped')
}

function startOne({ startTimeoutMs = 30_000, body = new URL('./worker.ts', import.meta.url) }: Start): One {
  let worker: Promise<Worker> | null = null
  let queue: Promise<unknown> = Promise.resolve()
  let isClosed = false

  const running = (): Promise<Worker> => {
    if (worker === null) {
      const starting = spawn(body, startTimeoutMs)
      worker = starting
      starting.then(
        (each) => each.once('exit', () => { if (worker === starting) worker = null }),
        () => { if (worker === starting) worker = null },
      )
    }
    return worker
  }
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const turn = queue.then(work)
    queue = turn.catch(() => undefined)
    return turn
  }

  const solve = (asks: readonly Ask[], limits: Limits): Promise<readonly Reply[]> => inTurn(async () => {
    const replies: Reply[] = []
    while (replies.length < asks.length) {
      if (isClosed) throw stopped()
      let current: Worker
      try {
        current = await running()
      } catch (error) {
        const reason = `solver failed: ${error instanceof Error ? error.message : String(error)}`
        return [...replies, ...asks.slice(replies.length).map(() => ({ kind: 'unknown', reason }) as const)]
      }
      const { done, ended } = await run(current, { asks: asks.slice(replies.length), rlimit: limits.rlimit }, limits.timeoutMs)
      replies.push(...done)
      if (ended === null) continue
      // The script that was running has had its chance; the rest is asked of a new thread.
      replies.push({ kind: 'unknown', reason: ended })
      worker = null
      await current.terminate()
    }
    return replies
  })

  return {
    solve,
    warm: () => inTurn(async () => {
      try {
        await running()
      } catch (error) {
        throw new Failure('SOLVER_FAILED', `the solver does not start: ${error instanceof Error ? error.message : String(error)}; give this machine more time or memory, and start again`, { cause: error })
      }
    }),
    [Symbol.asyncDispose]: async () => {
      isClosed = true
      const last = worker
      worker = null
      await last?.then((each) => each.terminate(), () => undefined)
    },
  }
}

/** Runs a job until it is done, or the thread dies, or one script has had its time: then why it ended. */
function run(worker: Worker, job: Job, timeoutMs: number): Promise<{ done: readonly Reply[]; ended: string | null }> {
  return new Promise((resolve) => {
    const done: Reply[] = []
    const end = (ended: string | null): void => {
      clearTimeout(timer)
      worker.off('message', onMessage).off('error', onError).off('exit', onExit)
      worker.unref()
      resolve({ done, ended })
    }
    const onMessage = (message: FromWorker): void => {
      if (message.kind !== 'reply') return
      done.push(readReply(message.reply))
      timer.refresh()
      if (done.length === job.asks.length) end(null)
    }
    const onError = (error: Error): void => end(`solver failed: ${error.message}`)
    const onExit = (): void => end('solver failed: its thread ended')
    const timer = setTimeout(() => end(`timeout: no answer within ${timeoutMs} ms`), timeoutMs)
    worker.ref()
    worker.on('message', onMessage).on('error', onError).on('exit', onExit)
    worker.postMessage(job)
  })
}

function spawn(body: URL, startTimeoutMs: number): Promise<Worker> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(body)
    const fail = (error: Error): void => {
      clearTimeout(timer)
      void worker.terminate()
      reject(error)
    }
    const onExit = (): void => fail(new Error('the solver thread ended while starting'))
    const timer = setTimeout(() => fail(new Error(`the solver thread did not start within ${startTimeoutMs} ms`)), startTimeoutMs)
    // An unhandled `error` event would end the process; who is waiting listens too.
    worker.on('error', fail).once('exit', onExit)
    worker.once('message', () => {
      clearTimeout(timer)
      worker.off('exit', onExit)
      worker.unref()
      resolve(worker)
    })
  })
}

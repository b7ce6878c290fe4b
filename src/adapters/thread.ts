import { Worker } from 'node:worker_threads'

/** What a thread is sent, and what it sends back: one answer for each question, in whichever order. */
export type Sent<Question> = { readonly number: number; readonly question: Question }
export type Returned<Answer> = { readonly number: number; readonly answer: Answer }

/** A module that answers questions in a thread of its own, where it holds nobody up: started by the first question, and by the next one when it was lost. */
export type Thread<Known> = AsyncDisposable & {
  /** Starts it ahead of the first question. */
  readonly warm: () => void
  /**
   * @param made The question, from what is known of the thread that it goes to. What it may be and how it is answered is between caller and module.
   * @throws {ThreadLost} when there is no answer.
   */
  readonly ask: <Question, Answer>(made: (known: Known) => Question) => Promise<Answer>
}

/** The thread failed, ended, or took longer than its time; everything that it was asked is lost with it. */
export class ThreadLost extends Error {
  /** Whether it was this question that took too long. */
  readonly isLate: boolean

  constructor(message: string, { isLate = false } = {}) {
    super(message)
    this.name = 'ThreadLost'
    this.isLate = isLate
  }
}

/** What a question leaves behind dies young; without a limit every thread would take as much as the process. */
const YOUNG_MB = 12

/**
 * @param given.body The module that answers: it receives `Sent` and posts `Returned`.
 * @param given.name How errors call it.
 * @param given.timeoutMs How long a question may take, the thread's start included.
 * @param given.knows What is known of a thread that has just been started.
 */
export function startThread<Known>({ body, name, timeoutMs, knows }: { readonly body: URL; readonly name: string; readonly timeoutMs: number; readonly knows: () => Known }): Thread<Known> {
  type Running = { readonly worker: Worker; readonly known: Known; asked: number }
  let running: Running | null = null

  const start = (): Running => {
    const worker = new Worker(body, { resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB } })
    const made = { worker, known: knows(), asked: 0 }
    worker.unref()
    worker.setMaxListeners(0) // One for each question that waits.
    worker.on('error', () => {}) // Without a listener it would end the process; who waits listens, too.
    worker.once('exit', () => { if (running === made) running = null })
    running = made
    return made
  }
  const lose = (lost: Running): void => {
    if (running === lost) running = null
    void lost.worker.terminate()
  }

  return {
    warm: () => void (running ??= start()),
    ask: <Question, Answer>(made: (known: Known) => Question) => new Promise<Answer>((resolve, reject) => {
      const on = running ?? start()
      const { worker } = on
      const number = on.asked++
      const end = (): void => {
        clearTimeout(timer)
        worker.off('message', onMessage).off('error', onError).off('exit', onExit)
      }
      const fail = (why: string, isLate = false): void => {
        end()
        lose(on)
        reject(new ThreadLost(`${name} ${why}`, { isLate }))
      }
      const onMessage = (reply: Returned<Answer>): void => {
        if (reply.number !== number) return
        end()
        resolve(reply.answer)
      }
      const onError = (error: Error): void => fail(`failed: ${error.message}`)
      const onExit = (): void => fail('ended')
      const timer = setTimeout(() => fail(`did not answer within ${timeoutMs} ms`, true), timeoutMs).unref()
      worker.on('message', onMessage).on('error', onError).on('exit', onExit)
      worker.postMessage({ number, question: made(on.known) } satisfies Sent<Question>)
    }),
    [Symbol.asyncDispose]: async () => {
      await running?.worker.terminate()
    },
  }
}

/** Numbered places for what a thread keeps so that it need not be sent again; the one that was filled first gives way. */
export function places<T>(max: number, isSame: (a: T, b: T) => boolean = Object.is): (value: T) => { readonly place: number; readonly isNew: boolean } {
  const kept: T[] = []
  let next = 0
  return (value) => {
    const before = kept.findIndex((each) => isSame(each, value))
    if (before >= 0) return { place: before, isNew: false }
    const place = next++ % max
    kept[place] = value
    return { place, isNew: true }
  }
}

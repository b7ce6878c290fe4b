import { Worker } from 'node:worker_threads'
import type { PolicySet } from '#core/policy/policy.ts'
import type { CedarEntity, CedarRequest } from '#core/unit/semantic-unit.ts'
import type { CedarDecision } from './cedar.ts'
import type { Ask, FromOracle } from './oracle-worker.ts'

/** Cedar's engine in a thread of its own, where it holds nobody up: it is started by the first question, and by the next one when it was lost. */
export type OracleThread = AsyncDisposable & {
  /**
   * What Cedar decides under its own semantics; questions are answered one after another.
   *
   * @throws {Error} when there is no answer: Cedar refuses the question, the thread ends or takes longer than its time.
   */
  readonly ask: (question: { readonly policies: PolicySet; readonly request: CedarRequest; readonly entities: readonly CedarEntity[] }) => Promise<CedarDecision>
}

/** So many policy sets the thread keeps, each as text. */
const KEPT_MAX = 16

/** @param timeoutMs How long one question may take, the thread's start and reading the rules included. */
export function startOracle({ timeoutMs = 20_000, body = new URL('./oracle-worker.ts', import.meta.url) }: { readonly timeoutMs?: number; readonly body?: URL } = {}): OracleThread {
  type Running = { readonly worker: Worker; readonly kept: PolicySet[]; next: number; asked: number }
  let running: Running | null = null

  const start = (): Running => {
    const worker = new Worker(body)
    const made = { worker, kept: [], next: 0, asked: 0 }
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
    ask: ({ policies, ...question }) => new Promise((resolve, reject) => {
      const on = running ?? start()
      const { worker, kept } = on
      const before = kept.indexOf(policies)
      const place = before >= 0 ? before : on.next++ % KEPT_MAX
      kept[place] = policies
      const number = on.asked++
      const end = (): void => {
        clearTimeout(timer)
        worker.off('message', onMessage).off('error', onError).off('exit', onExit)
      }
      const fail = (why: string): void => {
        end()
        lose(on)
        reject(new Error(why))
      }
      const onMessage = (reply: FromOracle): void => {
        if (reply.number !== number) return
        end()
        if ('refused' in reply.answer) reject(new Error(reply.answer.refused))
        else resolve(named(reply.answer.decision, policies))
      }
      const onError = (error: Error): void => fail(`the thread of Cedar’s engine failed: ${error.message}`)
      const onExit = (): void => fail('the thread of Cedar’s engine ended')
      const timer = setTimeout(() => fail(`Cedar’s engine did not answer within ${timeoutMs} ms`), timeoutMs).unref()
      worker.on('message', onMessage).on('error', onError).on('exit', onExit)
      worker.postMessage({ number, place, policies: before >= 0 ? null : policies.text, question: JSON.stringify(question) } satisfies Ask)
    }),
    [Symbol.asyncDispose]: async () => {
      await running?.worker.terminate()
    },
  }
}

/** With the rules' own ids. */
function named({ decision, determining, errors }: CedarDecision, { rules }: PolicySet): CedarDecision {
  const idOf = (name: string) => rules[Number(name.replace('policy', ''))]?.id ?? name
  return { decision, determining: determining.map(idOf).sort(), errors: errors.map(({ rule, message }) => ({ rule: idOf(rule), message })) }
}

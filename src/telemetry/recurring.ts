import type { Log } from './log.ts'

/** Looks after one kind of work; never throws. False: the work failed. */
export type Recurring = (work: Promise<unknown>) => Promise<boolean>

/** As long as a trouble lasts, the log is reminded of it so often. */
const REMINDED_MS = 60_000

/**
 * For work that is done again and again: the log hears of it when it fails for the first time, or for another reason, once a minute while it goes on
 * failing, and when it succeeds again. What is tried every second must not bury what else is to be read.
 */
export function recurring(log: Pick<Log, 'warn' | 'info'>, trouble: string, now: () => number = () => performance.now()): Recurring {
  let cause: string | null = null
  let saidAt = 0
  let times = 0
  return async (work) => {
    try {
      await work
    } catch (error) {
      const found = error instanceof Error ? error.message : String(error)
      times++
      if (found !== cause || now() - saidAt >= REMINDED_MS) {
        log.warn({ err: error, times }, trouble)
        cause = found
        saidAt = now()
      }
      return false
    }
    if (times > 0) log.info({ times }, `over: ${trouble}`)
    cause = null
    times = 0
    return true
  }
}

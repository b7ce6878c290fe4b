import { Failure } from '#core/failure.ts'
import { requestAdmitted, requestOverloaded, requestsWaiting, type Telemetry } from '#telemetry/events.ts'

/** How many generations are worked on at once for clients that wait for them, and how many of those clients wait for their turn. */
export type Admission = {
  /**
   * Waits for a turn, in the order of arrival. Nothing is written down before it comes.
   *
   * @returns What must be called when the work has ended.
   * @throws {Failure} `OVERLOADED`, with `retry_after_seconds`: too many wait, or the turn has not come in time; whatever aborts `signal`.
   */
  readonly enter: (signal: AbortSignal) => Promise<() => void>
}

const RETRY_SECONDS_MAX = 60
/** So much of what one generation is thought to take comes from the last one. */
const NEWEST_SHARE = 0.1

export function createAdmission({ atOnceMax, waitingMax, timeoutMs, telemetry, now = () => performance.now() }: {
  atOnceMax: number
  waitingMax: number
  timeoutMs: number
  telemetry: Telemetry
  now?: () => number
}): Admission {
  let atOnce = 0
  let eachMs = 0
  const waiting = new Set<() => void>()

  /** When everybody who waits now has probably begun. */
  const retryAfterSeconds = () => Math.min(RETRY_SECONDS_MAX, Math.max(1, Math.ceil(((waiting.size + 1) * eachMs) / atOnceMax / 1000)))
  const overloaded = (because: 'full' | 'late', message: string): Failure => {
    requestOverloaded(telemetry, { because })
    return new Failure('OVERLOADED', `${message}: send the request again in ${retryAfterSeconds()} s, or with \`Prefer: respond-async\``, { details: { reason: because, retry_after_seconds: retryAfterSeconds() } })
  }
  const begin = (waitedMs: number): (() => void) => {
    requestAdmitted(telemetry, { seconds: waitedMs / 1000 })
    const started = now()
    let hasLeft = false
    return () => {
      if (hasLeft) return
      hasLeft = true
      const ms = now() - started
      eachMs = eachMs === 0 ? ms : eachMs + NEWEST_SHARE * (ms - eachMs)
      const [next] = waiting
      if (next === undefined) atOnce--
      else next()
    }
  }

  return {
    enter: async (signal) => {
      signal.throwIfAborted()
      if (atOnce < atOnceMax) {
        atOnce++
        return begin(0)
      }
      if (waiting.size >= waitingMax) throw overloaded('full', `${atOnceMax} generations are under way here and ${waiting.size} wait`)
      const arrived = now()
      return new Promise((resolve, reject) => {
        const giveUp = (reason: () => unknown) => {
          settle()
          reject(reason())
        }
        const onAbort = () => giveUp(() => signal.reason)
        const timer = setTimeout(() => giveUp(() => overloaded('late', `its turn has not come within ${timeoutMs / 1000} s`)), timeoutMs)
        const turn = () => {
          settle()
          resolve(begin(now() - arrived))
        }
        const settle = () => {
          clearTimeout(timer)
          signal.removeEventListener('abort', onAbort)
          waiting.delete(turn)
          requestsWaiting(telemetry, { count: waiting.size })
        }
        signal.addEventListener('abort', onAbort)
        waiting.add(turn)
        requestsWaiting(telemetry, { count: waiting.size })
      })
    },
  }
}

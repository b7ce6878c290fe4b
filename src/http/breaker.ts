import { breakerTurned, type Telemetry } from '#telemetry/events.ts'
import type { BreakerName, BreakerState } from '#telemetry/metrics.ts'

/** How many failures in a row until something is left alone, and for how long; then one call finds out. */
export type BreakerRules = { readonly failuresMax: number; readonly restMs: number }

export const BREAKER_RULES: BreakerRules = { failuresMax: 5, restMs: 30_000 }

/** Closed: `failures` in a row so far. Open: left alone since then. Half-open: one call is under way that finds out, begun then. */
export type Standing =
  | { readonly kind: 'closed'; readonly failures: number }
  | { readonly kind: 'open'; readonly since: number }
  | { readonly kind: 'half-open'; readonly since: number }

export const CLOSED: Standing = { kind: 'closed', failures: 0 }

/**
 * Whether a call may be made now: `call`; `try`, as the one that finds out; `refuse`, because it is left alone; `await`, because another finds
 * out. When a trial has no outcome within `restMs`, another call may try beside it.
 *
 * @param at Milliseconds of a clock that is never set back.
 */
export function mayCall(standing: Standing, at: number, { restMs }: BreakerRules): 'call' | 'try' | 'refuse' | 'await' {
  if (standing.kind === 'closed') return 'call'
  if (at - standing.since >= restMs) return 'try'
  return standing.kind === 'open' ? 'refuse' : 'await'
}

/** How things stand after a call that was admitted as they stood then has come out. */
export function afterCall(standing: Standing, outcome: 'success' | 'failure', at: number, { failuresMax }: BreakerRules): Standing {
  if (outcome === 'success') return CLOSED
  if (standing.kind !== 'closed') return { kind: 'open', since: at }
  return standing.failures + 1 >= failuresMax ? { kind: 'open', since: at } : { kind: 'closed', failures: standing.failures + 1 }
}

/** What stands in front of something that may be out, so that nobody waits for it once it is known to be. */
export type Breaker = {
  /** Does the work, or throws what `refused` makes. Whatever the work throws rises as it is. */
  readonly run: <T>(work: () => Promise<T>) => Promise<T>
  readonly state: () => BreakerState
  /** Told that somebody answers there, by who looked without being let through: when the rest is over, that is the call that finds out. */
  readonly back: () => void
}

/**
 * A breaker: after `failuresMax` failures in a row the work is not begun for `restMs`; then one call finds out whether it goes again.
 *
 * It cannot stick: from every standing, one call that succeeds once `restMs` are over closes it, even when a trial never comes out. What was begun
 * before it last turned has no say any more.
 *
 * @param meaningOf What an error says: that it is out, that somebody is there, or neither.
 * @param refused Made for who is not let through.
 * @param meanwhile What the others do while one call finds out: wait for it, or be refused.
 */
export function createBreaker({ service, telemetry, meaningOf, refused, meanwhile, rules = BREAKER_RULES, now = () => performance.now() }: {
  service: BreakerName
  telemetry: Telemetry
  meaningOf: (error: unknown) => 'failure' | 'success' | 'neither'
  refused: () => Error
  meanwhile: 'wait' | 'refuse'
  rules?: BreakerRules
  now?: () => number
}): Breaker {
  let standing: Standing = CLOSED
  let turns = 0
  let waiting: (() => void)[] = []

  const stand = (next: Standing) => {
    const hasTurned = next.kind !== standing.kind
    standing = next
    if (!hasTurned) return
    turns++
    breakerTurned(telemetry, { service, state: standing.kind })
    const woken = waiting
    waiting = []
    for (const wake of woken) wake()
  }

  const run = async <T>(work: () => Promise<T>): Promise<T> => {
    for (let may = mayCall(standing, now(), rules); may !== 'call'; may = mayCall(standing, now(), rules)) {
      if (may === 'try') {
        stand({ kind: 'half-open', since: now() })
        break
      }
      if (may === 'refuse' || meanwhile === 'refuse') throw refused()
      await new Promise<void>((resolve) => {
        waiting.push(resolve)
        setTimeout(resolve, rules.restMs).unref() // A trial may never come out.
      })
    }
    const turn = turns
    const cameOut = (outcome: 'success' | 'failure' | 'neither') => {
      if (outcome !== 'neither' && turn === turns) stand(afterCall(standing, outcome, now(), rules))
    }
    try {
      const result = await work()
      cameOut('success')
      return result
    } catch (error) {
      cameOut(meaningOf(error))
      throw error
    }
  }
  const back = () => {
    if (standing.kind !== 'closed' && mayCall(standing, now(), rules) === 'try') void run(async () => {}).catch(() => {})
  }
  return { run, state: () => standing.kind, back }
}

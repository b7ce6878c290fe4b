import type { Config } from '#config'
import type { Queryable } from '#adapters/postgres/connect.ts'
import type { Component, ProbeResult } from '#http/health.ts'

/** Another clock that can be asked: whose, and what it shows, in milliseconds since 1970. */
export type Clock = { readonly name: string; readonly read: (signal: AbortSignal) => Promise<number> }

/** The clock of the database's machine. */
export function databaseClock(database: Queryable): Clock {
  return { name: 'the database', read: async () => Number((await database.query<{ ms: string }>('select extract(epoch from clock_timestamp()) * 1000 as ms')).rows[0]?.ms) }
}

/** The clock of another process, as its `/livez` shows it. */
export function peerClock(name: string, url: string): Clock {
  return { name, read: async (signal) => Date.parse(((await (await fetch(`${url}/livez`, { signal })).json()) as { timestamp: string }).timestamp) }
}

/**
 * Whether the clock of this process shows what the others show. Tokens, deadlines and the times in the ledger rest on it.
 *
 * One that every other contradicts by more than `monitoring.clock_difference_seconds_max` is wrong: the process is not ready. When only some do, the
 * wrong one is theirs. Who does not answer is left out: others say that it is out.
 */
export function clockComponent({ monitoring, security }: Pick<Config, 'monitoring' | 'security'>, clocks: readonly Clock[]): Component {
  const timeoutMs = monitoring.probeTimeoutMs / 2 // Whoever hangs must not make the whole probe late.
  return {
    name: 'clock', isCritical: true,
    probe: async () => {
      const shown = await Promise.all(clocks.map((clock) => difference(clock, timeoutMs)))
      const known = shown.filter((each) => each !== null)
      return judged(known, { most: monitoring.clockDifferenceSecondsMax, tolerated: security.clockToleranceSeconds })
    },
  }
}

type Difference = { readonly name: string; /** How far the other clock is ahead of this one. */ readonly seconds: number }

async function difference({ name, read }: Clock, timeoutMs: number): Promise<Difference | null> {
  const abort = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<null>((resolve) => (timer = setTimeout(() => resolve(null), timeoutMs)))
  const [sent, began] = [Date.now(), performance.now()]
  try {
    const theirs = await Promise.race([read(abort.signal), late])
    if (theirs === null || Number.isNaN(theirs)) return null
    const half = (performance.now() - began) / 2
    const off = theirs - (sent + half)
    return { name, seconds: Math.abs(off) <= half ? 0 : off / 1000 } // What the way there and back explains is no difference.
  } catch {
    return null
  } finally {
    clearTimeout(timer)
    abort.abort()
  }
}

function judged(known: readonly Difference[], { most, tolerated }: { most: number; tolerated: number }): ProbeResult {
  const beyond = (limit: number) => known.filter(({ seconds }) => Math.abs(seconds) > limit)
  const named = (those: readonly Difference[]) => those.map(({ name }) => name).join(' and ')
  const far = beyond(most)
  const [first] = far
  if (first !== undefined && far.length === known.length) {
    return { status: 'unhealthy', detail: `the clock of this machine is ${Math.abs(first.seconds).toFixed(0)} s ${first.seconds > 0 ? 'behind' : 'ahead of'} that of ${named(far)}: set it, by NTP or by hand` }
  }
  const off = first === undefined ? beyond(tolerated) : far
  const [one] = off
  if (one === undefined) return { status: 'healthy' }
  return { status: 'degraded', detail: `the clock of ${named(off)} is ${Math.abs(one.seconds).toFixed(0)} s ${one.seconds > 0 ? 'ahead of' : 'behind'} that of this machine: set it there, by NTP or by hand` }
}

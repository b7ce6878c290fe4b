import { readdirSync, readFileSync } from 'node:fs'

/** Processor time so far, in milliseconds: of its first thread, which runs the JavaScript, and of all its threads. */
export type Spent = { readonly mainMs: number; readonly allMs: number }

/** A tick of /proc, which is a hundredth of a second wherever Node runs. */
const TICK_MS = 10

export function spentBy(pid: number): Spent {
  return { mainMs: ticks(`/proc/${pid}/task/${pid}/stat`).own * TICK_MS, allMs: ticks(`/proc/${pid}/stat`).own * TICK_MS }
}

/** Of a PostgreSQL server, its connections that have ended included. */
export function spentByServer(postmaster: number): number {
  const { own, ended } = ticks(`/proc/${postmaster}/stat`)
  let sum = own + ended
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const found = ticks(`/proc/${pid}/stat`)
      if (found.parent === postmaster) sum += found.own
    } catch {
      // It has ended meanwhile.
    }
  }
  return sum * TICK_MS
}

/** @see proc_pid_stat(5): after the name, which may itself contain parentheses, come state and parent; ticks are the 14th to 17th field. */
function ticks(file: string): { readonly parent: number; readonly own: number; readonly ended: number } {
  const stat = readFileSync(file, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ').map(Number)
  return { parent: fields[1] as number, own: (fields[11] as number) + (fields[12] as number), ended: (fields[13] as number) + (fields[14] as number) }
}

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** What the operating system says about a process that is alive; null for one that is gone or a zombie. */
export type Alive = {
  /** When it started, in whatever form the system gives: with the pid it tells a process from a later one of the same number. */
  readonly started: string
  /** Its program's short name, e.g. `postgres`. */
  readonly program: string
}

/**
 * Looks a process up. A zombie is dead: after `kill -9` one can stay for seconds (for ever, where nobody reaps), and both
 * PostgreSQL's pid file and ours would otherwise be believed.
 */
export function lookUp(pid: number): Alive | null {
  if (!Number.isSafeInteger(pid) || pid <= 0) return null
  return process.platform === 'linux' ? lookUpInProc(pid) : lookUpWithPs(pid)
}

/** Waits until a process is gone. @returns false when it is still there after `timeoutMs`. */
export async function gone(pid: number, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs
  while (lookUp(pid) !== null) {
    if (performance.now() > deadline) return false
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  return true
}

/** @see proc_pid_stat(5): `pid (name) state … starttime`, where the name may itself contain spaces and parentheses. */
function lookUpInProc(pid: number): Alive | null {
  let stat: string
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch {
    return null
  }
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [state, started] = [fields[0], fields[19]]
  if (started === undefined || state === 'Z' || state === 'X') return null
  return { started, program: stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')')) }
}

function lookUpWithPs(pid: number): Alive | null {
  let line: string
  try {
    line = execFileSync('ps', ['-o', 'state=,lstart=,comm=', '-p', String(pid)], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch {
    return null // ps exits 1 when there is no such process
  }
  const [state = '', ...words] = line.split(/\s+/)
  if (line === '' || state.startsWith('Z')) return null
  // `lstart` is five words: day, month, date, time, year.
  return { started: words.slice(0, 5).join(' '), program: words.slice(5).join(' ').split('/').at(-1) ?? '' }
}

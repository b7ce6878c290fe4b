import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { Fired, Load } from './load/cannon.ts'

export const SERVER_CORE = '0'
export const LOAD_CORE = '1'
const canPin = process.platform === 'linux' && availableParallelism() > 1 && hasTaskset()

/** A process of this bench: what it sends first, and how to ask it more. It ends with the scope. */
export type Child = AsyncDisposable & { readonly said: Readonly<Record<string, unknown>> }

/** Starts a file of this folder, which says something when it is ready. */
export async function startNode(file: string, args: readonly string[], core: string | null = SERVER_CORE): Promise<Child> {
  const child = fork(file, args, core)
  const [said] = (await once(child, 'message')) as [Readonly<Record<string, unknown>>]
  return { said, [Symbol.asyncDispose]: () => ended(child) }
}

/** Starts a file of this folder, which answers each message with one. */
export function startAsked<Q extends object, A>(file: string, core: string | null = null): AsyncDisposable & ((question: Q) => Promise<A>) {
  const child = fork(file, [], core)
  const ask = async (question: Q) => {
    const settled = new AbortController()
    try {
      const answer = once(child, 'message', settled)
      child.send(question)
      return ((await Promise.race([answer, once(child, 'exit', settled).then(() => Promise.reject(new Error(`${file} has ended`)))])) as [A])[0]
    } finally {
      settled.abort()
    }
  }
  return Object.assign(ask, { [Symbol.asyncDispose]: () => ended(child) })
}

/** What sends the same requests as fast as it can; a request that fails ends the bench, unless any outcome is asked for. */
export function startCannon(core: string | null = LOAD_CORE): AsyncDisposable & ((load: Load) => Promise<Fired>) & { readonly any: (load: Load) => Promise<Fired> } {
  const fire = startAsked<Load, Fired>('./load/cannon.ts', core)
  const checked = async (load: Load) => {
    const fired = await fire(load)
    if (fired.failed > 0) throw new Error(`${fired.failed} of ${fired.sent} requests to ${load.url} failed`)
    return fired
  }
  return Object.assign(checked, { any: (load: Load) => fire(load), [Symbol.asyncDispose]: () => fire[Symbol.asyncDispose]() })
}

function fork(file: string, args: readonly string[], core: string | null): ChildProcess {
  const [command = '', ...rest] = pinned(core, [process.execPath, '--disable-warning=ExperimentalWarning', fileURLToPath(new URL(file, import.meta.url)), ...args])
  return spawn(command, rest, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.connected) child.disconnect()
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
}

/** A command that keeps to one core, where that can be asked for; null: to none. */
export function pinned(core: string | null, command: readonly string[]): readonly string[] {
  return canPin && core !== null ? ['taskset', '-c', core, ...command] : command
}

function hasTaskset(): boolean {
  try {
    execFileSync('taskset', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

import { execFile, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { LOAD_CORE, pinned } from '../child.ts'
import type { Fired, Load } from './cannon.ts'

/** Whether there is wrk, a load generator in C (Debian's package of that name): it costs a small part of what the server does, so that the server is what is measured. */
export const HAS_WRK = spawnSync('wrk', ['--version']).error === undefined

/** The same GET again and again on so many connections, as fast as wrk can. @throws {Error} when a request failed. */
export async function fireWrk({ url, seconds, connections = 1 }: Pick<Load, 'url' | 'seconds' | 'connections'>): Promise<Fired> {
  const script = fileURLToPath(new URL('./wrk.lua', import.meta.url))
  const [command = '', ...args] = pinned(LOAD_CORE, ['wrk', '-t1', `-c${connections}`, `-d${seconds}s`, '-s', script, url])
  const { stdout } = await promisify(execFile)(command, args)
  const fired = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as Omit<Fired, 'why'>
  if (fired.failed > 0) throw new Error(`${fired.failed} of ${fired.sent} requests to ${url} failed`)
  return { ...fired, why: '' }
}

import { spawn, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** How a command ended, and all that it said. */
export type Ended = { readonly status: number; readonly output: string }

/** Runs a line as a shell does; late, it is ended and has failed. */
export async function shell(line: string, { env, cwd = ROOT, timeoutMs = 300_000 }: { env: NodeJS.ProcessEnv; cwd?: string; timeoutMs?: number }): Promise<Ended> {
  const child = spawn('bash', ['-c', line], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], timeout: timeoutMs })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (piece: Buffer) => (output += piece.toString()))
  const status = await new Promise<number>((resolve) => child.once('close', (code) => resolve(code ?? -1)))
  return { status, output }
}

export function isThere(program: string): boolean {
  return spawnSync('sh', ['-c', 'command -v "$0"', program]).status === 0
}

/** What a command prints, or an error with what it said. */
export function printed(program: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`\`${program} ${args.join(' ')}\` ended with ${status}: ${stderr}`)
  return stdout.trim()
}

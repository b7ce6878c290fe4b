import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePorts } from './product.ts'

const isThere = spawnSync('redis-server', ['--version']).status === 0

/** For `test(name, needsRedis, …)`: skipped by name where there is no `redis-server`; in CI it runs, and fails. */
export const needsRedis = { skip: isThere || process.env['CI'] === 'true' ? false : 'redis-server is not installed (Debian package redis-server)' }

/** A real Redis on a port of its own, with nothing kept on disk. */
export type TestRedis = {
  readonly url: string
  readonly port: number
  /** Begins it again on the same port, empty. */
  readonly start: () => Promise<void>
  /** `SIGSTOP` pauses it, `SIGCONT` lets it go on, `SIGKILL` ends it. */
  readonly signal: (signal: 'SIGSTOP' | 'SIGCONT' | 'SIGKILL') => Promise<void>
  /** What `redis-cli` would say, as text. */
  readonly command: (...words: string[]) => Promise<string>
} & AsyncDisposable

export async function startRedis(): Promise<TestRedis> {
  const [port = 0] = await freePorts(1)
  const folder = mkdtempSync(join(tmpdir(), 'acgs-redis-'))
  let server: { pid: number; end: () => Promise<void> } | null = null

  const start = async () => {
    // The shell ends the server when this process is gone, however that came about: nothing is left running.
    const shell = spawn('sh', ['-c', 'redis-server "$@" > server.log 2>&1 & echo $!; read -r _; kill -9 $! 2> /dev/null; wait', 'sh', '--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder], { cwd: folder, stdio: ['pipe', 'pipe', 'inherit'] })
    const ended = new Promise<void>((resolve) => shell.once('exit', () => resolve()))
    const pid = await new Promise<number>((resolve, reject) => {
      shell.stdout.once('data', (chunk: Buffer) => resolve(Number(chunk.toString())))
      shell.once('error', reject)
    })
    server = { pid, end: () => (shell.stdin.end(), ended) }
    for (const deadline = Date.now() + 20_000; ; await sleep(10)) {
      if (await command('PING').then((said) => said.includes('PONG'), () => false)) return
      if (Date.now() > deadline) throw new Error('redis-server was not ready within 20 s')
    }
  }
  const command = (...words: string[]) => new Promise<string>((resolve, reject) => {
    const socket = createConnection({ host: '127.0.0.1', port })
    let said = ''
    socket.on('data', (chunk) => (said += chunk.toString('latin1')))
    socket.once('error', reject)
    socket.once('close', () => resolve(said.replace(/\+OK\r\n$/, '')))
    const encoded = (args: string[]) => `*${args.length}\r\n${args.map((each) => `$${Buffer.byteLength(each)}\r\n${each}\r\n`).join('')}`
    socket.end(encoded(words) + encoded(['QUIT']))
  })
  await start()
  return {
    url: `redis://127.0.0.1:${port}/0`, port, start, command,
    signal: async (signal) => {
      if (server === null) throw new Error('it does not run')
      process.kill(server.pid, signal)
      if (signal !== 'SIGKILL') return
      await server.end()
      server = null
    },
    [Symbol.asyncDispose]: async () => {
      await server?.end()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

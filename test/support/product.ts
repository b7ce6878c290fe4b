import { spawn, type ChildProcess } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** The whole product as its user starts it: `./acgs serve all`, on free ports, with a data folder of its own. */
export type Product = {
  readonly pid: number
  readonly dataFolder: string
  readonly env: { readonly [name: string]: string }
  readonly url: { readonly platform: string; readonly auth: string; readonly synthesis: string; readonly compliance: string }
  /** Milliseconds from the spawn to the four ports answering. */
  readonly readyMs: number
  /** Everything it has printed so far. */
  readonly printed: () => string
  /** Runs `./acgs …` against the same data folder and ports. */
  readonly acgs: (...args: string[]) => Promise<{ status: number; stdout: string; stderr: string }>
  readonly token: (role: string) => Promise<string>
  readonly kill: (signal: NodeJS.Signals) => Promise<number | null>
  readonly [Symbol.asyncDispose]: () => Promise<void>
}

/** @param dataFolder One that another product has left; a new one without it, removed at the end. */
export async function startProduct({ dataFolder, env = {}, args = [], keep = false }: { dataFolder?: string; env?: { readonly [name: string]: string }; args?: readonly string[]; keep?: boolean } = {}): Promise<Product> {
  const data = dataFolder ?? mkdtempSync(join(tmpdir(), 'acgs-product-'))
  const [platform = 0, auth = 0, synthesis = 0, compliance = 0] = await freePorts(4)
  const all = {
    ACGS_SERVICE_DATA_FOLDER: data,
    ACGS_SERVICES_PLATFORM_PORT: String(platform),
    ACGS_SERVICES_AUTH_PORT: String(auth),
    ACGS_SERVICES_SYNTHESIS_PORT: String(synthesis),
    ACGS_SERVICES_COMPLIANCE_PORT: String(compliance),
    ...env,
  }
  const started = performance.now()
  const child = spawn(join(ROOT, 'acgs'), ['serve', 'all', ...args], { cwd: ROOT, env: { ...process.env, DATABASE_URL: '', ...all }, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)))
  const at = (port: number) => `http://127.0.0.1:${port}`
  const url = { platform: at(platform), auth: at(auth), synthesis: at(synthesis), compliance: at(compliance) }

  const deadline = Date.now() + 60_000
  for (const each of Object.values(url)) {
    for (;;) {
      if (child.exitCode !== null) throw new Error(`the product ended with ${child.exitCode}:\n${output}`)
      if (await answers(`${each}/readyz`)) break
      if (Date.now() > deadline) {
        child.kill('SIGKILL')
        throw new Error(`the product was not ready within 60 s:\n${output}`)
      }
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  const acgs = (...args: string[]) => runAcgs(args, all)
  return {
    pid: child.pid as number,
    dataFolder: data,
    env: all,
    url,
    readyMs: performance.now() - started,
    printed: () => output,
    acgs,
    token: async (role) => (await acgs('token', '--role', role)).stdout.trim(),
    kill: async (signal) => {
      child.kill(signal)
      return ended
    },
    [Symbol.asyncDispose]: async () => {
      if (isRunning(child)) child.kill('SIGTERM')
      await ended
      await stopDatabase(data)
      if (dataFolder === undefined && !keep) rmSync(data, { recursive: true, force: true })
    },
  }
}

/** `./acgs …` with an environment of its own. */
export async function runAcgs(args: readonly string[], env: { readonly [name: string]: string } = {}, input?: string): Promise<{ status: number; stdout: string; stderr: string }> {
  const child = spawn(join(ROOT, 'acgs'), args, { cwd: ROOT, env: { ...process.env, DATABASE_URL: '', ...env }, stdio: ['pipe', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  child.stdin.on('error', () => {}) // It may end before it has read everything.
  child.stdin.end(input)
  const status = await new Promise<number>((resolve) => child.once('close', (code) => resolve(code ?? -1)))
  return { status, stdout, stderr }
}

/** A database server that outlived a killed product. */
async function stopDatabase(dataFolder: string): Promise<void> {
  let pid: number
  try {
    pid = Number(readFileSync(join(dataFolder, 'postgres', 'postmaster.pid'), 'utf8').split('\n')[0])
  } catch {
    return
  }
  try {
    process.kill(pid, 'SIGINT')
    for (let waited = 0; waited < 10_000; waited += 50) {
      process.kill(pid, 0)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  } catch {
    // Gone.
  }
}

/** Where no system that we know of takes the ports of outgoing connections from: what is free there is not taken by somebody else's call in the meantime. */
const PORTS = { from: 10_000, to: 32_000 }

/** Different ports of the loopback address on which nobody listens. */
export async function freePorts(count: number): Promise<number[]> {
  const found = new Set<number>()
  while (found.size < count) {
    const port = randomInt(PORTS.from, PORTS.to)
    if (!found.has(port) && (await isFree(port))) found.add(port)
  }
  return [...found]
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(2_000) })).ok
  } catch {
    return false
  }
}

function isRunning(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null
}

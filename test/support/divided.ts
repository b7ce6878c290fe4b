import { spawn, type ChildProcess } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { connect, type Database } from '#adapters/postgres/connect.ts'
import { makeDivision, type Division } from '#services/division.ts'
import { freePorts, runAcgs } from './product.ts'
import type { Sabotage } from './sabotage.ts'
import { startTestServer } from './server.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

export const PROCESSES = ['auth', 'synthesis', 'compliance', 'platform'] as const
export type ProcessName = (typeof PROCESSES)[number]

/** One process as `./acgs serve NAME` starts it, with nothing in its environment but what it was given. */
export type Started = { readonly pid: number; readonly environment: Readonly<Record<string, string>>; readonly printed: () => string; readonly kill: (signal: NodeJS.Signals) => Promise<number | null> }

/** The four processes apart, over a database with a role for each that needs one. */
export type Divided = {
  readonly division: Division
  readonly url: Readonly<Record<ProcessName, string>>
  readonly running: ReadonlyMap<ProcessName, Started>
  readonly start: (name: ProcessName) => Promise<Started>
  /** Where the platforms are: the first is `url.platform`, which the others know; there is one, unless more were asked for. */
  readonly platforms: readonly string[]
  /** Starts a platform by its number, on the same database; all but the first have a data folder of their own. */
  readonly startPlatform: (n: number) => Promise<Started>
  /** The platform of a number that was started last. */
  readonly platformOf: (n: number) => Started
  /** What a second start of one process prints before it ends, with these added to its environment. */
  readonly refusal: (name: ProcessName, more: Readonly<Record<string, string>>) => Promise<string>
  readonly token: (role: string) => Promise<string>
  /** A connection with the role of one process. */
  readonly databaseOf: (name: 'platform' | 'auth') => Database
} & AsyncDisposable

/** How the processes speak TLS: the settings of each one's own certificate, and the file of those whom all of them believe. */
export type OverTls = { readonly settingsOf: (name: ProcessName) => Readonly<Record<string, string>>; readonly authorities: string }

/**
 * @param options.tls With it they speak TLS, to each other too; whoever tests must believe the authorities as well.
 * @param options.sabotage Breaks every platform at one place.
 */
export async function startDivided({ platforms = 1, env = {}, tls, sabotage }: { platforms?: number; env?: Readonly<Record<string, string>>; tls?: OverTls; sabotage?: Sabotage } = {}): Promise<Divided> {
  const server = await startTestServer()
  const folder = mkdtempSync(join(tmpdir(), 'acgs-divided-'))
  const base = new URL(server.url)
  base.pathname = '/acgs'
  base.username = ''
  base.password = ''
  const division = makeDivision(join(folder, 'division'), { database: base.href })
  await runSql(server.url, readFileSync(division.databaseSql, 'utf8'))

  const ports = await freePorts(4 + platforms - 1)
  const at = (port: number | undefined) => `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`
  const url = Object.fromEntries(PROCESSES.map((name, i) => [name, at(ports[i])])) as Record<ProcessName, string>
  const where: Readonly<Record<string, string>> = { ...(tls === undefined ? {} : { NODE_EXTRA_CA_CERTS: tls.authorities }), AUTH_SERVICE_URL: url.auth, GS_SERVICE_URL: url.synthesis, PGC_SERVICE_URL: url.compliance, PLATFORM_SERVICE_URL: url.platform }
  const environmentOf = (name: ProcessName) => Object.fromEntries([...readFileSync(division.environments[name], 'utf8').matchAll(/^(\w+)='(.*)'$/gm)].map(([, key, value]) => [key as string, value as string]))
  const running = new Map<ProcessName, Started>()
  const connections: Database[] = []

  const broken = sabotage === undefined ? {} : { NODE_OPTIONS: `--import=${new URL('sabotage.ts', import.meta.url).href}`, ACGS_TEST_SABOTAGE: JSON.stringify(sabotage) }
  const settings = (name: ProcessName) => ({ ...environmentOf(name), ...where, ...tls?.settingsOf(name), ACGS_MONITORING_PROBE_INTERVAL_MS: '200', ...(name === 'platform' ? broken : {}), ...env })
  const start = async (name: ProcessName) => {
    const started = await spawned(name, { ...settings(name), PORT: new URL(url[name]).port }, `${url[name]}/readyz`)
    running.set(name, started)
    return started
  }
  const platformUrls = [url.platform, ...ports.slice(4).map(at)]
  const others = new Map<number, Started>()
  const startPlatform = async (n: number) => {
    if (n === 0) return start('platform')
    const own = platformUrls[n] as string
    const data = join(folder, `platform-${n}`)
    cpSync(join(division.folder, 'platform', 'data', 'keys'), join(data, 'keys'), { recursive: true })
    const started = await spawned('platform', { ...settings('platform'), PORT: new URL(own).port, ACGS_SERVICE_DATA_FOLDER: data }, `${own}/readyz`)
    others.set(n, started)
    return started
  }
  const end = async () => {
    // The platforms first: they have their last checkpoints signed.
    for (const platform of others.values()) await platform.kill('SIGTERM')
    for (const name of PROCESSES.toReversed()) await running.get(name)?.kill('SIGTERM')
    for (const connection of connections) await connection[Symbol.asyncDispose]()
    await server.stop()
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    await start('auth')
    await Promise.all([start('synthesis'), start('compliance')])
    for (let n = 0; n < platforms; n++) await startPlatform(n)
  } catch (error) {
    await end()
    throw error
  }
  return {
    division, url, running, start, platforms: platformUrls, startPlatform,
    platformOf: (n) => {
      const platform = n === 0 ? running.get('platform') : others.get(n)
      if (platform === undefined) throw new Error(`there is no platform ${n}`)
      return platform
    },
    refusal: async (name, more) => {
      const { ended, printed } = run(name, { ...environmentOf(name), ...where, ...tls?.settingsOf(name), ...more })
      await ended
      return printed()
    },
    token: async (role) => {
      const { status, stdout, stderr } = await runAcgs(['token', '--role', role, '--data', division.people], where)
      if (status !== 0) throw new Error(stderr)
      return stdout.trim()
    },
    databaseOf: (name) => {
      const connection = connect(environmentOf(name)['DATABASE_URL'] as string, { name: 'test', connectionsMax: 1 })
      connections.push(connection)
      return connection
    },
    [Symbol.asyncDispose]: end,
  }
}

function run(name: ProcessName, environment: Readonly<Record<string, string>>): { child: ChildProcess; ended: Promise<number | null>; printed: () => string } {
  const { PATH = '', HOME = '' } = process.env
  const child: ChildProcess = spawn(join(ROOT, 'acgs'), ['serve', name], { cwd: ROOT, env: { PATH, HOME, ...environment }, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (output += chunk.toString()))
  return { child, printed: () => output, ended: new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code))) }
}

async function spawned(name: ProcessName, environment: Readonly<Record<string, string>>, readyUrl: string): Promise<Started> {
  const { child, ended, printed } = run(name, environment)
  const started = {
    pid: child.pid as number, environment, printed,
    kill: async (signal: NodeJS.Signals) => {
      child.kill(signal)
      return ended
    },
  }
  for (const deadline = Date.now() + 180_000; ; await new Promise((resolve) => setTimeout(resolve, 30))) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`${name} ended with ${child.exitCode ?? child.signalCode}:\n${printed()}`)
    if (await fetch(readyUrl, { signal: AbortSignal.timeout(2_000) }).then(({ ok }) => ok, () => false)) return started
    if (Date.now() > deadline) {
      await started.kill('SIGKILL')
      throw new Error(`${name} was not ready within 180 s:\n${printed()}`)
    }
  }
}

/** What `psql -f` would do, as the server's superuser: its part before and after `\connect`. */
async function runSql(serverUrl: string, sql: string): Promise<void> {
  const [, first, database, second] = /^([\s\S]*?)^\\connect "(.*)"$([\s\S]*)$/m.exec(sql) as unknown as [string, string, string, string]
  for (const [name, text] of [['postgres', first], [database, second]] as const) {
    const url = new URL(serverUrl)
    url.username = 'postgres'
    url.pathname = `/${name}`
    await using admin = connect(url.href, { name: 'test', connectionsMax: 1 })
    for (const statement of text.split(';\n').filter((each) => each.trim() !== '')) await admin.query(statement)
  }
}

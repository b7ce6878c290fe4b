import { spawn, spawnSync } from 'node:child_process'
import { existsSync, lchownSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { chooseWay } from '#adapters/postgres/unprivileged.ts'
import { freePorts } from './product.ts'
import { temporaryFolder } from './server.ts'

const binOf = (major: number) => `/usr/lib/postgresql/${major}/bin`
/** The major version that Debian 12 has. */
export const DEBIAN_MAJOR = 15
const isThere = existsSync(join(binOf(DEBIAN_MAJOR), 'postgres'))

/** For `test(name, needsPostgres, …)`: skipped by name where Debian's PostgreSQL is not installed; in CI it runs, and fails. */
export const needsPostgres = { skip: isThere || process.env['CI'] === 'true' ? false : `PostgreSQL ${DEBIAN_MAJOR} is not installed (Debian package postgresql-${DEBIAN_MAJOR})` }

/** A real server that is not the embedded one, with an owner who may make databases and nothing else. */
export type TestPostgres = {
  readonly url: string
  readonly superuserUrl: string
  readonly port: number
  readonly restart: () => Promise<void>
  readonly stop: () => Promise<void>
} & AsyncDisposable

/** @param settings e.g. `{ shared_preload_libraries: 'pg_stat_statements' }` */
export async function startPostgres(settings: { readonly [name: string]: string } = {}): Promise<TestPostgres> {
  const bin = binOf(DEBIAN_MAJOR)
  const folder = temporaryFolder()
  const cluster = join(folder, 'cluster')
  const way = chooseWay({ program: join(bin, 'postgres'), folder, owner: null })
  const give = (path: string) => way.owner === null || lchownSync(path, way.owner.uid, way.owner.gid)
  give(folder)
  const secret = join(folder, 'password')
  writeFileSync(secret, 'secret', { mode: 0o600 })
  give(secret)
  const made = spawnSync(...way.command(join(bin, 'initdb'), [`--pgdata=${cluster}`, '--username=postgres', `--pwfile=${secret}`, '--auth=scram-sha-256', '--encoding=UTF8', '--locale=C', '--no-instructions', '--no-sync']), { ...way.identity, cwd: folder, encoding: 'utf8' })
  if (made.status !== 0) throw new Error(`initdb: ${made.stderr}`)
  const [port = 0] = await freePorts(1)
  const superuserUrl = `postgresql://postgres:secret@127.0.0.1:${port}/postgres`
  const all = { port: String(port), listen_addresses: '127.0.0.1', unix_socket_directories: '', fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', max_connections: '100', log_min_messages: 'warning', ...settings }
  let running: { end: () => Promise<void> } | null = null

  const start = async () => {
    const [program, args] = way.command(join(bin, 'postgres'), ['-D', cluster, ...Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])])
    // The shell ends the server when this process is gone, however that came about.
    const shell = spawn('sh', ['-c', '"$@" > server.log 2>&1 & read -r _; kill -INT $! 2> /dev/null; wait', 'sh', program, ...args], { ...way.identity, cwd: folder, stdio: ['pipe', 'ignore', 'inherit'] })
    const ended = new Promise<void>((resolve) => shell.once('exit', () => resolve()))
    running = { end: () => (shell.stdin.end(), ended) }
    for (const deadline = Date.now() + 30_000; !(await answers(superuserUrl)); await sleep(20)) {
      if (Date.now() > deadline) throw new Error(`PostgreSQL was not ready within 30 s: ${readdirSync(folder).join(', ')}`)
    }
  }
  const stop = async () => {
    await running?.end()
    running = null
  }
  await start()
  await query(superuserUrl, `create role acgs_user login createdb password 'acgs_password'`)
  await query(superuserUrl, 'create database acgs_db owner acgs_user')
  return {
    url: `postgresql://acgs_user:acgs_password@127.0.0.1:${port}/acgs_db`, superuserUrl, port, stop,
    restart: async () => {
      await stop()
      await start()
    },
    [Symbol.asyncDispose]: async () => {
      await stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** One statement, as whoever the URL names. */
export async function query(url: string, sql: string): Promise<readonly any[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await query(url, 'select 1')).length === 1
  } catch {
    return false
  }
}

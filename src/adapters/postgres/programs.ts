import { spawn, spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Failure } from '#core/failure.ts'

/** A client program of PostgreSQL on this machine: the embedded one brings none. */
export type Program = { readonly name: ProgramName; readonly path: string; readonly major: number }
export type ProgramName = 'pg_dump' | 'pg_restore' | 'psql'

/** Where distributions keep the programs of each major version, which `PATH` may not name. */
const INSTALLED = [{ folder: '/usr/lib/postgresql', bin: 'bin' }, { folder: '/usr', bin: 'bin' }]
const SAID_MAX = 4_000

/** Every version of a program that is installed, the oldest first. */
export function findPrograms(name: ProgramName, path = process.env['PATH'] ?? ''): readonly Program[] {
  const folders = new Set([...path.split(delimiter).filter((each) => each !== ''), ...INSTALLED.flatMap(({ folder, bin }) => entriesOf(folder).filter((each) => /^(\d+|pgsql-\d+)$/.test(each)).map((each) => join(folder, each, bin)))])
  const found = [...folders].flatMap((folder): Program[] => {
    const said = spawnSync(join(folder, name), ['--version'], { encoding: 'utf8', timeout: 10_000 })
    const major = /\(PostgreSQL\) (\d+)/.exec(said.stdout ?? '')?.[1]
    return said.status === 0 && major !== undefined ? [{ name, path: join(folder, name), major: Number(major) }] : []
  })
  return found.toSorted((a, b) => a.major - b.major)
}

/**
 * The program that fits a server: the oldest that is not older than it.
 *
 * @throws {Failure} `NOT_FOUND` naming what to install, and what works without.
 */
export function programFor(name: ProgramName, serverMajor: number, otherwise: string, found = findPrograms(name)): Program {
  const fits = found.find(({ major }) => major >= serverMajor)
  if (fits !== undefined) return fits
  const newest = found.at(-1)
  const there = newest === undefined ? `\`${name}\` is not installed` : `\`${name}\` ${newest.major} is too old for a server of version ${serverMajor}`
  throw new Failure('NOT_FOUND', `${there}: install the client programs of PostgreSQL ${serverMajor} (Debian: postgresql-client-${serverMajor}), or ${otherwise}`)
}

/**
 * Runs a program against a database. The password goes by the environment, where other users of the machine do not see it.
 *
 * @param input What it reads on standard input; nothing without it.
 * @returns What it wrote on standard output.
 * @throws {Failure} `DATABASE_UNAVAILABLE` with the end of what it complained about.
 */
export async function runProgram({ name, path }: Program, args: readonly string[], url: string | null, input?: Readable): Promise<string> {
  const { target, password } = url === null ? { target: [], password: null } : withoutPassword(url)
  const child = spawn(path, [...target, ...args], {
    env: { ...process.env, LC_ALL: 'C', PGAPPNAME: `acgs-pgp-v8-${name}`, ...(password === null ? {} : { PGPASSWORD: password }) }, stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
  })
  if (child.stdout === null || child.stderr === null) throw new Error('its output is piped')
  // Whoever complains and ends reads no further: what it says of that counts.
  const fed = input === undefined || child.stdin === null ? null : pipeline(input, child.stdin).catch(() => {})
  let output = ''
  let complaint = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (complaint = (complaint + chunk.toString()).slice(-SAID_MAX)))
  const status = await new Promise<number | null>((resolve, reject) => {
    child.once('error', (cause) => reject(new Failure('NOT_FOUND', `\`${path}\` cannot be run`, { cause })))
    child.once('close', resolve)
  })
  input?.destroy()
  await fed
  if (status === 0) return output
  const last = complaint.trim().split('\n').filter((line) => line !== '').slice(-3).join('; ')
  throw new Failure('DATABASE_UNAVAILABLE', `\`${name}\` failed: ${last === '' ? `status ${status}` : last}${/No space left on device/.test(last) ? ': make room there' : ''}`)
}

/** What a program is told of where a database is, without what nobody else on the machine may see. */
export function withoutPassword(url: string): { target: string[]; password: string | null } {
  const parsed = new URL(url)
  const password = parsed.password === '' ? parsed.searchParams.get('password') : decodeURIComponent(parsed.password)
  parsed.password = ''
  parsed.searchParams.delete('password')
  return { target: ['--no-password', `--dbname=${parsed.href}`], password }
}

function entriesOf(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, rmSync, rmdirSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { connect, type Queryable } from './connect.ts'
import { holderOf } from './data-lock.ts'
import { startEmbedded } from './embedded.ts'

/** A database for a while, with nothing in it, gone at the end. */
export type Scratch = { readonly url: string } & AsyncDisposable

const PREFIX = 'acgs_scratch_'
const FOLDER = 'postgres-scratch-'
/** Nobody needs one for so long: whoever made it has died. */
const STALE_HOURS = 24
const MAKING_MS = 600_000

/**
 * A database on a server where its role may make one, else on an embedded PostgreSQL that is started in the data folder for it.
 *
 * @param url Null for an embedded one in any case.
 */
export async function openScratch({ url, dataFolder }: { url: string | null; dataFolder: string }): Promise<Scratch> {
  if (url === null) return embedded(dataFolder)
  await using admin = connect(url, { name: 'scratch', connectionsMax: 1 })
  const { rows } = await admin.query<{ may: boolean }>('select rolcreatedb or rolsuper as may from pg_roles where rolname = current_user')
  if (rows[0]?.may !== true) return embedded(dataFolder)
  await sweep(admin)
  const name = `${PREFIX}${Math.floor(Date.now() / 3_600_000)}_${randomBytes(6).toString('hex')}`
  await admin.query(`create database ${name} template template0`)
  const own = new URL(url)
  own.pathname = `/${name}`
  return {
    url: own.href,
    [Symbol.asyncDispose]: async () => {
      await using again = connect(url, { name: 'scratch', connectionsMax: 1 })
      await again.query(`drop database if exists ${name} with (force)`)
    },
  }
}

/** Removes what processes that were killed have left on a server. */
async function sweep(admin: Queryable): Promise<void> {
  const { rows } = await admin.query<{ name: string }>(`select datname as name from pg_database where datname ~ '^${PREFIX}[0-9]+_[0-9a-f]{12}$' and pg_has_role(datdba, 'usage')`)
  const hour = Math.floor(Date.now() / 3_600_000)
  for (const { name } of rows) if (hour - Number(name.slice(PREFIX.length).split('_')[0]) > STALE_HOURS) await admin.query(`drop database if exists ${name} with (force)`)
}

async function embedded(dataFolder: string): Promise<Scratch> {
  const folder = resolve(dataFolder)
  const isMade = mkdirSync(folder, { recursive: true, mode: 0o755 }) !== undefined
  await sweepFolders(folder)
  const own = join(folder, `${FOLDER}${process.pid}-${randomBytes(4).toString('hex')}`)
  mkdirSync(own, { mode: 0o755 })
  const server = await startEmbedded({ dataDir: own, portPreferred: 0, isThrowaway: true })
  return {
    url: server.url,
    [Symbol.asyncDispose]: async () => {
      await server.stop()
      rmSync(own, { recursive: true, force: true })
      if (isMade && readdirSync(folder).length === 0) rmdirSync(folder)
    },
  }
}

/** Ends the servers of processes that were killed, and removes their folders. */
async function sweepFolders(folder: string): Promise<void> {
  for (const name of readdirSync(folder).filter((each) => each.startsWith(FOLDER))) {
    const left = join(folder, name)
    // One that is being made has no holder yet.
    if (holderOf(left) !== null || statSync(left).mtimeMs > Date.now() - MAKING_MS) continue
    if (readdirSync(left).includes('postgres-password')) await startEmbedded({ dataDir: left, portPreferred: 0, isThrowaway: true }).then((server) => server.stop(), () => {})
    rmSync(left, { recursive: true, force: true })
  }
}

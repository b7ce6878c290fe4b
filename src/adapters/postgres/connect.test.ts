import assert from 'node:assert/strict'
import { test } from 'node:test'
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

import pg from 'pg'

import { Failure } from '#core/failure.ts'

/** What SQL can be sent to: a pool, or the one connection of a transaction. */
export type Queryable = {
  readonly query: <R extends pg.QueryResultRow = pg.QueryResultRow>(sql: string, values?: unknown[]) => Promise<pg.QueryResult<R>>
}

export type Database = Queryable & {
  /**
   * Runs work in one transaction: everything it did, or nothing.
   * @throws whatever `work` throws, after rolling back; {Failure} `DATABASE_UNAVAILABLE` when the server cannot be reached.
   */
  readonly transaction: <T>(work: (tx: Queryable) => Promise<T>, mode?: 'read write' | 'snapshot') => Promise<T>
  /** Connections that are open at present, idle ones included. */
  readonly connections: () => number
  readonly [Symbol.asyncDispose]: () => Promise<void>
}

export type ConnectOptions = {
  /** Of this process, e.g. `platform`; the server shows it as `acgs-pgp-v8-platform`. */
  readonly name: string
  readonly connectionsMax?: number
  readonly connectTimeoutMs?: number
  readonly statementTimeoutMs?: number
  /** Stands in front of every question and every transaction. */
  readonly guard?: <T>(work: () => Promise<T>) => Promise<T>
  /** Told when an idle connection breaks; the pool replaces it by itself. */
  readonly onLost?: (error: Error) => void
}

/** Opens a pool of connections; none is made before the first question. */
export function connect(url: string, options: ConnectOptions): Database {
  const { guard = (work) => work(), connectionsMax = 10, statementTimeoutMs = 30_000 } = options
  const pool = new pg.Pool({
    connectionString: url,
    application_name: `acgs-pgp-v8-${options.name}`,
    max: connectionsMax,
    connectionTimeoutMillis: options.connectTimeoutMs ?? 5_000,
    statement_timeout: statementTimeoutMs,
    idleTimeoutMillis: 30_000,
  })
  let ended: Promise<void> | undefined
  pool.on('error', options.onLost ?? (() => {}))
  // A connection that breaks fails its query; the event would end the process. One that breaks in the very moment in which it goes from one
  // to the next has neither of them as a listener.
  pool.on('connect', (client) => client.on('error', ignore))
  // The server ends what takes too long; one that is frozen does not, so that we give up a little later.
  const question = (text: string, values?: unknown[]) => ({ text, query_timeout: statementTimeoutMs + GRACE_MS, ...(values === undefined ? {} : { values }) })
  const rise = (error: unknown): never => riseAs(error, () => pool.totalCount >= connectionsMax && pool.idleCount === 0)

  return {
    query: (sql, values) => guard(() => pool.query(question(sql, values)).catch(rise)),
    transaction: (work, mode = 'read write') => guard(async () => {
      const client = await pool.connect().catch(rise)
      let broken: Error | undefined
      try {
        await client.query(question(mode === 'snapshot' ? 'begin isolation level repeatable read read only' : 'begin'))
        const result = await work(client as Queryable)
        await client.query('commit')
        return result
      } catch (error) {
        if (isAwayFor(error)) broken = error // Not to be used again: the next one may lead to another server.
        await client.query('rollback').catch((lost: Error) => (broken = lost))
        return rise(error)
      } finally {
        client.release(broken)
      }
    }),
    connections: () => pool.totalCount,
    [Symbol.asyncDispose]: () => (ended ??= pool.end()),
  }
}

const GRACE_MS = 5_000

/**
 * The server is away, or is not the one that may be written to (25006: a standby, after a failover), or can write nothing (53: disk or
 * memory full, 58: its files).
 * @see PostgreSQL error codes
 */
const AWAY = /^(08...|25006|57P0[1-5]|53...|58...|28P01|28000|3D000|E(CONNREFUSED|CONNRESET|PIPE|TIMEDOUT|HOSTUNREACH|NETUNREACH|NOTFOUND|AI_AGAIN))$/
/** The server is there and could not do it in time or beside the others: given up, deadlock, no lock. */
const BUSY = /^(57014|40001|40P01|55P03)$/
/** What the driver says without a code. */
const LOST = /^(Connection terminated|Query read timeout|Client has encountered a connection error|Client was closed|timeout expired|The server does not support SSL|There was an error establishing an SSL)/
const NO_CONNECTION = 'timeout exceeded when trying to connect'

/**
 * A database that is away or busy is a Failure; any other error of it is ours, and rises as it is. What driver and server say of
 * themselves stays in the cause: callers are not told of hosts, roles and codes.
 */
function riseAs(error: unknown, isExhausted: () => boolean): never {
  if (error instanceof Failure) throw error
  const { code = '', message = '' } = error as { code?: string; message?: string }
  if (BUSY.test(code)) throw new Failure('DATABASE_UNAVAILABLE', 'the database is busy: it was given up', { cause: error, details: { reason: 'busy' } })
  const isAway = AWAY.test(code) || LOST.test(message) || message.startsWith(NO_CONNECTION)
  if (!isAway) throw error
  if (message.startsWith(NO_CONNECTION) && isExhausted()) throw new Failure('DATABASE_UNAVAILABLE', 'every connection to the database is in use', { cause: error, details: { reason: 'pool_exhausted' } })
  throw new Failure('DATABASE_UNAVAILABLE', code === '25006' ? 'the database may only be read at present' : 'the database does not answer', { cause: error })
}

function isAwayFor(error: unknown): error is Error {
  return error instanceof Error && AWAY.test((error as { code?: string }).code ?? '')
}

function ignore(): void {}

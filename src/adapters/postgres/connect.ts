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
  /** Told when an idle connection breaks; the pool replaces it by itself. */
  readonly onLost?: (error: Error) => void
}

/** Opens a pool of connections; none is made before the first question. */
export function connect(url: string, options: ConnectOptions): Database {
  const pool = new pg.Pool({
    connectionString: url,
    application_name: `acgs-pgp-v8-${options.name}`,
    max: options.connectionsMax ?? 10,
    connectionTimeoutMillis: options.connectTimeoutMs ?? 5_000,
    statement_timeout: options.statementTimeoutMs ?? 30_000,
    idleTimeoutMillis: 30_000,
  })
  let ended: Promise<void> | undefined
  pool.on('error', options.onLost ?? (() => {}))

  return {
    query: (sql, values) => pool.query(sql, values).catch(rise),
    transaction: async (work, mode = 'read write') => {
      const client = await pool.connect().catch(rise)
      client.on('error', ignore) // A connection that breaks while checked out fails its query; the event would end the process.
      let broken: Error | undefined
      try {
        await client.query(mode === 'snapshot' ? 'begin isolation level repeatable read read only' : 'begin')
        const result = await work(client as Queryable)
        await client.query('commit')
        return result
      } catch (error) {
        await client.query('rollback').catch((lost: Error) => (broken = lost))
        return rise(error)
      } finally {
        client.off('error', ignore)
        client.release(broken)
      }
    },
    connections: () => pool.totalCount,
    [Symbol.asyncDispose]: () => (ended ??= pool.end()),
  }
}

/** @see PostgreSQL error codes: class 08 connection, 57P0x the server is going down or coming up, 53300 too many connections. */
const UNAVAILABLE = /^(08...|57P0[123]|53300|28P01|28000|3D000|E(CONNREFUSED|CONNRESET|PIPE|TIMEDOUT|HOSTUNREACH|NOTFOUND))$/

/** A database that is away is a Failure; any other error of it is ours, and rises as it is. */
function rise(error: unknown): never {
  const { code, message } = error as { code?: string; message?: string }
  const isAway = UNAVAILABLE.test(code ?? '') || /^(Connection terminated|timeout exceeded when trying to connect)/.test(message ?? '')
  if (!isAway || error instanceof Failure) throw error
  throw new Failure('DATABASE_UNAVAILABLE', `the database does not answer: ${message === '' || message === undefined ? code : message}`, { cause: error })
}

function ignore(): void {}

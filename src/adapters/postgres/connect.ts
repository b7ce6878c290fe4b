import pg from 'pg'

import { Failure } from '#core/failure.ts'
import { unavailable } from './unavailable.ts'

/** What SQL can be sent to: a pool, or the one connection of a transaction. */
export type Queryable = {
  readonly query: <R extends pg.QueryResultRow = pg.QueryResultRow>(sql: string, values?: unknown[]) => Promise<pg.QueryResult<R>>
}

/** The one connection of a transaction. Statements are sent at once and carried out in their order, whether or not replies are waited for. */
export type Transaction = Queryable & {
  /**
   * The last statement, with the commit sent right behind it: what it locks is held for no reply of ours. Where it fails, everything is rolled back.
   * Nothing can be asked after it.
   */
  readonly last: Queryable['query']
}

export type Database = Queryable & {
  /**
   * Runs work in one transaction: everything it did, or nothing.
   * @throws whatever `work` throws, after rolling back; {Failure} `DATABASE_UNAVAILABLE` when the server cannot be reached.
   */
  readonly transaction: <T>(work: (tx: Transaction) => Promise<T>, mode?: 'read write' | 'snapshot') => Promise<T>
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
    Client: ClosingClient,
    connectionString: url,
    application_name: `acgs-pgp-v8-${options.name}`,
    max: connectionsMax,
    connectionTimeoutMillis: options.connectTimeoutMs ?? 5_000,
    statement_timeout: statementTimeoutMs,
    idleTimeoutMillis: 30_000,
    pipeline: true,
  })
  let ended: Promise<void> | undefined
  pool.on('error', options.onLost ?? (() => {}))
  // A connection that breaks fails its query; the event would end the process. One that breaks in the very moment in which it goes from one
  // to the next has neither of them as a listener.
  // Where tables are looked for is not for the URL, the role or the server to say: ours stand in `public` and `auth`.
  pool.on('connect', (client) => client.on('error', ignore).query('set search_path to public').catch(ignore))
  // The server ends what takes too long; one that is frozen does not, so that we give up a little later.
  const question = (text: string, values?: unknown[]) => ({ text, query_timeout: statementTimeoutMs + GRACE_MS, ...(values === undefined ? {} : { values }) })
  const rise = (error: unknown): never => riseAs(error, () => pool.totalCount >= connectionsMax && pool.idleCount === 0)

  return {
    query: (sql, values) => guard(() => pool.query(question(sql, values)).catch(rise)),
    transaction: (work, mode = 'read write') => guard(async () => {
      const client = await pool.connect().catch(rise)
      let broken: Error | undefined
      let commit: Promise<pg.QueryResult> | null = null
      const send: Queryable['query'] = (sql, values) => {
        if (commit !== null) throw new Error('a statement came after the last one of its transaction')
        return client.query(question(sql, values))
      }
      try {
        // Waited for: what follows a `begin` that failed would be kept whatever comes after it.
        await client.query(question(mode === 'snapshot' ? 'begin isolation level repeatable read read only' : 'begin'))
        const result = await work({
          query: send,
          last: (sql, values) => {
            const reply = send<never>(sql, values)
            commit = client.query(question('commit'))
            commit.catch(ignore) // Whoever waits for the reply hears of it first.
            return reply
          },
        })
        const { command } = await (commit ?? client.query(question('commit')))
        if (command !== 'COMMIT') throw new Error('the transaction was rolled back: one of its statements had failed')
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

/** Closes its connection when it cannot log in: the server keeps one that says nothing for a minute, and a process could not end as long. */
class ClosingClient extends pg.Client {
  override connect(): Promise<pg.Client>
  override connect(callback: (error: Error) => void): void
  override connect(callback?: (error: Error) => void): Promise<pg.Client> | void {
    const closed = (error: Error | null | undefined) => {
      if (error) this.connection.stream.destroy()
    }
    if (callback === undefined) return super.connect().catch((error: Error) => (closed(error), Promise.reject(error))) as Promise<pg.Client>
    super.connect((error: Error) => (closed(error), callback(error)))
  }
}

const NO_CONNECTION = 'timeout exceeded when trying to connect'

/**
 * A database that cannot be used is a Failure; any other error of it is ours, and rises as it is. What driver and server say of themselves stays
 * in the cause: callers are not told of hosts, roles and codes.
 */
function riseAs(error: unknown, isExhausted: () => boolean): never {
  if (error instanceof Failure) throw error
  const isLate = (error as { message?: string }).message?.startsWith(NO_CONNECTION) === true
  if (isLate && isExhausted()) throw new Failure('DATABASE_UNAVAILABLE', 'every connection to the database is in use', { cause: error, details: { reason: 'pool_exhausted' } })
  throw unavailable(error) ?? error
}

/** Whether the connection leads nowhere, or to a server that cannot be written to. */
function isAwayFor(error: unknown): error is Error {
  const failure = error instanceof Error ? unavailable(error) : null
  return failure !== null && failure.details['reason'] !== 'busy'
}

function ignore(): void {}

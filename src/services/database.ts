import type { Config } from '#config'
import { connect, type Database } from '#adapters/postgres/connect.ts'
import { toldWithRemedy } from '#adapters/postgres/unavailable.ts'
import { Failure } from '#core/failure.ts'
import type { Component, ProbeResult } from '#http/health.ts'
import type { Telemetry } from '#telemetry/events.ts'
import { databaseGuard } from './breakers.ts'

/** A process' own pool of connections, with a breaker in front, and what its health says of it. */
export type Pool = { readonly database: Database; readonly component: Component }

/** Opens the pool of one process; it is closed with whatever else is ended. */
export function openPool({ url, name, config, telemetry, ending }: { url: string; name: string; config: Config; telemetry: Telemetry; ending: (() => Promise<unknown>)[] }): Pool {
  const guard = databaseGuard(config, telemetry)
  let isFull = false
  /** Why it could not be used the last time that somebody tried: while it is left alone, that is still the reason. */
  let why: string | null = null
  const noted = (error: unknown): never => {
    if (error instanceof Failure && error.code === 'DATABASE_UNAVAILABLE' && error.cause !== undefined) why = toldWithRemedy(error)
    if (error instanceof Failure && error.details['reason'] === 'disk_full') isFull = true
    throw error
  }
  const { connectionsMax, connectTimeoutMs } = config.database
  const database = connect(url, { name, connectionsMax, connectTimeoutMs, guard: (work) => guard(work).catch(noted) })
  ending.push(async () => database[Symbol.asyncDispose]())
  const look = async (): Promise<ProbeResult> => {
    // Asked first of all, since a standby answers every question and takes nothing.
    const { rows } = await database.query<{ only_reads: boolean }>("select pg_is_in_recovery() or current_setting('default_transaction_read_only')::boolean as only_reads")
    if (rows[0]?.only_reads === true) return { status: 'unhealthy', detail: 'it only reads: DATABASE_URL must name the server that writes' }
    if (isFull && !(await takesMore(database, name === 'auth' ? 'auth' : 'public'))) return { status: 'unhealthy', detail: 'its disk is full: make room there' }
    isFull = false
    return { status: 'healthy' }
  }
  const probe = async (): Promise<ProbeResult> => {
    try {
      return await look()
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      return { status: 'unhealthy', detail: why ?? error.message }
    }
  }
  return { database, component: { name: 'database', isCritical: true, probe } }
}

/** Whether a table that is not kept finds room. Asked only after something else has found none. */
async function takesMore(database: Database, schema: 'auth' | 'public'): Promise<boolean> {
  const enough = new Error('not to be kept')
  try {
    await database.transaction(async (tx) => {
      await tx.query(`create table ${schema}.acgs_finds_room as select repeat('x', 1000) as filler from generate_series(1, 1000)`)
      throw enough
    })
  } catch (error) {
    if (error === enough) return true
    if (error instanceof Failure) return false
    throw error
  }
  return true
}

import type { Config } from '#config'
import { connect } from '#adapters/postgres/connect.ts'
import { atStart } from '#adapters/postgres/unavailable.ts'
import { startFramed, type Apart } from '#services/apart.ts'
import { databaseGuard } from '#services/breakers.ts'
import { startAuth } from './start.ts'

/** Auth in a process of its own: the token-signing key and its own database schema, with a role that may touch nothing else. */
export function startAuthApart(config: Config, signal: AbortSignal): Promise<Apart> {
  return startFramed('auth', config, signal, async ({ version, inForce, telemetry, limits, ending }) => {
    const { url, connectionsMax, connectTimeoutMs } = config.database
    const database = connect(url as string, { name: 'auth', connectionsMax, connectTimeoutMs, guard: databaseGuard(config, telemetry) })
    ending.push(async () => database[Symbol.asyncDispose]())
    telemetry.metrics.watchConnections('database', database.connections)
    const { server } = await atStart(url as string, () => startAuth({ config, version, constitution: inForce.shown, database, telemetry, limits }))
    return { server, holds: ['the token-signing key', 'its own schema of the database'], calls: [], selfTest: null }
  })
}

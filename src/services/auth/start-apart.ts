import type { Config } from '#config'
import { atStart } from '#adapters/postgres/unavailable.ts'
import { startFramed, type Apart } from '#services/apart.ts'
import { clockComponent, databaseClock } from '#services/clock.ts'
import { openPool } from '#services/database.ts'
import { startAuth } from './start.ts'

/** Auth in a process of its own: the token-signing key and its own database schema, with a role that may touch nothing else. */
export function startAuthApart(config: Config, signal: AbortSignal): Promise<Apart> {
  return startFramed('auth', config, signal, async ({ version, inForce, telemetry, limits, edge, ending }) => {
    const url = config.database.url as string
    const { database, component } = openPool({ url, name: 'auth', config, telemetry, ending })
    telemetry.metrics.watchConnections('database', database.connections)
    const { server } = await atStart(url, () => startAuth({ config, version, constitution: inForce.shown, database, components: [component, clockComponent(config, [databaseClock(database)])], telemetry, limits, edge }))
    return { server, holds: ['the token-signing key', 'its own schema of the database'], calls: [], selfTest: null }
  })
}

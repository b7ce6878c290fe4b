import type { Server as HttpServer } from 'node:http'
import type { Socket } from 'node:net'
import { requestOverloaded, type Telemetry } from '#telemetry/events.ts'

/** What goes on is said once a minute, not for each connection. */
const SAID_MS = 60_000

/**
 * Counts the connections of a server, and drops those that are too many: who opens connections and sends nothing must not take the files that
 * other ports of the process, the database and the disk need.
 *
 * @param max At once; null: as many as the operating system allows.
 * @returns How many there are.
 */
export function watchConnections(server: HttpServer, max: number | null, telemetry: Telemetry): () => number {
  let count = 0
  let saidAt = -Infinity
  server.on('connection', (socket: Socket) => {
    count++
    socket.once('close', () => { count-- })
  })
  if (max !== null) server.maxConnections = max
  server.on('drop', () => {
    requestOverloaded(telemetry, { because: 'connections' })
    if (performance.now() - saidAt < SAID_MS) return
    saidAt = performance.now()
    telemetry.log.warn({ connections: max }, 'connections are dropped: more than security.connections_max allows are open')
  })
  return () => count
}

import { once } from 'node:events'
import type { Server as HttpServer } from 'node:http'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { Server as TlsServer } from 'node:tls'
import { requestOverloaded, type Telemetry } from '#telemetry/events.ts'

/** What goes on is said once a minute, not for each connection. */
const SAID_MS = 60_000

/**
 * How a server listens. So many connections may wait at a socket to be accepted, where the operating system allows it (`net.core.somaxconn`); with
 * Node's own 511 the handshakes of more than that are dropped, and tried again seconds later. And others may listen at the same address (SO_REUSEPORT,
 * which of the systems that this runs on only Linux has), so that whoever listens has to ask first whether somebody does.
 */
export const LISTENS = { backlog: 4_096, reusePort: process.platform === 'linux' } as const

/**
 * So many sockets listen beside the first. Of each, one connection is accepted in a turn of the event loop (libuv 1.52, under Node 26), and a turn that
 * answers a thousand connections takes a tenth of a second: by one socket alone the last of a crowd waits for longer than clients do.
 */
const SOCKETS_BESIDE = LISTENS.reusePort ? 31 : 0

/** How the connections of a server come in. */
export type Connections = {
  /** How many there are. */
  readonly open: () => number
  /** Listens with more sockets at the address at which the server listens; the operating system shares new connections out among them. */
  readonly listenBeside: () => Promise<void>
  /** Those sockets take no more. @returns When the connections that came by them have ended. */
  readonly stopBeside: () => Promise<void>
}

/**
 * How the connections of a server come in: counts them, and drops those that are too many: who opens connections and sends nothing must not take the files that
 * other ports of the process, the database and the disk need.
 *
 * @param max At once; null: as many as the operating system allows.
 */
export function acceptConnections(server: HttpServer, max: number | null, telemetry: Telemetry): Connections {
  const beside: { readonly listener: Server; open: number }[] = []
  let open = 0
  let saidAt = -Infinity
  // A listener drops by how many came by itself: each may have those, and what is free of all.
  const limit = () => {
    if (max === null) return
    const free = Math.max(0, max - open)
    let others = 0
    for (const one of beside) {
      one.listener.maxConnections = one.open + free
      others += one.open
    }
    server.maxConnections = open - others + free
  }
  const dropped = () => {
    requestOverloaded(telemetry, { because: 'connections' })
    if (performance.now() - saidAt < SAID_MS) return
    saidAt = performance.now()
    telemetry.log.warn({ connections: max }, 'connections are dropped: more than security.connections_max allows are open')
  }
  server.on('connection', (socket: Socket) => {
    open++
    limit()
    socket.once('close', () => {
      open--
      limit()
    })
  })
  server.on('drop', dropped)
  limit()

  const listen = async (where: AddressInfo) => {
    // As the servers of node:http and node:https listen themselves.
    const listener = createServer({ noDelay: true, allowHalfOpen: !(server instanceof TlsServer) })
    const one = { listener, open: 0 }
    listener.on('connection', (socket: Socket) => {
      one.open++
      socket.once('close', () => { one.open-- })
      server.emit('connection', socket)
    })
    listener.on('drop', dropped)
    beside.push(one)
    limit()
    listener.listen({ host: where.address, port: where.port, ...LISTENS })
    await once(listener, 'listening')
  }
  return {
    open: () => open,
    listenBeside: async () => {
      const where = server.address()
      if (where === null || typeof where === 'string') return
      for (let i = 0; i < SOCKETS_BESIDE; i++) await listen(where)
    },
    stopBeside: async () => {
      await Promise.all(beside.map(({ listener }) => new Promise((resolve) => listener.close(resolve))))
    },
  }
}

import { readFileSync } from 'node:fs'
import type { Config } from '#config'
import { readTls, type TlsFiles } from '#adapters/keys/tls.ts'
import { networksIn } from '#http/client-address.ts'
import type { Component, ProbeResult } from '#http/health.ts'
import type { Edge, ServerTls } from '#http/server.ts'
import type { Live } from './live.ts'

/** How requests come in to a process, and what its health says of that. */
export type OwnEdge = Edge & {
  readonly components: readonly Component[]
  /** Reads certificate and key again. @returns Whether they are others now. @throws {Failure} when they do not do; those from before stay. */
  readonly renew: () => boolean
}

const DAY_MS = 86_400_000
/** What has less left is to be renewed: a tenth of its life, and never more than this. */
const SOON_MS = 14 * DAY_MS

/** @throws {Failure} `FILE_UNREADABLE`, `KEY_INVALID` when what is configured cannot be served with. */
export function openEdge({ service, security }: Pick<Config, 'service' | 'security'>, now: () => Date = () => new Date()): OwnEdge {
  const proxies = { trusted: networksIn(security.trustedProxies ?? '') ?? [], header: security.forwardedHeader }
  const connectionsMax = security.connectionsMax ?? connectionsFor(openFiles())
  const { tlsCertificateFile: certificate, tlsKeyFile: key } = service
  if (certificate === null || key === null) return { tls: null, proxies, connectionsMax, components: [], renew: () => false }
  let current = readTls({ certificate, key }, now())
  const told: Parameters<ServerTls['onRenewed']>[0][] = []
  return {
    proxies,
    connectionsMax,
    tls: { current: () => current, onRenewed: (take) => void told.push(take) },
    components: [{ name: 'tls_certificate', isCritical: true, probe: () => standing(current, now()) }],
    renew: () => {
      const next = readTls({ certificate, key }, now())
      if (next.cert === current.cert && next.key === current.key) return false
      current = next
      for (const take of told) take({ cert: next.cert, key: next.key })
      return true
    },
  }
}

/** Four ports may be one process; the sockets that listen (32 for each), the database, peers and files need some too. */
const PORTS = 4
const FILES_ASIDE = 324
const CONNECTIONS_MIN = 50
const CONNECTIONS_MAX = 10_000

/** @param files How many may be open at once; null: not known. */
export function connectionsFor(files: number | null): number {
  if (files === null) return CONNECTIONS_MAX
  return Math.min(CONNECTIONS_MAX, Math.max(CONNECTIONS_MIN, Math.floor((files - FILES_ASIDE) / PORTS)))
}

/** How many files this process may have open; null where the system does not say. */
function openFiles(): number | null {
  try {
    const soft = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]
    return soft === undefined ? null : Number(soft)
  } catch {
    return null
  }
}

function standing({ from, until }: TlsFiles, at: Date): ProbeResult {
  const left = until.getTime() - at.getTime()
  if (left <= 0) return { status: 'unhealthy', detail: `it expired at ${until.toISOString()}: replace the file, and send SIGHUP` }
  const soon = Math.min(SOON_MS, (until.getTime() - from.getTime()) / 10)
  return left < soon ? { status: 'degraded', detail: `it expires at ${until.toISOString()}: replace the file, and send SIGHUP` } : { status: 'healthy' }
}

/** What SIGHUP takes over: the certificate and what of the configuration may change. A certificate that does not do changes nothing. */
export function takenBy(edge: OwnEdge, live: Live): Live['take'] {
  return (next) => {
    const isRenewed = edge.renew()
    const { changed, waiting } = live.take(next)
    return { changed: isRenewed ? ['the TLS certificate', ...changed] : changed, waiting }
  }
}

import { once } from 'node:events'
import { readFileSync, readdirSync, readlinkSync } from 'node:fs'
import { createServer } from 'node:net'
import { Failure } from '#core/failure.ts'

/** Where a service is to listen; `setting` is what chooses another port. */
export type Place = { readonly service: string; readonly host: string; readonly port: number; readonly setting: string | undefined }

/** Passes when nobody listens there, without listening. @throws {Failure} `PORT_IN_USE`, naming who does. */
export async function refuseTaken(place: Place): Promise<void> {
  const probe = createServer()
  try {
    probe.listen({ host: place.host, port: place.port, exclusive: true })
    await once(probe, 'listening')
  } catch (error) {
    throw explained(error, place)
  } finally {
    await new Promise((resolve) => probe.close(resolve))
  }
}

/** Why one cannot listen there, in our words; any other error as it is. */
export function explained(error: unknown, { service, port, setting }: Place): unknown {
  if (!(error instanceof Error) || !('code' in error)) return error
  if (error.code !== 'EADDRINUSE' && error.code !== 'EACCES') return error
  const holder = holderOf(port)
  const who = error.code === 'EACCES' ? 'may not be used by this user' : `is in use${holder === null ? '' : ` by process ${holder.pid} (${holder.command})`}`
  return new Failure('PORT_IN_USE', `port ${port} of ${service} ${who}: stop that process${setting === undefined ? '' : `, or choose another port with ${setting}`}`, { cause: error })
}

/**
 * Which process listens on a TCP port of this machine; null when that cannot be seen (another user's process, another system than Linux).
 */
function holderOf(port: number): { pid: number; command: string } | null {
  try {
    const inode = listeningInode(port)
    if (inode === null) return null
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      if (holds(pid, inode)) return { pid: Number(pid), command: readFileSync(`/proc/${pid}/comm`, 'utf8').trim() }
    }
    return null
  } catch {
    return null // Only a courtesy: the port is in use, whoever holds it.
  }
}

function listeningInode(port: number): string | null {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    let rows: string[]
    try {
      rows = readFileSync(table, 'utf8').split('\n').slice(1)
    } catch {
      continue
    }
    for (const row of rows) {
      const [, local, , state, , , , , , inode] = row.trim().split(/\s+/)
      if (local?.endsWith(suffix) === true && state === '0A' && inode !== undefined) return inode
    }
  }
  return null
}

function holds(pid: string, inode: string): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`) === `socket:[${inode}]`
      } catch {
        return false
      }
    })
  } catch {
    return false
  }
}

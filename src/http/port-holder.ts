import { readFileSync, readdirSync, readlinkSync } from 'node:fs'

/**
 * Which process listens on a TCP port of this machine; null when that cannot be seen (another user's process, another system than Linux).
 */
export function holderOf(port: number): { pid: number; command: string } | null {
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

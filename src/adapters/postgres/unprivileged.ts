import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** How to run a program that refuses to run as root. */
export type Way = {
  readonly name: 'as-is' | 'other-user' | 'user-namespace' | 'capability'
  readonly command: (program: string, args: readonly string[]) => [string, string[]]
  readonly identity: { readonly uid?: number; readonly gid?: number }
  /** To whom the files must belong; null when that is already so. */
  readonly owner: { readonly uid: number; readonly gid: number } | null
}

/**
 * PostgreSQL refuses uid 0. Anyone else runs it as they are; root tries, in this order:
 * 1. another user (`postgres`, else `nobody`; first of all the owner of a folder that exists): needs every folder above to be passable;
 * 2. a user namespace in which root has another number: needs nothing of the folders, but containers may forbid it;
 * 3. another user who keeps the one capability to pass folders, for a clone below root's home in a container.
 * The first that can run the program and write into the folder is taken.
 */
export function chooseWay(where: { program: string; folder: string; owner: number | null }): Way {
  if (process.getuid?.() !== 0) return AS_IS
  const user = where.owner !== null && where.owner !== 0 ? { uid: where.owner, gid: where.owner } : unprivilegedUser()
  const ways = [otherUser(user), USER_NAMESPACE, capability(user)]
  return ways.find((way) => works(way, where)) ?? otherUser(user) // whose refusal then says what is wrong
}

function works(way: Way, { program, folder }: { program: string; folder: string }): boolean {
  const runs = spawnSync(...way.command(program, ['--version']), { ...way.identity, cwd: '/', stdio: 'ignore' })
  const reaches = spawnSync(...way.command('/bin/sh', ['-c', 'cd -- "$0"', folder]), { ...way.identity, cwd: '/', stdio: 'ignore' })
  return runs.status === 0 && reaches.status === 0
}

const AS_IS: Way = { name: 'as-is', command: (program, args) => [program, [...args]], identity: {}, owner: null }

function otherUser(user: { uid: number; gid: number }): Way {
  return { ...AS_IS, name: 'other-user', identity: user, owner: user }
}

const USER_NAMESPACE: Way = {
  name: 'user-namespace',
  command: (program, args) => ['unshare', ['--user', '--map-user=1000', '--map-group=1000', '--', program, ...args]],
  identity: {},
  owner: { uid: 0, gid: 0 },
}

function capability(user: { uid: number; gid: number }): Way {
  const become = [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups', '--inh-caps=-all,+dac_override', '--ambient-caps=-all,+dac_override']
  return { name: 'capability', command: (program, args) => ['setpriv', [...become, '--', program, ...args]], identity: {}, owner: user }
}

/** @see passwd(5): name, password, uid, gid, … */
function unprivilegedUser(): { uid: number; gid: number } {
  let lines: string[] = []
  try {
    lines = readFileSync('/etc/passwd', 'utf8').split('\n')
  } catch {
    // macOS keeps its users elsewhere; the numbers of `nobody` below are good enough there.
  }
  for (const name of ['postgres', 'nobody']) {
    const fields = lines.find((line) => line.startsWith(`${name}:`))?.split(':')
    if (fields !== undefined) return { uid: Number(fields[2]), gid: Number(fields[3]) }
  }
  return { uid: 65534, gid: 65534 }
}

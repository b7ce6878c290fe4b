import { accessSync, constants, linkSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { Failure } from '#core/failure.ts'
import { whyUnwritable } from '#adapters/file-failure.ts'
import { lookUp } from './process.ts'

export type DataLock = { readonly release: () => void }

/**
 * Makes this process the only one that works on a data folder.
 *
 * A process that died, even by `kill -9`, holds nothing. The file `lock.N` names its holder by pid and start time, and the
 * highest N counts. Taking over means creating `lock.N+1`, which only one process can, and then finding it still the highest:
 * so two that see the same dead holder never both win, which deleting and re-creating one file could not promise.
 *
 * Processes in different containers do not see each other: one data folder belongs to one container.
 *
 * @throws {Failure} `ALREADY_RUNNING`, naming the process that holds the folder; `FILE_UNREADABLE` when it cannot be written.
 */
export function lockDataFolder(folder: string): DataLock {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o755 })
    accessSync(folder, constants.W_OK)
  } catch (cause) {
    throw new Failure('FILE_UNREADABLE', `the data folder \`${folder}\` cannot be written: ${whyUnwritable(cause) ?? 'choose another with `--data DIR`'}`, { cause })
  }
  const taken = held(folder)
  if (taken.holder !== null) throw inUse(folder, taken.holder)

  const started = lookUp(process.pid)?.started ?? ''
  const number = taken.number + 1
  const mine = join(folder, `lock.${number}`)
  const draft = `${mine}.${process.pid}.draft`
  try {
    writeFileSync(draft, `${process.pid} ${started}\n`, { mode: 0o644 })
    linkSync(draft, mine)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    throw inUse(folder, held(folder).holder)
  } finally {
    rmSync(draft, { force: true })
  }
  const now = held(folder)
  if (now.number !== number) {
    rmSync(mine, { force: true }) // We were slow: others have come and gone since we looked.
    throw inUse(folder, now.holder)
  }
  for (const older of numbers(folder)) if (older < number) rmSync(join(folder, `lock.${older}`), { force: true })

  let isHeld = true
  return {
    release: () => {
      if (!isHeld) return
      isHeld = false
      try {
        writeFileSync(draft, 'released\n')
        renameSync(draft, mine)
      } catch {
        rmSync(draft, { force: true }) // A full disk: what ends holds nothing, whatever the file says.
      }
    },
  }
}

/** Passes when no live process works on a data folder, without touching it. @throws {Failure} `ALREADY_RUNNING`, naming the process. */
export function refuseInUse(folder: string): void {
  const { holder } = held(folder)
  if (holder !== null) throw inUse(folder, holder)
}

/** The pid of the live process that works on a data folder; null when there is none. */
export function holderOf(folder: string): number | null {
  return held(folder).holder
}

function held(folder: string): { number: number; holder: number | null } {
  const number = Math.max(0, ...numbers(folder))
  if (number === 0) return { number, holder: null }
  let text: string
  try {
    text = readFileSync(join(folder, `lock.${number}`), 'utf8').trim()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return held(folder) // taken over between listing and reading: look again
    throw error
  }
  const [pid = '', ...started] = text.split(' ')
  const alive = lookUp(Number(pid))
  return { number, holder: alive !== null && alive.started === started.join(' ') ? Number(pid) : null }
}

function numbers(folder: string): number[] {
  let names: string[]
  try {
    names = readdirSync(folder)
  } catch {
    return []
  }
  return names.filter((name) => /^lock\.\d+$/.test(name)).map((name) => Number(name.slice('lock.'.length)))
}

function inUse(folder: string, holder: number | null): Failure {
  const who = holder === null ? 'another process that is starting' : `process ${holder}`
  return new Failure('ALREADY_RUNNING', `the data folder \`${folder}\` is in use by ${who}; stop it, or choose another folder with \`--data DIR\``)
}

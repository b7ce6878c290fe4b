import { execFileSync } from 'node:child_process'
import { chmodSync, closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Why no disk of a size of one's own can be mounted here; null when it can. */
export function whyNoDisk(): string | null {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'mounting a disk needs root on Linux'
  try {
    smallDisk('64k')[Symbol.dispose]()
    return null
  } catch {
    return 'this machine does not let root mount a disk'
  }
}

/** A disk in memory, of so many bytes (`4m`), gone when the scope ends. */
export function smallDisk(size: string, how: 'rw' | 'ro' = 'rw'): { readonly folder: string } & Disposable {
  const folder = mkdtempSync(join(tmpdir(), 'acgs-disk-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=755,${how}`, 'tmpfs', folder], { stdio: 'pipe' })
  } catch (error) {
    rmSync(folder, { recursive: true })
    throw error
  }
  if (how === 'rw') chmodSync(folder, 0o755)
  return {
    folder,
    [Symbol.dispose]: () => {
      execFileSync('umount', [folder])
      rmSync(folder, { recursive: true })
    },
  }
}

/** Fills a disk to its last byte; what fills it goes when the scope ends. */
export function filled(folder: string): Disposable {
  const file = join(folder, 'filler')
  const opened = openSync(file, 'w')
  try {
    for (const size of [65_536, 512]) {
      try {
        for (const bytes = Buffer.alloc(size, 'x'); writeSync(opened, bytes) === size; );
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
      }
    }
  } finally {
    closeSync(opened)
  }
  return { [Symbol.dispose]: () => rmSync(file, { force: true }) }
}

import { accessSync, constants, existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { Failure } from '#core/failure.ts'

/**
 * Why a file or folder could not be written, and what to do about it; null when the error says something else.
 *
 * @param otherwise What else would help where this place cannot be written.
 */
export function whyUnwritable(error: unknown, otherwise = 'choose another data folder with --data DIR'): string | null {
  const { code, syscall, path } = error as { code?: unknown; syscall?: unknown; path?: unknown }
  // What makes folders with those above them says ENOENT of a disk that is read-only.
  if (code === 'ENOENT' && syscall === 'mkdir' && typeof path === 'string') return whyClosed(path, otherwise)
  // It says EEXIST of a file that stands where the last of the folders should.
  if (code === 'EEXIST' && syscall === 'mkdir') return whyUnwritable({ code: 'ENOTDIR' }, otherwise)
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT': return 'the disk is full: make room there'
    case 'EROFS': return `the disk is read-only: mount it so that it can be written, or ${otherwise}`
    case 'EACCES':
    case 'EPERM': return `this user may not: give it to the user who runs this, or ${otherwise}`
    case 'ENOTDIR': return `there is a file where a folder is needed: move it, or ${otherwise}`
    case 'EIO': return 'the disk fails: replace it, and restore a backup'
    default: return null
  }
}

/**
 * What an error of the file system stands for; null for any other error.
 *
 * @param folder Where it must have been, since a full disk is not told with the name of the file.
 */
export function fileFailure(error: unknown, folder: string): Failure | null {
  const { syscall, path } = error as { syscall?: unknown; path?: unknown }
  const why = typeof syscall === 'string' ? whyUnwritable(error) : null
  return why === null ? null : new Failure('FILE_UNREADABLE', `cannot use \`${typeof path === 'string' ? path : folder}\`: ${why}`, { cause: error })
}

/** Why a file could not be read, in words; the code of the system for what has none. */
export function whyUnreadable(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  switch (code) {
    case 'ENOENT': return 'there is no such file'
    case 'EISDIR': return 'it is a folder'
    case 'EACCES':
    case 'EPERM': return 'this user may not: give it to the user who runs this'
    default: return code ?? message
  }
}

/** Why nothing can be made in the nearest folder above that is there. */
function whyClosed(path: string, otherwise: string): string | null {
  let folder = path
  while (!existsSync(folder) && folder !== dirname(folder)) folder = dirname(folder)
  try {
    accessSync(folder, constants.W_OK)
    return null
  } catch (error) {
    return whyUnwritable(error, otherwise)
  }
}

import { gunzipSync } from 'node:zlib'
import { Failure } from '#core/failure.ts'

const BLOCK = 512

/**
 * The regular files of a tar archive, gzipped or not, by their path. Long names as GNU's and POSIX's tar write them are read; links and
 * devices are not files.
 *
 * @param sizeMax In bytes, of what the archive unpacks to.
 * @throws {Failure} `FILE_UNREADABLE` when it is no such archive, is cut off, or unpacks to more.
 * @see POSIX.1-2024, pax, “ustar Interchange Format”
 */
export function filesOfTar(bytes: Buffer, sizeMax = 2 ** 30): ReadonlyMap<string, Buffer> {
  const tar = bytes[0] === 0x1f && bytes[1] === 0x8b ? unzipped(bytes, sizeMax) : bytes
  const files = new Map<string, Buffer>()
  let longName: string | null = null
  for (let at = 0; at < tar.length; ) {
    const header = tar.subarray(at, at + BLOCK)
    if (header.length === BLOCK && header.every((byte) => byte === 0)) break
    if (header.length < BLOCK || !hasItsChecksum(header)) throw new Failure('FILE_UNREADABLE', `the archive is damaged at byte ${at}`)
    const size = Number.parseInt(text(header, 124, 12).trim() || '0', 8)
    const content = tar.subarray(at + BLOCK, at + BLOCK + size)
    if (!Number.isSafeInteger(size) || content.length < size) throw new Failure('FILE_UNREADABLE', `the archive is cut off at byte ${tar.length}`)
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK
    const kind = text(header, 156, 1)
    if (kind === 'L') longName = text(content, 0, size)
    else if (kind === 'x') longName = paxPath(content) ?? longName
    else {
      const prefix = text(header, 257, 5) === 'ustar' && header[262] === 0 ? text(header, 345, 155) : ''
      const name = longName ?? `${prefix === '' ? '' : `${prefix}/`}${text(header, 0, 100)}`
      if (kind === '' || kind === '0') files.set(name.replace(/^\.\//, ''), content)
      longName = null
    }
  }
  return files
}

function unzipped(bytes: Buffer, sizeMax: number): Buffer {
  try {
    return gunzipSync(bytes, { maxOutputLength: sizeMax })
  } catch (cause) {
    throw new Failure('FILE_UNREADABLE', `the archive cannot be unzipped: ${(cause as Error).message}`, { cause })
  }
}

/** A text that ends at a zero byte or with its field. */
function text(bytes: Buffer, from: number, length: number): string {
  const field = bytes.subarray(from, from + length)
  const end = field.indexOf(0)
  return field.subarray(0, end < 0 ? field.length : end).toString('utf8')
}

/** The sum of the header's bytes, its own field counted as blanks. */
function hasItsChecksum(header: Buffer): boolean {
  const sum = header.reduce((total, byte, i) => total + (i >= 148 && i < 156 ? 0x20 : byte), 0)
  return Number.parseInt(text(header, 148, 8).trim(), 8) === sum
}

/** Records are `LENGTH KEY=VALUE\n`, the length that of the whole record. */
function paxPath(content: Buffer): string | null {
  for (let at = 0; at < content.length; ) {
    const space = content.indexOf(0x20, at)
    const length = Number(content.subarray(at, space).toString('latin1'))
    if (space < 0 || !Number.isSafeInteger(length) || length <= 0) return null
    const record = content.subarray(space + 1, at + length - 1).toString('utf8')
    if (record.startsWith('path=')) return record.slice('path='.length)
    at += length
  }
  return null
}

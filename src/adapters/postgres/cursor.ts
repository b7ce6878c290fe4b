import assert from 'node:assert/strict'
import { z } from 'zod'
import { Failure } from '#core/failure.ts'

/** The same instant and id that the order uses, so that a page begins after the last row even when rows share an instant. */
// PostgreSQL knows no year 0.
const Cursor = z.tuple([z.iso.datetime().refine((at) => !at.startsWith('0000')), z.string().min(1).max(200)])

export function writeCursor(at: Date, id: string): string {
  return Buffer.from(JSON.stringify([at.toISOString(), id])).toString('base64url')
}

/** @throws {Failure} `REQUEST_MALFORMED` when no page gave it. */
export function readCursor(cursor: string): { at: string; id: string } {
  try {
    const [at, id] = Cursor.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString()))
    assert(!id.includes('\0'))
    return { at, id }
  } catch (cause) {
    throw new Failure('REQUEST_MALFORMED', 'the cursor is not one that a page of this list gave; leave it out to begin at the newest', { cause })
  }
}

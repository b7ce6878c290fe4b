import type { NoteStore } from '#adapters/checkpoint-file.ts'
import { Failure } from '#core/failure.ts'
import { openCheckpoint, signCheckpoint, type SignedCheckpoint } from '#core/ledger/checkpoint.ts'
import { verifyConsistency } from '#core/ledger/merkle.ts'
import type { NoteKey, NoteSigner } from '#core/ledger/note.ts'

/** A tree that wants a checkpoint; hashes in hex. */
export type CheckpointRequest = {
  readonly size: number
  readonly root: string
  /** The size of the checkpoint that was signed last, as far as whoever asks knows; 0 for none. */
  readonly previous: number
  /** What shows that the tree of `previous` entries is the beginning of this one. */
  readonly consistency: readonly string[]
}

/**
 * Signs what continues the checkpoint that was signed last.
 *
 * @throws {Failure} `CONFLICT` with `reason` and the last `checkpoint` in its details: `previous` when the request was made for another one
 *   than the last (ask again for that), `smaller` or `inconsistent` when the tree does not continue it: it was cut off, rewritten, or put back.
 */
export type SignCheckpoint = (request: CheckpointRequest) => Promise<SignedCheckpoint>

/**
 * The one who signs checkpoints does not see the database, and remembers by itself what it signed: a platform that was broken into cannot
 * have two histories signed.
 *
 * Whoever has never signed anything signs the first tree that it is shown.
 *
 * @param last Where it remembers the last checkpoint, written before the new one is given away.
 */
export function checkpointSigner({ signer, keys, origin, last }: { signer: NoteSigner; keys: () => readonly NoteKey[]; origin: string; last: NoteStore }): SignCheckpoint {
  // Without an await between reading and writing, so that of two requests at once one comes second.
  return async ({ size, root, previous, consistency }) => {
    const before = lastOf(last, keys(), origin)
    if (before !== null) {
      if (size < before.size) throw refused('smaller', `${before.size} entries were signed for, and this tree has only ${size}`, before)
      if (size === before.size) {
        if (root === before.root) return before
        throw refused('inconsistent', `another tree of ${size} entries was signed for`, before)
      }
      if (previous !== before.size) throw refused('previous', `the last checkpoint that was signed is for ${before.size} entries, not ${previous}`, before)
      const claim = { before: { size: before.size, root: bytes(before.root) }, after: { size, root: bytes(root) }, proof: consistency.map(bytes) }
      if (!verifyConsistency(claim)) throw refused('inconsistent', `this tree does not begin with the ${before.size} entries that were signed for`, before)
    }
    const checkpoint = signCheckpoint({ origin, size, root }, signer)
    last.write(checkpoint.note)
    return checkpoint
  }
}

function lastOf(last: NoteStore, keys: readonly NoteKey[], origin: string): SignedCheckpoint | null {
  const note = last.read()
  if (note === null) return null
  try {
    return openCheckpoint(note, keys, origin)
  } catch (cause) {
    if (!(cause instanceof Failure)) throw cause
    throw new Failure('LEDGER_CORRUPT', `nothing is signed, since what was signed last cannot be known: ${cause.message} (${last.name}); restore that file, or see docs/concepts/ledger.md`, { cause })
  }
}

function refused(reason: 'previous' | 'smaller' | 'inconsistent', message: string, { note }: SignedCheckpoint): Failure {
  return new Failure('CONFLICT', `no checkpoint is signed: ${message}`, { details: { reason, checkpoint: note } })
}

function bytes(hash: string): Uint8Array {
  return Buffer.from(hash, 'hex')
}

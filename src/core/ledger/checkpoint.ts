import { Failure } from '#core/failure.ts'
import { openNote, signNote, type NoteKey, type NoteSigner } from './note.ts'

/**
 * How far a ledger has come, said by whoever signs: the tree over its first `size` entries has this root.
 *
 * @see C2SP tlog-checkpoint, https://c2sp.org/tlog-checkpoint; without extension lines
 */
export type Checkpoint = {
  /** Names the ledger, and the key that signs for it. */
  readonly origin: string
  readonly size: number
  /** 64 hex digits. */
  readonly root: string
}

/** A checkpoint with the note that shows it. */
export type SignedCheckpoint = Checkpoint & { readonly note: string }

export function signCheckpoint({ origin, size, root }: Checkpoint, signer: NoteSigner): SignedCheckpoint {
  return { origin, size, root, note: signNote(`${origin}\n${size}\n${Buffer.from(root, 'hex').toString('base64')}\n`, origin, signer) }
}

/**
 * Reads a checkpoint that one of these keys signed.
 *
 * @param origin Of which ledger it must be; null for any.
 * @throws {Failure} `LEDGER_CORRUPT` with the reason.
 */
export function openCheckpoint(note: string, keys: readonly NoteKey[], origin: string | null): SignedCheckpoint {
  const named = note.slice(0, note.indexOf('\n'))
  const { text } = openNote(note, named, keys)
  if (origin !== null && named !== origin) throw new Failure('LEDGER_CORRUPT', `the checkpoint is of the ledger \`${named}\`, not of \`${origin}\``)
  const [, size = '', encoded = ''] = TEXT.exec(text) ?? []
  const root = Buffer.from(encoded, 'base64')
  if (!Number.isSafeInteger(Number(size)) || size === '' || root.length !== 32 || root.toString('base64') !== encoded) {
    throw new Failure('LEDGER_CORRUPT', 'the checkpoint does not count: it does not say a size and a root')
  }
  return { origin: named, size: Number(size), root: root.toString('hex'), note }
}

const TEXT = /^[^\n]+\n(0|[1-9]\d{0,15})\n([A-Za-z0-9+/]{43}=)\n$/

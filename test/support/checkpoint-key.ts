import { generateKeyPairSync, sign } from 'node:crypto'
import type { NoteStore } from '#adapters/checkpoint-file.ts'
import type { NoteSigner } from '#core/ledger/note.ts'

/** A key that signs checkpoints. */
export function checkpointKey(): NoteSigner {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  return { publicKey: Buffer.from((publicKey.export({ format: 'jwk' }) as { x: string }).x, 'base64url'), sign: (bytes) => sign(null, bytes, privateKey) }
}

/** A place for a note in memory, which survives what the database does not. */
export function noteStore(): NoteStore & { note: string | null } {
  const store = {
    name: 'memory',
    note: null as string | null,
    read: () => store.note,
    write: (note: string) => { store.note = note },
  }
  return store
}

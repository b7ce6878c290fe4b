import { createHash, createPublicKey, verify, type KeyObject } from 'node:crypto'
import { Failure } from '#core/failure.ts'

/**
 * Text that is signed by one or more keys, itself a text that people can read and mail.
 *
 * @see C2SP signed-note, https://c2sp.org/signed-note; only Ed25519 (type 0x01)
 */
export type OpenNote = {
  /** The final newline included. */
  readonly text: string
  /** Names of the keys whose signatures were verified. */
  readonly signers: readonly string[]
}

/** The 32 bytes of an Ed25519 public key. */
export type NoteKey = Uint8Array

/** What signs: the key's id is made of its public half and of the name it signs under. */
export type NoteSigner = { readonly publicKey: NoteKey; readonly sign: (bytes: Uint8Array) => Uint8Array }

/**
 * Signs a text under a name.
 *
 * The same key signs certificates; neither passes for the other, since what is signed there begins with `DSSEv1 ` and the first line of
 * a checkpoint is its origin, which has no space.
 */
export function signNote(text: string, name: string, { publicKey, sign }: NoteSigner): string {
  if (!isKeyName(name)) throw new TypeError(`not a key name: ${name}`)
  if (!text.endsWith('\n') || !isNoteText(text)) throw new TypeError('not the text of a note')
  const signature = Buffer.concat([keyHash(name, publicKey), sign(Buffer.from(text))]).toString('base64')
  return `${text}\n${DASH}${name} ${signature}\n`
}

/**
 * The text of a note, when a trusted key signed it under that name. Signatures of others, e.g. of witnesses, are passed over.
 *
 * @param name Null for whatever name the keys signed under.
 * @throws {Failure} `LEDGER_CORRUPT` when it is no note, no trusted key signed it, or a trusted one did not sign this.
 */
export function openNote(note: string, name: string | null, keys: readonly NoteKey[]): OpenNote {
  const end = note.lastIndexOf('\n\n')
  if (note.length > NOTE_CHARS_MAX || end === -1 || !note.endsWith('\n') || !isNoteText(note)) throw refused('it is not a signed note')
  const text = note.slice(0, end + 1)
  const lines = note.slice(end + 2, -1).split('\n')
  if (lines.length > SIGNATURES_MAX) throw refused('it has too many signatures')
  const signers: string[] = []
  for (const line of lines) {
    const [, by = '', encoded = ''] = SIGNATURE_LINE.exec(line) ?? []
    const bytes = Buffer.from(encoded, 'base64')
    if (!isKeyName(by) || bytes.length < 5 || bytes.toString('base64') !== encoded) throw refused('a line in it is not a signature')
    if (name !== null && by !== name) continue
    const key = keys.find((each) => keyHash(by, each).equals(bytes.subarray(0, 4)))
    if (key === undefined) continue
    if (!verify(null, Buffer.from(text), keyOf(key), bytes.subarray(4))) throw refused(`the signature of \`${by}\` is not good`)
    signers.push(by)
  }
  if (signers.length === 0) throw refused(name === null ? 'no trusted key signed it' : `no trusted key signed it as \`${name}\``)
  return { text, signers }
}

/** What others configure to check notes: name, key id and public key in one word. */
export function verifierKey(name: string, publicKey: NoteKey): string {
  return `${name}+${keyHash(name, publicKey).toString('hex')}+${Buffer.concat([ED25519, publicKey]).toString('base64')}`
}

/** Whether a key can sign under this name. */
export function isKeyName(name: string): boolean {
  return name !== '' && name.length <= 200 && name.isWellFormed() && !/[\p{White_Space}+\p{Cc}]/u.test(name)
}

const DASH = '\u2014 '
const ED25519 = Uint8Array.of(1)
const NOTE_CHARS_MAX = 200_000
const SIGNATURES_MAX = 100
const SIGNATURE_LINE = /^\u2014 (\S+) ([A-Za-z0-9+/]+={0,2})$/

function keyHash(name: string, publicKey: NoteKey): Buffer {
  return createHash('sha256').update(`${name}\n`).update(ED25519).update(publicKey).digest().subarray(0, 4)
}

function keyOf(publicKey: NoteKey): KeyObject {
  return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(publicKey).toString('base64url') }, format: 'jwk' })
}

function isNoteText(text: string): boolean {
  return text.isWellFormed() && !/[\x00-\x09\x0b-\x1f]/.test(text)
}

function refused(because: string): Failure {
  return new Failure('LEDGER_CORRUPT', `the checkpoint does not count: ${because}`)
}

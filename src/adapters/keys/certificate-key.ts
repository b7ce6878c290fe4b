import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify, type KeyObject } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { Failure } from '#core/failure.ts'

/** The key that signs certificates. Only compliance holds one. */
export type CertificateKey = { readonly keyid: string; readonly sign: (bytes: Uint8Array) => Uint8Array }

/** The same with the 32 bytes of its public half: it signs checkpoints too. */
export type PublishedKey = CertificateKey & { readonly publicKey: Uint8Array }

/** Ed25519 public keys that certificates may be signed by; past ones stay, so that old certificates keep verifying. */
const KeySet = z.object({ keys: z.array(z.object({ kty: z.literal('OKP'), crv: z.literal('Ed25519'), x: z.string(), kid: z.string() })).min(1) })
export type KeySet = z.infer<typeof KeySet>

const PRIVATE = 'certificate.pem'
const PUBLIC = 'certificate.jwks.json'

/** The signing key that is configured, else the data folder's own. @throws {Failure} `KEY_INVALID`, `FILE_UNREADABLE` */
export function certificateKeyFor({ service, security }: { readonly service: { readonly dataFolder: string }; readonly security: { readonly certificateKeyFile: string | null } }): PublishedKey {
  const folder = keysIn(service.dataFolder)
  return security.certificateKeyFile === null ? certificateKeyIn(folder) : certificateKeyOf(security.certificateKeyFile, folder)
}

/** Where a data folder keeps its keys. */
export function keysIn(dataFolder: string): string {
  return join(dataFolder, 'keys')
}

/**
 * The signing key kept in a folder; made there at the first call (files 0600, folder 0700). Its public half is added to the folder's key set.
 *
 * @throws {Failure} `KEY_INVALID` when a file is there and is not an Ed25519 key.
 */
export function certificateKeyIn(folder: string): PublishedKey {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const file = join(folder, PRIVATE)
  if (!existsSync(file)) {
    const { privateKey } = generateKeyPairSync('ed25519')
    writeWhole(file, privateKey.export({ type: 'pkcs8', format: 'pem' }) as string)
  }
  return certificateKeyOf(file, folder)
}

/** The signing key in a file; its public half is added to the key set of a folder. @throws {Failure} `KEY_INVALID`, `FILE_UNREADABLE` */
export function certificateKeyOf(file: string, folder: string): PublishedKey {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const key = readPrivate(file)
  const own = publicJwk(createPublicKey(key))
  const published = existsSync(join(folder, PUBLIC)) ? readKeySet(join(folder, PUBLIC)).keys : []
  if (!published.some(({ kid }) => kid === own.kid)) writeWhole(join(folder, PUBLIC), `${JSON.stringify({ keys: [...published, own] }, null, 2)}\n`)
  return { keyid: own.kid, sign: (bytes) => sign(null, bytes, key), publicKey: Buffer.from(own.x, 'base64url') }
}

/** The file of the key set that `certificateKeyIn` keeps. */
export function keySetFile(folder: string): string {
  return join(folder, PUBLIC)
}

/**
 * Whose signatures count: answers whether a key of this set signed, and null for a key that is not in it.
 *
 * @throws {Failure} `KEY_INVALID` when the file is no such set, or a key's id is not the digest of the key.
 */
export function trustIn(file: string): (keyid: string, bytes: Uint8Array, signature: Uint8Array) => boolean | null {
  const keys = new Map(readKeySet(file).keys.map((jwk) => [jwk.kid, createPublicKey({ key: jwk, format: 'jwk' })]))
  return (keyid, bytes, signature) => {
    const key = keys.get(keyid)
    return key === undefined ? null : verify(null, bytes, key, signature)
  }
}

/** The public keys of a set, 32 bytes each, past ones included: whose checkpoints count. @throws {Failure} `KEY_INVALID`, `FILE_UNREADABLE` */
export function publicKeysIn(file: string): readonly Uint8Array[] {
  return readKeySet(file).keys.map(({ x }) => Buffer.from(x, 'base64url'))
}

/** The key set in a file, as it is published. @throws {Failure} `KEY_INVALID`, `FILE_UNREADABLE` */
export function publishedKeySet(file: string): KeySet {
  return readKeySet(file)
}

function readKeySet(file: string): KeySet {
  const read = KeySet.safeParse(json(text(file), file))
  if (!read.success) throw new Failure('KEY_INVALID', `\`${file}\` is not a set of Ed25519 public keys: {"keys":[{"kty":"OKP","crv":"Ed25519","x":…,"kid":…}]}`)
  for (const jwk of read.data.keys) {
    const { kid } = publicJwk(createPublicKey({ key: jwk, format: 'jwk' }))
    if (kid !== jwk.kid) throw new Failure('KEY_INVALID', `\`${file}\`: the key that calls itself \`${jwk.kid}\` is \`${kid}\``)
  }
  return read.data
}

function readPrivate(file: string): KeyObject {
  try {
    const key = createPrivateKey(text(file))
    if (key.asymmetricKeyType === 'ed25519') return key
  } catch (cause) {
    throw new Failure('KEY_INVALID', `\`${file}\` is not a private key in PEM form; restore it from a backup, or remove it to have a new one made (old certificates keep verifying)`, { cause })
  }
  throw new Failure('KEY_INVALID', `\`${file}\` is not an Ed25519 key`)
}

/** The key's id is the SHA-256 of its DER form, so that an id can name one key only. */
function publicJwk(key: KeyObject): KeySet['keys'][number] {
  const { x } = key.export({ format: 'jwk' }) as { x: string }
  const kid = createHash('sha256').update(key.export({ type: 'spki', format: 'der' })).digest('hex')
  return { kty: 'OKP', crv: 'Ed25519', x, kid }
}

function text(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new Failure('FILE_UNREADABLE', `cannot read \`${file}\``, { cause })
  }
}

function json(content: string, file: string): unknown {
  try {
    return JSON.parse(content)
  } catch (cause) {
    throw new Failure('KEY_INVALID', `\`${file}\` is not JSON`, { cause })
  }
}

/** A file that is there whole or not at all, whenever the process dies. */
function writeWhole(file: string, content: string): void {
  writeFileSync(`${file}.new`, content, { mode: 0o600 })
  renameSync(`${file}.new`, file)
}

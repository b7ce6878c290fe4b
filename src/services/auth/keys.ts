import { createHash, createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { isOpen } from '#adapters/keys/key-file.ts'
import { Failure } from '#core/failure.ts'
import { ROLES } from '#http/contract.ts'
import type { Role } from '#http/contract.ts'
import { parseJson } from '#core/json.ts'
import { parseInput } from '#core/parse.ts'

const Point = z.string().regex(/^[A-Za-z0-9_-]{43}$/)
const PublicJwk = z.object({ kty: z.literal('EC'), crv: z.literal('P-256'), x: Point, y: Point })
const PrivateJwk = PublicJwk.extend({ d: Point })

/** A P-256 key that signs with ES256; `kid` is its RFC 7638 thumbprint, so that an id can name one key only. */
export type PublicKey = z.infer<typeof PublicJwk> & { readonly kid: string; readonly alg: 'ES256'; readonly use: 'sig' }
export type PrivateKey = PublicKey & { readonly d: string }

/** Whom tokens may be meant for: everybody's services, or our own processes when they ask each other. */
export const AUDIENCES = ['users', 'peers'] as const
export type AudienceName = (typeof AUDIENCES)[number]

/** Who may ask for tokens by itself: a program with a key, never with a password. */
export type ServiceAccount = { readonly clientId: string; readonly roles: readonly Role[]; readonly audiences: readonly AudienceName[]; readonly keys: readonly PublicKey[] }

/** What Auth signs with, and everything whose signatures count. */
export type SigningKeys = { readonly current: PrivateKey; readonly published: readonly PublicKey[] }

const Accounts = z.array(z.strictObject({
  client_id: z.string().regex(/^[A-Za-z0-9._-]{1,100}$/),
  roles: z.array(z.enum(ROLES)).min(1),
  audiences: z.array(z.enum(AUDIENCES)).min(1).default(['users']),
  jwks: z.strictObject({ keys: z.array(z.looseObject({})).min(1) }),
})).min(1)

const SIGNING = 'token-signing.jwk.json'
export const clientFile = (role: Role) => `client-acgs-${role}.jwk.json`

/** Where the embedded default keeps keys, below its data folder. */
export function keysFolder(dataFolder: string): string {
  return join(dataFolder, 'keys')
}

/** The name of the account that plays a role in the embedded default. */
export function embeddedClientId(role: Role): string {
  return `acgs-${role}`
}

/**
 * The keys and accounts of the embedded default, kept in a folder (0700, files 0600) and made there when they are missing.
 *
 * @throws {Failure} KEY_INVALID when a file is there and is not such a key, or others may read it.
 */
export function embeddedKeys(folder: string): { signing: SigningKeys; accounts: readonly ServiceAccount[] } {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const current = keyIn(join(folder, SIGNING))
  const accounts = ROLES.map((role) => ({ clientId: embeddedClientId(role), roles: [role], audiences: ['users'] as const, keys: [publicHalf(keyIn(join(folder, clientFile(role))))] }))
  return { signing: { current, published: [publicHalf(current)] }, accounts }
}

/** A private key in a file that nobody else may read. @throws {Failure} FILE_UNREADABLE, KEY_INVALID */
export function readOwnKey(file: string): PrivateKey {
  return ownKey(file)
}

/** The key with which the embedded default's account of a role asks for tokens. @throws {Failure} FILE_UNREADABLE, KEY_INVALID */
export function clientKey(folder: string, role: Role): PrivateKey {
  return ownKey(join(folder, clientFile(role)))
}

/**
 * The signing keys of a file: one private JWK, or a set whose first key signs while the others are only published (to rotate: put
 * the new key first, and drop the old one once its last token has expired).
 *
 * @throws {Failure} FILE_UNREADABLE, KEY_INVALID
 */
export function readSigningKeys(file: string): SigningKeys {
  const content = jsonIn(file)
  const given = z.object({ keys: z.array(z.unknown()).min(1) }).safeParse(content)
  const [first, ...others] = given.success ? given.data.keys : [content]
  const current = privateKey(first, file)
  return { current, published: [publicHalf(current), ...others.map((jwk) => publicKey(jwk, file))] }
}

/** The service accounts of a file: `[{"client_id", "roles", "audiences"?, "jwks": {"keys": […]}}]`. @throws {Failure} FILE_UNREADABLE, KEY_INVALID */
export function readServiceAccounts(file: string): readonly ServiceAccount[] {
  let accounts: z.infer<typeof Accounts>
  try {
    accounts = parseInput(Accounts, jsonIn(file), file)
  } catch (cause) {
    if (cause instanceof Failure && cause.code === 'REQUEST_MALFORMED') throw new Failure('KEY_INVALID', cause.message, { cause, problems: cause.problems })
    throw cause
  }
  const names = accounts.map((account) => account.client_id)
  const twice = names.find((name, at) => names.indexOf(name) !== at)
  if (twice !== undefined) throw new Failure('KEY_INVALID', `\`${file}\`: the account \`${twice}\` is there twice`)
  return accounts.map(({ client_id: clientId, roles, audiences, jwks }) => ({ clientId, roles, audiences, keys: jwks.keys.map((jwk) => publicKey(jwk, file)) }))
}

/** The same key without its secret. */
export function publicHalf({ d: _, ...key }: PrivateKey): PublicKey {
  return key
}

/** The private key in a file, made there (0600) when it is missing. @throws {Failure} KEY_INVALID */
export function keyIn(file: string): PrivateKey {
  if (statSync(file, { throwIfNoEntry: false }) === undefined) {
    const { privateKey: made } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    writeFileSync(`${file}.new`, `${JSON.stringify(made.export({ format: 'jwk' }), null, 2)}\n`, { mode: 0o600 })
    renameSync(`${file}.new`, file) // There whole or not at all, whenever the process dies.
  }
  return ownKey(file)
}

function ownKey(file: string): PrivateKey {
  const content = jsonIn(file)
  if (isOpen(statSync(file), process.getuid?.() ?? 0)) throw new Failure('KEY_INVALID', `others may read \`${file}\`: run chmod 600 on it, or remove it to have a new key made`)
  return privateKey(content, file)
}

function privateKey(jwk: unknown, file: string): PrivateKey {
  const read = PrivateJwk.safeParse(jwk)
  if (!read.success) throw new Failure('KEY_INVALID', `\`${file}\` is not a private P-256 key: {"kty":"EC","crv":"P-256","x":…,"y":…,"d":…}`)
  try {
    createPrivateKey({ key: read.data, format: 'jwk' })
  } catch (cause) {
    throw new Failure('KEY_INVALID', `\`${file}\`: the parts of the key do not belong together`, { cause })
  }
  return { ...named(read.data), d: read.data.d }
}

function publicKey(jwk: unknown, file: string): PublicKey {
  const read = PublicJwk.safeParse(jwk)
  if (!read.success) throw new Failure('KEY_INVALID', `\`${file}\` has a key that is not a P-256 key: {"kty":"EC","crv":"P-256","x":…,"y":…}`)
  return named(read.data)
}

/** @see RFC 7638, section 3 */
function named({ crv, kty, x, y }: z.infer<typeof PublicJwk>): PublicKey {
  const kid = createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url')
  return { kty, crv, x, y, kid, alg: 'ES256', use: 'sig' }
}

function jsonIn(file: string): unknown {
  let bytes: Buffer
  try {
    bytes = readFileSync(file)
  } catch (cause) {
    throw new Failure('FILE_UNREADABLE', `cannot read the key file \`${file}\`: ${(cause as NodeJS.ErrnoException).code}`, { cause })
  }
  try {
    return parseJson(bytes, file)
  } catch (cause) {
    throw new Failure('KEY_INVALID', `\`${file}\` is not JSON`, { cause })
  }
}

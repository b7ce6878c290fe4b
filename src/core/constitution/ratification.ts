import { createPublicKey, sign, verify, type KeyObject } from 'node:crypto'
import { parse } from 'yaml'
import { z } from 'zod'
import { canonical, sha256 } from '#core/canonical.ts'
import { Failure } from '#core/failure.ts'
import type { Constitution } from './constitution.ts'
import { INHERITED_BYTES, INHERITED_ID, INHERITED_RATIFIER } from './inherited.ts'

const Base64 = z.string().regex(/^[A-Za-z0-9+/]+={0,2}$/, 'must be base64')

const Record = z.strictObject({
  /** The 16-digit id under which the document is in force. */
  id: z.string().regex(/^[0-9a-f]{16}$/, 'must be 16 lower-case hex digits'),
  /** SHA-256 of the document's canonical bytes. */
  digest: z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 lower-case hex digits'),
  version: z.string().regex(/^\d+\.\d+\.\d+$/, 'must be three numbers'),
  ratified_by: z.string().trim().min(1),
  ratified_at: z.iso.date(),
  /** Ed25519, the 32 bytes of the key. */
  public_key: Base64,
  /** Over the canonical bytes of everything else in the record. */
  signature: Base64,
})

/** Ties the id, the full digest and the version of one constitution together, signed. */
export type Ratification = z.infer<typeof Record>

/** Reads a ratification record. @throws {Failure} `CONSTITUTION_INVALID` naming every problem. */
export function parseRatification(yamlText: string): Ratification {
  const parsed = Record.safeParse(safely(() => parse(yamlText, { strict: true, uniqueKeys: true })))
  if (parsed.success) return parsed.data
  const problems = parsed.error.issues.map((issue) => ({
    place: issue.path.join('.') || 'record',
    message: issue.code === 'unrecognized_keys' ? `unknown keys ${issue.keys.map((key) => `\`${key}\``).join(', ')}` : issue.message,
  }))
  throw new Failure('CONSTITUTION_INVALID', `the ratification record cannot be used: ${problems.map(({ place, message }) => `${place}: ${message}`).join('; ')}`, { problems })
}

/**
 * The 16-digit id of a constitution in force: the inherited one for the document that its record ties to it, else the first 16
 * digits of the digest. It is only an id; the full digest says what is enforced.
 *
 * @throws {Failure} `CONSTITUTION_MISMATCH` when the record does not fit the document, as {@link checkRatification} says.
 */
export function constitutionalHash(constitution: Constitution, ratification: Ratification | null): string {
  if (ratification === null) return constitution.digest.slice(0, 16)
  checkRatification(constitution, ratification, ratification.id)
  return ratification.id
}

/**
 * Passes when the record is about exactly this document, is signed by its key, claims an id that it may claim, and that id is
 * the one the service was told to enforce.
 *
 * The signature shows that nobody changed the record since it was signed; whom to believe is settled by the id: any key may
 * ratify a document under its own digest, only the key in `inherited.ts` under the inherited id.
 *
 * @param expected `CONSTITUTIONAL_HASH`.
 * @throws {Failure} `CONSTITUTION_MISMATCH` naming both values and the remedy.
 */
export function checkRatification(constitution: Constitution, ratification: Ratification, expected: string): void {
  const { id, digest, version, public_key, signature } = ratification
  const again = 'restore the document that was ratified, or ratify this one with `acgs constitution ratify`'
  if (digest !== constitution.digest) mismatch(`the record ratifies digest \`${digest}\` and the document has \`${constitution.digest}\``, again)
  if (version !== constitution.version) mismatch(`the record ratifies version \`${version}\` and the document is \`${constitution.version}\``, again)
  if (id === INHERITED_ID) {
    if (public_key !== INHERITED_RATIFIER) mismatch(`the record claims the inherited id with the key \`${public_key}\`, and only \`${INHERITED_RATIFIER}\` may`, again)
  } else if (id !== digest.slice(0, 16)) {
    mismatch(`the record claims the id \`${id}\` and the document's is \`${digest.slice(0, 16)}\``, again)
  }
  if (!isSigned(ratification)) mismatch(`the record's signature \`${signature}\` is not its key's \`${public_key}\``, again)
  if (id !== expected) mismatch(`CONSTITUTIONAL_HASH is \`${expected}\` and the ratified document is \`${id}\``, `set CONSTITUTIONAL_HASH to \`${id}\` if this document is meant`)
}

/** Ratifies a document under its own digest. @param privateKey Ed25519. @param at The day, e.g. `2026-01-31`. */
export function ratify(constitution: Constitution, by: { readonly name: string; readonly at: string; readonly privateKey: KeyObject }): Ratification {
  return signed(constitution, constitution.digest.slice(0, 16), by)
}

/** Ratifies a document under the inherited id: believed only with the key in `inherited.ts`. */
export function ratifyAsInherited(constitution: Constitution, by: { readonly name: string; readonly at: string; readonly privateKey: KeyObject }): Ratification {
  return signed(constitution, INHERITED_ID, by)
}

/**
 * Whether a text is the ratified ACGS-1 source text: its bytes digest to the inherited id.
 *
 * @returns Both digests' beginnings; the id is 64 of 256 bits, which says "this is the text you were given", not that no other
 *   text could be made to have it.
 */
export function importCheck(sourceText: string | Uint8Array): { readonly isInherited: boolean; readonly digest: string; readonly bytes: number; readonly expected: { readonly id: string; readonly bytes: number } } {
  const bytes = typeof sourceText === 'string' ? Buffer.from(sourceText) : sourceText
  const digest = sha256(bytes)
  return { isInherited: digest.startsWith(INHERITED_ID) && bytes.length === INHERITED_BYTES, digest, bytes: bytes.length, expected: { id: INHERITED_ID, bytes: INHERITED_BYTES } }
}

function signed(constitution: Constitution, id: string, { name, at, privateKey }: { readonly name: string; readonly at: string; readonly privateKey: KeyObject }): Ratification {
  const { x } = createPublicKey(privateKey).export({ format: 'jwk' })
  const statement = {
    id,
    digest: constitution.digest,
    version: constitution.version,
    ratified_by: name,
    ratified_at: at,
    public_key: Buffer.from(x as string, 'base64url').toString('base64'),
  }
  return { ...statement, signature: sign(null, Buffer.from(canonical(statement)), privateKey).toString('base64') }
}

function isSigned({ signature, ...statement }: Ratification): boolean {
  const key = safely(() => createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(statement.public_key, 'base64').toString('base64url') } }))
  return key !== null && verify(null, Buffer.from(canonical(statement)), key, Buffer.from(signature, 'base64'))
}

/** The value, or null where untrusted bytes make the step fail. */
function safely<T>(step: () => T): T | null {
  try {
    return step()
  } catch {
    return null
  }
}

function mismatch(what: string, remedy: string): never {
  throw new Failure('CONSTITUTION_MISMATCH', `${what}: ${remedy}`)
}

import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { Failure } from '#core/failure.ts'
import { isOpen } from './key-file.ts'

/** A certificate with its chain, and its key, as they are in their files; and for how long all of it counts. */
export type TlsFiles = { readonly cert: string; readonly key: string; readonly from: Date; readonly until: Date }

const PEM = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g

/**
 * What a server speaks TLS with.
 *
 * @throws {Failure} `FILE_UNREADABLE`; `KEY_INVALID` when it is no certificate or no key, they do not belong together, others may read the
 *   key, or a certificate of the chain does not count at that time.
 */
export function readTls(files: { readonly certificate: string; readonly key: string }, at: Date): TlsFiles {
  const cert = text(files.certificate)
  const key = text(files.key)
  if (isOpen(statSync(files.key), process.getuid?.() ?? 0)) throw new Failure('KEY_INVALID', `others may read \`${files.key}\`: run chmod 600 on it`)
  const chain = (cert.match(PEM) ?? []).map((pem) => certificateIn(pem, files.certificate))
  const [own] = chain
  if (own === undefined) throw new Failure('KEY_INVALID', `\`${files.certificate}\` is not a certificate in PEM form`)
  if (!own.checkPrivateKey(keyIn(key, files.key))) throw new Failure('KEY_INVALID', `the key \`${files.key}\` is not that of the certificate \`${files.certificate}\`: name the two that were made together, the server's own certificate first`)
  const from = new Date(Math.max(...chain.map(({ validFrom }) => Date.parse(validFrom))))
  const until = new Date(Math.min(...chain.map(({ validTo }) => Date.parse(validTo))))
  if (until <= at) throw new Failure('KEY_INVALID', `the certificate \`${files.certificate}\` expired at ${until.toISOString()}: have it renewed`)
  if (from > at) throw new Failure('KEY_INVALID', `the certificate \`${files.certificate}\` counts from ${from.toISOString()} on: is the clock of this machine right?`)
  return { cert, key, from, until }
}

function certificateIn(pem: string, file: string): X509Certificate {
  try {
    return new X509Certificate(pem)
  } catch (cause) {
    throw new Failure('KEY_INVALID', `\`${file}\` holds a certificate that cannot be read`, { cause })
  }
}

function keyIn(pem: string, file: string) {
  try {
    return createPrivateKey(pem)
  } catch (cause) {
    throw new Failure('KEY_INVALID', `\`${file}\` is not a private key in PEM form without a password`, { cause })
  }
}

function text(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new Failure('FILE_UNREADABLE', `cannot read \`${file}\`: ${(cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file' : (cause as Error).message}`, { cause })
  }
}

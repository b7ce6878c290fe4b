import { Failure } from '#core/failure.ts'

/** Why a database cannot be used: a few words of ours that a client may read; `reason` tells what an operator has to look at. */
type Trouble = { readonly reason: 'away' | 'busy' | 'refused' | 'unencrypted' | 'disk_full' | 'read_only'; readonly message: string; readonly remedy: string }

const AWAY: Trouble = { reason: 'away', message: 'the database does not answer', remedy: 'start it, or correct DATABASE_URL' }

/**
 * What an error of the driver or the server says, by its code or its text; the first that fits.
 *
 * @see PostgreSQL error codes: class 08 connection, 28 authorization, 57P0x going down or coming up, 53 insufficient resources.
 */
const TROUBLES: readonly (Trouble & { readonly code?: RegExp; readonly text?: RegExp })[] = [
  { ...AWAY, code: /^(ENOTFOUND|EAI_[A-Z]+)$/, message: 'the host of the database is not known', remedy: 'correct the host in DATABASE_URL' },
  { ...AWAY, code: /^57P0[123]$/, message: 'the database is starting or going down', remedy: 'wait until it accepts connections' },
  { ...AWAY, code: /^53300$/, message: 'the database has no connection left', remedy: 'raise max_connections there, or lower database.connections_max here' },
  { reason: 'busy', code: /^(57014|40001|40P01|55P03)$/, message: 'the database is busy: it was given up', remedy: 'wait until it has less to do' },
  { reason: 'refused', code: /^28/, text: /client password must be a/, message: 'the database refuses the user or the password', remedy: 'correct user and password in DATABASE_URL; the server must allow them from here (pg_hba.conf)' },
  { reason: 'refused', code: /^3D000$/, message: 'there is no such database', remedy: 'create it (createdb), or correct the name at the end of DATABASE_URL' },
  { reason: 'unencrypted', code: /^(CERT_|ERR_TLS_|UNABLE_TO_|(DEPTH_ZERO_)?SELF_SIGNED_CERT|EPROTO)/, message: 'the certificate of the database is not trusted', remedy: 'give its authority with sslrootcert in DATABASE_URL, or have its certificate renewed' },
  { reason: 'unencrypted', text: /server does not support SSL|error establishing an SSL/, message: 'the database does not encrypt', remedy: 'turn ssl on there, or leave sslmode out of DATABASE_URL' },
  { reason: 'disk_full', code: /^53100$/, message: 'the disk of the database is full', remedy: 'make room there' },
  { reason: 'read_only', code: /^25006$/, message: 'the database only reads', remedy: 'DATABASE_URL names a standby, or a server that was set read-only: name the one that writes' },
  { ...AWAY, code: /^(08...|57P0[45]|53...|58...|E(CONNREFUSED|CONNRESET|PIPE|TIMEDOUT|HOSTUNREACH|HOSTDOWN|NETUNREACH|NETDOWN|ADDRNOTAVAIL))$/, text: /^(Connection terminated|Query read timeout|Client has encountered a connection error|Client was closed|timeout expired|timeout exceeded when trying to connect)/ },
]

/** The failure that an error of the database stands for; null when the error is a mistake of ours. What the driver said is its cause. */
export function unavailable(error: unknown): Failure | null {
  const { code, message = '' } = error as { code?: unknown; message?: string }
  const said = typeof code === 'string' ? code : ''
  const found = TROUBLES.find((each) => each.text?.test(message) === true || (said !== '' && each.code?.test(said) === true))
  if (found === undefined) return null
  const failure = new Failure('DATABASE_UNAVAILABLE', found.message, { cause: error, ...(found.reason === 'away' ? {} : { details: { reason: found.reason } }) })
  troubleOf.set(failure, found)
  return failure
}
const troubleOf = new WeakMap<Failure, Trouble>()

/**
 * Does what a start needs of its database. Where that fails, the reason is told to whoever starts it: which database, what it or
 * the network said, and what to do.
 *
 * @throws {Failure} `DATABASE_UNAVAILABLE`
 */
export async function atStart<T>(url: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== 'DATABASE_UNAVAILABLE' || error.cause === undefined) throw error
    const { code, message = '' } = error.cause as { code?: unknown; message?: string }
    const trouble = troubleOf.get(error)
    if (trouble === undefined) throw error
    const said = message === '' ? String(code) : message
    throw new Failure('DATABASE_UNAVAILABLE', `${error.message}: ${said} (${databaseName(url)}): ${trouble.remedy}`, { cause: error.cause, details: error.details })
  }
}

/** What an operator is told of a database that cannot be used, where anybody may read it: why, and what to do; no host, no user, no code. */
export function toldWithRemedy(failure: Failure): string {
  const trouble = troubleOf.get(failure)
  return trouble === undefined ? failure.message : `${failure.message}: ${trouble.remedy}`
}

/** A database as an operator knows it, without the password. */
export function databaseName(url: string): string {
  const { username, host, pathname } = new URL(url)
  return `${username === '' ? '' : `${decodeURIComponent(username)}@`}${host}${decodeURIComponent(pathname)}`
}

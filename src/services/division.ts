import { randomBytes } from 'node:crypto'
import { copyFileSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { certificateKeyIn, keysIn, keySetFile } from '#adapters/keys/certificate-key.ts'
import { Failure } from '#core/failure.ts'
import { ROLES } from '#http/contract.ts'
import { clientFile, embeddedClientId, keyIn, publicHalf, type PublicKey } from './auth/keys.ts'

/** What was made: who runs with which file of settings, and what else is there. */
export type Division = { readonly folder: string; readonly environments: Readonly<Record<Process, string>>; readonly databaseSql: string; readonly people: string }

const PROCESSES = ['auth', 'synthesis', 'compliance', 'platform'] as const
type Process = (typeof PROCESSES)[number]

/**
 * Everything that the four processes need to run apart, for a trial on one machine: a folder for each with its own secrets and the
 * environment it is started with, the SQL that makes their database roles, and keys with which people play the roles.
 *
 * The whole folder is there or nothing is.
 *
 * @param database Where the database will be; its user and password are those of the roles that the SQL makes.
 * @throws {Failure} `KEY_INVALID` when something is in the folder: nobody's keys are replaced.
 */
export function makeDivision(folder: string, { database }: { database: string }): Division {
  const whole = resolve(folder)
  if (contentOf(whole).length > 0) throw new Failure('KEY_INVALID', `\`${whole}\` is not empty, and keys are never replaced: name another folder`)
  const draft = `${whole}.new-${process.pid}`
  rmSync(draft, { recursive: true, force: true })
  mkdirSync(draft, { recursive: true, mode: 0o700 })
  try {
    fill(draft, whole, new URL(database))
    rmSync(whole, { recursive: true, force: true })
    renameSync(draft, whole)
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
  return {
    folder: whole,
    environments: Object.fromEntries(PROCESSES.map((name) => [name, join(whole, name, 'env')])) as Record<Process, string>,
    databaseSql: join(whole, 'database.sql'),
    people: join(whole, 'people'),
  }
}

function fill(draft: string, whole: string, database: URL): void {
  for (const name of [...PROCESSES, 'people/keys', 'platform/data/keys']) mkdirSync(join(draft, name), { recursive: true, mode: 0o700 })
  keyIn(join(draft, 'auth', 'token-signing.jwk.json'))
  const publicIn = (file: string): PublicKey => publicHalf(keyIn(join(draft, file)))
  const account = (clientId: string, role: string, audience: string, key: PublicKey) => ({ client_id: clientId, roles: [role], audiences: [audience], jwks: { keys: [key] } })
  const accounts = [
    ...ROLES.map((role) => account(embeddedClientId(role), role, 'users', publicIn(join('people', 'keys', clientFile(role))))),
    ...(['platform', 'compliance'] as const).map((name) => account(`acgs-${name}`, 'service', 'peers', publicIn(join(name, 'peer.jwk.json')))),
  ]
  secret(join(draft, 'auth', 'service-accounts.json'), `${JSON.stringify(accounts, null, 2)}\n`)

  const certificates = keysIn(join(draft, 'compliance', 'data'))
  certificateKeyIn(certificates)
  copyFileSync(keySetFile(certificates), keySetFile(keysIn(join(draft, 'platform', 'data'))))

  const passwords = { acgs_platform: randomBytes(24).toString('hex'), acgs_auth: randomBytes(24).toString('hex') }
  secret(join(draft, 'database.sql'), databaseSql(decodeURIComponent(database.pathname.slice(1)), passwords))
  const url = (role: keyof typeof passwords) => {
    const own = new URL(database)
    own.username = role
    own.password = passwords[role]
    return own.href
  }
  const at = (...path: string[]) => join(whole, ...path)
  const environments: Record<Process, Record<string, string>> = {
    auth: { DATABASE_URL: url('acgs_auth'), ACGS_SECURITY_SIGNING_KEY_FILE: at('auth', 'token-signing.jwk.json'), ACGS_SECURITY_SERVICE_ACCOUNTS_FILE: at('auth', 'service-accounts.json') },
    synthesis: {},
    compliance: { ACGS_SECURITY_CERTIFICATE_KEY_FILE: join(keysIn(at('compliance', 'data')), 'certificate.pem'), ACGS_SECURITY_PEER_KEY_FILE: at('compliance', 'peer.jwk.json') },
    platform: { DATABASE_URL: url('acgs_platform'), ACGS_SECURITY_PEER_KEY_FILE: at('platform', 'peer.jwk.json') },
  }
  for (const name of PROCESSES) {
    const lines = Object.entries({ ACGS_SERVICE_DATA_FOLDER: at(name, 'data'), ...environments[name] }).map(([key, value]) => `${key}='${value.replaceAll("'", `'\\''`)}'`)
    secret(join(draft, name, 'env'), `${lines.join('\n')}\n`)
  }
}

/** Roles that may each touch their own part and nothing else; `psql` runs it, as someone who may make roles and databases. */
function databaseSql(name: string, passwords: { readonly acgs_platform: string; readonly acgs_auth: string }): string {
  const database = `"${name.replaceAll('"', '""')}"`
  return `create role acgs_platform login password '${passwords.acgs_platform}';
create role acgs_auth login password '${passwords.acgs_auth}';
create database ${database};
revoke all on database ${database} from public;
grant connect on database ${database} to acgs_platform, acgs_auth;

\\connect ${database}
revoke all on schema public from public;
grant usage, create on schema public to acgs_platform;
create schema auth authorization acgs_auth;
`
}

function secret(file: string, content: string): void {
  writeFileSync(file, content, { mode: 0o600 })
}

function contentOf(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw new Failure('KEY_INVALID', `\`${folder}\` is not a folder that can be read`, { cause })
  }
}

import { createHash, randomBytes } from 'node:crypto'
import * as fs from 'node:fs'
import { join, resolve } from 'node:path'
import { makeDivision } from '#services/division.ts'

/**
 * `npm run secrets -- FOLDER`: everything secret that compose.yaml mounts, in a folder of mode 0700 with a folder for each container, and
 * `compose.env` with the variables that compose needs. With `--single`: what one container needs that runs all four processes.
 *
 * Nothing that is there is ever replaced. Run by root, the files are given to the image's user, else they stay yours and the containers run as you.
 */
const IMAGE_USER = 1000
/** Where a container finds its own folder. */
const MOUNTED = '/run/acgs'

const [given = './secrets', ...flags] = process.argv.slice(2).toSorted((a, b) => Number(a.startsWith('--')) - Number(b.startsWith('--')))
if (given.startsWith('--') || flags.some((flag) => flag !== '--single')) {
  console.error('usage: npm run secrets -- [FOLDER] [--single]')
  process.exit(2)
}
const folder = resolve(given)
if (fs.existsSync(folder) && fs.readdirSync(folder).length > 0) {
  console.error(`secrets: ${folder} is not empty, and secrets are never replaced: name another folder`)
  process.exit(2)
}
const parent = `${folder}.new-${process.pid}`
fs.mkdirSync(parent, { recursive: true, mode: 0o700 })
try {
  const made = join(parent, 'division')
  makeDivision(made, { database: 'postgresql://postgres:5432/acgs' })
  const draft = join(parent, 'secrets')
  fs.mkdirSync(draft, { mode: 0o700 })
  if (flags.includes('--single')) single(made, draft)
  else divided(made, draft)
  fs.renameSync(join(made, 'people'), join(draft, 'people'))
  if (process.getuid?.() === 0) for (const entry of ['', ...fs.readdirSync(draft, { recursive: true, encoding: 'utf8' })]) fs.lchownSync(join(draft, entry), IMAGE_USER, IMAGE_USER)
  fs.rmSync(folder, { recursive: true, force: true })
  fs.renameSync(draft, folder)
} finally {
  fs.rmSync(parent, { recursive: true, force: true })
}
console.log(flags.includes('--single')
  ? `made ${folder}: docker run … --env-file ${join(given, 'server', 'env')} -v ${join(folder, 'server')}:${MOUNTED}:ro acgs-pgp-v8:latest`
  : `made ${folder}: docker compose --env-file ${join(given, 'compose.env')} up --build --detach --wait`)

/** One container, which holds every key; people's keys are not mounted with them. */
function single(made: string, draft: string): void {
  fs.mkdirSync(join(draft, 'server'), { mode: 0o700 })
  move(made, join(draft, 'server'), ['auth/token-signing.jwk.json', 'auth/service-accounts.json', 'compliance/data/keys/certificate.pem'])
  environment(join(draft, 'server', 'env'), {
    ACGS_SECURITY_SIGNING_KEY_FILE: `${MOUNTED}/token-signing.jwk.json`,
    ACGS_SECURITY_SERVICE_ACCOUNTS_FILE: `${MOUNTED}/service-accounts.json`,
    ACGS_SECURITY_CERTIFICATE_KEY_FILE: `${MOUNTED}/certificate.pem`,
    ACGS_SECURITY_TOKEN_ISSUER: 'http://localhost:8000',
  })
}

function divided(made: string, draft: string): void {
  for (const name of ['auth', 'synthesis', 'compliance', 'platform', 'platform/keys', 'postgres', 'redis', 'grafana']) fs.mkdirSync(join(draft, name), { mode: 0o700 })
  const redis = { default: password(), acgs_auth: password(), acgs_platform: password() }
  const databaseOf = (name: 'auth' | 'platform') => /^DATABASE_URL='(.*)'$/m.exec(fs.readFileSync(join(made, name, 'env'), 'utf8'))?.[1] as string
  const redisOf = (user: keyof typeof redis) => `redis://${user}:${redis[user]}@redis:6379/0`

  move(made, join(draft, 'auth'), ['auth/token-signing.jwk.json', 'auth/service-accounts.json'])
  environment(join(draft, 'auth', 'env'), {
    DATABASE_URL: databaseOf('auth'), REDIS_URL: redisOf('acgs_auth'),
    ACGS_SECURITY_SIGNING_KEY_FILE: `${MOUNTED}/token-signing.jwk.json`, ACGS_SECURITY_SERVICE_ACCOUNTS_FILE: `${MOUNTED}/service-accounts.json`,
  })
  environment(join(draft, 'synthesis', 'env'), {})
  move(made, join(draft, 'compliance'), ['compliance/data/keys/certificate.pem', 'compliance/peer.jwk.json'])
  environment(join(draft, 'compliance', 'env'), { ACGS_SECURITY_CERTIFICATE_KEY_FILE: `${MOUNTED}/certificate.pem`, ACGS_SECURITY_PEER_KEY_FILE: `${MOUNTED}/peer.jwk.json` })
  move(made, join(draft, 'platform'), ['platform/peer.jwk.json'])
  move(made, join(draft, 'platform', 'keys'), ['platform/data/keys/certificate.jwks.json'])
  environment(join(draft, 'platform', 'env'), { DATABASE_URL: databaseOf('platform'), REDIS_URL: redisOf('acgs_platform'), ACGS_SECURITY_PEER_KEY_FILE: `${MOUNTED}/peer.jwk.json` })

  secret(join(draft, 'postgres', 'password'), password())
  fs.renameSync(join(made, 'database.sql'), join(draft, 'postgres', 'database.sql'))
  secret(join(draft, 'redis', 'password'), redis.default)
  secret(join(draft, 'redis', 'users.acl'), Object.entries(redis).map(([user, word]) => `user ${user} on #${createHash('sha256').update(word).digest('hex')} ~* &* +@all${user === 'default' ? '' : ' -@admin -@dangerous +info'}\n`).join(''))
  secret(join(draft, 'grafana', 'admin-password'), password())

  const [uid, gid] = process.getuid?.() === 0 ? [IMAGE_USER, IMAGE_USER] : [process.getuid?.() ?? IMAGE_USER, process.getgid?.() ?? IMAGE_USER]
  environment(join(draft, 'compose.env'), { ACGS_SECRETS: folder, ACGS_UID: String(uid), ACGS_GID: String(gid) })
}

function move(made: string, into: string, files: readonly string[]): void {
  for (const file of files) fs.renameSync(join(made, file), join(into, file.split('/').at(-1) as string))
}

/** Without quotation marks, which `docker run --env-file` would take for part of the value. */
function environment(file: string, variables: Readonly<Record<string, string>>): void {
  secret(file, Object.entries(variables).map(([name, value]) => `${name}=${value}\n`).join(''))
}

function secret(file: string, content: string): void {
  fs.writeFileSync(file, content, { mode: 0o600 })
}

function password(): string {
  return randomBytes(24).toString('hex')
}

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { makeDivision } from '#services/division.ts'
import { emptyDatabase, testDatabase } from '#test/database.ts'
import { freePorts, runAcgs } from '#test/product.ts'
import { clockShifted } from '#test/shift-clock.ts'
import { smallDisk, whyNoDisk } from '#test/small-disk.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const scratch = mkdtempSync(join(tmpdir(), 'acgs-bad-start-'))
const noDisk = whyNoDisk()
let people = ''
/** What Auth, the quickest of the four to start, is given; the database is named by each test. */
let auth: Record<string, string> = {}
before(async () => {
  const division = makeDivision(join(scratch, 'division'), { database: 'postgresql://localhost/acgs' })
  people = division.people
  const [port] = await freePorts(1)
  const given = Object.fromEntries([...readFileSync(division.environments.auth, 'utf8').matchAll(/^(\w+)='(.*)'$/gm)].map(([, name, value]) => [name as string, value as string]))
  auth = { ...given, PORT: String(port), LOG_LEVEL: 'silent', ACGS_DATABASE_CONNECT_TIMEOUT_MS: '2000', ACGS_MONITORING_PROBE_INTERVAL_MS: '200' }
})
after(() => rmSync(scratch, { recursive: true, force: true }))

/** What a start that must not succeed says: one line, and an exit status that is not 0. */
async function refusal(args: readonly string[], env: Readonly<Record<string, string>>): Promise<string> {
  const { status, stdout, stderr } = await runAcgs(args, env)
  assert.ok(status === 1 || status === 2, `ended with ${status}: ${stdout}${stderr}`)
  const lines = stderr.split('\n').filter((line) => line !== '' && !/^\(|SECURITY WARNING|^In the next major|^To prepare|^- If you|^See https/.test(line))
  assert.equal(lines.length, 1, stderr)
  assert.match(lines[0] as string, /^acgs: (?!a mistake of ours)/)
  return lines[0] as string
}
function changed(url: string, change: (url: URL) => void): string {
  const other = new URL(url)
  change(other)
  return other.href
}

test('a database that cannot be used stops the start: which one, why, and what to do', async () => {
  await using db = await emptyDatabase()
  const [nobody] = await freePorts(1)
  const cases: readonly [url: string, said: RegExp][] = [
    [changed(db.url, (url) => { url.port = String(nobody) }), /does not answer: connect ECONNREFUSED .*\(acgs_user@127\.0\.0\.1:\d+\/acgs_test_\w+\): start it, or correct DATABASE_URL/],
    [changed(db.url, (url) => { url.hostname = 'db.invalid' }), /host of the database is not known: .*db\.invalid.*: correct the host in DATABASE_URL/],
    [changed(db.url, (url) => { url.password = 'mistyped' }), /refuses the user or the password: password authentication failed.*: correct user and password in DATABASE_URL/],
    [changed(db.url, (url) => { url.password = '' }), /refuses the user or the password: .*password must be/],
    [changed(db.url, (url) => { url.username = 'unknown' }), /refuses the user or the password: .*\(unknown@/],
    [changed(db.url, (url) => { url.pathname = '/nothing_there' }), /no such database: .*nothing_there.*: create it/],
    [changed(db.url, (url) => { url.searchParams.set('sslmode', 'verify-full') }), /does not encrypt: .*: turn ssl on there, or leave sslmode out/],
  ]
  for (const [url, said] of cases) {
    const line = await refusal(['serve', 'auth'], { ...auth, DATABASE_URL: url })
    assert.match(line, said)
    assert.doesNotMatch(line, /mistyped|[0-9a-f]{32}/, 'no password is shown')
  }
  const platform = { DATABASE_URL: cases[0]?.[0] as string, ...Object.fromEntries((await freePorts(4)).map((port, n) => [`ACGS_SERVICES_${['PLATFORM', 'AUTH', 'SYNTHESIS', 'COMPLIANCE'][n]}_PORT`, String(port)])) }
  assert.match(await refusal(['serve', 'all', '--data', join(scratch, 'all')], platform), cases[0]?.[1] as RegExp)
})

test('a standby, or a database that was set read-only, is told apart from one that is out', async () => {
  await using db = await emptyDatabase()
  await db.query(`alter database ${new URL(db.url).pathname.slice(1)} set default_transaction_read_only = on`)
  assert.match(await refusal(['serve', 'auth'], { ...auth, DATABASE_URL: db.url }), /only reads: .*names a standby.*: ?name the one that writes/)
})

test('an older schema is brought up to date; a newer one serves, unless it was changed so that this release cannot', async () => {
  await using db = await testDatabase()
  await db.query('drop table auth.schema_migrations; drop table auth.oidc_payloads')
  await using old = await started({ ...auth, DATABASE_URL: db.url })
  assert.equal((await old.ready()).status, 200)
  const { rows } = await db.query<{ n: string }>('select count(*) as n from auth.schema_migrations')
  assert.ok(Number(rows[0]?.n) > 0)
  await old[Symbol.asyncDispose]()

  const newer = "insert into auth.schema_migrations (number, name, digest, is_breaking) values (9998, '9998_expand.sql', 'x', false)"
  await db.query(newer)
  await using next = await started({ ...auth, DATABASE_URL: db.url })
  assert.equal((await next.ready()).status, 200)
  await next[Symbol.asyncDispose]()
  await db.query(newer.replace('9998, \'9998_expand', '9999, \'9999_contract').replace('false', 'true'))
  assert.match(await refusal(['serve', 'auth'], { ...auth, DATABASE_URL: db.url }), /`9999_contract\.sql` of a newer release .*start that release, or restore the backup/)
})

test('a schema that this role may not change is refused with who may', async () => {
  await using db = await emptyDatabase()
  await db.query('create schema auth')
  // The role of the tests may not make roles, so that it takes its own right away instead.
  await db.query('revoke create on schema auth from current_user')
  assert.match(await refusal(['serve', 'auth'], { ...auth, DATABASE_URL: db.url }), /migration is not possible: permission denied for schema auth: run `acgs migrate` with the role that owns the tables/)
})

test('a full disk stops the start', { skip: noDisk ?? false }, async () => {
  const ports = Object.fromEntries((await freePorts(4)).map((port, n) => [`ACGS_SERVICES_${['PLATFORM', 'AUTH', 'SYNTHESIS', 'COMPLIANCE'][n]}_PORT`, String(port)]))
  for (const size of ['4k', '8m']) {
    using disk = smallDisk(size)
    assert.match(await refusal(['serve', 'all', '--data', join(disk.folder, 'data')], ports), /the disk is full: make room there/, size)
  }
})

test('a disk or a folder that cannot be written stops the start', async (t) => {
  const ports = Object.fromEntries((await freePorts(4)).map((port, n) => [`ACGS_SERVICES_${['PLATFORM', 'AUTH', 'SYNTHESIS', 'COMPLIANCE'][n]}_PORT`, String(port)]))
  if (noDisk === null) {
    using disk = smallDisk('64k', 'ro')
    for (const folder of [disk.folder, join(disk.folder, 'data')]) {
      assert.match(await refusal(['serve', 'all', '--data', folder], ports), /cannot be written: the disk is read-only: mount it so that it can be written, or choose another data folder with --data DIR/)
    }
    const own = { ACGS_SECURITY_CERTIFICATE_KEY_FILE: join(scratch, 'division/compliance/data/keys/certificate.pem'), ACGS_SECURITY_PEER_KEY_FILE: join(scratch, 'division/compliance/peer.jwk.json') }
    assert.match(await refusal(['serve', 'compliance', '--data', join(disk.folder, 'data')], { ...own, PORT: ports['ACGS_SERVICES_COMPLIANCE_PORT'] as string }), /cannot use .*\/data.*: the disk is read-only/)
  } else if (process.getuid?.() !== 0) {
    const folder = join(scratch, 'closed')
    mkdirSync(folder)
    chmodSync(folder, 0o500)
    assert.match(await refusal(['serve', 'all', '--data', folder], ports), /cannot be written: this user may not/)
  } else t.skip(noDisk)
})

test('a clock that is ten minutes off makes a process not ready, and says whose clock and by how much', async () => {
  await using db = await emptyDatabase()
  await using slow = await started({ ...auth, DATABASE_URL: db.url, ...clockShifted(-600_000) })
  const { status, because } = await slow.ready()
  assert.equal(status, 503)
  assert.match(because, /^clock: the clock of this machine is (599|600|601) s behind that of the database: set it/)
  await slow[Symbol.asyncDispose]()

  await using right = await started({ ...auth, DATABASE_URL: db.url })
  assert.equal((await right.ready()).status, 200)
  const [port] = await freePorts(1)
  const url = `http://127.0.0.1:${auth['PORT']}`
  await using fast = await started({ AUTH_SERVICE_URL: url, PORT: String(port), LOG_LEVEL: 'silent', ...clockShifted(600_000) }, 'synthesis')
  assert.match((await fast.ready()).because, /^clock: the clock of this machine is (599|600|601) s ahead of that of auth/)

  const token = await runAcgs(['token', '--role', 'author', '--data', people], { AUTH_SERVICE_URL: url, ...clockShifted(-600_000) })
  assert.notEqual(token.status, 0)
  assert.match(token.stderr, /the clock of Auth is (599|600|601) s ahead of that of this machine: set the one that is wrong/)
})

test('a configuration that cannot be meant stops the start', async () => {
  const file = join(scratch, 'mistyped.yaml')
  writeFileSync(file, 'database:\n  ulr: postgresql://localhost/acgs\n')
  assert.match(await refusal(['serve', 'all', '--config', file], {}), /mistyped\.yaml:2: unknown key `database\.ulr`; there are url,/)
  assert.match(await refusal(['serve', 'auth'], { ...auth, ACGS_DATABASE_ULR: 'x' }), /ACGS_DATABASE_ULR: unknown variable; did you mean one of ACGS_DATABASE_URL/)
  assert.match(await refusal(['serve', 'auth'], { ...auth, CONSTITUTIONAL_HASH: '0123456789abcdef' }), /CONSTITUTIONAL_HASH is `0123456789abcdef` and the ratified document is `cdd01ef066bc6cf2`: set CONSTITUTIONAL_HASH to/)
  writeFileSync(file, 'service:\n  environment: production\n')
  const production = { ...auth, DATABASE_URL: 'postgresql://localhost/acgs', ACGS_SECURITY_TOKEN_ISSUER: 'http://localhost:8000' }
  assert.match(await refusal(['serve', 'auth', '--config', file], production), /`constitutional\.hash` must be set in production, in the file or as CONSTITUTIONAL_HASH/)
  assert.doesNotMatch(await refusal(['serve', 'auth', '--config', file], { ...production, CONSTITUTIONAL_HASH: 'cdd01ef066bc6cf2', ACGS_DATABASE_ULR: 'x' }), /constitutional\.hash/)
})

/** One process, started, whatever its readiness is then. */
async function started(env: Readonly<Record<string, string>>, name: 'auth' | 'synthesis' = 'auth'): Promise<{ readonly ready: () => Promise<{ status: number; because: string }> } & AsyncDisposable> {
  const child = spawn(join(ROOT, 'acgs'), ['serve', name], { cwd: ROOT, env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (printed += chunk.toString()))
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const url = `http://127.0.0.1:${env['PORT']}`
  for (const deadline = Date.now() + 60_000; ; await new Promise((resolve) => setTimeout(resolve, 50))) {
    if (child.exitCode !== null) throw new Error(`${name} ended with ${child.exitCode}:\n${printed}`)
    if (await fetch(`${url}/startupz`).then(({ ok }) => ok, () => false)) break
    if (Date.now() > deadline) throw new Error(`${name} did not start:\n${printed}`)
  }
  return {
    ready: async () => {
      const response = await fetch(`${url}/readyz`)
      return { status: response.status, because: ((await response.json()) as { because: string[] }).because.join('; ') }
    },
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGTERM')
      await ended
    },
  }
}

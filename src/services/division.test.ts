import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { readConfig } from '#config'
import { Failure } from '#core/failure.ts'
import { runAcgs } from '#test/product.ts'
import { readServiceAccounts, readSigningKeys } from './auth/keys.ts'
import { makeDivision } from './division.ts'

const scratch = mkdtempSync(join(tmpdir(), "acgs division's-"))
after(() => rmSync(scratch, { recursive: true, force: true }))

const filesIn = (folder: string) => readdirSync(folder, { recursive: true, withFileTypes: true }).filter((each) => each.isFile()).map((each) => join(each.parentPath, each.name)).sort()
/** What a shell makes of the file. */
const settingsIn = (file: string) => Object.fromEntries([...readFileSync(file, 'utf8').matchAll(/^(\w+)='(.*)'$/gm)].map(([, key, value]) => [key, (value as string).replaceAll(`'\\''`, `'`)]))

test('each process gets what it must have and nothing else, in files that only their owner reads', () => {
  const { folder, environments } = makeDivision(join(scratch, 'one'), { database: 'postgresql://db.test:5433/acgs' })
  for (const [name, file] of Object.entries(environments)) assert.equal(readConfig({ env: settingsIn(file), process: name as 'auth' }).process, name)
  for (const file of filesIn(folder)) assert.equal(statSync(file).mode & 0o077, 0, file)

  const [auth, platform] = [settingsIn(environments.auth), settingsIn(environments.platform)]
  assert.match(String(auth['DATABASE_URL']), /^postgresql:\/\/acgs_auth:[0-9a-f]{48}@db\.test:5433\/acgs$/)
  assert.match(String(platform['DATABASE_URL']), /^postgresql:\/\/acgs_platform:[0-9a-f]{48}@db\.test:5433\/acgs$/)
  readSigningKeys(String(auth['ACGS_SECURITY_SIGNING_KEY_FILE']))
  const accounts = readServiceAccounts(String(auth['ACGS_SECURITY_SERVICE_ACCOUNTS_FILE'])).map(({ clientId, roles, audiences }) => `${clientId} ${roles.join()} ${audiences.join()}`)
  assert.deepEqual(accounts, [
    'acgs-author author users', 'acgs-council council users', 'acgs-operator operator users', 'acgs-service service users', 'acgs-platform service peers', 'acgs-compliance service peers',
  ])
  // No private key but its own peer key in the platform's folder, and none at all in that of synthesis.
  const secrets = (name: string) => filesIn(join(folder, name)).filter((file) => /"d":|PRIVATE KEY/.test(readFileSync(file, 'utf8'))).map((file) => file.slice(join(folder, name).length + 1))
  assert.deepEqual(secrets('platform'), ['peer.jwk.json'])
  assert.deepEqual(secrets('synthesis'), [])
  assert.deepEqual(secrets('auth'), ['token-signing.jwk.json'])
  assert.deepEqual(secrets('compliance'), ['data/keys/certificate.pem', 'peer.jwk.json'])
})

test('keys that are there are never replaced, and a folder that cannot be made leaves nothing behind', () => {
  const folder = join(scratch, 'two')
  makeDivision(folder, { database: 'postgresql://h/acgs' })
  const before = filesIn(folder).map((file) => readFileSync(file, 'utf8'))
  assert.throws(() => makeDivision(folder, { database: 'postgresql://h/acgs' }), (error) => error instanceof Failure && error.code === 'KEY_INVALID' && /is not empty/.test(error.message))
  assert.deepEqual(filesIn(folder).map((file) => readFileSync(file, 'utf8')), before)
  writeFileSync(join(scratch, 'file'), '')
  assert.throws(() => makeDivision(join(scratch, 'file'), { database: 'postgresql://h/acgs' }), (error) => error instanceof Failure && error.code === 'KEY_INVALID')
  assert.deepEqual(readdirSync(scratch).filter((name) => name.includes('.new-')), [])
})

test('the command says how to start what it made, and refuses what is no database', async () => {
  const folder = join(scratch, 'three')
  const { status, stdout } = await runAcgs(['keys', 'init', folder])
  assert.equal(status, 0)
  for (const name of ['auth', 'synthesis', 'compliance', 'platform']) assert.match(stdout, new RegExp(`exec \\./acgs serve ${name}\\)`))
  assert.equal((await runAcgs(['keys', 'init', folder])).status, 2)
  const bad = await runAcgs(['keys', 'init', join(scratch, 'four'), '--database', 'mysql://h/x'])
  assert.deepEqual([bad.status, readdirSync(scratch).includes('four')], [2, false])
})

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createHmac, generateKeyPairSync, randomUUID } from 'node:crypto'
import { chmodSync, existsSync, mkdtempSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { SignJWT, createLocalJWKSet, exportJWK, generateKeyPair, importJWK, jwtVerify } from 'jose'
import { ROOT, readConfig } from '#config'
import { createApprovalVerifier } from '#adapters/keys/approval.ts'
import { Failure } from '#core/failure.ts'
import { ROLES } from '#http/contract.ts'
import { createLog } from '#telemetry/log.ts'
import { createMetrics } from '#telemetry/metrics.ts'
import { scrape } from '#telemetry/scrape.ts'
import { testDatabase } from '#test/database.ts'
import type { TestDatabase } from '#test/database.ts'
import { isOpen } from '#adapters/keys/key-file.ts'
import { clientKey, embeddedKeys, keysFolder, readServiceAccounts, readSigningKeys } from './keys.ts'
import { memoryIn } from './memory.ts'
import { obtainToken, requestToken } from './obtain-token.ts'
import { peerTokens } from './peer-tokens.ts'
import { startAuth } from './start.ts'

const constitution = { hash: 'cdd01ef066bc6cf2', digest: 'ab'.repeat(32) }
const ISSUER = 'http://auth.test'
const AUDIENCE = 'urn:acgs-pgp-v8'
const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

function telemetryInto(lines: string[]) {
  return {
    log: createLog({ service: 'acgs-auth', level: 'debug', destination: { write: (line: string) => { lines.push(line) } } }),
    metrics: createMetrics({ service: 'acgs-auth', version: '8.0.0', constitutionalHash: constitution.hash, description: 'test' }),
  }
}

let db: TestDatabase
let dataDir: string
let auth: Awaited<ReturnType<typeof startAuth>>
let authUrl: string
const lines: string[] = []
const telemetry = telemetryInto(lines)

before(async () => {
  db = await testDatabase()
  dataDir = mkdtempSync(join(tmpdir(), 'auth-'))
  const config = readConfig({ env: { ACGS_SECURITY_TOKEN_ISSUER: ISSUER }, dataFolder: dataDir })
  auth = await startAuth({ config, version: '8.0.0', constitution, database: db, telemetry })
  authUrl = `http://127.0.0.1:${(await auth.server.listen({ host: '127.0.0.1', port: 0 })).port}`
})
after(async () => {
  await auth.server.close({ drainMs: 0, deadlineMs: 500 })
  await db[Symbol.asyncDispose]()
})

type Assertion = { claims?: Record<string, unknown>; header?: Record<string, unknown>; key?: Parameters<SignJWT['sign']>[0]; alg?: string }

/** An assertion of the author's account, right unless said otherwise. */
async function assertion({ claims = {}, header = {}, key, alg = 'ES256' }: Assertion = {}): Promise<string> {
  const now = Math.floor(Date.now() / 1000)
  const own = clientKey(keysFolder(dataDir), 'author')
  return new SignJWT({ iss: 'acgs-author', sub: 'acgs-author', aud: ISSUER, jti: randomUUID(), iat: now, exp: now + 60, ...claims })
    .setProtectedHeader({ alg, ...header })
    .sign(key ?? (await importJWK({ ...own }, 'ES256')))
}

async function ask(client_assertion: string, more: Record<string, string> = {}, headers: Record<string, string> = {}) {
  const reply = await auth.server.app.inject({
    method: 'POST', url: '/api/v1/auth/token', headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    payload: new URLSearchParams({ grant_type: 'client_credentials', client_assertion_type: ASSERTION_TYPE, client_assertion, ...more }).toString(),
  })
  return { status: reply.statusCode, body: reply.json() as Record<string, string>, headers: reply.headers }
}

/** A token signed with Auth's own key, right unless said otherwise: what only Auth, or its thief, could make. */
async function forged({ claims = {}, header = {}, key, alg = 'ES256' }: Assertion = {}): Promise<string> {
  const now = Math.floor(Date.now() / 1000)
  const own = readSigningKeys(join(keysFolder(dataDir), 'token-signing.jwk.json')).current
  return new SignJWT({ iss: ISSUER, sub: 'acgs-author', aud: AUDIENCE, jti: randomUUID(), iat: now, exp: now + 60, client_id: 'acgs-author', roles: ['author'], ...claims })
    .setProtectedHeader({ alg, typ: 'at+jwt', kid: own.kid, ...header })
    .sign(key ?? (await importJWK({ ...own }, 'ES256')))
}

async function judge(token: string, path = '/auth/verify') {
  const reply = await auth.server.app.inject({ method: 'POST', url: path, headers: { 'content-type': 'application/json' }, payload: JSON.stringify({ token }) })
  return { status: reply.statusCode, body: reply.json() as Record<string, unknown>, headers: reply.headers }
}

test('each role gets a token with its role, its scope and nothing else', async () => {
  for (const role of ROLES) {
    const { accessToken, expiresIn } = await obtainToken({ dataDir, role, authUrl, issuer: ISSUER })
    assert.equal(expiresIn, 900)
    const { status, body } = await judge(accessToken)
    assert.equal(status, 200)
    assert.deepEqual([body['valid'], body['user_id'], body['username'], body['roles'], body['scopes']], [true, `acgs-${role}`, `acgs-${role}`, [role], [`acgs:${role}`]])
    assert.ok(Math.abs(Date.parse(body['expires_at'] as string) - Date.now() - 900_000) < 10_000)
  }
})

test('the token has the form of RFC 9068, and verifies against the published keys', async () => {
  const { accessToken } = await obtainToken({ dataDir, role: 'author', authUrl, issuer: ISSUER })
  const [header, claims] = accessToken.split('.').slice(0, 2).map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()))
  const { keys } = (await auth.server.app.inject('/.well-known/jwks.json')).json()
  assert.deepEqual([header.alg, header.typ, header.kid], ['ES256', 'at+jwt', keys[0].kid])
  for (const claim of ['iss', 'aud', 'exp', 'iat', 'jti', 'sub', 'client_id', 'roles']) assert.ok(claims[claim], claim)
  assert.deepEqual([claims.iss, claims.aud], [ISSUER, AUDIENCE])
  assert.equal('d' in keys[0], false)
})

test('both ways to judge a token, and both places to put it, say the same', async () => {
  const token = await forged()
  const inHeader = await auth.server.app.inject({ method: 'POST', url: '/api/v1/auth/validate', headers: { authorization: `Bearer ${token}` } })
  assert.deepEqual(inHeader.json(), (await judge(token, '/api/v1/auth/validate')).body)
  assert.deepEqual(inHeader.json(), (await judge(token, '/auth/verify')).body)
  const two = await auth.server.app.inject({ method: 'POST', url: '/auth/verify', headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, payload: { token: await forged() } })
  assert.equal(two.statusCode, 400)
  assert.equal((await auth.server.app.inject({ method: 'POST', url: '/auth/verify' })).statusCode, 401)
})

function unsigned(header: object, claims: object): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${part(header)}.${part(claims)}`
}
const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as Record<string, unknown>

test('attacks on tokens: each is refused, for its own reason', async (t) => {
  const right = await forged()
  const stranger = await generateKeyPair('ES256', { extractable: true })
  const now = Math.floor(Date.now() / 1000)
  const own = readSigningKeys(join(keysFolder(dataDir), 'token-signing.jwk.json')).current
  const publicPem = Buffer.from(JSON.stringify({ kty: own.kty, crv: own.crv, x: own.x, y: own.y }))
  const hs256 = unsigned({ alg: 'HS256', typ: 'at+jwt', kid: own.kid }, claimsOf(right))
  const [h, , s] = right.split('.') as [string, string, string]
  const attacks: Record<string, { token: string; reason: string }> = {
    'alg none': { token: `${unsigned({ alg: 'none', typ: 'at+jwt' }, claimsOf(right))}.`, reason: 'algorithm' },
    'HS256 with the public key as the secret': { token: `${hs256}.${createHmac('sha256', publicPem).update(hs256).digest('base64url')}`, reason: 'algorithm' },
    'another issuer': { token: await forged({ claims: { iss: 'http://evil.test' } }), reason: 'issuer' },
    'another audience': { token: await forged({ claims: { aud: 'urn:other' } }), reason: 'audience' },
    'expired': { token: await forged({ claims: { iat: now - 100, exp: now - 60 } }), reason: 'expired' },
    'no expiry at all': { token: await forged({ claims: { exp: undefined } }), reason: 'claims' },
    'not valid yet': { token: await forged({ claims: { nbf: now + 600 } }), reason: 'not_yet_valid' },
    'an unknown key id': { token: await forged({ header: { kid: 'nobody' }, key: stranger.privateKey }), reason: 'unknown_key' },
    'signed by a stranger under our key id': { token: await forged({ key: stranger.privateKey }), reason: 'signature' },
    'a key embedded in the header': { token: await forged({ header: { jwk: await exportJWK(stranger.publicKey) }, key: stranger.privateKey }), reason: 'signature' },
    'a key embedded in the header, and no key id': { token: await forged({ header: { kid: undefined, jwk: await exportJWK(stranger.publicKey) }, key: stranger.privateKey }), reason: 'signature' },
    'a changed payload': { token: `${h}.${Buffer.from(JSON.stringify({ ...claimsOf(right), roles: ['council'] })).toString('base64url')}.${s}`, reason: 'signature' },
    'an ID token': { token: await forged({ header: { typ: 'JWT' } }), reason: 'type' },
    'no type': { token: await forged({ header: { typ: undefined } }), reason: 'type' },
    'an unknown critical header': { token: await forgedWithCrit(), reason: 'malformed' },
    'a role that there is not': { token: await forged({ claims: { roles: ['root'] } }), reason: 'claims' },
    'roles as a text': { token: await forged({ claims: { roles: 'author' } }), reason: 'claims' },
    'no roles': { token: await forged({ claims: { roles: undefined } }), reason: 'claims' },
    'no subject': { token: await forged({ claims: { sub: undefined } }), reason: 'claims' },
    'too long': { token: await forged({ claims: { padding: 'x'.repeat(10_000) } }), reason: 'oversize' },
    'nonsense': { token: 'a.b.c', reason: 'malformed' },
    'another client’s assertion': { token: await assertion(), reason: 'signature' },
  }
  for (const [name, { token, reason }] of Object.entries(attacks)) {
    await t.test(name, async () => {
      const before = await countOf(reason)
      const { status, body, headers } = await judge(token)
      assert.equal(status, 401)
      assert.equal(body['code'], 'UNAUTHENTICATED')
      assert.equal(body['reason'], reason)
      assert.match(String(headers['www-authenticate']), /^Bearer realm="acgs", error="invalid_token"/)
      assert.equal(await countOf(reason), before + 1)
    })
  }
  assert.equal((await judge(right)).status, 200, 'the token from which the attacks were made is right')
})

test('sabotage: a judge who looks at the signature alone lets those attacks through, so the refusals above are not luck', async () => {
  const own = readSigningKeys(join(keysFolder(dataDir), 'token-signing.jwk.json')).published[0]!
  const careless = async (token: string) => (await jwtVerify(token, await importJWK({ ...own }, 'ES256'))).payload
  for (const claims of [{ iss: 'http://evil.test' }, { aud: 'urn:other' }, { exp: undefined }, { roles: ['root'] }]) assert.ok(await careless(await forged({ claims })))
  for (const header of [{ typ: 'JWT' }, { kid: 'nobody' }]) assert.ok(await careless(await forged({ header })))
})

async function forgedWithCrit(): Promise<string> {
  const right = await forged()
  const header = JSON.parse(Buffer.from(right.split('.')[0]!, 'base64url').toString())
  const changed = Buffer.from(JSON.stringify({ ...header, crit: ['x'], x: 1 })).toString('base64url')
  return [changed, ...right.split('.').slice(1)].join('.')
}

async function countOf(reason: string): Promise<number> {
  const { text } = await scrape(telemetry.metrics, undefined)
  return Number(new RegExp(`authentication_failures_total\\{reason="${reason}"\\} (\\d+)`).exec(text)?.[1])
}

test('attacks on assertions: no token for any of them, and each is counted', async (t) => {
  const now = Math.floor(Date.now() / 1000)
  const stranger = await generateKeyPair('ES256')
  const attacks: Record<string, string> = {
    'meant for another issuer': await assertion({ claims: { aud: 'http://evil.test' } }),
    'meant for several': await assertion({ claims: { aud: [ISSUER, 'http://evil.test'] } }),
    'meant for whatever the Host header says': await assertion({ claims: { aud: 'http://evil.test/api/v1/auth/token' } }),
    'expired': await assertion({ claims: { iat: now - 100, exp: now - 60 } }),
    'valid for a day': await assertion({ claims: { exp: now + 86_400 } }),
    'without expiry': await assertion({ claims: { exp: undefined } }),
    'without an id': await assertion({ claims: { jti: undefined } }),
    'not valid yet': await assertion({ claims: { nbf: now + 600 } }),
    'signed by a stranger': await assertion({ key: stranger.privateKey }),
    'in another account’s name': await assertion({ claims: { iss: 'acgs-council', sub: 'acgs-council' } }),
    'for another subject': await assertion({ claims: { sub: 'acgs-council' } }),
    'of an unknown account': await assertion({ claims: { iss: 'nobody', sub: 'nobody' } }),
    'alg none': `${unsigned({ alg: 'none' }, claimsOf(await assertion()))}.`,
    'HS256': await assertion({ alg: 'HS256', key: Buffer.alloc(32, 1) }),
  }
  for (const [name, attack] of Object.entries(attacks)) {
    await t.test(name, async () => {
      const before = await countOf('client')
      const { status, body } = await ask(attack, {}, { host: 'evil.test' })
      assert.equal(status, 401, JSON.stringify(body))
      assert.equal(body['error'], 'invalid_client')
      assert.equal(await countOf('client'), before + 1)
    })
  }
  assert.equal((await ask(await assertion())).status, 200, 'the assertion from which the attacks were made is right')
})

test('an assertion counts once: the second time, after a restart, and when both arrive at the same moment', async () => {
  const used = await assertion()
  assert.equal((await ask(used)).status, 200)
  assert.equal((await ask(used)).status, 401)

  const config = readConfig({ env: { ACGS_SECURITY_TOKEN_ISSUER: ISSUER }, dataFolder: dataDir })
  const restarted = await startAuth({ config, version: '8.0.0', constitution, database: db, telemetry })
  const payload = new URLSearchParams({ grant_type: 'client_credentials', client_assertion_type: ASSERTION_TYPE, client_assertion: used }).toString()
  const again = await restarted.server.app.inject({ method: 'POST', url: '/api/v1/auth/token', headers: { 'content-type': 'application/x-www-form-urlencoded' }, payload })
  assert.equal(again.statusCode, 401)
  await restarted.server.close({ drainMs: 0, deadlineMs: 100 })

  for (let round = 0; round < 5; round++) {
    const fresh = await assertion()
    const statuses = (await Promise.all([1, 2, 3, 4].map(() => ask(fresh)))).map(({ status }) => status).sort()
    assert.deepEqual(statuses, [200, 401, 401, 401])
  }
})

test('sabotage: a memory that replaces instead of inserting would let the same assertion count twice', async () => {
  const careful = memoryIn(db)('ReplayDetection')
  await careful.upsert('same', { jti: 'same' } as never, 60)
  await assert.rejects(careful.upsert('same', { jti: 'same' } as never, 60), { error: 'invalid_client' })
  const replacing = memoryIn(db)('Session') // For other models, replacing is what is wanted.
  await replacing.upsert('same', { jti: 'same' } as never, 60)
  await replacing.upsert('same', { jti: 'same' } as never, 60)
})

test('the command prints the bare token, or what it is as JSON; its refusals are one line that says what to do', async () => {
  const acgs = async (...args: string[]) => {
    const env = { ...process.env, ACGS_SECURITY_TOKEN_ISSUER: ISSUER, AUTH_SERVICE_URL: authUrl, DATABASE_URL: '' }
    return new Promise<{ exit: number; out: string; err: string }>((resolve) => {
      execFile(process.execPath, [join(ROOT, 'src/main.ts'), 'token', ...args], { env }, (error, out, err) => resolve({ exit: Number(error?.code ?? 0), out, err }))
    })
  }
  const [bare, json, wrong, keyless] = await Promise.all([
    acgs('--role', 'council', '--data', dataDir), acgs('--role', 'operator', '--data', dataDir, '--json'), acgs('--role', 'king'), acgs('--data', join(dataDir, 'none')),
  ])
  assert.equal(bare.exit, 0, bare.err)
  assert.deepEqual((await judge(bare.out.trim())).body['roles'], ['council'])
  const shown = JSON.parse(json.out)
  assert.deepEqual([shown.token_type, shown.expires_in, shown.role], ['Bearer', 900, 'operator'])
  assert.equal((await judge(shown.access_token)).status, 200)
  assert.equal(wrong.exit, 2)
  assert.match(wrong.err, /author, council, operator, service/)
  assert.notEqual(keyless.exit, 0)
  assert.match(keyless.err, /start the server once.*in production.*\/client-acgs-author\.jwk\.json/)
})

test('used assertions are forgotten once they have expired', async () => {
  await db.query(`insert into auth.oidc_payloads (model, id, payload, expires_at) values ('ReplayDetection', 'old', '{}', now() - interval '1 hour')`)
  await ask(await assertion())
  const { rows } = await db.query('select id from auth.oidc_payloads where expires_at < now()')
  assert.deepEqual(rows, [])
})

test('a scope narrows the roles, and never widens them', async () => {
  const own = await ask(await assertion(), { scope: 'acgs:author' })
  assert.deepEqual(claimsOf(own.body['access_token']!)['roles'], ['author'])
  const foreign = await ask(await assertion(), { scope: 'acgs:council' })
  assert.equal(foreign.status, 400)
  assert.equal(foreign.body['error'], 'invalid_scope')
})

test('other grants, other audiences and passwords are refused', async () => {
  for (const [more, error] of [
    [{ grant_type: 'authorization_code' }, /unsupported_grant_type|unauthorized_client|invalid_request/],
    [{ grant_type: 'password' }, /unsupported_grant_type/],
    [{ resource: 'urn:other' }, /invalid_target/],
  ] as const) {
    const { status, body } = await ask(await assertion(), more)
    assert.equal(status, 400, JSON.stringify(more))
    assert.match(body['error']!, error)
  }
  const basic = await auth.server.app.inject({
    method: 'POST', url: '/api/v1/auth/token', payload: 'grant_type=client_credentials',
    headers: { authorization: `Basic ${Buffer.from('acgs-author:secret').toString('base64')}`, 'content-type': 'application/x-www-form-urlencoded' },
  })
  assert.equal(basic.statusCode, 401)
})

test('the token endpoint has the headers of every other, also for what is not a form', async () => {
  for (const [contentType, payload] of [['application/json', '{}'], ['text/plain', 'x'], ['application/x-www-form-urlencoded', `a=${'x'.repeat(100_000)}`]] as const) {
    const reply = await auth.server.app.inject({ method: 'POST', url: '/api/v1/auth/token', headers: { 'content-type': contentType }, payload })
    assert.equal(reply.statusCode, 400, contentType)
    assert.equal(reply.headers['x-constitutional-hash'], constitution.hash)
    assert.equal(reply.headers['x-frame-options'], 'DENY')
    assert.ok(reply.headers['x-request-id'])
    assert.match(String(reply.headers['content-type']), /json/)
  }
  const mismatch = await auth.server.app.inject({ method: 'POST', url: '/api/v1/auth/token', headers: { 'x-constitutional-hash': 'x' } })
  assert.equal(mismatch.statusCode, 400)
  assert.equal((await auth.server.app.inject('/api/v1/auth/token')).statusCode, 405)
})

test('what the library could do besides is not there', async () => {
  for (const path of ['/auth', '/api/v1/auth/authorize', '/token', '/me', '/session/end', '/reg', '/interaction/x', '/request', '/jwks']) {
    assert.equal((await auth.server.app.inject(path)).statusCode, 404, path)
  }
})

test('discovery and info say what is there, under the configured name and not under that of the Host header', async () => {
  const reply = await auth.server.app.inject({ url: '/.well-known/oauth-authorization-server', headers: { host: 'evil.test' } })
  assert.deepEqual([reply.json().issuer, reply.json().token_endpoint], [ISSUER, `${ISSUER}/api/v1/auth/token`])
  assert.deepEqual((await auth.server.app.inject('/.well-known/openid-configuration')).json(), reply.json())
  const info = (await auth.server.app.inject('/api/v1/auth/info')).json()
  assert.deepEqual(info.roles.map((each: { role: string }) => each.role), [...ROLES])
  assert.equal(info.constitutional_hash, constitution.hash)
})

test('neither tokens nor assertions are logged', async () => {
  const { accessToken } = await obtainToken({ dataDir, role: 'author', authUrl, issuer: ISSUER })
  const used = await assertion()
  await ask(used)
  await ask(used)
  await judge(accessToken)
  const log = lines.join('')
  assert.match(log, /token issued/)
  for (const secret of [accessToken, used]) for (const part of secret.split('.').slice(1)) assert.equal(log.includes(part), false)
})

test('with the database away nobody gets a token, tokens are still judged, and health says so', async () => {
  const broken = { ...db, query: () => Promise.reject(new Failure('DATABASE_UNAVAILABLE', 'the database does not answer')) } as unknown as TestDatabase
  const config = readConfig({ env: { ACGS_SECURITY_TOKEN_ISSUER: ISSUER }, dataFolder: dataDir })
  const without = await startAuth({ config, version: '8.0.0', constitution, database: broken, telemetry: telemetryInto([]) })
  const payload = new URLSearchParams({ grant_type: 'client_credentials', client_assertion_type: ASSERTION_TYPE, client_assertion: await assertion() }).toString()
  const reply = await without.server.app.inject({ method: 'POST', url: '/api/v1/auth/token', headers: { 'content-type': 'application/x-www-form-urlencoded' }, payload })
  assert.equal(reply.statusCode, 503)
  assert.equal(reply.json().error, 'temporarily_unavailable')
  assert.equal((await without.server.app.inject('/health')).statusCode, 503)
  const judged = await without.server.app.inject({ method: 'POST', url: '/auth/verify', headers: { authorization: `Bearer ${await forged()}` } })
  assert.equal(judged.statusCode, 200)
  await without.server.close({ drainMs: 0, deadlineMs: 100 })
})

test('generated keys can be read by their owner only, are kept, and are refused once others may read them', () => {
  const folder = join(mkdtempSync(join(tmpdir(), 'keys-')), 'keys')
  const first = embeddedKeys(folder)
  assert.equal(statSync(folder).mode & 0o777, 0o700)
  for (const file of readdirSync(folder)) assert.equal(statSync(join(folder, file)).mode & 0o777, 0o600, file)
  assert.deepEqual(embeddedKeys(folder), first)
  chmodSync(join(folder, 'token-signing.jwk.json'), 0o644)
  assert.throws(() => embeddedKeys(folder), (error) => error instanceof Failure && error.code === 'KEY_INVALID' && /chmod 600/.test(error.message))
})

test('a mounted secret may be readable by the group that root gave it to, and by nobody else', () => {
  const [root, node] = [0, 1000]
  const cases = [[0o600, node, node, false], [0o640, node, node, true], [0o440, root, node, false], [0o444, root, node, true], [0o460, root, node, true], [0o440, root, root, true], [0o640, node, root, true]] as const
  for (const [mode, uid, self, expected] of cases) assert.equal(isOpen({ mode: 0o100_000 | mode, uid }, self), expected, `${mode.toString(8)} of ${uid}, read by ${self}`)
})

test('production generates nothing', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'production-'))
  const config = readConfig({ env: {}, dataFolder: folder })
  const production = { ...config, service: { ...config.service, environment: 'production' as const } }
  await assert.rejects(startAuth({ config: production, version: '8.0.0', constitution, database: db, telemetry: telemetryInto([]) }), (error) => error instanceof Failure && error.code === 'CONFIG_INVALID')
  assert.equal(existsSync(keysFolder(folder)), false)
})

test('production takes its keys and accounts from files, and publishes the old key beside the new one', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'production-'))
  const made = () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' })
  const [current, previous, client] = [made(), made(), made()]
  const { d: _, ...publicClient } = client
  const signingKeyFile = join(folder, 'signing.json')
  const serviceAccountsFile = join(folder, 'accounts.json')
  writeFileSync(signingKeyFile, JSON.stringify({ keys: [current, previous] }))
  writeFileSync(serviceAccountsFile, JSON.stringify([{ client_id: 'both', roles: ['author', 'operator'], jwks: { keys: [publicClient] } }]))
  const config = readConfig({
    process: 'auth',
    dataFolder: folder,
    env: {
      ACGS_SERVICE_ENVIRONMENT: 'production', DATABASE_URL: db.url, ACGS_SECURITY_TOKEN_ISSUER: ISSUER,
      ACGS_SECURITY_SIGNING_KEY_FILE: signingKeyFile, ACGS_SECURITY_SERVICE_ACCOUNTS_FILE: serviceAccountsFile,
    },
  })
  const { server } = await startAuth({ config, version: '8.0.0', constitution, database: db, telemetry: telemetryInto([]) })
  const keys = (await server.app.inject('/.well-known/jwks.json')).json().keys
  assert.equal(keys.length, 2)
  assert.ok(keys.every((key: object) => !('d' in key)))
  const client_assertion = await assertion({ claims: { iss: 'both', sub: 'both' }, key: await importJWK({ ...client }, 'ES256') })
  const reply = await server.app.inject({
    method: 'POST', url: '/api/v1/auth/token', headers: { 'content-type': 'application/x-www-form-urlencoded' },
    payload: new URLSearchParams({ grant_type: 'client_credentials', client_assertion_type: ASSERTION_TYPE, client_assertion, scope: 'acgs:operator' }).toString(),
  })
  assert.deepEqual(claimsOf(reply.json().access_token)['roles'], ['operator'])
  assert.equal(existsSync(keysFolder(folder)), false, 'nothing was generated')
  await server.close({ drainMs: 0, deadlineMs: 100 })
})

test('a file that is not what it should be is named, with what it should be', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bad-'))
  const file = join(folder, 'x.json')
  const refusal = (text: string, read: (path: string) => unknown) => {
    writeFileSync(file, text)
    try {
      read(file)
    } catch (error) {
      assert(error instanceof Failure && error.code === 'KEY_INVALID', String(error))
      return error.message
    }
    return assert.fail('accepted')
  }
  assert.match(refusal('{', readSigningKeys), /not JSON/)
  assert.match(refusal('{"kty":"RSA"}', readSigningKeys), /not a private P-256 key/)
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' })
  assert.match(refusal(JSON.stringify({ ...privateKey.export({ format: 'jwk' }), x: other.x }), readSigningKeys), /do not belong together/)
  assert.match(refusal('[{"client_id":"a","roles":["root"],"jwks":{"keys":[]}}]', readServiceAccounts), /roles/)
  assert.throws(() => readSigningKeys(join(folder, 'none')), /ENOENT/)
})

test('asking for a token says what to do when there is no key, no server, or another server', async () => {
  const empty = mkdtempSync(join(tmpdir(), 'empty-'))
  await assert.rejects(obtainToken({ dataDir: empty, role: 'author', authUrl }), /start the server once/)
  await assert.rejects(obtainToken({ dataDir, role: 'author', authUrl: 'http://127.0.0.1:1' }), /does not answer.*acgs serve/)
  embeddedKeys(keysFolder(empty))
  await assert.rejects(obtainToken({ dataDir: empty, role: 'author', authUrl, issuer: ISSUER }), /does the data folder .* belong to the server/)
  await assert.rejects(obtainToken({ dataDir, role: 'author', authUrl, issuer: 'http://another.name' }), (error: Error) => error.message.includes(`Auth calls itself ${ISSUER}, and was addressed as http://another.name`))
})

test('a member of the council gets an approval of one content, which verifies against the published keys and is logged', async () => {
  const approve = (token: string, body: object) => auth.server.app.inject({
    method: 'POST', url: '/api/v1/auth/approvals', headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, payload: JSON.stringify(body),
  })
  const { accessToken } = await obtainToken({ dataDir, role: 'council', authUrl, issuer: ISSUER })
  const of = { application: 'clinic', digest: 'ab'.repeat(32) }
  const reply = await approve(accessToken, { ...of, revision: 3 })
  assert.equal(reply.statusCode, 200, reply.body)
  const { approval_token, expires_at } = reply.json() as { approval_token: string; expires_at: string }
  assert.ok(Math.abs(Date.parse(expires_at) - Date.now() - 3_600_000) < 10_000)

  const verify = createApprovalVerifier({ issuer: ISSUER, keys: createLocalJWKSet(await auth.jwks()) })
  const { member, jti } = await verify(approval_token, of)
  assert.equal(member, 'acgs-council')
  const logged = lines.map((line) => JSON.parse(line)).find(({ msg }) => msg === 'approval signed')
  assert.deepEqual([logged.member, logged.jti, logged.application, logged.revision, logged.digest], [member, jti, of.application, 3, of.digest])
  assert.equal(lines.some((line) => line.includes(approval_token)), false)

  assert.equal((await judge(approval_token)).status, 401, 'it opens no door')
  assert.equal((await approve(approval_token, { ...of, revision: 3 })).statusCode, 401, 'and begets no other')
  for (const role of ROLES.filter((each) => each !== 'council')) {
    assert.equal((await approve((await obtainToken({ dataDir, role, authUrl, issuer: ISSUER })).accessToken, { ...of, revision: 3 })).statusCode, 403, role)
  }
  for (const bad of [{ ...of, revision: 3, digest: 'AB'.repeat(32) }, { ...of, revision: 3, digest: 'ab' }, { ...of, revision: 0 }, { ...of, revision: 3, application: '../x' }, of, { ...of, revision: 3, roles: ['council'] }]) {
    assert.equal((await approve(accessToken, bad)).statusCode, 400, JSON.stringify(bad))
  }
})

test('an account gets tokens for the audiences that are its own, and keeps each until shortly before it expires', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'peers-'))
  const key = embeddedKeys(folder).signing.current // Any P-256 key does for a client.
  const keyFile = join(folder, 'token-signing.jwk.json')
  const { d: _, ...publicKey } = key
  const signing = join(folder, 'signing.json')
  writeFileSync(signing, JSON.stringify(await exportJWK((await generateKeyPair('ES256', { extractable: true })).privateKey)))
  const accounts = join(folder, 'accounts.json')
  writeFileSync(accounts, JSON.stringify([
    { client_id: 'acgs-platform', roles: ['service'], audiences: ['peers'], jwks: { keys: [publicKey] } },
    { client_id: 'shop', roles: ['service'], jwks: { keys: [publicKey] } },
  ]))
  const config = readConfig({ env: { ACGS_SECURITY_TOKEN_ISSUER: ISSUER, ACGS_SECURITY_SIGNING_KEY_FILE: signing, ACGS_SECURITY_SERVICE_ACCOUNTS_FILE: accounts }, dataFolder: folder })
  const server = await startAuth({ config, version: '8.0.0', constitution, database: db, telemetry: telemetryInto([]) })
  const url = `http://127.0.0.1:${(await server.server.listen({ host: '127.0.0.1', port: 0 })).port}`
  try {
    const ask = (clientId: string, resource?: string) => requestToken({ clientId, key, scope: 'acgs:service', ...(resource === undefined ? {} : { resource }), authUrl: url, issuer: ISSUER, remedy: 'r' })
      .then(({ accessToken }) => claimsOf(accessToken)['aud'], (error: Failure) => error.code)
    assert.equal(await ask('acgs-platform'), 'urn:acgs-pgp-v8:peers')
    assert.equal(await ask('acgs-platform', 'urn:acgs-pgp-v8:peers'), 'urn:acgs-pgp-v8:peers')
    assert.equal(await ask('acgs-platform', 'urn:acgs-pgp-v8'), 'UNAUTHENTICATED', 'it is no user')
    assert.equal(await ask('shop'), 'urn:acgs-pgp-v8')
    assert.equal(await ask('shop', 'urn:acgs-pgp-v8:peers'), 'UNAUTHENTICATED', 'it is no peer')
    assert.equal(await ask('shop', 'urn:other'), 'UNAUTHENTICATED')

    let now = Date.now()
    const token = peerTokens({ clientId: 'acgs-platform', keyFile, audience: 'urn:acgs-pgp-v8:peers', authUrl: url, issuer: ISSUER, now: () => now })
    const [first, second] = await Promise.all([token(), token()])
    assert.equal(first, second)
    assert.equal((await server.authenticate(`Bearer ${first}`, 'peers')).clientId, 'acgs-platform')
    await assert.rejects(async () => server.authenticate(`Bearer ${first}`), /somebody else/)
    now += 860_000
    assert.equal(await token(), first)
    now += 15_000
    const renewed = await token()
    assert.notEqual(renewed, first)
    await server.server.close({ drainMs: 0, deadlineMs: 0 })
    now += 880_000
    assert.equal(await token(), renewed, 'Auth is out, and what it gave still counts')
    now += 60_000
    await assert.rejects(token(), (error) => error instanceof Failure && error.code === 'PEER_UNAVAILABLE' && /Auth does not answer/.test(error.message))
  } finally {
    await server.server.close({ drainMs: 0, deadlineMs: 0 })
  }
})

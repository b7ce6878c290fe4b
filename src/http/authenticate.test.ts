import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SignJWT, createLocalJWKSet, exportJWK, generateKeyPair } from 'jose'
import type { JSONWebKeySet } from 'jose'
import { Failure } from '#core/failure.ts'
import { authenticator, authorize, bearer, createVerifier, publishedKeys, tokenFrom } from './authenticate.ts'

async function keyPair(kid: string, alg = 'ES256') {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
  const jwk = { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' }
  const sign = () => new SignJWT({ client_id: 'c', roles: ['author'] }).setProtectedHeader({ alg, typ: 'at+jwt', kid })
    .setIssuer('http://i').setAudience('urn:a').setSubject('s').setJti('j').setIssuedAt().setExpirationTime('1 minute').sign(privateKey)
  return { jwk, sign }
}

/** Auth as others see it: what it publishes, whether it answers, and how often it was asked. */
function authThat(keys: object[]) {
  const state = { keys, isOut: false, asked: 0, at: 0 }
  const source = publishedKeys({
    fetchKeys: async () => {
      state.asked++
      if (state.isOut) throw new Error('ECONNREFUSED')
      return { keys: [...state.keys] } as JSONWebKeySet
    },
    refreshMs: 1_000, cooldownMs: 100, now: () => state.at,
  })
  const authenticate = bearer(createVerifier({ issuer: 'http://i', audience: 'urn:a', keys: source, tokenBytesMax: 4_096, clockToleranceSeconds: 5 }))
  return { state, judge: async (token: string) => authenticate(`Bearer ${token}`) }
}

const failsWith = (code: string, reason: string) => (error: unknown) => error instanceof Failure && error.code === code && error.details['reason'] === reason

test('a caller is who the token says, under ES256 and under EdDSA', async () => {
  for (const alg of ['ES256', 'EdDSA']) {
    const key = await keyPair('k', alg)
    const { judge } = authThat([key.jwk])
    assert.deepEqual(await judge(await key.sign()), { subject: 's', clientId: 'c', roles: ['author'] })
  }
})

test('keys are fetched once, not for every token', async () => {
  const key = await keyPair('k')
  const { state, judge } = authThat([key.jwk])
  await Promise.all([1, 2, 3].map(async () => judge(await key.sign())))
  await judge(await key.sign())
  assert.equal(state.asked, 1)
})

test('while Auth is out and nothing is known, a token cannot be judged; that is not the caller’s fault', async () => {
  const key = await keyPair('k')
  const { state, judge } = authThat([key.jwk])
  state.isOut = true
  await assert.rejects(async () => judge(await key.sign()), failsWith('AUTH_UNAVAILABLE', 'unavailable'))
  state.isOut = false
  state.at += 200
  assert.equal((await judge(await key.sign())).subject, 's')
})

test('while Auth is out, what was known still counts', async () => {
  const key = await keyPair('k')
  const { state, judge } = authThat([key.jwk])
  await judge(await key.sign())
  state.isOut = true
  state.at += 3_600_000
  assert.equal((await judge(await key.sign())).subject, 's')
})

test('a key that Auth began to use is found at once; unknown ones do not make us ask without end', async () => {
  const [old, fresh, stranger] = [await keyPair('old'), await keyPair('new'), await keyPair('stranger')]
  const { state, judge } = authThat([old.jwk])
  await judge(await old.sign())
  state.keys.unshift(fresh.jwk)
  state.at += 200
  assert.equal((await judge(await fresh.sign())).subject, 's')
  assert.equal(state.asked, 2)
  for (let i = 0; i < 10; i++) await assert.rejects(async () => judge(await stranger.sign()), failsWith('UNAUTHENTICATED', 'unknown_key'))
  assert.equal(state.asked, 2)
})

test('a key that Auth no longer publishes stops counting once keys were fetched again', async () => {
  const [old, fresh] = [await keyPair('old'), await keyPair('new')]
  const { state, judge } = authThat([old.jwk])
  await judge(await old.sign())
  state.keys = [fresh.jwk]
  state.at += 2_000
  await judge(await fresh.sign())
  await assert.rejects(async () => judge(await old.sign()), failsWith('UNAUTHENTICATED', 'unknown_key'))
})

test('the header must be a bearer token and nothing else', () => {
  assert.equal(tokenFrom('bearer a.b-c_d'), 'a.b-c_d')
  assert.throws(() => tokenFrom(undefined), failsWith('UNAUTHENTICATED', 'missing'))
  for (const header of ['', 'Bearer', 'Bearer ', 'Basic abc', 'Bearer a b', 'Bearer a,b', 'Bearer ä', 'a.b.c']) {
    assert.throws(() => tokenFrom(header), failsWith('UNAUTHENTICATED', 'malformed'), header)
  }
})

test('one of the roles suffices, and none is not one', () => {
  const caller = { subject: 's', clientId: 'c', roles: ['author', 'operator'] as const }
  authorize(caller, ['operator'])
  assert.throws(() => authorize(caller, ['council']), failsWith('FORBIDDEN', 'role'))
  assert.throws(() => authorize({ ...caller, roles: [] }, ['author']), /the token has no role/)
  assert.throws(() => authorize(caller, []), failsWith('FORBIDDEN', 'role'))
})

test('tokens of users and of peers are told apart: neither opens the other’s doors', async () => {
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })
  const keys = createLocalJWKSet({ keys: [{ ...(await exportJWK(publicKey)), kid: 'k', alg: 'ES256' }] })
  const { authenticate } = authenticator({ tokenIssuer: 'http://i', tokenAudience: 'urn:a', peerAudience: 'urn:a:peers', tokenBytesMax: 4_096, clockToleranceSeconds: 5 }, keys)
  const tokenFor = (audience: string) => new SignJWT({ client_id: 'c', roles: ['operator', 'service'] }).setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: 'k' })
    .setIssuer('http://i').setAudience(audience).setSubject('s').setJti('j').setIssuedAt().setExpirationTime('1 minute').sign(privateKey)
  const [user, peer, stranger] = [await tokenFor('urn:a'), await tokenFor('urn:a:peers'), await tokenFor('urn:b')]
  const judge = (token: string, audience?: 'users' | 'peers' | 'either') => Promise.resolve(authenticate(`Bearer ${token}`, audience)).then(({ roles }) => roles.join(' '), (error: Failure) => error.details['reason'])
  assert.deepEqual(await Promise.all([judge(user), judge(user, 'users'), judge(user, 'peers'), judge(user, 'either')]), ['operator service', 'operator service', 'operator', 'operator service'])
  assert.deepEqual(await Promise.all([judge(peer), judge(peer, 'users'), judge(peer, 'peers'), judge(peer, 'either')]), ['audience', 'audience', 'operator service', 'operator service'])
  assert.deepEqual(await Promise.all([judge(stranger), judge(stranger, 'peers'), judge(stranger, 'either')]), ['audience', 'audience', 'audience'])
  const usersOnly = bearer(createVerifier({ issuer: 'http://i', audience: 'urn:a', keys, tokenBytesMax: 4_096, clockToleranceSeconds: 5 }))
  assert.deepEqual((await usersOnly(`Bearer ${user}`, 'peers')).roles, ['operator'])
})

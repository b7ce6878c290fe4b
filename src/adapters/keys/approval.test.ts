import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import { SignJWT, compactVerify, createLocalJWKSet, exportJWK, generateKeyPair } from 'jose'
import { Failure } from '#core/failure.ts'
import { approvalClaims } from '#core/revision/approval.ts'
import { createVerifier } from '#http/authenticate.ts'
import { createApprovalVerifier, signApproval } from './approval.ts'

const ISSUER = 'http://auth.test'
const AT = new Date('2026-11-24T10:00:00Z')
const OF = { application: 'clinic', digest: 'a'.repeat(64) }

const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })
const stranger = await generateKeyPair('ES256', { extractable: true })
const own = { ...(await exportJWK(privateKey)), kid: 'k1' }
const published = { ...(await exportJWK(publicKey)), kid: 'k1', alg: 'ES256', use: 'sig' }
const keys = createLocalJWKSet({ keys: [published] })
const at = (later: number) => createApprovalVerifier({ issuer: ISSUER, keys, now: () => new Date(AT.getTime() + later * 1000) })
const by = { member: 'carol', roles: ['council'], issuer: ISSUER, jti: 'j1', at: AT }
const right = () => signApproval(OF, by, own)

/** Signed with Auth's own key: what only Auth, or its thief, could make. */
const forged = (claims: Record<string, unknown> = {}, header: Record<string, unknown> = {}, key = privateKey) =>
  new SignJWT({ ...approvalClaims(OF, by), ...claims }).setProtectedHeader({ alg: 'ES256', typ: 'acgs-approval+jwt', kid: 'k1', ...header }).sign(key)

const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')

const refusal = (run: Promise<unknown>) => run.then(
  () => assert.fail('it was accepted'),
  (error: unknown) => {
    assert.ok(error instanceof Failure && error.code === 'APPROVAL_INVALID', String(error))
    return error.details['reason']
  },
)

test('an approval names its member, its moment and its number', async () => {
  assert.deepEqual(await at(10)(await right(), OF), { member: 'carol', at: AT, jti: 'j1' })
})

test('what was handed in in time goes on counting, but nothing is new after its hour', async () => {
  assert.equal(await refusal(at(3_606)(await right(), OF)), 'expired')
  assert.equal((await at(86_400 * 400)(await right(), OF, { at: 'recorded' })).member, 'carol')
})

test('hostile approvals are refused, fresh or recorded alike, each for its own reason', async (t) => {
  const iat = Math.floor(AT.getTime() / 1000)
  const claims = approvalClaims(OF, by)
  const hs256 = `${part({ alg: 'HS256', typ: 'acgs-approval+jwt', kid: 'k1' })}.${part(claims)}`
  const access = { iss: ISSUER, aud: 'urn:acgs-pgp-v8', sub: 'carol', iat, exp: iat + 900, jti: 'j', client_id: 'carol', roles: ['council'] }
  const [h, , s] = (await right()).split('.') as [string, string, string]
  const attacks: Record<string, { token: string; reason: string }> = {
    'an access token of a member': { token: await new SignJWT(access).setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: 'k1' }).sign(privateKey), reason: 'type' },
    'the audience of access tokens': { token: await forged({ aud: 'urn:acgs-pgp-v8' }), reason: 'audience' },
    'two audiences': { token: await forged({ aud: ['urn:acgs-pgp-v8:approvals', 'urn:acgs-pgp-v8'] }), reason: 'claims' },
    'another issuer': { token: await forged({ iss: 'http://evil.test' }), reason: 'issuer' },
    'another digest': { token: await signApproval({ ...OF, digest: 'b'.repeat(64) }, by, own), reason: 'digest' },
    'another application': { token: await signApproval({ ...OF, application: 'bank' }, by, own), reason: 'application' },
    'a member without the council’s role': { token: await signApproval(OF, { ...by, roles: ['author', 'operator'] }, own), reason: 'role' },
    'two things approved at once': { token: await forged({ authorization_details: [...claims.authorization_details, ...claims.authorization_details] }), reason: 'claims' },
    'nothing approved': { token: await forged({ authorization_details: [] }), reason: 'claims' },
    'another kind of approval': { token: await forged({ authorization_details: [{ type: 'payment', ...OF }] }), reason: 'claims' },
    'from the future': { token: await forged({ iat: iat + 600, exp: iat + 900 }), reason: 'not_yet_valid' },
    'good for a year': { token: await forged({ exp: iat + 31_536_000 }), reason: 'claims' },
    'expired before it was issued': { token: await forged({ exp: iat - 1 }), reason: 'claims' },
    'no expiry': { token: await forged({ exp: undefined }), reason: 'claims' },
    'no number': { token: await forged({ jti: undefined }), reason: 'claims' },
    'a stranger’s signature under our key’s name': { token: await forged({}, {}, stranger.privateKey), reason: 'signature' },
    'a stranger’s key': { token: await forged({}, { kid: 'k2' }, stranger.privateKey), reason: 'unknown_key' },
    'a key brought along': { token: await forged({}, { jwk: await exportJWK(stranger.publicKey) }, stranger.privateKey), reason: 'signature' },
    'no name of a key': { token: await forged({}, { kid: undefined }), reason: 'unknown_key' },
    'no type': { token: await forged({}, { typ: undefined }), reason: 'type' },
    'alg none': { token: `${part({ alg: 'none', typ: 'acgs-approval+jwt', kid: 'k1' })}.${part(claims)}.`, reason: 'algorithm' },
    'HS256 with the public key as the secret': { token: `${hs256}.${createHmac('sha256', JSON.stringify(published)).update(hs256).digest('base64url')}`, reason: 'algorithm' },
    'a changed payload': { token: `${h}.${part({ ...claims, sub: 'dave' })}.${s}`, reason: 'signature' },
    'too long': { token: await forged({ sub: 'x'.repeat(5_000) }), reason: 'oversize' },
    'nonsense': { token: 'a.b.c', reason: 'malformed' },
  }
  for (const [name, { token, reason }] of Object.entries(attacks)) {
    await t.test(name, async () => {
      assert.equal(await refusal(at(10)(token, OF)), reason)
      assert.equal(await refusal(at(10)(token, OF, { at: 'recorded' })), reason)
    })
  }
})

test('sabotage: who looks at the signature alone lets those through, so the refusals are not luck', async () => {
  for (const claims of [{ aud: 'urn:acgs-pgp-v8' }, { iss: 'http://evil.test' }, { roles: [] }, { exp: undefined }]) assert.ok(await compactVerify(await forged(claims), publicKey))
  assert.ok(await compactVerify(await forged({}, { typ: 'at+jwt' }), publicKey))
})

test('an approval is no access token, even one that names our audience', async () => {
  const verify = createVerifier({ issuer: ISSUER, audience: 'urn:acgs-pgp-v8', keys, tokenBytesMax: 8_192, clockToleranceSeconds: 5, now: () => AT })
  for (const token of [await right(), await forged({ aud: 'urn:acgs-pgp-v8', client_id: 'carol' })]) {
    await assert.rejects(verify(token), (error) => error instanceof Failure && error.code === 'UNAUTHENTICATED')
  }
})

test('when no keys can be had, nobody is told that the approval is bad', async () => {
  const away = new Failure('AUTH_UNAVAILABLE', 'the keys of Auth cannot be had')
  const verify = createApprovalVerifier({ issuer: ISSUER, keys: () => Promise.reject(away), now: () => AT })
  await assert.rejects(verify(await right(), OF), (error) => error === away)
})

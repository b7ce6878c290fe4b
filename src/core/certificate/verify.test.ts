import assert from 'node:assert/strict'
import { generateKeyPairSync, sign, verify as verifySignature } from 'node:crypto'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { parsePolicies, parseSchema } from '#adapters/cedar/cedar.ts'
import { canonical } from '#core/canonical.ts'
import type { BoundArticle } from '#core/constitution/article.ts'
import { bind } from '#core/constitution/bind.ts'
import { parseConstitution } from '#core/constitution/constitution.ts'
import type { Assessment } from '#core/generate.ts'
import type { PolicySet } from '#core/policy/policy.ts'
import { semanticHash } from '#core/policy/semantic-hash.ts'
import type { Schema } from '#core/policy/schema.ts'
import type { Answer, Proof } from '#core/proof/proof.ts'
import { score } from '#core/compliance/judge.ts'
import { certificateId, certify, signedBytes, stateOf } from './statement.ts'
import { verify as verifyBytes, type VerifyPorts } from './verify.ts'

const constitution = parseConstitution(readFileSync(new URL('../../../constitutions/acgs.yaml', import.meta.url), 'utf8'))
const schema = parseSchema('entity User; entity Doc; action read appliesTo { principal: [User], resource: [Doc] };')
const policy = parsePolicies('permit(principal, action, resource);', schema)
const { privateKey, publicKey } = generateKeyPairSync('ed25519')
const other = generateKeyPairSync('ed25519')

/** A prover that says what it is told: verifying must ask it, whatever the certificate states. */
const saying = (answer: Answer) => async (_policy: PolicySet, _schema: Schema, articles: readonly BoundArticle[]): Promise<Proof[]> =>
  articles.map(() => ({ question: 'q', answer, environments: [], engines: [], inputDigest: '0'.repeat(64), limits: { rlimit: 1, timeoutMs: 1 } }))

function ports(change: Partial<VerifyPorts> = {}): VerifyPorts {
  return {
    isSignedBy: (keyid, bytes, signature) => (keyid === 'k' ? verifySignature(null, bytes, publicKey, signature) : null),
    parseSchema,
    parse: parsePolicies,
    bind: (document, over) => bind(parseConstitution(canonical(document)), over),
    proveArticles: saying({ kind: 'proved' }),
    at: new Date('2026-06-01'),
    ...change,
  }
}

const verify = (file: string | Uint8Array, use: VerifyPorts) => verifyBytes(typeof file === 'string' ? Buffer.from(file) : file, use)

async function certificate(key = privateKey, keyid = 'k') {
  const { bound, inapplicable } = bind(constitution, schema)
  const proofs = await saying({ kind: 'proved' })(policy, schema, bound)
  const examination = { proofs: bound.map(({ article }, i) => ({ article, proof: proofs[i] as Proof, mentions: [] })), inapplicable }
  const unit = {
    id: 'gen_1', schema, sentences: [],
    request: { title: 't', description: 'd', stakeholders: [], principles: [], priority: 'low', examples: [], explanations: [], complianceThreshold: 0.8, consensusRequired: false, multiModelValidation: false },
  } as const
  const assessment: Assessment = {
    measurements: [], syndrome: [], diagnosis: { kind: 'clean' }, corrections: [{ norms: [], policy, unread: [], independentWitnesses: 2, setAside: [] }],
    semanticHash: semanticHash(policy.rules, schema), examination, score: score(examination), verdict: { kind: 'compliant' },
  }
  const candidates = [{ method: 'controlled-english', readsText: true, lineage: 'x', cedar: policy.text, readings: [] }] as const
  const statement = stateOf({ unit, candidates }, assessment, { hash: 'cdd01ef066bc6cf2', digest: constitution.digest, document: constitution.document }, new Date('2026-01-01'), 365)
  return certify(statement, { keyid, sign: (bytes) => sign(null, bytes, key) })
}

test('what was signed and proved verifies, and every check says what it looked at', async () => {
  const { valid, checks } = await verify(canonical(await certificate()), ports())
  assert.equal(valid, true, JSON.stringify(checks.filter(({ ok }) => !ok)))
  assert.ok(checks.some(({ name }) => name.startsWith('proof ')))
})

test('the same statement gives the same certificate', async () => {
  assert.deepEqual(await certificate(), await certificate())
})

test('one flipped bit anywhere in the file makes it invalid', async () => {
  const file = Buffer.from(canonical(await certificate()))
  for (let at = 0; at < file.length; at += 1 + Math.floor(file.length / 400)) {
    for (const bit of [1, 32]) {
      const flipped = Buffer.from(file)
      flipped[at] = (flipped[at] as number) ^ bit
      const { valid } = await verify(flipped, ports())
      assert.equal(valid, false, `byte ${at} ^ ${bit}: ${flipped.subarray(at - 10, at + 10)}`)
    }
  }
})

test('a signature by another key, known or unknown, does not count', async () => {
  assert.equal((await verify(canonical(await certificate(other.privateKey)), ports())).valid, false)
  const { valid, checks } = await verify(canonical(await certificate(privateKey, 'stranger')), ports())
  assert.equal(valid, false)
  assert.match(checks.at(-1)?.detail ?? '', /not trusted here/)
})

test('a proof that does not come out again makes it invalid, whatever was signed', async () => {
  for (const answer of [{ kind: 'unknown', reason: 'timeout' }, { kind: 'refuted', counterexample: { principal: '', action: '', resource: '', context: {}, entities: [] } }] as const) {
    const { valid, checks } = await verify(canonical(await certificate()), ports({ proveArticles: saying(answer) }))
    assert.equal(valid, false)
    assert.ok(checks.some(({ name, ok }) => name.startsWith('proof ') && !ok))
  }
})

test('an expired certificate is not valid', async () => {
  const { valid, checks } = await verify(canonical(await certificate()), ports({ at: new Date('2028-01-01') }))
  assert.equal(valid, false)
  assert.deepEqual(checks.filter(({ ok }) => !ok).map(({ name }) => name), ['not expired'])
})

test('a correctly signed statement whose bodies do not fit their digests is not valid', async () => {
  const { envelope } = await certificate()
  const statement = JSON.parse(Buffer.from(envelope.payload, 'base64').toString())
  statement.predicate.bodies.policy = 'forbid(principal, action, resource);'
  const forged = certify(statement, { keyid: 'k', sign: (bytes) => sign(null, bytes, privateKey) })
  const { valid, checks } = await verify(canonical(forged), ports())
  assert.equal(valid, false)
  assert.ok(checks.some(({ name, ok }) => name === 'digest policy' && !ok))
})

test('whatever can be read but is no certificate is not valid: never an error', async () => {
  for (const file of ['', '{', 'null', '[]', '{"id":1}', '{"__proto__":{}}', '\u0000', canonical({ ...(await certificate()), extra: 1 })]) {
    assert.equal((await verify(file, ports())).valid, false, file.slice(0, 20))
  }
})

test('a member that is given twice is not valid, in the file and in what was signed: readers could show the other one', async () => {
  const { id, envelope } = await certificate()
  const twice = `{"id":"EVIL","envelope":${canonical(envelope)},"id":"${id}"}`
  assert.equal(JSON.parse(twice).id, id) // what the first half says would go unnoticed
  const { valid, checks } = await verify(twice, ports())
  assert.equal(valid, false)
  assert.match(checks.find(({ ok }) => !ok)?.detail ?? '', /file\.id: is given twice/)

  const statement = Buffer.from(envelope.payload, 'base64').toString()
  const payload = Buffer.from(statement.replace('"generationId":', '"generationId":"EVIL","generationId":'))
  const sig = sign(null, signedBytes(payload), privateKey).toString('base64')
  const signed = await verify(canonical({ id: certificateId(payload), envelope: { ...envelope, payload: payload.toString('base64'), signatures: [{ keyid: 'k', sig }] } }), ports())
  assert.equal(signed.valid, false)
  assert.match(signed.checks.find(({ ok }) => !ok)?.detail ?? '', /predicate\.generationId: is given twice/)
})

test('bytes that are not UTF-8 are not valid', async () => {
  const file = Buffer.from(canonical({ ...(await certificate()) }))
  assert.equal((await verify(Buffer.concat([file.subarray(0, 8), Buffer.from([0xff]), file.subarray(8)]), ports())).valid, false)
})

test('sabotage: a verifier that believes every signature lets a flipped bit pass the signature', async () => {
  const file = canonical(await certificate())
  const payload = /"payload":"([^"]+)"/.exec(file)?.[1] as string
  const statement = JSON.parse(Buffer.from(payload, 'base64').toString())
  statement.predicate.issuedAt = '2025-01-01T00:00:00.000Z'
  const forged = certify(statement, { keyid: 'k', sign: (bytes) => sign(null, bytes, other.privateKey) })
  assert.equal((await verify(canonical(forged), ports())).valid, false)
  assert.equal((await verify(canonical(forged), ports({ isSignedBy: () => true }))).valid, true)
})

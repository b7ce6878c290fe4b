import assert from 'node:assert/strict'
import { generateKeyPairSync, sign, verify as verifySignature } from 'node:crypto'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { parsePolicies, parseSchema } from '#adapters/cedar/cedar.ts'
import { createProver } from '#adapters/solver/prover.ts'
import { canonical, digest, sha256 } from '#core/canonical.ts'
import { score, type Examination } from '#core/compliance/judge.ts'
import type { BoundArticle } from '#core/constitution/article.ts'
import { bind } from '#core/constitution/bind.ts'
import { parseConstitution } from '#core/constitution/constitution.ts'
import type { Assessment } from '#core/generate.ts'
import { assemble } from '#core/policy/assemble.ts'
import type { PolicySet } from '#core/policy/policy.ts'
import { renderRules } from '#core/policy/render.ts'
import { semanticHash } from '#core/policy/semantic-hash.ts'
import type { Schema } from '#core/policy/schema.ts'
import type { Answer, Proof } from '#core/proof/proof.ts'
import { LIMITS } from '#core/proof/questions.ts'
import type { Norm } from '#core/unit/norm.ts'
import { certificateId, certify, signedBytes, stateOf, type Statement } from './statement.ts'
import { verify as verifyBytes, type VerifyPorts } from './verify.ts'

const constitution = parseConstitution(readFileSync(new URL('../../../constitutions/acgs.yaml', import.meta.url), 'utf8'))
const schema = parseSchema('entity User; entity Doc; action read appliesTo { principal: [User], resource: [Doc] };')
const norm: Norm = {
  id: 'N1', sentence: 1, source: 'Users may read docs.', modality: 'permit', principals: ['User'], actions: [{ type: 'Action', id: 'read' }], resources: ['Doc'],
  when: null, unless: null, obligation: null,
}
const policy = policyOf([norm], schema)
const { privateKey, publicKey } = generateKeyPairSync('ed25519')
const other = generateKeyPairSync('ed25519')

function policyOf(norms: readonly Norm[], over: Schema): PolicySet {
  return parsePolicies(renderRules(assemble(norms, over)), over)
}

/** A prover that says what it is told: verifying must ask it, whatever the certificate states. */
const saying = (answer: Answer) => async (_policy: PolicySet, _schema: Schema, articles: readonly BoundArticle[]): Promise<Proof[]> =>
  articles.map(() => ({ question: 'q', answer, environments: [], engines: [], inputDigest: '0'.repeat(64), basis: { folded: 1, certified: 0, solver: 0, steps: 0, certificates: null }, limits: { rlimit: 1, timeoutMs: 1 } }))

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
  return certify(statementOf(schema, [norm], { proofs: bound.map(({ article }, i) => ({ article, proof: proofs[i] as Proof, mentions: [] })), inapplicable }), signer(key, keyid))
}

function signer(key = privateKey, keyid = 'k') {
  return { keyid, sign: (bytes: Uint8Array) => sign(null, bytes, key) }
}

const sentences = ['Users may read docs.', 'This keeps docs tidy.', 'Nobody may moan.'].map((text, i) => ({ number: i + 1, text, start: 0, end: text.length, mayRule: i !== 1, isExplanation: i === 2 }))
const unread = [{ sentence: 2, text: 'This keeps docs tidy.', because: 'taken to rule nothing' }, { sentence: 3, text: 'Nobody may moan.', because: 'declared as explanation by the author' }]

function statementOf(over: Schema, norms: readonly Norm[], examination: Examination, complianceThreshold = 0.8): Statement {
  const made = policyOf(norms, over)
  const unit = {
    id: 'gen_1', schema: over, sentences,
    request: { title: 't', description: 'd', stakeholders: [], principles: [], priority: 'low', examples: [], explanations: [], complianceThreshold, consensusRequired: false, multiModelValidation: false },
  } as const
  const assessment: Assessment = {
    measurements: [], syndrome: [], diagnosis: { kind: 'clean' }, corrections: [{ norms, policy: made, unread, independentWitnesses: 2, setAside: [], vote: null }], objections: [], confidence: { value: null, because: '' },
    semanticHash: semanticHash(made.rules, over), examination, score: score(examination), verdict: { kind: 'compliant' },
  }
  const candidates = [{ method: 'controlled-english', readsText: true, lineage: 'x', cedar: made.text, readings: [] }] as const
  return stateOf({ unit, candidates }, assessment, {
    constitution: { hash: 'cdd01ef066bc6cf2', digest: constitution.digest, document: constitution.document }, author: 'ann', at: new Date('2026-01-01'), validDays: 365,
  })
}

test('what was signed and proved verifies, and every check says what it looked at', async () => {
  const { valid, checks } = await verify(canonical(await certificate()), ports())
  assert.equal(valid, true, JSON.stringify(checks.filter(({ ok }) => !ok)))
  assert.ok(checks.some(({ name }) => name.startsWith('proof ')))
})

test('the same statement gives the same certificate', async () => {
  assert.deepEqual(await certificate(), await certificate())
})

test('what no norm came from is signed, and what the author declared as explanation apart from it', async () => {
  const { predicate } = JSON.parse(Buffer.from((await certificate()).envelope.payload, 'base64').toString()) as Statement
  assert.deepEqual(predicate.unread, [{ sentence: 2, text: 'This keeps docs tidy.', because: 'taken to rule nothing', mayRule: false }])
  assert.deepEqual(predicate.explanations, [{ sentence: 3, text: 'Nobody may moan.' }])
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

test('by other engines or under other limits, a proof may rest on something else', async () => {
  const otherwise: VerifyPorts['proveArticles'] = async (...asked) => (await saying({ kind: 'proved' })(...asked)).map((proof) => ({ ...proof, inputDigest: '1'.repeat(64), limits: { rlimit: 2, timeoutMs: 1 } }))
  assert.equal((await verify(canonical(await certificate()), ports({ proveArticles: otherwise }))).valid, true)
})

test('an expired certificate is not valid', async () => {
  const { valid, checks } = await verify(canonical(await certificate()), ports({ at: new Date('2028-01-01') }))
  assert.equal(valid, false)
  assert.deepEqual(checks.filter(({ ok }) => !ok).map(({ name }) => name), ['not expired'])
})

/** A statement in which anything can be changed. */
type Draft = { -readonly [k in keyof Statement]: any }

/** What a trusted key could sign although it is not so, and the checks that notice: exactly these. */
const FALSE_STATEMENTS: readonly (readonly [what: string, falsify: (draft: Draft) => void, checks: readonly string[]])[] = [
  ['another subject', ({ subject }) => (subject[0].digest.sha256 = sha256('')), ['digest subject']],
  ['another digest of the policy', ({ predicate }) => (predicate.digests.policy = sha256('')), ['digest policy']],
  ['another digest of the schema', ({ predicate }) => (predicate.digests.schema = sha256('')), ['digest schema']],
  ['another digest of the constitution', ({ predicate }) => (predicate.digests.constitution = sha256('')), ['digest constitution']],
  ['another digest of the constitution, where it is shown', ({ predicate }) => (predicate.constitution.digest = sha256('')), ['digest constitution shown']],
  ['another digest of the norms', ({ predicate }) => (predicate.digests.norms = sha256('')), ['digest norms']],
  ['another digest of a candidate', ({ predicate }) => (predicate.digests.candidates['controlled-english'] = sha256('')), ['digest candidate controlled-english']],
  ['a candidate without a digest', ({ predicate }) => (predicate.bodies.candidates.guess = ''), ['digest candidate guess']],
  ['a digest without its candidate', ({ predicate }) => (predicate.digests.candidates.guess = sha256('x')), ['digest candidate guess']],
  ['an id that is neither inherited nor the document’s', ({ predicate }) => (predicate.constitution.hash = '0'.repeat(16)), ['constitution id']],
  ['an end before its beginning', ({ predicate }) => (predicate.issuedAt = '2027-01-02T00:00:00.000Z'), ['not expired']],
  ['an unread sentence that may rule', ({ predicate }) => (predicate.unread = [{ sentence: 2, text: 'Nobody may.', because: 'no verb', mayRule: true }]), ['unread']],
  ['norms that say something else than the policy', ({ predicate }) => withNorms(predicate, [{ ...norm, source: 'Users may do as they like.' }]), ['norms']],
  ['no norms', ({ predicate }) => withNorms(predicate, []), ['norms']],
  ['norms that are none', ({ predicate }) => withNorms(predicate, [null]), ['norms']],
  ['more articles that apply', ({ predicate }) => predicate.applicable.articles++, ['applicable']],
  ['fewer articles in all', ({ predicate }) => predicate.applicable.of--, ['applicable']],
  ['nothing that is missing', ({ predicate }) => (predicate.applicable.missing = []), ['applicable']],
  ['other concepts that are missing', ({ predicate }) => (predicate.applicable.missing[0].concepts = ['nothing']), ['applicable']],
  ['an article that is not there', ({ predicate }) => predicate.proofs.push({ ...predicate.proofs[0], article: 'privacy.moon' }), ['articles']],
  ['a hard article as a soft one', ({ predicate }) => (predicate.proofs[0].hard = !predicate.proofs[0].hard), ['articles']],
  ['another answer than the proof’s', ({ predicate }) => (predicate.proofs[0].answer = 'unknown'), ['proof security.well-defined']],
  ['another question than was asked', ({ predicate }) => (predicate.proofs[0].inputDigest = sha256('')), ['proof security.well-defined']],
  ['another certificate of a contradiction', ({ predicate }) => (predicate.proofs[0].basis.certificates = sha256('')), ['proof security.well-defined']],
  ['more certified than was', ({ predicate }) => predicate.proofs[0].basis.certified++, ['proof security.well-defined']],
  ['another score', ({ predicate }) => (predicate.score = 0.99), ['score']],
  ['no score', ({ predicate }) => (predicate.score = null), ['score']],
  ['a score below its threshold', ({ predicate }) => (predicate.threshold = 1.01), ['threshold']],
  ['another meaning', ({ predicate }) => (predicate.semanticHash = '0'.repeat(16)), ['semantic hash']],
  ['a member that is not known', ({ predicate }) => (predicate.approvedBy = 'everyone'), ['statement']],
  ['another kind of statement', (draft) => (draft._type = 'https://in-toto.io/Statement/v0.1'), ['statement']],
  ['another kind of predicate', (draft) => (draft.predicateType = 'https://example.org/anything'), ['statement']],
]

function withNorms(predicate: Draft['predicate'], norms: readonly unknown[]): void {
  predicate.bodies.norms = norms
  predicate.digests.norms = digest(norms)
}

for (const [what, falsify, expected] of FALSE_STATEMENTS) {
  test(`a trusted key signed ${what}: not valid, because of ${expected.join(' and ')}`, async () => {
    const draft = JSON.parse(Buffer.from((await certificate()).envelope.payload, 'base64').toString()) as Draft
    falsify(draft)
    const { valid, checks } = await verify(canonical(certify(draft as Statement, signer())), ports())
    assert.deepEqual(checks.filter(({ ok }) => !ok).map(({ name }) => name), expected)
    assert.equal(valid, false)
  })
}

test('a trusted key signed a policy that breaks a hard article, and said so: not valid, though every statement in it is true', async () => {
  const pack = readFileSync(new URL('../../../packs/data-protection/schema.cedarschema', import.meta.url), 'utf8')
  const over = parseSchema(pack)
  const anything: Norm = { ...norm, principals: [], actions: [], resources: [] }
  const { bound, inapplicable } = bind(constitution, over)
  await using prover = createProver(LIMITS)
  const proofs = await prover.proveArticles(policyOf([anything], over), over, bound)
  const examination = { proofs: bound.map(({ article }, i) => ({ article, proof: proofs[i] as Proof, mentions: [] })), inapplicable }
  const { valid, checks } = await verify(canonical(certify(statementOf(over, [anything], examination, 0), signer())), ports({ proveArticles: prover.proveArticles }))
  const broken = examination.proofs.filter(({ article, proof }) => article.hard && proof.answer.kind === 'refuted').map(({ article }) => `proof ${article.id}`)
  assert.ok(broken.length > 0)
  assert.deepEqual(checks.filter(({ ok }) => !ok).map(({ name }) => name), broken)
  assert.equal(valid, false)
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

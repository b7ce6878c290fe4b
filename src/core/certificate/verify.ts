import { z } from 'zod'
import { canonical, digest, sha256 } from '#core/canonical.ts'
import { score } from '#core/compliance/judge.ts'
import type { BoundArticle, Inapplicable } from '#core/constitution/article.ts'
import { INHERITED_ID } from '#core/constitution/inherited.ts'
import { Failure } from '#core/failure.ts'
import { examine } from '#core/generate.ts'
import { parseJson } from '#core/json.ts'
import { parseInput } from '#core/parse.ts'
import { policyOfNorms } from '#core/policy/assemble.ts'
import type { PolicySet } from '#core/policy/policy.ts'
import { semanticHash } from '#core/policy/semantic-hash.ts'
import type { Schema } from '#core/policy/schema.ts'
import type { Proof } from '#core/proof/proof.ts'
import type { Norm } from '#core/unit/norm.ts'
import { applicableOf, certificateId, PAYLOAD_TYPE, PREDICATE_TYPE, signedBytes, STATEMENT_TYPE, type Envelope, type StatedProof, type Statement } from './statement.ts'

/** One thing that was looked at, and whether it is as it must be. */
export type CertificateCheck = { readonly name: string; readonly ok: boolean; readonly detail: string }

export type Verification = { readonly valid: boolean; readonly checks: readonly CertificateCheck[]; readonly statement: Statement | null }

export type VerifyPorts = {
  readonly isSignedBy: IsSignedBy
  readonly parseSchema: (text: string) => Schema
  readonly parse: (text: string, schema: Schema) => PolicySet
  /** Reads a constitution's document and binds it to a schema. @throws {Failure} when it is none. */
  readonly bind: (document: unknown, schema: Schema) => { readonly bound: readonly BoundArticle[]; readonly inapplicable: readonly Inapplicable[] }
  readonly proveArticles: (policy: PolicySet, schema: Schema, articles: readonly BoundArticle[]) => Promise<readonly Proof[]>
  readonly at: Date
}

/** Conditions of norms are trees: a long list nests deeply. */
const LEVELS_MAX = 1_000

export const EnvelopeFile = z.strictObject({
  payloadType: z.literal(PAYLOAD_TYPE),
  payload: z.string(),
  signatures: z.array(z.strictObject({ keyid: z.string(), sig: z.string() })).length(1).readonly(),
})

/** The file's shape; a member that is not known is refused, so that nothing in the file stands outside of what was checked. */
export const CertificateFile = z.strictObject({
  id: z.string(),
  envelope: EnvelopeFile,
})

const Sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'is not a SHA-256 in hex')

/** The shape of what was signed; here too a member that is not known is refused. */
const StatementBody = z.strictObject({
  _type: z.literal(STATEMENT_TYPE),
  subject: z.tuple([z.strictObject({ name: z.literal('policy.cedar'), digest: z.strictObject({ sha256: Sha256 }) })]),
  predicateType: z.literal(PREDICATE_TYPE),
  predicate: z.strictObject({
    generationId: z.string(),
    author: z.string().min(1),
    issuedAt: z.iso.datetime(),
    expiresAt: z.iso.datetime(),
    applicable: z.strictObject({ articles: z.number(), of: z.number(), missing: z.array(z.strictObject({ article: z.string(), concepts: z.array(z.string()) })) }),
    unread: z.array(z.strictObject({ sentence: z.number(), text: z.string(), because: z.string(), mayRule: z.boolean() })),
    explanations: z.array(z.strictObject({ sentence: z.number(), text: z.string() })),
    constitution: z.strictObject({ hash: z.string(), digest: Sha256, document: z.unknown() }),
    score: z.number().nullable(),
    threshold: z.number(),
    independentWitnesses: z.number(),
    semanticHash: z.string(),
    stabilizers: z.strictObject({ version: z.string(), syndrome: z.array(z.number()), diagnosis: z.string(), corrected: z.strictObject({ setAside: z.array(z.string()), vote: z.strictObject({ from: z.string(), voters: z.array(z.strictObject({ method: z.string(), weight: z.number() })) }).nullable() }).exactOptional() }),
    proofs: z.array(z.strictObject({
      article: z.string(), hard: z.boolean(), answer: z.string(), inputDigest: Sha256,
      engines: z.array(z.strictObject({ name: z.string(), version: z.string() })), limits: z.strictObject({ rlimit: z.number(), timeoutMs: z.number() }),
      basis: z.strictObject({ folded: z.number(), certified: z.number(), solver: z.number(), steps: z.number(), certificates: Sha256.nullable() }),
    })),
    digests: z.strictObject({ policy: Sha256, schema: Sha256, constitution: Sha256, request: Sha256, norms: Sha256, candidates: z.record(z.string(), Sha256) }),
    bodies: z.strictObject({ policy: z.string(), schema: z.string(), norms: z.array(z.unknown()), candidates: z.record(z.string(), z.string()) }),
  }),
})

/** Whose signatures count: whether the key of that id signed these bytes; null when no such key is trusted. Trust never comes from the file. */
export type IsSignedBy = (keyid: string, bytes: Uint8Array, signature: Uint8Array) => boolean | null

/** What can be said of a certificate without proving anything again: form, signature, id, and every digest of what it carries. */
export function open(file: Uint8Array, isSignedBy: IsSignedBy): { readonly checks: readonly CertificateCheck[]; readonly statement: Statement | null } {
  const checks: CertificateCheck[] = []
  const check = (name: string, ok: boolean, detail: string) => {
    checks.push({ name, ok, detail })
    return ok
  }
  const no = { checks, statement: null }

  const read = readStrictly(CertificateFile, file, 'file')
  if (!check('file', !(read instanceof Failure), read instanceof Failure ? `not a certificate: ${read.message}` : 'a certificate') || read instanceof Failure) return no
  const { id, envelope } = read
  const payload = openEnvelope(envelope, isSignedBy, check)
  if (payload === null || !check('id', id === certificateId(payload), `${id}`)) return no

  const statement: Statement | Failure = readStrictly(StatementBody, payload, 'statement')
  if (statement instanceof Failure) return check('statement', false, statement.message), no
  if (!check('statement', Buffer.from(canonical(statement)).equals(payload), 'canonical bytes of a policy certificate')) return no

  const { bodies, digests, constitution } = statement.predicate
  const methods = [...new Set([...Object.keys(digests.candidates), ...Object.keys(bodies.candidates)])]
  const pairs = [
    ['subject', statement.subject[0].digest.sha256, sha256(bodies.policy)],
    ['policy', digests.policy, sha256(bodies.policy)],
    ['schema', digests.schema, sha256(bodies.schema)],
    ['constitution', digests.constitution, digest(constitution.document)],
    ['constitution shown', constitution.digest, digest(constitution.document)],
    ['norms', digests.norms, digest(bodies.norms)],
    ...methods.map((method) => [`candidate ${method}`, digests.candidates[method], sha256(bodies.candidates[method] ?? '')] as const),
  ] as const
  for (const [name, wanted, got] of pairs) check(`digest ${name}`, wanted === got, wanted === got ? got : `states ${wanted}, is ${got}`)
  return { checks, statement }
}

/** The bytes that an envelope's one signature covers, when a trusted key made it; null, with the check that failed, else. */
export function openEnvelope(envelope: Envelope, isSignedBy: IsSignedBy, check: (name: string, ok: boolean, detail: string) => boolean): Uint8Array | null {
  const [signature] = envelope.signatures
  const payload = fromBase64(envelope.payload)
  const sig = signature === undefined ? null : fromBase64(signature.sig)
  const signed = payload === null || sig === null || signature === undefined ? false : isSignedBy(signature.keyid, signedBytes(payload), sig)
  const detail = signed === null ? `signed by key ${signature?.keyid}, which is not trusted here: give the issuer's keys with --trust` : signed ? `key ${signature?.keyid}` : 'not valid'
  return check('signature', signed === true, detail) ? payload : null
}

/**
 * Whether a certificate is what a trusted key signed and whether what it states is true: signature, every digest, the policy made
 * again from the norms, every proof run again. What cannot be derived again is the signer's word: `docs/what-a-certificate-claims.md`.
 *
 * Later checks are not run once an earlier one has failed: what nobody signed is not worth proving. Whatever is wrong with the file
 * is an answer, not an error.
 *
 * @throws {Failure} only when the solver cannot be run at all.
 */
export async function verify(file: Uint8Array, ports: VerifyPorts): Promise<Verification> {
  const opened = open(file, ports.isSignedBy)
  const { statement } = opened
  const checks = [...opened.checks]
  const check = (name: string, ok: boolean, detail: string) => {
    checks.push({ name, ok, detail })
    return ok
  }
  if (statement === null || checks.some(({ ok }) => !ok)) return { valid: false, checks, statement }
  const { bodies, constitution, issuedAt, expiresAt, unread, applicable, proofs: stated, score: value, threshold } = statement.predicate
  check('constitution id', constitution.hash === INHERITED_ID || constitution.hash === constitution.digest.slice(0, 16), `${constitution.hash} for the document with SHA-256 ${constitution.digest}`)
  check('not expired', ports.at.getTime() < Date.parse(expiresAt) && Date.parse(issuedAt) < Date.parse(expiresAt), `from ${issuedAt} until ${expiresAt}`)

  const hiding = unread.filter(({ mayRule }) => mayRule).map(({ sentence }) => sentence)
  check('unread', hiding.length === 0, hiding.length === 0 ? `${unread.length} sentences, none of which may rule` : `sentence ${hiding.join(', ')} may rule and was not read`)

  try {
    const schema = ports.parseSchema(bodies.schema)
    const policy = ports.parse(bodies.policy, schema)
    check('norms', policyOf(bodies.norms, schema) === bodies.policy, 'the policy is what the norms say')
    const examination = await examine(policy, schema, { bound: ports.bind(constitution.document, schema), proveArticles: ports.proveArticles })
    check('applicable', canonical(applicableOf(examination)) === canonical(applicable), `${examination.proofs.length} of ${examination.proofs.length + examination.inapplicable.length} articles apply`)
    const articles = examination.proofs.map(({ article }) => ({ article: article.id, hard: article.hard }))
    check('articles', canonical(articles) === canonical(stated.map(({ article, hard }) => ({ article, hard }))), articles.map(({ article }) => article).join(', '))
    for (const { article, proof } of examination.proofs) {
      const { kind } = proof.answer
      const was = stated.find((each) => each.article === article.id)
      const other = was === undefined || kind !== was.answer ? null : otherThan(proof, was)
      const detail = kind !== was?.answer ? `states ${was?.answer}, run again: ${kind}` : article.hard && kind !== 'proved' ? `${kind}, and no hard article may be` : other ?? kind
      check(`proof ${article.id}`, kind === was?.answer && (!article.hard || kind === 'proved') && other === null, detail)
    }
    check('score', score(examination) === value, `${score(examination)}`)
    check('threshold', value === null || value >= threshold, `${threshold}`)
    check('semantic hash', semanticHash(policy.rules, schema) === statement.predicate.semanticHash, statement.predicate.semanticHash)
  } catch (error) {
    if (!(error instanceof Failure) || error.code === 'SOLVER_FAILED') throw error
    check('bodies', false, error.message)
  }
  return { valid: checks.every(({ ok }) => ok), checks, statement }
}

/** What a proof made again has otherwise than was stated; null when nothing, or when other engines or other limits made it, which may. */
function otherThan({ engines, limits, inputDigest, basis }: Proof, stated: StatedProof): string | null {
  if (canonical({ engines, limits }) !== canonical({ engines: stated.engines, limits: stated.limits })) return null
  if (inputDigest !== stated.inputDigest) return `states the input digest ${stated.inputDigest}, is ${inputDigest}`
  return canonical(basis) === canonical(stated.basis) ? null : `states to rest on ${canonical(stated.basis)}, run again: ${canonical(basis)}`
}

/** The policy that the norms of a statement make; null when they are no norms. */
function policyOf(norms: readonly unknown[], schema: Schema): string | null {
  try {
    return policyOfNorms(norms as readonly Norm[], schema).text
  } catch {
    return null
  }
}

/**
 * JSON of a shape, or what is wrong with it. What two readers could understand differently (a member given twice) is wrong, so that
 * nothing else can be shown from a file than what was checked.
 */
export function readStrictly<S extends z.ZodType>(shape: S, bytes: Uint8Array, place: string): z.output<S> | Failure {
  try {
    return parseInput(shape, parseJson(bytes, place, LEVELS_MAX), place)
  } catch (error) {
    if (error instanceof Failure) return error
    throw error
  }
}

/** Standard base64 in its one canonical spelling; null for any other, so that a changed byte can never decode to the same bytes. */
function fromBase64(text: string): Uint8Array | null {
  const bytes = Buffer.from(text, 'base64')
  return bytes.toString('base64') === text ? bytes : null
}

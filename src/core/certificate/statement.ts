import { canonical, digest, sha256 } from '#core/canonical.ts'
import type { Examination } from '#core/compliance/judge.ts'
import type { Assessment, Evidence } from '#core/generate.ts'
import type { Proof } from '#core/proof/proof.ts'
import { TABLE_VERSION } from '#core/stabilizers/table.ts'
import { mayHideRule } from '#core/unit/semantic-unit.ts'

/** A DSSE envelope around an in-toto statement. @see https://github.com/secure-systems-lab/dsse */
export type Envelope = {
  readonly payloadType: 'application/vnd.in-toto+json'
  /** Standard base64 of the statement's canonical bytes. */
  readonly payload: string
  readonly signatures: readonly { readonly keyid: string; readonly sig: string }[]
}

/** A signed certificate; `id` is the first 32 hex digits of the SHA-256 of the statement. */
export type Certificate = { readonly id: string; readonly envelope: Envelope }

export const PAYLOAD_TYPE = 'application/vnd.in-toto+json'
export const STATEMENT_TYPE = 'https://in-toto.io/Statement/v1'
export const PREDICATE_TYPE = 'urn:acgs:policy-certificate:v1'

/** The constitution that was enforced, whole, so that whoever verifies needs no file beside the certificate. */
export type EnforcedConstitution = {
  /** The 16-digit id; for the inherited one it digests a text that is not shipped and never stands alone. */
  readonly hash: string
  /** SHA-256 of the document's canonical form. */
  readonly digest: string
  readonly document: unknown
}

export type Applicable = { readonly articles: number; readonly of: number; readonly missing: readonly { readonly article: string; readonly concepts: readonly string[] }[] }

export type Statement = {
  readonly _type: typeof STATEMENT_TYPE
  readonly subject: readonly [{ readonly name: 'policy.cedar'; readonly digest: { readonly sha256: string } }]
  readonly predicateType: typeof PREDICATE_TYPE
  readonly predicate: {
    readonly generationId: string
    /** Who asked for the policy, as the platform names them: they may never approve it. */
    readonly author: string
    readonly issuedAt: string
    readonly expiresAt: string
    /** What a reader must know first: how many articles of the constitution speak about this schema at all. */
    readonly applicable: Applicable
    /** Sentences of the request that no norm came from, and why: what a person should look at before believing the policy. */
    readonly unread: readonly { readonly sentence: number; readonly text: string; readonly because: string; readonly mayRule: boolean }[]
    /** Sentences that the author declared as explanation: whatever they say, they rule nothing. */
    readonly explanations: readonly { readonly sentence: number; readonly text: string }[]
    readonly constitution: EnforcedConstitution
    readonly score: number | null
    readonly threshold: number
    readonly independentWitnesses: number
    readonly semanticHash: string
    readonly stabilizers: { readonly version: string; readonly syndrome: readonly number[]; readonly diagnosis: string
      /** What was set aside, and from what the policy was taken where readers voted; absent in earlier certificates, where nobody did. */
      readonly corrected?: { readonly setAside: readonly string[]; readonly vote: { readonly from: string; readonly voters: readonly { readonly method: string; readonly weight: number }[] } | null }
    }
    readonly proofs: readonly StatedProof[]
    /** SHA-256 of every representation: of the text's bytes for texts, of the canonical form for values. */
    readonly digests: { readonly policy: string; readonly schema: string; readonly constitution: string; readonly request: string; readonly norms: string; readonly candidates: { readonly [method: string]: string } }
    /** The bodies that the digests name, except the request, which may have to be erased. */
    readonly bodies: { readonly policy: string; readonly schema: string; readonly norms: readonly unknown[]; readonly candidates: { readonly [method: string]: string } }
  }
}

/** One proof as it was made; with the same engines and limits it is made again in every member. */
export type StatedProof = Pick<Proof, 'inputDigest' | 'engines' | 'limits' | 'basis'> & { readonly article: string; readonly hard: boolean; readonly answer: string }

/** The statement that a compliant assessment supports. Times come in as `at`, so that the same inputs give the same bytes. */
export function stateOf({ unit, candidates }: Evidence, assessment: Assessment, { constitution, author, at, validDays }: {
  constitution: EnforcedConstitution
  author: string
  at: Date
  validDays: number
}): Statement {
  const { policy, norms, unread, independentWitnesses, setAside, vote } = assessment.corrections[0]
  const { proofs } = assessment.examination
  const byMethod = <T>(value: (cedar: string) => T) => Object.fromEntries(candidates.map(({ method, cedar }) => [method, value(cedar)]))
  const constitutionDigest = digest(constitution.document)
  return {
    _type: STATEMENT_TYPE,
    subject: [{ name: 'policy.cedar', digest: { sha256: sha256(policy.text) } }],
    predicateType: PREDICATE_TYPE,
    predicate: {
      generationId: unit.id,
      author,
      issuedAt: at.toISOString(),
      expiresAt: new Date(at.getTime() + validDays * 86_400_000).toISOString(),
      applicable: applicableOf(assessment.examination),
      unread: unread
        .filter(({ sentence }) => unit.sentences[sentence - 1]?.isExplanation !== true)
        .map(({ sentence, text, because }) => ({ sentence, text, because, mayRule: mayHideRule(unit, sentence) })),
      explanations: unit.sentences.filter(({ isExplanation }) => isExplanation).map(({ number, text }) => ({ sentence: number, text })),
      constitution: { ...constitution, digest: constitutionDigest },
      score: assessment.score,
      threshold: unit.request.complianceThreshold,
      independentWitnesses,
      semanticHash: assessment.semanticHash,
      stabilizers: { version: TABLE_VERSION, syndrome: assessment.syndrome, diagnosis: assessment.diagnosis.kind, corrected: { setAside, vote: vote === null ? null : { from: vote.from, voters: vote.voters } } },
      proofs: proofs.map(({ article, proof: { answer, inputDigest, engines, limits, basis } }) => ({ article: article.id, hard: article.hard, answer: answer.kind, inputDigest, engines, limits, basis })),
      digests: {
        policy: sha256(policy.text),
        schema: unit.schema.digest,
        constitution: constitutionDigest,
        request: digest(unit.request),
        norms: digest(norms),
        candidates: byMethod(sha256),
      },
      bodies: { policy: policy.text, schema: unit.schema.text, norms, candidates: byMethod((cedar) => cedar) },
    },
  }
}

export function applicableOf({ proofs, inapplicable }: Examination): Applicable {
  return applicableTo({ bound: proofs, inapplicable })
}

/** How many articles speak about a schema, known before anything is proved. */
export function applicableTo({ bound, inapplicable }: { readonly bound: readonly unknown[]; readonly inapplicable: Examination['inapplicable'] }): Applicable {
  return {
    articles: bound.length,
    of: bound.length + inapplicable.length,
    missing: inapplicable.map(({ article, missing }) => ({ article: article.id, concepts: missing })),
  }
}

/** The bytes that are signed: DSSE's pre-authentication encoding, which binds the payload's type. */
export function signedBytes(payload: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(`DSSEv1 ${PAYLOAD_TYPE.length} ${PAYLOAD_TYPE} ${payload.length} `), payload])
}

/** Signs a statement. @param sign Ed25519 over the given bytes, so that the same statement always gives the same certificate. */
export function certify(statement: Statement, key: { readonly keyid: string; readonly sign: (bytes: Uint8Array) => Uint8Array }): Certificate {
  const payload = Buffer.from(canonical(statement))
  const sig = Buffer.from(key.sign(signedBytes(payload))).toString('base64')
  return { id: certificateId(payload), envelope: { payloadType: PAYLOAD_TYPE, payload: payload.toString('base64'), signatures: [{ keyid: key.keyid, sig }] } }
}

export function certificateId(payload: Uint8Array): string {
  return sha256(payload).slice(0, 32)
}

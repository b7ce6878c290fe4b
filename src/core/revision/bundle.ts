import { z } from 'zod'
import { canonical, sha256 } from '#core/canonical.ts'
import { PAYLOAD_TYPE, signedBytes, STATEMENT_TYPE, type Certificate, type Envelope } from '#core/certificate/statement.ts'
import { CertificateFile, EnvelopeFile, open, openEnvelope, readStrictly, type IsSignedBy } from '#core/certificate/verify.ts'
import { Failure } from '#core/failure.ts'
import type { PolicySet } from '#core/policy/policy.ts'
import type { Schema } from '#core/policy/schema.ts'
import type { ActiveRevision } from './active.ts'
import { cite, compose, concerned, type OpenCertificate } from './compose.ts'
import { RevisionContent, revisionDigest } from './revision.ts'

export const BUNDLE_TYPE = 'urn:acgs:revision-bundle:v1'

const BundleBody = z.strictObject({
  _type: z.literal(STATEMENT_TYPE),
  subject: z.tuple([z.strictObject({ name: z.literal('revision'), digest: z.strictObject({ sha256: z.string() }) })]),
  predicateType: z.literal(BUNDLE_TYPE),
  predicate: z.strictObject({
    /** Grows with every activation of the application. */
    revision: z.int().positive(),
    content: RevisionContent,
    /** Tokens that Auth signed, one for each member who approved this content. */
    approvals: z.array(z.string()).readonly(),
    /** How many approvals the constitution demanded when this was signed. */
    approvalsRequired: z.int().positive(),
    certificates: z.array(CertificateFile).readonly(),
    /** How the whole set stood before the constitution in force when this was signed. */
    standing: z.strictObject({ kind: z.enum(['proved', 'refuted', 'unknown']), constitution: z.string(), violated: z.array(z.string()).readonly() }),
    issuedAt: z.iso.datetime(),
    expiresAt: z.iso.datetime(),
  }),
})

/** What compliance signs and the decision point loads: a revision with everything that shows that it may decide. */
export type BundleStatement = z.infer<typeof BundleBody>

/** A signed bundle as it is stored and served. */
export const Bundle = z.strictObject({ envelope: EnvelopeFile })
export type Bundle = z.infer<typeof Bundle>

/** Signs a bundle; whoever calls has judged it. */
export function signBundle(predicate: BundleStatement['predicate'], key: { readonly keyid: string; readonly sign: (bytes: Uint8Array) => Uint8Array }): Bundle {
  const statement: BundleStatement = {
    _type: STATEMENT_TYPE, subject: [{ name: 'revision', digest: { sha256: revisionDigest(predicate.content) } }], predicateType: BUNDLE_TYPE, predicate,
  }
  const payload = Buffer.from(canonical(statement))
  const sig = Buffer.from(key.sign(signedBytes(payload))).toString('base64')
  return { envelope: { payloadType: PAYLOAD_TYPE, payload: payload.toString('base64'), signatures: [{ keyid: key.keyid, sig }] } }
}

/** Who approved, from a token that Auth signed. */
export type Approval = { readonly member: string; readonly at: Date }

/** What it takes to check a bundle; the keys are those of compliance and of Auth, never the platform's word. */
export type BundlePorts = {
  readonly isSignedBy: IsSignedBy
  /** @throws {Failure} `APPROVAL_INVALID` when the token is no approval of that digest for that application. */
  readonly approvalOf: (token: string, of: { readonly application: string; readonly digest: string }) => Promise<Approval>
  readonly parseSchema: (text: string) => Schema
  readonly parse: (text: string, schema: Schema) => PolicySet
  readonly at: Date
}

/** The highest revision that was ever loaded for an application, and what it was. */
export type HighWater = { readonly revision: number; readonly digest: string }

/**
 * Loads a bundle, or says why not: signature, digests, every certificate in it, the policy composed of them, enough approvals of exactly
 * this content by members who neither proposed nor wrote any of it, expiry, and no revision below the highest that was seen.
 *
 * @param application Whose bundle it must be.
 * @throws {Failure} `BUNDLE_REFUSED` with the reason; nothing is loaded then.
 */
export async function loadBundle(application: string, bundle: unknown, seen: HighWater | null, ports: BundlePorts): Promise<{ active: ActiveRevision; statement: BundleStatement }> {
  const read = Bundle.safeParse(bundle)
  if (!read.success) throw refused('it does not have the form of a bundle')
  const statement = openBundle(read.data.envelope, ports.isSignedBy)
  const { revision, content, approvals, approvalsRequired, certificates, issuedAt, expiresAt } = statement.predicate
  const digest = revisionDigest(content)
  if (statement.subject[0].digest.sha256 !== digest) throw refused('it names another content than it carries')
  if (content.application !== application) throw refused(`it is for the application \`${content.application}\`, not \`${application}\``)
  if (ports.at.getTime() >= Date.parse(expiresAt)) throw refused(`it expired at ${expiresAt}`)
  if (seen !== null && revision < seen.revision) throw refused(`it is revision ${revision}, and revision ${seen.revision} has decided already`)
  if (seen !== null && revision === seen.revision && digest !== seen.digest) throw refused(`another content was revision ${revision} already`)
  const { policies, schema } = checkContent(content, certificates, ports)
  await checkApprovals(content, approvals, approvalsRequired, ports)
  const sentenceOf = new Map(policies.rules.flatMap(({ id, annotations }) => (annotations['sentence'] === undefined ? [] : [[id, annotations['sentence']] as const])))
  if (Date.parse(issuedAt) >= Date.parse(expiresAt)) throw refused('it expires before it was issued')
  return { active: { application, revision, digest, policies, schema, withdrawn: [], sentenceOf }, statement }
}

/**
 * Whether a content is what it says: schema and policy have their digests, every certificate is signed and cited as it is, and the
 * policy is composed of them.
 *
 * @throws {Failure} `BUNDLE_REFUSED`.
 */
export function checkContent(
  content: RevisionContent, certificates: readonly Certificate[], { isSignedBy, parseSchema, parse }: Pick<BundlePorts, 'isSignedBy' | 'parseSchema' | 'parse'>,
): { policies: PolicySet; schema: Schema; opened: readonly OpenCertificate[] } {
  if (sha256(content.schema.text) !== content.schema.digest) throw refused('its schema is not the one that its digest names')
  const opened = certificates.map((certificate): OpenCertificate => {
    const { statement, checks } = open(Buffer.from(canonical(certificate)), isSignedBy)
    const failed = checks.find(({ ok }) => !ok)
    if (statement === null || failed !== undefined) throw refused(`certificate \`${certificate.id}\`: ${failed?.name}: ${failed?.detail}`)
    return { id: certificate.id, statement }
  })
  if (canonical(opened.map(cite)) !== canonical(content.certificates)) throw refused('it does not cite the certificates that it carries')
  try {
    const schema = parseSchema(content.schema.text)
    if (compose(opened, schema, parse) !== content.policy) throw refused('its policy is not the one that its certificates make')
    return { policies: parse(content.policy, schema), schema, opened }
  } catch (error) {
    if (!(error instanceof Failure) || error.code === 'BUNDLE_REFUSED') throw error
    throw refused(error.message)
  }
}

/** @returns Who approved. @throws {Failure} `BUNDLE_REFUSED` when those who may are fewer than required. */
export async function checkApprovals(content: RevisionContent, tokens: readonly string[], required: number, { approvalOf }: Pick<BundlePorts, 'approvalOf'>): Promise<ReadonlySet<string>> {
  const barred = concerned(content)
  const members = new Set<string>()
  for (const token of tokens) {
    let member: string
    try {
      ;({ member } = await approvalOf(token, { application: content.application, digest: revisionDigest(content) }))
    } catch (error) {
      if (!(error instanceof Failure) || error.code !== 'APPROVAL_INVALID') throw error
      throw refused(`an approval in it does not count: ${error.message}`)
    }
    if (barred.has(member)) throw refused(`\`${member}\` approved what they proposed or wrote themselves`)
    members.add(member)
  }
  if (members.size < required) throw refused(`${members.size} of ${required} approvals are there`)
  return members
}

function openBundle(envelope: Envelope, isSignedBy: IsSignedBy): BundleStatement {
  let why = 'not valid'
  const payload = openEnvelope(envelope, isSignedBy, (_, ok, detail) => ((why = detail), ok))
  if (payload === null) throw refused(`its signature is not good: ${why}`)
  const statement = readStrictly(BundleBody, payload, 'bundle')
  if (statement instanceof Failure) throw refused(statement.message)
  if (!Buffer.from(canonical(statement)).equals(payload)) throw refused('it is not in canonical form')
  return statement
}

export function refused(because: string): Failure {
  return new Failure('BUNDLE_REFUSED', `the bundle is refused: ${because}`)
}

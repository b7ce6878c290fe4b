import { z } from 'zod'
import { ApplicationName } from '#core/revision/application.ts'
import { Bundle } from '#core/revision/bundle.ts'
import { RevisionContent } from '#core/revision/revision.ts'
import type { Endpoint } from '#http/contract.ts'
import { MAY } from '#http/roles.ts'
import { Applicable, Counterexample } from './contract.ts'

const Params = z.strictObject({ app: ApplicationName })
const OneParams = z.strictObject({ app: ApplicationName, n: z.coerce.number({ error: 'is not the number of a revision' }).int().min(1).max(2_147_483_647) })
const CertificateId = z.string().regex(/^[0-9a-f]{32}$/, 'is not the id of a certificate: 32 hex digits')
const Ids = z.array(CertificateId).max(1_000).default([])

const Revision = z.strictObject({
  applicable: Applicable,
  application: z.string(),
  revision: z.int(),
  digest: z.string().describe('What an approval is for'),
  verdict: z.enum(['proved', 'refuted', 'undetermined']).describe('How the whole set stands before the constitution, at the last proof'),
  is_active: z.boolean(),
  missing: z.array(z.string()).describe('What keeps it from deciding; empty when it can be activated, or decides already'),
  revoked: z.array(z.string()).describe('Certificates of it that were revoked: their permits do not decide, their prohibitions do'),
  approvals: z.array(z.strictObject({ member: z.string(), at: z.iso.datetime() })),
  approvals_required: z.int(),
  certificates: z.array(z.strictObject({ id: z.string(), author: z.string() })),
  articles: z.array(z.looseObject({ id: z.string(), hard: z.boolean(), answer: z.enum(['proved', 'refuted', 'unknown']), counterexample: Counterexample.optional() })),
  policy: z.string(),
  base: z.int().nullable().describe('The revision that was active when this one was proposed'),
  rollback_of: z.int().nullable(),
  proposed_by: z.string(),
  proposed_at: z.iso.datetime(),
  proved_at: z.iso.datetime(),
  activated_by: z.string().nullable(),
  activated_at: z.iso.datetime().nullable(),
})
export type RevisionReply = z.input<typeof Revision>

const Told = z.strictObject({
  when: z.string().describe('In Cedar’s words'),
  failing: z.array(z.string()).exactOptional().describe('Expressions that cannot be evaluated where the condition holds'),
  english: z.string(),
  witness: Counterexample.describe('A request that meets it, with its entities: `acgs decide` takes it'),
})
const Duty = Told.extend({ obligation: z.string() })
const EnvironmentDifference = z.strictObject({
  principal: z.string(),
  action: z.string(),
  resource: z.string(),
  gains: z.array(Told).describe('What the proposed set permits and the other one does not'),
  loses: z.array(Told).describe('The other way round'),
  demands: z.array(Duty).exactOptional().describe('Obligations that only the proposed set puts on what both permit'),
  waives: z.array(Duty).exactOptional().describe('Obligations that only the other one puts on it'),
  open: z.array(z.strictObject({ part: z.string(), reason: z.string(), witness: Counterexample.exactOptional() })).exactOptional()
    .describe('Parts that the conditions may not tell whole, and why; everything else is told whole, and that is proved'),
  counted: z.union([
    z.strictObject({
      pairs: z.int().describe('Of a principal and a resource in the store'),
      means: z.enum(['decided', 'some-context', 'at-most']).describe('decided: both sets decide a pair so; some-context: a context makes it so; at-most: what the conditions say of the context was left out'),
      parts: z.array(z.strictObject({ part: z.string(), pairs: z.int(), principals: z.int() })),
    }),
    z.strictObject({ pairs: z.int(), reason: z.string() }),
  ]).exactOptional(),
})
/** As it is stored and shown, the same for as long as the revision is there. */
export const RevisionDifference = z.strictObject({
  against: z.int().describe('The revision that decided when this one was proposed; of what was revoked by then, only the prohibitions'),
  equivalent: z.boolean().nullable().describe('Null: that is not known'),
  environments: z.array(EnvironmentDifference).describe('Those in which something changes, or may'),
  compared: z.int().describe('So many request environments were compared'),
  entities: z.strictObject({ version: z.int(), count: z.int() }).nullable().describe('The store over which it was counted; more than 20,000 entities are not'),
  unknown: z.string().nullable().describe('Why nothing is told'),
})
export type RevisionDifference = z.infer<typeof RevisionDifference>

const Proposed = Revision.extend({
  difference: RevisionDifference.nullable().describe('What it changes, for people: conditions that together cover exactly the difference, as `acgs diff` tells them, as far as two seconds suffice. Null: nothing decided when it was proposed, so that whatever it permits is new'),
})

export const postRevision = {
  method: 'POST',
  path: '/api/v1/applications/{app}/revisions',
  summary: 'Proposes a revision: the set of certified policies that is to decide',
  description: 'The whole set is proved against the constitution: permits that are harmless alone can break an article together. 422 when it is refuted or undetermined; it is stored all the same, and cannot be activated. `difference` says who gains and who loses; it is not part of what is approved, and decides nothing.',
  access: MAY.propose,
  params: Params,
  body: z.strictObject({
    add: Ids.describe('Certificates to add'),
    replace: z.array(z.strictObject({ certificate: CertificateId, by: CertificateId })).max(1_000).default([]),
    remove: Ids,
    rollback_to: z.int().min(1).max(2_147_483_647).optional().describe('An earlier revision whose content shall decide again, under a new number; then nothing else may be given'),
  }),
  reply: Proposed,
  status: 201,
  failures: ['NOT_FOUND', 'CERTIFICATE_UNUSABLE', 'CONFLICT', 'POLICY_REFUSED', 'POLICY_UNDETERMINED', 'POLICY_INVALID', 'SOLVER_FAILED'],
} as const satisfies Endpoint

export const getRevisions = {
  method: 'GET',
  path: '/api/v1/applications/{app}/revisions',
  summary: 'The revisions of an application, the newest first',
  access: MAY.readRevisions,
  params: Params,
  reply: z.strictObject({ revisions: z.array(Revision) }),
  failures: ['NOT_FOUND'],
} as const satisfies Endpoint

export const getRevision = {
  method: 'GET',
  path: '/api/v1/applications/{app}/revisions/{n}',
  summary: 'One revision: what it is, how it stands, what is missing',
  description: '`content` is what its digest is of: whoever approves computes it again (SHA-256 of the canonical JSON, RFC 8785) instead of believing it.',
  access: MAY.readRevisions,
  params: OneParams,
  reply: Proposed.extend({ content: RevisionContent }),
  failures: ['NOT_FOUND'],
} as const satisfies Endpoint

export const postApproval = {
  method: 'POST',
  path: '/api/v1/applications/{app}/revisions/{n}/approvals',
  summary: 'Approves a revision',
  description: 'With a token that Auth signed for this member and this revision’s digest (`POST /api/v1/auth/approvals`). Never by whoever proposed it or wrote a part of it.',
  access: MAY.approve,
  params: OneParams,
  body: z.strictObject({ approval_token: z.string().min(1).max(8_192) }),
  reply: Revision,
  failures: ['NOT_FOUND', 'APPROVAL_INVALID', 'CONFLICT', 'AUTH_UNAVAILABLE'],
} as const satisfies Endpoint

export const postActivation = {
  method: 'POST',
  path: '/api/v1/applications/{app}/revisions/{n}/activate',
  summary: 'Makes a proved and approved revision the one that decides',
  access: MAY.activate,
  params: OneParams,
  reply: Revision,
  failures: ['NOT_FOUND', 'CONFLICT', 'BUNDLE_REFUSED', 'CERTIFICATE_UNUSABLE', 'POLICY_REFUSED', 'POLICY_UNDETERMINED', 'PEER_UNAVAILABLE', 'SOLVER_FAILED'],
} as const satisfies Endpoint

export const postRevocation = {
  method: 'POST',
  path: '/api/v1/certificates/{id}/revoke',
  summary: 'Revokes a certificate',
  description: 'Within a second no permit that rests on it decides any more; its prohibitions stay until the council activates a revision without it.',
  access: MAY.revoke,
  params: z.strictObject({ id: CertificateId }),
  body: z.strictObject({ reason: z.string().trim().min(3).max(2_000) }),
  reply: z.strictObject({ certificate: z.string(), revoked: z.literal(true), was_revoked_already: z.boolean() }),
  failures: ['NOT_FOUND'],
} as const satisfies Endpoint

export const getBundle = {
  method: 'GET',
  path: '/api/v1/applications/{app}/bundle',
  summary: 'The signed bundle of the active revision: what the decision point loads',
  description: 'With an ETag; `If-None-Match` is answered with 304. 404 while nothing is active.',
  access: MAY.fetchBundles,
  audience: 'peers',
  params: Params,
  reply: z.strictObject({ revision: z.int(), bundle: Bundle }),
  alsoStatus: { 304: 'Not changed' },
  failures: ['NOT_FOUND'],
} as const satisfies Endpoint

export const getHeads = {
  method: 'GET',
  path: '/api/v1/decision-point/heads',
  summary: 'How far every application has come, and what was revoked: what the decision point asks twice a second',
  access: MAY.fetchBundles,
  audience: 'peers',
  reply: z.strictObject({
    applications: z.array(z.strictObject({ name: z.string(), bundleTag: z.string().nullable(), entitiesVersion: z.int() })),
    revoked: z.array(z.string()).describe('Certificates'),
  }),
  failures: [],
} as const satisfies Endpoint

export const getCertificateStatus = {
  method: 'GET',
  path: '/api/v1/certificates/{id}/status',
  summary: 'Whether a certificate was issued here, and whether it was revoked',
  description: 'Public: whoever holds a certificate may ask, as `acgs verify` does.',
  access: 'public',
  params: z.strictObject({ id: CertificateId }),
  reply: z.strictObject({ certificate: z.string(), revoked: z.boolean(), revoked_at: z.iso.datetime().nullable() }),
  failures: ['NOT_FOUND'],
} as const satisfies Endpoint

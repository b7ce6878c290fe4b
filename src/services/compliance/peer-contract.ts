import { z } from 'zod'
import { CertificateFile } from '#core/certificate/verify.ts'
import { EVIDENCE_LEVELS_MAX, EvidenceBody } from '#core/evidence.ts'
import { Bundle } from '#core/revision/bundle.ts'
import { RevisionContent } from '#core/revision/revision.ts'
import type { Endpoint } from '#http/contract.ts'
import { MAY } from '#http/roles.ts'

/** Evidence carries its schema, candidates and norms whole; a set of certificates carries all of theirs. */
export const PEER_BODY_BYTES_MAX = 67_108_864

export const postCertificate = {
  method: 'POST',
  path: '/api/v1/certificates',
  summary: 'The evidence of one generation in, a certificate out',
  description:
    'For the platform. Whoever asks is not believed: the schema is parsed and the sentences are divided here, the candidates are read again, the verdict is ' +
    'derived anew. `certificate` is null when that verdict is not compliant: nothing is signed then.',
  access: MAY.certify,
  audience: 'peers',
  body: z.strictObject({ evidence: EvidenceBody, author: z.string().min(1).max(255).describe('Who asked for the policy: they may never approve it') }),
  levelsMax: EVIDENCE_LEVELS_MAX,
  reply: z.strictObject({ certificate: CertificateFile.nullable() }),
  failures: ['SCHEMA_INVALID', 'POLICY_INVALID', 'SOLVER_FAILED'],
} as const satisfies Endpoint

export const postBundle = {
  method: 'POST',
  path: '/api/v1/bundles',
  summary: 'A whole revision with its certificates and approvals in, a signed bundle out',
  description: 'For the platform. Every certificate, every approval and the composition are checked, and every article is proved for the whole set, before anything is signed.',
  access: MAY.certify,
  audience: 'peers',
  body: z.strictObject({ revision: z.int().positive(), content: RevisionContent, certificates: z.array(CertificateFile).max(10_000).readonly(), approvals: z.array(z.string().max(8_192)).max(1_000).readonly() }),
  reply: z.strictObject({ bundle: Bundle }),
  failures: ['BUNDLE_REFUSED', 'CERTIFICATE_UNUSABLE', 'POLICY_REFUSED', 'POLICY_UNDETERMINED', 'SCHEMA_INVALID', 'SOLVER_FAILED', 'AUTH_UNAVAILABLE'],
} as const satisfies Endpoint

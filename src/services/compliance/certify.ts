import type { CertificateKey } from '#adapters/keys/certificate-key.ts'
import type { Examiner } from '#adapters/examiner.ts'
import { certify, stateOf, type Certificate } from '#core/certificate/statement.ts'
import { assess, type Evidence } from '#core/generate.ts'
import { Failure } from '#core/failure.ts'
import { certificateIssued, certificateRefused, type Telemetry } from '#telemetry/events.ts'

/**
 * Judges the evidence again and signs what it judged. Whoever asks is not believed: only unit and candidates count, the verdict is
 * derived anew.
 *
 * @throws {Failure} `POLICY_REFUSED` when its own verdict is not compliant: the caller's and this one's should never differ.
 */
export function certifier({ examiner, key, constitutionalHash, threshold, validDays, telemetry, now }: {
  examiner: Examiner
  key: CertificateKey
  constitutionalHash: string
  /** What the evidence says of a lower one does not count. */
  threshold: number
  validDays: number
  telemetry: Telemetry
  now: () => Date
}): (evidence: Evidence) => Promise<Certificate> {
  const { constitution } = examiner
  return async (evidence) => {
    const schema = examiner.parseSchema(evidence.unit.schema.text)
    const request = { ...evidence.unit.request, complianceThreshold: Math.max(threshold, evidence.unit.request.complianceThreshold) }
    const judged = { ...evidence, unit: { ...evidence.unit, schema, request } }
    const assessment = await assess(judged, examiner.examining(schema))
    if (assessment.verdict.kind !== 'compliant') {
      certificateRefused(telemetry, { verdict: assessment.verdict.kind })
      throw new Failure('POLICY_REFUSED', 'compliance judged the evidence again and does not find it compliant')
    }
    const enforced = { hash: constitutionalHash, digest: constitution.digest, document: constitution.document }
    const certificate = certify(stateOf(judged, assessment, enforced, now(), validDays), key)
    certificateIssued(telemetry, { id: certificate.id })
    return certificate
  }
}

import type { CertificateKey } from '#adapters/keys/certificate-key.ts'
import type { Examiner } from '#adapters/examiner.ts'
import { canonical } from '#core/canonical.ts'
import { certify, stateOf, type Certificate } from '#core/certificate/statement.ts'
import type { BoundArticle } from '#core/constitution/article.ts'
import { assess, type Evidence } from '#core/generate.ts'
import { isOfModel, type Candidate } from '#core/synthesis/candidate.ts'
import type { SemanticUnit } from '#core/unit/semantic-unit.ts'
import { certificateIssued, certificateRefused, type Telemetry } from '#telemetry/events.ts'

/** A certificate for evidence, or null when it is not compliant. @param author Who asked for the policy. */
export type Certify = (evidence: Evidence, author: string) => Promise<Certificate | null>

/**
 * Judges the evidence again and signs what it judged. Whoever asks is not believed: only unit and candidates count, the verdict is
 * derived anew.
 *
 * @returns What gives a certificate for evidence, or null when its own verdict is not compliant: nothing is signed then.
 */
export function certifier({ examiner, key, constitutionalHash, threshold, validDays, readAgain = null, telemetry, now }: {
  examiner: Examiner
  key: CertificateKey
  constitutionalHash: string
  /** What the evidence says of a lower one does not count. */
  threshold: number
  validDays: number
  /**
   * Reads the text once more, where the candidates come from another process: what a reader did not say is not certified in its name. What a language
   * model said nobody can read again: it can hold a certificate back, and is no witness in one.
   */
  readAgain?: ((unit: SemanticUnit, bound: readonly BoundArticle[]) => Promise<readonly Candidate[]>) | null
  /** Null where nobody counts: on the command line. */
  telemetry: Telemetry | null
  now: () => Date
}): Certify {
  const { constitution } = examiner
  return async (evidence, author) => {
    const schema = examiner.parseSchema(evidence.unit.schema.text)
    const request = { ...evidence.unit.request, complianceThreshold: Math.max(threshold, evidence.unit.request.complianceThreshold) }
    const judged = { ...evidence, unit: { ...evidence.unit, schema, request } }
    const refused = (verdict: string) => {
      if (telemetry !== null) certificateRefused(telemetry, { verdict })
      return null
    }
    const shown = readAgain === null ? judged : { ...judged, candidates: judged.candidates.filter((each) => !isOfModel(each)) }
    if (readAgain !== null && !isSame(await readAgain(judged.unit, examiner.bind(schema).bound), shown.candidates)) return refused('read differently')
    const said = await assess(judged, examiner.examining(schema))
    if (said.verdict.kind !== 'compliant') return refused(said.verdict.kind)
    const isShownWhole = shown.candidates.length === judged.candidates.length
    const assessment = isShownWhole ? said : await assess(shown, examiner.examining(schema))
    if (assessment.verdict.kind !== 'compliant' || assessment.semanticHash !== said.semanticHash) return refused('compliant by what a language model said alone')
    const enforced = { hash: constitutionalHash, digest: constitution.digest, document: constitution.document }
    const certificate = certify(stateOf(shown, assessment, { constitution: enforced, author, at: now(), validDays }), key)
    if (telemetry !== null) certificateIssued(telemetry, { id: certificate.id })
    return certificate
  }
}

/** Whether both hold the same candidates, in whichever order. */
function isSame(a: readonly Candidate[], b: readonly Candidate[]): boolean {
  return canonical(a.map(canonical).sort()) === canonical(b.map(canonical).sort())
}

import type { Examiner } from '#adapters/examiner.ts'
import type { Database } from '#adapters/postgres/connect.ts'
import { recordUnitDiagnostic } from '#adapters/postgres/diagnostics.ts'
import { endRequest, type AcceptedRequest, type StepRow } from '#adapters/postgres/generation-requests.ts'
import { recordGeneration } from '#adapters/postgres/generations.ts'
import type { Certificate } from '#core/certificate/statement.ts'
import type { BoundArticle } from '#core/constitution/article.ts'
import { diagnoseAssessment } from '#core/diagnostic/of-assessment.ts'
import { generate, type Evidence, type Generation, type LedgerReceipt } from '#core/generate.ts'
import type { Candidate } from '#core/synthesis/candidate.ts'
import type { SemanticUnit } from '#core/unit/semantic-unit.ts'
import { diagnosticFound, ledgerAppended, timed, type Telemetry } from '#telemetry/events.ts'
import { clocked } from './clocked.ts'
import { outcomeOf, type Outcome } from './outcome.ts'
import { diagnosedRows, rowOf } from './record.ts'

/** A request that has ended: what its client is told, and where it stands in the ledger (null: it came to no generation). */
export type Ended = { readonly outcome: Outcome; readonly ledger: LedgerReceipt | null }

/** Somebody else has ended the request meanwhile: nothing of this attempt was kept. */
export class EndedElsewhere extends Error {}

/** A request under work: its steps grow while it is. */
export type UnderWork = { readonly request: AcceptedRequest; readonly steps: StepRow[] }

/** Carries a request out, from its unit to its place in the ledger. */
export type Attempt = (work: UnderWork, unit: SemanticUnit) => Promise<Ended & { readonly generation: Generation }>

/** @param given.constitutionalHash The id of the constitution in force, and the digest of its document. */
export function createAttempt({ examiner, database, telemetry, shown, propose, certify }: {
  examiner: Examiner
  database: Database
  telemetry: Telemetry
  shown: { readonly hash: string; readonly digest: string }
  propose: (unit: SemanticUnit, bound: readonly BoundArticle[]) => Promise<readonly Candidate[]>
  certify: (evidence: Evidence, author: string) => Promise<Certificate | null>
}): Attempt {
  return async ({ request, steps }, unit) => {
    const { id, subject, body, at, attempt, key } = request
    const reached = (step: StepRow['step']) => {
      if (steps.at(-1)?.step !== step || steps.at(-1)?.attempt !== attempt) steps.push({ attempt, step, at: new Date().toISOString() })
    }
    const examining = examiner.examining(unit.schema)
    const proveArticles = timed(telemetry, 'prove', examining.proveArticles)
    const { run, durationMs } = clocked()
    let outcome: Outcome | undefined
    const { generation, ledger } = await generate(unit, {
      ...examining, run,
      propose: timed(telemetry, 'synthesize', async (each) => {
        reached('propose')
        const candidates = await propose(each, examining.bound.bound)
        reached('measure')
        return candidates
      }),
      proveArticles: (...question) => (reached('prove'), proveArticles(...question)),
      certify: timed(telemetry, 'certify', (evidence: Evidence) => (reached('certify'), certify(evidence, subject))),
      append: timed(telemetry, 'append', async (whole) => {
        reached('append')
        const end = new Date()
        const elapsedMs = Math.max(0, end.getTime() - at.getTime())
        const row = rowOf(whole, body, { subject, at, elapsedMs, constitutionalHash: shown.hash })
        const told = outcomeOf(whole, shown, { ms: elapsedMs, at })
        // Whoever asks again is told the same; so is a client who waits for an attempt that another one has overtaken.
        const kept = key !== null || attempt > 1 ? JSON.stringify(told) : null
        const diagnosed = diagnoseAssessment(whole, whole.candidates, durationMs)
        const stored = diagnosedRows(whole, diagnosed, { subject, at, constitutionalHash: shown.hash })
        const receipt = await database.transaction(async (tx) => {
          const [isOurs] = await Promise.all([
            endRequest(tx, id, { state: 'finished', at: end, steps, outcome: kept }),
            recordUnitDiagnostic(tx, stored.row, stored.unit, diagnosed.executions, end),
          ])
          if (!isOurs) throw new EndedElsewhere(id)
          return recordGeneration(tx, row, kept, tx.last)
        })
        outcome = told
        diagnosticFound(telemetry, { id: stored.row.diagnostic_id, of: 'generation', status: diagnosed.status, findings: diagnosed.findings })
        ledgerAppended(telemetry, { entries: receipt.index + 1 })
        return receipt
      }),
    })
    if (outcome === undefined) throw new Error('a generation ended without being appended')
    return { generation, ledger, outcome }
  }
}

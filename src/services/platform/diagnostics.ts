import { randomUUID } from 'node:crypto'
import type { Examiner } from '#adapters/examiner.ts'
import type { Database } from '#adapters/postgres/connect.ts'
import { forgetDiagnostics, readDiagnostic, recordDiagnostic, recordUnitDiagnostic, type DiagnosticRow, type ExecutionRow } from '#adapters/postgres/diagnostics.ts'
import { readRequest } from '#adapters/postgres/generation-requests.ts'
import { readGeneration } from '#adapters/postgres/generations.ts'
import { digest, type Json } from '#core/canonical.ts'
import type { BoundArticle } from '#core/constitution/article.ts'
import { diagnosticIdOf, generationIdOf, standingOf, type Finding } from '#core/diagnostic/diagnostic.ts'
import { claimFindings, inDocument, requestOf, uncheckedIn, unreadable, type Lsu } from '#core/diagnostic/lsu.ts'
import { diagnoseAssessment, type UnitDiagnostic } from '#core/diagnostic/of-assessment.ts'
import { Failure } from '#core/failure.ts'
import { assess, type Assessment, type Generation } from '#core/generate.ts'
import type { Candidate } from '#core/synthesis/candidate.ts'
import type { GenerateBody } from '#core/unit/request.ts'
import type { SemanticUnit } from '#core/unit/semantic-unit.ts'
import { diagnosticFinished, diagnosticFound, type Telemetry } from '#telemetry/events.ts'
import type { Diagnosed } from '#telemetry/metrics.ts'
import { recurring } from '#telemetry/recurring.ts'
import { clocked } from './clocked.ts'
import type { createSystemLook, Depth } from './diagnose-system.ts'
import { diagnosticRowOf } from './record.ts'

/** A diagnostic with the checks that were made; `isKept` is false while the database does not take it. */
export type FullDiagnostic = DiagnosticRow & { readonly executions: readonly ExecutionRow[]; readonly isKept: boolean }

/** What a document was found to be. */
export type Validated = { readonly diagnostic: DiagnosticRow; readonly stabilizersExecuted: number; readonly semanticHash: string | null; readonly isKept: boolean }

export type Diagnostics = Disposable & {
  /** Begins to forget what is older than it is kept: at once, and then every ten minutes. */
  readonly begin: () => void
  /** @throws {Failure} `NOT_FOUND` for what is neither a component nor a generation; `CONFLICT` for a generation that has not ended. */
  readonly diagnose: (target: string, depth: Depth, subject: string) => Promise<FullDiagnostic>
  /** @throws {Failure} `SCHEMA_INVALID`, `DOMAIN_UNKNOWN` or `REQUEST_MALFORMED`, with the member of the document. */
  readonly validate: (lsu: Lsu, subject: string) => Promise<Validated>
  /** Null when there is none of that id. */
  readonly read: (id: string) => Promise<FullDiagnostic | null>
}

const FORGET_MS = 600_000

/** @param given.constitutionalHash The id of the constitution in force. */
export function createDiagnostics({ database, telemetry, look, examiner, propose, unitOf, constitutionalHash, keptDays, now }: {
  database: Database
  telemetry: Telemetry
  look: ReturnType<typeof createSystemLook>
  examiner: Examiner
  propose: (unit: SemanticUnit, bound: readonly BoundArticle[]) => Promise<readonly Candidate[]>
  /** @throws {Failure} when the text cannot be understood against any schema. */
  unitOf: (id: string, body: GenerateBody) => SemanticUnit
  constitutionalHash: string
  keptDays: number
  now: () => Date
}): Diagnostics {
  const counted = async <T>(of: Diagnosed, work: () => Promise<T>): Promise<T> => {
    const started = performance.now()
    const finished = (status: 'success' | 'error') => diagnosticFinished(telemetry, { of, status, seconds: (performance.now() - started) / 1000 })
    try {
      const result = await work()
      finished('success')
      return result
    } catch (error) {
      finished('error')
      throw error
    }
  }
  /** False while the database is out: what was found is told all the same. */
  const kept = async (store: () => Promise<void>): Promise<boolean> => {
    try {
      await store()
      return true
    } catch (error) {
      if (error instanceof Failure && error.code === 'DATABASE_UNAVAILABLE') return false
      throw error
    }
  }

  const ofSystem = async (component: string | null, depth: Depth, subject: string): Promise<FullDiagnostic> => {
    const started = performance.now()
    const created_at = now()
    const { findings, healthScore, measured, notMeasured } = await look.look(component, depth)
    const row: DiagnosticRow = {
      diagnostic_id: `diag_${randomUUID()}`, kind: component === null ? 'system' : 'component', target_system: component ?? 'system', subject, depth, status: standingOf(findings),
      errors_detected: findings.length, critical_errors: findings.filter(({ severity }) => severity === 'critical').length, faults_detected: 0, faults_corrected: 0,
      health_score: healthScore, compliance_score: null, findings: [...findings], measured: { ...measured }, not_measured: [...notMeasured],
      constitutional_hash: constitutionalHash, duration_ms: performance.now() - started, created_at,
    }
    const isKept = await kept(() => recordDiagnostic(database, row))
    diagnosticFound(telemetry, { id: row.diagnostic_id, of: row.kind, status: row.status, findings })
    return { ...row, executions: [], isKept }
  }

  /** As it was stored with the generation; one that is not there any longer, or never was, is diagnosed now from the generation's evidence. */
  const ofGeneration = async (id: string): Promise<FullDiagnostic | null> => {
    const diagnosticId = diagnosticIdOf(id)
    if (diagnosticId === null) return null
    const there = await readDiagnostic(database, diagnosticId)
    if (there !== null) return { ...there, isKept: true }
    const generation = await readGeneration(database, id)
    if (generation === null) return null
    const evidence = generation.evidence as unknown as Generation
    const diagnosed = diagnoseAssessment({ ...evidence, objections: evidence.objections ?? [] }, evidence.candidates)
    const row = diagnosticRowOf(diagnosed, {
      diagnostic_id: diagnosticId, kind: 'generation', target_system: id, subject: generation.user_id ?? '', constitutional_hash: generation.constitutional_hash, duration_ms: null,
      created_at: generation.created_at, not_measured: [{ what: 'executions', because: 'they are not stored any longer, or an earlier release made the generation and did not store them' }],
    })
    const isKept = await kept(() => recordDiagnostic(database, row))
    diagnosticFound(telemetry, { id: diagnosticId, of: 'generation', status: row.status, findings: row.findings })
    return { ...row, executions: [], isKept }
  }

  const validate = async (lsu: Lsu, subject: string): Promise<Validated> => {
    const started = performance.now()
    const created_at = now()
    const { durationMs, run } = clocked()
    const { unit, findings: hindrances } = understood(lsu, unitOf)
    let assessment: Assessment | null = null
    let diagnosed: UnitDiagnostic = { status: 'unhealthy', executions: [], findings: [], healthScore: null, complianceScore: null, faultsDetected: 0, faultsCorrected: 0 }
    if (unit !== null) {
      const examining = examiner.examining(unit.schema)
      const candidates = await propose(unit, examining.bound.bound)
      assessment = await assess({ unit, candidates }, { ...examining, run }).catch((error: unknown) => { throw placed(error) })
      diagnosed = diagnoseAssessment(assessment, candidates, durationMs)
    }
    const findings: readonly Finding[] = [...hindrances, ...diagnosed.findings.map(inDocument), ...claimFindings(lsu, constitutionalHash, assessment)]
    const row = diagnosticRowOf({ ...diagnosed, findings, status: standingOf(findings) }, {
      diagnostic_id: `diag_${randomUUID()}`, kind: 'lsu', target_system: lsu.id, subject, constitutional_hash: constitutionalHash,
      duration_ms: performance.now() - started, created_at, not_measured: [...uncheckedIn(lsu)],
    })
    const document = JSON.parse(JSON.stringify(lsu)) as Json
    const record = {
      lsu_id: lsu.id, generation_id: null, digest: digest(document), document, version: lsu.version, semantic_hash: assessment?.semanticHash ?? null,
      schema_digest: unit?.schema.digest ?? null, compliance_validated: row.status !== 'unhealthy',
    }
    const isKept = await kept(() => recordUnitDiagnostic(database, row, record, diagnosed.executions, now()))
    diagnosticFound(telemetry, { id: row.diagnostic_id, of: 'lsu', status: row.status, findings })
    return { diagnostic: row, stabilizersExecuted: diagnosed.executions.filter(({ outcome }) => outcome !== 0).length, semanticHash: record.semantic_hash, isKept }
  }

  const forgotten = recurring(telemetry.log, 'diagnostics that are older than they are kept are still there')
  const forget = () => void forgotten(forgetDiagnostics(database, keptDays))
  let timer: NodeJS.Timeout | undefined

  return {
    begin: () => {
      timer = setInterval(forget, FORGET_MS).unref()
      forget()
    },
    [Symbol.dispose]: () => clearInterval(timer),
    diagnose: async (target, depth, subject) => {
      const component = target === 'system' ? null : target
      if (component === null || look.names().includes(component)) return counted(component === null ? 'system' : 'component', () => ofSystem(component, depth, subject))
      return counted('generation', async () => {
        const found = await ofGeneration(component)
        if (found !== null) return found
        const request = component.startsWith('gen_') ? await readRequest(database, component) : null
        if (request?.state === 'accepted') throw new Failure('CONFLICT', `the generation \`${target}\` has not ended: diagnose it when /api/v1/generations/${target} says that it is finished`, { details: { reason: 'in_flight', generation_id: target } })
        if (request?.state === 'failed') throw new Failure('NOT_FOUND', `the request \`${target}\` failed before anything could be diagnosed: /api/v1/generations/${target} says why`)
        throw new Failure('NOT_FOUND', `there is no \`${target}\` to be diagnosed: give the id of a generation, \`system\`, or one of ${look.names().map((name) => `\`${name}\``).join(', ')}`, { details: { known: ['system', ...look.names()] } })
      })
    },
    validate: (lsu, subject) => counted('lsu', () => validate(lsu, subject)),
    read: async (id) => {
      const there = await readDiagnostic(database, id)
      if (there !== null) return { ...there, isKept: true }
      const generation = generationIdOf(id)
      return generation === null ? null : ofGeneration(generation)
    },
  }
}

/** The unit that a document is about; null with what hinders. */
function understood(lsu: Lsu, unitOf: (id: string, body: GenerateBody) => SemanticUnit): { readonly unit: SemanticUnit | null; readonly findings: readonly Finding[] } {
  const body = requestOf(lsu)
  if (body === null) return { unit: null, findings: [unreadable('content.text', 'it has no text: there is nothing that could be read, measured or proved', 'say what it rules in sentences, in content.text')] }
  try {
    return { unit: unitOf(lsu.id, body), findings: [] }
  } catch (error) {
    // The published schema has no place for a domain pack: that the text names none is found, not refused.
    if (error instanceof Failure && error.code === 'DOMAIN_UNKNOWN' && lsu.content.structured_data?.domain === undefined) {
      return { unit: null, findings: [unreadable('content.structured_data.domain', 'its text does not tell which domain it is about, so that there is no schema to read it against', 'name a domain pack in content.structured_data.domain, or bring a schema in content.structured_data.schema')] }
    }
    throw placed(error)
  }
}

/** What is wrong with the request that a document stands for, by the members of the document. */
function placed(error: unknown): unknown {
  if (!(error instanceof Failure) || error.problems.length === 0) return error
  const names: readonly [RegExp, string][] = [[/^context\b/, 'content.structured_data'], [/^schema\b/, 'content.structured_data.schema'], [/^(request|entities)\b/, 'content.structured_data.examples: $1'], [/^description\b/, 'content.text']]
  const place = (told: string) => `body.${names.reduce((said, [name, member]) => said.replace(name, member), told.replace(/^body\./, ''))}`
  return new Failure(error.code, error.message.replaceAll('context.', 'content.structured_data.'), { cause: error, details: error.details, problems: error.problems.map(({ place: told, message }) => ({ place: place(told), message })) })
}

import type { z } from 'zod'
import { listDiagnostics, type DiagnosticRow } from '#adapters/postgres/diagnostics.ts'
import type { Queryable } from '#adapters/postgres/connect.ts'
import { autoExecutableIn, recommendationsIn } from '#core/diagnostic/diagnostic.ts'
import { malformed } from '#core/json.ts'
import { STABILIZERS, TABLE_VERSION, type Stabilizer } from '#core/stabilizers/table.ts'
import { Failure } from '#core/failure.ts'
import { route, type Caller, type Route } from '#http/contract.ts'
import type { Admission } from './admission.ts'
import type { Diagnostics, FullDiagnostic } from './diagnostics.ts'
import { getDiagnostic, getDiagnostics, getStabilizers, postDiagnose, postValidateLsu, type Diagnostic } from './diagnostic-contract.ts'

const GROUPS: Readonly<Record<Stabilizer['group'], { readonly name: string; readonly description: string }>> = {
  'STAB-CONST001': { name: 'Constitution', description: 'Every article of the constitution that the schema binds is proved of the policy' },
  'STAB-SEMAN001': { name: 'Meaning', description: 'Every representation of a request is well formed and means the same' },
  'STAB-PERF0001': { name: 'Evaluation', description: 'No rule can fail when a decision is made' },
}

export type DiagnosticUse = {
  readonly diagnostics: Diagnostics
  readonly database: Queryable
  /** A document takes its turn among the generations: it costs as much. */
  readonly admission: Admission
  readonly constitutionalHash: string
  /** Articles of the constitution in force, with what each says. */
  readonly articles: readonly { readonly id: string; readonly text: string }[]
  readonly packs: readonly string[]
  readonly timeoutMs: number
  /** Whether the engine of the checks came out of its self-test as it must. */
  readonly isTested: boolean
}

export function diagnosticRoutes({ diagnostics, database, admission, constitutionalHash, articles, packs, timeoutMs, isTested }: DiagnosticUse): Route[] {
  return [
    route(getStabilizers, () => {
      const stabilizers = Object.entries(GROUPS).map(([id, { name, description }]) => {
        const ofTable = STABILIZERS.filter(({ group }) => group === id).map(({ id, holds }) => ({ id, holds }))
        const checks = id === 'STAB-CONST001' ? [...ofTable, ...articles.map(({ id, text }) => ({ id, holds: text }))] : ofTable
        return { id, name, description, domains: [...packs], enabled: checks.length > 0, version: TABLE_VERSION, timeout: timeoutMs / 1000, constitutional_compliance: isTested, checks }
      })
      return { stabilizers, total_count: stabilizers.length, enabled_count: stabilizers.filter(({ enabled }) => enabled).length, constitutional_hash: constitutionalHash }
    }),

    route(postValidateLsu, async ({ body, caller, signal }) => {
      const leave = await admission.enter(signal)
      try {
        const { diagnostic, stabilizersExecuted, semanticHash, isKept } = await diagnostics.validate(body, caller.subject)
        const { status, health_score, compliance_score, errors_detected, critical_errors, findings, not_measured, created_at } = diagnostic
        return {
          lsu_id: body.id, validation_status: status === 'unhealthy' ? ('unhealthy' as const) : ('healthy' as const), stabilizers_executed: stabilizersExecuted, errors_detected, critical_errors, health_score, compliance_score,
          recommendations: [...recommendationsIn(findings)], auto_executable_recommendations: autoExecutableIn(findings), diagnostic_id: isKept ? diagnostic.diagnostic_id : null,
          findings: shown(findings, true), not_measured: [...not_measured, ...notKept(isKept)], semantic_hash: semanticHash, constitutional_hash: constitutionalHash, timestamp: created_at.toISOString(),
        }
      } finally {
        leave()
      }
    }),

    route(postDiagnose, async ({ query, body, caller }) => {
      const { target_system = 'system', include_recommendations = true, diagnostic_depth = 'standard' } = agreed(query, body ?? {})
      return shownWhole(await diagnostics.diagnose(target_system, diagnostic_depth, caller.subject), include_recommendations)
    }),

    route(getDiagnostics, async ({ query: { from, to, kind, status, target_system, correction, limit, cursor }, caller }) => {
      const { diagnostics, next } = await listDiagnostics(database, {
        limit,
        ...(kind === undefined ? {} : { kind }), ...(status === undefined ? {} : { status }), ...(target_system === undefined ? {} : { target: target_system }),
        ...(correction === undefined ? {} : { correction }), ...(cursor === undefined ? {} : { cursor }),
        ...(from === undefined ? {} : { from: new Date(from) }), ...(to === undefined ? {} : { to: new Date(to) }),
        ...(seesAll(caller) ? {} : { subject: caller.subject }),
      })
      return {
        diagnostics: diagnostics.map(({ subject, depth, created_at, ...row }) => ({ ...row, diagnostic_depth: depthOf(depth), user_id: subject, timestamp: created_at.toISOString() })),
        next_cursor: next,
      }
    }),

    route(getDiagnostic, async ({ params: { id }, caller }) => {
      const found = await diagnostics.read(id)
      // Someone else's is answered like none: whether it exists is not theirs to know.
      if (found === null || !(seesAll(caller) || found.subject === caller.subject)) throw new Failure('NOT_FOUND', `there is no diagnostic \`${id}\``)
      return shownWhole(found, true)
    }),
  ]
}

type Depth = z.output<typeof Diagnostic>['diagnostic_depth']

/** One choice from the query and the body, which may both be given and must not contradict each other. */
function agreed<T extends object>(query: T, body: T): T {
  const both = (Object.keys(body) as (keyof T & string)[]).filter((name) => query[name] !== undefined && body[name] !== undefined && query[name] !== body[name])
  if (both.length > 0) throw malformed(both.map((name) => ({ place: `query.${name}`, message: `is \`${String(query[name])}\`, and the body says \`${String(body[name])}\`: give it once` })))
  return { ...query, ...body }
}

function shownWhole({ subject, depth, created_at, isKept, executions, findings, diagnostic_id, not_measured, ...row }: FullDiagnostic, isRecommended: boolean): z.input<typeof Diagnostic> {
  return {
    ...row, diagnostic_id: isKept ? diagnostic_id : null, diagnostic_depth: depthOf(depth), findings: shown(findings, isRecommended), not_measured: [...not_measured, ...notKept(isKept)],
    recommendations: isRecommended ? [...recommendationsIn(findings)] : [], auto_executable_recommendations: isRecommended ? autoExecutableIn(findings) : 0,
    executions: executions.map(({ stabilizer_id, stabilizer_group, ...each }) => ({ ...each, stabilizer: stabilizer_id, group: stabilizer_group })),
    timestamp: created_at.toISOString(),
  }
}

function shown(findings: DiagnosticRow['findings'], isRecommended: boolean): z.input<typeof Diagnostic>['findings'] {
  return findings.map(({ remedy: { strategy, action, autoExecutable }, ...found }) => ({ ...found, remedy: isRecommended ? { strategy, action, auto_executable: autoExecutable } : null }))
}

function notKept(isKept: boolean): { what: string; because: string }[] {
  return isKept ? [] : [{ what: 'diagnostic_id', because: 'the database does not answer: nothing of this is kept' }]
}

function depthOf(depth: string): Depth {
  return depth as Depth
}

function seesAll(caller: Caller): boolean {
  return caller.roles.includes('operator')
}

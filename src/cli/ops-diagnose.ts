import { Option, type Command } from 'commander'
import type { z } from 'zod'
import { getDiagnostic, getDiagnostics, postDiagnose, type Diagnostic as DiagnosticReply } from '#services/platform/diagnostic-contract.ts'
import { answerOf, asksService, askService, pathOf, type ServiceOptions } from './service.ts'
import { EXIT, counted, finish, newCommand } from './terminal.ts'

type Diagnostic = z.output<typeof DiagnosticReply>
type Page = z.output<typeof getDiagnostics.reply>

export function diagnoseCommand(): Command {
  return asksService(newCommand('diagnose', 'how the running system stands, one component of it, or a generation: what was measured, what was found, what would settle it', './acgs ops diagnose'))
    .argument('[target]', 'the name of a component as /health shows it, or the id of a generation; without it, the whole system')
    .addOption(new Option('--depth <depth>', 'basic: what is known already; standard: looks at everything now; comprehensive: asks PostgreSQL about itself too').choices(['basic', 'standard', 'comprehensive']).default('standard'))
    .action(async (target: string | undefined, options: ServiceOptions & { depth: string }) => {
      const body = { ...(target === undefined ? {} : { target_system: target }), diagnostic_depth: options.depth }
      const reply = await askService({ service: 'platform', method: postDiagnose.method, path: postDiagnose.path, role: 'operator', body }, options)
      const answer = answerOf(reply, summary, { 'body.target_system': '[target]', 'body.diagnostic_depth': '--depth' })
      finish(reply.status === 200 && (reply.body as Diagnostic).status !== 'healthy' ? { ...answer, exit: EXIT.no } : answer, options)
    })
}

export function diagnosticsCommand(): Command {
  return asksService(newCommand('diagnostics', 'what was diagnosed, newest first; or one of them, whole', './acgs ops diagnostics --correction corrected'))
    .argument('[id]', 'of one diagnostic: a generation’s reply shows it as syndrome_diagnosis_id')
    .addOption(new Option('--kind <kind>', 'only those').choices(['system', 'component', 'generation', 'lsu']))
    .addOption(new Option('--correction <which>', 'only generations in whose candidates faults were found').choices(['detected', 'corrected', 'unsettled']))
    .option('--limit <n>', 'how many', '20')
    .action(async (id: string | undefined, options: ServiceOptions & { kind?: string; correction?: string; limit: string }) => {
      if (id !== undefined) {
        const reply = await askService({ service: 'platform', method: getDiagnostic.method, path: pathOf(getDiagnostic.path, { id }), role: 'operator' }, options)
        return finish(answerOf(reply, (body: Diagnostic) => [summary(body), ...body.executions.map(checkLine)].join('\n'), { 'params.id': '[id]' }), options)
      }
      const query = new URLSearchParams({ limit: options.limit, ...(options.kind === undefined ? {} : { kind: options.kind }), ...(options.correction === undefined ? {} : { correction: options.correction }) })
      const reply = await askService({ service: 'platform', method: getDiagnostics.method, path: `${getDiagnostics.path}?${query.toString()}`, role: 'operator' }, options)
      finish(answerOf(reply, page, { 'query.limit': '--limit' }), options)
    })
}

function summary(found: Diagnostic): string {
  const { target_system, kind, status, health_score, errors_detected, not_measured, diagnostic_id } = found
  return [
    `${target_system}${kind === 'system' ? '' : ` (${kind})`} is ${status}: ${counted(errors_detected, 'finding')}, health ${health_score === null ? 'not measured' : health_score.toFixed(2)}`,
    ...findingLines(found.findings), ...not_measured.map(({ what, because }) => `not measured: ${what}: ${because}`),
    ...(diagnostic_id === null ? [] : [`kept as ${diagnostic_id}`]),
  ].join('\n')
}

/** A line for each finding, and one for what would settle it. */
export function findingLines(findings: Diagnostic['findings']): readonly string[] {
  return findings.flatMap(({ severity, message, remedy }) => [`${severity}: ${message}`, ...(remedy === null ? [] : [`  → ${remedy.action}`])])
}

function checkLine({ stabilizer, candidates, outcome, reason, duration_ms }: Diagnostic['executions'][number]): string {
  const said = { '1': 'holds', '-1': 'fires', '0': 'not run' }[String(outcome) as '0']
  return `${said.padEnd(8)}${stabilizer}${candidates.length === 0 ? '' : ` (${candidates.join(', ')})`}${reason === null ? '' : `: ${reason}`}${duration_ms === null ? '' : `   ${duration_ms.toFixed(1)} ms`}`
}

function page({ diagnostics, next_cursor }: Page): string {
  const lines = diagnostics.map(({ timestamp, status, diagnostic_id, target_system, errors_detected, faults_detected, faults_corrected }) =>
    `${timestamp}  ${status.padEnd(9)}  ${diagnostic_id}  ${target_system}  ${counted(errors_detected, 'finding')}${faults_detected === 0 ? '' : `, ${faults_corrected} of ${counted(faults_detected, 'fault')} corrected`}`)
  return [...(lines.length === 0 ? ['nothing of that kind was diagnosed'] : lines), ...(next_cursor === null ? [] : ['there are more: --limit, at most 200, shows more of them'])].join('\n')
}

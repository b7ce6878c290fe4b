import type { Command } from 'commander'
import type { z } from 'zod'
import { postValidateLsu } from '#services/platform/diagnostic-contract.ts'
import { findingLines } from './ops-diagnose.ts'
import { answerOf, asksService, askService, type ServiceOptions } from './service.ts'
import { EXIT, counted, finish, newCommand, newGroup, readBytes } from './terminal.ts'

type Reply = z.output<typeof postValidateLsu.reply>

export function command(): Command {
  const validate = asksService(newCommand('validate', 'what the text of a logical semantic unit is found to mean, and whether it could be certified; nothing is', './acgs lsu validate unit.json'))
    .argument('<file>', 'the unit as JSON; - for standard input')
    .action(async (file: string, options: ServiceOptions) => {
      const reply = await askService({ service: 'platform', method: postValidateLsu.method, path: postValidateLsu.path, role: 'author', body: readBytes(file) }, options)
      const answer = answerOf(reply, summary, { 'body.': '', body: file === '-' ? 'standard input' : file })
      finish(reply.status === 200 && (reply.body as Reply).validation_status === 'unhealthy' ? { ...answer, exit: EXIT.no } : answer, options)
    })
  return newGroup('lsu', 'logical semantic units as documents', './acgs lsu validate unit.json').addCommand(validate)
}

function summary({ lsu_id, validation_status, stabilizers_executed, compliance_score, semantic_hash, findings, not_measured, diagnostic_id }: Reply): string {
  return [
    `${lsu_id} is ${validation_status}${validation_status === 'healthy' && findings.length > 0 ? ', nothing critical was found' : ''}: ${counted(stabilizers_executed, 'check')}, score ${compliance_score === null ? 'none' : compliance_score.toFixed(2)}, semantic hash ${semantic_hash ?? 'none'}`,
    ...findingLines(findings), ...not_measured.map(({ what, because }) => `not checked: ${what}: ${because}`),
    ...(diagnostic_id === null ? [] : [`kept as ${diagnostic_id}`]),
  ].join('\n')
}

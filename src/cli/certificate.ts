import type { Command } from 'commander'
import { malformed } from '#core/json.ts'
import { getCertificateStatus, postRevocation } from '#services/platform/revision-contract.ts'
import { answerOf, asksService, askService, pathOf, type ServiceOptions } from './service.ts'
import { EXIT, finish, newCommand, newGroup } from './terminal.ts'

export function command(): Command {
  const status = asksService(newCommand('status', 'whether a certificate was issued here, and whether it was revoked', './acgs certificate status CERTIFICATE'))
    .argument('<certificate>', 'its id: 32 hex digits')
    .action(async (id: string, options: ServiceOptions) => {
      const reply = await askService({ service: 'platform', method: getCertificateStatus.method, path: pathOf(getCertificateStatus.path, { id: idIn(id) }), role: null }, options)
      const answer = answerOf(reply, ({ revoked, revoked_at }) => (revoked ? `revoked at ${revoked_at}` : 'issued here, not revoked'))
      finish(reply.status === 200 && (reply.body as { revoked: boolean }).revoked ? { ...answer, exit: EXIT.no } : answer, options)
    })
  const revoke = asksService(newCommand('revoke', 'take a certificate back: within a second its permits decide no more, its prohibitions stay until the council replaces it', './acgs certificate revoke CERTIFICATE --reason "the wards were merged"'))
    .argument('<certificate>', 'its id: 32 hex digits')
    .requiredOption('--reason <text>', 'why; it goes into the ledger')
    .action(async (id: string, options: ServiceOptions & { reason: string }) => {
      const reply = await askService({ service: 'platform', method: postRevocation.method, path: pathOf(postRevocation.path, { id: idIn(id) }), role: 'council', body: { reason: options.reason } }, options)
      finish(answerOf(reply, ({ was_revoked_already }) => (was_revoked_already ? 'was revoked already: nothing changed' : 'revoked; ./acgs revision list APP shows which revision must be replaced'), { 'body.reason': '--reason' }), options)
    })
  return newGroup('certificate', 'certificates that were issued here: their status, and taking one back', './acgs certificate status CERTIFICATE').addCommand(status).addCommand(revoke)
}

function idIn(id: string): string {
  if (/^[0-9a-f]{32}$/.test(id)) return id
  throw malformed([{ place: '<certificate>', message: `\`${id}\` is not the id of a certificate: 32 hex digits, as \`generate\` prints it` }])
}

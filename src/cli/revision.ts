import type { Command } from 'commander'
import { postApproval as postAuthApproval } from '#services/auth/contract.ts'
import { getRevision, postActivation, postApproval, postRevision } from '#services/platform/revision-contract.ts'
import { answerOf, asksService, askService, pathOf, type Reply, type ServiceOptions } from './service.ts'
import { finish, newCommand, newGroup } from './terminal.ts'

type ProposeOptions = ServiceOptions & { add: readonly string[]; remove: readonly string[]; replace: readonly string[] }

export function command(): Command {
  const propose = asksService(newCommand('propose', 'prove a set of certified policies as a whole, and propose it to the council', './acgs revision propose data-protection --add CERTIFICATE'))
    .argument('<app>', 'for which application')
    .option('--add <certificate...>', 'ids of certificates to add', [])
    .option('--remove <certificate...>', 'ids of certificates that shall no longer decide', [])
    .option('--replace <old=new...>', 'a certificate and the one that takes its place', [])
    .action(async (app: string, options: ProposeOptions) => {
      const replace = options.replace.map((pair) => ({ certificate: pair.split('=')[0] ?? '', by: pair.split('=')[1] ?? '' }))
      finish(answered(await ask(postRevision, { app }, 'author', options, { add: options.add, remove: options.remove, replace })), options)
    })
  const show = of('show', 'what a revision is, how it stands, and what is missing before it can decide', async (app, n, options) => ask(getRevision, { app, n }, 'author', options))
  const approve = of('approve', 'approve a revision as a member of the council, by a token that Auth signs for exactly its content', async (app, n, options) => {
    const shown = await ask(getRevision, { app, n }, 'council', options)
    if (shown.status !== 200) return shown
    const { digest, revision } = shown.body as { digest: string; revision: number }
    const signed = await askService({ service: 'auth', method: 'POST', path: postAuthApproval.path, role: 'council', body: { application: app, revision, digest } }, options)
    if (signed.status !== 200) return signed
    return ask(postApproval, { app, n }, 'council', options, { approval_token: (signed.body as { approval_token: string }).approval_token })
  })
  const activate = of('activate', 'make a proved and approved revision the one that decides', async (app, n, options) => ask(postActivation, { app, n }, 'council', options))
  const rollback = of('rollback', 'bring the content of an earlier revision back under a new number; its approvals count again', async (app, n, options) =>
    ask(postRevision, { app }, 'council', options, { rollback_to: Number(n) }))
  return [propose, show, approve, activate, rollback].reduce((group, each) => group.addCommand(each), newGroup('revision', 'what decides for an application: proposed, proved, approved, activated', './acgs revision show data-protection 1'))
}

function of(name: string, does: string, run: (app: string, n: string, options: ServiceOptions) => Promise<Reply>): Command {
  return asksService(newCommand(name, does, `./acgs revision ${name} data-protection 1`))
    .argument('<app>', 'of which application')
    .argument('<n>', 'its number')
    .action(async (app: string, n: string, options: ServiceOptions) => finish(answered(await run(app, n, options)), options))
}

function ask(
  endpoint: typeof postRevision | typeof getRevision | typeof postApproval | typeof postActivation, params: Readonly<Record<string, string>>, role: 'author' | 'council', options: ServiceOptions, body?: unknown,
): Promise<Reply> {
  return askService({ service: 'platform', method: endpoint.method, path: pathOf(endpoint.path, params), role, ...(body === undefined ? {} : { body }) }, options)
}

type Shown = {
  applicable: { articles: number; of: number }
  application: string
  revision: number
  digest: string
  verdict: string
  is_active: boolean
  missing: readonly string[]
  revoked: readonly string[]
  approvals: readonly { member: string }[]
  certificates: readonly { id: string; author: string }[]
}

function answered(reply: Reply): ReturnType<typeof answerOf> {
  return answerOf(reply, (body: Shown) => {
    const { applicable, revision, application, certificates, verdict, is_active, missing, revoked, approvals, digest } = body
    return [
      `revision ${revision} of ${application}   ${applicable.articles} of ${applicable.of} articles apply`,
      `  ${certificates.length} certificate${certificates.length === 1 ? '' : 's'} ${verdict} as one set${approvals.length === 0 ? '' : `, approved by ${approvals.map(({ member }) => member).join(', ')}`}`,
      ...revoked.map((id) => `  certificate ${id} was revoked: its permits do not decide, its prohibitions do; the council must replace it`),
      `  ${is_active ? 'decides' : missing.length === 0 ? 'can be activated' : `missing: ${missing.join('; ')}`}`,
      `  digest ${digest}`,
    ].join('\n')
  })
}

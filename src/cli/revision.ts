import type { Command } from 'commander'
import { Failure } from '#core/failure.ts'
import { malformed } from '#core/json.ts'
import { revisionDigest, type RevisionContent } from '#core/revision/revision.ts'
import { postApproval as postAuthApproval } from '#services/auth/contract.ts'
import { getRevision, getRevisions, postActivation, postApproval, postRevision, type RevisionDifference } from '#services/platform/revision-contract.ts'
import { differenceLines } from './difference-lines.ts'
import { answerOf, asksService, askService, pathOf, type Reply, type ServiceOptions } from './service.ts'
import { counted, finish, newCommand, newGroup } from './terminal.ts'

type ApproveOptions = ServiceOptions & { digest?: string }
type ProposeOptions = ServiceOptions & { add?: readonly string[]; remove?: readonly string[]; replace?: readonly string[] }

export function command(): Command {
  const propose = asksService(newCommand('propose', 'prove a set of certified policies as a whole, and propose it to the council', './acgs revision propose data-protection --add CERTIFICATE'))
    .argument('<app>', 'for which application')
    .option('--add <certificate...>', 'ids of certificates to add')
    .option('--remove <certificate...>', 'ids of certificates that shall no longer decide')
    .option('--replace <old=new...>', 'a certificate and the one that takes its place')
    .action(async (app: string, options: ProposeOptions) => {
      const change = changeIn(options)
      finish(answered(await ask(postRevision, { app }, 'author', options, change), proposed), options)
    })
  const list = asksService(newCommand('list', 'the revisions of an application, the newest first', './acgs revision list data-protection'))
    .argument('<app>', 'of which application')
    .action(async (app: string, options: ServiceOptions) => {
      const reply = await askService({ service: 'platform', method: getRevisions.method, path: pathOf(getRevisions.path, { app }), role: 'author' }, options)
      finish(answered(reply, ({ revisions }: { revisions: readonly Shown[] }) => (revisions.length === 0 ? `${app} has no revision yet: ./acgs revision propose ${app} --add CERTIFICATE` : revisions.map(line).join('\n'))), options)
    })
  const show = of('show', 'what a revision is and says, how it stands, and what is missing before it can decide', async (app, n, options) => ask(getRevision, { app, n }, 'author', options), whole)
  const approve = of('approve', 'approve a revision as a member of the council, by a token that Auth signs for exactly its content', async (app, n, options: ApproveOptions) => {
    const shown = await ask(getRevision, { app, n }, 'council', options)
    if (shown.status !== 200) return shown
    const { digest, revision } = checked(shown.body as Whole)
    if (options.digest !== undefined && options.digest !== digest) throw new Failure('APPROVAL_INVALID', `revision ${n} of \`${app}\` has the digest ${digest}, not the one that was approved of: look at it again`)
    const signed = await askService({ service: 'auth', method: 'POST', path: postAuthApproval.path, role: 'council', body: { application: app, revision, digest } }, options)
    if (signed.status !== 200) return signed
    return ask(postApproval, { app, n }, 'council', options, { approval_token: (signed.body as { approval_token: string }).approval_token })
  })
  approve.option('--digest <digest>', 'approve only what has this digest, as `revision show` printed it')
  const activate = of('activate', 'make a proved and approved revision the one that decides', async (app, n, options) => ask(postActivation, { app, n }, 'council', options))
  const rollback = of('rollback', 'bring the content of an earlier revision back under a new number; its approvals count again', async (app, n, options) =>
    ask(postRevision, { app }, 'author', options, { rollback_to: Number(n) }))
  return [propose, list, show, approve, activate, rollback].reduce((group, each) => group.addCommand(each), newGroup('revision', 'what decides for an application: proposed, proved, approved, activated', './acgs revision show data-protection 1'))
}

function of(name: string, does: string, run: (app: string, n: string, options: ApproveOptions) => Promise<Reply>, render: (body: any) => string = summary): Command {
  return asksService(newCommand(name, does, `./acgs revision ${name} data-protection 1`))
    .argument('<app>', 'of which application')
    .argument('<n>', 'its number')
    .action(async (app: string, n: string, options: ApproveOptions) => {
      if (!/^[1-9]\d{0,8}$/.test(n)) throw malformed([{ place: '<n>', message: `\`${n}\` is not the number of a revision: ./acgs revision list ${app} shows those there are` }])
      finish(answered(await run(app, n, options), render), options)
    })
}

function ask(
  endpoint: typeof postRevision | typeof getRevision | typeof postApproval | typeof postActivation, params: Readonly<Record<string, string>>, role: 'author' | 'council', options: ServiceOptions, body?: unknown,
): Promise<Reply> {
  return askService({ service: 'platform', method: endpoint.method, path: pathOf(endpoint.path, params), role, ...(body === undefined ? {} : { body }) }, options)
}

/** @throws {Failure} `REQUEST_MALFORMED` naming every option that is no certificate's id. */
function changeIn({ add = [], remove = [], replace = [] }: ProposeOptions) {
  const pairs = replace.map((pair) => pair.split('='))
  const named = [...add.map((id) => ['--add', id]), ...remove.map((id) => ['--remove', id]), ...pairs.flatMap((ids) => (ids.length === 2 ? ids : ['']).map((id) => ['--replace', id]))]
  const wrong = named.filter(([, id]) => !/^[0-9a-f]{32}$/.test(id ?? ''))
  if (wrong.length > 0) {
    throw malformed(wrong.map(([place = '', id = '']) => ({ place, message: id === '' ? 'is not OLD=NEW, two ids of certificates' : `\`${id}\` is not the id of a certificate: 32 hex digits, as \`generate\` prints it` })))
  }
  if (named.length === 0) throw malformed([{ place: 'propose', message: 'nothing would change: give --add, --remove or --replace with ids of certificates' }])
  return { add, remove, replace: pairs.map(([certificate = '', by = '']) => ({ certificate, by })) }
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
  approvals: readonly { member: string; at: string }[]
  approvals_required: number
  certificates: readonly { id: string; author: string }[]
  articles: readonly { id: string; hard: boolean; answer: string; text?: unknown; counterexample?: { principal: string; action: string; resource: string } }[]
  policy: string
  base: number | null
  difference?: RevisionDifference | null
  rollback_of: number | null
  proposed_by: string
  proposed_at: string
  activated_by: string | null
  activated_at: string | null
}

function answered(reply: Reply, render: (body: any) => string): ReturnType<typeof answerOf> {
  const answer = answerOf(reply, render, { 'params.app': '<app>', 'params.n': '<n>', '`rollback_to`': 'rollback' })
  // A set that is refused is stored all the same: what is known of it is shown.
  return reply.status === 422 && typeof (reply.body as Partial<Shown>).revision === 'number' ? { ...answer, text: proposed(reply.body as Shown) } : answer
}

function line({ revision, verdict, certificates, is_active, activated_at, missing, proposed_by }: Shown): string {
  const state = is_active ? 'decides' : activated_at !== null ? 'superseded' : missing.length === 0 ? 'can be activated' : `missing: ${missing.join('; ')}`
  return `${String(revision).padStart(4)}  ${verdict}, ${counted(certificates.length, 'certificate')}, proposed by ${proposed_by}  ${state}`
}

function summary({ applicable, revision, application, certificates, verdict, is_active, missing, revoked, approvals, approvals_required, articles, digest }: Shown): string {
  const soft = articles.filter(({ hard, answer }) => !hard && answer !== 'proved')
  return [
    `revision ${revision} of ${application}   ${applicable.articles} of ${applicable.of} articles apply`,
    `  ${counted(certificates.length, 'certificate')} ${verdict} as one set, ${approvals.length} of ${counted(approvals_required, 'approval')}${approvals.length === 0 ? '' : `: ${approvals.map(({ member }) => member).join(', ')}`}`,
    ...(soft.length === 0 ? [] : [`  ${counted(soft.length, 'soft article')} lower${soft.length === 1 ? 's' : ''} the score: ${soft.map(({ id }) => id).join(', ')} (--json has a request for each)`]),
    ...articles.filter(({ hard, answer }) => hard && answer !== 'proved').map(({ id, answer, counterexample }) =>
      `  ${id} is ${answer}${counterexample === undefined ? '' : `: ${counterexample.principal} ${counterexample.action} ${counterexample.resource} (--json has the whole request)`}`),
    ...revoked.map((id) => `  certificate ${id} was revoked: its permits do not decide, its prohibitions do; the council must replace it`),
    `  ${is_active ? 'decides' : missing.length === 0 ? `can be activated: ./acgs revision activate ${application} ${revision}` : `missing: ${missing.join('; ')}`}`,
    `  digest ${digest}`,
  ].join('\n')
}

function proposed(body: Shown): string {
  return [summary(body), ...changeLines(body)].join('\n')
}

/** What it changes, as the platform says: whoever wants to know better asks `acgs diff` about the two policies. */
function changeLines({ base, difference }: Shown): readonly string[] {
  if (difference === undefined) return []
  if (difference === null) return [base === null ? '  nothing decided when it was proposed: whatever it permits is new' : '  what it changes was not kept']
  const { against, equivalent, environments, compared, entities, unknown } = difference
  const over = entities === null ? '' : `, counted over ${counted(entities.count, 'entity', 'entities')}`
  if (unknown !== null) return [`  what it changes against revision ${against} is not known: ${unknown}`]
  if (equivalent === true) return [`  means the same as revision ${against} in all of ${counted(compared, 'request environment')}`]
  return [`  against revision ${against}, in ${environments.length} of ${counted(compared, 'request environment')}${over}:`, ...environments.flatMap(differenceLines).map((line) => `    ${line}`)]
}

type Whole = Shown & { content: RevisionContent }

/** The content must be what its digest says: the platform that shows one thing must not have another approved. @throws {Failure} `APPROVAL_INVALID` */
function checked(body: Whole): Whole {
  if (revisionDigest(body.content) === body.digest) return body
  throw new Failure('APPROVAL_INVALID', `revision ${body.revision} of \`${body.application}\` is not what its digest says: do not approve it, and look at the platform`)
}

/** What whoever approves must know: every rule with the sentence that it came from, and whose it is. */
function whole(body: Whole): string {
  const { content: { certificates, policy }, proposed_by, proposed_at, rollback_of, activated_by, activated_at } = body
  return [
    summary(checked(body)),
    `  proposed by ${proposed_by} at ${proposed_at}${rollback_of === null ? '' : `, bringing back revision ${rollback_of}`}`,
    ...(activated_at === null ? [] : [`  activated by ${activated_by} at ${activated_at}`]),
    ...certificates.map(({ id, author }) => `  certificate ${id} by ${author}`),
    ...changeLines(body),
    '',
    policy.trimEnd(),
  ].join('\n')
}

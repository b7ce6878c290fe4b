import type { Command } from 'commander'
import { z } from 'zod'
import { parseUid } from '#adapters/cedar/cedar.ts'
import { Failure } from '#core/failure.ts'
import { parseJson } from '#core/json.ts'
import { postEvaluation } from '#services/compliance/decision-contract.ts'
import { askService, asksService, answerOf, type ServiceOptions } from './service.ts'
import { EXIT, finish, newCommand } from './terminal.ts'

type Options = ServiceOptions & { subject: string; action: string; resource: string; context?: string; subjectProperties?: string; resourceProperties?: string; minRevision?: string }

const TYPED = {
  'body.subject.properties': '--subject-properties', 'body.resource.properties': '--resource-properties', 'body.subject': '--subject', 'body.resource': '--resource', 'body.action.name': '--action', 'body.context': '--context',
  'the header X-ACGS-Min-Revision': '--min-revision', 'headers.x-acgs-min-revision': '--min-revision',
}

/** What people are shown of a reply. */
const Shown = z.looseObject({
  decision: z.boolean(),
  context: z.looseObject({
    revision: z.number().nullable(), verdict: z.string(), determining: z.array(z.object({ rule: z.string(), sentence: z.string().nullable() })),
    reason_admin: z.object({ en: z.string() }), obligations: z.array(z.string()), ignored: z.array(z.string()),
  }),
})

export function command(): Command {
  return asksService(newCommand('evaluate', 'one question to the running decision point: may this subject do this to this resource?', './acgs evaluate ai-agents --subject \'Agent::"alpha"\' --action readFile --resource \'File::"readme"\''))
    .argument('<application>', 'whose active revision decides')
    .requiredOption('--subject <uid>', 'who: Type::"id" or Type::id')
    .requiredOption('--action <action>', 'an action’s id, or its uid')
    .requiredOption('--resource <uid>', 'on what: Type::"id" or Type::id')
    .option('--context <json>', 'the context, as a JSON object')
    .option('--subject-properties <json>', 'attributes of the subject for this question only, as a JSON object')
    .option('--resource-properties <json>', 'attributes of the resource for this question only, as a JSON object')
    .option('--min-revision <number>', 'refuse to be told by an older revision than this')
    .action(async (application: string, options: Options) => finish(await run(application, options), options))
}

async function run(application: string, options: Options) {
  const question = {
    subject: { ...named(options.subject, '--subject'), ...propertiesIn(options.subjectProperties, '--subject-properties') }, action: { name: options.action },
    resource: { ...named(options.resource, '--resource'), ...propertiesIn(options.resourceProperties, '--resource-properties') },
    ...(options.context === undefined ? {} : { context: objectIn(options.context, '--context') }),
  }
  const reply = await askService({
    service: 'compliance', method: postEvaluation.method, path: postEvaluation.path, role: 'service', body: question,
    headers: { 'x-acgs-application': application, ...(options.minRevision === undefined ? {} : { 'x-acgs-min-revision': options.minRevision }) },
  }, options)
  const answer = answerOf(reply, (body) => render(Shown.parse(body)), TYPED)
  return reply.status === 200 && !Shown.parse(reply.body).decision ? { ...answer, exit: EXIT.no } : answer
}

function render({ decision, context: { revision, reason_admin, obligations, ignored } }: z.infer<typeof Shown>): string {
  return [
    decision ? 'allow' : 'deny',
    `${reason_admin.en}${revision === null ? '' : ` (revision ${revision})`}`,
    ...(obligations.length === 0 ? [] : [`obligations: ${obligations.join(', ')}`]),
    ...(ignored.length === 0 ? [] : [`not in the schema, so no rule reads it: ${ignored.join(', ')}`]),
  ].join('\n')
}

/** `Type::"id"` as Cedar writes it, or without the quotes, which shells are fond of. */
function named(text: string, option: string): { type: string; id: string } {
  const bare = /^((?:\w+::)*\w+)::([^":]+)$/.exec(text)
  return bare === null ? parseUid(text, option) : { type: bare[1] as string, id: bare[2] as string }
}

function propertiesIn(text: string | undefined, option: string): { properties?: unknown } {
  return text === undefined ? {} : { properties: objectIn(text, option) }
}

/** Numbers beyond 2^53 are kept as their digits, which the decision point reads as that integer. */
function objectIn(text: string, option: string): unknown {
  const value = parseJson(new TextEncoder().encode(text), option, undefined, 'bigint')
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Failure('REQUEST_MALFORMED', `${option} is not a JSON object`, { problems: [{ place: option, message: 'is not an object' }] })
  return JSON.parse(JSON.stringify(value, (_name, each: unknown) => (typeof each === 'bigint' ? String(each) : each)))
}

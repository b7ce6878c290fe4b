import type { Command } from 'commander'
import { getApplication, getApplications, putApplication } from '#services/platform/application-contract.ts'
import { answerOf, asksService, askService, pathOf, type ServiceOptions } from './service.ts'
import { counted, finish, newCommand, newGroup, readText } from './terminal.ts'

type PutOptions = ServiceOptions & { schema: string; ifMatch?: string }

export function command(): Command {
  const put = asksService(newCommand('put', 'make an application of a schema, or give it another one', './acgs app put library --schema examples/library.cedarschema'))
    .argument('<app>', 'its name: lower-case letters, digits and hyphens')
    .requiredOption('--schema <file>', 'Cedar schema; - for standard input')
    .option('--if-match <digest>', 'the digest of the schema that is to be replaced, as `app show` prints it; stored entities must fit the new one')
    .action(async (app: string, options: PutOptions) => {
      const { ifMatch } = options
      const reply = await askService({
        service: 'platform', method: 'PUT', path: pathOf(putApplication.path, { app }), role: 'author', body: { schema: readText(options.schema) },
        ...(ifMatch === undefined ? {} : { headers: { 'if-match': `"${ifMatch.replace(/"/g, '')}"` } }),
      }, options)
      const { current_digest: present } = reply.body as { current_digest?: string }
      const answer = answerOf(reply, (body) => `${reply.status === 201 ? 'made' : ifMatch === undefined || ifMatch === body.schema_digest ? 'has this schema already' : 'has another schema now'}: ${summary(body)}`, TYPED)
      const remedy = present === undefined ? {} : { error: `\`${app}\` has another schema: to replace it by this one, say --if-match ${present}` }
      finish({ ...answer, ...remedy }, options)
    })
  const show = asksService(newCommand('show', 'an application: its schema, its entities, what decides for it, and how much of the constitution applies', './acgs app show data-protection'))
    .argument('<app>', 'its name')
    .action(async (app: string, options: ServiceOptions) => {
      const reply = await askService({ service: 'platform', method: 'GET', path: pathOf(getApplication.path, { app }), role: 'author' }, options)
      finish(answerOf(reply, (body) => `${summary(body)}\n\n${String(body.schema).trimEnd()}`, TYPED), options)
    })
  const list = asksService(newCommand('list', 'every application, and what decides for it', './acgs app list'))
    .action(async (options: ServiceOptions) => {
      const reply = await askService({ service: 'platform', method: 'GET', path: getApplications.path, role: 'author' }, options)
      finish(answerOf(reply, ({ applications }: { applications: readonly Omit<Shown, 'applicable'>[] }) => applications.map((each) => `${each.name}   ${standing(each)}`).join('\n')), options)
    })
  return newGroup('app', 'applications: a schema with its entities, for which one revision decides', './acgs app show ai-agents').addCommand(put).addCommand(list).addCommand(show)
}

const TYPED = { 'params.app': '<app>', 'body.schema': '--schema', 'headers.if-match': '--if-match', 'the If-Match header': '--if-match' }

type Shown = {
  name: string
  schema_digest: string
  entities: { version: number; count: number }
  active_revision: number | null
  applicable: { articles: number; of: number; missing: readonly { article: string; concepts: readonly string[] }[] }
}

function summary({ name, schema_digest, entities, active_revision, applicable }: Shown): string {
  return [
    `${name}   ${applicable.articles} of ${applicable.of} articles apply`,
    `  schema ${schema_digest}`,
    `  ${standing({ entities, active_revision })}`,
    ...(applicable.missing.length === 0 ? [] : [`  for the other ${applicable.missing.length} the schema lacks concepts: --json says which`]),
  ].join('\n')
}

function standing({ entities, active_revision }: Pick<Shown, 'entities' | 'active_revision'>): string {
  return `${counted(entities.count, 'entity', 'entities')}, version ${entities.version} · ${active_revision === null ? 'no revision is active: everything is denied' : `revision ${active_revision} decides`}`
}

import { z } from 'zod'
import type { StoredApplication } from '#adapters/postgres/applications.ts'
import type { Changed } from '#adapters/postgres/entities.ts'
import type { Applicable } from '#core/certificate/statement.ts'
import { Failure } from '#core/failure.ts'
import { Answer, route, type Caller, type Route } from '#http/contract.ts'
import { deleteEntity, getApplication, getApplications, getEntities, postEntities, putApplication, putEntities } from './application-contract.ts'
import type { Applications } from './applications.ts'

/** What the operations on applications use; `start.ts` makes it. */
export type Use = {
  readonly applications: Applications
  /** How much of the constitution applies to a schema. */
  readonly applicable: (schema: string) => Applicable
  /** How large a body with entities may be. */
  readonly entitiesBytesMax: number
}

export function applicationRoutes({ applications, applicable, entitiesBytesMax }: Use): Route[] {
  const whole = (application: StoredApplication) => {
    const { articles, of, missing } = applicable(application.schema.text)
    return { ...summaryOf(application), schema: application.schema.text, applicable: { articles, of, missing: missing.map(({ article, concepts }) => ({ article, concepts: [...concepts] })) } }
  }
  const change = async (app: string, change: Parameters<Applications['change']>[1], { subject }: Caller) => changedOf(app, change.upsert.length, await applications.change(app, change, subject))
  const large = { bodyBytesMax: entitiesBytesMax }

  return [
    route(putApplication, async ({ params: { app }, body: { schema }, headers, caller }) => {
      const { isNew, application } = await applications.put(app, schema, expectedDigest(headers['if-match']), caller.subject)
      return new Answer(whole(application), { status: isNew ? 201 : 200, headers: { etag: quoted(application.schema.digest) } })
    }),

    route(getApplications, async () => ({ applications: (await applications.list()).map(summaryOf) })),

    route(getApplication, async ({ params: { app } }) => {
      const application = await applications.read(app)
      return new Answer(whole(application), { headers: { etag: quoted(application.schema.digest) } })
    }),

    route(putEntities, ({ params: { app }, body: { entities, mode }, caller }) =>
      change(app, { upsert: entities, delete: mode === 'replace' ? 'the rest' : [], places: { upsert: 'entities', delete: '' } }, caller), large),

    route(postEntities, ({ params: { app }, body, caller }) =>
      change(app, { upsert: body.upsert ?? [], delete: body.delete, places: { upsert: 'upsert', delete: 'delete' } }, caller), large),

    route(deleteEntity, async ({ params: { app, type, id }, caller }) => {
      const reply = await change(app, { upsert: [], delete: [{ type, id }], places: { upsert: '', delete: 'path' } }, caller)
      if (reply.deleted === 0) throw new Failure('NOT_FOUND', `application \`${app}\` has no entity of the type \`${type}\` with the id \`${id}\``)
      return reply
    }),

    route(getEntities, async ({ params: { app }, query: { since, cursor, limit }, headers }) => {
      const { version, isWhole, upserted, deleted, next } = await applications.changes(app, { since, cursor, limit })
      const etag = quoted(String(version))
      if (cursor === undefined && since <= version && tagsOf(headers['if-none-match']).includes(etag)) return Answer.notModified({ etag })
      return new Answer({ application: app, version, is_whole: isWhole, upserted: [...upserted], deleted: [...deleted], next_cursor: next }, { headers: { etag } })
    }),
  ]
}

function summaryOf({ name, schema, entitiesVersion, entities, activeRevision, createdBy, createdAt, updatedAt }: StoredApplication) {
  return {
    name, schema_digest: schema.digest, entities: { version: entitiesVersion, count: entities }, active_revision: activeRevision,
    created_by: createdBy, created_at: createdAt.toISOString(), updated_at: updatedAt.toISOString(),
  }
}

function changedOf(application: string, given: number, { version, upserted, deleted, ledger }: Changed) {
  return { application, version, upserted, unchanged: given - upserted, deleted: deleted.length, ledger }
}

/** @throws {Failure} `REQUEST_MALFORMED` when it names no digest. */
function expectedDigest(header: string | string[] | undefined): string | null {
  if (header === undefined) return null
  const digest = z.string().regex(/^"[0-9a-f]{64}"$/).safeParse(header)
  if (digest.success) return digest.data.slice(1, -1)
  throw new Failure('REQUEST_MALFORMED', 'the If-Match header is not the digest of a schema in quotes, as the ETag of the application is', { problems: [{ place: 'headers.if-match', message: 'is not a digest in quotes' }] })
}

function quoted(tag: string): string {
  return `"${tag}"`
}

/** The entity tags of a conditional header; weak ones compare as strong ones here. */
function tagsOf(header: string | string[] | undefined): readonly string[] {
  return [header ?? []].flat().flatMap((list) => list.split(',')).map((tag) => tag.trim().replace(/^W\//, ''))
}

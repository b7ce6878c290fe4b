import { z } from 'zod'
import { JsonList } from '#core/json.ts'
import { ApplicationName } from '#core/revision/application.ts'
import type { Endpoint } from '#http/contract.ts'
import { MAY } from '#http/roles.ts'
import { Applicable } from './contract.ts'

const Digest = z.string().regex(/^[0-9a-f]{64}$/)
const Params = z.strictObject({ app: ApplicationName })
const UidShape = z.strictObject({ type: z.string(), id: z.string() })
/** Read by the schema of the application, not here: so every problem is named with its entity. */
const Entities = z.custom<JsonList>((value) => value instanceof JsonList, { error: ({ input }) => (input === undefined ? 'is missing (array)' : 'expected array') })
  .meta({ type: 'array', items: {} }).describe('In Cedar’s JSON format: `{"uid": {"type", "id"}, "attrs": {}, "parents": [], "tags": {}}`')

const Summary = z.strictObject({
  name: z.string(),
  schema_digest: Digest.describe('SHA-256 of the schema’s text'),
  entities: z.strictObject({ version: z.int().describe('Grows by one with every change'), count: z.int() }),
  active_revision: z.int().nullable().describe('What decides; null: nothing, and everything is denied'),
  created_by: z.string(),
  created_at: z.iso.datetime(),
  updated_at: z.iso.datetime(),
})
const Application = Summary.extend({
  schema: z.string().describe('Cedar, as it was put'),
  applicable: Applicable,
})

export const putApplication = {
  method: 'PUT',
  path: '/api/v1/applications/{app}',
  summary: 'Makes an application of a schema, or gives it another one',
  description: 'The same schema again changes nothing. Another one is a 409 that names both digests, unless `If-Match` has the digest of the present one in quotes; then all stored entities are read again by it, and every one that does not fit is named.',
  access: MAY.putApplications,
  params: Params,
  body: z.strictObject({ schema: z.string().min(1).max(500_000).describe('A Cedar schema, annotations included') }),
  reply: Application,
  status: 201,
  alsoStatus: { 200: 'It was there: with this schema, or it has this schema now.' },
  failures: ['SCHEMA_INVALID', 'ENTITIES_INVALID', 'CONFLICT', 'DATABASE_UNAVAILABLE'],
  example: { body: { schema: 'entity User; entity Doc { owner: User }; action read appliesTo { principal: User, resource: Doc };' } },
} as const satisfies Endpoint

export const getApplications = {
  method: 'GET',
  path: '/api/v1/applications',
  summary: 'Every application, by name',
  access: MAY.readApplications,
  reply: z.strictObject({ applications: z.array(Summary) }),
  failures: ['DATABASE_UNAVAILABLE'],
} as const satisfies Endpoint

export const getApplication = {
  method: 'GET',
  path: '/api/v1/applications/{app}',
  summary: 'One application: its schema, how far it has come, and how much of the constitution applies to it',
  description: 'The `ETag` is the digest of the schema, as `If-Match` wants it.',
  access: MAY.readApplications,
  params: Params,
  reply: Application,
  failures: ['NOT_FOUND', 'DATABASE_UNAVAILABLE'],
} as const satisfies Endpoint

const Changed = z.strictObject({
  application: z.string(),
  version: z.int().describe('Of the store, with this change in it'),
  upserted: z.int().describe('Entities that are new or other than before'),
  unchanged: z.int().describe('Entities given that were there already, just so'),
  deleted: z.int(),
  ledger: z.strictObject({ index: z.int(), root: z.string() }).nullable().describe('Null: nothing changed'),
})

export const putEntities = {
  method: 'PUT',
  path: '/api/v1/applications/{app}/entities',
  summary: 'Puts entities in bulk: all of them or, when one does not fit the schema, none',
  description: '`replace`: these are all the entities there are. References and parents may name entities that are not stored; a decision that reads one is a deny.',
  access: MAY.putApplications,
  params: Params,
  body: z.strictObject({ entities: Entities, mode: z.enum(['upsert', 'replace']).default('upsert') }),
  exactIntegers: true,
  lists: ['entities'],
  reply: Changed,
  failures: ['NOT_FOUND', 'ENTITIES_INVALID', 'DATABASE_UNAVAILABLE', 'OVERLOADED'],
  example: { body: { entities: [{ uid: { type: 'User', id: 'ana' }, attrs: {}, parents: [] }], mode: 'upsert' } },
} as const satisfies Endpoint

export const postEntities = {
  method: 'POST',
  path: '/api/v1/applications/{app}/entities',
  summary: 'Upserts and deletes entities as one change',
  description: 'Deleting what is not there changes nothing.',
  access: MAY.putApplications,
  params: Params,
  body: z.strictObject({ upsert: Entities.optional(), delete: z.array(z.unknown()).default([]).describe('Uids: `{"type", "id"}`') }),
  exactIntegers: true,
  lists: ['upsert'],
  reply: Changed,
  failures: ['NOT_FOUND', 'ENTITIES_INVALID', 'DATABASE_UNAVAILABLE', 'OVERLOADED'],
  example: { body: { upsert: [], delete: [{ type: 'User', id: 'ana' }] } },
} as const satisfies Endpoint

export const deleteEntity = {
  method: 'DELETE',
  path: '/api/v1/applications/{app}/entities/{type}/{id}',
  summary: 'Deletes one entity',
  access: MAY.putApplications,
  params: z.strictObject({ app: ApplicationName, type: z.string().min(1), id: z.string() }),
  reply: Changed,
  failures: ['NOT_FOUND', 'ENTITIES_INVALID', 'DATABASE_UNAVAILABLE'],
} as const satisfies Endpoint

export const getEntities = {
  method: 'GET',
  path: '/api/v1/applications/{app}/entities',
  summary: 'What happened to the entities since a version, page by page',
  description: 'The `ETag` is the version; `If-None-Match` with it is answered with 304. A page that `is_whole` means: forget what you have, and begin with this page. Only the last page (`next_cursor` null) leads to a state of the store, that of its `version`: what changes while pages are read moves to their end.',
  access: MAY.fetchBundles,
  audience: 'peers',
  params: Params,
  query: z.strictObject({
    since: z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER).default(0).describe('The version you have; 0 for everything'),
    cursor: z.string().max(16_000).optional().describe('`next_cursor` of the page before'),
    limit: z.coerce.number().int().min(1).max(10_000).default(1_000),
  }),
  reply: z.strictObject({
    application: z.string(),
    version: z.int(),
    is_whole: z.boolean(),
    upserted: z.array(z.unknown()),
    deleted: z.array(UidShape),
    next_cursor: z.string().nullable(),
  }),
  failures: ['NOT_FOUND', 'DATABASE_UNAVAILABLE'],
} as const satisfies Endpoint

/** For the page of the interface, and for tests that walk every endpoint. */
export const APPLICATION_ENDPOINTS = [putApplication, getApplications, getApplication, putEntities, postEntities, deleteEntity, getEntities] as const

import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { authorize, checkEntities, parsePolicies, parseSchema, parseUid, type TemplateLink } from '#adapters/cedar/cedar.ts'
import { parseLinked } from '#adapters/cedar/link.ts'
import { Evaluator } from '#core/decision/evaluator.ts'
import { readContext, readEntities } from '#core/decision/entity-graph.ts'
import { EntityValue } from '#core/decision/value.ts'
import { Failure } from '#core/failure.ts'
import type { Schema } from '#core/policy/schema.ts'
import type { CedarEntity, CedarRequest } from '#core/unit/semantic-unit.ts'

const FOLDER = fileURLToPath(new URL('../../shared/bench/cedar-examples', import.meta.url))
const skip = existsSync(FOLDER) ? false : 'there are no example applications at ../shared/bench/cedar-examples'
const read = (...path: string[]) => readFileSync(join(...path), 'utf8')

/** Third-party applications: policies, templates with their links, entities, and requests that must be allowed or denied. */
test('the decision engine allows and denies what the example applications say', { skip }, async (t) => {
  const applications = readdirSync(FOLDER, { recursive: true, withFileTypes: true }).filter(({ name }) => name === 'policies.cedarschema').map(({ parentPath }) => parentPath).sort()
  const counts = { applications: 0, allowed: 0, denied: 0 }
  for (const folder of applications) {
    await t.test(relative(FOLDER, folder), () => {
      const schema = parseSchema(read(folder, 'policies.cedarschema'))
      const text = read(folder, 'policies.cedar')
      const policies = existsSync(join(folder, 'linked')) ? parseLinked(text, linksIn(folder), schema) : parsePolicies(text, schema)
      const entities = (JSON.parse(read(folder, 'entities.json')) as CedarEntity[]).map((each) => ({ ...each, uid: bare(each.uid), parents: each.parents.map(bare) }))
      const evaluator = new Evaluator(policies.rules)
      // The data of two applications do not fit their own schemas, which Cedar says too: there both read them without.
      const over = SCHEMALESS.has(relative(FOLDER, folder)) ? null : schema
      if (over === null) assert.throws(() => checkEntities(entities, schema), Failure)
      const store = readEntities(over === null ? [...entities, ...actionsOf(schema)] : entities, over)
      for (const kind of ['ALLOW', 'DENY']) {
        for (const name of existsSync(join(folder, kind)) ? readdirSync(join(folder, kind)) : []) {
          const request = JSON.parse(read(folder, kind, name)) as CedarRequest
          const [principal, action, resource] = (['principal', 'action', 'resource'] as const).map((part) => parseUid(request[part], part)) as [Uid, Uid, Uid]
          const found = evaluator.evaluate({
            principal: new EntityValue(principal.type, principal.id), action: new EntityValue(action.type, action.id), resource: new EntityValue(resource.type, resource.id),
            context: readContext(request.context, over, action),
          }, store)
          const cedar = authorize({ policies, schema: over, request, entities: over === null ? [...entities, ...actionsOf(schema)] : entities })
          assert.deepEqual([found.decision, [...found.determining].sort()], [cedar.decision, cedar.determining], `${kind}/${name}`)
          assert.equal(found.decision, kind === 'ALLOW' ? 'allow' : 'deny', name)
          counts[kind === 'ALLOW' ? 'allowed' : 'denied']++
        }
      }
      counts.applications++
    })
  }
  console.log(`example applications: ${JSON.stringify(counts)}`)
  assert.ok(counts.applications >= 7 && counts.allowed > 15 && counts.denied > 10, JSON.stringify(counts))
})

const SCHEMALESS = new Set(['document_cloud', 'github_example'])

/** Without a schema, Cedar knows the groups of actions from entities only. */
function actionsOf(schema: Schema): readonly CedarEntity[] {
  return [...schema.actions.values()].map(({ uid, ancestors }) => ({ uid, attrs: {}, parents: ancestors.flatMap((group) => schema.actions.get(group)?.uid ?? []) }))
}

function bare(uid: Uid | { readonly __entity: Uid }): Uid {
  return '__entity' in uid ? uid.__entity : uid
}

type Uid = { readonly type: string; readonly id: string }

function linksIn(folder: string): readonly TemplateLink[] {
  const links = JSON.parse(read(folder, 'linked')) as readonly { template_id: string; link_id: string; args: { readonly [slot: string]: string } }[]
  return links.map(({ template_id, link_id, args }) => ({
    template: template_id, id: link_id,
    ...(args['?principal'] === undefined ? {} : { principal: parseUid(args['?principal'], '?principal') }),
    ...(args['?resource'] === undefined ? {} : { resource: parseUid(args['?resource'], '?resource') }),
  }))
}

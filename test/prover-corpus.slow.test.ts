import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parsePolicies, parseSchema } from '#adapters/cedar/cedar.ts'
import { createProver } from '#adapters/solver/prover.ts'
import { filesOfTar } from '#adapters/tar.ts'
import { meet, readsOf } from '#core/decision/reads.ts'
import { uidText } from '#core/policy/policy.ts'
import { interpreter } from '#core/proof/differential.ts'
import { alwaysDenies, LIMITS, neverErrors } from '#core/proof/questions.ts'
import type { CedarEntity } from '#core/unit/semantic-unit.ts'

/**
 * Cedar's own labelled cases, those whose policies pass strict validation, as the prover's terms decide them; and every so often the solver
 * asked about them, each counterexample replayed. Cases in which something that a rule reads is missing are no worlds of the prover's.
 */
const ARCHIVE = fileURLToPath(new URL('../../shared/bench/cedar-integration-tests/corpus-tests.tar.gz', import.meta.url))
/** One set in so many is asked about. */
const ASKED = Number(process.env['ACGS_CORPUS_ASKED'] ?? 20)

type JsonUid = { readonly type: string; readonly id: string }
type Case = {
  readonly policies: string; readonly entities: string; readonly schema: string; readonly shouldValidate: boolean
  readonly requests: readonly {
    readonly principal: JsonUid; readonly action: JsonUid; readonly resource: JsonUid; readonly context: { readonly [name: string]: unknown }
    readonly decision: 'allow' | 'deny'; readonly reason: readonly string[]; readonly errors: readonly string[]
  }[]
}

test('terms decide Cedar’s labelled cases as they are labelled, and the prover refuses none of them', { skip: existsSync(ARCHIVE) ? false : 'the corpus is not here' }, async () => {
  const disagreements: unknown[] = []
  await using prover = createProver({ ...LIMITS, disagreed: (report) => disagreements.push(report) })
  const files = new Map([...filesOfTar(readFileSync(ARCHIVE))].map(([path, content]) => [path.replace(/^\.\//, ''), content.toString()]))
  const counts = { sets: 0, decisions: 0, allowed: 0, erring: 0, missing: 0, asked: 0, proved: 0, refuted: 0, unknown: 0 }
  const read = (path: string): string => files.get(path) ?? assert.fail(`the corpus has no ${path}`)
  for (const [path, text] of files) {
    if (!path.endsWith('.json') || path.endsWith('.entities.json')) continue
    const { policies: policiesFile, entities: entitiesFile, schema: schemaFile, shouldValidate, requests } = exactly(text) as Case
    if (!shouldValidate) continue
    const schema = parseSchema(read(schemaFile))
    const policy = parsePolicies(read(policiesFile), schema)
    const entities = (exactly(read(entitiesFile)) as readonly CedarEntity[]).map((entity): CedarEntity => ({ ...entity, uid: bare(entity.uid), parents: entity.parents.map(bare) }))
    const byUid = new Map(entities.map((entity) => [uidText(entity.uid), entity]))
    counts.sets++
    const idOf = (name: string): string => policy.rules[Number(name.replace('policy', ''))]?.id ?? name
    for (const { principal, action, resource, context, decision, reason, errors } of requests) {
      const environment = { principal: principal.type, action: uidText(action), resource: resource.type }
      if (!schema.environments.some((each) => each.principal === principal.type && each.action === environment.action && each.resource === resource.type)) continue
      const request = { principal: uidText(principal), action: environment.action, resource: uidText(resource), context }
      const stored = (text: string) => byUid.get(text) ?? null
      if (meet(readsOf(policy, schema, environment), { schema, request, lookup: stored, stored }).missing.length > 0) {
        counts.missing++
        continue
      }
      const said = interpreter(schema, environment, policy)({ principal: principal.id, resource: resource.id, context, entities })
      assert.deepEqual(said, { decision, determining: reason.map(idOf).sort(), erring: errors.map(idOf).sort() }, `${path} ${JSON.stringify(request)}`)
      counts.decisions++
      if (decision === 'allow') counts.allowed++
      if (errors.length > 0) counts.erring++
    }
    if (counts.sets % ASKED !== 0) continue
    for (const ask of [alwaysDenies, neverErrors]) {
      const { answer } = await ask(policy, schema, prover.engines)
      counts.asked++
      counts[answer.kind]++
      if (answer.kind === 'unknown') assert.match(answer.reason, /^(timeout|solver gave up)/, path)
    }
  }
  console.log(JSON.stringify(counts))
  assert.deepEqual(disagreements, [])
  assert.ok(counts.sets > 6_000 && counts.decisions > 48_000 && counts.erring > 200, JSON.stringify(counts))
  assert.ok(counts.unknown <= counts.asked / 100, JSON.stringify(counts))
})

function bare(uid: JsonUid | { readonly __entity: JsonUid }): JsonUid {
  return '__entity' in uid ? uid.__entity : uid
}

/** Integers beyond 2⁵³ as strings of digits. */
function exactly(text: string): unknown {
  return JSON.parse(text, (_key, value: unknown, context?: { source?: string }) => (typeof value === 'number' && !Number.isSafeInteger(value) && context?.source !== undefined ? context.source : value))
}

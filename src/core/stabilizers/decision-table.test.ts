import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { after, test } from 'node:test'
import { authorize, parsePolicies, parseSchema } from '#adapters/cedar/cedar.ts'
import { createProver } from '#adapters/solver/prover.ts'
import { decide } from '#core/decision/decide.ts'
import { FAULT_CLASSES } from '#core/injection/faults.ts'
import { assemble } from '#core/policy/assemble.ts'
import type { PolicySet } from '#core/policy/policy.ts'
import { renderRules } from '#core/policy/render.ts'
import type { Schema } from '#core/policy/schema.ts'
import { LIMITS } from '#core/proof/questions.ts'
import { seeded } from '#core/proof/random-world.ts'
import { normsOf } from '#core/synthesis/candidate.ts'
import { readControlledEnglish } from '#core/synthesis/controlled-english.ts'
import type { Norm } from '#core/unit/norm.ts'
import type { SemanticUnit } from '#core/unit/semantic-unit.ts'
import { sentencesOf } from '#core/unit/sentences.ts'
import { randomSchemaText, validated, writer } from '#test/random-policy.ts'
import { ROWS_MAX, tabulate, type DecisionTable } from './decision-table.ts'

const prover = createProver(LIMITS)
after(() => prover[Symbol.asyncDispose]())

const SCHEMA = parseSchema(`
entity Team; entity Level enum ["low", "high"];
entity User in [Team] { team: Team, level: Level, quota: Long, nick?: String, friends: Set<User> };
entity Doc { owner: User, open: Bool, size: Long, label: String };
action view appliesTo { principal: User, resource: Doc, context: { sum: Long, note?: Bool } };
action edit appliesTo { principal: User, resource: Doc };
`)

function normed(text: string, schema = SCHEMA): readonly Norm[] {
  return parsePolicies(text, schema).rules.map((rule, i): Norm => ({
    id: `N${i + 1}`, sentence: i + 1, source: '', modality: rule.effect, principals: ['User'], resources: ['Doc'],
    actions: rule.action.kind === 'eq' ? [rule.action.uid] : [], when: rule.when[0] ?? null, unless: rule.unless[0] ?? null, obligation: null,
  }))
}

function permitting(condition: string): DecisionTable {
  return tabulate(normed(`permit (principal, action == Action::"view", resource) when { ${condition} };`), SCHEMA)
}

function policyFrom(norms: readonly Norm[], schema: Schema): PolicySet {
  return parsePolicies(renderRules(assemble(norms, schema)), schema)
}

/** Rows that Cedar decides otherwise, over the rules that the norms make. */
function contradicted({ rows }: DecisionTable, policies: PolicySet, schema: Schema): readonly unknown[] {
  return rows.flatMap((row) => {
    const { entities, ...request } = row.request
    const { decision, obligations, verdict } = decide({ policies, schema, request, entities }, authorize)
    return decision === row.decision && obligations.join() === row.obligations.join() && verdict !== 'error' ? [] : [{ row, decision, obligations, verdict }]
  })
}

const values = (table: DecisionTable, place: string) => [...new Set(table.rows.filter(({ request }) => request.action === 'Action::"view"').map((row) => row.values[place]))]

test('a bound has a row below it, at it and above it', () => {
  const table = permitting('context.sum <= 500')
  assert.deepEqual(values(table, 'context.sum'), ['499', '500', '501'])
  assert.deepEqual(table.rows.filter(({ decision }) => decision === 'allow').map((row) => row.values['context.sum']), ['499', '500'])
})

test('two integers that are compared are each below, equal and above', () => {
  const rows = permitting('context.sum < principal.quota').rows.filter(({ request }) => request.action === 'Action::"view"')
  assert.deepEqual([...new Set(rows.map((row) => Math.sign(Number(row.values['context.sum']) - Number(row.values['principal.quota']))))].sort(), [-1, 0, 1])
  assert.ok(rows.every((row) => (row.decision === 'allow') === Number(row.values['context.sum']) < Number(row.values['principal.quota'])))
})

test('entities that are compared are the same or others, and no more rows than that', () => {
  assert.equal(permitting('resource.owner == principal').rows.filter(({ request }) => request.action === 'Action::"view"').length, 2)
  const own = permitting('resource.owner.team == principal.team').rows.filter(({ decision }) => decision === 'allow')
  assert.ok(own.length > 0)
  for (const { request } of own) assert.notEqual(request.principal, `User::"${(request.entities.find(({ uid }) => uid.type === 'Doc')?.attrs['owner'] as { __entity: { id: string } }).__entity.id}"`)
})

test('what is optional is absent in some rows', () => {
  assert.deepEqual(values(permitting('context has note && context.note'), 'context.note'), [true, false, null])
})

test('behind what is absent nothing is told apart: one row stands for all that could have been there', () => {
  const schema = parseSchema('entity Doc; entity User { boss?: User, level: Long, note?: String }; action view appliesTo { principal: User, resource: Doc };')
  const { rows } = tabulate(normed('permit (principal, action, resource) when { principal has boss && principal.boss has note && principal.boss.level > 5 };', schema), schema)
  const without = rows.filter(({ values: all }) => all['principal.boss'] === null)
  assert.deepEqual(without.map(({ decision }) => decision), ['deny'])
  assert.equal(new Set(rows.map(({ request }) => JSON.stringify(request))).size, rows.length)
})

test('groups, sets and enumerated values have their classes', () => {
  assert.deepEqual(values(permitting('principal in Team::"red"'), 'principal in Team::"red"'), [false, true])
  assert.deepEqual(values(permitting('principal.friends.contains(resource.owner)'), 'principal.friends contains resource.owner'), [false, true])
  assert.deepEqual(values(permitting('principal.level == Level::"high"'), 'principal.level'), ['Level::"high"', 'Level::"low"'])
  assert.deepEqual(values(permitting('resource.label == "draft"'), 'resource.label'), ['draft', 'other 21'])
})

test('where nothing is permitted a row says so', () => {
  const { rows } = permitting('context.sum <= 500')
  assert.deepEqual(rows.filter(({ request }) => request.action === 'Action::"edit"').map(({ decision, norms }) => [decision, norms]), [['deny', []]])
})

test('what has no classes, and what has too many, is left out by name, and the rest is tabulated', () => {
  const like = permitting('resource.label like "a*"')
  assert.deepEqual(like.leftOut.map(({ environment: { action }, because }) => [action, because]), [['Action::"view"', 'the norms say something there that has no classes of values (`like`)']])
  assert.equal(like.rows.length, 1)
  const many = permitting(Array.from({ length: 90 }, (_, i) => `context.sum == ${i * 5}`).join(' || '))
  assert.match(many.leftOut[0]?.because ?? '', new RegExp(`can tell 270 classes of requests apart there, and at most ${ROWS_MAX.perEnvironment}`))
})

test('every row of every request of the packs, and of sentences over other schemas, is decided by Cedar as the norms decide it', () => {
  let rows = 0
  const check = (schema: Schema, description: string) => {
    const unit = { id: 'unit', schema, sentences: sentencesOf(description, schema, []), request: { examples: [] } } as unknown as SemanticUnit
    const norms = normsOf(readControlledEnglish(unit))
    const table = tabulate(norms, schema)
    assert.deepEqual(contradicted(table, policyFrom(norms, schema), schema), [], description)
    rows += table.rows.length
    return table
  }
  for (const path of globSync('packs/*/requests/*.json')) {
    const body = JSON.parse(readFileSync(path, 'utf8')) as { description?: string; body?: { description: string } }
    const table = check(parseSchema(readFileSync(path.replace(/requests\/.*/, 'schema.cedarschema'), 'utf8')), body.description ?? body.body?.description ?? '')
    assert.deepEqual(table.leftOut, [], path)
  }
  for (const path of globSync('test/cases/read/*.json')) {
    const { schema, sentences } = JSON.parse(readFileSync(path, 'utf8')) as { schema: readonly string[]; sentences: readonly { text: string; want: string }[] }
    const parsed = parseSchema(schema.join('\n'))
    for (const { text, want } of sentences.filter((_, i) => i % 5 === 0)) if (want === 'read') check(parsed, text)
  }
  assert.ok(rows > 1_500, String(rows))
})

test('norms at random over schemas at random: what is tabulated Cedar decides so', () => {
  const random = seeded(20)
  let tabulated = 0
  for (let i = 0; i < 150; i++) {
    const schema = parseSchema(randomSchemaText(random))
    const norms = schema.environments.map((environment, k): Norm => ({
      id: `N${k + 1}`, sentence: k + 1, source: '', modality: random() < 0.6 ? 'permit' : 'forbid', principals: [environment.principal], resources: [environment.resource],
      actions: [schema.actions.get(environment.action)?.uid ?? { type: 'Action', id: '' }], when: writer(schema, environment, random, 0).bool(2), unless: null, obligation: null,
    }))
    const policies = validated(assemble(norms, schema), schema)
    if (policies === null) continue
    const table = tabulate(norms, schema)
    assert.deepEqual(contradicted(table, policies, schema), [], policies.text)
    tabulated += table.rows.filter(({ norms: speaking }) => speaking.length > 0).length
  }
  assert.ok(tabulated > 100, String(tabulated))
})

test('most faults in rules show in the table; what does not is about what the norms do not mention', async () => {
  const random = seeded(7)
  const missed: string[] = []
  let found = 0
  for (const path of globSync('packs/*/requests/*.json')) {
    const schema = parseSchema(readFileSync(path.replace(/requests\/.*/, 'schema.cedarschema'), 'utf8'))
    const { description = '', body } = JSON.parse(readFileSync(path, 'utf8')) as { description?: string; body?: { description: string } }
    const text = description === '' ? body?.description ?? '' : description
    const norms = normsOf(readControlledEnglish({ id: 'unit', schema, sentences: sentencesOf(text, schema, []), request: { examples: [] } } as unknown as SemanticUnit))
    const [table, original] = [tabulate(norms, schema), policyFrom(norms, schema)]
    for (const fault of FAULT_CLASSES) {
      const rules = fault.inject(original.rules, schema, random)
      const mutant = rules === null ? null : validated(rules, schema)
      if (mutant === null || (await prover.sameMeaning(original, mutant, schema)).answer.kind !== 'refuted') continue
      if (contradicted(table, mutant, schema).length > 0) found++
      else missed.push(`${fault.id} ${path}`)
    }
  }
  assert.ok(found > 150, String(found))
  assert.ok(missed.length < 0.1 * found, `${missed.length} of ${found + missed.length}: ${missed.join(', ')}`)
})

test('sabotage: a table that has no row at the bound does not show that it moved by one', () => {
  const table = permitting('context.sum <= 500')
  const moved = parsePolicies('permit (principal is User, action == Action::"view", resource is Doc) when { context.sum < 500 };', SCHEMA)
  assert.equal(contradicted(table, moved, SCHEMA).length, 1)
  assert.equal(contradicted({ ...table, rows: table.rows.filter((row) => row.values['context.sum'] !== '500') }, moved, SCHEMA).length, 0)
})

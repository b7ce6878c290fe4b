import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { after, test } from 'node:test'
import { z } from 'zod'

import { authorize, checkEntities, parsePolicies, parseSchema, type CedarDecision } from '#adapters/cedar/cedar.ts'
import { assemble } from '#core/policy/assemble.ts'
import { obligations, type PolicySet } from '#core/policy/policy.ts'
import { renderRules } from '#core/policy/render.ts'
import type { Schema } from '#core/policy/schema.ts'
import type { Reader, Reading } from '#core/synthesis/candidate.ts'
import { readControlledEnglish } from '#core/synthesis/controlled-english.ts'
import { readShallowParse } from '#core/synthesis/shallow-parse.ts'
import type { Norm } from '#core/unit/norm.ts'
import type { CedarEntity, SemanticUnit } from '#core/unit/semantic-unit.ts'

/**
 * Sentences over schemas that no pack knows, and what Cedar must decide once they are read, for each reader. A sentence that is
 * wanted unread fails when it is read; one that may be `either` must be right when it is read.
 */
const Expectation = z.strictObject({
  principal: z.string(),
  action: z.string(),
  resource: z.string(),
  context: z.record(z.string(), z.unknown()).default({}),
  /** Decided over the sentence alone, where nothing else is permitted, or over a rule that permits everything. */
  over: z.enum(['nothing', 'everything']).default('nothing'),
  decision: z.enum(['allow', 'deny']),
  /** What the determining rules must demand, at least. */
  obligations: z.array(z.string()).default([]),
})
const Case = z.strictObject({
  because: z.string(),
  schema: z.array(z.string()),
  entities: z.array(z.strictObject({ uid: z.strictObject({ type: z.string(), id: z.string() }), attrs: z.record(z.string(), z.unknown()), parents: z.array(z.strictObject({ type: z.string(), id: z.string() })) })),
  sentences: z.array(z.strictObject({ text: z.string(), want: z.enum(['read', 'unread', 'either']), because: z.string().optional(), decide: z.array(Expectation).default([]) })),
})
type Expectation = z.infer<typeof Expectation>

const READERS: readonly { readonly name: string; readonly read: Reader; readonly floor: number }[] = [
  { name: 'controlled-english', read: readControlledEnglish, floor: 0.9 },
  { name: 'shallow-parse', read: readShallowParse, floor: 0.85 },
]
const coverage = new Map(READERS.map(({ name }) => [name, { read: 0, wanted: 0, missed: [] as string[], ms: [] as number[] }]))

for (const path of globSync('test/cases/read/*.json').sort()) {
  const { because, schema: lines, entities, sentences } = Case.parse(JSON.parse(readFileSync(path, 'utf8')))
  const name = path.replace(/^.*\//, '').replace('.json', '')
  const schema = parseSchema(lines.join('\n'))

  for (const { name: reader, read } of READERS) {
    test(`${name}: ${because}: ${reader} reads nothing wrongly`, () => {
      checkEntities(entities, schema)
      const wrong: string[] = []
      const count = coverage.get(reader) as { read: number; wanted: number; missed: string[]; ms: number[] }
      for (const { text, want, decide, because: why } of sentences) {
        const start = performance.now()
        const reading = readOne(read, text, schema)
        count.ms.push(performance.now() - start)
        if (want === 'read') count.wanted++
        if (want === 'read' && reading.kind === 'norms') count.read++
        if (want === 'read' && reading.kind !== 'norms') count.missed.push(`${name}: ${text} (${reading.kind === 'unread' ? reading.because : 'silent'})`)
        if (want === 'unread' && reading.kind === 'norms') wrong.push(`\`${text}\` is read, and must not be: ${why}\n${rulesOf(reading.norms, schema, 'nothing').text}`)
        if (reading.kind === 'norms') wrong.push(...wrongDecisions(reading.norms, schema, entities, decide).map((line) => `\`${text}\` ${line}`))
      }
      assert.deepEqual(wrong, [], wrong.join('\n'))
    })
  }

  test(`${name}: where both readers read a sentence, Cedar decides alike`, () => {
    const apart = sentences.flatMap(({ text, decide }) => {
      const [first, second] = READERS.map(({ read }) => readOne(read, text, schema))
      if (first?.kind !== 'norms' || second?.kind !== 'norms') return []
      if (rulesOf(first.norms, schema, 'nothing').text === rulesOf(second.norms, schema, 'nothing').text) return []
      const [one, other] = [first, second].map(({ norms }) => decisions(norms, schema, entities, everyQuestion(decide)))
      return JSON.stringify(one) === JSON.stringify(other) ? [] : [text]
    })
    assert.deepEqual(apart, [])
  })
}

test('a wrong expectation is noticed: the opposite of every decision fails', () => {
  const { schema: lines, entities, sentences } = Case.parse(JSON.parse(readFileSync('test/cases/read/documents.json', 'utf8')))
  const schema = parseSchema(lines.join('\n'))
  const opposite = (expected: Expectation): Expectation => ({ ...expected, decision: expected.decision === 'allow' ? 'deny' : 'allow', obligations: [] })
  const { text, decide } = sentences[0] as (typeof sentences)[number]
  const reading = readOne(readControlledEnglish, text, schema)
  assert.ok(reading.kind === 'norms' && decide.length > 1)
  assert.equal(wrongDecisions(reading.norms, schema, entities, decide).length, 0)
  assert.equal(wrongDecisions(reading.norms, schema, entities, decide.map(opposite)).length, decide.length)
})

for (const { name, floor } of READERS) {
  test(`${name} reads at least ${floor * 100} % of the sentences that should be read`, () => {
    const { read, wanted, missed } = coverage.get(name) as { read: number; wanted: number; missed: string[] }
    assert.ok(read / wanted >= floor, `${read} of ${wanted}:\n${missed.join('\n')}`)
  })
}

after(() => {
  for (const [reader, { read, wanted, missed, ms }] of coverage) {
    const sorted = ms.toSorted((a, b) => a - b)
    const at = (share: number) => (sorted[Math.floor(sorted.length * share)] ?? 0).toFixed(1)
    console.log(`${reader}: ${read} of ${wanted} read (${((100 * read) / wanted).toFixed(1)} %), ${at(0.5)} ms median, ${at(0.99)} ms p99`)
    if (process.env['SHOW_MISSED'] === '1') console.log(missed.map((line) => `  ${line}`).join('\n'))
  }
})

function readOne(read: Reader, text: string, schema: Schema): Reading {
  const unit: SemanticUnit = {
    id: 'unit',
    request: {
      title: 'Corpus', description: text, stakeholders: [], principles: [], priority: 'medium', examples: [], explanations: [],
      complianceThreshold: 0.8, consensusRequired: false, multiModelValidation: false,
    },
    schema,
    sentences: [{ number: 1, text, start: 0, end: text.length, mayRule: true, isExplanation: false }],
  }
  const readings = read(unit)
  assert.equal(readings.length, 1)
  return readings[0] as Reading
}

/** The rules of norms, strictly validated; over `everything`, a rule that permits everything stands before them. */
function rulesOf(norms: readonly Norm[], schema: Schema, over: 'nothing' | 'everything'): PolicySet {
  const everything: Norm = {
    id: 'everything', sentence: 0, source: '', modality: 'permit', principals: [], actions: [], resources: [], when: null, unless: null, obligation: null,
  }
  const text = renderRules(assemble(over === 'everything' ? [everything, ...norms] : norms, schema))
  return once(parsed, `${schema.digest}\n${text}`, () => parsePolicies(text, schema))
}
/** Both readers mostly say the same: what Cedar has answered once is not asked again. */
const parsed = new Map<string, PolicySet>()
const decided = new Map<string, CedarDecision>()

function once<T>(known: Map<string, T>, key: string, make: () => T): T {
  const present = known.get(key)
  if (present !== undefined) return present
  const made = make()
  known.set(key, made)
  return made
}

function decisions(norms: readonly Norm[], schema: Schema, entities: readonly CedarEntity[], asked: readonly Expectation[]) {
  const sets = new Map([...new Set(asked.map(({ over }) => over))].map((over) => [over, rulesOf(norms, schema, over)]))
  return asked.map(({ principal, action, resource, context, over }) => {
    const policies = sets.get(over) as PolicySet
    const request = { principal, action, resource, context }
    const { decision, determining, errors } = once(decided, JSON.stringify([schema.digest, policies.text, request]), () => authorize({ policies, schema, request, entities }))
    const demanded = policies.rules.filter(({ id, effect }) => effect === 'permit' && determining.includes(id)).flatMap(obligations)
    return { decision, obligations: decision === 'allow' ? [...new Set(demanded)].sort() : [], errors }
  })
}

function wrongDecisions(norms: readonly Norm[], schema: Schema, entities: readonly CedarEntity[], expected: readonly Expectation[]): string[] {
  return decisions(norms, schema, entities, expected).flatMap(({ decision, obligations: demanded, errors }, index) => {
    const { principal, action, resource, context, over, decision: wanted, obligations: owed } = expected[index] as Expectation
    const question = `${principal} ${action} ${resource} ${JSON.stringify(context)} over ${over}`
    if (errors.length > 0) return [`${question}: ${JSON.stringify(errors)}`]
    if (decision !== wanted) return [`${question}: ${decision}, and a careful reader expects ${wanted}\n${rulesOf(norms, schema, over).text}`]
    // "notify" is met by "notify council".
    const missing = owed.filter((duty) => !demanded.some((one) => one === duty || one.startsWith(`${duty} `)))
    return missing.length === 0 ? [] : [`${question}: the obligation ${missing.join(', ')} is missing; there is ${demanded.join(', ') || 'none'}`]
  })
}

/** Each request that is asked, over nothing and over everything. */
function everyQuestion(decide: readonly Expectation[]): Expectation[] {
  return decide.flatMap((expected) => (['nothing', 'everything'] as const).map((over) => ({ ...expected, over })))
}

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, test } from 'node:test'
import { createExaminer } from '#adapters/examiner.ts'
import { createProver } from '#adapters/solver/prover.ts'
import { parseConstitution } from '#core/constitution/constitution.ts'
import { LIMITS } from '#core/proof/questions.ts'
import { representationsOf, type Representations } from '#core/stabilizers/representation.ts'
import type { Instruments } from '#core/stabilizers/check.ts'
import { normsOf, type Candidate, type Reading } from '#core/synthesis/candidate.ts'
import { readControlledEnglish } from '#core/synthesis/controlled-english.ts'
import { readShallowParse } from '#core/synthesis/shallow-parse.ts'
import { assemble } from '#core/policy/assemble.ts'
import { renderRules } from '#core/policy/render.ts'
import type { SemanticUnit } from '#core/unit/semantic-unit.ts'
import { sentencesOf } from '#core/unit/sentences.ts'
import { decode } from './decode.ts'
import { measure } from './measure.ts'
import { createVerdictMemory, type VerdictMemory } from './memory.ts'

const prover = createProver(LIMITS)
after(() => prover[Symbol.asyncDispose]())
const examiner = createExaminer(parseConstitution(readFileSync('constitutions/acgs.yaml', 'utf8')), prover)
const schema = examiner.parseSchema(readFileSync('packs/ai-agents/schema.cedarschema', 'utf8'))
const use = examiner.examining(schema)

const TEXT = 'Agents may send payments if the amount is at most their spending limit and the amount is at most 100. Agents may delete files only if a human has approved. Users may read their own files. Every deletion must be logged.'

function unitOf(description: string): SemanticUnit {
  const request = {
    title: 'A test', description, stakeholders: [], principles: [], priority: 'low', examples: [], explanations: [], complianceThreshold: 0.8, consensusRequired: false, multiModelValidation: false,
  } as const
  return { id: 'unit', request, schema, sentences: sentencesOf(description, schema, []) }
}

function candidateFrom(method: Candidate['method'], readings: readonly Reading[]): Candidate {
  return { method, readsText: true, lineage: method, cedar: renderRules(assemble(normsOf(readings), schema)), readings }
}

function representing(description: string): Representations {
  const unit = unitOf(description)
  return representationsOf(unit, [candidateFrom('controlled-english', readControlledEnglish(unit)), candidateFrom('shallow-parse', readShallowParse(unit))])
}

async function firing(of: Representations, instruments: Instruments = use): Promise<readonly string[]> {
  return (await measure(of, instruments)).flatMap(({ stabilizer, candidates, outcome }) => (outcome.value === -1 ? [`${stabilizer} ${candidates.join()}`.trim()] : []))
}

function broken(of: Representations, i: number, from: string, to: string): Representations {
  return { ...of, candidates: of.candidates.map((candidate, k) => (k === i ? { ...candidate, cedar: replaced(candidate.cedar, from, to) } : candidate)) }
}

function replaced(text: string, from: string, to: string): string {
  assert.ok(text.includes(from), `${from} is not in ${text}`)
  return text.replace(from, to)
}

test('where everything says the same every check holds', async () => {
  const measurements = await measure(representing(TEXT), use)
  assert.deepEqual(measurements.filter(({ outcome }) => outcome.value !== 1), [])
  assert.equal(decode(measurements, representing(TEXT).candidates).kind, 'clean')
  assert.equal(measurements.length, 2 + 2 + 1 + 0 + 2 + 2 + 2 + 1 + 1 + 2 + 2)
})

for (const i of [0, 1]) {
  test(`a fault in candidate ${i} alone shows in every check that looks at it, and in no other`, async () => {
    const of = broken(representing(TEXT), i, '<= 100', '<= 101')
    assert.deepEqual(await firing(of), ['same-meaning 0,1', `conforms ${i}`, `conforms-to-table ${i}`, `round-trip ${i}`])
    assert.notEqual(decode(await measure(of, use), of.candidates).kind, 'clean')
  })
}

test('a candidate that does not parse is shown as that, and nothing is compared with it', async () => {
  const of = broken(representing(TEXT), 1, 'permit', 'permitt')
  assert.deepEqual(await firing(of), ['well-typed 1'])
  const idle = (await measure(of, use)).filter(({ candidates, outcome }) => candidates.includes(1) && outcome.value === 0)
  assert.deepEqual([...new Set(idle.map(({ stabilizer }) => stabilizer))], ['never-errors', 'same-meaning', 'conforms', 'conforms-to-table', 'round-trip', 'within'])
})

test('a fault in the norms shows against every candidate and the document', async () => {
  const of = representing(TEXT)
  const readings = (of.norms?.readings ?? []).map((reading) => (reading.kind === 'norms' && reading.sentence === 1 ? { ...reading, norms: reading.norms.map((norm) => ({ ...norm, when: null })) } : reading))
  const norms = { method: 'controlled-english', lineage: 'controlled-english', readings } as const
  assert.deepEqual(await firing({ ...of, norms }), ['conforms 0', 'conforms 1', 'says-the-norms'])
})

test('a fault in the decision table shows against every candidate, with a request that can be decided', async () => {
  const of = representing(TEXT)
  const rows = of.table?.rows ?? []
  const wrong = rows.findIndex(({ decision }) => decision === 'allow')
  const table = { leftOut: [], rows: rows.map((row, k) => (k === wrong ? { ...row, decision: 'deny' as const, obligations: [] } : row)) }
  assert.deepEqual(await firing({ ...of, table }), ['conforms-to-table 0', 'conforms-to-table 1'])
  const [shown] = (await measure({ ...of, table }, use)).flatMap(({ outcome }) => (outcome.value === -1 ? [outcome.evidence as { request: unknown; decided: string }] : []))
  assert.deepEqual(shown?.request, rows[wrong]?.request)
  assert.equal(shown?.decided, 'allow')
})

test('a table that was measured before is decided by who measures it now', async () => {
  const of = representing(TEXT)
  assert.deepEqual(await firing(of), [])
  const denying: Instruments = { ...use, decidedOn: (request, schema) => (policies) => ({ ...use.decidedOn(request, schema)(policies), decision: 'deny', obligations: [] }) }
  assert.deepEqual((await firing(representing(TEXT), denying)).filter((check) => check.startsWith('conforms-to-table')), ['conforms-to-table 0', 'conforms-to-table 1'])
})

test('a fault in the document shows in its rules or in its words', async () => {
  const of = representing(TEXT)
  const rules = of.document?.replace(/(```cedar[\s\S]*)100/, '$1101') ?? ''
  assert.notEqual(rules, of.document)
  assert.deepEqual(await firing({ ...of, document: rules }), ['round-trip 0', 'round-trip 1'])
  assert.deepEqual(await firing({ ...of, document: replaced(of.document ?? '', 'at most 100', 'at most 101') }), ['says-the-norms'])
  assert.deepEqual(await firing({ ...of, document: `${of.document}\n${of.document}` }), ['round-trip 0', 'round-trip 1'])
})

test('a norm that decides nothing is named, and blames no reader', async () => {
  const of = representing(`${TEXT} Agents may send payments if the amount is at most their spending limit and the amount is at most 50.`)
  assert.deepEqual(await firing(of), ['examples-distinguish'])
  const measurements = await measure(of, use)
  const [evidence] = measurements.flatMap(({ outcome }) => (outcome.value === -1 ? [outcome.evidence] : []))
  assert.deepEqual(evidence, { decideNothing: [{ norm: 'N5', sentence: 5 }] })
  assert.equal(decode(measurements, of.candidates).kind, 'clean')
})

test('a prohibition of what nobody permits decides something of its own', async () => {
  assert.deepEqual(await firing(representing('Users may read their own files. Agents must not delete files.')), [])
})

test('what an article forbids fires within, for every reader that has read it so', async () => {
  const of = representing('Agents may delete any file. Users may read their own files.')
  assert.deepEqual(await firing(of), ['within 0', 'within 1'])
  assert.equal(decode(await measure(of, use), of.candidates).kind, 'clean')
})

test('what was not read by both is not held against either', async () => {
  const of = representing(TEXT)
  const [one, other] = of.candidates as [Candidate, Candidate]
  const readings = other.readings.map((reading) => (reading.sentence === 1 ? { kind: 'unread' as const, sentence: 1, because: 'a test' } : reading))
  const partial = candidateFrom('shallow-parse', readings)
  assert.deepEqual(await firing({ ...of, candidates: [one, partial] }), [])
  const idle = (await measure({ ...of, candidates: [one, partial] }, use)).flatMap(({ stabilizer, outcome }) => (outcome.value === 0 ? [stabilizer] : []))
  assert.deepEqual(idle, ['covers', 'conforms-to-table', 'round-trip', 'within'].filter((id) => idle.includes(id)))
  assert.ok(idle.includes('conforms-to-table') && idle.includes('round-trip'))
})

/** A memory that tells which checks were run. */
function counting(): VerdictMemory & { readonly ran: string[] } {
  const memory = createVerdictMemory()
  const ran: string[] = []
  return { ran, recall: (stabilizer, compares, run) => memory.recall(stabilizer, compares, () => { ran.push(stabilizer); return run() }) }
}

test('where one candidate is made again only the checks run that touch it', async () => {
  const memory = counting()
  const of = representing(TEXT)
  await measure(of, use, memory)
  const first = memory.ran.splice(0)
  await measure(representing(TEXT), use, memory)
  assert.deepEqual(memory.ran, [], 'the same representations made again are the same')

  const changed = broken(of, 1, '<= 100', '<= 101')
  const again = await measure(changed, use, memory)
  const touching = again.filter(({ candidates }) => candidates.includes(1)).map(({ stabilizer }) => stabilizer)
  assert.deepEqual(memory.ran, touching)
  assert.equal(touching.length, 8)
  assert.equal(first.length, 17)
  // What is remembered is what measuring afresh finds.
  assert.deepEqual(again, await measure(changed, use))
})

test('a table that is not what its norms make is not taken for it', async () => {
  const memory = createVerdictMemory()
  const of = representing(TEXT)
  await measure(of, use, memory)
  const table = { leftOut: [], rows: (of.table?.rows ?? []).map((row) => (row.decision === 'allow' ? { ...row, decision: 'deny' as const, obligations: [] } : row)) }
  const fired = (await measure({ ...of, table }, use, memory)).filter(({ outcome }) => outcome.value === -1)
  assert.deepEqual(fired.map(({ stabilizer }) => stabilizer), ['conforms-to-table', 'conforms-to-table'])
})

test('what an outcome depends on is never overlooked: schema, text, constitution, and what was read', async () => {
  const of = representing(TEXT)
  const [one, other] = of.candidates as [Candidate, Candidate]
  const wider = examiner.parseSchema(`${schema.text}\nentity Unheard;`)
  const explained = { ...of.unit, sentences: of.unit.sentences.map((sentence) => ({ ...sentence, isExplanation: true })) }
  const unread = { ...other, readings: other.readings.map((reading) => (reading.sentence === 1 ? { kind: 'unread' as const, sentence: 1, because: 'a test' } : reading)) }
  const cases: readonly (readonly [what: string, changed: Representations, instruments: Instruments, stabilizers: readonly string[]])[] = [
    ['schema', { ...of, unit: { ...of.unit, schema: wider } }, examiner.examining(wider), ['well-typed', 'never-errors', 'same-meaning', 'conforms', 'round-trip', 'within']],
    ['text', { ...of, unit: explained }, use, ['same-meaning', 'covers', 'examples-distinguish']],
    ['constitution', of, { ...use, bound: { ...use.bound, bound: [] } }, ['within']],
    ['readings', { ...of, candidates: [one, unread] }, use, ['same-meaning', 'conforms-to-table', 'within']],
  ]
  for (const [what, changed, instruments, stabilizers] of cases) {
    const memory = counting()
    await measure(of, use, memory)
    memory.ran.length = 0
    assert.deepEqual(await measure(changed, instruments, memory), await measure(changed, instruments), what)
    for (const id of stabilizers) assert.ok(memory.ran.includes(id), `${id} was not run again over another ${what}`)
  }
})

test('what gave no answer is no pass, whichever check it is', async () => {
  const of = representing(TEXT)
  const outcomes = async (changed: Representations, instruments: Partial<Instruments>) => Map.groupBy(await measure(changed, { ...use, ...instruments }), ({ stabilizer }) => stabilizer)
  const gave = (found: Awaited<ReturnType<typeof outcomes>>, id: string) => (found.get(id) ?? []).map(({ outcome }) => (outcome.value === 0 ? outcome.why : outcome.value))
  const unknown = { kind: 'unknown', reason: 'a test' } as const
  const mute: Partial<Instruments> = {
    proveArticles: async (...question) => (await use.proveArticles(...question)).map((proof) => ({ ...proof, answer: unknown })),
    neverErrors: async (...question) => ({ ...(await use.neverErrors(...question)), answer: unknown }),
    sameMeaning: async (...question) => ({ ...(await use.sameMeaning(...question)), answer: unknown }),
  }
  const rowless = await outcomes({ ...of, table: { rows: [], leftOut: [] } }, mute)
  assert.deepEqual([gave(rowless, 'within'), gave(rowless, 'never-errors'), gave(rowless, 'examples-distinguish')], [['failed', 'failed'], ['failed', 'failed'], ['failed']])

  const [environment] = schema.environments
  assert.ok(of.table !== null && environment !== undefined)
  const partial = await outcomes({ ...of, table: { ...of.table, leftOut: [{ environment, because: 'a test' }] } }, {})
  assert.deepEqual(gave(partial, 'conforms-to-table'), ['idle', 'idle'])
  const [row, ...rows] = of.table.rows
  assert.ok(row !== undefined)
  const unreadable = await outcomes({ ...of, table: { ...of.table, rows: [{ ...row, request: { ...row.request, principal: 'nobody' } }, ...rows] } }, {})
  assert.deepEqual(gave(unreadable, 'conforms-to-table'), ['failed', 'failed'])

  const lacking = { name: 'lacking', request: { principal: 'Agent::"a"', action: 'Action::"sendPayment"', resource: 'Payment::"p"', context: {} }, entities: [], decision: 'deny' } as const
  const asked = await outcomes({ ...of, unit: { ...of.unit, request: { ...of.unit.request, examples: [lacking] } } }, { decide: () => ({ decision: 'deny', verdict: 'error', determining: [], errors: [], missing: ['Payment::"p"'], obligations: [] }) as unknown as ReturnType<Instruments['decide']> })
  assert.deepEqual(gave(asked, 'decides'), ['failed', 'failed'], 'a denial because of an error is not the denial that the author wants')
})

test('sabotage: a memory that overlooks what a candidate says serves outcomes of another', async () => {
  const memory = createVerdictMemory()
  const careless: VerdictMemory = { recall: (stabilizer, compares, run) => memory.recall(stabilizer, [String(compares.length)], run) }
  const of = representing(TEXT)
  await measure(of, use, careless)
  const changed = broken(of, 1, '<= 100', '<= 101')
  assert.notDeepEqual(await measure(changed, use, careless), await measure(changed, use))
})

test('rules in a document that cannot be read fire', async () => {
  const of = representing(TEXT)
  const fired = await firing({ ...of, document: replaced(of.document ?? '', 'permit', 'permti') })
  assert.deepEqual(fired.filter((each) => each.startsWith('round-trip')), ['round-trip 0', 'round-trip 1'])
})

test('the proofs of another that means the same do not stand for one whose rules can fail', async () => {
  const failing = broken(representing(TEXT), 1, 'context.amount <= 100', '(context.amount <= 100 || context.amount + 9223372036854775807 > 0)')
  const within = (await measure(failing, use)).filter(({ stabilizer }) => stabilizer === 'within').map(({ outcome }) => outcome)
  const [first, second] = failing.candidates as [Candidate, Candidate]
  const alone = (await measure({ ...failing, candidates: [second, first] }, use)).filter(({ stabilizer }) => stabilizer === 'within').map(({ outcome }) => outcome)
  assert.deepEqual([within[0]?.value, within[1]?.value], [1, -1])
  assert.deepEqual(alone, within.toReversed())
})

test('an outcome that failed is not remembered, an idle one is', async () => {
  const memory = counting()
  const mute: Instruments = { ...use, neverErrors: async (policies, over) => ({ ...(await use.neverErrors(policies, over)), answer: { kind: 'unknown', reason: 'timeout' } }) }
  const of = representing(TEXT)
  assert.equal((await measure(of, mute, memory)).filter(({ outcome }) => outcome.value === 0 && outcome.why === 'failed').length, 2)
  memory.ran.length = 0
  await measure(of, use, memory)
  assert.deepEqual(memory.ran, ['never-errors', 'never-errors'])
})

test('a memory keeps so many outcomes and no more', async () => {
  const memory = createVerdictMemory(2)
  let runs = 0
  const recall = (key: string) => memory.recall('x', [key], async () => { runs++; return { value: 1 } })
  for (const key of ['a', 'b', 'a', 'c', 'a', 'b']) await recall(key)
  assert.equal(runs, 4)
})

test('a run that throws is not remembered', async () => {
  const memory = createVerdictMemory()
  await assert.rejects(memory.recall('x', ['a'], async () => { throw new Error('the solver died') }))
  assert.deepEqual(await memory.recall('x', ['a'], async () => ({ value: 1 })), { value: 1 })
})

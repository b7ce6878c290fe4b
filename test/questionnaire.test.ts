import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { parseConstitution } from '#core/constitution/constitution.ts'
import { createExaminer, type Prover } from '#adapters/examiner.ts'
import { assess, type Assessment } from '#core/generate.ts'
import { renderNorm } from '#core/policy/english.ts'
import { assemble } from '#core/policy/assemble.ts'
import type { PolicySet } from '#core/policy/policy.ts'
import { renderRules } from '#core/policy/render.ts'
import type { Proof } from '#core/proof/proof.ts'
import { normExamples } from '#core/questions/norm-examples.ts'
import type { Inquiry } from '#core/questions/inquire.ts'
import type { Candidate, Method } from '#core/synthesis/candidate.ts'
import { readControlledEnglish } from '#core/synthesis/controlled-english.ts'
import type { Example, SemanticUnit } from '#core/unit/semantic-unit.ts'
import { sentencesOf } from '#core/unit/sentences.ts'
import { propose } from '#services/synthesis/propose.ts'
import { answerName } from '#core/unit/example.ts'
import { agreeingProver } from '#test/prover.ts'

const prover = agreeingProver()
const constitution = parseConstitution(readFileSync(new URL('../constitutions/acgs.yaml', import.meta.url), 'utf8'))
const CLINIC = `
  entity Ward;
  entity Nurse { ward: Ward, onDuty: Bool };
  entity Doctor { treats: Set<Patient>, onDuty: Bool };
  entity Patient { ward: Ward };
  entity Chart { patient: Patient, sealed: Bool };
  action view, edit, export appliesTo { principal: [Nurse, Doctor], resource: Chart };
`
const REQUEST = { title: 'Charts', stakeholders: [], principles: [], priority: 'low', examples: [], explanations: [], complianceThreshold: 0, consensusRequired: false, multiModelValidation: false } as const

function unitOf(description: string, schemaText = CLINIC, use: Prover = prover): { readonly unit: SemanticUnit; readonly examiner: ReturnType<typeof createExaminer> } {
  const examiner = createExaminer(constitution, use)
  const schema = examiner.parseSchema(schemaText)
  return { examiner, unit: { id: 'gen_1', schema, request: { ...REQUEST, description }, sentences: sentencesOf(description, schema, []) } }
}

type Open = Extract<Inquiry, { kind: 'open' }>
type Author = (question: Open['question']) => Pick<Example, 'decision' | 'obligations'>

/** Answers until nothing is asked any more. */
async function answered({ unit, examiner }: ReturnType<typeof unitOf>, candidates: readonly Candidate[], author: Author) {
  const examples: Example[] = []
  const asked: Open[] = []
  for (;;) {
    const assessment = await assess({ unit: { ...unit, request: { ...unit.request, examples: [...examples] } }, candidates }, examiner.examining(unit.schema))
    if (assessment.inquiry?.kind !== 'open') return { assessment, asked, examples }
    const { question } = assessment.inquiry
    asked.push(assessment.inquiry)
    assert.ok(asked.length < 10, 'it does not end')
    examples.push({ name: answerName(question.id), request: question.request, entities: question.entities, ...author(question) })
  }
}

/** An author who has one policy in mind. */
const whoMeans = (policy: PolicySet, { unit }: ReturnType<typeof unitOf>): Author => ({ request, entities, obligations }) => {
  const { decision, obligations: demanded } = prover.decidedOn({ ...request, entities }, unit.schema)(policy)
  return { decision, ...(obligations.length === 0 || decision === 'deny' ? {} : { obligations: Object.fromEntries(obligations.map((name) => [name, demanded.includes(name)])) }) }
}
const means = async ({ corrections: [{ policy }] }: Assessment, other: PolicySet, { unit }: ReturnType<typeof unitOf>) => (await prover.sameMeaning(policy, other, unit.schema)).answer.kind
/** The meanings that a text can have, as policies: those that the first assessment examines behind what it shows. */
const meaningsOf = async ({ unit, examiner }: ReturnType<typeof unitOf>, candidates: readonly Candidate[]) => (await assess({ unit, candidates }, examiner.examining(unit.schema))).corrections.slice(1).map(({ policy }) => policy)

/** A reader that reads these words where the text has its own: two readers that disagree. */
function misreader(method: Method, { unit }: ReturnType<typeof unitOf>, words: readonly string[]): Candidate {
  const read = readControlledEnglish({ ...unit, sentences: unit.sentences.map((sentence, i) => ({ ...sentence, text: words[i] ?? sentence.text })) })
  const readings = read.map((reading, i) => (reading.kind === 'norms' ? { ...reading, norms: reading.norms.map((norm) => ({ ...norm, source: (unit.sentences[i] as { text: string }).text })) } : reading))
  assert.ok(readings.every(({ kind }) => kind === 'norms'), JSON.stringify(readings))
  return { method, readsText: true, lineage: method, readings, cedar: renderRules(assemble(readings.flatMap((reading) => (reading.kind === 'norms' ? reading.norms : [])), unit.schema)) }
}

const AMBIGUOUS = 'Doctors may view charts of patients they treat and sealed charts. Nurses and doctors on duty may edit charts.'

test('whichever of its meanings the author has in mind, the questions lead to exactly that one, and no later than promised', async () => {
  const place = unitOf(AMBIGUOUS)
  const candidates = await propose(place.unit, [])
  const meanings = await meaningsOf(place, candidates)
  assert.equal(meanings.length, 4)
  for (const meant of meanings) {
    const { assessment, asked } = await answered(place, candidates, whoMeans(meant, place))
    assert.equal(await means(assessment, meant, place), 'proved')
    assert.equal(assessment.verdict.kind, 'compliant', JSON.stringify(assessment.verdict))
    assert.deepEqual(asked.map(({ meanings: left, atMost }) => [left, atMost]), [[4, 2], [2, 1]])
    assert.equal(assessment.inquiry?.kind, 'settled')
    assert.deepEqual(assessment.corrections[0].unread, [])
  }
})

test('one answer the other way round, and another policy comes out', async () => {
  const place = unitOf(AMBIGUOUS)
  const candidates = await propose(place.unit, [])
  const [meant] = await meaningsOf(place, candidates) as [PolicySet]
  const honest = whoMeans(meant, place)
  const { asked } = await answered(place, candidates, honest)
  for (const { question: { id } } of asked) {
    const flipping: Author = (question) => (question.id === id ? { decision: honest(question).decision === 'allow' ? 'deny' : 'allow' } : honest(question))
    assert.equal(await means((await answered(place, candidates, flipping)).assessment, meant, place), 'refuted')
  }
})

test('the same text asks the same question, in words and as a request', async () => {
  const ask = async () => {
    const place = unitOf(AMBIGUOUS)
    return (await assess({ unit: place.unit, candidates: await propose(place.unit, []) }, place.examiner.examining(place.unit.schema))).inquiry as Open
  }
  const [one, two] = [await ask(), await ask()]
  assert.deepEqual(one, two)
  assert.match(one.question.words, /^Given .*: may (nurse|doctor) “\w+” (edit|view) chart “chart1”\?$/)
  assert.match(one.question.id, /^q_[0-9a-f]{16}$/)
  assert.deepEqual(one.answers.map(({ said, meanings }) => [said.decision, meanings]), [['allow', 2], ['deny', 2]])
  assert.ok(one.answers.every(({ sentences }) => sentences.length === 1 && sentences[0]?.meanings.length === 1))
})

test('a reader may be right about one sentence and the other about the next', async () => {
  const place = unitOf('Nurses may view charts. Doctors may edit charts.')
  const candidates = [misreader('controlled-english', place, ['Nurses may view charts.', 'Doctors may edit sealed charts.']), misreader('shallow-parse', place, ['Nurses on duty may view charts.', 'Doctors may edit charts.'])]
  const meant = misreader('controlled-english', place, ['Nurses may view charts.', 'Doctors may edit charts.'])
  const { assessment, asked } = await answered(place, candidates, whoMeans(place.examiner.examining(place.unit.schema).parse(meant.cedar, place.unit.schema), place))
  assert.equal(await means(assessment, { text: meant.cedar, rules: place.examiner.examining(place.unit.schema).parse(meant.cedar, place.unit.schema).rules }, place), 'proved')
  assert.equal(asked.length, 2)
  assert.equal(assessment.diagnosis.kind, 'explained')
  assert.deepEqual(assessment.diagnosis.kind === 'explained' && assessment.diagnosis.faults.map(({ method, sentences }) => [method, sentences]), [['controlled-english', [2]], ['shallow-parse', [1]]])
  assert.equal(assessment.corrections[0].independentWitnesses, 1)
})

test('where only a duty differs the question is which duties there are, and a denial settles nothing there', async () => {
  const place = unitOf('Nurses may export charts. Every export must be logged.')
  const candidates = [misreader('controlled-english', place, []), misreader('shallow-parse', place, ['Nurses may export charts.', 'Every export of a sealed chart must be logged.'])]
  for (const [i, meant] of (await meaningsOf(place, candidates)).entries()) {
    const { assessment, asked } = await answered(place, candidates, whoMeans(meant, place))
    assert.equal(asked.length, 1)
    assert.deepEqual(asked[0]?.question.obligations, ['log'])
    assert.match(asked[0]?.question.words ?? '', /which of these must be done: log\?$/)
    assert.equal(await means(assessment, meant, place), 'proved', `${i}`)
  }
})

test('an answer that no meaning gives leaves nothing to believe, and says which', async () => {
  const place = unitOf(AMBIGUOUS)
  const candidates = await propose(place.unit, [])
  const { asked: [first] } = await answered(place, candidates, () => ({ decision: 'allow' }))
  const { question } = first as Open
  const [doctor, chart] = ['Doctor', 'Chart'].map((type) => ({ type, id: 'x' })) as [{ type: string; id: string }, { type: string; id: string }]
  const export_: Example = {
    name: 'export', decision: 'allow', request: { principal: 'Doctor::"x"', action: 'Action::"export"', resource: 'Chart::"x"', context: {} },
    entities: [{ uid: doctor, attrs: { treats: [], onDuty: false }, parents: [] }, { uid: chart, attrs: { patient: { __entity: { type: 'Patient', id: 'p' } }, sealed: false }, parents: [] }, { uid: { type: 'Patient', id: 'p' }, attrs: { ward: { __entity: { type: 'Ward', id: 'w' } } }, parents: [] }, { uid: { type: 'Ward', id: 'w' }, attrs: {}, parents: [] }],
  }
  const unit = { ...place.unit, request: { ...place.unit.request, examples: [{ name: 'fine', decision: 'allow', request: question.request, entities: question.entities } as Example, export_] } }
  const { inquiry, diagnosis, verdict } = await assess({ unit, candidates }, place.examiner.examining(unit.schema))
  assert.deepEqual(inquiry, { kind: 'contradicted', sentences: [1, 2], examples: ['export'] })
  assert.equal(diagnosis.kind, 'unexplained')
  assert.ok(verdict.kind === 'undetermined' && verdict.doubts.some(({ remedy }) => /take it back, or write a sentence/.test(remedy)), JSON.stringify(verdict))
})

test('more ways than anybody compares are said, and nothing is asked', async () => {
  const place = unitOf(Array.from({ length: 6 }, () => 'Nurses and doctors on duty may edit charts.').join(' '))
  const { inquiry, verdict } = await assess({ unit: place.unit, candidates: await propose(place.unit, []) }, place.examiner.examining(place.unit.schema))
  assert.ok(inquiry?.kind === 'unknown' && /64 ways/.test(inquiry.because), JSON.stringify(inquiry))
  assert.equal(verdict.kind, 'undetermined')
})

test('several ways to say the same are one meaning: that is proved, and nothing is asked', async () => {
  const place = unitOf('Nurses may view charts.')
  const alike = (cedarWords: string): Candidate => misreader(cedarWords === 'a' ? 'controlled-english' : 'shallow-parse', place, [cedarWords === 'a' ? 'Nurses may view charts.' : 'Nurses may view sealed charts; nurses may view charts that are not sealed.'])
  const { inquiry, verdict } = await assess({ unit: place.unit, candidates: [alike('a'), alike('b')] }, place.examiner.examining(place.unit.schema))
  assert.equal(inquiry, null)
  assert.equal(verdict.kind, 'compliant')
})

/** A prover that answers comparisons of meaning as it is told. */
const saying = (answer: (real: Proof) => Proof): Prover => ({ ...prover, sameMeaning: async (a, b, schema) => answer(await prover.sameMeaning(a, b, schema)) })

test('without a proof that nothing differs any more, nothing is settled', async () => {
  // Two sentences of one meaning each way: what is left after the answers are two texts that mean the same, so that the last proof is needed.
  const doubled = 'Nurses and doctors on duty may edit charts. Nurses and doctors on duty may edit charts.'
  const honest = unitOf(doubled)
  const candidates = await propose(honest.unit, [])
  const narrow = (await meaningsOf(honest, candidates)).at(-1) as PolicySet
  const { assessment: { inquiry } } = await answered(honest, candidates, whoMeans(narrow, honest))
  assert.equal(inquiry?.kind, 'settled')
  const wide = (await meaningsOf(honest, candidates))[0] as PolicySet
  const full = await answered(honest, candidates, whoMeans(wide, honest))
  assert.ok(full.assessment.inquiry?.kind === 'settled' && full.assessment.inquiry.understandings === 3 && full.assessment.inquiry.closing.length === 2, JSON.stringify(full.assessment.inquiry))

  const mute = unitOf(doubled, CLINIC, saying((real) => (real.answer.kind === 'proved' ? { ...real, answer: { kind: 'unknown', reason: 'timeout' } } : real)))
  const { assessment } = await answered(mute, candidates, whoMeans(wide, mute))
  assert.equal(assessment.inquiry?.kind, 'unknown')
  assert.equal(assessment.verdict.kind, 'undetermined')
})

test('sabotaged: who takes every two meanings for the same accepts one that the author did not have, and this test sees it', async () => {
  // Each sentence is open by itself: where readers disagree, the decision table would tell.
  const open = 'Nurses and doctors on duty may view charts. Nurses and doctors on duty may edit charts.'
  const gullible = unitOf(open, CLINIC, saying((real) => ({ ...real, answer: { kind: 'proved' } })))
  const place = unitOf(open)
  const candidates = await propose(place.unit, [])
  const wrong: string[] = []
  for (const meant of await meaningsOf(place, candidates)) {
    const { assessment } = await answered(gullible, candidates, whoMeans(meant, place))
    if ((await means(assessment, meant, place)) !== 'proved') wrong.push(assessment.verdict.kind)
  }
  assert.deepEqual(wrong, ['compliant', 'compliant', 'compliant'])
})

/** Nothing is permitted: whatever is forbidden, every request to this text alone is denied. */
const FORBIDDING = 'Nurses and doctors on duty must not edit charts.'

test('meanings that forbid different things are not settled because nothing permits either', async () => {
  const place = unitOf(FORBIDDING)
  const candidates = await propose(place.unit, [])
  const { inquiry, verdict } = await assess({ unit: place.unit, candidates }, place.examiner.examining(place.unit.schema))
  assert.ok(inquiry?.kind === 'unknown' && /forbid different things/.test(inquiry.because), JSON.stringify(inquiry))
  assert.equal(verdict.kind, 'undetermined')
  // Beside a permission in the same text a request tells, and is asked about.
  const beside = unitOf(`Nurses and doctors may edit charts. ${FORBIDDING}`)
  const { inquiry: asking } = await assess({ unit: beside.unit, candidates: await propose(beside.unit, []) }, beside.examiner.examining(beside.unit.schema))
  assert.match(asking?.kind === 'open' ? asking.question.words : '', /^Given nurse “nurse1” \(on duty: no\).*: may nurse “nurse1” edit chart “chart1”\?$/)
})

test('sabotaged: who takes what is forbidden for the same certifies the first of two meanings, and this test sees it', async () => {
  const gullible = unitOf(FORBIDDING, CLINIC, saying((real) => ({ ...real, answer: { kind: 'proved' } })))
  const { inquiry, verdict } = await assess({ unit: gullible.unit, candidates: await propose(gullible.unit, []) }, gullible.examiner.examining(gullible.unit.schema))
  assert.deepEqual([inquiry?.kind, verdict.kind], ['settled', 'compliant'])
})

test('what "only" is about is asked with a request that tells, where another sentence permits it', async () => {
  const place = unitOf('Nurses may view and edit charts. Nurses may only view sealed charts.')
  const candidates = await propose(place.unit, [])
  const meanings = await meaningsOf(place, candidates)
  assert.equal(meanings.length, 3)
  for (const meant of meanings) {
    const { assessment, asked } = await answered(place, candidates, whoMeans(meant, place))
    assert.equal(assessment.inquiry?.kind, 'settled', JSON.stringify(assessment.inquiry))
    assert.equal(await means(assessment, meant, place), 'proved')
    assert.ok(asked.length >= 1 && asked.length <= 2)
  }
})

test('every norm gets a request that only it decides, unless it is proved that there is none', async () => {
  const place = unitOf('Nurses may view charts. Nurses on duty may view charts. Doctors may edit charts. Every edit must be logged. Nobody may view sealed charts.')
  const examining = place.examiner.examining(place.unit.schema)
  const { corrections: [correction] } = await assess({ unit: place.unit, candidates: await propose(place.unit, []) }, examining)
  const found = await normExamples(place.unit, correction, examining)
  assert.deepEqual(found.map(({ norm, kind }) => [norm, kind]), [['N1', 'open'], ['N2', 'redundant'], ['N3', 'open'], ['N4', 'open'], ['N5', 'open']])
  for (const each of found) {
    if (each.kind !== 'open') continue
    const without = assemble(correction.norms.filter(({ id }) => id !== each.norm), place.unit.schema)
    const decided = prover.decidedOn({ ...each.question.request, entities: each.question.entities }, place.unit.schema)
    const [whole, rest] = [decided(correction.policy), decided({ text: renderRules(without), rules: without })]
    assert.notDeepEqual([whole.decision, whole.obligations], [rest.decision, rest.obligations], renderNorm(correction.norms.find(({ id }) => id === each.norm)!))
    assert.equal(each.decided.decision, whole.decision)
  }
  const [first] = found
  assert.ok(first?.kind === 'open')
  const example: Example = { name: 'mine', request: first.question.request, entities: first.question.entities, decision: 'allow' }
  const again = await normExamples({ ...place.unit, request: { ...place.unit.request, examples: [example] } }, correction, examining)
  assert.deepEqual(again[0], { kind: 'shown', norm: 'N1', by: 'mine' })
})

test('the sentences that a refusal proposes, once they are added, are read and settle it', async () => {
  const schema = readFileSync(new URL('../packs/data-protection/schema.cedarschema', import.meta.url), 'utf8')
  const judged = async (description: string) => {
    const { unit, examiner } = unitOf(description, schema)
    const { bound } = examiner.bind(unit.schema)
    return (await assess({ unit, candidates: await propose(unit, bound) }, examiner.examining(unit.schema))).verdict
  }
  const text = 'Any employee may export any customer record.'
  const verdict = await judged(text)
  assert.ok(verdict.kind === 'violates')
  const proposed = verdict.violations.map(({ remedy = '' }) => /^add a sentence, such as “(.+)”$/.exec(remedy)?.[1] ?? remedy)
  assert.ok(proposed.includes('Whoever exports a customer record must log it.'), proposed.join('\n'))
  assert.deepEqual(await judged([text, ...proposed].join(' ')), { kind: 'compliant' })
})

test('words that can be several things of the schema are asked about as well, unless the schema cannot carry one of them', async () => {
  const place = unitOf('Users may read their own invoices.', 'entity User; entity Invoice { created_by: User, approved_by: User }; action read appliesTo { principal: User, resource: Invoice };')
  const candidates = await propose(place.unit, [])
  assert.ok(candidates.filter(({ readsText }) => readsText).every(({ readings: [reading] }) => reading?.kind === 'unread' && reading.senses?.length === 2))
  for (const attribute of ['created_by', 'approved_by']) {
    const meant = place.examiner.examining(place.unit.schema).parse(`permit(principal, action, resource) when { resource.${attribute} == principal };`, place.unit.schema)
    const { assessment, asked } = await answered(place, candidates, whoMeans(meant, place))
    assert.equal(asked.length, 1)
    assert.equal(await means(assessment, meant, place), 'proved')
    assert.equal(assessment.verdict.kind, 'compliant')
    assert.equal(assessment.corrections[0].independentWitnesses, 2)
  }
  const uncarried = unitOf('Repositories must not be cloned if the user is suspended.', 'entity User { suspended: Bool }; entity Repository { owner: User, maintainers: Set<User> }; action clone appliesTo { principal: User, resource: Repository };')
  assert.ok((await propose(uncarried.unit, [])).every(({ readings }) => readings.every((reading) => reading.kind === 'unread' && reading.senses === undefined)))
})

const MANY = ['view', 'edit', 'export', 'print', 'copy'].map((verb) => `Doctors may ${verb} charts of patients they treat and sealed charts.`).join(' ')
const COPIED = CLINIC.replace('action view, edit, export', 'action view, edit, export, print, copy')

test('as many ways to understand a text as are compared keep nobody else waiting', async () => {
  const place = unitOf(MANY, COPIED)
  const candidates = await propose(place.unit, [])
  let asked = 0
  const examining = place.examiner.examining(place.unit.schema)
  const { inquiry } = await assess({ unit: place.unit, candidates }, { ...examining, turn: async () => { asked++; await examining.turn?.() } })
  assert.equal(inquiry?.kind === 'open' && inquiry.meanings, 32)
  assert.ok(asked >= 32, `others were asked ${asked} times whether they want a turn`)
})

test('the longer a text, the fewer ways to understand it are compared, and what is too much is told at once', async () => {
  const place = unitOf(`${MANY} ${Array.from({ length: 60 }, () => 'Nurses may view charts of patients of their own ward.').join(' ')}`, COPIED)
  const candidates = await propose(place.unit, [])
  const examining = place.examiner.examining(place.unit.schema)
  const texts = new Set<string>()
  const { inquiry, verdict } = await assess({ unit: place.unit, candidates }, { ...examining, parse: (cedar, over) => { texts.add(cedar); return examining.parse(cedar, over) } })
  assert.equal(verdict.kind, 'undetermined')
  assert.match(inquiry?.kind === 'unknown' ? inquiry.because : '', /understood in 32 ways, each of 65 norms or so, .* 9 /)
  assert.ok(texts.size < 32, `${texts.size} policies were made`)
})

test('what the answers lead to is held to what every candidate is: that no rule can fail, and that an error is no denial', async () => {
  const place = unitOf('Nurses and doctors on duty may view charts.')
  const candidates = await propose(place.unit, [])
  const written = new Set(candidates.map(({ cedar }) => cedar))
  const examining = place.examiner.examining(place.unit.schema)
  const { examples } = await answered(place, candidates, () => ({ decision: 'deny' }))
  const unit = { ...place.unit, request: { ...place.unit.request, examples } }
  const settled = await assess({ unit, candidates }, examining)
  assert.deepEqual([settled.inquiry?.kind, settled.verdict.kind], ['settled', 'compliant'])
  const unsure = await assess({ unit, candidates }, { ...examining, neverErrors: async (policy, over) => {
    const proof = await examining.neverErrors(policy, over)
    return written.has(policy.text) ? proof : { ...proof, answer: { kind: 'unknown', reason: 'a test' } }
  } })
  assert.deepEqual([unsure.inquiry?.kind, unsure.verdict.kind], ['unknown', 'undetermined'])
  const erring = await assess({ unit, candidates }, { ...examining, decide: (policy, over, example) => {
    const decided = examining.decide(policy, over, example)
    return written.has(policy.text) ? decided : { ...decided, decision: 'deny', verdict: 'error' }
  } })
  assert.deepEqual([erring.inquiry?.kind, erring.verdict.kind], ['contradicted', 'undetermined'])
})

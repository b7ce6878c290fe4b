import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, test } from 'node:test'
import { parseSchema } from '#adapters/cedar/cedar.ts'
import { createExaminer } from '#adapters/examiner.ts'
import { createProver } from '#adapters/solver/prover.ts'
import { parseConstitution } from './constitution/constitution.ts'
import { assess, generate, type AskedAgain, type Capabilities, type Examining } from './generate.ts'
import { assemble } from './policy/assemble.ts'
import { path, PRINCIPAL } from './policy/expression.ts'
import { renderRules } from './policy/render.ts'
import { LIMITS } from './proof/questions.ts'
import { independently } from './injection/trial.ts'
import { createVerdictMemory } from './syndrome/memory.ts'
import { WEIGHTS } from './syndrome/weights.ts'
import type { Candidate, Reading } from './synthesis/candidate.ts'
import { readControlledEnglish } from './synthesis/controlled-english.ts'
import { answerName, questionId } from '#core/unit/example.ts'
import type { Example, SemanticUnit } from './unit/semantic-unit.ts'
import { sentencesOf } from './unit/sentences.ts'

const SCHEMA = parseSchema('entity Clerk { senior: Bool, level: Long }; entity File { sealed: Bool, pages: Long }; action view, edit, print appliesTo { principal: Clerk, resource: File };')
const prover = createProver(LIMITS)
after(() => prover[Symbol.asyncDispose]())
const can = createExaminer(parseConstitution(readFileSync(new URL('../../constitutions/acgs.yaml', import.meta.url), 'utf8')), prover).examining(SCHEMA)
const [A, B, C] = ['controlled-english', 'shallow-parse', 'model:a'] as const
/** As if all methods had been compared, and err apart; what ships has compared two. */
const APART = { ...can, weights: independently([A, B, C, 'model:b']) }
/** The same, but for what ships of those two. */
const BESIDE = { ...APART.weights, readings: { ...APART.weights.readings, pairs: [...WEIGHTS.readings.pairs, ...APART.weights.readings.pairs.filter(({ methods: [one, other] }) => one !== A || other !== B)] } }

const TEXT = ['Clerks may view files.', 'Senior clerks may edit files.', 'Clerks must not print sealed files.']

function unitOf(text: readonly string[], examples: readonly Example[] = []): SemanticUnit {
  const description = text.join(' ')
  return {
    id: 'gen_1', schema: SCHEMA, sentences: sentencesOf(description, SCHEMA, []),
    request: { title: '', description, stakeholders: [], principles: [], priority: 'low', examples, explanations: [], complianceThreshold: 0.8, consensusRequired: false, multiModelValidation: false },
  }
}

/** A reader that has understood other sentences than those that stand there; null: that it has not understood. */
function reader(method: Candidate['method'], unit: SemanticUnit, understood: readonly (string | null)[], lineage: string = method): Candidate {
  const readings = unit.sentences.map(({ number, text }, i): Reading => {
    const as = understood[i]
    if (as === null || as === undefined) return { kind: 'unread', sentence: number, because: 'no verb' }
    const [reading] = readControlledEnglish({ ...unit, sentences: [{ number, text: as, start: 0, end: as.length, mayRule: true, isExplanation: false }] })
    assert.ok(reading?.kind === 'norms', as)
    return { ...reading, norms: reading.norms.map((norm) => ({ ...norm, source: text })) }
  })
  return { method, readsText: true, lineage, cedar: renderRules(assemble(readings.flatMap((reading) => (reading.kind === 'norms' ? reading.norms : [])), SCHEMA)), readings }
}

async function assessed(understood: readonly (readonly (string | null)[])[], { lineages = [A, B, C], methods = [A, B, C], examples = [], examining = can }: { lineages?: readonly string[]; methods?: readonly Candidate['method'][]; examples?: readonly Example[]; examining?: Examining } = {}) {
  const unit = unitOf(TEXT, examples)
  return assess({ unit, candidates: understood.map((each, i) => reader(methods[i] as Candidate['method'], unit, each, lineages[i] as string)) }, examining)
}
const meansSame = async (cedar: string, text: readonly string[]) => (await prover.sameMeaning(can.parse(cedar, SCHEMA), can.parse(reader(A, unitOf(text), text).cedar, SCHEMA), SCHEMA)).answer.kind
const changed = (at: number, text: string) => TEXT.with(at, text)
const doubts = ({ verdict }: { readonly verdict: Awaited<ReturnType<typeof assess>>['verdict'] }) => (verdict.kind === 'undetermined' ? verdict.doubts.map(({ about, message }) => `${about}: ${message}`) : [])

test('how sure one can be follows from what is known of the methods', async () => {
  const [uncounted, counted] = [await assessed([TEXT, TEXT, TEXT]), await assessed([TEXT, TEXT, TEXT], { examining: APART })]
  assert.ok(uncounted.confidence.value === null && uncounted.confidence.because.includes(C))
  assert.ok(counted.confidence.value !== null)
})

test('three readers agree: clean, and nobody votes', async () => {
  const { diagnosis, corrections: [{ vote, setAside }] } = await assessed([TEXT, TEXT, TEXT])
  assert.deepEqual([diagnosis.kind, vote, setAside], ['clean', null, []])
})

test('one of three reads a sentence wrongly: it is set aside there, the rest is proved to be the majority and measured again', async () => {
  const { diagnosis, corrections: [{ policy, vote, setAside }], verdict } = await assessed([TEXT, TEXT, changed(1, 'Clerks may edit files.')])
  assert.ok(diagnosis.kind === 'explained')
  assert.deepEqual(diagnosis.faults.map(({ method, sentences, shownBy }) => [method, sentences, shownBy]), [[C, [2], 'same-meaning']])
  assert.deepEqual([setAside, vote?.from, vote?.proof.answer.kind, vote?.voters.map(({ method }) => method)], [[C], 'sentences', 'proved', [A, B, C]])
  assert.ok(vote !== null && vote.effectiveWitnesses > 1 && vote.effectiveWitnesses < 3)
  assert.equal(await meansSame(policy.text, TEXT), 'proved')
  assert.equal(verdict.kind, 'compliant')
})

test('every reader is wrong in another sentence, and what comes out is right in all', async () => {
  const { diagnosis, corrections: [{ policy, vote, norms }], verdict } = await assessed([changed(0, 'Senior clerks may view files.'), changed(1, 'Clerks may edit files.'), changed(2, 'Clerks must not print files.')], { examining: APART })
  assert.equal(diagnosis.kind, 'explained')
  assert.deepEqual([vote?.from, norms.length, verdict.kind], ['sentences', 3, 'compliant'])
  assert.equal(await meansSame(policy.text, TEXT), 'proved')
})

test('three meanings of one sentence: what most decide at every request is found and proved, and nobody is blamed', async () => {
  const { diagnosis, corrections: [{ policy, vote, norms, setAside }], verdict } = await assessed([5, 7, 3].map((level) => changed(1, `Clerks may edit files if the clerk's level is greater than ${level}.`)), { examining: APART })
  assert.deepEqual([diagnosis.kind, vote?.from, norms.length, setAside, verdict.kind], ['outvoted', 'candidate', 3, [B, C], 'compliant'])
  // What each counts for is reckoned with what was counted here: they err apart.
  assert.ok(vote !== null && vote.effectiveWitnesses > 2.9 && vote.voters.every(({ weight }) => weight > 0.95))
  assert.equal(await meansSame(policy.text, changed(1, "Clerks may edit files if the clerk's level is greater than 5.")), 'proved')
})

test('where every reader is wrong in the same sentence, at other requests, the majority is put together from their rules', async () => {
  const { diagnosis, corrections: [{ policy, vote, norms }], verdict } = await assessed(['the file is sealed', 'the clerk is senior', "the clerk's level is greater than 5"].map((condition) => changed(1, `Clerks may edit files if ${condition}.`)), { examining: APART })
  assert.deepEqual([diagnosis.kind, vote?.from, norms.map(({ sentence }) => sentence), verdict.kind], ['outvoted', 'composed', [1, 3], 'compliant'])
  const decided = (sealed: boolean, senior: boolean, level: number) => can.decide(can.parse(policy.text, SCHEMA), SCHEMA, { name: '', decision: 'allow', request: { principal: 'Clerk::"c"', action: 'Action::"edit"', resource: 'File::"f"', context: {} }, entities: [{ uid: { type: 'Clerk', id: 'c' }, attrs: { senior, level }, parents: [] }, { uid: { type: 'File', id: 'f' }, attrs: { sealed, pages: 1 }, parents: [] }] }).decision
  for (const [sealed, senior, level] of [[true, true, 1], [true, false, 9], [false, true, 9], [true, false, 1], [false, false, 9], [false, true, 1]] as const) assert.equal(decided(sealed, senior, level), [sealed, senior, level > 5].filter(Boolean).length >= 2 ? 'allow' : 'deny')
})

test('what nobody has compared outvotes nobody: who differs from a reader and a model, and three that all differ, are questions until their errors are counted', async () => {
  const [five, seven, three] = [5, 7, 3].map((level) => changed(1, `Clerks may edit files if the clerk's level is greater than ${level}.`)) as readonly string[][] as [string[], string[], string[]]
  for (const understood of [[five, seven, five], [five, seven, three], [changed(0, 'Senior clerks may view files.'), changed(1, 'Clerks may edit files.'), TEXT]]) {
    const [uncounted, counted] = [await assessed(understood), await assessed(understood, { examining: APART })]
    assert.deepEqual([uncounted.diagnosis.kind, uncounted.verdict.kind, counted.verdict.kind], ['ambiguous', 'undetermined', 'compliant'])
    assert.ok(uncounted.inquiry?.kind === 'open' && uncounted.corrections.length > 1)
  }
})

test('three that were compared give no vote to those that nobody has compared, however many they are', async () => {
  const meaning = (level: number) => changed(1, `Clerks may edit files if the clerk's level is greater than ${level}.`)
  const methods = [A, B, C, 'model:d', 'model:e', 'model:f', 'model:g'] as const
  const examining = { ...can, weights: independently([A, B, C]) }
  for (const [compared, others] of [[[5, 7, 3], [9, 9, 9, 9]], [[5, 5, 3], [3, 3, 3]]] as const) {
    const understood = [...compared, ...others].map(meaning)
    const { diagnosis, verdict } = await assessed(understood, { methods, lineages: methods, examining })
    assert.deepEqual([diagnosis.kind, verdict.kind], ['ambiguous', 'undetermined'])
  }
})

test('how sure an answer is follows from the weights that were given, as the diagnosis does', async () => {
  const sure = async (wrong: number) => (await assessed([TEXT, TEXT, TEXT], { examining: { ...APART, weights: { ...APART.weights, readings: { ...APART.weights.readings, methods: APART.weights.readings.methods.map((each) => ({ ...each, wrong })) } } } })).confidence.value
  const [seldom, often] = [await sure(50), await sure(5_000)]
  assert.ok(seldom !== null && often !== null && seldom > often)
})

test('a vote is never taken where witnesses are fewer than three, or the halves are equal: that is a question', async () => {
  const apart = [5, 7, 3].map((level) => changed(1, `Clerks may edit files if the clerk's level is greater than ${level}.`))
  for (const assessment of [await assessed(apart, { lineages: [A, 'one', 'one'], examining: APART }), await assessed(apart.slice(0, 2), { examining: APART }), await assessed([...apart.slice(0, 2), TEXT.with(1, null as never)], { examining: APART })]) {
    assert.equal(assessment.diagnosis.kind, 'ambiguous')
    assert.match(doubts(assessment).join('\n'), /ambiguous: sentence 2 can be understood in several ways/)
  }
  // A third witness that has not read what is disputed does not make two of them three.
  const absent = await assessed([...apart, TEXT.with(1, null as never)], { methods: [A, C, 'model:b', B], lineages: [A, 'one', 'one', B], examining: APART })
  assert.deepEqual([absent.diagnosis.kind, absent.verdict.kind], ['ambiguous', 'undetermined'])
})

test('who has not read what is disputed has no vote on it, and takes none from those who have', async () => {
  const apart = [5, 7, 3].map((level) => changed(1, `Clerks may edit files if the clerk's level is greater than ${level}.`))
  const four = { methods: [A, B, C, 'model:b'], lineages: [A, B, C, 'model:b'] } as const
  const { diagnosis, corrections: [{ vote, norms }] } = await assessed([...apart, TEXT.with(1, null as never)], { ...four, examining: APART })
  assert.deepEqual([diagnosis.kind, vote?.voters.map(({ method }) => method), norms.map(({ sentence }) => sentence)], ['outvoted', [A, B, C], [1, 2, 3]])
})

test('a correction that is not proved to be the majority is not believed', async () => {
  const refused: Examining['isMajority'] = async (...question) => ({ ...await can.isMajority(...question), answer: { kind: 'refuted', counterexample: { principal: 'Clerk::"a"', action: 'Action::"view"', resource: 'File::"a"', context: {}, entities: [] } } })
  const assessment = await assessed([TEXT, TEXT, changed(1, 'Clerks may edit files.')], { examining: { ...can, isMajority: refused } })
  assert.match(doubts(assessment).join('\n'), /diagnosis: sentence 2: what most readers say is not what most of them decide/)
  assert.equal(assessment.corrections[0].vote, null)
})

test('a majority of which the prover does not know is none', async () => {
  for (const silent of ['deny', 'permit'] as const) {
    const mute: Examining['isMajority'] = async (policy, voters, schema, halves) => {
      const proof = await can.isMajority(policy, voters, schema, halves)
      return halves === silent ? { ...proof, answer: { kind: 'unknown', reason: 'a test' } } : proof
    }
    const assessment = await assessed([TEXT, TEXT, changed(1, 'Clerks may edit files.')], { examining: { ...can, isMajority: mute } })
    assert.match(doubts(assessment).join('\n'), /diagnosis: sentence 2: whether most readers decide so is not known: a test/, silent)
    assert.deepEqual([assessment.corrections[0].vote, assessment.verdict.kind], [null, 'undetermined'])
  }
})

test('what is put together from readers is held to the examples, where each of them alone had nothing to say', async () => {
  const example: Example = { name: 'no viewing', request: { principal: 'Clerk::"c"', action: 'Action::"view"', resource: 'File::"f"', context: {} }, entities: [{ uid: { type: 'Clerk', id: 'c' }, attrs: { senior: false, level: 1 }, parents: [] }, { uid: { type: 'File', id: 'f' }, attrs: { sealed: false, pages: 1 }, parents: [] }], decision: 'deny' }
  const assessment = await assessed([[TEXT[0] ?? '', null, TEXT[2] ?? ''], [null, TEXT[1] ?? '', TEXT[2] ?? '']], { examples: [example] })
  assert.equal(assessment.diagnosis.kind, 'clean')
  assert.match(doubts(assessment).join('\n'), /example: no viewing is decided otherwise than the author wants/)
})

test('a corrected set that still fires is not believed', async () => {
  let asked = 0
  const flaky: Examining['neverErrors'] = async (...question) => {
    const proof = await can.neverErrors(...question)
    return ++asked <= 3 ? proof : { ...proof, answer: { kind: 'refuted', counterexample: { principal: 'Clerk::"a"', action: 'Action::"view"', resource: 'File::"a"', context: {}, entities: [] } } }
  }
  const assessment = await assessed([changed(0, 'Senior clerks may view files.'), changed(1, 'Clerks may edit files.'), changed(2, 'Clerks must not print files.')], { examining: { ...APART, memory: createVerdictMemory(), neverErrors: flaky } })
  assert.match(doubts(assessment).join('\n'), /measured again, and never-errors still fires/)
})

test('a majority that was put together is measured like a candidate, and not believed where something fires', async () => {
  const apart = ['the file is sealed', 'the clerk is senior', "the clerk's level is greater than 5"].map((condition) => changed(1, `Clerks may edit files if ${condition}.`))
  const written = new Set(apart.map((text) => reader(A, unitOf(TEXT), text).cedar))
  const failing: Examining['neverErrors'] = async (policy, schema) => {
    const proof = await can.neverErrors(policy, schema)
    return written.has(policy.text) ? proof : { ...proof, answer: { kind: 'unknown', reason: 'a test' } }
  }
  const assessment = await assessed(apart, { examining: { ...APART, memory: createVerdictMemory(), neverErrors: failing } })
  assert.deepEqual([assessment.diagnosis.kind, assessment.verdict.kind], ['outvoted', 'undetermined'])
  assert.match(doubts(assessment).join('\n'), /measured again, and never-errors gave no answer/)
})

test('what no reader says is measured as it comes out, and proved to be the majority whichever way halves count', async () => {
  const apart = ['the file is sealed', 'the clerk is senior', "the clerk's level is greater than 5"].map((condition) => changed(1, `Clerks may edit files if ${condition}.`))
  const theirs = apart.map((text, i) => reader([A, B, C][i] as Candidate['method'], unitOf(TEXT), text).cedar)
  const counterexample = { principal: 'Clerk::"a"', action: 'Action::"view"', resource: 'File::"a"', context: {}, entities: [] }
  const failing: Examining['neverErrors'] = async (policy, schema) => ({ ...await can.neverErrors(policy, schema), ...(theirs.includes(policy.text) ? {} : { answer: { kind: 'refuted', counterexample } }) })
  const composed = await assessed(apart, { examining: { ...APART, memory: createVerdictMemory(), neverErrors: failing } })
  assert.equal(composed.diagnosis.kind, 'outvoted')
  assert.match(doubts(composed).join('\n'), /measured again, and never-errors still fires/)

  const halved: Examining['isMajority'] = async (policy, voters, schema, halves) => ({ ...await can.isMajority(policy, voters, schema, halves), ...(halves === 'permit' ? { answer: { kind: 'refuted', counterexample } } : {}) })
  const corrected = await assessed([TEXT, TEXT, changed(1, 'Clerks may edit files.')], { examining: { ...can, isMajority: halved } })
  assert.deepEqual([corrected.corrections[0].vote, corrected.verdict.kind], [null, 'undetermined'])
})

test('an example that nobody contradicts and the policy does not meet is told: its sentence was read by nobody', async () => {
  const example: Example = { name: 'example 1', request: { principal: 'Clerk::"c"', action: 'Action::"edit"', resource: 'File::"f"', context: {} }, entities: [{ uid: { type: 'Clerk', id: 'c' }, attrs: { senior: true, level: 1 }, parents: [] }, { uid: { type: 'File', id: 'f' }, attrs: { sealed: false, pages: 1 }, parents: [] }], decision: 'allow' }
  const partly = TEXT.map((text, i) => (i === 1 ? null : text))
  const assessment = await assessed([partly, partly], { examples: [example] })
  assert.equal(assessment.diagnosis.kind, 'clean')
  assert.match(doubts(assessment).join('\n'), /example: .*example 1/)
})

test('what the author says is not outvoted: where an example stands against readers that are seldom wrong, the author is asked', async () => {
  const example: Example = { name: 'example 1', request: { principal: 'Clerk::"c"', action: 'Action::"edit"', resource: 'File::"f"', context: {} }, entities: [{ uid: { type: 'Clerk', id: 'c' }, attrs: { senior: false, level: 1 }, parents: [] }, { uid: { type: 'File', id: 'f' }, attrs: { sealed: false, pages: 1 }, parents: [] }], decision: 'allow' }
  // Of two readers that seldom err, and seldom alike; the two that ship err alike.
  const apart = { methods: [A, C, 'model:b'], lineages: [A, C, 'model:b'], examining: APART } as const
  const assessment = await assessed([TEXT, TEXT, changed(1, 'Clerks may edit files.')], { ...apart, examples: [example] })
  assert.deepEqual([assessment.diagnosis.kind, assessment.corrections[0].vote, assessment.verdict.kind], ['unexplained', null, 'undetermined'])
  assert.match(doubts(assessment).join('\n'), /example 1 contradicts what the readers agree on/)

  // Who was asked about this very request has answered; a name that says so is no answer.
  const named = await assessed([TEXT, TEXT, changed(1, 'Clerks may edit files.')], { ...apart, examples: [{ ...example, name: answerName('q_1') }] })
  assert.deepEqual([named.diagnosis.kind, named.verdict.kind], ['unexplained', 'undetermined'])
  const answered = await assessed([TEXT, TEXT, changed(1, 'Clerks may edit files.')], { ...apart, examples: [{ ...example, name: answerName(questionId(example.request, example.entities, SCHEMA)) }] })
  assert.deepEqual([answered.diagnosis.kind, answered.verdict.kind], ['explained', 'compliant'])
  assert.equal(await meansSame(answered.corrections[0].policy.text, changed(1, 'Clerks may edit files.')), 'proved')
})

test('the two readers that ship err alike, so that against both of them an example and a reader of another lineage settle a sentence', async () => {
  const example: Example = { name: 'example 1', request: { principal: 'Clerk::"c"', action: 'Action::"edit"', resource: 'File::"f"', context: {} }, entities: [{ uid: { type: 'Clerk', id: 'c' }, attrs: { senior: false, level: 1 }, parents: [] }, { uid: { type: 'File', id: 'f' }, attrs: { sealed: false, pages: 1 }, parents: [] }], decision: 'allow' }
  const { diagnosis, corrections: [{ setAside, policy }], verdict } = await assessed([TEXT, TEXT, changed(1, 'Clerks may edit files.')], { examples: [example] })
  assert.deepEqual([diagnosis.kind, setAside, verdict.kind], ['explained', [A, B], 'compliant'])
  assert.equal(await meansSame(policy.text, changed(1, 'Clerks may edit files.')), 'proved')
  // The example alone, against both and with nobody beside it, is a question.
  const { diagnosis: without, verdict: asked } = await assessed([TEXT, TEXT], { examples: [example] })
  assert.deepEqual([without.kind, asked.kind], ['unexplained', 'undetermined'])
  // Two of other lineages weigh more than the two, which the lightest explanation believes: nothing comes out, until it was counted that they err apart.
  const four = { methods: [A, B, C, 'model:b'], lineages: [A, B, C, 'model:b'] } as const
  const halves = [TEXT, TEXT, changed(1, 'Clerks may edit files.'), changed(1, 'Clerks may edit files.')]
  const uncounted = await assessed(halves, four)
  assert.equal(uncounted.verdict.kind, 'undetermined')
  assert.match(doubts(uncounted).join('\n'), /what most readers say is not what most of them decide/)
  const counted = await assessed(halves, { ...four, examining: { ...can, weights: BESIDE } })
  assert.deepEqual([counted.diagnosis.kind, counted.corrections[0].setAside, counted.verdict.kind], ['explained', [A, B], 'compliant'])
  // And without the example one is outvoted by the two.
  const outvoted = await assessed([TEXT, TEXT, changed(1, 'Clerks may edit files.')])
  assert.deepEqual([outvoted.diagnosis.kind, outvoted.corrections[0].setAside, outvoted.verdict.kind], ['explained', [C], 'compliant'])
})

test('an example settles a sentence that two read differently, for who decides as it says', async () => {
  const example: Example = { name: 'example 1', request: { principal: 'Clerk::"c"', action: 'Action::"edit"', resource: 'File::"f"', context: {} }, entities: [{ uid: { type: 'Clerk', id: 'c' }, attrs: { senior: false, level: 1 }, parents: [] }, { uid: { type: 'File', id: 'f' }, attrs: { sealed: false, pages: 1 }, parents: [] }], decision: 'deny' }
  const { diagnosis, corrections: [{ setAside, policy }], verdict } = await assessed([TEXT, changed(1, 'Clerks may edit files.')], { examples: [example] })
  assert.deepEqual([diagnosis.kind, setAside, verdict.kind], ['explained', [B], 'compliant'])
  assert.equal(await meansSame(policy.text, TEXT), 'proved')
})

/** A reader whose rules do not pass validation. */
function unreadable(method: Candidate['method'], unit: SemanticUnit): Candidate {
  const right = reader(method, unit, TEXT)
  const readings = right.readings.map((reading): Reading => (reading.kind === 'norms' ? { ...reading, norms: reading.norms.map((norm) => ({ ...norm, when: path(PRINCIPAL, ['nothing']) })) } : reading))
  return { ...right, readings, cedar: renderRules(assemble(readings.flatMap((reading) => (reading.kind === 'norms' ? reading.norms : [])), SCHEMA)) }
}

test('a candidate that cannot be read is set aside; when none can, that is said, and nothing fails', async () => {
  const unit = unitOf(TEXT)
  const one = await assess({ unit, candidates: [unreadable(A, unit), reader(B, unit, TEXT)] }, can)
  assert.deepEqual([one.diagnosis.kind, one.corrections[0].setAside, one.verdict.kind], ['explained', [A], 'compliant'])
  const none = await assess({ unit, candidates: [unreadable(A, unit), unreadable(B, unit)] }, can)
  assert.equal(none.diagnosis.kind, 'unexplained')
  assert.match(doubts(none).join('\n'), /diagnosis: no reader is left/)
})

test('a sentence that one reader finds open stays unread, whatever another one chose', async () => {
  const unit = unitOf(TEXT)
  const first = reader(A, unit, [TEXT[0] ?? '', null, TEXT[2] ?? ''])
  const open: Candidate = { ...first, readings: first.readings.map((reading) => (reading.kind === 'unread' ? { ...reading, isOpen: true } : reading)) }
  const { corrections: [{ norms, unread }], verdict } = await assess({ unit, candidates: [open, reader(B, unit, TEXT)] }, can)
  assert.deepEqual([norms.map(({ sentence }) => sentence), unread.map(({ sentence }) => sentence), verdict.kind], [[1, 3], [2], 'undetermined'])
})

test('what is demanded where nothing is permitted would never be demanded: that is told, unless the permission may be in what was not read', async () => {
  const of = async (text: readonly string[], understood: readonly (string | null)[] = text) => {
    const unit = unitOf(text)
    return doubts(await assess({ unit, candidates: [reader(A, unit, understood), reader(B, unit, understood)] }, can))
  }
  assert.deepEqual(await of([...TEXT, 'Every view must be logged.']), [])
  assert.deepEqual(await of([...TEXT, 'Every print must be logged.']), ['empty: sentence 4 demands `log` where nothing is permitted, so that it would never be demanded'])
  assert.deepEqual((await of([...TEXT, 'Clerks may print files of one page.', 'Every print must be logged.'], [...TEXT, null, 'Every print must be logged.'])).map((doubt) => doubt.split(':')[0]), ['unread'])
})

/** Readers of which one leaves the second sentence open between some senses. */
function leftOpen(senses: readonly string[], examining: Examining, text: readonly string[] = TEXT) {
  const unit = unitOf(text)
  const readings = reader(A, unit, text.with(1, null as never)).readings.map((reading): Reading => {
    const sense = (as: string) => reader(A, unit, text.with(1, as)).readings.flatMap((each) => (each.kind === 'norms' && each.sentence === 2 ? each.norms : []))
    return reading.kind === 'unread' ? { ...reading, isOpen: true, senses: senses.map(sense) } : reading
  })
  return assess({ unit, candidates: [{ ...reader(A, unit, text.with(1, null as never)), readings }, reader(B, unit, text.with(1, null as never))] }, examining)
}
/** Two ways to read the second sentence that say nothing which the first does not. */
const ALIKE = ['Senior clerks may view files.', "Clerks may view files if the clerk's level is greater than 5."]

test('where the ways to understand a sentence come to the same, there is nothing to ask: that is proved, and the proof is kept', async () => {
  const { inquiry, corrections: [{ policy }] } = await leftOpen(ALIKE, can)
  assert.ok(inquiry?.kind === 'settled')
  assert.equal(inquiry.understandings, 2)
  const [one, other] = ALIKE.map((text) => can.parse(reader(A, unitOf(TEXT), changed(1, text)).cedar, SCHEMA))
  assert.ok(one !== undefined && other !== undefined)
  assert.deepEqual(inquiry.closing.map(({ inputDigest }) => inputDigest), [(await can.sameMeaning(one, other, SCHEMA)).inputDigest])
  assert.equal(await meansSame(policy.text, [TEXT[0] as string, TEXT[2] as string]), 'proved')
})

test('that what is left means the same is not taken on trust: without its proof the text stays open', async () => {
  const asked = new Set<string>()
  const once: Examining['sameMeaning'] = async (a, b, schema) => {
    const proof = await can.sameMeaning(a, b, schema)
    const isNew = asked.size < asked.add(`${a.text}\n\n${b.text}`).size
    return isNew ? proof : { ...proof, answer: { kind: 'unknown', reason: 'a test' } }
  }
  const { inquiry, verdict } = await leftOpen(ALIKE, { ...can, memory: createVerdictMemory(), sameMeaning: once })
  assert.ok(inquiry?.kind === 'unknown')
  assert.match(inquiry.because, /^that the ways which are left mean the same is not proved/)
  assert.equal(verdict.kind, 'undetermined')
})

test('readers that disagree are a question for the author; where what was made from the norms disagrees with every reader, no answer would settle it', async () => {
  const apart = [TEXT, changed(1, 'Clerks may edit files.')]
  assert.equal((await assessed(apart)).inquiry?.kind, 'open')
  const turned: Examining['decidedOn'] = (request, schema) => {
    const decided = can.decidedOn(request, schema)
    return (policies) => { const said = decided(policies); return { ...said, decision: said.decision === 'allow' ? 'deny' : 'allow' } }
  }
  const { inquiry, measurements, verdict } = await assessed(apart, { examining: { ...can, memory: createVerdictMemory(), decidedOn: turned } })
  assert.deepEqual(measurements.filter(({ stabilizer }) => stabilizer === 'conforms-to-table').map(({ outcome }) => outcome.value), [-1, -1])
  assert.deepEqual([inquiry, verdict.kind], [null, 'undetermined'])
})

test('of several meanings only what all of them break is a violation, and after the first that breaks nothing no other is examined', async () => {
  const counterexample = { principal: 'Clerk::"a"', action: 'Action::"view"', resource: 'File::"a"', context: {}, entities: [] }
  const apart = [TEXT, changed(1, 'Clerks may edit files.')]
  // The readers themselves are measured against the articles too, and remembered.
  await assessed(apart)
  const examined = async (breaking: number) => {
    let count = 0
    const proveArticles: Examining['proveArticles'] = async (...question) => {
      const isBroken = ++count <= breaking
      return (await can.proveArticles(...question)).map((proof) => (isBroken ? { ...proof, answer: { kind: 'refuted' as const, counterexample } } : proof))
    }
    const { verdict, corrections } = await assessed(apart, { examining: { ...can, proveArticles } })
    assert.equal(corrections.length, 3)
    return [count, verdict.kind]
  }
  assert.deepEqual(await examined(0), [1, 'undetermined'])
  assert.deepEqual(await examined(1), [2, 'undetermined'])
  assert.deepEqual(await examined(3), [3, 'violates'])
})

test('what is proved, hashed and signed is what Cedar reads from the text of the policy, never what we meant it to say', async () => {
  const read = new Set<unknown>()
  const parse: Examining['parse'] = (cedar, schema) => {
    const policies = { ...can.parse(cedar, schema) }
    read.add(policies)
    return policies
  }
  const examined: unknown[] = []
  const proveArticles: Examining['proveArticles'] = (policy, ...rest) => (examined.push(policy), can.proveArticles(policy, ...rest))
  const { corrections: [{ policy }] } = await assessed([TEXT, TEXT], { examining: { ...can, memory: createVerdictMemory(), parse, proveArticles } })
  assert.ok(read.has(policy))
  assert.equal(examined.at(-1), policy)
})

test('one candidate alone is nobody’s majority: nothing fires, and one witness is counted', async () => {
  const unit = unitOf(TEXT)
  const { diagnosis, corrections: [{ independentWitnesses, vote }] } = await assess({ unit, candidates: [reader(B, unit, TEXT)] }, can)
  assert.deepEqual([diagnosis.kind, independentWitnesses, vote], ['clean', 1, null])
})

test('the order of candidates says nothing: another one gives the same policy', async () => {
  const [one, other] = [await assessed([TEXT, TEXT, changed(1, 'Clerks may edit files.')]), await assessed([TEXT, changed(1, 'Clerks may edit files.'), TEXT], { methods: [A, C, B], lineages: [A, C, B] })]
  assert.deepEqual([other.diagnosis.kind, other.corrections[0].setAside, other.semanticHash], [one.diagnosis.kind, [C], one.semanticHash])
})

/** Generation with readers that are given, one of which says something else when it is asked again. */
async function generated(understood: readonly (readonly string[])[], again: (asked: AskedAgain) => readonly string[] | null) {
  const unit = unitOf(TEXT)
  const told: AskedAgain[] = []
  const capabilities: Capabilities = {
    ...can,
    propose: async () => understood.map((each, i) => reader([A, C][i] as Candidate['method'], unit, each)),
    proposeAgain: async (_, asked) => {
      if (!asked.method.startsWith('model:')) return null
      told.push(asked)
      const read = again(asked)
      return read === null ? null : reader(asked.method, unit, read)
    },
    certify: async () => null,
    append: async () => null,
  }
  const { generation } = await generate(unit, capabilities)
  return { generation, told }
}
const pair = [TEXT, changed(1, 'Clerks must not edit files.')]

test('who may say something else is asked again with the request on which readers differ, and not with what they say', async () => {
  const { generation, told } = await generated(pair, () => TEXT)
  assert.equal(told.length, 1)
  assert.ok(JSON.stringify(told[0]?.disagreement).includes('Action::\\"edit\\"') && !JSON.stringify(told[0]).includes('permit'))
  assert.deepEqual(generation.askedAgain, told)
  assert.equal(generation.diagnosis.kind, 'clean')
})

test('what the certifier does not sign is never compliant, whatever was judged here', async () => {
  const { generation } = await generated([TEXT, TEXT], () => null)
  assert.equal(generation.certificate, null)
  assert.match(doubts(generation).join(), /the certifier judged the same evidence and does not find it compliant/)
})

test('nobody is asked for ever: after two times it is a question', async () => {
  const { generation, told } = await generated(pair, ({ before }) => changed(1, `Clerks may edit files if the clerk's level is greater than ${before}.`))
  assert.deepEqual(told.map(({ before }) => before), [0, 1])
  assert.equal(generation.verdict.kind, 'undetermined')
})

test('who would say the same again is not asked twice', async () => {
  const { generation, told } = await generated(pair, () => null)
  assert.deepEqual([told.length, generation.askedAgain.length, generation.diagnosis.kind], [1, 0, 'ambiguous'])
})

import assert from 'node:assert/strict'
import test from 'node:test'
import type { Article } from '#core/constitution/article.ts'
import type { Answer, Counterexample, Proof } from '#core/proof/proof.ts'
import type { Correction } from '#core/syndrome/correct.ts'
import type { SemanticUnit, Sentence } from '#core/unit/semantic-unit.ts'
import { judge, score, type Examination } from './judge.ts'

const shown: Counterexample = { principal: 'A::"a"', action: 'Action::"x"', resource: 'B::"b"', context: {}, entities: [] }
const PROVED: Answer = { kind: 'proved' }
const REFUTED: Answer = { kind: 'refuted', counterexample: shown }
const UNKNOWN: Answer = { kind: 'unknown', reason: 'timeout' }

const article = (id: string, hard: boolean, weight = 1): Article => ({ id, principle: id.split('.')[0] as string, kind: 'never-permit', text: id, hard, weight })
const proof = (answer: Answer): Proof => ({ question: 'q', answer, environments: [], engines: [], inputDigest: '', basis: { folded: 0, certified: 0, solver: 0, steps: 0, certificates: null }, limits: { rlimit: 1, timeoutMs: 1 } })
const examined = (...proofs: [Article, Answer][]): Examination => ({ proofs: proofs.map(([each, answer]) => ({ article: each, proof: proof(answer), mentions: [] })), inapplicable: [{ article: article('fairness.x', true), missing: ['protected'] }] })

function unit(change: Partial<SemanticUnit['request']> = {}, sentences: Partial<Sentence>[] = []): SemanticUnit {
  return {
    id: 'u',
    schema: {} as SemanticUnit['schema'],
    sentences: sentences.map((sentence, i) => ({ number: i + 1, text: 's', start: 0, end: 1, mayRule: true, isExplanation: false, ...sentence })),
    request: { title: '', description: '', stakeholders: [], principles: [], priority: 'low', examples: [], explanations: [], complianceThreshold: 0.8, consensusRequired: false, multiModelValidation: false, ...change },
  }
}

function correction(change: Partial<Correction> = {}): Correction {
  return { norms: [], policy: { text: 'x', rules: [{} as Correction['policy']['rules'][number]] }, unread: [], independentWitnesses: 2, setAside: [], vote: null, ...change }
}

const hard = article('privacy.a', true)
const soft = article('due-process.b', false, 0.1)

test('compliant only when every hard article is proved and nothing is in doubt', () => {
  assert.deepEqual(judge(unit(), { kind: 'clean' }, [correction()], [examined([hard, PROVED], [soft, PROVED])]), { kind: 'compliant' })
})

test('a refuted hard article refuses, whatever the score', () => {
  const verdict = judge(unit(), { kind: 'clean' }, [correction()], [examined([article('privacy.a', true, 0.001), REFUTED], [article('b.c', true, 100), PROVED])])
  assert.equal(verdict.kind, 'violates')
})

test('an unknown is never a pass, a timeout of a hard article least of all', () => {
  const verdict = judge(unit(), { kind: 'clean' }, [correction()], [examined([hard, UNKNOWN])])
  assert.deepEqual(verdict.kind === 'undetermined' && verdict.doubts.map(({ about }) => about), ['proof'])
})

test('a soft article that does not hold lowers the score and refuses below the threshold', () => {
  const light = examined([hard, PROVED], [soft, REFUTED])
  assert.equal(score(light)?.toFixed(3), (1 / 1.1).toFixed(3))
  assert.equal(judge(unit(), { kind: 'clean' }, [correction()], [light]).kind, 'compliant')
  assert.equal(judge(unit({ complianceThreshold: 0.95 }), { kind: 'clean' }, [correction()], [light]).kind, 'violates')
})

test('a soft article that is unknown counts as not proved: below the threshold nothing is certified', () => {
  const open = examined([hard, PROVED], [article('due-process.b', false, 1), UNKNOWN])
  assert.equal(score(open), 0.5)
  assert.notEqual(judge(unit(), { kind: 'clean' }, [correction()], [open]).kind, 'compliant')
})

test('the score is null when no hard article applies', () => {
  assert.equal(score(examined([soft, PROVED])), null)
})

test('an unread sentence that may rule leaves it undetermined; one that cannot, or is marked as explanation, does not', () => {
  const unread = [{ sentence: 1, text: 's', because: 'unknown word' }]
  const verdict = (sentence: Partial<Sentence>) => judge(unit({}, [sentence]), { kind: 'clean' }, [correction({ unread })], [examined([hard, PROVED])]).kind
  assert.equal(verdict({}), 'undetermined')
  assert.equal(verdict({ mayRule: false }), 'compliant')
  assert.equal(verdict({ isExplanation: true }), 'compliant')
})

test('a refutation wins over an unread sentence', () => {
  const unread = [{ sentence: 1, text: 's', because: 'unknown word' }]
  assert.equal(judge(unit({}, [{}]), { kind: 'clean' }, [correction({ unread })], [examined([hard, REFUTED])]).kind, 'violates')
})

test('while the text is ambiguous, only what every meaning breaks refuses', () => {
  const diagnosis = { kind: 'ambiguous', between: ['a', 'b'], disagreement: shown } as const
  const both = [correction(), correction()]
  assert.equal(judge(unit(), diagnosis, both, [examined([hard, REFUTED]), examined([hard, REFUTED])]).kind, 'violates')
  assert.equal(judge(unit(), diagnosis, both, [examined([hard, REFUTED]), examined([hard, PROVED])]).kind, 'undetermined')
  assert.equal(judge(unit(), diagnosis, both, [examined([hard, PROVED]), examined([hard, PROVED])]).kind, 'undetermined')
})

test('what was corrected and cannot be believed leaves it undetermined, with a remedy', () => {
  const verdict = judge(unit(), { kind: 'explained', faults: [], weight: 1 }, [correction()], [examined([hard, PROVED])], [], ['the corrected policy was measured again, and decides still fires'])
  assert.ok(verdict.kind === 'undetermined' && verdict.doubts.length === 1 && verdict.doubts[0]?.about === 'diagnosis' && verdict.doubts[0].remedy.includes('context.examples'))
})

test('a proved majority settles a disagreement, unless consensus was required', () => {
  const outvoted = { kind: 'outvoted', between: ['a', 'b'], disagreement: shown } as const
  assert.equal(judge(unit(), outvoted, [correction()], [examined([hard, PROVED])]).kind, 'compliant')
  const strict = judge(unit({ consensusRequired: true }), outvoted, [correction()], [examined([hard, PROVED])])
  assert.deepEqual(strict.kind === 'undetermined' && strict.doubts.map(({ about }) => about), ['consensus'])
})

test('a check that gave no answer, and a diagnosis that explains nothing, leave it undetermined', () => {
  for (const kind of ['incomplete', 'unexplained'] as const) {
    assert.equal(judge(unit(), { kind, because: 'x' }, [correction()], [examined([hard, PROVED])]).kind, 'undetermined')
  }
})

test('a principle that was named and binds nothing leaves it undetermined, and the missing concept is named', () => {
  const verdict = judge(unit({ principles: ['fairness'] }), { kind: 'clean' }, [correction()], [examined([hard, PROVED])])
  assert.ok(verdict.kind === 'undetermined' && verdict.doubts[0]?.remedy.includes('@concept("protected")'))
})

test('a policy without rules is not certified', () => {
  assert.equal(judge(unit(), { kind: 'clean' }, [correction({ policy: { text: '', rules: [] } })], [examined([hard, PROVED])]).kind, 'undetermined')
})

test('required consensus needs two witnesses; required models need models', () => {
  assert.equal(judge(unit({ consensusRequired: true }), { kind: 'clean' }, [correction({ independentWitnesses: 1 })], [examined([hard, PROVED])]).kind, 'undetermined')
  assert.equal(judge(unit({ consensusRequired: true }), { kind: 'clean' }, [correction()], [examined([hard, PROVED])]).kind, 'compliant')
  assert.equal(judge(unit({ multiModelValidation: true }), { kind: 'clean' }, [correction()], [examined([hard, PROVED])]).kind, 'undetermined')
})

test('what is not known of one meaning of a text, and not of another either, is one doubt', () => {
  const verdict = judge(unit(), { kind: 'clean' }, [correction(), correction()], [examined([hard, UNKNOWN], [article('b.c', true), REFUTED]), examined([hard, UNKNOWN])])
  assert.deepEqual(verdict.kind === 'undetermined' && verdict.doubts.map(({ message }) => message), ['privacy.a is neither proved nor refuted: timeout'])
})

import assert from 'node:assert/strict'
import test from 'node:test'
import type { Article } from '#core/constitution/article.ts'
import type { Verdict } from '#core/compliance/judge.ts'
import type { Assessment } from '#core/generate.ts'
import type { Answer, Counterexample, Proof } from '#core/proof/proof.ts'
import type { Outcome } from '#core/stabilizers/check.ts'
import type { Diagnosis } from '#core/syndrome/decode.ts'
import type { Candidate } from '#core/synthesis/candidate.ts'
import { autoExecutableIn, diagnosticIdOf, finding, generationIdOf, recommendationsIn, standingOf } from './diagnostic.ts'
import { inDocument } from './lsu.ts'
import { diagnoseAssessment } from './of-assessment.ts'

const shown: Counterexample = { principal: 'A::"a"', action: 'Action::"x"', resource: 'B::"b"', context: {}, entities: [] }
const HOLDS: Outcome = { value: 1 }
const FIRES: Outcome = { value: -1, evidence: { example: 'e' } }
const IDLE: Outcome = { value: 0, why: 'idle', because: 'nothing to look at' }
const FAILED: Outcome = { value: 0, why: 'failed', because: 'timeout' }
const PROVED: Answer = { kind: 'proved' }
const REFUTED: Answer = { kind: 'refuted', counterexample: shown }
const UNKNOWN: Answer = { kind: 'unknown', reason: 'timeout' }

const candidate = (method: Candidate['method']): Candidate => ({ method, readsText: true, lineage: method, cedar: '', readings: [] })
const CANDIDATES = [candidate('controlled-english'), candidate('shallow-parse')]
const article = (id: string, hard: boolean): Article => ({ id, principle: 'p', kind: 'never-permit', text: `${id} in words`, hard, weight: 1 })
const proof = (answer: Answer): Proof => ({ question: 'q', answer, environments: [], engines: [], inputDigest: '', basis: { folded: 0, certified: 0, solver: 0, steps: 0, certificates: null }, limits: { rlimit: 1, timeoutMs: 1 } })

function assessed({ outcomes = [], diagnosis = { kind: 'clean' }, setAside = [], answers = [], verdict = { kind: 'compliant' }, score = 1 }: {
  outcomes?: readonly (readonly [stabilizer: string, Outcome])[]; diagnosis?: Diagnosis; setAside?: readonly string[]; answers?: readonly (readonly [Article, Answer])[]; verdict?: Verdict; score?: number | null
}): Assessment {
  return {
    measurements: outcomes.map(([stabilizer, outcome], i) => ({ stabilizer, candidates: [i % 2], outcome })), diagnosis, verdict, score, objections: [],
    corrections: [{ setAside }], examination: { proofs: answers.map(([each, answer]) => ({ article: each, proof: proof(answer), mentions: [] })), inapplicable: [] },
  } as unknown as Assessment
}

test('every check is an execution, in the order of the syndrome, with the articles after it', () => {
  const { executions } = diagnoseAssessment(assessed({ outcomes: [['well-typed', HOLDS], ['decides', FIRES], ['covers', IDLE]], answers: [[article('a', true), PROVED], [article('b', true), REFUTED], [article('c', true), UNKNOWN]] }), CANDIDATES, (outcome) => (outcome === FIRES ? 2 : null))
  assert.deepEqual(executions.map(({ position, stabilizer, group, candidates, outcome, reason, durationMs }) => [position, stabilizer, group, candidates, outcome, reason, durationMs]), [
    [0, 'well-typed', 'STAB-SEMAN001', ['controlled-english'], 1, null, null],
    [1, 'decides', 'STAB-SEMAN001', ['shallow-parse'], -1, null, 2],
    [2, 'covers', 'STAB-SEMAN001', ['controlled-english'], 0, 'nothing to look at', null],
    [3, 'a', 'STAB-CONST001', [], 1, null, null],
    [4, 'b', 'STAB-CONST001', [], -1, null, null],
    [5, 'c', 'STAB-CONST001', [], 0, 'timeout', null],
  ])
  assert.deepEqual(executions.map(({ evidenceDigest }) => evidenceDigest !== null), [false, true, false, false, true, false])
})

test('a check that gave no answer is not one that holds, and one that had nothing to look at says nothing', () => {
  const health = (...outcomes: Outcome[]) => diagnoseAssessment(assessed({ outcomes: outcomes.map((outcome) => ['well-typed', outcome] as const) }), CANDIDATES).healthScore
  assert.equal(health(HOLDS, HOLDS), 1)
  assert.equal(health(HOLDS, IDLE), 1)
  assert.equal(health(HOLDS, FAILED), 0.5)
  assert.equal(health(HOLDS, FIRES), 0.5)
  assert.equal(health(IDLE), null)
  assert.equal(health(), null)
  assert.equal(diagnoseAssessment(assessed({ answers: [[article('a', true), UNKNOWN], [article('b', true), PROVED]] }), CANDIDATES).healthScore, 0.5)
})

test('a corrected fault is found and handled; a disagreement without blame is critical, also where the policy is refused anyway', () => {
  const corrected = diagnoseAssessment(assessed({ diagnosis: { kind: 'explained', faults: [{ candidate: 1, method: 'shallow-parse', mechanism: 'misread', sentences: null, shownBy: 'decides', evidence: null }], weight: 1 }, setAside: ['shallow-parse'] }), CANDIDATES)
  assert.deepEqual([corrected.status, corrected.faultsDetected, corrected.faultsCorrected], ['degraded', 1, 1])
  assert.match(corrected.findings[0]?.message ?? '', /shallow-parse .* set aside: decides fires/)
  const ambiguous: Diagnosis = { kind: 'ambiguous', between: ['controlled-english', 'shallow-parse'], disagreement: null }
  for (const verdict of [{ kind: 'undetermined', doubts: [{ about: 'ambiguous', message: 'm', remedy: 'r' }] }, { kind: 'violates', violations: [] }] as const) {
    const open = diagnoseAssessment(assessed({ diagnosis: ambiguous, verdict }), CANDIDATES)
    assert.deepEqual([open.status, open.faultsDetected, open.faultsCorrected, open.findings.map(({ about, severity }) => `${about} ${severity}`)], ['unhealthy', 1, 0, ['ambiguous critical']])
  }
})

test('no diagnosis but a clean or an explained one is ever without a critical finding', () => {
  const open: readonly Diagnosis[] = [{ kind: 'ambiguous', between: [], disagreement: null }, { kind: 'incomplete', because: 'b' }, { kind: 'unexplained', because: 'b' }]
  for (const diagnosis of open) for (const verdict of [{ kind: 'violates', violations: [] }, { kind: 'compliant' }] as const) assert.equal(diagnoseAssessment(assessed({ diagnosis, verdict }), CANDIDATES).status, 'unhealthy', `${diagnosis.kind} ${verdict.kind}`)
})

test('a hard article that is refuted is critical, a soft one is not, unless it is the one that refuses', () => {
  const violation = { article: 'soft', principle: 'p', text: 't', hard: false, counterexample: shown, mentions: [] }
  const severities = (verdict: Verdict) => diagnoseAssessment(assessed({ answers: [[article('hard', true), REFUTED], [article('soft', false), REFUTED]], verdict }), CANDIDATES).findings.map(({ about, severity }) => `${about} ${severity}`)
  assert.deepEqual(severities({ kind: 'violates', violations: [{ ...violation, article: 'hard', hard: true }] }), ['hard critical', 'soft error'])
  assert.deepEqual(severities({ kind: 'violates', violations: [violation] }), ['hard critical', 'soft critical'])
})

test('acts are recommended once, and none without a finding', () => {
  const [a, b] = [finding('1', 'reading', 'error', 'm', 'reword', 'reword it'), finding('2', 'reading', 'critical', 'n', 'reword', 'reword it')]
  assert.deepEqual(recommendationsIn([a, b]), ['reword it'])
  assert.deepEqual([recommendationsIn([]), autoExecutableIn([a, b]), autoExecutableIn([])], [[], 0, 0])
  assert.deepEqual([standingOf([]), standingOf([a]), standingOf([a, b])], ['healthy', 'degraded', 'unhealthy'])
})

test('a generation and its diagnostic are found by each other’s id', () => {
  assert.equal(diagnosticIdOf('gen_1-2'), 'diag_1-2')
  assert.equal(generationIdOf('diag_1-2'), 'gen_1-2')
  for (const id of ['', 'gen_', 'LSU-000001', 'x']) assert.equal(diagnosticIdOf(id), null)
  for (const id of ['', 'diag_', 'gen_1']) assert.equal(generationIdOf(id), null)
})

test('of a document, what settles a finding is said of its own members', () => {
  const settled = (action: string) => inDocument(finding('x', 'reading', 'critical', 'm', 'reword', action)).remedy.action
  assert.equal(settled('reword it, or mark it as explanation: `"context": {"explanations": [1]}`'), 'reword it, or mark it as explanation: `"structured_data": {"explanations": [1]}`')
  assert.equal(settled('answer question q_0123456789abcdef: May user “a” view doc “b”? It is the only one; or reword it'), 'add an example to `content.structured_data.examples` that says: May user “a” view doc “b”? It is the only one; or reword it')
  assert.equal(settled('say who may or must not do what'), 'say who may or must not do what')
})

test('readers that disagree and were never compared are named, with what counts them; those that were, and those of one lineage, are not', () => {
  const diagnosis: Diagnosis = { kind: 'ambiguous', between: ['controlled-english', 'shallow-parse'], disagreement: null }
  const said = (candidates: readonly Candidate[], as: Diagnosis = diagnosis) => diagnoseAssessment(assessed({ diagnosis: as }), candidates).findings.filter(({ about }) => about === 'witnesses')
  const models = [candidate('model:a'), candidate('model:b')]
  assert.deepEqual(said(CANDIDATES), [])
  assert.deepEqual(said(models.map((each) => ({ ...each, lineage: 'one' }))), [])
  assert.deepEqual(said([...CANDIDATES, ...models], { kind: 'clean' }), [])
  const [finding, ...others] = said([...CANDIDATES.slice(0, 1), ...models, { ...candidate('principles'), readsText: false }])
  assert.equal(others.length, 0)
  assert.match(finding?.message ?? '', /one witness and outvote nobody: controlled-english and model:a, controlled-english and model:b, model:a and model:b$/)
  assert.match(finding?.remedy.action ?? '', /acgs weights update/)
})

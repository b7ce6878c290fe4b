import { parsePolicies } from '#adapters/cedar/cedar.ts'
import assert from 'node:assert/strict'
import { generateKeyPairSync, sign } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createExaminer, type Prover } from '#adapters/examiner.ts'
import { loadPacks } from '#adapters/packs.ts'
import { createProver } from '#adapters/solver/prover.ts'
import type { Statement } from '#core/certificate/statement.ts'
import { parseConstitution } from '#core/constitution/constitution.ts'
import type { Evidence } from '#core/generate.ts'
import { independently } from '#core/injection/trial.ts'
import { assemble } from '#core/policy/assemble.ts'
import { renderRules } from '#core/policy/render.ts'
import { LIMITS } from '#core/proof/questions.ts'
import { GenerateBody } from '#core/unit/request.ts'
import { semanticHash } from '#core/policy/semantic-hash.ts'
import { WEIGHTS, type Weights } from '#core/syndrome/weights.ts'
import { toUnit } from '#core/unit/to-unit.ts'
import { normsOf, type Candidate } from '#core/synthesis/candidate.ts'
import { propose } from '#services/synthesis/propose.ts'
import { createLog } from '#telemetry/log.ts'
import { createMetrics } from '#telemetry/metrics.ts'
import { scrape } from '#telemetry/scrape.ts'
import { certifier } from './certify.ts'

const file = (name: string) => readFileSync(new URL(`../../../${name}`, import.meta.url), 'utf8')
const constitution = parseConstitution(file('constitutions/acgs.yaml'))
const packs = loadPacks(fileURLToPath(new URL('../../../packs', import.meta.url)))
const prover = createProver(LIMITS)
after(() => prover[Symbol.asyncDispose]())
const { privateKey } = generateKeyPairSync('ed25519')
const key = { keyid: 'k', sign: (bytes: Uint8Array) => sign(null, bytes, privateKey) }

function setUp({ use = prover, threshold = 0.8, readsAgain = false, weights = WEIGHTS }: { use?: Prover; threshold?: number; readsAgain?: boolean; weights?: Weights } = {}) {
  const examiner = createExaminer(constitution, use, weights)
  const metrics = createMetrics({ service: 'acgs-compliance', version: '8.0.0', constitutionalHash: 'cdd01ef066bc6cf2', description: 'test' })
  const telemetry = { log: createLog({ service: 'acgs-compliance', level: 'debug', destination: { write: () => {} } }), metrics }
  return {
    certify: certifier({ examiner, key, constitutionalHash: 'cdd01ef066bc6cf2', threshold, validDays: 365, readAgain: readsAgain ? propose : null, telemetry, now: () => new Date('2026-01-01') }),
    counted: async (outcome: 'issued' | 'refused') => Number(new RegExp(`certificates_total{outcome="${outcome}"} (\\d+)`).exec((await scrape(metrics, undefined)).text)?.[1]),
    evidence: async (name: string): Promise<Evidence> => {
      const unit = toUnit('gen_1', GenerateBody.parse(JSON.parse(file(`examples/${name}.json`))), { packs, constitution, parseSchema: examiner.parseSchema, threshold: 0 })
      return { unit, candidates: await propose(unit, examiner.bind(unit.schema).bound) }
    },
  }
}

test('evidence that is compliant is signed, with what was judged', async () => {
  const { certify, counted, evidence } = setUp()
  const certificate = await certify(await evidence('clinic'), 'ann')
  assert(certificate !== null)
  const { predicate } = JSON.parse(Buffer.from(certificate.envelope.payload, 'base64').toString()) as Statement
  assert.deepEqual([predicate.generationId, predicate.author], ['gen_1', 'ann'])
  assert.deepEqual([await counted('issued'), await counted('refused')], [1, 0])
})

test('evidence of which an article is refuted is not signed, and counted, whatever verdict its bearer came to', async () => {
  const { certify, counted, evidence } = setUp()
  assert.equal(await certify({ ...(await evidence('export-everything')), verdict: { kind: 'compliant' } } as Evidence, 'ann'), null)
  assert.deepEqual([await counted('issued'), await counted('refused')], [0, 1])
})

test('a threshold that was lowered in the evidence is raised again; a higher one stays', async () => {
  // Every hard article is proved and no soft one: the score is between.
  const halfway: Prover = {
    ...prover,
    proveArticles: async (_policy, _schema, articles) => articles.map(({ article: { hard } }) => ({
      question: 'q', answer: hard ? { kind: 'proved' } : { kind: 'unknown', reason: 'timeout' }, environments: [], engines: [], inputDigest: '0'.repeat(64), basis: { folded: 0, certified: 0, solver: 0, steps: 0, certificates: null }, limits: LIMITS,
    })),
  }
  const lowered = async (threshold: number, stated: number) => {
    const { certify, evidence } = setUp({ use: halfway, threshold })
    const { unit, candidates } = await evidence('clinic')
    const certificate = await certify({ unit: { ...unit, request: { ...unit.request, complianceThreshold: stated } }, candidates }, 'ann')
    return certificate === null ? null : (JSON.parse(Buffer.from(certificate.envelope.payload, 'base64').toString()) as Statement).predicate
  }
  const low = await lowered(0.1, 0)
  assert(low !== null && low.score !== null && low.score < 1, 'the fixture has a soft article that applies')
  assert.equal(low.threshold, 0.1)
  assert.equal(await lowered(1, 0), null)
  assert.equal(await lowered(0.1, 1), null)
  assert.equal((await lowered(0.1, low.score))?.threshold, low.score)
})

test('what is certified is what Cedar reads from the text: a certificate about an enumerated value verifies', async () => {
  const { certify, evidence } = setUp()
  const { unit } = await evidence('clinic')
  const body = { title: 'Exports of US records', description: 'Employees may not export records whose region is US.', context: { domain: 'data-protection' } }
  const asked = toUnit('gen_2', GenerateBody.parse(body), { packs, constitution, parseSchema: () => unit.schema, threshold: 0 })
  const certificate = await certify({ unit: asked, candidates: await propose(asked, []) }, 'ann')
  assert(certificate !== null)
  const { predicate } = JSON.parse(Buffer.from(certificate.envelope.payload, 'base64').toString()) as Statement
  assert.match(predicate.bodies.policy, /Region::"US"/)
  assert.equal(predicate.semanticHash, semanticHash(parsePolicies(predicate.bodies.policy, unit.schema).rules, unit.schema))
})

test('what a reader did not say is not certified in its name, by whoever reads again', async () => {
  const { certify, counted, evidence } = setUp({ readsAgain: true })
  const honest = await evidence('clinic')
  assert.notEqual(await certify({ ...honest, candidates: honest.candidates.toReversed() }, 'ann'), null)
  const [first, ...others] = honest.candidates as [Evidence['candidates'][number], ...Evidence['candidates'][number][]]
  // Both readers left the exception of sentence 3 out: well typed, agreed on and constitutional, and not what the text says.
  const without = honest.candidates.map((each) => {
    if (!each.readsText) return each
    const readings = each.readings.map((reading) => (reading.kind === 'norms' && reading.sentence === 3 ? { ...reading, norms: reading.norms.map((norm) => ({ ...norm, unless: null })) } : reading))
    return { ...each, readings, cedar: renderRules(assemble(readings.flatMap((reading) => (reading.kind === 'norms' ? reading.norms : [])), honest.unit.schema)) }
  })
  assert.equal(await certify({ ...honest, candidates: without }, 'ann'), null)
  assert.equal(await certify({ ...honest, candidates: [{ ...first, lineage: 'controlled-english 0' }, ...others] }, 'ann'), null)
  assert.deepEqual([await counted('issued'), await counted('refused')], [1, 2])

  const careless = setUp()
  assert.notEqual(await careless.certify({ ...honest, candidates: without }, 'ann'), null, 'sabotage: without reading again it would be signed')
})

test('what a language model said can hold a certificate back where the text is read again, and brings none about', async () => {
  const { certify, evidence } = setUp({ readsAgain: true })
  const honest = await evidence('clinic')
  const [first] = honest.candidates as [Candidate, ...Candidate[]]
  const model = (name: string, said: Candidate): Candidate => ({ ...said, method: `model:${name}`, lineage: name })
  const stated = (certificate: Awaited<ReturnType<typeof certify>>) => (certificate === null ? null : (JSON.parse(Buffer.from(certificate.envelope.payload, 'base64').toString()) as Statement).predicate)

  const agreeing = stated(await certify({ ...honest, candidates: [...honest.candidates, model('a', first)] }, 'ann'))
  const alone = stated(await certify(honest, 'ann'))
  assert.deepEqual([agreeing?.digests, agreeing?.independentWitnesses], [alone?.digests, alone?.independentWitnesses], 'it is no witness in the certificate')

  // Models that leave the exception of sentence 1 out.
  const readings = first.readings.map((reading) => (reading.kind === 'norms' && reading.sentence === 1 ? { ...reading, norms: reading.norms.map((norm) => ({ ...norm, unless: null })) } : reading))
  const lying = { ...first, readings, cedar: renderRules(assemble(normsOf(readings), honest.unit.schema)) }
  const beside = (...names: readonly string[]): Evidence => ({ ...honest, candidates: [...honest.candidates, ...names.map((name) => model(name, lying))] })
  assert.ok((await certify(beside('a'), 'ann')) !== null, 'the readers agree against one')
  assert.ok((await certify(beside('a', 'b'), 'ann')) === null, 'against two they do not decide')
  assert.ok((await certify(beside('a', 'b', 'c', 'd'), 'ann')) === null, 'a majority that the text does not bear')
  assert.ok((await setUp().certify(beside('a', 'b', 'c', 'd'), 'ann')) === null, 'nobody has compared them: they outvote nobody')
  const weights = independently([...honest.candidates.map(({ method }) => method), 'model:a', 'model:b', 'model:c', 'model:d'])
  assert.ok((await setUp({ readsAgain: true, weights }).certify(beside('a', 'b', 'c', 'd'), 'ann')) === null, 'nor where they count as erring apart')
  assert.ok((await setUp({ weights }).certify(beside('a', 'b', 'c', 'd'), 'ann')) !== null, 'sabotage: without reading again it would be signed')
})

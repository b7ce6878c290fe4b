import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { readConfig, type Config } from '#config'
import { parseSchema } from '#adapters/cedar/cedar.ts'
import { loadConstitution } from '#adapters/constitution.ts'
import { bind } from '#core/constitution/bind.ts'
import type { Candidate } from '#core/synthesis/candidate.ts'
import type { SemanticUnit } from '#core/unit/semantic-unit.ts'
import { sentencesOf } from '#core/unit/sentences.ts'
import { propose } from '#services/synthesis/propose.ts'
import { createLog } from '#telemetry/log.ts'
import { createMetrics } from '#telemetry/metrics.ts'
import { importTwin } from '#test/twin.ts'
import * as ours from './remember-candidates.ts'

type Module = Pick<typeof ours, 'rememberCandidates'>
const SCHEMA = 'entity Ward; entity Nurse { ward: Ward }; entity Chart { ward: Ward, sealed: Bool }; action view appliesTo { principal: Nurse, resource: Chart };'
const TEXT = 'Nurses may view charts of their ward. Charts were on paper once.'
const PACK = readFileSync(new URL('../../../packs/data-protection/schema.cedarschema', import.meta.url), 'utf8')
const { constitutional } = readConfig({ env: {} })
const { constitution } = loadConstitution(constitutional, constitutional.hash)
const boundTo = ({ schema }: SemanticUnit) => bind(constitution, schema).bound
const BASIS = { constitution: 'ab', release: '8.0.0', readers: ['r 1'] }

function unitOf({ id = 'u', description = TEXT, schema = SCHEMA, explanations = [], principles = [], title = 't' }: { id?: string; description?: string; schema?: string; explanations?: readonly number[]; principles?: readonly string[]; title?: string } = {}): SemanticUnit {
  const parsed = parseSchema(schema)
  return {
    id, schema: parsed, sentences: sentencesOf(description, parsed, explanations),
    request: { title, description, stakeholders: [], principles, priority: 'low', examples: [], explanations, complianceThreshold: 0.8, consensusRequired: false, multiModelValidation: false },
  }
}

function remembering({ module = ours, store = null, basis = BASIS, databaseUrl = 'postgresql://u:p@h/d', config = () => readConfig({ env: {} }) }: { module?: Module; store?: Parameters<typeof ours.rememberCandidates>[0]['store']; basis?: typeof BASIS; databaseUrl?: string; config?: () => Config } = {}) {
  let read = 0
  const telemetry = { log: createLog({ service: 'acgs-test', level: 'silent' }), metrics: createMetrics({ service: 'acgs-test', version: '8.0.0', constitutionalHash: 'cdd01ef066bc6cf2', description: 'test' }) }
  const remembered = module.rememberCandidates({ propose: (unit, bound) => (read++, propose(unit, bound)), basis, store, databaseUrl, telemetry, config })
  return { candidates: (unit: SemanticUnit) => remembered(unit, boundTo(unit)), read: () => read }
}

/** For whatever a candidate depends on, what is answered is what would be read now. */
async function answersWhatIsRead(module: Module): Promise<void> {
  const world = remembering({ module })
  for (const unit of [unitOf(), unitOf({ id: 'v', title: 'another' }), unitOf({ explanations: [1] }), unitOf({ description: `${TEXT} Nurses must not view charts that are sealed.` }), unitOf({ schema: PACK }), unitOf({ schema: PACK, principles: ['fairness'] })]) {
    for (let i = 0; i < 2; i++) assert.deepEqual(await world.candidates(unit), await propose(unit, boundTo(unit)))
  }
}

test('the candidates are those that would be read now, whatever differs', () => answersWhatIsRead(ours))

test('a text is read once; another title or unit does not make another text, and everything that candidates depend on does', async () => {
  const world = remembering()
  for (const unit of [unitOf(), unitOf({ id: 'v' }), unitOf({ title: 'another' })]) await world.candidates(unit)
  assert.equal(world.read(), 1)
  for (const other of [unitOf({ explanations: [1] }), unitOf({ principles: ['privacy'] }), unitOf({ schema: `${SCHEMA} entity Other;` }), unitOf({ description: `${TEXT} ` })]) await world.candidates(other)
  assert.equal(world.read(), 5)
})

test('the test notices a question from which something is left out', async () => {
  for (const member of ['description, ', 'principles, ', ', schema: unit.schema.digest']) {
    const from = 'cache.through({ description, explanations, principles, schema: unit.schema.digest }'
    const twin = await importTwin<Module>('src/services/platform/', ['remember-candidates.ts'], { file: 'remember-candidates.ts', from, to: from.replace(member, '') }, member)
    await assert.rejects(answersWhatIsRead(twin), member)
  }
})

test('another constitution, release or reader, another password of the database, or none: what others wrote is a miss', async () => {
  const bytes = new Map<string, Buffer>()
  const store = { get: async (key: string) => bytes.get(key) ?? null, set: async (key: string, value: Buffer) => void bytes.set(key, value) }
  const settle = () => new Promise((resolve) => setImmediate(resolve))
  const read = async (given: Parameters<typeof remembering>[0]): Promise<number> => {
    const world = remembering({ store, ...given })
    const candidates: readonly Candidate[] = await world.candidates(unitOf())
    assert.deepEqual(candidates, await propose(unitOf(), boundTo(unitOf())))
    await settle()
    return world.read()
  }
  assert.deepEqual([await read({}), await read({}), await read({ databaseUrl: 'postgresql://v:p@elsewhere/d' })], [1, 0, 0])
  for (const basis of [{ ...BASIS, constitution: 'cd' }, { ...BASIS, release: '8.0.1' }, { ...BASIS, readers: ['r 2'] }]) assert.equal(await read({ basis }), 1)
  for (const databaseUrl of ['postgresql://u:q@h/d', 'postgresql://u@h/d', 'postgresql://u@h/d']) assert.equal(await read({ databaseUrl }), 1)
})

test('what is remembered under one constitution or release is not found under another', () => {
  const inForce = loadConstitution(constitutional, constitutional.hash)
  const basis = ours.candidateBasis(inForce, '8.0.0')
  assert.deepEqual(ours.candidateBasis(inForce, '8.0.0'), basis)
  assert.notDeepEqual(ours.candidateBasis({ ...inForce, shown: { ...inForce.shown, digest: 'cd'.repeat(32) } }, '8.0.0'), basis)
  assert.notDeepEqual(ours.candidateBasis(inForce, '8.0.1'), basis)
  assert.ok(basis.readers.length > 0)
})

test('with a time to live of 0 nothing is remembered', async () => {
  const world = remembering({ config: () => readConfig({ env: { ACGS_CACHING_CANDIDATES_TTL_SECONDS: '0' } }) })
  for (let i = 0; i < 3; i++) await world.candidates(unitOf())
  assert.equal(world.read(), 3)
})

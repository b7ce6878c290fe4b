import assert from 'node:assert/strict'
import { generateKeyPairSync, randomUUID, sign, verify } from 'node:crypto'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { authorize } from '#adapters/cedar/cedar.ts'
import { loadConstitution } from '#adapters/constitution.ts'
import { createExaminer } from '#adapters/examiner.ts'
import { loadPacks } from '#adapters/packs.ts'
import { createProver } from '#adapters/solver/prover.ts'
import { canonical } from '#core/canonical.ts'
import { applicableOf, type Certificate, type Statement } from '#core/certificate/statement.ts'
import { open } from '#core/certificate/verify.ts'
import { decide } from '#core/decision/decide.ts'
import { Failure } from '#core/failure.ts'
import { examine } from '#core/generate.ts'
import { loadBundle, signBundle, type Bundle, type BundleStatement, type HighWater } from '#core/revision/bundle.ts'
import { cite, compose } from '#core/revision/compose.ts'
import { revisionDigest, type RevisionContent } from '#core/revision/revision.ts'
import { GenerateBody } from '#core/unit/request.ts'
import { toUnit } from '#core/unit/to-unit.ts'
import { propose } from '#services/synthesis/propose.ts'
import { bundler } from './bundles.ts'
import { certifier } from './certify.ts'
import { createDecisionPoint } from './decision-point.ts'
import { follow, withoutRevoked } from './follow.ts'
import { stateFolder } from './state-folder.ts'
import { createLog } from '#telemetry/log.ts'
import { createMetrics } from '#telemetry/metrics.ts'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const inForce = loadConstitution({ document: join(ROOT, 'constitutions/acgs.yaml'), ratification: join(ROOT, 'constitutions/acgs.ratification.yaml') }, 'cdd01ef066bc6cf2')
const packs = loadPacks(join(ROOT, 'packs'))
const prover = createProver({ rlimit: 20_000_000, timeoutMs: 20_000 })
after(() => prover[Symbol.asyncDispose]())
const examiner = createExaminer(inForce.constitution, prover)
const NOW = new Date('2026-06-01T00:00:00.000Z')

const keyOf = () => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const keyid = randomUUID()
  return { keyid, publicKey, sign: (bytes: Uint8Array) => sign(null, bytes, privateKey) }
}
const compliance = keyOf()
const stranger = keyOf()
const isSignedBy = (keyid: string, bytes: Uint8Array, signature: Uint8Array) => (keyid === compliance.keyid ? verify(null, bytes, compliance.publicKey, signature) : null)

/** Approvals as Auth would judge them: here a token says `member digest application`, and only Auth's own begin with `auth`. */
const approvalOf = async (token: string, of: { application: string; digest: string }) => {
  const [by, member, digest, application] = token.split(' ')
  if (by !== 'auth' || digest !== of.digest || application !== of.application) throw new Failure('APPROVAL_INVALID', 'is not for this')
  return { member: member as string, at: NOW }
}
const approve = (member: string, content: RevisionContent, application = content.application) => `auth ${member} ${revisionDigest(content)} ${application}`

const telemetry = {
  log: createLog({ service: 'acgs-compliance', level: 'debug', destination: { write: () => {} } }),
  metrics: createMetrics({ service: 'acgs-compliance', version: '8.0.0', constitutionalHash: 'cdd01ef066bc6cf2', description: 'test' }),
}

const SCHEMA = examiner.parseSchema((packs.find(({ name }) => name === 'data-protection') as { schema: string }).schema)
const parse = (text: string, schema: typeof SCHEMA) => examiner.examining(schema).parse(text, schema)

async function certificateFor(title: string, description: string, { author = 'ann', at = NOW }: { author?: string; at?: Date } = {}): Promise<Certificate> {
  const unit = toUnit(`gen_${randomUUID()}`, GenerateBody.parse({ title, description, context: { domain: 'data-protection' } }), { packs, constitution: inForce.constitution, parseSchema: examiner.parseSchema, threshold: 0.5 })
  const make = certifier({ examiner, key: compliance, constitutionalHash: inForce.shown.hash, threshold: 0.5, validDays: 365, telemetry: null, now: () => at })
  const certificate = await make({ unit, candidates: await propose(unit, examiner.bind(unit.schema).bound) }, author)
  assert(certificate !== null, `\`${description}\` is not certified`)
  return certificate
}

const OBLIGED = 'Every access must be logged.'
const nurses = await certificateFor('Nurses read charts', `Nurses may view charts of patients of their own ward unless the chart is sealed. ${OBLIGED}`)
const patients = await certificateFor('Patients read their own', `Patients may view their own chart and customers may view their own customer record. Patients and customers may view their own access log. ${OBLIGED}`, { author: 'bob' })
const closed = await certificateFor('No export', 'Nobody may export a chart unless the patient has given consent.', { author: 'bob' })

async function contentOf(certificates: readonly Certificate[], change: Partial<RevisionContent> = {}): Promise<RevisionContent> {
  const opened = certificates.map((certificate) => ({ id: certificate.id, statement: open(Buffer.from(canonical(certificate)), isSignedBy).statement as Statement }))
  const policy = compose(opened, SCHEMA, parse)
  const examination = await examine(parse(policy, SCHEMA), SCHEMA, examiner.examining(SCHEMA))
  return {
    application: 'clinic', schema: { text: SCHEMA.text, digest: SCHEMA.digest }, constitution: { hash: inForce.shown.hash, digest: inForce.shown.digest },
    applicable: JSON.parse(JSON.stringify(applicableOf(examination))), certificates: opened.map(cite), policy, proposedBy: 'pat', proposedAt: NOW.toISOString(), ...change,
  }
}

const ALL = [nurses, patients, closed]
const content = await contentOf(ALL)
const signer = (over: { seen?: HighWater | null; revoked?: readonly string[]; at?: Date } = {}) => bundler({
  examiner, key: compliance, isSignedBy, approvalOf, constitutionalHash: inForce.shown.hash, threshold: 0.5, validDays: 7,
  seen: () => over.seen ?? null, isRevoked: (id) => (over.revoked ?? []).includes(id), now: () => over.at ?? NOW,
})
const request = (change: Partial<Parameters<ReturnType<typeof bundler>>[0]> = {}) => ({ revision: 1, content, certificates: ALL, approvals: [approve('carla', content)], ...change })
const refusedWith = (code: string, message: RegExp) => (error: unknown) => {
  assert(error instanceof Failure, String(error))
  assert.deepEqual([error.code, message.test(error.message)], [code, true], error.message)
  return true
}
const bundle = await signer()(request())
const load = (one: unknown, { seen = null, application = 'clinic', at = NOW }: { seen?: HighWater | null; application?: string; at?: Date } = {}) =>
  loadBundle(application, one, seen, { isSignedBy, approvalOf, parseSchema: examiner.parseSchema, parse, at })

test('what is proved and approved is signed, and loads with every rule and its sentence', async () => {
  const { active } = await load(bundle)
  assert.equal(active.revision, 1)
  assert.equal(active.policies.text, content.policy)
  assert.deepEqual([...new Set([...active.sentenceOf.values()])].length, 4)
})

test('the same request gives the same bytes', async () => assert.deepEqual(await signer()(request()), bundle))

// What a hostile platform could bring. Compliance's own key signs only what it judged, so each is a payload that somebody else signed, or none at all.
const predicate = (JSON.parse(Buffer.from(bundle.envelope.payload, 'base64').toString()) as BundleStatement).predicate
/** A bundle that says something else under a good signature: what the decision point must find by itself if compliance ever signed it. */
const forged = (change: Partial<BundleStatement['predicate']>): Bundle => signBundle({ ...predicate, ...change }, compliance)
const changed = (change: Partial<RevisionContent>): Bundle => {
  const other = { ...content, ...change }
  return forged({ content: other, approvals: [approve('carla', other)] })
}

const HOSTILE: readonly { because: string; bundle: () => unknown; message: RegExp; seen?: HighWater; application?: string; at?: Date }[] = [
  { because: 'a changed byte', bundle: () => ({ envelope: { ...bundle.envelope, payload: Buffer.from(Buffer.from(bundle.envelope.payload, 'base64').toString().replace('"revision":1', '"revision":9')).toString('base64') } }), message: /signature/ },
  { because: 'another signer', bundle: () => signBundle(predicate, stranger), message: /not trusted/ },
  { because: 'a stranger under the name of compliance', bundle: () => signBundle(predicate, { ...stranger, keyid: compliance.keyid }), message: /signature/ },
  { because: 'a changed policy', bundle: () => changed({ policy: content.policy.replace('principal.ward == resource.patient.ward', 'true') }), message: /not the one that its certificates make/ },
  { because: 'a changed schema', bundle: () => changed({ schema: { ...content.schema, text: `${content.schema.text}\n` } }), message: /schema/ },
  { because: 'a certificate left out', bundle: () => forged({ certificates: [nurses, patients] }), message: /cite/ },
  { because: 'a certificate whose signature is broken', bundle: () => forged({ certificates: ALL.map((each, at) => (at === 0 ? { ...each, envelope: { ...each.envelope, signatures: [{ keyid: compliance.keyid, sig: closed.envelope.signatures[0]?.sig ?? '' }] } } : each)) }), message: /signature/ },
  { because: 'no approval', bundle: () => forged({ approvals: [] }), message: /0 of 1 approvals/ },
  { because: 'an approval twice where two are needed', bundle: () => forged({ approvals: [approve('carla', content), approve('carla', content)], approvalsRequired: 2 }), message: /1 of 2/ },
  { because: 'an approval of another content', bundle: () => forged({ approvals: [approve('carla', { ...content, proposedBy: 'zoe' })] }), message: /does not count/ },
  { because: 'an approval for another application', bundle: () => forged({ approvals: [approve('carla', content, 'bank')] }), message: /does not count/ },
  { because: 'an approval that Auth did not sign', bundle: () => forged({ approvals: [approve('carla', content).replace('auth', 'platform')] }), message: /does not count/ },
  { because: 'the approval of an author', bundle: () => forged({ approvals: [approve('ann', content)] }), message: /wrote themselves/ },
  { because: 'the approval of the proposer', bundle: () => forged({ approvals: [approve('pat', content)] }), message: /wrote themselves/ },
  { because: 'the proposer’s beside a good one', bundle: () => forged({ approvals: [approve('carla', content), approve('pat', content)] }), message: /wrote themselves/ },
  { because: 'an old revision', bundle: () => bundle, seen: { revision: 2, digest: 'f'.repeat(64) }, message: /revision 2 has decided already/ },
  { because: 'another content under a number that was used', bundle: () => bundle, seen: { revision: 1, digest: 'f'.repeat(64) }, message: /another content/ },
  { because: 'an expired one', bundle: () => bundle, at: new Date(NOW.getTime() + 8 * 86_400_000), message: /expired/ },
  { because: 'one that was issued after it expires', bundle: () => forged({ issuedAt: '2030-01-01T00:00:00.000Z' }), message: /before it was issued/ },
  { because: 'another application’s', bundle: () => bundle, application: 'bank', message: /for the application/ },
  { because: 'not a bundle at all', bundle: () => ({ bundle: 'yes' }), message: /form/ },
  { because: 'a certificate instead of a bundle', bundle: () => ({ envelope: nurses.envelope }), message: /bundle/ },
]
for (const { because, bundle: make, message, ...over } of HOSTILE) {
  test(`the decision point refuses ${because}`, async () => assert.rejects(load(make(), over), refusedWith('BUNDLE_REFUSED', message)))
}

test('compliance signs no set that breaks an article as a whole, though every certificate in it is good', async () => {
  // Alone it permits nobody anything; beside permits it makes the ethnicity count.
  const unfair = await certificateFor('Unfair to some', 'Nobody may view a chart if the ethnicity of the patient is "Danish".')
  const together = await contentOf([...ALL, unfair])
  const asked = request({ content: together, certificates: [...ALL, unfair], approvals: [approve('carla', together)] })
  await assert.rejects(signer()(asked), refusedWith('POLICY_REFUSED', /breaks/))
})

test('compliance signs no content that says of itself that another number of articles applies', async () => {
  const boasting = { ...content, applicable: { ...content.applicable, articles: content.applicable.of, missing: [] } }
  await assert.rejects(signer()(request({ content: boasting, approvals: [approve('carla', boasting)] })), refusedWith('BUNDLE_REFUSED', /which articles apply/))
})

test('compliance signs no rule that no certificate holds', async () => {
  const wide = { ...content, policy: `${content.policy}\n@id("x")\npermit (principal, action, resource);\n` }
  await assert.rejects(signer()(request({ content: wide, approvals: [approve('carla', wide)] })), refusedWith('BUNDLE_REFUSED', /not the one that its certificates make/))
})

test('compliance signs nothing without approval, for a revoked or expired certificate, or under a number that was used', async () => {
  await assert.rejects(signer()(request({ approvals: [] })), refusedWith('BUNDLE_REFUSED', /0 of 1/))
  await assert.rejects(signer()(request({ approvals: [approve('bob', content)] })), refusedWith('BUNDLE_REFUSED', /wrote/))
  await assert.rejects(signer({ revoked: [patients.id] })(request()), refusedWith('CERTIFICATE_UNUSABLE', /revoked/))
  await assert.rejects(signer({ at: new Date('2029-01-01') })(request()), refusedWith('CERTIFICATE_UNUSABLE', /expired/))
  await assert.rejects(signer({ seen: { revision: 1, digest: 'f'.repeat(64) } })(request()), refusedWith('BUNDLE_REFUSED', /must grow/))
  await assert.rejects(signer({ seen: { revision: 1, digest: 'f'.repeat(64) } })(request({ revision: 2_000_000_000 })), refusedWith('BUNDLE_REFUSED', /too far beyond 1/))
  await assert.rejects(signer()(request({ content: { ...content, constitution: { ...content.constitution, digest: 'f'.repeat(64) } } })), refusedWith('BUNDLE_REFUSED', /another constitution/))
})

test('what decides already is signed anew although its certificates have expired, and says how it stands', async () => {
  const again = await signer({ seen: { revision: 1, digest: revisionDigest(content) }, at: new Date('2029-01-01') })(request())
  const { statement } = await load(again, { at: new Date('2029-01-02'), seen: { revision: 1, digest: revisionDigest(content) } })
  assert.equal(statement.predicate.standing.kind, 'proved')
})

const uid = (type: string, id: string) => ({ type, id })
const ref = (type: string, id: string) => ({ __entity: uid(type, id) })
const CHART = packs.find(({ name }) => name === 'data-protection') as (typeof packs)[number]
const asked = (() => {
  const nurse = CHART.entities.find(({ uid: { type } }) => type === 'Nurse') as (typeof CHART.entities)[number]
  const ward = (nurse.attrs['ward'] as ReturnType<typeof ref>).__entity.id
  const patient = CHART.entities.find(({ uid: { type }, attrs }) => type === 'Patient' && (attrs['ward'] as ReturnType<typeof ref>).__entity.id === ward) as (typeof CHART.entities)[number]
  const chart = CHART.entities.find(({ uid: { type }, attrs }) => type === 'Chart' && (attrs['patient'] as ReturnType<typeof ref>).__entity.id === patient.uid.id && attrs['sealed'] === false) as (typeof CHART.entities)[number]
  return { principal: `Nurse::"${nurse.uid.id}"`, action: 'Action::"viewChart"', resource: `Chart::"${chart.uid.id}"`, context: { emergency: false } }
})()
const decided = (policies: Awaited<ReturnType<typeof load>>['active']['policies']) => decide({ policies, schema: SCHEMA, request: asked, entities: CHART.entities }, authorize).verdict

test('revoking a certificate takes its permits away, and leaves its prohibitions', async () => {
  const { active } = await load(bundle)
  assert.equal(decided(active.policies), 'permitted')
  assert.equal(decided(withoutRevoked(active, new Set([patients.id]), parse).policies), 'permitted')
  assert.equal(decided(withoutRevoked(active, new Set([nurses.id]), parse).policies), 'not_permitted')
  assert.equal(withoutRevoked(active, new Set([closed.id]), parse).policies.text, active.policies.text)
})

test('the follower loads what is good, keeps it when a bad one comes, and remembers both the revision and the revocation after a restart', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'acgs-state-'))
  const second = await contentOf([nurses, closed])
  let served: { tag: string; bundle: unknown; revoked: readonly string[] } = { tag: 'a', bundle, revoked: [] }
  const start = () => {
    const point = createDecisionPoint()
    const source = {
      heads: async () => ({ applications: [{ name: 'clinic', bundleTag: served.tag, entitiesVersion: 1 }], revoked: served.revoked }),
      bundle: async () => served.bundle,
      changes: () => async () => ({ version: 1, isWhole: true, upserted: CHART.entities, deleted: [], next: null }),
    }
    return { point, follower: follow({ source, point, state: stateFolder(folder), examiner, ports: { isSignedBy, approvalOf }, intervalMs: 60_000, telemetry, now: () => NOW }) }
  }
  const first = start()
  await first.follower.look()
  assert.equal(first.point.activeOf('clinic')?.revision, 1)
  assert.equal(first.point.entitiesOf('clinic').size, CHART.entities.length)
  assert.equal(first.follower.probe().status, 'healthy')

  served = { ...served, tag: 'b', bundle: forged({ approvals: [] }) }
  await first.follower.look()
  assert.equal(first.point.activeOf('clinic')?.revision, 1)
  assert.deepEqual([first.follower.probe().status, /0 of 1/.test(first.follower.probe().detail ?? '')], ['degraded', true])

  served = { tag: 'c', bundle: await signer({ seen: { revision: 1, digest: revisionDigest(content) } })(request({ revision: 2, content: second, certificates: [nurses, closed], approvals: [approve('carla', second)] })), revoked: [nurses.id] }
  await first.follower.look()
  assert.equal(first.point.activeOf('clinic')?.revision, 2)
  assert.equal(first.point.activeOf('clinic')?.policies.rules.some(({ effect }) => effect === 'permit'), false)
  await first.follower[Symbol.asyncDispose]()

  // The platform was put back to what it was before.
  served = { tag: 'd', bundle, revoked: [] }
  const again = start()
  await again.follower.look()
  assert.equal(again.point.activeOf('clinic')?.revision, 2)
  assert.match(again.follower.probe().detail ?? '', /revision 2 has decided already/)
  assert.equal(again.point.activeOf('clinic')?.policies.rules.some(({ effect }) => effect === 'permit'), false)
  await again.follower[Symbol.asyncDispose]()

  const file = join(folder, 'revisions/clinic.json')
  writeFileSync(file, readFileSync(file, 'utf8').slice(0, -5))
  assert.throws(start, refusedWith('FILE_UNREADABLE', /restore it/))
})

test('the id of a rule names its certificate', () => assert(content.policy.includes(`@id("${nurses.id.slice(0, 8)}.`)))

test('neither a full disk nor Auth being out makes the follower forget: a revocation takes effect, a bundle is judged again', async () => {
  let isFull = true
  let isOut = true
  const kept: string[][] = []
  const point = createDecisionPoint()
  let revoked: string[] = []
  const follower = follow({
    point, examiner, intervalMs: 60_000, telemetry, now: () => NOW,
    state: {
      kept: () => [], keep: () => {}, revoked: () => [],
      keepRevoked: (ids) => {
        if (isFull) throw new Error('no space left')
        kept.push([...ids])
      },
    },
    source: {
      heads: async () => ({ applications: [{ name: 'clinic', bundleTag: 'a', entitiesVersion: 0 }], revoked }),
      bundle: async () => bundle,
      changes: () => async () => ({ version: 0, isWhole: true, upserted: [], deleted: [], next: null }),
    },
    ports: { isSignedBy, approvalOf: async (token, of) => (isOut ? Promise.reject(new Failure('AUTH_UNAVAILABLE', 'no keys')) : approvalOf(token, of)) },
  })
  await follower.look()
  assert.equal(point.activeOf('clinic'), null)
  isOut = false
  await follower.look()
  assert.equal(point.activeOf('clinic')?.revision, 1)
  revoked = ALL.map(({ id }) => id)
  await follower.look()
  assert.equal(point.activeOf('clinic')?.policies.rules.some(({ effect }) => effect === 'permit'), false)
  assert.deepEqual([follower.probe().status, kept.length], ['degraded', 0])
  isFull = false
  await follower.look()
  assert.deepEqual([follower.probe().status, kept], ['healthy', [revoked]])
  await follower[Symbol.asyncDispose]()
})

test('what is wrong with one application keeps no other from what is new', async () => {
  const point = createDecisionPoint()
  const follower = follow({
    point, examiner, intervalMs: 60_000, telemetry, now: () => NOW, ports: { isSignedBy, approvalOf },
    state: { kept: () => [], keep: () => {}, revoked: () => [], keepRevoked: () => {} },
    source: {
      heads: async () => ({ applications: ['broken', 'clinic'].map((name) => ({ name, bundleTag: 'a', entitiesVersion: 1 })), revoked: [] }),
      bundle: async () => bundle,
      changes: (name) => async () => (name === 'broken' ? Promise.reject(new Error('its entities cannot be read')) : { version: 1, isWhole: true, upserted: CHART.entities, deleted: [], next: null }),
    },
  })
  await follower.look()
  assert.equal(point.activeOf('clinic')?.revision, 1)
  assert.deepEqual(follower.probe(), { status: 'degraded', detail: 'entities and revisions may be old: broken: its entities cannot be read' })
  await follower[Symbol.asyncDispose]()
})

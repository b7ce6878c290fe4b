import assert from 'node:assert/strict'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { Config } from '#config'
import { perMinuteOf } from '#services/limits.ts'
import { testDatabase, type TestDatabase } from '#test/database.ts'
import { startProduct, type Product } from '#test/product.ts'
import { temporaryFolder } from '#test/server.ts'

const CLINIC = JSON.parse(readFileSync(new URL('../../examples/clinic.json', import.meta.url), 'utf8')) as object
const LSU = {
  id: 'LSU-000001', description: 'Charts of the clinic', domain: 'policy', constraints: [], version: 1,
  content: { text: 'Nurses may view charts of patients of their own ward. Every view of a chart must be logged.', structured_data: { domain: 'data-protection' }, embeddings: null },
}

const folder = temporaryFolder()
let product: Product
let db: TestDatabase
const tokens = new Map<string, string>()
async function ask(path: string, role: string | null, { body, method = body === undefined ? 'GET' : 'POST' }: { body?: unknown; method?: string } = {}): Promise<{ status: number; body: any }> {
  if (role !== null && !tokens.has(role)) tokens.set(role, await product.token(role))
  const response = await fetch(`${product.url.platform}${path}`, {
    method, headers: { ...(role === null ? {} : { authorization: `Bearer ${tokens.get(role)}` }), ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  return { status: response.status, body: await response.json() }
}
const validate = (changed: object = {}) => ask('/api/v1/validate-lsu', 'author', { body: { ...LSU, ...changed } })
const diagnose = (body: object, query = '') => ask(`/api/v1/diagnose${query}`, 'operator', { body })

before(async () => {
  db = await testDatabase()
  product = await startProduct({ env: { DATABASE_URL: db.url, ACGS_GENERATION_ENGINE_PROOF_TIMEOUT_MS: '120000', ACGS_SECURITY_DIAGNOSES_PER_MINUTE: '0' } })
})
after(async () => {
  await product?.[Symbol.asyncDispose]()
  await db?.[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

/** Its readers differ on whether viewing, too, needs the consent. */
const DISPUTED = {
  title: 'Own records', description: 'Customers may view their own customer record and export it if they have consented. Every export must be logged.', context: { domain: 'data-protection' },
}
/** Says of it what settles that: viewing does not. */
const SETTLING = {
  request: { principal: 'Customer::"cleo"', action: 'Action::"viewRecord"', resource: 'CustomerRecord::"r"', context: {} }, decision: 'allow',
  entities: [
    { uid: { type: 'Customer', id: 'cleo' }, attrs: { region: { __entity: { type: 'Region', id: 'EU' } }, vip: false } },
    { uid: { type: 'CustomerRecord', id: 'r' }, attrs: { archived: false, balance: 0, consent: false, customer: { __entity: { type: 'Customer', id: 'cleo' } }, purpose: { __entity: { type: 'Purpose', id: 'support' } }, region: { __entity: { type: 'Region', id: 'EU' } } } },
  ],
}

test('a generation is stored with every check that was made of it, and its author reads that', async () => {
  const { status, body: made } = await ask('/api/v1/generate-policy', 'author', { body: CLINIC })
  assert.equal(status, 200, JSON.stringify(made))
  const { status: found, body: diagnostic } = await ask(`/api/v1/diagnostics/${made.metadata.syndrome_diagnosis_id}`, 'author')
  assert.equal(found, 200, JSON.stringify(diagnostic))
  assert.deepEqual([diagnostic.kind, diagnostic.target_system, diagnostic.compliance_score], ['generation', made.generation_id, made.constitutional_compliance_score])
  const ofTable = diagnostic.executions.slice(0, made.syndrome.length)
  assert.deepEqual(ofTable.map(({ position, stabilizer, candidates, outcome, reason }: any) => ({ position, stabilizer, candidates, outcome, reason })),
    made.syndrome.map(({ stabilizer, candidates, value, because }: any, position: number) => ({ position, stabilizer, candidates, outcome: value, reason: because ?? null })))
  assert.ok(ofTable.every(({ duration_ms }: any) => typeof duration_ms === 'number' && duration_ms >= 0), 'each was clocked')
  assert.equal(ofTable.filter(({ outcome }: any) => outcome !== 0).length, made.metadata.stabilizers_executed)
  const ofArticles = diagnostic.executions.slice(made.syndrome.length)
  assert.deepEqual(ofArticles.map(({ stabilizer, outcome }: any) => [stabilizer, outcome]), made.proofs.map(({ article, answer }: any) => [article, { proved: 1, refuted: -1, unknown: 0 }[answer as 'proved']]))
  const asked = await diagnose({ target_system: made.generation_id })
  assert.deepEqual(asked, { status: 200, body: diagnostic }, 'who diagnoses it is told what is stored, and nothing is stored twice')
  const { rows } = await db.query('select lsu_id, generation_id, compliance_validated, semantic_hash, document from lsu_records where diagnostic_id = $1', [diagnostic.diagnostic_id])
  assert.deepEqual(rows, [{ lsu_id: made.metadata.lsu_id, generation_id: made.generation_id, compliance_validated: true, semantic_hash: made.semantic_hash, document: null }])
})

test('a refused generation has a diagnostic too, which says what refused it', async () => {
  const { status, body } = await ask('/api/v1/generate-policy', 'author', { body: { title: 'Exports', description: 'Employees may export customer records.', context: { domain: 'data-protection' } } })
  assert.equal(status, 422)
  const { body: diagnostic } = await ask(`/api/v1/diagnostics/${body.syndrome_diagnosis_id}`, 'author')
  assert.equal(diagnostic.status, 'unhealthy')
  const refused = body.violations.map(({ article }: any) => article)
  assert.ok(refused.length > 0)
  assert.deepEqual(diagnostic.findings.filter(({ severity }: any) => severity === 'critical').map(({ about }: any) => about), refused)
  assert.deepEqual(diagnostic.recommendations, [...new Set(diagnostic.findings.map(({ remedy }: any) => remedy.action))])
})

test('corrections are found again, as often as they are counted', async () => {
  const open = await ask('/api/v1/generate-policy', 'author', { body: DISPUTED })
  assert.equal(open.body.diagnosis?.kind, 'ambiguous', JSON.stringify(open.body))
  const settled = await ask('/api/v1/generate-policy', 'author', { body: { ...DISPUTED, context: { domain: 'data-protection', examples: [SETTLING] } } })
  assert.equal(settled.body.diagnosis?.kind, 'explained', JSON.stringify(settled.body))
  const list = async (correction: string) => (await ask(`/api/v1/diagnostics?correction=${correction}&kind=generation`, 'operator')).body.diagnostics as { faults_detected: number; faults_corrected: number; target_system: string }[]
  const [detected, corrected, unsettled] = [await list('detected'), await list('corrected'), await list('unsettled')]
  assert.deepEqual(corrected.map(({ target_system }) => target_system), [settled.body.generation_id])
  assert.equal(detected.length, corrected.length + unsettled.length)
  const sum = (rows: typeof detected, of: 'faults_detected' | 'faults_corrected') => rows.reduce((all, row) => all + row[of], 0)
  const count = await counted()
  assert.equal(sum(corrected, 'faults_corrected'), count('error_correction_events_total{error_type="corrected",corrected="true"}'))
  assert.equal(sum(detected, 'faults_detected'), count('error_correction_events_total{error_type="detected",corrected="true"}') + count('error_correction_events_total{error_type="detected",corrected="false"}'))
})

test('a generation of a release that stored no diagnostics is diagnosed from its evidence, once', async () => {
  const { body: made } = await ask('/api/v1/generate-policy', 'author', { body: CLINIC })
  const id = made.metadata.syndrome_diagnosis_id
  const { body: before } = await ask(`/api/v1/diagnostics/${id}`, 'author')
  await db.query('delete from stabilizer_executions where diagnostic = (select id from system_diagnostics where diagnostic_id = $1)', [id])
  await db.query('delete from system_diagnostics where diagnostic_id = $1', [id])
  const { status, body: after } = await ask(`/api/v1/diagnostics/${id}`, 'author')
  assert.equal(status, 200, JSON.stringify(after))
  assert.deepEqual({ ...after, not_measured: [] }, { ...before, executions: [] })
  assert.deepEqual(after.not_measured.map(({ what }: any) => what), ['executions'])
  assert.deepEqual((await diagnose({ target_system: made.generation_id })).body, after)
  assert.equal((await db.query('select from system_diagnostics where target_system = $1', [made.generation_id])).rowCount, 1)
})

test('who asks again under a key is told the same diagnostic, and it is not in what is kept for that: the release before knows it as null', async () => {
  const again = async () => {
    const response = await fetch(`${product.url.platform}/api/v1/generate-policy`, { method: 'POST', headers: { authorization: `Bearer ${tokens.get('author')}`, 'content-type': 'application/json', 'idempotency-key': 'diagnosed' }, body: JSON.stringify(CLINIC) })
    return (await response.json()) as any
  }
  const [first, second] = [await again(), await again()]
  assert.deepEqual(second, first)
  assert.match(first.metadata.syndrome_diagnosis_id, /^diag_/)
  const { rows } = await db.query<{ outcome: string }>('select outcome from generation_requests where generation_id = $1', [first.generation_id])
  assert.equal(JSON.parse(rows[0]!.outcome).reply.metadata.syndrome_diagnosis_id, null)
})

test('stabilizers are those that generations are measured by', async () => {
  const some = await ask('/api/v1/stabilizers?candidates=3', 'service')
  assert.deepEqual([some.status, some.body.problems], [400, [{ place: 'query.candidates', message: 'is not a member that is known here' }]])
  const { status, body } = await ask('/api/v1/stabilizers', 'service')
  assert.equal(status, 200)
  assert.deepEqual(body.stabilizers.map(({ id }: any) => id), ['STAB-CONST001', 'STAB-SEMAN001', 'STAB-PERF0001'])
  assert.deepEqual([body.total_count, body.enabled_count], [3, 3])
  const { body: made } = await ask('/api/v1/generate-policy', 'author', { body: CLINIC })
  const { body: diagnostic } = await ask(`/api/v1/diagnostics/${made.metadata.syndrome_diagnosis_id}`, 'author')
  for (const { stabilizer, group } of diagnostic.executions) {
    assert.ok(body.stabilizers.find(({ id }: any) => id === group).checks.some(({ id }: any) => id === stabilizer), `${stabilizer} is not shown under ${group}`)
  }
})

test('an LSU is read, measured and proved, and is kept with what was found', async () => {
  const { status, body } = await validate()
  assert.equal(status, 200, JSON.stringify(body))
  assert.deepEqual([body.lsu_id, body.validation_status, body.critical_errors, body.auto_executable_recommendations], ['LSU-000001', 'healthy', 0, 0])
  assert.ok(body.stabilizers_executed > 0 && body.compliance_score >= 0.8)
  const { body: kept } = await ask(`/api/v1/diagnostics/${body.diagnostic_id}`, 'author')
  assert.equal(kept.executions.filter(({ outcome }: any) => outcome !== 0).length, body.stabilizers_executed)
  assert.deepEqual(kept.findings, body.findings)
  const { body: again } = await validate({ semantic_hash: body.semantic_hash, constitutional_hash: body.constitutional_hash, compliance_validated: true })
  assert.deepEqual([again.errors_detected, again.validation_status], [body.errors_detected, 'healthy'], 'what it claims is so')
})

test('what is wrong with the content of an LSU is found, and told with what would settle it', async () => {
  const { text, structured_data } = LSU.content
  const cases: readonly [what: string, changed: object, about: string, category: string][] = [
    ['no text', { content: {} }, 'content.text', 'reading'],
    ['a blank text', { content: { text: ' \n' } }, 'content.text', 'reading'],
    ['a text of no domain', { content: { text: 'The moon is made of cheese.' } }, 'content.structured_data.domain', 'reading'],
    ['a text that rules nothing', { content: { text: 'Charts are stored in the cellar.', structured_data } }, 'empty', 'reading'],
    ['a sentence that nobody reads', { content: { text: `${text} Frobnicators must defenestrate charts.`, structured_data } }, 'unread', 'reading'],
    ['two meanings', { content: { text: DISPUTED.description, structured_data } }, 'ambiguous', 'meaning'],
    ['an example against the text', { content: { text, structured_data: { ...structured_data, examples: [SETTLING] } } }, 'diagnosis', 'meaning'],
    ['an article that is broken', { content: { text: 'Employees may export customer records.', structured_data } }, 'privacy.consent', 'constitution'],
    ['another constitution', { constitutional_hash: '0123456789abcdef' }, 'constitutional_hash', 'claim'],
    ['a validation that is claimed', { compliance_validated: true, content: { text: 'Employees may export customer records.', structured_data } }, 'compliance_validated', 'claim'],
  ]
  for (const [what, changed, about, category] of cases) {
    const { status, body } = await validate(changed)
    assert.equal(status, 200, `${what}: ${JSON.stringify(body)}`)
    assert.equal(body.validation_status, 'unhealthy', what)
    const finding = body.findings.find((each: any) => each.about === about)
    assert.ok(finding !== undefined, `${what}: ${JSON.stringify(body.findings)}`)
    assert.deepEqual([finding.category, finding.severity], [category, 'critical'], what)
    assert.ok(body.recommendations.includes(finding.remedy.action), what)
    if (category === 'reading' && about.startsWith('content')) assert.deepEqual([body.stabilizers_executed, body.health_score, body.semantic_hash], [0, null, null], `${what}: what was not run is no pass`)
  }
  const { body: otherwise } = await validate({ semantic_hash: '0123456789abcdef' })
  assert.deepEqual([otherwise.validation_status, otherwise.findings.find(({ about }: any) => about === 'semantic_hash').severity], ['healthy', 'error'], 'another hash does not say that the meaning is another')
  const { body: unasked } = await validate({ constraints: [{ type: 'temporal', value: 'P30D' }], content: { ...LSU.content, embeddings: [0.1] } })
  assert.deepEqual(unasked.not_measured.map(({ what }: any) => what), ['constraints', 'content.embeddings'])
})

test('an LSU that does not have the published shape: every member that is wrong is named', async () => {
  const { text, structured_data } = LSU.content
  const content = (changed: object) => ({ content: { ...LSU.content, ...changed } })
  const constraint = (changed: object) => ({ constraints: [{ type: 'temporal', value: 1, ...changed }] })
  const cases: readonly [changed: object, place: string][] = [
    [{ id: undefined }, 'body.id'], [{ id: 'LSU-1' }, 'body.id'], [{ id: 'LSU-0000001' }, 'body.id'], [{ id: 'lsu-000001' }, 'body.id'], [{ id: 1 }, 'body.id'], [{ id: 'LSU-00000\u0661' }, 'body.id'],
    [{ description: undefined }, 'body.description'], [{ description: 'too short' }, 'body.description'], [{ description: ' '.repeat(20) }, 'body.description'], [{ description: 'x'.repeat(501) }, 'body.description'],
    [{ domain: undefined }, 'body.domain'], [{ domain: 'Policy' }, 'body.domain'], [{ domain: 'finance' }, 'body.domain'],
    [{ constraints: {} }, 'body.constraints'], [constraint({ type: 'spatial' }), 'body.constraints[0].type'], [constraint({ type: undefined }), 'body.constraints[0].type'],
    [constraint({ value: undefined }), 'body.constraints[0].value'], [constraint({ description: 3 }), 'body.constraints[0].description'], [constraint({ metadata: [] }), 'body.constraints[0].metadata'],
    [constraint({ weight: 1 }), 'body.constraints[0].weight'], [{ constraints: Array.from({ length: 101 }, () => ({ type: 'logical', value: 1 })) }, 'body.constraints'],
    [{ content: undefined }, 'body.content'], [{ content: text }, 'body.content'], [content({ text: 3 }), 'body.content.text'], [content({ text: 'x'.repeat(100_001) }), 'body.content.text'], [content({ title: 'x' }), 'body.content.title'],
    [content({ structured_data: [] }), 'body.content.structured_data'], [content({ structured_data: { ...structured_data, domain: 'moon' } }), 'body.content.structured_data.domain'],
    [content({ structured_data: { schema: 'entity' } }), 'body.content.structured_data.schema'], [content({ structured_data: { ...structured_data, explanations: [99] } }), 'body.content.structured_data.explanations'],
    [content({ structured_data: { ...structured_data, examples: [{ ...SETTLING, entities: [{ uid: { type: 'Moon', id: 'm' } }] }] } }), 'body.content.structured_data.examples'],
    [content({ structured_data: { ...structured_data, examples: [{ decision: 'maybe' }] } }), 'body.content.structured_data.examples[0].decision'], [content({ embeddings: ['x'] }), 'body.content.embeddings[0]'], [content({ embeddings: 'x' }), 'body.content.embeddings'],
    [{ semantic_hash: 'ABCDEF0123456789' }, 'body.semantic_hash'], [{ semantic_hash: 'abc' }, 'body.semantic_hash'], [{ constitutional_hash: 'zz' }, 'body.constitutional_hash'],
    [{ version: 0 }, 'body.version'], [{ version: 1.5 }, 'body.version'], [{ version: '1' }, 'body.version'], [{ version: 2 ** 31 }, 'body.version'], [{ compliance_validated: 'yes' }, 'body.compliance_validated'], [{ owner: 'x' }, 'body.owner'],
  ]
  for (const [changed, place] of cases) {
    const { status, body } = await validate(changed)
    assert.equal(status, 400, `${JSON.stringify(changed).slice(0, 200)}: ${JSON.stringify(body).slice(0, 300)}`)
    assert.ok((body.problems ?? []).some((problem: any) => problem.place.startsWith(place)), `${JSON.stringify(changed).slice(0, 200)} names ${place}: ${JSON.stringify(body.problems)}`)
  }
  const contradicting = await validate(content({ structured_data: { ...structured_data, examples: [SETTLING, { ...SETTLING, decision: 'deny' }] } }))
  assert.deepEqual([contradicting.status, contradicting.body.code], [422, 'EXAMPLES_CONTRADICT'])
  assert.ok(contradicting.body.problems.every(({ place }: any) => place.startsWith('body.content.structured_data.examples')), JSON.stringify(contradicting.body.problems))
  const { body: both } = await validate({ id: 'x', version: 0 })
  assert.deepEqual(both.problems.map(({ place }: any) => place), ['body.id', 'body.version'])
  for (const body of ['', '[]', 'null', '{', '"LSU-000001"']) assert.equal((await ask('/api/v1/validate-lsu', 'author', { body })).status, 400, body)
  for (const strange of ['a\u0000b', 'a\ud800b']) {
    const { status, body } = await validate(content({ text: `Nurses may view charts ${strange}.` }))
    assert.equal(status, 400, JSON.stringify(body).slice(0, 300))
  }
})

test('the system is diagnosed: asked in the query, in the body, in both, in neither', async () => {
  const { status, body } = await ask('/api/v1/diagnose?target_system=system&diagnostic_depth=comprehensive', 'operator', { method: 'POST' })
  assert.equal(status, 200, JSON.stringify(body))
  const { body: health } = await ask('/health', null)
  assert.deepEqual(Object.keys(body.measured.components), Object.keys(health.components))
  assert.equal(body.health_score, Object.values(body.measured.components).filter(({ status }: any) => status === 'healthy').length / Object.keys(health.components).length)
  assert.equal(body.measured.solver_pool.threads >= 1, true)
  assert.ok(body.measured.database.bytes > 0 && body.measured.database.connections > 0)
  assert.ok(body.measured.stabilizers_last_day.some(({ stabilizer, held }: any) => stabilizer === 'well-typed' && held > 0))
  assert.ok(body.measured.generations_last_hour.certified >= 1)
  assert.ok(body.not_measured.some(({ what }: any) => what === 'cache.redis') && body.not_measured.some(({ what }: any) => what === 'slo.availability'))
  assert.deepEqual((await ask(`/api/v1/diagnostics/${body.diagnostic_id}`, 'operator')).body, body, 'it is kept as it was told')
  assert.equal((await ask(`/api/v1/diagnostics/${body.diagnostic_id}`, 'author')).status, 404, 'it is not the author’s')

  assert.equal((await ask('/api/v1/diagnose', 'operator', { method: 'POST' })).body.target_system, 'system')
  const one = await diagnose({ target_system: 'solver' })
  assert.deepEqual([one.body.kind, Object.keys(one.body.measured.components), one.body.status], ['component', ['solver'], 'healthy'])
  assert.equal((await diagnose({ target_system: 'solver' }, '?target_system=solver')).status, 200)
  const basic = await diagnose({ diagnostic_depth: 'basic' })
  assert.equal(basic.body.measured.queue, null)
  assert.ok(basic.body.not_measured.some(({ what }: any) => what === 'queue'))
})

test('who asks for recommendations gets those that findings ask for, and who does not gets none', async () => {
  const { body: refused } = await ask('/api/v1/generate-policy', 'author', { body: { title: 'Exports', description: 'Employees may export customer records.', context: { domain: 'data-protection' } } })
  const { body: told } = await diagnose({ target_system: refused.generation_id, include_recommendations: true })
  const { body: silent } = await diagnose({ target_system: refused.generation_id }, '?include_recommendations=false')
  assert.ok(told.recommendations.length > 0 && told.findings.every(({ remedy }: any) => remedy.auto_executable === false))
  assert.deepEqual([silent.recommendations, silent.findings.length, silent.findings.every(({ remedy }: any) => remedy === null)], [[], told.findings.length, true])
  assert.equal(told.auto_executable_recommendations, 0)
})

test('what cannot be diagnosed, and bad input, are answered as such', async () => {
  const ending = async (body: object, query = '') => {
    const answer = await diagnose(body, query)
    return `${answer.status} ${answer.body.code}`
  }
  const { body: unknown } = await diagnose({ target_system: 'teapot' })
  assert.ok(unknown.known.includes('solver') && unknown.known.includes('system') && /`solver`/.test(unknown.detail))
  for (const target_system of ['teapot', 'gen_00000000-0000-4000-8000-000000000000', 'gen_', '__proto__', 'constructor']) assert.equal(await ending({ target_system }), '404 NOT_FOUND', target_system)
  for (const body of [{ target_system: '' }, { target_system: 3 }, { diagnostic_depth: 'deep' }, { include_recommendations: 'yes' }, { of: 1 }, { target_system: 'a\u0000' }, { target_system: 'x'.repeat(201) }]) {
    assert.equal(await ending(body), '400 REQUEST_MALFORMED', JSON.stringify(body))
  }
  for (const query of ['?target_system=', '?diagnostic_depth=deep', '?include_recommendations=1', '?of=1', '?target_system=%00', '?target_system=a&target_system=b']) assert.equal(await ending({}, query), '400 REQUEST_MALFORMED', query)
  const { body: both } = await diagnose({ target_system: 'solver' }, '?target_system=cedar')
  assert.deepEqual([both.code, both.problems[0].place], ['REQUEST_MALFORMED', 'query.target_system'])
  for (const id of ['nobody', 'diag_', 'diag_00000000-0000-4000-8000-000000000000', '%2e']) assert.equal((await ask(`/api/v1/diagnostics/${id}`, 'operator')).status, 404, id)
  for (const query of ['limit=0', 'limit=201', 'limit=x', 'kind=x', 'status=x', 'correction=x', 'cursor=x', 'from=x', 'from=0000-01-01', 'of=x', `cursor=${'a'.repeat(401)}`]) {
    assert.equal((await ask(`/api/v1/diagnostics?${query}`, 'operator')).status, 400, query)
  }
})

test('the list is paged, each once, and an author sees only what is their own', async () => {
  const all: any[] = []
  for (let cursor: string | null = null; ;) {
    const { body } = await ask(`/api/v1/diagnostics?limit=3${cursor === null ? '' : `&cursor=${cursor}`}`, 'operator')
    all.push(...body.diagnostics)
    cursor = body.next_cursor
    if (cursor === null) break
    assert.equal(body.diagnostics.length, 3)
  }
  assert.equal(new Set(all.map(({ diagnostic_id }) => diagnostic_id)).size, all.length)
  assert.deepEqual(all.map(({ timestamp }) => timestamp), all.map(({ timestamp }) => timestamp).toSorted().toReversed())
  const own = (await ask('/api/v1/diagnostics?limit=200', 'author')).body.diagnostics
  assert.deepEqual([...new Set(own.map(({ kind }: any) => kind))].toSorted(), ['generation', 'lsu'])
  assert.ok(all.some(({ kind }) => kind === 'system'))
  const systems = (await ask('/api/v1/diagnostics?kind=component&target_system=solver&status=healthy', 'operator')).body.diagnostics
  assert.ok(systems.length >= 1 && systems.every(({ target_system }: any) => target_system === 'solver'))
})

test('diagnoses are counted, with what they found', async () => {
  const before = await counted()
  await validate({ content: {} })
  await diagnose({ target_system: 'teapot' })
  await diagnose({ target_system: 'solver' })
  const after = await counted()
  const moved = (series: string) => after(series) - before(series)
  assert.equal(moved('diagnostic_requests_total{target_system="lsu",status="success"}'), 1)
  assert.equal(moved('diagnostic_requests_total{target_system="component",status="success"}'), 1)
  assert.equal(moved('diagnostic_requests_total{target_system="generation",status="error"}'), 1)
  assert.equal(moved('diagnostic_duration_seconds_count{target_system="lsu"}'), 1)
  assert.equal(moved('errors_detected_total{severity="critical",category="reading"}'), 1)
  assert.equal(moved('recovery_recommendations_total{strategy="restate",auto_executable="false"}'), 1)
  assert.equal(after('recovery_recommendations_total{strategy="restate",auto_executable="true"}'), 0)
})

test('on the command line: a diagnosis, what was diagnosed, one of it, a document', async () => {
  const well = await product.acgs('ops', 'diagnose', 'solver')
  assert.equal(well.status, 0, well.stderr)
  assert.match(well.stdout, /^solver \(component\) is healthy: 0 findings, health 1\.00\nkept as diag_/)
  const { body: refused } = await ask('/api/v1/generate-policy', 'author', { body: { title: 'Exports', description: 'Employees may export customer records.', context: { domain: 'data-protection' } } })
  const ill = await product.acgs('ops', 'diagnose', refused.generation_id)
  assert.equal(ill.status, 3, ill.stderr)
  assert.match(ill.stdout, /is unhealthy: .*\ncritical: .*\n  → /)
  const none = await product.acgs('ops', 'diagnose', 'teapot')
  assert.equal(none.status, 2)
  assert.match(none.stderr, /there is no `teapot` to be diagnosed: .*`solver`/)
  const list = await product.acgs('ops', 'diagnostics', '--correction', 'corrected')
  assert.equal(list.status, 0, list.stderr)
  assert.match(list.stdout, /, 1 of 1 fault corrected$/m)
  const one = await product.acgs('ops', 'diagnostics', refused.syndrome_diagnosis_id, '--json')
  assert.deepEqual(JSON.parse(one.stdout), (await ask(`/api/v1/diagnostics/${refused.syndrome_diagnosis_id}`, 'operator')).body)
  const file = join(folder, 'unit.json')
  writeFileSync(file, JSON.stringify(LSU))
  const valid = await product.acgs('lsu', 'validate', file)
  assert.equal(valid.status, 0, valid.stderr)
  assert.match(valid.stdout, /^LSU-000001 is healthy, nothing critical was found: \d+ checks, score 0\.\d\d, semantic hash [0-9a-f]{16}\n/)
  writeFileSync(file, JSON.stringify({ ...LSU, content: {} }))
  assert.equal((await product.acgs('lsu', 'validate', file)).status, 3)
  writeFileSync(file, JSON.stringify({ ...LSU, version: 0 }))
  const bad = await product.acgs('lsu', 'validate', file)
  assert.equal(bad.status, 2)
  assert.match(bad.stderr, /version: /)
})

test('diagnoses and documents count as one limit, for each subject by itself; production has five a minute', async () => {
  assert.equal(perMinuteOf({ service: { environment: 'production' }, security: { diagnosesPerMinute: null } } as Config).diagnosis, 5)
  await using limited = await startProduct({ env: { DATABASE_URL: db.url, ACGS_SECURITY_DIAGNOSES_PER_MINUTE: '2', LOG_LEVEL: 'silent' } })
  const [operator, author] = [await limited.token('operator'), await limited.token('author')]
  const asking = async (path: string, token: string, body: object) => {
    const response = await fetch(`${limited.url.platform}${path}`, { method: 'POST', headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, body: JSON.stringify(body) })
    return { status: response.status, retryAfter: response.headers.get('retry-after'), body: (await response.json()) as any }
  }
  assert.equal((await asking('/api/v1/diagnose', operator, {})).status, 200)
  assert.equal((await asking('/api/v1/validate-lsu', operator, LSU)).status, 200)
  const refused = await asking('/api/v1/diagnose', operator, {})
  assert.deepEqual([refused.status, refused.body.code, refused.body.limit], [429, 'RATE_LIMITED', 'diagnosis'])
  assert.ok(Number(refused.retryAfter) > 0)
  assert.equal((await asking('/api/v1/validate-lsu', author, LSU)).status, 200)
})

async function counted(): Promise<(series: string) => number> {
  const text = await (await fetch(`${product.url.platform}/metrics`)).text()
  return (series) => {
    const line = text.split('\n').find((each) => each.startsWith(`acgs_pgp_v8_${series} `))
    assert.ok(line !== undefined, `there is no series ${series}`)
    return Number(line.slice(line.lastIndexOf(' ') + 1))
  }
}

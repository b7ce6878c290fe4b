import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after, before } from 'node:test'
import { ROLES, type Role } from '#http/contract.ts'
import { authorize, parsePolicies, parseSchema } from '#adapters/cedar/cedar.ts'
import { runAcgs, startProduct, type Product } from '#test/product.ts'

/** The whole product as its user starts it, once for this file. */
let product: Product
const tokens = new Map<string, string>()
const scratch = mkdtempSync(join(tmpdir(), 'acgs-scratch-'))

before(async () => {
  product = await startProduct({ keep: true })
  for (const role of ROLES) tokens.set(role, await product.token(role))
})
after(async () => {
  await product[Symbol.asyncDispose]()
  rmSync(product.dataFolder, { recursive: true, force: true })
  rmSync(scratch, { recursive: true, force: true })
})

type Reply = { status: number; headers: Headers; body: any }

async function ask(url: string, { role = 'author', method = 'GET', body, headers = {} }: { role?: string | null; method?: string; body?: unknown; headers?: { [name: string]: string } } = {}): Promise<Reply> {
  const response = await fetch(url, {
    method,
    headers: {
      ...(role === null ? {} : { authorization: `Bearer ${tokens.get(role) ?? role}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, headers: response.headers, body: text.startsWith('{') ? JSON.parse(text) : text }
}

const generate = (body: unknown, more: Parameters<typeof ask>[1] = {}) => ask(`${product.url.platform}/api/v1/generate-policy`, { method: 'POST', body, ...more })
const example = (name: string) => JSON.parse(readFileSync(new URL(`../../examples/${name}`, import.meta.url), 'utf8'))
const stored = async () => (await ask(`${product.url.platform}/api/v1/generations?limit=200`, { role: 'operator' })).body.generations.length as number

function file(name: string, content: string): string {
  const path = join(scratch, name)
  writeFileSync(path, content)
  return path
}

/** What the decision point says about one request, through the command line. */
async function decideByCommand(cedar: string, schema: string, request: unknown, entities?: unknown) {
  const { status, stdout, stderr } = await runAcgs([
    'decide', '--json', '--policies', file('p.cedar', cedar), '--schema', file('s.cedarschema', schema), '--request', file('r.json', JSON.stringify(request)),
    ...(entities === undefined ? [] : ['--entities', file('e.json', JSON.stringify(entities))]),
  ])
  assert.ok(status === 0 || status === 3, stderr)
  return JSON.parse(stdout)
}

test('four ports answer, each with its constitution and the headers of every reply', async () => {
  for (const url of Object.values(product.url)) {
    const { status, headers, body } = await ask(`${url}/health`, { role: null })
    assert.equal(status, 200)
    assert.equal(body.status, 'healthy', JSON.stringify(body))
    assert.equal(body.constitutional_hash, 'cdd01ef066bc6cf2')
    assert.equal(headers.get('x-constitutional-hash'), 'cdd01ef066bc6cf2')
    assert.match(headers.get('x-constitutional-digest') ?? '', /^[0-9a-f]{64}$/)
    for (const name of ['x-content-type-options', 'x-frame-options', 'content-security-policy', 'referrer-policy', 'x-xss-protection']) assert.ok(headers.get(name), name)
    assert.equal(headers.get('strict-transport-security'), null, 'only over TLS')
  }
})

test('the start-up says what runs where, what it tested, how to get a token and what to try', () => {
  const printed = product.printed()
  for (const part of [String(product.pid), 'division by trust is off', 'self-test', './acgs token --role author', 'curl', 'cdd01ef066bc6cf2']) assert.ok(printed.includes(part), `${part}\n${printed}`)
})

test('the clinic’s request is certified, and the certificate verifies; one changed byte and it does not', async () => {
  const { status, body } = await generate(example('clinic.json'))
  assert.equal(status, 200, JSON.stringify(body))
  assert.ok(body.norms.length >= 4)
  assert.deepEqual(body.unread, [])
  assert.equal(body.independent_witnesses, 2)
  assert.ok(body.confidence_score > 0.9 && body.confidence_score < 1 && /sentences of known meaning/.test(body.confidence.calibrated_on) && body.confidence.reason === null)
  assert.equal(body.vote, null)
  assert.ok(body.proofs.every(({ answer }: { answer: string }) => answer === 'proved'))
  const certificate = file('certificate.json', JSON.stringify(body.certificate))
  const yes = await product.acgs('verify', certificate)
  assert.equal(yes.status, 0, yes.stdout + yes.stderr)
  const flipped = readFileSync(certificate)
  flipped[Math.floor(flipped.length / 2)] = (flipped[Math.floor(flipped.length / 2)] as number) ^ 1
  const no = await product.acgs('verify', file('flipped.json', flipped.toString('latin1')))
  assert.equal(no.status, 3, no.stdout + no.stderr)
})

test('another sentence gives another policy; a negated one the opposite decision and another hash', async () => {
  const schema = 'entity User { id: String }; entity Doc { secret: Bool }; action read, edit appliesTo { principal: User, resource: Doc };'
  const request = { principal: 'User::"u"', action: 'Action::"read"', resource: 'Doc::"d"', context: {} }
  const entities = [{ uid: { type: 'User', id: 'u' }, attrs: { id: 'u' }, parents: [] }, { uid: { type: 'Doc', id: 'd' }, attrs: { secret: false }, parents: [] }]
  const about = (sentence: string) => generate({ title: 'Documents', description: `${sentence} Users may edit docs.`, context: { schema } })
  const [may, mustNot, secret] = [await about('Users may read docs.'), await about('Users must not read docs.'), await about('Users may read secret docs.')]
  for (const { status, body } of [may, mustNot, secret]) assert.equal(status, 200, JSON.stringify(body))
  assert.equal((await decideByCommand(may.body.cedar, schema, request, entities)).decision, 'allow')
  assert.equal((await decideByCommand(mustNot.body.cedar, schema, request, entities)).verdict, 'forbidden')
  assert.equal((await decideByCommand(secret.body.cedar, schema, request, entities)).verdict, 'not_permitted')
  assert.equal(new Set([may, mustNot, secret].map(({ body }) => body.semantic_hash)).size, 3)
})

test('a request that would break the constitution is refused with the request that breaks it, which the policy really permits', async () => {
  const { status, headers, body } = await generate(example('export-everything.json'))
  assert.equal(status, 422)
  assert.match(headers.get('content-type') ?? '', /application\/problem\+json/)
  assert.equal(body.code, 'POLICY_REFUSED')
  const violation = body.violations.find(({ article }: { article: string }) => article === 'privacy.consent')
  assert.ok(violation, JSON.stringify(body.violations))
  const { decision, verdict } = await decideByCommand(body.cedar, body.schema, violation.counterexample)
  assert.deepEqual([decision, verdict], ['allow', 'permitted'])
  const schema = parseSchema(body.schema)
  const { entities, ...request } = violation.counterexample
  assert.equal(authorize({ policies: parsePolicies(body.cedar, schema), schema, request, entities }).decision, 'allow')
})

test('a schema of one’s own, without annotations, is read, and the reply says how few articles apply', async () => {
  const { status, body } = await generate(example('library.json'))
  assert.equal(status, 200, JSON.stringify(body))
  assert.ok(body.applicable.articles < body.applicable.of)
  assert.ok(body.applicable.missing.length > 0)
  assert.ok(body.cedar.includes('Book'))
})

test('a sentence that nobody can read leaves it undetermined until it is reworded or marked as explanation', async () => {
  const schema = 'entity User; entity Doc; action read appliesTo { principal: User, resource: Doc };'
  const request = { title: 'Documents', description: 'Users may read docs. Frobnicators must not read docs on gloomy days.', context: { schema } }
  const { status, body } = await generate(request)
  assert.equal(status, 422)
  assert.equal(body.code, 'POLICY_UNDETERMINED')
  assert.deepEqual(body.unread.map(({ sentence }: { sentence: number }) => sentence), [2])
  const marked = await generate({ ...request, context: { schema, explanations: [2] } })
  assert.equal(marked.status, 200, JSON.stringify(marked.body))
})

test('an example that the text contradicts leaves it undetermined', async () => {
  const schema = 'entity User; entity Doc; action read appliesTo { principal: User, resource: Doc };'
  const example = { request: { principal: 'User::"u"', action: 'Action::"read"', resource: 'Doc::"d"', context: {} }, entities: [{ uid: { type: 'User', id: 'u' } }, { uid: { type: 'Doc', id: 'd' } }], decision: 'deny' }
  const { status, body } = await generate({ title: 'Documents', description: 'Users may read docs, all of them.', context: { schema, examples: [example] } })
  assert.equal(status, 422, JSON.stringify(body))
})

const GOOD = { title: 'A policy', description: 'Agents may read files unless the file is confidential.', context: { domain: 'ai-agents' } }
const BAD: readonly [string, unknown, number, string, RegExp][] = [
  ['malformed JSON', '{"title": "A policy",', 400, 'REQUEST_MALFORMED', /line 1/],
  ['an empty body', '', 400, 'REQUEST_MALFORMED', /empty/],
  ['an integer beyond 2^53', '{"title":"A policy","description":"Agents may read files of theirs.","context":{"n":9007199254740993}}', 400, 'REQUEST_MALFORMED', /context\.n/],
  ['a wrong type', { ...GOOD, title: 7 }, 400, 'REQUEST_MALFORMED', /title/],
  ['a short title', { ...GOOD, title: '  ab  ' }, 400, 'REQUEST_MALFORMED', /title/],
  ['a long description', { ...GOOD, description: 'x'.repeat(100_001) }, 400, 'REQUEST_MALFORMED', /description/],
  ['an unknown member', { ...GOOD, descripton: 'x' }, 400, 'REQUEST_MALFORMED', /descripton/],
  ['an unknown principle', { ...GOOD, constitutional_principles: ['happiness'] }, 400, 'PRINCIPLE_UNKNOWN', /privacy/],
  ['an unknown domain', { ...GOOD, context: { domain: 'astrology' } }, 400, 'DOMAIN_UNKNOWN', /ai-agents/],
  ['an unparsable schema', { ...GOOD, context: { schema: 'entity User {' } }, 400, 'SCHEMA_INVALID', /line 1/],
  ['an ill-typed schema', { ...GOOD, context: { schema: 'entity User { boss: Nobody }; action a appliesTo { principal: User, resource: User };' } }, 400, 'SCHEMA_INVALID', /Nobody/],
  ['a schema without request environment', { ...GOOD, context: { schema: 'entity User;' } }, 400, 'SCHEMA_INVALID', /appliesTo/],
  ['an explanation that is no sentence', { ...GOOD, context: { domain: 'ai-agents', explanations: [9] } }, 400, 'REQUEST_MALFORMED', /sentence 9/],
  ['an oversized body', { ...GOOD, stakeholders: Array.from({ length: 100 }, () => 'x'.repeat(20_000)) }, 413, 'REQUEST_TOO_LARGE', /./],
]

for (const [what, body, status, code, place] of BAD) {
  test(`${what}: a problem document that names place and remedy, and no row`, async () => {
    const before = await stored()
    const reply = await generate(body)
    assert.equal(reply.status, status, JSON.stringify(reply.body))
    assert.match(reply.headers.get('content-type') ?? '', /application\/problem\+json/)
    assert.equal(reply.body.code, code)
    assert.match(JSON.stringify([reply.body.detail, reply.body.problems]), place)
    assert.ok(reply.body.trace_id)
    assert.equal(await stored(), before)
  })
}

test('a missing and a wrong token, a role that does not suffice, another constitution, another media type', async () => {
  const missing = await generate(GOOD, { role: null })
  assert.deepEqual([missing.status, missing.body.code], [401, 'UNAUTHENTICATED'])
  assert.ok(missing.headers.get('www-authenticate'))
  assert.equal((await generate(GOOD, { role: 'not.a.token' })).status, 401)
  assert.equal((await generate(GOOD, { role: 'service' })).status, 403)
  const mismatch = await generate(GOOD, { headers: { 'x-constitutional-hash': '0000000000000000' } })
  assert.equal(mismatch.status, 400)
  assert.deepEqual([mismatch.body.expected_hash, mismatch.body.provided_hash], ['cdd01ef066bc6cf2', '0000000000000000'])
  assert.equal((await generate('x', { headers: { 'content-type': 'text/plain' } })).status, 415)
})

/**
 * Contract 2.3 in a table of the test's own, beside the one in the code. Tokens here are those of users: what is only between our
 * processes admits none of them.
 */
const MAY: { readonly [operation: string]: readonly Role[] | 'public' } = {
  'POST /api/v1/generate-policy': ['author'],
  'GET /api/v1/generations': ['author', 'operator'],
  'GET /api/v1/generations/{id}': ['author', 'operator'],
  'GET /api/v1/generations/{id}/events': ['author', 'operator'],
  'GET /api/v1/status': 'public',
  'GET /api/v1/metrics/summary': 'public',
  'PUT /api/v1/applications/{app}': ['author'],
  'GET /api/v1/applications/{app}': ['author', 'council', 'operator', 'service'],
  'GET /api/v1/applications': ['author', 'council', 'operator', 'service'],
  'PUT /api/v1/applications/{app}/entities': ['author'],
  'POST /api/v1/applications/{app}/entities': ['author'],
  'GET /api/v1/applications/{app}/entities': ['operator'],
  'DELETE /api/v1/applications/{app}/entities/{type}/{id}': ['author'],
  'POST /api/v1/applications/{app}/revisions': ['author', 'council'],
  'GET /api/v1/applications/{app}/revisions': ['author', 'council', 'operator'],
  'GET /api/v1/applications/{app}/revisions/{n}': ['author', 'council', 'operator'],
  'POST /api/v1/applications/{app}/revisions/{n}/approvals': ['council'],
  'POST /api/v1/applications/{app}/revisions/{n}/activate': ['council'],
  'POST /api/v1/certificates/{id}/revoke': ['council', 'operator'],
  'GET /api/v1/certificates/{id}/status': 'public',
  'GET /api/v1/applications/{app}/bundle': ['operator'],
  'GET /api/v1/decision-point/heads': ['operator'],
  'POST /api/v1/decision-point/notices': [],
  'GET /api/v1/decision-point/oracle': ['operator', 'council'],
  'POST /api/v1/decision-point/oracle/{app}/release': ['operator'],
  'GET /api/v1/ledger/entries': ['operator', 'council'],
  'GET /api/v1/ledger/checkpoint': ['operator', 'council'],
  'GET /api/v1/ledger/proof/{id}': ['operator', 'council'],
  'GET /api/v1/ledger/consistency': ['operator', 'council'],
  'POST /api/v1/auth/approvals': ['council'],
  'GET /api/v1/auth/info': 'public',
  'GET /.well-known/jwks.json': 'public',
  'GET /.well-known/oauth-authorization-server': 'public',
  'GET /.well-known/openid-configuration': 'public',
  'POST /api/v1/synthesize': ['author', 'service'],
  'GET /api/v1/info': 'public',
  'POST /api/v1/checkpoints': [],
  'POST /api/v1/certificates': [],
  'POST /api/v1/bundles': [],
  'POST /access/v1/evaluation': ['service'],
  'POST /access/v1/evaluations': ['service'],
  'GET /.well-known/authzen-configuration': 'public',
  'GET /api/v1/constitutional/validate': 'public',
  'POST /api/v1/constitutional/validate': ['author', 'council', 'operator', 'service'],
  'GET /api/v1/constitutional/state': 'public',
  'GET /health': 'public',
  'GET /livez': 'public',
  'GET /readyz': 'public',
  'GET /startupz': 'public',
  'GET /metrics': 'public',
  'GET /openapi.json': 'public',
  'GET /docs': 'public',
}
/** They judge a token or hand one out: 401 is their answer, not their door. */
const JUDGES = ['POST /api/v1/auth/token', 'POST /auth/verify', 'POST /api/v1/auth/validate']

test('every endpoint admits exactly the roles that may use it', async () => {
  const filled: { readonly [name: string]: string } = { app: 'data-protection', n: '1', id: '0'.repeat(32), type: 'Nurse' }
  const walked = new Set<string>()
  for (const url of Object.values(product.url)) {
    const { paths } = (await ask(`${url}/openapi.json`, { role: null })).body as { paths: { [path: string]: { [method: string]: unknown } } }
    for (const [path, methods] of Object.entries(paths)) {
      for (const method of Object.keys(methods).map((name) => name.toUpperCase())) {
        const operation = `${method} ${path}`
        if (JUDGES.includes(operation)) continue
        const allowed = MAY[operation]
        assert.ok(allowed !== undefined, `${operation} is not in the test’s table`)
        walked.add(operation)
        for (const role of [null, ...ROLES]) {
          const response = await fetch(`${url}${path.replace(/\{(\w+)\}/g, (_, name: string) => filled[name] as string)}`, {
            method,
            headers: { ...(role === null ? {} : { authorization: `Bearer ${tokens.get(role)}` }), ...(['POST', 'PUT'].includes(method) ? { 'content-type': 'application/json' } : {}) },
            ...(['POST', 'PUT'].includes(method) ? { body: '{}' } : {}),
          })
          await response.arrayBuffer()
          const isAdmitted: boolean = allowed === 'public' || (role !== null && allowed.includes(role as Role))
          const isRight: boolean = isAdmitted ? response.status !== 401 && response.status !== 403 : [role === null ? 401 : 403, ...(allowed === 'public' || allowed.length > 0 ? [] : [401])].includes(response.status)
          assert.ok(isRight, `${operation} as ${role}: ${response.status}`)
        }
      }
    }
  }
  assert.deepEqual(Object.keys(MAY).filter((operation) => !walked.has(operation)), [], 'nobody offers these')
})

test('the list filters by verdict and article, and an author sees only what is their own', async () => {
  const refused = await ask(`${product.url.platform}/api/v1/generations?verdict=refused&article=privacy.consent`)
  assert.equal(refused.status, 200)
  assert.ok(refused.body.generations.length >= 1)
  assert.ok(refused.body.generations.every(({ verdict }: { verdict: string }) => verdict === 'refused'))
  const id = refused.body.generations[0].generation_id
  const whole = await ask(`${product.url.platform}/api/v1/generations/${id}`)
  assert.equal(whole.body.generation.verdict.kind, 'violates')
  assert.equal((await ask(`${product.url.platform}/api/v1/generations/${id}`, { role: 'operator' })).status, 200)
  assert.equal((await ask(`${product.url.platform}/api/v1/generations/gen_none`)).status, 404)
})

test('compliance answers about a policy as about a hash, in one consistent verdict', async () => {
  const right = await ask(`${product.url.compliance}/api/v1/constitutional/validate?hash_value=cdd01ef066bc6cf2`, { role: null })
  assert.deepEqual([right.body.status, right.body.hash_valid], ['valid', true])
  const wrong = await ask(`${product.url.compliance}/api/v1/constitutional/validate?hash_value=0000000000000000`, { role: null })
  assert.deepEqual([wrong.body.status, wrong.body.hash_valid], ['mismatch', false])
  const post = (cedar: string) => ask(`${product.url.compliance}/api/v1/constitutional/validate`, { method: 'POST', body: { cedar, domain: 'data-protection' } })
  assert.equal((await post('permit(principal, action, resource);')).body.status, 'invalid')
  assert.equal((await post('forbid(principal, action, resource);')).body.violations.length >= 0, true)
  assert.equal((await post('permit(principal, action, resource) when { resource.nonsense };')).status, 400)
})

test('synthesis reads sentences and says what it could not read', async () => {
  const { status, body } = await ask(`${product.url.synthesis}/api/v1/synthesize`, {
    method: 'POST',
    body: { description: 'Users may read docs. Snarks must not read docs.', schema: 'entity User; entity Doc; action read appliesTo { principal: User, resource: Doc };' },
  })
  assert.equal(status, 200, JSON.stringify(body))
  const reader = body.candidates.find(({ method }: { method: string }) => method === 'controlled-english')
  assert.equal(reader.norms.length, 1)
  assert.deepEqual(reader.unread.map(({ sentence }: { sentence: number }) => sentence), [2])
})

test('metrics show what happened: generations by outcome, scores, proofs, certificates, the ledger’s length', async () => {
  const read = async () => {
    const { body } = await ask(`${product.url.platform}/metrics`, { role: null })
    return (series: string) => Number(new RegExp(`^${series.replace(/[{}"]/g, '\\$&')} (\\S+)$`, 'm').exec(body)?.[1])
  }
  const before = await read()
  await generate(example('export-everything.json'))
  await generate(GOOD)
  const after = await read()
  for (const series of [
    'acgs_pgp_v8_policy_generation_requests_total{status="refused",priority="medium"}',
    'acgs_pgp_v8_policy_generation_requests_total{status="certified",priority="medium"}',
  ]) assert.equal(after(series), before(series) + 1, series)
  assert.ok(after('acgs_pgp_v8_system_uptime_seconds') > 0)
})

test('OpenAPI describes every operation, and the page for people shows it', async () => {
  const { body } = await ask(`${product.url.platform}/openapi.json`, { role: null })
  assert.equal(body.openapi.slice(0, 3), '3.1')
  assert.ok(body.paths['/api/v1/generate-policy'].post)
  const { status, body: page } = await ask(`${product.url.platform}/docs`, { role: null })
  assert.equal(status, 200)
  assert.ok(page.includes('/api/v1/generate-policy'))
})

test('a second start on the same data folder names the process that runs; on the same ports, who holds them', async () => {
  const same = await runAcgs(['serve', 'all'], product.env)
  assert.equal(same.status, 1)
  assert.match(same.stderr, new RegExp(String(product.pid)))
  const elsewhere = await runAcgs(['serve', 'all'], { ...product.env, ACGS_SERVICE_DATA_FOLDER: join(scratch, 'other') })
  assert.equal(elsewhere.status, 1)
  assert.match(elsewhere.stderr, /port \d+ .*in use.*ACGS_SERVICES_/s)
})

test('after kill -9 and a second start the data are still there, the ledger is intact, and old certificates verify', async () => {
  const before = await ask(`${product.url.platform}/api/v1/generations?limit=200`, { role: 'operator' })
  await product.kill('SIGKILL')
  product = await startProduct({ dataFolder: product.dataFolder })
  for (const role of ROLES) tokens.set(role, await product.token(role))
  const again = await ask(`${product.url.platform}/api/v1/generations?limit=200`, { role: 'operator' })
  assert.deepEqual(again.body.generations, before.body.generations)
  assert.ok(again.body.generations.length > 5)
  const verified = await product.acgs('ledger', 'verify', '--json')
  assert.equal(verified.status, 0, verified.stdout + verified.stderr)
  const packs = 2 // Each has left two entries at the first start: its schema and its entities.
  assert.equal(JSON.parse(verified.stdout).entries, again.body.generations.length + 2 * packs)
  assert.equal((await product.acgs('verify', join(scratch, 'certificate.json'))).status, 0)
})

test('SIGTERM ends it in an orderly way: requests under way are answered, and it leaves with 0', async () => {
  await product.kill('SIGTERM')
  product = await startProduct({ dataFolder: product.dataFolder, env: { ACGS_SERVICE_DRAIN_SECONDS: '2' } })
  tokens.set('author', await product.token('author'))
  const underWay = generate(example('clinic.json'))
  await new Promise((resolve) => setTimeout(resolve, 5))
  const ended = product.kill('SIGTERM')
  // A balancer that looks at one process must see it there, whichever it is, while that process still answers.
  for (const url of Object.values(product.url)) {
    for (;;) {
      const { status, headers } = await ask(`${url}/readyz`, { role: null })
      if (status === 200) continue
      assert.deepEqual([status, headers.get('connection')], [503, 'close'])
      break
    }
  }
  for (const url of Object.values(product.url)) assert.equal((await ask(`${url}/health`, { role: null })).status, 200)
  assert.equal((await underWay).status, 200)
  assert.equal(await ended, 0)
  product = await startProduct({ dataFolder: product.dataFolder })
})

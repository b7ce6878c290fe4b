import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after, before } from 'node:test'
import { ROLES } from '#http/contract.ts'
import { APPLICATION_ENDPOINTS } from '#services/platform/application-contract.ts'
import { runAcgs, startProduct, type Product } from '#test/product.ts'

/** Applications and their entities through the whole product, as its users reach them. */
let product: Product
const tokens = new Map<string, string>()
const scratch = mkdtempSync(join(tmpdir(), 'acgs-applications-'))

before(async () => {
  product = await startProduct({ env: { ACGS_SECURITY_ENTITIES_BYTES_MAX: '3000000' }, keep: true })
  for (const role of ROLES) tokens.set(role, await product.token(role))
})
after(async () => {
  await product[Symbol.asyncDispose]()
  rmSync(product.dataFolder, { recursive: true, force: true })
  rmSync(scratch, { recursive: true, force: true })
})

async function ask(path: string, { role = 'author', method = 'GET', body, headers = {} }: { role?: string | null; method?: string; body?: unknown; headers?: { [name: string]: string } } = {}) {
  const response = await fetch(`${product.url.platform}/api/v1/applications${path}`, {
    method,
    headers: { ...(role === null ? {} : { authorization: `Bearer ${tokens.get(role)}` }), ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, headers: response.headers, body: (text === '' ? null : JSON.parse(text)) as any }
}
const put = (app: string, schema: string, headers = {}) => ask(`/${app}`, { method: 'PUT', body: { schema }, headers })
const putEntities = (app: string, entities: readonly unknown[], mode = 'upsert') => ask(`/${app}/entities`, { method: 'PUT', body: { entities, mode } })
const ledger = async () => JSON.parse((await product.acgs('ledger', 'verify', '--json')).stdout) as { entries: number; valid: boolean }
const file = (name: string, content: string) => (writeFileSync(join(scratch, name), content), join(scratch, name))

const SCHEMA = 'entity Team in [Team]; entity User in [Team] { level: Long, boss?: User }; action read appliesTo { principal: User, resource: Team };'
const user = (id: string, level: unknown = 1, ...teams: string[]) => ({ uid: { type: 'User', id }, attrs: { level }, parents: teams.map((team) => ({ type: 'Team', id: team })) })
const team = (id: string, ...above: string[]) => ({ uid: { type: 'Team', id }, attrs: {}, parents: above.map((parent) => ({ type: 'Team', id: parent })) })

test('every pack is an application of its name, with the pack’s entities', async () => {
  const { status, body } = await ask('', { role: 'operator' })
  assert.equal(status, 200)
  assert.deepEqual(body.applications.map(({ name }: { name: string }) => name), ['ai-agents', 'data-protection'])
  for (const { name, entities } of body.applications) {
    const shipped = JSON.parse(readFileSync(new URL(`../../packs/${name}/entities.json`, import.meta.url), 'utf8'))
    assert.deepEqual(entities, { version: 1, count: shipped.length })
    const one = (await ask(`/${name}`)).body
    assert.equal(one.schema, readFileSync(new URL(`../../packs/${name}/schema.cedarschema`, import.meta.url), 'utf8'))
    assert.ok(one.applicable.articles > 0 && one.applicable.articles < one.applicable.of)
    assert.equal(one.applicable.of - one.applicable.articles, one.applicable.missing.length)
  }
})

test('entities come back with the tags that they were put with, integers beyond 2^53 included; a tag that does not fit is refused', async () => {
  assert.equal((await put('tagged', 'entity User tags Set<Long>; entity Doc; action read appliesTo { principal: User, resource: Doc };')).status, 201)
  const ana = { uid: { type: 'User', id: 'ana' }, attrs: {}, parents: [], tags: { 'k"ey': [1, '9223372036854775807'], '': [] } }
  assert.equal((await putEntities('tagged', [ana])).status, 200)
  assert.deepEqual((await ask('/tagged/entities', { role: 'operator' })).body.upserted, [ana])
  const refused = await putEntities('tagged', [{ ...ana, tags: { x: ['a'] } }])
  assert.deepEqual([refused.status, refused.body.code], [400, 'ENTITIES_INVALID'], JSON.stringify(refused.body))
})

test('an application is made once; another schema for it is refused naming both digests, and taken when it is expected', async () => {
  const made = await put('library', SCHEMA)
  assert.deepEqual([made.status, made.body.entities, made.body.active_revision], [201, { version: 0, count: 0 }, null])
  assert.equal((await put('library', SCHEMA)).status, 200)
  const other = SCHEMA.replace('boss?: User', 'boss?: User, name?: String')
  const refused = await put('library', other)
  assert.deepEqual([refused.status, refused.body.code, refused.body.current_digest], [409, 'CONFLICT', made.body.schema_digest])
  assert.ok(refused.body.detail.includes(made.body.schema_digest) && refused.body.detail.includes(refused.body.given_digest))
  assert.equal((await put('library', other, { 'if-match': `"${'0'.repeat(64)}"` })).status, 409)
  assert.equal((await put('library', other, { 'if-match': 'digest' })).status, 400)
  assert.equal((await put('nobody', other, { 'if-match': `"${'0'.repeat(64)}"` })).status, 409)
  assert.equal((await ask('/library')).body.schema, SCHEMA)
  const taken = await put('library', other, { 'if-match': made.headers.get('etag') ?? '' })
  assert.deepEqual([taken.status, taken.body.schema, taken.body.schema_digest], [200, other, refused.body.given_digest])
  assert.equal((await put('Library!', SCHEMA)).status, 400)
  assert.equal((await put('broken', 'entity User {')).body.code, 'SCHEMA_INVALID')
  assert.equal((await ask('/broken')).status, 404)
})

test('two schemas put at the same moment: one makes the application, the other is refused', async () => {
  const outcomes = await Promise.all([put('raced', SCHEMA), put('raced', `${SCHEMA} // two`), put('raced', SCHEMA)])
  const statuses = outcomes.map(({ status }) => status).sort()
  assert.ok(String(statuses) === '200,201,409' || String(statuses) === '201,409,409', String(statuses))
})

test('entities are put, changed, deleted and replaced; every change is a version and an entry in the ledger', async () => {
  await put('store', SCHEMA)
  const before = (await ledger()).entries
  const first = await putEntities('store', [team('all'), team('blue', 'all'), user('ana', 9007199254740000, 'blue')])
  assert.deepEqual([first.status, first.body.version, first.body.upserted], [200, 1, 3], JSON.stringify(first.body))
  const same = await putEntities('store', [user('ana', 9007199254740000, 'blue')])
  assert.deepEqual([same.body.version, same.body.upserted, same.body.unchanged, same.body.ledger], [1, 0, 1, null])
  const mixed = await ask('/store/entities', { method: 'POST', body: { upsert: [user('bo', 2)], delete: [{ type: 'Team', id: 'blue' }, { type: 'Team', id: 'never' }] } })
  assert.deepEqual([mixed.body.version, mixed.body.upserted, mixed.body.deleted], [2, 1, 1])
  const gone = await ask('/store/entities/User/bo', { method: 'DELETE' })
  assert.deepEqual([gone.status, gone.body.version, gone.body.deleted], [200, 3, 1])
  assert.equal((await ask('/store/entities/User/bo', { method: 'DELETE' })).status, 404)
  const since2 = await ask('/store/entities?since=2', { role: 'operator' })
  assert.deepEqual([since2.body.version, since2.body.is_whole, since2.body.upserted, since2.body.deleted], [3, false, [], [{ type: 'User', id: 'bo' }]])
  const replaced = await putEntities('store', [team('all')], 'replace')
  assert.deepEqual([replaced.body.version, replaced.body.upserted, replaced.body.deleted], [4, 0, 1])
  const whole = await ask('/store/entities', { role: 'operator' })
  assert.deepEqual([whole.body.is_whole, whole.body.upserted], [true, [team('all')]])
  const now = await ledger()
  assert.deepEqual([now.valid, now.entries - before], [true, 4])
})

test('who has the version is answered with 304; pages lead to one whole', async () => {
  await put('paged', SCHEMA)
  await putEntities('paged', Array.from({ length: 25 }, (_, i) => user(`u${String(i).padStart(2, '0')}`)))
  const get = (query: string, etag?: string) => ask(`/paged/entities?${query}`, { role: 'operator', ...(etag === undefined ? {} : { headers: { 'if-none-match': etag } }) })
  const current = await get('since=1')
  assert.deepEqual([current.status, current.headers.get('etag'), current.body.upserted], [200, '"1"', []])
  const unchanged = await get('since=1', 'W/"0", "1"')
  assert.deepEqual([unchanged.status, unchanged.body, unchanged.headers.get('etag')], [304, null, '"1"'])
  assert.equal((await get('since=1', '"0"')).status, 200)
  const seen: string[] = []
  let cursor: string | null = ''
  let pages = 0
  while (cursor !== null) {
    const { body } = await get(`limit=10${cursor === '' ? '' : `&cursor=${cursor}`}`)
    assert.equal(body.is_whole, pages === 0)
    seen.push(...body.upserted.map(({ uid }: { uid: { id: string } }) => uid.id))
    cursor = body.next_cursor
    pages++
  }
  assert.deepEqual([pages, new Set(seen).size, seen.length], [3, 25, 25])
  assert.equal((await get('cursor=nonsense')).status, 400)
})

test('integers are exact to 64 bits, as numbers and as strings of digits', async () => {
  await put('exact', SCHEMA)
  const raw = '{"entities":[{"uid":{"type":"User","id":"a"},"attrs":{"level":9007199254740993},"parents":[]},{"uid":{"type":"User","id":"b"},"attrs":{"level":"-9223372036854775808"},"parents":[]}]}'
  assert.equal((await ask('/exact/entities', { method: 'PUT', body: raw })).status, 200)
  const { body } = await ask('/exact/entities', { role: 'operator' })
  assert.deepEqual(body.upserted.map(({ attrs }: { attrs: { level: unknown } }) => attrs.level), ['9007199254740993', '-9223372036854775808'])
  const beyond = await ask('/exact/entities', { method: 'PUT', body: raw.replace('9007199254740993', '9223372036854775808') })
  assert.deepEqual([beyond.status, beyond.body.problems], [400, [{ place: 'User::"a" attrs.level', message: 'is not an integer of 64 bits' }]])
})

test('of large changes one is made at a time and one waits; the others are told when to come back, and change nothing', async () => {
  await put('bulk', SCHEMA)
  const many = Array.from({ length: 10_001 }, (_, n) => user(`bulk-${n}`, 1))
  const replies = await Promise.all(Array.from({ length: 5 }, () => putEntities('bulk', many)))
  const refused = replies.filter(({ status }) => status === 503)
  assert.deepEqual(replies.filter(({ status }) => status === 200).length + refused.length, 5)
  assert.ok(refused.length > 0)
  for (const { headers, body } of refused) assert.deepEqual([body.code, body.reason, headers.get('retry-after')], ['OVERLOADED', 'full', '10'])
  assert.equal((await ask('/bulk')).body.entities.count, 10_001)
})

test('bad entities are refused as a whole, every problem with its entity, and nothing is changed', async () => {
  await put('strict', SCHEMA)
  await putEntities('strict', [team('a', 'b'), team('b')])
  const before = await ledger()
  const refusals: readonly [string, unknown, readonly (string | RegExp)[]][] = [
    ['types and attributes', { entities: [user('fine'), user('ana', 'high'), { uid: { type: 'Usr', id: 'x' } }, { uid: { type: 'User', id: 'bo' }, attrs: { levl: 1 } }, { uid: { type: 'Action', id: 'read' } }] }, [
      'User::"ana" attrs.level: is not an integer', /^Usr::"x": is of the type `Usr`, which the schema does not have/, 'User::"bo" attrs.levl: is an attribute that the schema does not have', 'User::"bo" attrs.level: is missing', /^Action::"read": is an action/,
    ]],
    ['a cycle over what is stored', { entities: [team('b', 'c'), team('c', 'a')] }, [/^Team::"\w": is above itself in the hierarchy: (`Team::"\w"` in ){3}`Team::"\w"`$/]],
  ]
  for (const [what, body, wanted] of refusals) {
    const reply = await ask('/strict/entities', { method: 'PUT', body })
    assert.deepEqual([reply.status, reply.body.code], [400, 'ENTITIES_INVALID'], what)
    const problems = reply.body.problems.map(({ place, message }: { place: string; message: string }) => `${place}: ${message}`)
    assert.equal(problems.length, wanted.length, problems.join('\n'))
    for (const want of wanted) assert.ok(problems.some((problem: string) => (typeof want === 'string' ? problem === want : want.test(problem))), `${want} in ${problems.join('\n')}`)
  }
  const both = await ask('/strict/entities', { method: 'POST', body: { upsert: [team('b')], delete: [{ type: 'Team', id: 'b' }, 'x', { type: 'Tem', id: 'b' }] } })
  assert.deepEqual([both.status, both.body.problems.length], [400, 3])
  // Without the one that closes it there is no cycle: what refused was the stored part.
  assert.equal((await ask('/strict/entities', { method: 'POST', body: { upsert: [team('b', 'c'), team('c', 'a')], delete: [{ type: 'Team', id: 'a' }] } })).status, 200)
  assert.equal((await ledger()).entries, before.entries + 1)
  assert.equal((await putEntities('none', [])).status, 404)
  const large = await putEntities('strict', [user('x'.repeat(3_000_000))])
  assert.deepEqual([large.status, large.body.code], [413, 'REQUEST_TOO_LARGE'])
})

test('a schema that stored entities do not fit is refused naming them; one that reads them otherwise moves them', async () => {
  const schema = 'entity User { from: String, n?: Long }; action read appliesTo { principal: User, resource: User };'
  const { headers } = await put('moving', schema)
  await putEntities('moving', [{ uid: { type: 'User', id: 'a' }, attrs: { from: '10.0.0.1' } }, { uid: { type: 'User', id: 'b' }, attrs: { from: 'home' } }])
  const etag = { 'if-match': headers.get('etag') ?? '' }
  const refused = await put('moving', schema.replace('from: String', 'from: ipaddr'), etag)
  assert.deepEqual([refused.status, refused.body.code, refused.body.problems.map(({ place }: { place: string }) => place)], [400, 'ENTITIES_INVALID', ['User::"b" attrs.from']])
  assert.equal((await ask('/moving')).body.schema, schema)
  await ask('/moving/entities/User/b', { method: 'DELETE' })
  assert.equal((await put('moving', schema.replace('from: String', 'from: ipaddr'), etag)).status, 200)
  const { body } = await ask('/moving/entities?since=2', { role: 'operator' })
  assert.deepEqual([body.version, body.upserted], [3, [{ uid: { type: 'User', id: 'a' }, attrs: { from: { __extn: { fn: 'ip', arg: '10.0.0.1' } } }, parents: [] }]])
})

test('every operation admits exactly the roles that may use it', async () => {
  const MAY: { readonly [operation: string]: readonly string[] } = {
    'PUT /api/v1/applications/{app}': ['author'],
    'GET /api/v1/applications': ['author', 'council', 'operator', 'service'],
    'GET /api/v1/applications/{app}': ['author', 'council', 'operator', 'service'],
    'PUT /api/v1/applications/{app}/entities': ['author'],
    'POST /api/v1/applications/{app}/entities': ['author'],
    'DELETE /api/v1/applications/{app}/entities/{type}/{id}': ['author'],
    'GET /api/v1/applications/{app}/entities': ['operator'], // And `service`, in a token meant for our own processes.
  }
  for (const { method, path } of APPLICATION_ENDPOINTS) {
    for (const role of [null, ...ROLES]) {
      const url = path.replace('/api/v1/applications', '').replace('{app}', 'absent').replace('{type}/{id}', 'User/x')
      const { status } = await ask(url, { role, method, ...(method === 'PUT' || method === 'POST' ? { body: {} } : {}) })
      const isAdmitted = role !== null && MAY[`${method} ${path}`]?.includes(role) === true
      assert.ok(isAdmitted ? status !== 401 && status !== 403 : status === (role === null ? 401 : 403), `${method} ${path} as ${role}: ${status}`)
    }
  }
})

test('the command line puts and shows applications and entities, with the exit status of each outcome', async () => {
  const schema = file('s.cedarschema', SCHEMA)
  const made = await product.acgs('app', 'put', 'shop', '--schema', schema, '--json')
  assert.equal(made.status, 0, made.stderr)
  const { schema_digest } = JSON.parse(made.stdout)
  const other = file('o.cedarschema', `${SCHEMA}\nentity Extra;`)
  const conflict = await product.acgs('app', 'put', 'shop', '--schema', other)
  assert.deepEqual([conflict.status, conflict.stdout], [3, ''])
  assert.match(conflict.stderr, new RegExp(schema_digest))
  assert.equal((await product.acgs('app', 'put', 'shop', '--schema', other, '--if-match', schema_digest)).status, 0)
  const shown = await product.acgs('app', 'show', 'shop')
  assert.match(shown.stdout, /^shop {3}\d+ of \d+ articles apply\n[\s\S]*0 entities, version 0 · no revision is active: everything is denied[\s\S]*entity Extra;/)

  const entities = file('e.json', '[{"uid":{"type":"User","id":"a"},"attrs":{"level":9007199254740993},"parents":[]}]')
  const done = await product.acgs('entities', 'put', 'shop', entities)
  assert.deepEqual([done.status, done.stdout], [0, 'shop: version 1 · 1 put, 0 unchanged, 0 deleted\n'], done.stderr)
  const piped = await runAcgs(['entities', 'put', 'shop', '-', '--replace', '--json'], product.env, '\ufeff[]')
  assert.deepEqual([piped.status, JSON.parse(piped.stdout).deleted], [0, 1], piped.stderr)
  const bad = await product.acgs('entities', 'put', 'shop', file('bad.json', '[{"uid":{"type":"User","id":"a"}},{"uid":{"type":"User","id":"b"}}]'))
  assert.equal(bad.status, 2)
  assert.match(bad.stderr, /^acgs: the entities do not fit the schema: User::"a" attrs\.level: is missing \(and 1 other problem\)\n {2}.*User::"b" attrs\.level: is missing/)
  assert.equal((await product.acgs('entities', 'put', 'nobody', file('none.json', '[]'))).status, 2)
  assert.equal((await product.acgs('entities', 'put', 'shop', file('broken.json', '[{]'))).status, 2)
  assert.equal((await product.acgs('entities', 'put', 'shop', file('object.json', '{}'))).status, 2)
  assert.equal((await product.acgs('entities', 'put', 'shop', entities, '--as', 'service')).status, 1)
  assert.equal((await runAcgs(['app', 'show', 'shop'], { ...product.env, ACGS_TOKEN: 'not.a.token' })).status, 1)
  assert.equal((await runAcgs(['app', 'show', 'shop'], { ...product.env, ACGS_TOKEN: tokens.get('service') ?? '' })).status, 0)
})

test('after kill -9 everything is as it was answered, and the packs are not made again', async () => {
  const before = (await ask('')).body
  const entries = (await ledger()).entries
  await product.kill('SIGKILL')
  product = await startProduct({ dataFolder: product.dataFolder })
  for (const role of ROLES) tokens.set(role, await product.token(role))
  assert.deepEqual((await ask('')).body, before)
  assert.deepEqual(await ledger().then(({ valid, entries: now }) => [valid, now]), [true, entries])
})

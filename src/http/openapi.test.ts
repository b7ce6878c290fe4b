import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import type { Endpoint } from './contract.ts'
import { docsPage } from './docs.ts'
import { openApi } from './openapi.ts'
import { MAY, walkAccess } from './roles.ts'

const Tree: z.ZodType = z.strictObject({ name: z.string(), get children() { return z.array(Tree) } }).meta({ id: 'Tree' })
const endpoints: readonly Endpoint[] = [
  {
    method: 'POST', path: '/api/v1/things/{id}', summary: 'Makes <one>', description: 'A "quoted" & <b>bold</b> one', access: MAY.generate,
    params: z.strictObject({ id: z.string().describe('Its id') }), query: z.strictObject({ dry: z.enum(['yes', 'no']).default('no'), from: z.iso.datetime() }),
    body: z.strictObject({ tree: Tree, size: z.int().max(10).default(3), names: z.array(z.string()).readonly().optional() }), reply: z.strictObject({ tree: Tree }), status: 201, alsoStatus: { 202: 'Later.' }, failures: ['POLICY_REFUSED'],
    example: { body: { tree: { name: '</pre><script>alert(1)</script>', children: [] } } },
  },
  { method: 'GET', path: '/api/v1/things/{id}', summary: 'Reads one', access: 'public', params: z.strictObject({ id: z.string() }), reply: z.strictObject({}), failures: ['NOT_FOUND'] },
  { method: 'GET', path: '/health', summary: 'Health', access: 'public', reply: z.strictObject({}), alsoStatus: { 503: 'Unhealthy.' }, failures: [] },
]
const document = openApi({ title: 'T', version: '1', description: 'D', endpoints })

type Operation = { operationId: string; parameters: { name: string; in: string; required: boolean }[]; responses: Record<string, { description: string; content: object }>; security: object[]; requestBody?: { required: boolean } }
const operations = Object.entries(document.paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, operation]) => ({ path, method, operation: operation as Operation })))

test('every reference leads somewhere', () => {
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return
    for (const [key, member] of Object.entries(value)) {
      if (key === '$ref') {
        const found = String(member).slice(2).split('/').reduce<unknown>((at, part) => (at as Record<string, unknown>)?.[part], document)
        assert.equal(typeof found, 'object', `${String(member)} leads nowhere`)
      } else visit(member)
    }
  }
  visit(document)
  assert.ok(JSON.stringify(document).includes('#/components/schemas/Tree'))
})

test('every operation has an id of its own, declares its path parameters, and describes every reply', () => {
  assert.equal(new Set(operations.map(({ operation }) => operation.operationId)).size, operations.length)
  for (const { path, operation } of operations) {
    const declared = operation.parameters.filter((each) => each.in === 'path').map((each) => each.name)
    assert.deepEqual(declared, [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]))
    for (const { description } of Object.values(operation.responses)) assert.ok(description.length > 0)
  }
})

test('what may be left out is not required, and what an endpoint can answer is listed', () => {
  const post = operations.find(({ method }) => method === 'post')!.operation
  assert.deepEqual(post.parameters.map(({ name, required }) => [name, required]), [['id', true], ['dry', false], ['from', true]])
  assert.equal(post.requestBody?.required, true)
  assert.deepEqual(post.security, [{ bearer: [] }])
  assert.deepEqual(Object.keys(post.responses).sort(), ['201', '202', '400', '401', '403', '413', '415', '422', '429', '500', '503'])
  const health = operations.find(({ path }) => path === '/health')!.operation
  assert.deepEqual(Object.keys(health.responses).sort(), ['200', '500', '503'])
  assert.deepEqual(health.security, [])
})

test('what our compiler must not change is still to be sent', () => {
  assert.ok(JSON.stringify(document).includes('"names"'))
  assert.ok(!JSON.stringify(document).includes('readOnly'))
})

test('the page shows descriptions and examples as text, never as markup', () => {
  const page = docsPage({ title: '<i>', version: '1', description: 'D', endpoints })
  assert.doesNotMatch(page, /<script|<b>|<i>/)
  assert.match(page, /&#60;script&#62;alert/)
  assert.match(page, /id="POLICY_REFUSED"/)
})

test('access is walked for every endpoint with every role and with none', () => {
  const cases = walkAccess(endpoints)
  assert.equal(cases.length, endpoints.length * 5)
  const wants = Object.fromEntries(cases.filter(({ endpoint }) => endpoint.method === 'POST').map(({ role, want }) => [role, want]))
  assert.deepEqual(wants, { null: 'unauthenticated', author: 'passes', council: 'forbidden', operator: 'forbidden', service: 'forbidden' })
})

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { connect } from '#adapters/postgres/connect.ts'
import { startProduct, type Product } from '#test/product.ts'

const CLINIC = JSON.parse(readFileSync(new URL('../../examples/clinic.json', import.meta.url), 'utf8')) as object
/** The readers agree on it, and an example contradicts one of them or nobody: what comes of it is told below. */
const LSU = {
  id: 'LSU-000001', description: 'Charts of the clinic', domain: 'policy', constraints: [], version: 1,
  content: { text: 'Nurses may view charts of patients of their own ward. Every export must be logged.', structured_data: { domain: 'data-protection' }, embeddings: null },
}

let product: Product
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
  product = await startProduct({ env: { ACGS_GENERATION_ENGINE_PROOF_TIMEOUT_MS: '120000', ACGS_SECURITY_DIAGNOSES_PER_MINUTE: '0' } })
})
after(() => product?.[Symbol.asyncDispose]())

test('look', async () => {
  for (const [n, r] of Object.entries({
    gen: await ask('/api/v1/generate-policy', 'author', { body: CLINIC }),
    stab: await ask('/api/v1/stabilizers', 'author'),
    val: await validate(),
    dia: await diagnose({ diagnostic_depth: 'comprehensive' }),
    list: await ask('/api/v1/diagnostics', 'operator'),
  })) console.log(n, r.status, JSON.stringify(n === 'gen' ? r.body.metadata ?? r.body : r.body, null, 1).slice(0, 6000))
})

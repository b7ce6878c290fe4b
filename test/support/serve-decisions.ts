import { SignJWT, exportJWK, generateKeyPair } from 'jose'
import { readFileSync } from 'node:fs'
import { bearer, createVerifier, publishedKeys } from '#http/authenticate.ts'
import { rememberCallers } from '#http/remember-callers.ts'
import type { CedarEntity } from '#core/unit/semantic-unit.ts'
import { activeRevision, decisionPoint, decisionService } from './decision-service.ts'

// A process of its own that decides over the schema of `ai-agents`: argv has the number of rules and of agents; it tells its parent the
// port, a token and how much memory it takes. Tokens are judged as in the product.
const [rules = 10, agents = 1_000] = process.argv.slice(2).map(Number)

const entities: CedarEntity[] = [
  ...Array.from({ length: 100 }, (_, i): CedarEntity => ({ uid: { type: 'Team', id: `team${i}` }, attrs: {}, parents: [] })),
  ...Array.from({ length: 1_000 }, (_, i): CedarEntity => ({ uid: { type: 'User', id: `user${i}` }, attrs: { isAdmin: i % 10 === 0, cleared: i % 2 === 0 }, parents: [{ type: 'Team', id: `team${i % 100}` }] })),
  ...Array.from({ length: 1_000 }, (_, i): CedarEntity => ({ uid: { type: 'Account', id: `account${i}` }, attrs: { owner: { __entity: { type: 'User', id: `user${i}` } }, verified: i % 3 !== 0 }, parents: [] })),
  ...Array.from({ length: agents }, (_, i): CedarEntity => ({
    uid: { type: 'Agent', id: `agent${i}` }, parents: [{ type: 'Team', id: `team${i % 100}` }],
    attrs: { owner: { __entity: { type: 'User', id: `user${i % 1_000}` } }, spendingLimit: i % 500, reviewed: i % 4 !== 0, cleared: i % 5 === 0 },
  })),
]
/** Of ten rules: six about payments, of which two look at who owns the agent or the account, and four about other actions. */
const cedar = Array.from({ length: rules }, (_, i) => [
  `permit(principal is Agent, action == Action::"sendPayment", resource) when { principal.reviewed && context.amount <= principal.spendingLimit && principal in Team::"team${i % 100}" };`,
  `permit(principal is Agent, action == Action::"sendPayment", resource) when { context.humanApproved && context.amount <= ${5_000 + i} };`,
  `forbid(principal is Agent, action == Action::"sendPayment", resource) when { !resource.verified && context.amount > ${i} };`,
  `permit(principal is Agent, action == Action::"sendPayment", resource) when { principal.owner == resource.owner && context.amount < ${100 + i} };`,
  `forbid(principal, action == Action::"sendPayment", resource) when { context.amount > ${10_000 + i} && !context.humanApproved };`,
  `forbid(principal is Agent, action == Action::"sendPayment", resource) when { principal.owner.isAdmin && resource.owner.cleared && context.amount > ${9_000 + i} };`,
  'permit(principal is User, action == Action::"readFile", resource) when { resource.owner == principal };',
  `permit(principal is Agent, action == Action::"readFile", resource) when { !resource.confidential && resource.size < ${1_000 + i} };`,
  'forbid(principal, action == Action::"readFile", resource) when { resource.confidential && !principal.cleared };',
  'permit(principal is User, action == Action::"approvePayment", resource) unless { resource.requestedBy == principal };',
][i % 10]).map((rule, i) => `@id("r${i}") ${rule}`).join('\n')

const schema = readFileSync(new URL('../../packs/ai-agents/schema.cedarschema', import.meta.url), 'utf8')
const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })
const keys = publishedKeys({ fetchKeys: async () => ({ keys: [{ ...(await exportJWK(publicKey)), kid: 'k', alg: 'ES256', use: 'sig' }] }) })
const authenticate = rememberCallers(bearer(createVerifier({ issuer: 'http://i', audience: 'urn:a', keys, tokenBytesMax: 4_096, clockToleranceSeconds: 5 })))
const token = await new SignJWT({ client_id: 'c', roles: ['service'] }).setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: 'k' })
  .setIssuer('http://i').setAudience('urn:a').setSubject('s').setJti('j').setIssuedAt().setExpirationTime('1 hour').sign(privateKey)

const at = await decisionService(decisionPoint(activeRevision('ai-agents', schema, cedar), entities), { authenticate })
const { port } = await at.server.listen({ host: '127.0.0.1', port: 0 })
entities.length = 0
process.send?.({ port, token, megabytes: process.memoryUsage().rss / 2 ** 20 })
process.once('disconnect', () => process.exit(0))

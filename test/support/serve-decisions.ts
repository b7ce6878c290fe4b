import { SignJWT, exportJWK, generateKeyPair } from 'jose'
import { readFileSync } from 'node:fs'
import { bearer, createVerifier, publishedKeys } from '#http/authenticate.ts'
import { rememberCallers } from '#http/remember-callers.ts'
import { activeRevision, decisionPoint, decisionService } from './decision-service.ts'
import { paymentEntities, paymentRules } from './payment-rules.ts'

// A process of its own that decides over the schema of `ai-agents`: argv has the number of rules and of agents; it tells its parent the
// port, a token and how much memory it takes, and that again for every message. Tokens are judged as in the product.
const [rules = 10, agents = 1_000] = process.argv.slice(2).map(Number)

const entities = paymentEntities(agents)
const schema = readFileSync(new URL('../../packs/ai-agents/schema.cedarschema', import.meta.url), 'utf8')
const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })
const keys = publishedKeys({ fetchKeys: async () => ({ keys: [{ ...(await exportJWK(publicKey)), kid: 'k', alg: 'ES256', use: 'sig' }] }) })
const authenticate = rememberCallers(bearer(createVerifier({ issuer: 'http://i', audience: 'urn:a', keys, tokenBytesMax: 4_096, clockToleranceSeconds: 5 })))
const token = await new SignJWT({ client_id: 'c', roles: ['service'] }).setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: 'k' })
  .setIssuer('http://i').setAudience('urn:a').setSubject('s').setJti('j').setIssuedAt().setExpirationTime('1 hour').sign(privateKey)

const at = await decisionService(await decisionPoint(activeRevision('ai-agents', schema, paymentRules(rules)), entities), { authenticate })
const { port } = await at.server.listen({ host: '127.0.0.1', port: 0 })
entities.length = 0
const megabytes = () => process.memoryUsage().rss / 2 ** 20
process.send?.({ port, token, megabytes: megabytes() })
process.on('message', () => process.send?.({ megabytes: megabytes() }))
process.once('disconnect', () => process.exit(0))

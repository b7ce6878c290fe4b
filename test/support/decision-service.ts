import { parsePolicies, parseSchema } from '#adapters/cedar/cedar.ts'
import { sha256 } from '#core/canonical.ts'
import type { Decides } from '#core/decision/answer.ts'
import type { ActiveRevision } from '#core/revision/active.ts'
import type { CedarEntity } from '#core/unit/semantic-unit.ts'
import { unauthenticated, type Authenticate } from '#http/authenticate.ts'
import { createHealth } from '#http/health.ts'
import { createServer } from '#http/server.ts'
import { createDecisionPoint, type DecisionPoint } from '#services/compliance/decision-point.ts'
import { directRoutes, routes } from '#services/compliance/decision-routes.ts'
import { oracleRoutes } from '#services/compliance/oracle-contract.ts'
import type { Oracle } from '#services/compliance/oracle.ts'
import { decisionMade, type Telemetry } from '#telemetry/events.ts'
import { createLog } from '#telemetry/log.ts'
import { createMetrics } from '#telemetry/metrics.ts'
import { scrape } from '#telemetry/scrape.ts'

/** A revision as the loader gives it, from Cedar's text; a rule's `@sentence` is where it came from. */
export function activeRevision(application: string, schemaText: string, cedar: string, revision = 1): ActiveRevision {
  const schema = parseSchema(schemaText)
  const policies = parsePolicies(cedar, schema)
  const sentenceOf = new Map(policies.rules.flatMap(({ id, annotations: { sentence } }) => (sentence === undefined ? [] : [[id, sentence] as const])))
  return { application, revision, digest: sha256(cedar), policies, schema, withdrawn: [], sentenceOf }
}

/** A decision point with one revision and its entities. */
export async function decisionPoint(active: ActiveRevision, entities: readonly CedarEntity[]): Promise<DecisionPoint> {
  const point = createDecisionPoint()
  await point.load(active)
  point.entitiesOf(active.application).apply({ version: 1, isWhole: true, upserted: entities, deleted: [] })
  return point
}

const HASH = 'cdd01ef066bc6cf2'

const byRole: Authenticate = async (header) => {
  if (header === undefined) throw unauthenticated('missing', 'this needs a token')
  return { subject: 's', clientId: 'c', roles: [header.replace('Bearer ', '') as 'service'] }
}

/** Decisions over HTTP as compliance serves them; without another `authenticate`, the bearer token is the caller's role. */
export async function decisionService(point: DecisionPoint, { decidesFor, oracleWith, now = () => new Date(), authenticate = byRole }: { decidesFor?: (active: ActiveRevision) => Decides; oracleWith?: (telemetry: Telemetry) => Oracle; now?: () => Date; authenticate?: Authenticate } = {}) {
  const metrics = createMetrics({ service: 'acgs-test', version: '8.0.0', constitutionalHash: HASH, description: 'test' })
  const telemetry = { log: createLog({ service: 'acgs-test', level: 'error', destination: { write: () => {} } }), metrics }
  const constitution = { hash: HASH, digest: '0'.repeat(64), isInherited: true }
  const health = createHealth({ service: 'acgs-test', version: '8.0.0', constitution, components: [], telemetry, intervalMs: 60_000, timeoutMs: 1_000 })
  const oracle = oracleWith?.(telemetry)
  const server = await createServer({
    service: 'acgs-test', title: 'Test', version: '8.0.0', description: 'For tests.', constitution, health, telemetry, authenticate, bodyBytesMax: 1_048_576,
    routes: [...routes({ url: 'https://pdp.example' }), ...(oracle === undefined ? [] : oracleRoutes(oracle))],
    direct: directRoutes({ point, ...(oracle === undefined ? {} : { oracle }), ...(decidesFor === undefined ? {} : { decidesFor }), url: 'https://pdp.example', now, decided: (verdict, seconds) => decisionMade(telemetry, { verdict, seconds }) }),
  })
  const send = (method: 'POST' | 'GET') => async (path: string, body: unknown, headers: Record<string, string> = {}) => {
    const payload = typeof body === 'string' ? body : JSON.stringify(body)
    const response = await server.app.inject({ method, url: path, ...(method === 'GET' ? {} : { payload }), headers: { authorization: 'Bearer service', 'content-type': 'application/json', ...headers } })
    return { status: response.statusCode, headers: response.headers, body: response.body === '' ? null : (JSON.parse(response.body) as any) }
  }
  const post = send('POST')
  return {
    server, post, oracle, get: (path: string, headers: Record<string, string> = {}) => send('GET')(path, null, headers),
    ask: (body: unknown, headers?: Record<string, string>) => post('/access/v1/evaluation', body, headers),
    askAll: (body: unknown, headers?: Record<string, string>) => post('/access/v1/evaluations', body, headers),
    metrics: async () => (await scrape(metrics, undefined)).text,
    counted: async (verdict: string) => Number(new RegExp(`decisions_total{verdict="${verdict}"} (\\d+)`).exec((await scrape(metrics, undefined)).text)?.[1]),
    [Symbol.asyncDispose]: async () => { await server.close({ drainMs: 0, deadlineMs: 100 }); await oracle?.[Symbol.asyncDispose]() },
  }
}

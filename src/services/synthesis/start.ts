import { randomUUID } from 'node:crypto'
import type { Config } from '#config'
import type { ConstitutionInForce } from '#adapters/constitution.ts'
import type { Examiner } from '#adapters/examiner.ts'
import type { Pack } from '#core/unit/pack.ts'
import { GenerateBody } from '#core/unit/request.ts'
import { toUnit } from '#core/unit/to-unit.ts'
import type { Authenticate } from '#http/authenticate.ts'
import { createHealth, type Component } from '#http/health.ts'
import type { RateLimits } from '#http/rate-limit.ts'
import { createServer, type Server } from '#http/server.ts'
import { openEdge, type OwnEdge } from '#services/edge.ts'
import type { Telemetry } from '#telemetry/events.ts'
import { propose, type Read } from './propose.ts'
import { routes } from './routes.ts'

/** Units and candidates: holds no database and no key. */
export async function startSynthesis({ config, version, inForce, packs, examiner, read, telemetry, authenticate, limits, components = [], edge = openEdge(config) }: {
  config: Config
  version: string
  inForce: ConstitutionInForce
  packs: readonly Pack[]
  examiner: Pick<Examiner, 'parseSchema' | 'bind'>
  read: Read
  telemetry: Telemetry
  authenticate: Authenticate
  limits: RateLimits
  components?: readonly Component[]
  edge?: OwnEdge
}): Promise<Server> {
  const health = createHealth({
    service: 'acgs-synthesis', version, constitution: inForce.shown, telemetry, intervalMs: config.monitoring.probeIntervalMs, timeoutMs: config.monitoring.probeTimeoutMs,
    components: [{ name: 'readers', isCritical: true, probe: () => ({ status: 'healthy' }) }, ...edge.components, ...components],
  })
  const server = await createServer({
    service: 'acgs-synthesis', title: 'ACGS-PGP v8: Governance Synthesis', version,
    description: 'Sentences over a schema in, candidate policies out, each with the method that made it and what it could not read.',
    constitution: inForce.shown, health, telemetry, authenticate, limits, edge, bodyBytesMax: config.security.bodyBytesMax,
    routes: routes({
      packs: packs.map(({ name }) => name),
      toUnit: ({ description, schema, domain, explanations, constitutional_principles }) => {
        const context = { examples: [], explanations, ...(schema === undefined ? {} : { schema }), ...(domain === undefined ? {} : { domain }) }
        const body = { ...GenerateBody.parse({ title: 'to be read', description: 'sentences to be read' }), description, context, constitutional_principles }
        return toUnit(`syn_${randomUUID()}`, body, { packs, constitution: inForce.constitution, parseSchema: examiner.parseSchema, threshold: config.constitutional.complianceThreshold })
      },
      propose: (unit) => propose(unit, examiner.bind(unit.schema).bound, read),
    }),
  })
  await health.start()
  return server
}

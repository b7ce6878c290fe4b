import { z } from 'zod'
import { PROBLEMS, PROBLEM_TYPE } from './problem.ts'
import type { ProblemCode } from './problem.ts'
import type { Endpoint } from './contract.ts'

type Schema = Record<string, unknown>

/** What every endpoint can answer besides what its contract lists. */
export function failuresOf(endpoint: Endpoint): ProblemCode[] {
  const codes = new Set<ProblemCode>([...endpoint.failures, 'INTERNAL'])
  if (!isProbe(endpoint)) codes.add('CONSTITUTION_MISMATCH')
  if (!isProbe(endpoint) && endpoint.limit !== 'none') codes.add('RATE_LIMITED')
  if (endpoint.params !== undefined || endpoint.query !== undefined || endpoint.body !== undefined) codes.add('REQUEST_MALFORMED')
  if (endpoint.body !== undefined) for (const code of ['REQUEST_TOO_LARGE', endpoint.refusesMediaWith === 400 ? 'REQUEST_MALFORMED' : 'UNSUPPORTED_MEDIA_TYPE'] as const) codes.add(code)
  if (endpoint.access !== 'public') for (const code of ['UNAUTHENTICATED', 'FORBIDDEN', 'AUTH_UNAVAILABLE'] as const) codes.add(code)
  return [...codes]
}

/** Paths on which the constitutional hash of the caller is not looked at. */
export const PROBE_PATHS: readonly string[] = ['/health', '/livez', '/readyz', '/startupz', '/metrics']

function isProbe(endpoint: Endpoint): boolean {
  return PROBE_PATHS.includes(endpoint.path)
}

/** The OpenAPI 3.1 document of one process, made from its contracts: there is no second description that could drift. */
export function openApi({ title, version, description, endpoints }: {
  title: string
  version: string
  description: string
  endpoints: readonly Endpoint[]
}) {
  const schemas: Record<string, Schema> = { Problem: problemSchema() }
  const paths: Record<string, Record<string, unknown>> = {}
  for (const endpoint of endpoints) (paths[endpoint.path] ??= {})[endpoint.method.toLowerCase()] = operation(endpoint, schemas)
  return {
    openapi: '3.1.0',
    info: { title, version, description, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    servers: [{ url: '/' }],
    tags: [...new Set(endpoints.map((endpoint) => tagOf(endpoint)))].map((name) => ({ name })),
    paths,
    components: {
      schemas,
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'An access token of Auth (RFC 9068); `acgs token --role author` prints one.' },
      },
    },
  }
}

function operation(endpoint: Endpoint, schemas: Record<string, Schema>) {
  const id = operationId(endpoint)
  const success = String(endpoint.status ?? 200)
  const reply = {
    [endpoint.produces ?? 'application/json']: {
      schema: schemaOf(endpoint.reply, 'output', `${id}Reply`, schemas),
      ...(endpoint.example?.reply === undefined ? {} : { example: endpoint.example.reply }),
    },
  }
  const responses: Record<string, unknown> = { [success]: { description: endpoint.summary, content: reply } }
  for (const [status, meaning] of Object.entries(endpoint.alsoStatus ?? {})) responses[status] = { description: meaning, content: reply }
  for (const [status, codes] of byStatus(failuresOf(endpoint))) {
    const problem = { [PROBLEM_TYPE]: { schema: { $ref: '#/components/schemas/Problem' } } }
    const said = codes.map((code) => `\`${code}\`: ${PROBLEMS[code].title}.`).join(' ')
    const existing = responses[status] as { description: string; content: object } | undefined
    responses[status] = existing === undefined ? { description: said, content: problem }
      : { description: `${existing.description} Or ${said}`, content: { ...existing.content, ...problem } }
  }
  return {
    operationId: id,
    tags: [tagOf(endpoint)],
    summary: endpoint.summary,
    description: [endpoint.description, accessSentence(endpoint)].filter((part) => part !== undefined).join('\n\n'),
    security: endpoint.access === 'public' ? [] : [{ bearer: [] }],
    parameters: [...parameters(endpoint.params, 'path', id, schemas), ...parameters(endpoint.query, 'query', id, schemas)],
    ...(endpoint.body === undefined ? {} : {
      requestBody: {
        required: !endpoint.body.safeParse(undefined).success,
        content: {
          [endpoint.consumes ?? 'application/json']: {
            schema: schemaOf(endpoint.body, 'input', `${id}Body`, schemas),
            ...(endpoint.example?.body === undefined ? {} : { example: endpoint.example.body }),
          },
        },
      },
    }),
    responses,
  }
}

export function accessSentence(endpoint: Endpoint): string {
  return endpoint.access === 'public' ? 'No token needed.' : `Needs a token with the role ${endpoint.access.map((role) => `\`${role}\``).join(' or ')}.`
}

function parameters(object: z.ZodObject | undefined, where: 'path' | 'query', id: string, schemas: Record<string, Schema>) {
  if (object === undefined) return []
  return Object.entries(object.shape as Record<string, z.ZodType>).map(([name, schema]) => ({
    name,
    in: where,
    required: where === 'path' || !schema.safeParse(undefined).success,
    ...(schema.description === undefined ? {} : { description: schema.description }),
    schema: schemaOf(schema, 'input', `${id}${pascal(name)}`, schemas),
  }))
}

/** A zod schema as JSON Schema; what it shares or repeats moves to `components`, because a reference starts at the root of the document. */
function schemaOf(schema: z.ZodType, io: 'input' | 'output', name: string, schemas: Record<string, Schema>): Schema {
  const { $schema: _, $defs, ...root } = z.toJSONSchema(schema, {
    target: 'draft-2020-12', io, unrepresentable: 'any',
    // `.readonly()` is said to our compiler; here it would mean that a request must leave the member out.
    override: ({ jsonSchema }) => { delete jsonSchema.readOnly },
  }) as Schema
  const nameOf = (local: string) => (local.startsWith('__') ? `${name}${local.replace(/\W|_/g, '')}` : `${pascal(local)}${io === 'input' ? 'Input' : ''}`)
  const moved = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(moved)
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([key, member]) => {
      if (key !== '$ref' || typeof member !== 'string') return [key, moved(member)]
      if (member === '#') return [key, `#/components/schemas/${name}`]
      return [key, member.replace(/^#\/\$defs\/(.*)$/, (_whole, local: string) => `#/components/schemas/${nameOf(local)}`)]
    }))
  }
  for (const [local, definition] of Object.entries(($defs ?? {}) as Record<string, Schema>)) schemas[nameOf(local)] = withoutId(moved(definition) as Schema)
  const isRecursive = JSON.stringify(root).includes('"$ref":"#"')
  const result = withoutId(moved(root) as Schema)
  if (!isRecursive) return result
  schemas[name] = result
  return { $ref: `#/components/schemas/${name}` }
}

function withoutId({ id: _, ...schema }: Schema): Schema {
  return schema
}

function problemSchema(): Schema {
  return {
    type: 'object',
    description: 'What went wrong (RFC 9457). Some codes bring members of their own.',
    required: ['type', 'title', 'status', 'detail', 'code', 'trace_id'],
    properties: {
      type: { type: 'string' },
      title: { type: 'string' },
      status: { type: 'integer', minimum: 400, maximum: 599 },
      detail: { type: 'string' },
      code: { type: 'string', enum: Object.keys(PROBLEMS) },
      trace_id: { type: 'string', pattern: '^[0-9a-f]{32}$' },
      problems: {
        type: 'array',
        description: 'Every place that is wrong, when there are several.',
        items: { type: 'object', required: ['place', 'message'], properties: { place: { type: 'string' }, message: { type: 'string' } } },
      },
      compliance_score: { type: ['number', 'null'], minimum: 0, maximum: 1 },
      required_threshold: { type: 'number', minimum: 0, maximum: 1 },
      constitutional_hash: { type: 'string' },
      violations: { type: 'array', items: { type: 'object' } },
    },
    additionalProperties: true,
  }
}

function byStatus(codes: readonly ProblemCode[]): [string, ProblemCode[]][] {
  const grouped = new Map<string, ProblemCode[]>()
  for (const code of codes) {
    const status = String(PROBLEMS[code].status)
    grouped.set(status, [...(grouped.get(status) ?? []), code])
  }
  return [...grouped].sort(([a], [b]) => a.localeCompare(b))
}

function operationId(endpoint: Endpoint): string {
  return endpoint.method.toLowerCase() + endpoint.path.split(/[^A-Za-z0-9]+/).filter((part) => part !== '').map(pascal).join('')
}

function tagOf(endpoint: Endpoint): string {
  const parts = endpoint.path.split('/').filter((part) => part !== '' && part !== 'api' && !/^v\d$/.test(part))
  return parts.length === 0 || isProbe(endpoint) || ['docs', 'openapi.json'].includes(parts[0]!) ? 'service' : parts[0]!.replace(/^\./, '')
}

function pascal(text: string): string {
  return text.split(/[^A-Za-z0-9]+/).filter((part) => part !== '').map((part) => part[0]!.toUpperCase() + part.slice(1)).join('')
}

import { readFileSync } from 'node:fs'
import { dirname, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { LineCounter, isMap, isScalar, parseDocument } from 'yaml'
import type { Pair } from 'yaml'
import { z } from 'zod'
import { Failure } from '#core/failure.ts'
import type { Problem } from '#core/failure.ts'
import { networksIn } from '#http/client-address.ts'

/** What can be started: one process, or the four of them as one (`all`). */
export type ProcessName = 'all' | 'platform' | 'auth' | 'synthesis' | 'compliance'

const port = z.int().min(1).max(65_535)
const httpUrl = z.url({ protocol: /^https?$/ }).transform((url) => url.replace(/\/+$/, ''))
const path = z.string().min(1)
const perMinute = z.int().min(0).max(10_000).nullable()
const millis = z.int().min(1).max(600_000)

/** One key: its shape, its default, and the words that complete "must be …". */
function key<S extends z.ZodType>(schema: S, fallback: z.input<S>, mustBe: string) {
  return { schema, fallback, mustBe }
}

/** Every key there is. A section without keys is one that nothing reads yet. */
export const SECTIONS = {
  service: {
    environment: key(z.enum(['embedded', 'production']), 'embedded', '`embedded` or `production`'),
    host: key(z.string().min(1).max(255), '127.0.0.1', 'an address to listen on, such as 127.0.0.1 or 0.0.0.0'),
    data_folder: key(path, './data', 'a folder that may be written'),
    drain_seconds: key(z.number().min(0).max(600), 0, 'a number of seconds from 0 to 600'),
    shutdown_seconds: key(z.number().min(0.1).max(600), 10, 'a number of seconds from 0.1 to 600'),
    tls_certificate_file: key(path.nullable(), null, 'the path of a certificate with its chain in PEM form, or null for HTTP without TLS'),
    tls_key_file: key(path.nullable(), null, 'the path of its private key in PEM form'),
  },
  constitutional: {
    hash: key(z.string().regex(/^[0-9a-f]{16}$/), 'cdd01ef066bc6cf2', '16 lower-case hex digits, in quotes'),
    document: key(path, './constitutions/acgs.yaml', 'the path of a constitution'),
    ratification: key(path, './constitutions/acgs.ratification.yaml', 'the path of a ratification record'),
    certificate_days: key(z.int().min(1).max(3_650), 365, 'a whole number of days from 1 to 3650'),
    bundle_days: key(z.int().min(1).max(365), 7, 'a whole number of days from 1 to 365'),
    compliance_threshold: key(z.number().min(0.5).max(1), 0.8, 'a number from 0.5 to 1'),
  },
  generation_engine: {
    proof_timeout_ms: key(millis, 5_000, 'a number of milliseconds from 1 to 600000'),
    solvers: key(z.int().min(1).max(64), 2, 'a whole number from 1 to 64'),
    workers: key(z.int().min(1).max(64), 4, 'a whole number from 1 to 64'),
    at_once_max: key(z.int().min(1).max(1_000), 8, 'a whole number from 1 to 1000'),
    waiting_max: key(z.int().min(0).max(10_000), 100, 'a whole number from 0 to 10000'),
    wait_timeout_ms: key(millis, 15_000, 'a number of milliseconds from 1 to 600000'),
    backlog_max: key(z.int().min(0).max(1_000_000), 10_000, 'a whole number from 0 to 1000000'),
    idempotency_hours: key(z.int().min(1).max(8_760), 24, 'a whole number of hours from 1 to 8760'),
    event_streams_max: key(z.int().min(0).max(10_000), 200, 'a whole number from 0 to 10000'),
    proof_rlimit: key(z.int().min(1_000).max(2_000_000_000), 20_000_000, 'a whole number from 1000 to 2000000000'),
  },
  llm_ensemble: {},
  stabilizer: {},
  diagnostic: {
    kept_days: key(z.int().min(1).max(36_500), 365, 'a whole number of days from 1 to 36500'),
  },
  database: {
    url: key(z.url({ protocol: /^postgres(ql)?$/ }).nullable(), null, 'a URL that begins with postgresql://, or null for the embedded one'),
    connections_max: key(z.int().min(2).max(500), 10, 'a whole number from 2 to 500'),
    connect_timeout_ms: key(millis, 5_000, 'a number of milliseconds from 1 to 600000'),
    backup_folder: key(path.nullable(), null, 'the path of a folder with backups, or null'),
    backup_validation_hours: key(z.int().min(1).max(8_760), 168, 'a whole number of hours from 1 to 8760'),
  },
  redis: {
    url: key(z.url({ protocol: /^rediss?$/ }).nullable(), null, 'a URL that begins with redis:// or rediss://, or null'),
    connect_timeout_ms: key(millis, 500, 'a number of milliseconds from 1 to 600000'),
    timeout_ms: key(millis, 100, 'a number of milliseconds from 1 to 600000'),
  },
  services: {
    platform_port: key(port, 8010, 'a port from 1 to 65535'),
    auth_port: key(port, 8000, 'a port from 1 to 65535'),
    synthesis_port: key(port, 8004, 'a port from 1 to 65535'),
    compliance_port: key(port, 8005, 'a port from 1 to 65535'),
    platform_url: key(httpUrl.nullable(), null, 'a URL that begins with http:// or https://, or null for this machine'),
    auth_url: key(httpUrl.nullable(), null, 'a URL that begins with http:// or https://, or null for this machine'),
    synthesis_url: key(httpUrl.nullable(), null, 'a URL that begins with http:// or https://, or null for this machine'),
    compliance_url: key(httpUrl.nullable(), null, 'a URL that begins with http:// or https://, or null for this machine'),
  },
  security: {
    token_issuer: key(httpUrl.nullable(), null, 'a URL that begins with http:// or https://, or null for the URL of Auth'),
    token_audience: key(z.url().regex(/^[^#]{1,200}$/), 'urn:acgs-pgp-v8', 'an absolute URI without a fragment, such as urn:acgs-pgp-v8'),
    peer_audience: key(z.url().regex(/^[^#]{1,200}$/), 'urn:acgs-pgp-v8:peers', 'an absolute URI without a fragment, such as urn:acgs-pgp-v8:peers'),
    token_ttl_seconds: key(z.int().min(10).max(86_400), 900, 'a number of seconds from 10 to 86400'),
    token_bytes_max: key(z.int().min(512).max(65_536), 8_192, 'a number of bytes from 512 to 65536'),
    clock_tolerance_seconds: key(z.int().min(0).max(300), 5, 'a number of seconds from 0 to 300'),
    signing_key_file: key(path.nullable(), null, 'the path of a private JWK, or null for a generated one'),
    service_accounts_file: key(path.nullable(), null, 'the path of a list of service accounts, or null for generated ones'),
    certificate_key_file: key(path.nullable(), null, 'the path of a private Ed25519 key, or null for a generated one'),
    peer_client_id: key(z.string().regex(/^[A-Za-z0-9._-]{1,100}$/).nullable(), null, 'the client_id of a service account, or null for `acgs-` and the name of the process'),
    peer_key_file: key(path.nullable(), null, 'the path of a private JWK'),
    trusted_proxies: key(z.string().refine((list) => networksIn(list) !== null).nullable(), null, 'addresses and networks with commas between them, such as 10.0.0.0/8, or null'),
    forwarded_header: key(z.enum(['x-forwarded-for', 'forwarded']), 'x-forwarded-for', '`x-forwarded-for` or `forwarded`'),
    address_requests_per_minute: key(perMinute, null, 'a whole number from 0 to 10000, or null'),
    generations_per_minute: key(perMinute, null, 'a whole number from 0 to 10000, or null'),
    diagnoses_per_minute: key(perMinute, null, 'a whole number from 0 to 10000, or null'),
    connections_max: key(z.int().min(10).max(1_000_000).nullable(), null, 'a whole number from 10 to 1000000, or null for what open files allow'),
    body_bytes_max: key(z.int().min(1_024).max(67_108_864), 1_048_576, 'a number of bytes from 1024 to 67108864'),
    entities_bytes_max: key(z.int().min(1_024).max(268_435_456), 67_108_864, 'a number of bytes from 1024 to 268435456'),
  },
  monitoring: {
    log_level: key(z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']), 'info', 'trace, debug, info, warn, error, fatal or silent'),
    probe_interval_ms: key(millis, 5_000, 'a number of milliseconds from 1 to 600000'),
    probe_timeout_ms: key(millis, 2_000, 'a number of milliseconds from 1 to 600000'),
    clock_difference_seconds_max: key(z.int().min(1).max(86_400), 60, 'a whole number of seconds from 1 to 86400'),
  },
  decisions: {
    oracle_per_second: key(z.number().min(0).max(1_000), 2, 'a number from 0 to 1000'),
  },
  caching: {
    candidates_ttl_seconds: key(z.int().min(0).max(2_592_000), 3_600, 'a whole number of seconds from 0 to 2592000'),
    memory_bytes_max: key(z.int().min(0).max(4_294_967_296), 8_388_608, 'a number of bytes from 0 to 4294967296'),
  },
  error_handling: {
    breaker_failures: key(z.int().min(1).max(1_000), 5, 'a whole number from 1 to 1000'),
    breaker_rest_ms: key(millis, 30_000, 'a number of milliseconds from 1 to 600000'),
  },
  audit: {
    checkpoint_origin: key(z.string().regex(/^[!-*,-~]{1,200}$/), 'acgs-pgp-v8', 'a name without spaces and plus signs, such as ledger.example.com/acgs'),
    checkpoint_file: key(path.nullable(), null, 'the path of a file that may be written, or null for one in the data folder'),
  },
} as const

/** Names from before there was `ACGS_<SECTION>_<KEY>`; operators and the runbook use them. */
const ALIASES: Readonly<Record<string, string>> = {
  DATABASE_URL: 'database.url',
  REDIS_URL: 'redis.url',
  CONSTITUTIONAL_HASH: 'constitutional.hash',
  AUTH_SERVICE_URL: 'services.auth_url',
  GS_SERVICE_URL: 'services.synthesis_url',
  PGC_SERVICE_URL: 'services.compliance_url',
  PLATFORM_SERVICE_URL: 'services.platform_url',
  LOG_LEVEL: 'monitoring.log_level',
}

/** Variables that begin with ACGS_ and are not keys: read by the command line and by tests. */
const NOT_KEYS = /^ACGS_(TOKEN|SLOW|TEST_[A-Z0-9_]+)$/

type Sections = typeof SECTIONS
type Camel<S extends string> = S extends `${infer Head}_${infer Tail}` ? `${Head}${Capitalize<Camel<Tail>>}` : S
type Value<K> = K extends { schema: infer S extends z.ZodType } ? z.output<S> : never
type Settings = {
  readonly [S in keyof Sections as Camel<S & string>]: { readonly [K in keyof Sections[S] as Camel<K & string>]: Value<Sections[S][K]> }
}
type Url<N extends string> = { readonly [K in `${N}Url`]: string }

/** The effective configuration: frozen, complete, every path absolute and every URL known. */
export type Config = Omit<Settings, 'services' | 'security'> & {
  readonly services: Omit<Settings['services'], `${string}Url`> & Url<'platform'> & Url<'auth'> & Url<'synthesis'> & Url<'compliance'>
  readonly security: Omit<Settings['security'], 'tokenIssuer'> & { readonly tokenIssuer: string }
  readonly process: ProcessName
  /** What start-up must say: accepted, but without the effect one might expect. */
  readonly notices: readonly string[]
  /** `section.key` → where its value comes from: `default`, the file's path, `environment NAME` or `--data`. */
  readonly origins: ReadonlyMap<string, string>
}

/** The folder that holds package.json; relative paths of the shipped file and the defaults start here. */
export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..')
export const DEFAULT_FILE = resolve(ROOT, 'config/acgs_pgp_v8_config.yaml')

/**
 * The configuration in force: defaults, overridden by the file, overridden by the environment, overridden by `--data`.
 *
 * Relative paths start at the project's folder when they come from a default or the shipped file, at its own folder when they come
 * from another file, and at the working directory when they come from the environment or the command line. An empty variable is an
 * absent one.
 *
 * @param file Null for the shipped file.
 * @param startsNothing For a command that only looks, in the environment of any of the processes: it needs none of their secrets.
 * @throws {Failure} CONFIG_INVALID with every problem, its place and its remedy; unknown keys and ACGS_ variables among them.
 */
export function readConfig({ file = null, env, process = 'all', dataFolder, startsNothing = false }: {
  file?: string | null
  env: Readonly<Record<string, string | undefined>>
  process?: ProcessName
  dataFolder?: string | undefined
  startsNothing?: boolean
}): Config {
  const problems: Problem[] = []
  const notices: string[] = []
  const given = new Map<string, { value: unknown; place: string; origin: string; base: string }>()

  for (const [name, entry] of readFile(resolve(file ?? DEFAULT_FILE), problems)) given.set(name, entry)
  readEnvironment(env, process, given, problems, notices)
  if (dataFolder !== undefined) {
    given.set('service.data_folder', { value: dataFolder, place: '--data', origin: '--data', base: globalThis.process.cwd() })
  }

  const values: Record<string, Record<string, unknown>> = {}
  const origins = new Map<string, string>()
  for (const [name, { section, local, definition }] of KEYS) {
    const entry = given.get(name)
    const parsed = definition.schema.safeParse(entry === undefined ? definition.fallback : entry.value)
    if (!parsed.success) {
      const shown = isSecret(name) ? 'what is there' : `\`${shorten(entry?.value)}\``
      problems.push({ place: entry?.place ?? name, message: `\`${name}\` must be ${definition.mustBe}; ${shown} is not` })
      continue
    }
    origins.set(name, entry?.origin ?? 'default')
    const value = PATHS.has(name) && typeof parsed.data === 'string' ? resolve(entry?.base ?? ROOT, parsed.data) : parsed.data
    ;(values[camel(section)] ??= {})[camel(local)] = value
  }
  for (const section of Object.keys(SECTIONS)) values[camel(section)] ??= {}

  if (problems.length === 0) requireWholeTls(values as unknown as Settings, problems)
  if (problems.length === 0 && !startsNothing) requireSecrets(values as unknown as Settings, process, given, problems)
  if (problems.length > 0) {
    const sorted = problems.toSorted((a, b) => (a.place < b.place ? -1 : a.place > b.place ? 1 : 0))
    throw new Failure('CONFIG_INVALID', `configuration: ${sorted.map((p) => `${p.place}: ${p.message}`).join('; ')}`, { problems: sorted })
  }
  return complete(values as unknown as Settings, process, notices, origins)
}

/** The configuration as `acgs config show` prints it: the file's own names, passwords replaced. */
export function redact(config: Config): Record<string, Record<string, unknown>> {
  const shown: Record<string, Record<string, unknown>> = {}
  const values = config as unknown as Record<string, Record<string, unknown>>
  for (const section of Object.keys(SECTIONS)) shown[section] = {}
  for (const [name, { section, local }] of KEYS) {
    const value = values[camel(section)]?.[camel(local)]
    const visible = isSecret(name) && typeof value === 'string' ? withoutPassword(value) : value
    ;(shown[section] ??= {})[local] = visible
  }
  return shown
}

/**
 * Everything that environment and command line override, by the names `ACGS_<SECTION>_<KEY>`, also what was given by an older name such as
 * DATABASE_URL: set again, it gives the same configuration over the same file. Relative paths are made absolute.
 */
export function overrides(config: Config, env: Readonly<Record<string, string | undefined>>, isRedacted: boolean): Readonly<Record<string, string>> {
  const values = config as unknown as Record<string, Record<string, unknown>>
  return Object.fromEntries([...config.origins].flatMap(([name, origin]) => {
    const { section, local } = KEYS.get(name)!
    const variable = /^environment (\w+)$/.exec(origin)?.[1]
    if (variable === undefined && origin !== '--data') return []
    const inForce = values[camel(section)]?.[camel(local)]
    const text = variable === undefined || (PATHS.has(name) && typeof inForce === 'string') ? String(inForce) : (env[variable] ?? '')
    return [[variableOf(name), isRedacted && isSecret(name) && text !== 'null' ? withoutPassword(text) : text]]
  }))
}

const KEYS: ReadonlyMap<string, { section: string; local: string; definition: ReturnType<typeof key> }> = new Map(
  Object.entries(SECTIONS).flatMap(([section, keys]) =>
    Object.entries(keys).map(([local, definition]) => [`${section}.${local}`, { section, local, definition: definition as ReturnType<typeof key> }]),
  ),
)
const PATHS = new Set([...KEYS.keys()].filter((name) => /_(file|folder)$|^constitutional\.(document|ratification)$/.test(name)))
const isSecret = (name: string) => name === 'database.url' || name === 'redis.url'

function complete(settings: Settings, process: ProcessName, notices: string[], origins: Map<string, string>): Config {
  const { services, security, service } = settings
  const reachable = /^(0\.0\.0\.0|::)$/.test(service.host) ? '127.0.0.1' : service.host
  const here = (number: number) => `${service.tlsCertificateFile === null ? 'http' : 'https'}://${reachable.includes(':') ? `[${reachable}]` : reachable}:${number}`
  const authUrl = services.authUrl ?? here(services.authPort)
  for (const name of ['platform', 'synthesis', 'compliance'] as const) {
    if (process === 'all' && services[`${name}Url`] !== null) notices.push(`a URL of ${name} is set, but all four are one process here: it is not contacted`)
  }
  if (service.environment === 'embedded' && !/^(127\.|localhost$|::1$)/.test(service.host)) {
    notices.push(`listening on ${service.host}: the embedded default is meant for loopback; set service.environment to production for a network`)
  }
  if (service.environment === 'production' && security.trustedProxies === null && security.addressRequestsPerMinute !== 0) {
    notices.push('requests are limited by address and no proxy is trusted: behind a balancer all callers count as one; name it in security.trusted_proxies')
  }
  return deepFreeze({
    ...settings,
    services: {
      ...services,
      authUrl,
      platformUrl: services.platformUrl ?? here(services.platformPort),
      synthesisUrl: services.synthesisUrl ?? here(services.synthesisPort),
      complianceUrl: services.complianceUrl ?? here(services.compliancePort),
    },
    security: { ...security, tokenIssuer: security.tokenIssuer ?? authUrl },
    process,
    notices,
    origins,
  })
}

/** What only some processes may hold, and what for. Started apart, each is given exactly its own. */
const SECRETS = [
  { name: 'database.url', of: ['platform', 'auth'], why: 'the embedded PostgreSQL is for `serve all`' },
  { name: 'security.signing_key_file', of: ['auth'], why: 'tokens are signed with it' },
  { name: 'security.service_accounts_file', of: ['auth'], why: 'it says who may ask for tokens' },
  { name: 'security.certificate_key_file', of: ['compliance'], why: 'certificates are signed with it' },
  { name: 'security.peer_key_file', of: ['platform', 'compliance'], why: 'it asks Auth for tokens with it, to call the others' },
] as const satisfies readonly { readonly name: string; readonly of: readonly ProcessName[]; readonly why: string }[]

/**
 * There are no default secrets: what the embedded default generates, production must be given. A process that is started apart is given
 * its own and refuses those of the others: whoever breaks into it shall find nothing else.
 */
function requireSecrets(settings: Settings, process: ProcessName, given: ReadonlyMap<string, { readonly place: string }>, problems: Problem[]): void {
  const { service, security, database } = settings
  const values: Readonly<Record<(typeof SECRETS)[number]['name'], unknown>> = {
    'database.url': database.url,
    'security.signing_key_file': security.signingKeyFile,
    'security.service_accounts_file': security.serviceAccountsFile,
    'security.certificate_key_file': security.certificateKeyFile,
    'security.peer_key_file': security.peerKeyFile,
  }
  const isProduction = service.environment === 'production'
  for (const { name, of, why } of SECRETS) {
    const isOwn = process === 'all' ? isProduction && name !== 'security.peer_key_file' : (of as readonly ProcessName[]).includes(process)
    const reason = name === 'database.url' && isProduction ? 'the embedded PostgreSQL is for one machine' : why
    if (isOwn && values[name] === null) {
      problems.push({ place: name, message: `\`${name}\` must be set ${process === 'all' ? 'in production' : `for ${process}${isProduction ? ' in production' : ' started apart'}`}: ${reason}` })
    } else if (!isOwn && process !== 'all' && values[name] !== null) {
      problems.push({ place: given.get(name)?.place ?? name, message: `\`${name}\` is of ${of.join(' and ')} and must not be given to ${process}: leave it out` })
    }
  }
  if (isProduction && !given.has('constitutional.hash')) {
    problems.push({ place: 'constitutional.hash', message: '`constitutional.hash` must be set in production, in the file or as CONSTITUTIONAL_HASH: which constitution is to be enforced is not left to a default; `acgs constitution check` shows the id of the ratified document' })
  }
  if (isProduction && security.tokenIssuer === null) problems.push({ place: 'security.token_issuer', message: '`security.token_issuer` must be set in production: every process must know whose tokens count' })
}

function requireWholeTls({ service }: Settings, problems: Problem[]): void {
  const { tlsCertificateFile, tlsKeyFile } = service
  if ((tlsCertificateFile === null) === (tlsKeyFile === null)) return
  const missing = tlsKeyFile === null ? 'tls_key_file' : 'tls_certificate_file'
  problems.push({ place: `service.${missing}`, message: `\`service.${missing}\` must be set as well: a certificate and its key belong together` })
}

function* readFile(file: string, problems: Problem[]): Generator<[string, { value: unknown; place: string; origin: string; base: string }]> {
  const inside = relative(ROOT, file)
  const shownFile = inside.startsWith('..') ? file : inside
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    problems.push({ place: shownFile, message: `cannot be read: ${cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown reason'}` })
    return
  }
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, version: '1.2' })
  const at = (offset: number | undefined) => `${shownFile}:${offset === undefined ? 1 : lines.linePos(offset).line}`
  for (const error of document.errors) problems.push({ place: at(error.pos[0]), message: error.message.split('\n')[0]?.replace(/ at line .*$/, '') ?? 'not YAML' })
  if (document.errors.length > 0 || document.contents === null) return
  if (!isMap(document.contents)) {
    problems.push({ place: at(0), message: 'must be sections with keys, such as `service:` and `  host: 127.0.0.1`' })
    return
  }
  for (const pair of document.contents.items) {
    const section = nameOf(pair)
    const known = Object.hasOwn(SECTIONS, section) ? Object.keys(SECTIONS[section as keyof Sections]) : null
    if (known === null) {
      problems.push({ place: at(offsetOf(pair)), message: `unknown section \`${section}\`; there are ${Object.keys(SECTIONS).join(', ')}` })
      continue
    }
    if (pair.value === null || (isScalar(pair.value) && pair.value.value === null)) continue
    if (!isMap(pair.value)) {
      problems.push({ place: at(offsetOf(pair)), message: `section \`${section}\` must hold keys` })
      continue
    }
    for (const leaf of pair.value.items) {
      const local = nameOf(leaf)
      const place = at(offsetOf(leaf))
      if (!known.includes(local)) {
        problems.push({ place, message: `unknown key \`${section}.${local}\`${known.length > 0 ? `; there are ${known.join(', ')}` : '; nothing reads this section yet'}` })
        continue
      }
      const node = leaf.value
      const value = isScalar(node) ? node.value : node === null ? null : document.getIn([section, local])
      yield [`${section}.${local}`, { value, place, origin: shownFile, base: file === DEFAULT_FILE ? ROOT : dirname(file) }]
    }
  }
}

function readEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  process: ProcessName,
  given: Map<string, { value: unknown; place: string; origin: string; base: string }>,
  problems: Problem[],
  notices: string[],
): void {
  const seen = new Map<string, { variable: string; text: string }>()
  const accept = (variable: string, name: string, text: string) => {
    const before = seen.get(name)
    if (before !== undefined && before.text !== text) {
      problems.push({ place: `environment ${variable}`, message: `says something else than ${before.variable}, which means the same key \`${name}\`; set one of them` })
      return
    }
    seen.set(name, { variable, text })
    const place = `environment ${variable}`
    given.set(name, { value: fromText(text, KEYS.get(name)!.definition.schema), place, origin: place, base: globalThis.process.cwd() })
  }

  const byVariable = new Map([...KEYS.keys()].map((name) => [variableOf(name), name]))
  for (const variable of Object.keys(env).sort()) {
    const text = env[variable]
    if (text === undefined || text === '') continue
    if (variable === 'PORT') {
      if (process === 'all') notices.push('PORT is set, but four processes start: use ACGS_SERVICES_PLATFORM_PORT and its siblings')
      else accept(variable, `services.${process}_port`, text)
    } else if (Object.hasOwn(ALIASES, variable)) {
      accept(variable, ALIASES[variable]!, text)
    } else if (variable.startsWith('ACGS_') && !NOT_KEYS.test(variable)) {
      const name = byVariable.get(variable)
      if (name === undefined) problems.push({ place: `environment ${variable}`, message: `unknown variable; ${nearest(variable, [...byVariable.keys()])}` })
      else accept(variable, name, text)
    }
  }
}

/** What a variable's text means for a key: digits are a number only where a number is wanted, so that a hash of digits stays text. */
function fromText(text: string, schema: z.ZodType): unknown {
  const inner = schema instanceof z.ZodNullable ? (schema.unwrap() as z.ZodType) : schema
  if (schema instanceof z.ZodNullable && text === 'null') return null
  if (inner instanceof z.ZodNumber) return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text
  return text
}

function nearest(variable: string, known: readonly string[]): string {
  const section = known.filter((name) => variable.split('_')[1] !== undefined && name.startsWith(`ACGS_${variable.split('_')[1]}_`))
  return section.length > 0 ? `did you mean one of ${section.join(', ')}` : 'names are ACGS_<SECTION>_<KEY>, after the configuration file'
}

function withoutPassword(url: string): string {
  const parsed = new URL(url)
  if (parsed.password !== '') parsed.password = 'redacted'
  for (const name of [...parsed.searchParams.keys()]) if (/pass/i.test(name)) parsed.searchParams.set(name, 'redacted')
  return parsed.href
}

function variableOf(name: string): string {
  return `ACGS_${name.replace('.', '_').toUpperCase()}`
}

function camel(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
}

function nameOf(pair: Pair): string {
  return String(isScalar(pair.key) ? pair.key.value : pair.key)
}

function offsetOf(pair: Pair): number | undefined {
  return isScalar(pair.key) ? pair.key.range?.[0] : undefined
}

function shorten(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'undefined')
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}

function deepFreeze<T extends object>(value: T): T {
  for (const member of Object.values(value)) {
    if (typeof member === 'object' && member !== null && !(member instanceof Map)) deepFreeze(member)
  }
  return Object.freeze(value)
}

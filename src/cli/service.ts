import { Option } from 'commander'
import type { Command } from 'commander'
import { readConfig, type Config } from '#config'
import { Failure, type Problem } from '#core/failure.ts'
import { ROLES, type Method, type Role } from '#http/contract.ts'
import { whyUntrusted } from '#http/trust.ts'
import { obtainToken } from '#services/auth/obtain-token.ts'
import { EXIT, type Answer } from './terminal.ts'

/** What every command takes that asks a running service. */
export type ServiceOptions = { as?: Role; data?: string; config?: string; json?: boolean; quiet?: boolean }

/** A reply as it came; `body` is parsed where it is JSON, else its text, null when there is none. */
export type Reply = { readonly status: number; readonly headers: Headers; readonly body: unknown }

export type Question = {
  /** Whose port is asked: decisions are of compliance, approvals are signed by Auth, everything else is of the platform. */
  readonly service: 'platform' | 'compliance' | 'auth'
  readonly method: Method
  /** With its parameters filled in and escaped: see {@link pathOf}. */
  readonly path: `/${string}`
  /** Sent as JSON; a Uint8Array is JSON already and is sent as it stands, so that no integer in it is changed. */
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  /** Who asks when neither `--as` nor ACGS_TOKEN says so: `author` for writing, `service` for asking; null: anybody may ask. */
  readonly role: Role | null
}

const TIMEOUT_MS = 120_000

/** Adds `--as`, `--data` and `--config`. */
export function asksService(command: Command): Command {
  return command
    .addOption(new Option('--as <role>', 'whose part to play, with the keys of the embedded default; ACGS_TOKEN gives any other token').choices([...ROLES]))
    .option('--data <dir>', 'the data folder of the server that runs')
    .option('--config <file>', 'another configuration file')
}

/** A contract's path with its parameters: `pathOf('/api/v1/applications/{app}', { app: 'clinic' })`. */
export function pathOf(path: `/${string}`, params: Readonly<Record<string, string>>): `/${string}` {
  return path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(params[name] ?? '')) as `/${string}`
}

/**
 * Asks a running service, and returns whatever it answered: a problem is a reply too.
 *
 * The token is that of `--as`, else ACGS_TOKEN, else one for the question's role.
 * @throws {Failure} PEER_UNAVAILABLE when nobody answers there; whatever keeps it from getting a token.
 */
export async function askService(question: Question, options: ServiceOptions): Promise<Reply> {
  const config = readConfig({ file: options.config ?? null, env: process.env, dataFolder: options.data })
  const base = config.services[`${question.service}Url`]
  const token = question.role === null ? null : await tokenFor(question.role, config, options)
  const { body } = question
  let response: Response
  let text: string
  try {
    response = await fetch(`${base}${question.path}`, {
      method: question.method,
      headers: { ...(token === null ? {} : { authorization: `Bearer ${token}` }), ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...question.headers },
      ...(body === undefined ? {} : { body: body instanceof Uint8Array ? new Uint8Array(body) : JSON.stringify(body) }),
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    text = await response.text()
  } catch (cause) {
    const variable = { platform: 'PLATFORM_SERVICE_URL', compliance: 'PGC_SERVICE_URL', auth: 'AUTH_SERVICE_URL' }[question.service]
    const untrusted = whyUntrusted(cause)
    const isLate = cause instanceof Error && cause.name === 'TimeoutError'
    throw new Failure('PEER_UNAVAILABLE', isLate
      ? `the ${question.service} at ${base} did not answer within ${TIMEOUT_MS / 1000} s: look at its /health`
      : untrusted !== null ? `the ${question.service} at ${base} ${untrusted}`
      : `the ${question.service} does not answer at ${base}: start it with ./acgs serve, or say where it is with ${variable}`, { cause })
  }
  return { status: response.status, headers: response.headers, body: text === '' ? null : isJson(response) ? (JSON.parse(text) as unknown) : text }
}

/**
 * What to print and with which status to leave: a reply that is no 2xx becomes its problem, with every place.
 *
 * @param render For people, of a reply that is a 2xx.
 * @param names What a place in the request is called where it was typed: `{ 'params.app': '<app>' }`.
 */
export function answerOf(reply: Reply, render: (body: any) => string, names: { readonly [place: string]: string } = {}): Answer {
  const exit = exitOf(reply)
  if (reply.status >= 200 && reply.status < 300) return { json: reply.body, text: render(reply.body), exit }
  const { detail, problems: places = [], required } = reply.body as { detail?: string; problems?: readonly Problem[]; required?: readonly Role[] }
  const typed = (text: string) => Object.entries(names).reduce((said, [place, name]) => said.replaceAll(place, name), text)
  const problems = places.map(({ place, message }) => ({ place: typed(place), message }))
  const remedy = required === undefined ? '' : `: ask with ${required.map((role) => `--as ${role}`).join(' or ')}`
  const said = `${typed(detail ?? `the service answered ${reply.status}`)}${remedy}`
  const isSaid = ({ place, message }: Problem) => said.includes(problems.length === 1 ? message : `${place}: ${message}`)
  const shown = problems.filter((problem) => !isSaid(problem)).map(({ place, message }) => `  ${place}: ${message}`)
  return { json: reply.body, text: '', error: [said, ...shown].join('\n'), exit }
}

/**
 * The exit status that an outcome over HTTP stands for: 2xx 0 · what is there does not allow it, or refused 3 · undetermined 4 · bad
 * input 2 · everything else 1.
 */
export function exitOf({ status, body }: Pick<Reply, 'status' | 'body'>): number {
  if (status >= 200 && status < 300) return EXIT.yes
  if (status === 409) return EXIT.no
  if (status === 422) {
    const { code } = (body ?? {}) as { code?: string }
    return code === 'POLICY_UNDETERMINED' ? EXIT.undetermined : code === 'UNSUPPORTED_CONSTRUCT' || code === 'EXAMPLES_CONTRADICT' ? EXIT.usage : EXIT.no
  }
  return [400, 404, 413, 415].includes(status) ? EXIT.usage : EXIT.failed
}

async function tokenFor(role: Role, config: Config, options: ServiceOptions): Promise<string> {
  const given = process.env['ACGS_TOKEN']
  if (options.as === undefined && given !== undefined && given !== '') return given.trim()
  const { accessToken } = await obtainToken({
    dataDir: config.service.dataFolder, role: options.as ?? role, authUrl: config.services.authUrl, issuer: config.security.tokenIssuer,
  })
  return accessToken
}

function isJson(response: Response): boolean {
  return /^application\/(problem\+)?json\b/.test(response.headers.get('content-type') ?? '')
}

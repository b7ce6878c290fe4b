import { createPrivateKey, randomUUID, sign } from 'node:crypto'
import { readFileSync } from 'node:fs'

// What an enforcement point needs: it asks a decision point over OpenID AuthZEN 1.0, carries out what a permit demands, and lets nothing
// through otherwise. Plain Node (22.18 or newer), no dependency: copy this file.

export type Question = {
  readonly subject: Named
  readonly action: { readonly name: string }
  readonly resource: Named
  readonly context: { readonly [name: string]: unknown }
}
type Named = { readonly type: string; readonly id: string; readonly properties?: { readonly [name: string]: unknown } }

export type Permit = {
  readonly kind: 'permitted'
  readonly revision: number
  readonly rules: readonly string[]
  readonly obligations: readonly string[]
}

/** `undecided`: there is no answer, for whatever reason. It is never a yes. */
export type Answer =
  | Permit
  | { readonly kind: 'denied'; readonly forPeople: string; readonly forOperators: string }
  | { readonly kind: 'undecided'; readonly forOperators: string }

export type Ask = (question: Question) => Promise<Answer>

/** How to carry out each obligation that this enforcement point knows. One that throws was not carried out. */
export type Duties = { readonly [obligation: string]: (question: Question, permit: Permit) => void | Promise<void> }

/** Whether to go on. `unfulfillable`: it is permitted on a condition that nobody here knows how to meet. */
export type Outcome =
  | { readonly kind: 'passed'; readonly permit: Permit }
  | { readonly kind: 'denied' | 'unfulfillable' | 'unavailable'; readonly forPeople: string; readonly forOperators: string }

const TIMEOUT_MS = 3_000
const UNAVAILABLE = 'It cannot be decided at present whether this is allowed, so it is not. Try again later.'

/**
 * Asks, and carries out what a permit demands, before anything is done: what must be logged is logged even if the deed then fails, and
 * never the other way round. All obligations are known before the first one is carried out.
 */
export async function enforce(question: Question, duties: Duties, ask: Ask): Promise<Outcome> {
  const answer = await ask(question)
  if (answer.kind === 'undecided') return { kind: 'unavailable', forPeople: UNAVAILABLE, forOperators: answer.forOperators }
  if (answer.kind === 'denied') return answer
  // `hasOwn`, because every object has a `constructor`.
  const unknown = answer.obligations.filter((obligation) => !Object.hasOwn(duties, obligation))
  if (unknown.length > 0) {
    return {
      kind: 'unfulfillable',
      forPeople: 'This is allowed only if something else is done with it, and that cannot be done here.',
      forOperators: `the permit (${answer.rules.join(', ')}) demands what is not known here: ${unknown.join(', ')}`,
    }
  }
  for (const obligation of answer.obligations) {
    try {
      await duties[obligation]?.(question, answer)
    } catch (error) {
      return { kind: 'unavailable', forPeople: UNAVAILABLE, forOperators: `\`${obligation}\` could not be carried out: ${said(error)}` }
    }
  }
  return { kind: 'passed', permit: answer }
}

/**
 * The decision point that the environment names: PGC_SERVICE_URL and ACGS_APPLICATION; as whom it is asked, ACGS_TOKEN, or for whatever
 * runs longer than a token lives, ACGS_CLIENT_KEY_FILE (a private JWK, P-256) with ACGS_CLIENT_ID, AUTH_SERVICE_URL and
 * ACGS_SECURITY_TOKEN_ISSUER.
 *
 * @throws when neither token nor key is given, or the file holds no key.
 */
export function decisionPoint(env: { readonly [name: string]: string | undefined } = process.env): Ask {
  const url = `${env['PGC_SERVICE_URL'] || 'http://127.0.0.1:8005'}/access/v1/evaluation`
  const application = env['ACGS_APPLICATION'] || 'ai-agents'
  const token = tokens(env)

  return async (question) => {
    try {
      const post = async () => fetch(url, {
        method: 'POST',
        headers: { authorization: `Bearer ${await token.get()}`, 'content-type': 'application/json', 'x-acgs-application': application },
        body: JSON.stringify(question),
        redirect: 'error',
        signal: AbortSignal.timeout(TIMEOUT_MS),
      })
      let response = await post()
      if (response.status === 401 && token.renew()) response = await post()
      if (response.status !== 200) {
        return { kind: 'undecided', forOperators: `${url} answered ${response.status}: ${(await response.text()).slice(0, 500)}` }
      }
      return answerIn(await response.json()) ?? { kind: 'undecided', forOperators: `${url} answered what is no decision` }
    } catch (error) {
      return { kind: 'undecided', forOperators: `${url}: ${said(error)}` }
    }
  }
}

/** Null unless it is a decision in every part that is used here: a permit with obligations that cannot be read is no permit. */
function answerIn(body: unknown): Answer | null {
  const { decision, context } = (body ?? {}) as { decision?: unknown; context?: { [name: string]: any } | null }
  if (typeof decision !== 'boolean') return null
  const [forPeople, forOperators] = [context?.['reason_user']?.en, context?.['reason_admin']?.en] as unknown[]
  if (!decision) {
    const text = (given: unknown, otherwise: string) => (typeof given === 'string' ? given : otherwise)
    return { kind: 'denied', forPeople: text(forPeople, 'This is not allowed.'), forOperators: text(forOperators, 'no reason given') }
  }
  const { revision, obligations, determining } = context ?? {}
  if (!Number.isInteger(revision) || !Array.isArray(determining)) return null
  if (!Array.isArray(obligations) || !obligations.every((each) => typeof each === 'string')) return null
  return { kind: 'permitted', revision, obligations, rules: determining.map((each) => String(each?.rule)) }
}

/** `renew` forgets a token that was refused, and says whether another can be had. */
type Tokens = { readonly get: () => string | Promise<string>; readonly renew: () => boolean }

function tokens(env: { readonly [name: string]: string | undefined }): Tokens {
  const { ACGS_TOKEN: given, ACGS_CLIENT_KEY_FILE: file } = env
  if (given) return { get: () => given.trim(), renew: () => false }
  if (!file) {
    throw new Error('who asks? set ACGS_TOKEN, or ACGS_CLIENT_KEY_FILE (in the embedded default: data/keys/client-acgs-service.jwk.json)')
  }
  const jwk = JSON.parse(readFileSync(file, 'utf8'))
  const key = createPrivateKey({ key: jwk, format: 'jwk' })
  const authUrl = env['AUTH_SERVICE_URL'] || 'http://127.0.0.1:8000'
  const issuer = env['ACGS_SECURITY_TOKEN_ISSUER'] || authUrl
  const clientId = env['ACGS_CLIENT_ID'] || 'acgs-service'

  const request = async () => {
    const now = Math.floor(Date.now() / 1000)
    const claims = { iss: clientId, sub: clientId, aud: issuer, jti: randomUUID(), iat: now, exp: now + 60 }
    const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')
    const signed = `${encode({ alg: 'ES256', typ: 'JWT', kid: jwk.kid })}.${encode(claims)}`
    const signature = sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')
    const response = await fetch(`${authUrl}/api/v1/auth/token`, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: `${signed}.${signature}`,
      }),
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    if (!response.ok) throw new Error(`no token from ${authUrl}: ${response.status} ${(await response.text()).slice(0, 300)}`)
    const { access_token: token, expires_in: seconds } = (await response.json()) as { access_token: string; expires_in: number }
    return { token, until: performance.now() + seconds * 800 }
  }

  let current: Promise<{ token: string; until: number }> | null = null
  const renew = () => {
    current = null
    return true
  }
  return {
    get: async () => {
      if (current !== null && (await current).until < performance.now()) current = null
      // One request for all who wait; a failed one is forgotten.
      const asked = (current ??= request())
      asked.catch(() => { if (current === asked) current = null })
      return (await asked).token
    },
    renew,
  }
}

/** With what is behind it: `fetch failed` alone says nothing. */
function said(error: unknown): string {
  const { message, cause } = error as { message?: string; cause?: { message?: string; code?: string } }
  return [message ?? String(error), cause?.message || cause?.code].filter((each) => each !== undefined).join(': ')
}

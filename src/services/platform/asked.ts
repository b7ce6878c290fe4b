import { Failure } from '#core/failure.ts'
import type { Input, Endpoint } from '#http/contract.ts'

/** How a client wants to be served: under which key it may ask again, and whether it waits. */
export type Asked = { readonly key: string | null; readonly isAsync: boolean }

const KEY_LENGTH_MAX = 255

/**
 * Reads `Idempotency-Key` and `Prefer`.
 *
 * A key is a string as structured fields write it (`"8e03978e"`), or the same without quotes. What else is preferred is not our business.
 * @throws {Failure} `REQUEST_MALFORMED` for a key that is not one.
 * @see RFC 7240 (Prefer), RFC 9651 section 3.3.3 (strings)
 */
export function askedIn(headers: Input<Endpoint>['headers']): Asked {
  return { key: keyOf(headers['idempotency-key']), isAsync: preferencesOf(headers['prefer']).includes('respond-async') }
}

function keyOf(value: string | readonly string[] | undefined): string | null {
  if (value === undefined) return null
  const text = typeof value === 'string' ? value.trim() : ''
  const quoted = /^"((?:[ !#-[\]-~]|\\["\\])*)"$/.exec(text)?.[1]?.replace(/\\(["\\])/g, '$1')
  const key = quoted ?? (/^[!#-+\--:<-[\]-~]+$/.test(text) ? text : '')
  if (key.length > 0 && key.length <= KEY_LENGTH_MAX) return key
  const message = `must be one key of 1 to ${KEY_LENGTH_MAX} visible characters, such as "8e03978e-40d5-43dd-bc93-6894a57f9324"`
  throw new Failure('REQUEST_MALFORMED', `headers.idempotency-key: ${message}`, { problems: [{ place: 'headers.idempotency-key', message }] })
}

/** The names of preferences, without their values and parameters. */
function preferencesOf(value: string | readonly string[] | undefined): readonly string[] {
  return [value ?? []].flat().flatMap((line) => line.split(',')).map((each) => each.split(/[;=]/)[0]?.trim().toLowerCase() ?? '')
}

import type { Type } from '#core/policy/schema.ts'

/** An address or a range of addresses: host bits behind the prefix are kept, and tell values apart. */
export type Ip = { readonly v4: boolean; readonly address: bigint; readonly prefix: number }

/** Extension types whose values are numbers: ten-thousandths, milliseconds since 1970, milliseconds. */
export type NumericExtension = 'decimal' | 'datetime' | 'duration'

export function isNumericExtension(type: string): type is NumericExtension {
  return type === 'decimal' || type === 'datetime' || type === 'duration'
}

export const DAY_MS = 86_400_000n

/** The number that a value's text stands for; null when Cedar makes no value of it. */
export function parseNumeric(type: NumericExtension, text: string): bigint | null {
  const number = type === 'decimal' ? parseDecimal(text) : type === 'datetime' ? parseDatetime(text) : parseDuration(text)
  return number !== null && BigInt.asIntN(64, number) === number ? number : null
}

function parseDecimal(text: string): bigint | null {
  const [, sign, whole = '', part = ''] = /^(-?)(\d+)\.(\d{1,4})$/.exec(text) ?? []
  return sign === undefined ? null : BigInt(`${sign}${whole}${part.padEnd(4, '0')}`)
}

function parseDatetime(text: string): bigint | null {
  const match = /^(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d):(\d\d)(?:\.(\d{3}))?(?:Z|([+-])(\d\d)(\d\d)))?$/.exec(text)
  if (match === null) return null
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, ms = 0, , hours = 0, minutes = 0] = match.slice(1).map((part) => Number(part ?? 0))
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  const isDate = date.getUTCMonth() === month - 1 && date.getUTCDate() === day
  if (!isDate || hour > 23 || minute > 59 || second > 59 || hours > 23 || minutes > 59) return null
  const offset = (hours * 60 + minutes) * (match[8] === '-' ? -1 : 1)
  return BigInt(date.getTime()) + BigInt(((hour * 60 + minute - offset) * 60 + second) * 1_000 + ms)
}

const UNITS = [['d', DAY_MS], ['h', 3_600_000n], ['m', 60_000n], ['s', 1_000n], ['ms', 1n]] as const

function parseDuration(text: string): bigint | null {
  const match = /^(-?)(?=.)(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+)s)?(?:(\d+)ms)?$/.exec(text)
  if (match === null) return null
  const [sign, ...counts] = match.slice(1)
  const ms = UNITS.reduce((sum, [, unit], i) => sum + BigInt(counts[i] ?? 0) * unit, 0n)
  return sign === '-' ? -ms : ms
}

/** The address that a text stands for; null when Cedar makes none of it (an IPv4 address inside an IPv6 one, for instance). */
export function parseIp(text: string): Ip | null {
  const [host = '', prefix, ...rest] = text.split('/')
  const v4 = !host.includes(':')
  const address = v4 ? parseV4(host) : parseV6(host)
  if (address === null || rest.length > 0) return null
  if (prefix === undefined) return { v4, address, prefix: widthOf(v4) }
  return /^(0|[1-9]\d{0,2})$/.test(prefix) && Number(prefix) <= widthOf(v4) ? { v4, address, prefix: Number(prefix) } : null
}

export function widthOf(v4: boolean): 32 | 128 {
  return v4 ? 32 : 128
}

function parseV4(host: string): bigint | null {
  const parts = host.split('.')
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)) return null
  return parts.reduce((sum, part) => sum * 256n + BigInt(part), 0n)
}

function parseV6(host: string): bigint | null {
  const halves = host.split('::').map((half) => (half === '' ? [] : half.split(':')))
  const [head = [], tail] = halves
  const missing = 8 - head.length - (tail ?? []).length
  if (halves.length > 2 || (tail === undefined ? missing !== 0 : missing < 1)) return null
  const groups = [...head, ...Array<string>(missing).fill('0'), ...(tail ?? [])]
  if (!groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return null
  return groups.reduce((sum, group) => sum * 65536n + BigInt(`0x${group}`), 0n)
}

/** The bit of an address, the most significant one being number 0; an IPv4 address has 32 of them. */
export function bitOf({ v4, address }: Ip, bit: number): boolean {
  const shift = widthOf(v4) - 1 - bit
  return shift >= 0 && (address >> BigInt(shift) & 1n) === 1n
}

// ---- Back to texts ----

/** A value of an extension type in Cedar's JSON, as people would write it. */
export function numericJson(type: NumericExtension, value: bigint): unknown {
  switch (type) {
    case 'decimal': return extension('decimal', decimalText(value))
    case 'duration': return extension('duration', durationText(value))
    case 'datetime': {
      const text = datetimeText(value)
      if (text !== null) return extension('datetime', text)
      return { __extn: { fn: 'offset', args: [extension('datetime', '1970-01-01'), extension('duration', `${value}ms`)] } }
    }
  }
}

export function ipJson(ip: Ip): unknown {
  return extension('ip', ipText(ip))
}

function extension(fn: string, arg: string): unknown {
  return { __extn: { fn, arg } }
}

function decimalText(value: bigint): string {
  const digits = String(value < 0n ? -value : value).padStart(5, '0')
  const part = digits.slice(-4).replace(/(?<=.)0+$/, '')
  return `${value < 0n ? '-' : ''}${digits.slice(0, -4)}.${part}`
}

function durationText(value: bigint): string {
  let rest = value < 0n ? -value : value
  const parts = UNITS.map(([unit, ms]) => {
    const count = rest / ms
    rest %= ms
    return count === 0n ? '' : `${count}${unit}`
  })
  return value === 0n ? '0ms' : `${value < 0n ? '-' : ''}${parts.join('')}`
}

/** Null outside of the years 0 to 9999, which have no text of their own in Cedar. */
function datetimeText(value: bigint): string | null {
  const [first, last] = [-62_167_219_200_000n, 253_402_300_799_999n]
  if (value < first || value > last) return null
  const text = new Date(Number(value)).toISOString()
  return text.endsWith('T00:00:00.000Z') ? text.slice(0, 10) : text.replace('.000Z', 'Z')
}

function ipText({ v4, address, prefix }: Ip): string {
  const host = v4 ? [24n, 16n, 8n, 0n].map((shift) => address >> shift & 255n).join('.') : v6Text(address)
  return prefix === widthOf(v4) ? host : `${host}/${prefix}`
}

function v6Text(address: bigint): string {
  const groups = Array.from({ length: 8 }, (_, i) => (address >> BigInt(112 - 16 * i) & 65535n).toString(16)).join(':')
  const zeros = groups.match(/(?<![^:])0(:0)+(?![^:])/g) ?? []
  const [longest] = [...zeros].sort((a, b) => b.length - a.length)
  if (longest === undefined) return groups
  const at = groups.search(new RegExp(`(?<![^:])${longest}(?![^:])`))
  return `${groups.slice(0, at).replace(/:$/, '')}::${groups.slice(at + longest.length).replace(/^:/, '')}`
}

// ---- From Cedar's JSON ----

/**
 * A value of a numeric extension type from Cedar's JSON: its text, bare or as a call, or an instant as an offset from another.
 *
 * @throws {Error} where it is none; what Cedar takes is read.
 */
export function numericOf(type: NumericExtension, json: unknown): bigint {
  const { fn, args } = callOf(type, json)
  const [first, second] = args
  if (fn === 'offset') return numericOf('datetime', first) + numericOf('duration', second)
  const value = typeof first === 'string' ? parseNumeric(type, first) : null
  if (value === null) throw new Error(`no ${type}: ${JSON.stringify(json)}`)
  return value
}

export function ipOf(json: unknown): Ip {
  const [first] = callOf('ip', json).args
  const value = typeof first === 'string' ? parseIp(first) : null
  if (value === null) throw new Error(`no address: ${JSON.stringify(json)}`)
  return value
}

function callOf(fn: string, json: unknown): { readonly fn: string; readonly args: readonly unknown[] } {
  if (typeof json === 'string') return { fn, args: [json] }
  const call = typeof json === 'object' && json !== null && '__extn' in json ? json.__extn : json
  const { fn: name = fn, arg, args } = call as { readonly fn?: string; readonly arg?: unknown; readonly args?: readonly unknown[] }
  return { fn: name, args: args ?? [arg] }
}

/** Whether an extension type is one that the prover knows. */
export function isKnownExtension({ name }: Type & { readonly kind: 'extension' }): boolean {
  return name === 'ipaddr' || isNumericExtension(name)
}

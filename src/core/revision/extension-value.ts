/** The function that makes a value of each of Cedar's extension types. */
export const CONSTRUCTORS: Readonly<Record<string, string>> = { ipaddr: 'ip', decimal: 'decimal', datetime: 'datetime', duration: 'duration' }

const LONG_MIN = -(2n ** 63n)
const LONG_MAX = 2n ** 63n - 1n

/**
 * What is wrong with the text of an extension value; null when Cedar makes a value of it.
 *
 * @see https://docs.cedarpolicy.com/policies/syntax-datatypes.html, and the differential test beside the Cedar adapter.
 */
export function flawOfExtension(type: string, text: string): string | null {
  switch (type) {
    case 'decimal': return isDecimal(text) ? null : 'is not a decimal: one to four digits after the point, such as "12.50", within ±922337203685477.5807'
    case 'ipaddr': return isAddress(text) ? null : 'is not an IP address or range, such as "10.0.0.1", "10.0.0.0/8" or "2001:db8::/32"'
    case 'datetime': return isDatetime(text) ? null : 'is not a datetime, such as "2026-01-31", "2026-01-31T10:30:00Z" or "2026-01-31T10:30:00.500+0100"'
    case 'duration': return isDuration(text) ? null : 'is not a duration: days, hours, minutes, seconds, milliseconds in this order, such as "1d12h" or "-90ms"'
    default: return `is of the extension type \`${type}\`, which is not known here`
  }
}

function isDecimal(text: string): boolean {
  const [, sign, whole = '', part = ''] = /^(-?)(\d+)\.(\d{1,4})$/.exec(text) ?? []
  return sign !== undefined && whole.length < 40 && isLong(BigInt(`${sign}${whole}${part.padEnd(4, '0')}`))
}

function isAddress(text: string): boolean {
  const [address = '', prefix, ...rest] = text.split('/')
  if (rest.length > 0) return false
  const bits = isV4(address) ? 32 : isV6(address) ? 128 : null
  if (bits === null) return false
  return prefix === undefined || (/^(0|[1-9]\d{0,2})$/.test(prefix) && Number(prefix) <= bits)
}

function isV4(text: string): boolean {
  const parts = text.split('.')
  return parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)
}

/** Without the notation that ends in an IPv4 address and without zones: Cedar takes neither. */
function isV6(text: string): boolean {
  const groups = (half: string) => (half === '' ? [] : half.split(':'))
  const halves = text.split('::')
  if (halves.length > 2) return false
  const all = halves.flatMap(groups)
  return all.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group)) && (halves.length === 2 ? all.length <= 7 : all.length === 8)
}

function isDatetime(text: string): boolean {
  const match = /^(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d):(\d\d)(?:\.\d{3})?(?:Z|[+-](\d\d)(\d\d)))?$/.exec(text)
  if (match === null) return false
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, offsetHours = 0, offsetMinutes = 0] = match.slice(1).map((digits) => Number(digits ?? 0))
  return month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month)
    && hour <= 23 && minute <= 59 && second <= 59 && offsetHours <= 23 && offsetMinutes <= 59
}

function daysIn(year: number, month: number): number {
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
  return month === 2 ? (isLeap ? 29 : 28) : [4, 6, 9, 11].includes(month) ? 30 : 31
}

const UNIT_MS = [86_400_000n, 3_600_000n, 60_000n, 1_000n, 1n]

function isDuration(text: string): boolean {
  const match = /^(-?)(?=.)(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+)s)?(?:(\d+)ms)?$/.exec(text)
  if (match === null || text.length > 200) return false
  const [sign, ...counts] = match.slice(1)
  const ms = counts.reduce((sum, count, i) => sum + BigInt(count ?? 0) * (UNIT_MS[i] as bigint), 0n)
  return isLong(sign === '-' ? -ms : ms)
}

/** Whether it fits into 64 bits. */
export function isLong(integer: bigint): boolean {
  return integer >= LONG_MIN && integer <= LONG_MAX
}

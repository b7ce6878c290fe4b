import { add, longOf, multiply, type Long } from '../long.ts'
import type { Value } from '../value.ts'

/** A point in time: milliseconds since 1970 in UTC, 64 bits. */
export class Datetime {
  readonly ms: Long

  constructor(ms: Long) {
    this.ms = ms
  }

  get typeName(): string {
    return 'datetime'
  }

  get key(): string {
    return `datetime ${this.ms}`
  }

  equals(other: Value): boolean {
    return other instanceof Datetime && this.ms === other.ms
  }

  toString(): string {
    return `datetime("1970-01-01").offset(duration("${this.ms}ms"))`
  }
}

/** A span of time: milliseconds, 64 bits. */
export class Duration {
  readonly ms: Long

  constructor(ms: Long) {
    this.ms = ms
  }

  get typeName(): string {
    return 'duration'
  }

  get key(): string {
    return `duration ${this.ms}`
  }

  equals(other: Value): boolean {
    return other instanceof Duration && this.ms === other.ms
  }

  toString(): string {
    return `duration("${this.ms}ms")`
  }
}

export const SECOND_MS = 1_000
export const MINUTE_MS = 60_000
export const HOUR_MS = 3_600_000
export const DAY_MS = 86_400_000

const DATETIME = /^(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d):(\d\d)(?:\.(\d{3}))?(?:Z|([+-])(\d\d)(\d\d)))?$/

/** The point in time that a text says, e.g. `2026-01-31` or `2026-01-31T10:30:00.500+0100`; null when it says none. */
export function datetimeOf(text: string): Datetime | null {
  const match = DATETIME.exec(text)
  if (match === null) return null
  const part = (index: number) => Number(match[index] ?? 0)
  const [year, month, day, hour, minute, second] = [part(1), part(2), part(3), part(4), part(5), part(6)]
  const [offsetHours, offsetMinutes] = [part(9), part(10)]
  const isInDay = hour <= 23 && minute <= 59 && second <= 59 && offsetHours <= 23 && offsetMinutes <= 59
  if (!isInDay || month < 1 || month > 12 || day < 1 || day > daysIn(year, month)) return null
  const date = new Date(0).setUTCFullYear(year, month - 1, day)
  const offset = (match[8] === '-' ? -1 : 1) * (offsetHours * HOUR_MS + offsetMinutes * MINUTE_MS)
  return new Datetime(date + hour * HOUR_MS + minute * MINUTE_MS + second * SECOND_MS + part(7) - offset)
}

function daysIn(year: number, month: number): number {
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
  return month === 2 ? (isLeap ? 29 : 28) : [4, 6, 9, 11].includes(month) ? 30 : 31
}

const DURATION = /^(-?)(?=.)(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+)s)?(?:(\d+)ms)?$/
const UNITS_MS = [DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, 1]

/** The span of time that a text says, e.g. `1d12h` or `-90ms`; null when it says none. */
export function durationOf(text: string): Duration | null {
  const match = DURATION.exec(text)
  if (match === null) return null
  const sign = match[1] ?? ''
  let total: Long | null = 0
  for (const [i, unit] of UNITS_MS.entries()) {
    // The smallest Long has no positive counterpart, so that every part gets the sign by itself.
    const count: Long | null = longOf(`${sign}${match[i + 2] ?? '0'}`)
    const ms: Long | null = count === null ? null : multiply(count, unit)
    total = ms === null ? null : add(total, ms)
    if (total === null) return null
  }
  return new Duration(total)
}

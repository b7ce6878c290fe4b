import { EvaluationError, notA, type Outcome } from '../evaluation-error.ts'
import { add, divide, floorTo, modulo, subtract } from '../long.ts'
import type { Value } from '../value.ts'
import { DAY_MS, Datetime, datetimeOf, Duration, durationOf, HOUR_MS, MINUTE_MS, SECOND_MS } from './datetime.ts'
import { Decimal, decimalOf } from './decimal.ts'
import { IpAddress, ipOf } from './ip.ts'

/** An extension function or method of Cedar; the first argument of a method is what it is called on. */
export type ExtensionFunction = { readonly arity: 1 | 2; readonly call: (first: Value, second: Value) => Outcome }

type Class<T> = { new (...args: never): T; readonly prototype: T }

/** @see https://docs.cedarpolicy.com/policies/syntax-operators.html */
export const FUNCTIONS: ReadonlyMap<string, ExtensionFunction> = new Map<string, ExtensionFunction>([
  ['ip', constructor('an IP address or range', ipOf)],
  ['decimal', constructor('a decimal', decimalOf)],
  ['datetime', constructor('a datetime', datetimeOf)],
  ['duration', constructor('a duration', durationOf)],

  ['isIpv4', unary(IpAddress, 'ipaddr', (ip) => ip.version === 4)],
  ['isIpv6', unary(IpAddress, 'ipaddr', (ip) => ip.version === 6)],
  ['isLoopback', unary(IpAddress, 'ipaddr', (ip) => ip.isLoopback())],
  ['isMulticast', unary(IpAddress, 'ipaddr', (ip) => ip.isMulticast())],
  ['isInRange', binary(IpAddress, IpAddress, 'ipaddr', 'ipaddr', (ip, range) => ip.isInRange(range))],

  ['lessThan', ofDecimals((a, b) => a.tenThousandths < b.tenThousandths)],
  ['lessThanOrEqual', ofDecimals((a, b) => a.tenThousandths <= b.tenThousandths)],
  ['greaterThan', ofDecimals((a, b) => a.tenThousandths > b.tenThousandths)],
  ['greaterThanOrEqual', ofDecimals((a, b) => a.tenThousandths >= b.tenThousandths)],

  ['offset', binary(Datetime, Duration, 'datetime', 'duration', (at, by) => {
    const ms = add(at.ms, by.ms)
    return ms === null ? leaves64Bits('offset') : new Datetime(ms)
  })],
  ['durationSince', binary(Datetime, Datetime, 'datetime', 'datetime', (at, since) => {
    const ms = subtract(at.ms, since.ms)
    return ms === null ? leaves64Bits('durationSince') : new Duration(ms)
  })],
  ['toDate', unary(Datetime, 'datetime', (at) => {
    const ms = floorTo(at.ms, DAY_MS)
    return ms === null ? leaves64Bits('toDate') : new Datetime(ms)
  })],
  ['toTime', unary(Datetime, 'datetime', (at) => new Duration(modulo(at.ms, DAY_MS)))],

  ['toMilliseconds', unary(Duration, 'duration', ({ ms }) => ms)],
  ['toSeconds', unary(Duration, 'duration', ({ ms }) => divide(ms, SECOND_MS))],
  ['toMinutes', unary(Duration, 'duration', ({ ms }) => divide(ms, MINUTE_MS))],
  ['toHours', unary(Duration, 'duration', ({ ms }) => divide(ms, HOUR_MS))],
  ['toDays', unary(Duration, 'duration', ({ ms }) => divide(ms, DAY_MS))],
])

function constructor(what: string, read: (text: string) => Value | null): ExtensionFunction {
  return {
    arity: 1,
    call: (text) => (typeof text !== 'string' ? notA('string', text) : read(text) ?? new EvaluationError('extension', `\`${text.slice(0, 100)}\` is not ${what}`)),
  }
}

function unary<T>(of: Class<T>, name: string, apply: (self: T) => Outcome): ExtensionFunction {
  return { arity: 1, call: (self) => (self instanceof of ? apply(self) : notA(name, self)) }
}

function binary<A, B>(of: Class<A>, and: Class<B>, name: string, second: string, apply: (self: A, other: B) => Outcome): ExtensionFunction {
  return { arity: 2, call: (self, other) => (!(self instanceof of) ? notA(name, self) : !(other instanceof and) ? notA(second, other) : apply(self, other)) }
}

function ofDecimals(compare: (a: Decimal, b: Decimal) => boolean): ExtensionFunction {
  return binary(Decimal, Decimal, 'decimal', 'decimal', compare)
}

function leaves64Bits(name: string): EvaluationError {
  return new EvaluationError('extension', `\`${name}\` leaves 64 bits`)
}

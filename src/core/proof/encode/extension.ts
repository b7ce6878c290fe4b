import type { Expression } from '#core/policy/expression.ts'
import { DAY_MS, isNumericExtension, parseIp, parseNumeric, widthOf, type Ip, type NumericExtension } from '../extension.ts'
import type { Term, Terms } from '../terms.ts'
import { ipPart } from '../values.ts'
import { overflows, Unsupported, type Place } from './place.ts'
import { ipValue, termOf, type IpValue, type Result, type Typed } from './typed.ts'

/** A value that a constructor makes of a literal, which strict validation demands and has read. */
export function constructed(terms: Terms, name: string, [argument, ...more]: readonly Expression[]): Typed | null {
  const type = name === 'ip' ? 'ip' : isNumericExtension(name) ? name : null
  if (type === null) return null
  if (argument?.kind !== 'string' || more.length > 0) throw new Unsupported(`\`${name}\` of what is no literal`)
  const refused = () => new Unsupported(`\`${name}("${argument.value}")\`, which is no value,`)
  if (type === 'ip') {
    const ip = parseIp(argument.value)
    if (ip === null) throw refused()
    return literalIp(terms, ip)
  }
  const value = parseNumeric(type, argument.value)
  if (value === null) throw refused()
  return { kind: type, term: terms.int(value) }
}

function literalIp(terms: Terms, ip: Ip): IpValue {
  const part = (name: string): Term => {
    const value = ipPart(ip, name)
    return typeof value === 'bigint' ? terms.int(value) : terms.bool(value)
  }
  return { kind: 'ip', part }
}

/**
 * What a method answers.
 *
 * @see https://docs.cedarpolicy.com/policies/syntax-operators.html; rounding and overflow as Cedar's own engine has them (a test asks it).
 */
export function method({ terms }: Place, name: string, args: readonly Result[]): Result {
  const [subject, argument] = args.map(({ value }) => value)
  if (subject === undefined) throw new Unsupported(`the extension function \`${name}\``)
  const err = terms.or(...args.map((each) => each.err))
  const fits = (kind: 'long' | NumericExtension, term: Term): Result => ({ err: terms.or(err, overflows(terms, term)), value: { kind, term } })
  const total = (kind: 'bool' | 'long' | NumericExtension, term: Term): Result => ({ err, value: { kind, term } })
  const number = (kind: NumericExtension, value: Typed | undefined): Term => {
    if (value === undefined) throw new Unsupported(`\`${name}\` without its argument`)
    return termOf(value, kind, `a ${kind}`)
  }
  const other = (): IpValue => {
    if (argument === undefined) throw new Unsupported(`\`${name}\` without its argument`)
    return ipValue(argument)
  }
  switch (name) {
    case 'lessThan': return total('bool', terms.lt(number('decimal', subject), number('decimal', argument)))
    case 'lessThanOrEqual': return total('bool', terms.le(number('decimal', subject), number('decimal', argument)))
    case 'greaterThan': return total('bool', terms.lt(number('decimal', argument), number('decimal', subject)))
    case 'greaterThanOrEqual': return total('bool', terms.le(number('decimal', argument), number('decimal', subject)))
    case 'offset': return fits('datetime', terms.add(number('datetime', subject), number('duration', argument)))
    case 'durationSince': return fits('duration', terms.sub(number('datetime', subject), number('datetime', argument)))
    case 'toDate': return fits('datetime', midnight(terms, number('datetime', subject)))
    case 'toTime': {
      const instant = number('datetime', subject)
      return total('duration', terms.sub(instant, midnight(terms, instant)))
    }
    case 'toMilliseconds': return total('long', number('duration', subject))
    case 'toSeconds': return total('long', truncated(terms, number('duration', subject), 1_000n))
    case 'toMinutes': return total('long', truncated(terms, number('duration', subject), 60_000n))
    case 'toHours': return total('long', truncated(terms, number('duration', subject), 3_600_000n))
    case 'toDays': return total('long', truncated(terms, number('duration', subject), DAY_MS))
    case 'isIpv4': return total('bool', ipValue(subject).part('v4'))
    case 'isIpv6': return total('bool', terms.not(ipValue(subject).part('v4')))
    case 'isLoopback': return total('bool', inOneOf(terms, ipValue(subject), ['127.0.0.0/8', '::1']))
    case 'isMulticast': return total('bool', inOneOf(terms, ipValue(subject), ['224.0.0.0/4', 'ff00::/8']))
    case 'isInRange': return total('bool', inRange(terms, ipValue(subject), other()))
    default: throw new Unsupported(`the extension function \`${name}\``)
  }
}

/** The start of an instant's day. */
function midnight(terms: Terms, instant: Term): Term {
  return terms.mul(terms.int(DAY_MS), terms.div(instant, DAY_MS))
}

/** The quotient rounded towards zero. */
function truncated(terms: Terms, value: Term, divisor: bigint): Term {
  return terms.ite(terms.le(terms.int(0n), value), terms.div(value, divisor), terms.neg(terms.div(terms.neg(value), divisor)))
}

function inOneOf(terms: Terms, ip: IpValue, ranges: readonly string[]): Term {
  return terms.or(...ranges.map((range) => inRange(terms, ip, literalIp(terms, parseIp(range) as Ip))))
}

/** Whether every address of one range is in another: it has the longer prefix, and the bits of the shorter one are the same. */
function inRange(terms: Terms, inner: IpValue, outer: IpValue): Term {
  const prefix = outer.part('prefix')
  const family = terms.eq(inner.part('v4'), outer.part('v4'))
  if (family === terms.false) return family
  const bits = prefix.kind === 'int' ? Number(prefix.value) : widthOf(false)
  const agree = Array.from({ length: bits }, (_, bit) => {
    const same = terms.eq(inner.part(String(bit)), outer.part(String(bit)))
    return prefix.kind === 'int' ? same : terms.or(terms.le(prefix, terms.int(BigInt(bit))), same)
  })
  return terms.and(family, terms.le(prefix, inner.part('prefix')), ...agree)
}

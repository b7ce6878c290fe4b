/**
 * A Long of Cedar: an integer of 64 bits, exact. A number wherever a number holds it, a bigint only beyond ±(2⁵³ − 1), so that equal Longs
 * are always equal by `===` and nearly all arithmetic is that of numbers.
 */
export type Long = number | bigint

export const LONG_MIN = -(2n ** 63n)
export const LONG_MAX = 2n ** 63n - 1n

/** The sum; null when it leaves 64 bits. */
export function add(a: Long, b: Long): Long | null {
  if (typeof a === 'number' && typeof b === 'number') {
    const sum = a + b
    if (Number.isSafeInteger(sum)) return sum
  }
  return toLong(BigInt(a) + BigInt(b))
}

/** The difference; null when it leaves 64 bits. */
export function subtract(a: Long, b: Long): Long | null {
  if (typeof a === 'number' && typeof b === 'number') {
    const difference = a - b
    if (Number.isSafeInteger(difference)) return difference
  }
  return toLong(BigInt(a) - BigInt(b))
}

/** The product; null when it leaves 64 bits. */
export function multiply(a: Long, b: Long): Long | null {
  if (typeof a === 'number' && typeof b === 'number') {
    // What rounds to a safe integer was that integer: beyond 2⁵³ nothing rounds back below it.
    const product = a * b
    if (Number.isSafeInteger(product)) return product
  }
  return toLong(BigInt(a) * BigInt(b))
}

/** The integer as a Long; null when it does not fit into 64 bits. */
export function toLong(integer: bigint): Long | null {
  if (integer < LONG_MIN || integer > LONG_MAX) return null
  const number = Number(integer)
  return Number.isSafeInteger(number) ? number : integer
}

/** The Long that a text of decimal digits says; null when it says none. Takes time linear in the text. */
export function longOf(digits: string): Long | null {
  const [, sign = '', rest] = /^(-?)0*(\d+)$/.exec(digits) ?? []
  return rest === undefined || rest.length > 19 ? null : toLong(BigInt(`${sign}${rest}`))
}

/** Rounded towards zero, as a division of integers is in most languages. */
export function divide(a: Long, by: number): Long {
  return typeof a === 'number' ? Math.trunc(a / by) : narrowed(a / BigInt(by))
}

/** The largest multiple of `unit` that is not greater; null when it leaves 64 bits. */
export function floorTo(a: Long, unit: number): Long | null {
  return subtract(a, modulo(a, unit))
}

/** The remainder that is not negative. */
export function modulo(a: Long, unit: number): number {
  const rest = typeof a === 'number' ? a % unit : Number(a % BigInt(unit))
  return rest < 0 ? rest + unit : rest + 0
}

function narrowed(quotient: bigint): Long {
  const number = Number(quotient)
  return Number.isSafeInteger(number) ? number : quotient
}

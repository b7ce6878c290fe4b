import { longOf, type Long } from '../long.ts'
import type { Value } from '../value.ts'

/** A decimal of Cedar: four digits after the point, kept as a Long of ten-thousandths. */
export class Decimal {
  readonly tenThousandths: Long

  constructor(tenThousandths: Long) {
    this.tenThousandths = tenThousandths
  }

  get typeName(): string {
    return 'decimal'
  }

  get key(): string {
    return `decimal ${this.tenThousandths}`
  }

  equals(other: Value): boolean {
    return other instanceof Decimal && this.tenThousandths === other.tenThousandths
  }

  toString(): string {
    const digits = String(this.tenThousandths).replace('-', '').padStart(5, '0')
    return `decimal("${this.tenThousandths < 0 ? '-' : ''}${digits.slice(0, -4)}.${digits.slice(-4)}")`
  }
}

/** The decimal that a text says, e.g. `12.5`; null when it says none. */
export function decimalOf(text: string): Decimal | null {
  const [, whole, part = ''] = /^(-?\d+)\.(\d{1,4})$/.exec(text) ?? []
  const units = whole === undefined ? null : longOf(`${whole}${part.padEnd(4, '0')}`)
  return units === null ? null : new Decimal(units)
}

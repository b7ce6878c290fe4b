import type { Value } from '../value.ts'

/**
 * An IP address or range of Cedar: all addresses that share the first `prefix` bits with `address`. Two are equal when they are written
 * alike, `10.0.0.1/8` and `10.0.0.0/8` are not, although they are the same range.
 */
export class IpAddress {
  readonly version: 4 | 6
  /** A number for version 4, a bigint for version 6; so are the ends of the range. */
  readonly address: number | bigint
  readonly prefix: number
  readonly first: number | bigint
  readonly last: number | bigint

  constructor(version: 4 | 6, address: number | bigint, prefix: number) {
    this.version = version
    this.address = address
    this.prefix = prefix
    if (typeof address === 'number') {
      const size = 2 ** (32 - prefix)
      this.first = address - (address % size)
      this.last = this.first + size - 1
    } else {
      const size = 1n << BigInt(128 - prefix)
      this.first = address - (address % size)
      this.last = this.first + size - 1n
    }
  }

  get typeName(): string {
    return 'ipaddr'
  }

  get key(): string {
    return `ip${this.version} ${this.address}/${this.prefix}`
  }

  equals(other: Value): boolean {
    return other instanceof IpAddress && this.version === other.version && this.address === other.address && this.prefix === other.prefix
  }

  /** Whether every address of this range is in the other. */
  isInRange(other: IpAddress): boolean {
    return this.version === other.version && this.first >= other.first && this.last <= other.last
  }

  isLoopback(): boolean {
    return this.isInRange(this.version === 4 ? LOOPBACK_V4 : LOOPBACK_V6)
  }

  isMulticast(): boolean {
    return this.isInRange(this.version === 4 ? MULTICAST_V4 : MULTICAST_V6)
  }

  toString(): string {
    const address = typeof this.address === 'number'
      ? [24, 16, 8, 0].map((shift) => Math.floor(Number(this.address) / 2 ** shift) % 256).join('.')
      : (this.address.toString(16).padStart(32, '0').match(/.{4}/g) ?? []).map((group) => group.replace(/^0{1,3}/, '')).join(':')
    return `ip("${address}/${this.prefix}")`
  }
}

const LOOPBACK_V4 = new IpAddress(4, 127 * 2 ** 24, 8)
const LOOPBACK_V6 = new IpAddress(6, 1n, 128)
const MULTICAST_V4 = new IpAddress(4, 224 * 2 ** 24, 4)
const MULTICAST_V6 = new IpAddress(6, 0xffn << 120n, 8)

/** The address or range that a text says, e.g. `10.0.0.0/8` or `2001:db8::1`; null when it says none. */
export function ipOf(text: string): IpAddress | null {
  const [, address = '', prefix] = /^([^/]*)(?:\/(0|[1-9]\d{0,2}))?$/.exec(text) ?? []
  const v4 = v4Of(address)
  if (v4 !== null) return Number(prefix ?? 0) <= 32 ? new IpAddress(4, v4, Number(prefix ?? 32)) : null
  const v6 = v6Of(address)
  return v6 !== null && Number(prefix ?? 0) <= 128 ? new IpAddress(6, v6, Number(prefix ?? 128)) : null
}

function v4Of(text: string): number | null {
  const parts = text.split('.')
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)) return null
  return parts.reduce((address, part) => address * 256 + Number(part), 0)
}

/** Without the notation that ends in an IPv4 address and without zones: Cedar takes neither. */
function v6Of(text: string): bigint | null {
  const halves = text.split('::').map((half) => (half === '' ? [] : half.split(':')))
  const [left = [], right = []] = halves
  const given = left.length + right.length
  const fits = halves.length === 2 ? given <= 7 : halves.length === 1 && given === 8
  const groups = [...left, ...Array.from({ length: Math.max(0, 8 - given) }, () => '0'), ...right]
  return fits && groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group)) ? groups.reduce((address, group) => (address << 16n) | BigInt(`0x${group}`), 0n) : null
}

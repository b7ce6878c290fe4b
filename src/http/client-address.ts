import { BlockList, isIP } from 'node:net'
import type { IncomingHttpHeaders } from 'node:http'

/** Whose word about the client's address counts, and in which header they say it. */
export type ProxyRules = {
  /** Addresses and networks (`10.0.0.0/8`). */
  readonly trusted: readonly string[]
  readonly header: 'x-forwarded-for' | 'forwarded'
}

/** Addresses and networks of a list with commas; null when one of them is none. */
export function networksIn(list: string): readonly string[] | null {
  const found = list.split(/[\s,]+/).filter((each) => each !== '')
  return found.every(isNetwork) ? found : null
}

function isNetwork(text: string): boolean {
  const [address = '', bits, ...rest] = text.split('/')
  const family = isIP(address)
  return family !== 0 && rest.length === 0 && (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128)))
}

/**
 * Where a request comes from: who is at the other end of the connection or, where that is a trusted proxy, who the proxies say.
 *
 * Each proxy adds at the right whom it talked to, so the list is read from there: the first who is not trusted is the client. What stands
 * further left is what that client says of itself, and is not read. An entry that is no address ends the reading at whoever named it.
 *
 * @returns Null when the connection is gone.
 */
export function clientAddress({ trusted, header }: ProxyRules): (remote: string | undefined, headers: IncomingHttpHeaders) => string | null {
  const isTrusted = trustOf(trusted)
  return (remote, headers) => {
    const peer = remote === undefined ? null : addressIn(remote)
    if (peer === null || trusted.length === 0 || !isTrusted(peer)) return peer
    const entries = listIn(headers[header])
    let nearest = peer
    for (const entry of entries.toReversed()) {
      const named = addressIn(header === 'forwarded' ? forIn(entry) : entry)
      if (named === null) return nearest
      nearest = named
      if (!isTrusted(named)) return named
    }
    return nearest
  }
}

/**
 * Whether a trusted proxy says that the client reached it over TLS: `X-Forwarded-Proto`, or the `proto` of Forwarded. Of several, what
 * is said of the client's own connection counts, which is the first; a client that makes it up is told so to nobody's cost but its own.
 */
export function proxiedOverTls({ trusted, header }: ProxyRules): (remote: string | undefined, headers: IncomingHttpHeaders) => boolean {
  if (trusted.length === 0) return () => false
  const isTrusted = trustOf(trusted)
  return (remote, headers) => {
    const peer = remote === undefined ? null : addressIn(remote)
    if (peer === null || !isTrusted(peer)) return false
    const [first = ''] = listIn(headers[header === 'forwarded' ? 'forwarded' : 'x-forwarded-proto'])
    return header === 'forwarded' ? first.split(';').some((pair) => /^\s*proto="?https"?\s*$/i.test(pair)) : /^\s*https\s*$/i.test(first)
  }
}

/** The elements of a header that is a list, whether it came in one line or in several. */
function listIn(said: string | string[] | undefined): readonly string[] {
  return [said ?? []].flat().join(',').split(',').map((each) => each.trim()).filter((each) => each !== '')
}

function trustOf(trusted: readonly string[]): (address: string) => boolean {
  const proxies = new BlockList()
  for (const each of trusted) {
    const [address = '', bits] = each.split('/')
    const family = isIP(address) === 4 ? 'ipv4' : 'ipv6'
    if (bits === undefined) proxies.addAddress(address, family)
    else proxies.addSubnet(address, Number(bits), family)
  }
  return (address) => proxies.check(address, isIP(address) === 4 ? 'ipv4' : 'ipv6')
}

/** The `for` of one element of Forwarded (RFC 7239); nothing where there is none, or two. */
function forIn(element: string): string {
  const named = element.split(';').flatMap((pair) => /^\s*for="?([^"]*)"?\s*$/i.exec(pair)?.[1] ?? [])
  return named.length === 1 ? (named[0] as string) : ''
}

/** An address without brackets, port, zone, and the IPv6 dress of IPv4; null when it is none. */
function addressIn(text: string): string | null {
  const bare = /^\[([^\]]*)\](?::\d{1,5})?$/.exec(text)?.[1] ?? (/^[\d.]+:\d{1,5}$/.test(text) ? text.slice(0, text.indexOf(':')) : text)
  const address = bare.split('%')[0] as string
  const family = isIP(address)
  if (family === 0) return null
  if (family === 4) return address
  const groups = groupsOf(address)
  const isMapped = groups.slice(0, 5).every((each) => each === 0) && groups[5] === 0xffff
  return isMapped ? [groups[6] as number, groups[7] as number].flatMap((each) => [each >> 8, each & 255]).join('.') : groups.map((each) => each.toString(16)).join(':')
}

/** As what an address is counted: of IPv6 the first 64 bits, since whoever has one address has all that share them. */
export function countedAs(address: string): string {
  return isIP(address) === 6 ? `${groupsOf(address).slice(0, 4).map((each) => each.toString(16)).join(':')}::/64` : address
}

/** The eight numbers of an IPv6 address. */
function groupsOf(address: string): readonly number[] {
  const parts = (text: string) => text.split(':').filter((each) => each !== '').flatMap((each) => {
    if (!each.includes('.')) return [Number.parseInt(each, 16)]
    const [a = 0, b = 0, c = 0, d = 0] = each.split('.').map(Number)
    return [a * 256 + b, c * 256 + d]
  })
  const [head = '', tail] = address.split('::')
  const [left, right] = [parts(head), parts(tail ?? '')]
  return [...left, ...Array.from({ length: 8 - left.length - right.length }, () => 0), ...right]
}

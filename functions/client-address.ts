/** Which address a request came from, as far as it can be believed. */
import { convertIPv4ToBinary, convertIPv6ToBinary, distinctRemoteAddr } from 'hono/utils/ipaddr'
import type { HeaderPairs } from '../core/ports.ts'
import { headerOf } from '../core/proxy/headers.ts'

/**
 * The peer itself, unless it is a trusted proxy: then the last address of X-Forwarded-For that no trusted proxy has.
 * Anything left of that was written by the client and proves nothing.
 */
export function clientAddress(peer: string, headers: HeaderPairs, trusted: readonly string[]): string {
  let address = plain(peer)
  const hops = (headerOf(headers, 'x-forwarded-for') ?? '').split(',').map(plain)
  while (trusted.some((network) => contains(network, address))) {
    const hop = hops.pop()
    if (!hop || distinctRemoteAddr(hop) === undefined) break
    address = hop
  }
  return address
}

/** What limits per address count: an IPv6 customer has at least a /64 to choose from. */
export function addressGroup(address: string): string {
  if (distinctRemoteAddr(address) !== 'IPv6') return address
  return `${(convertIPv6ToBinary(address) >> 64n).toString(16)}::/64`
}

/** IPv4 within IPv6 is the IPv4 address that it means. */
function plain(address: string): string {
  return address
    .trim()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '')
}

function contains(network: string, address: string): boolean {
  const [base = '', length] = network.split('/')
  const family = distinctRemoteAddr(base)
  if (family === undefined || distinctRemoteAddr(address) !== family) return false
  const [bits, toBinary] =
    family === 'IPv4' ? ([32n, convertIPv4ToBinary] as const) : ([128n, convertIPv6ToBinary] as const)
  const shift = bits - (length === undefined ? bits : BigInt(length))
  return toBinary(base) >> shift === toBinary(address) >> shift
}

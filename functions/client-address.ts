/** The client's IP address, from the connection or from a trusted proxy's X-Forwarded-For. */
import ipaddr from 'ipaddr.js'
import type { Deps } from '../core/deps.ts'
import { headerOf } from '../core/http/headers.ts'
import { addressOf, isIn, type Network, networksOf } from '../core/http/networks.ts'
import type { HeaderPairs } from '../core/ports.ts'

/** The client's address, given the address of the connection's peer and the request's headers. */
export type Addressing = (peer: string, headers: HeaderPairs) => string

/** Addressing by `trustedProxies`. Logs once if there seems to be a proxy that is not among them. */
export function createAddressing({ settings, logger }: Pick<Deps, 'settings' | 'logger'>): Addressing {
  const trusted = networksOf(settings.trustedProxies)
  let warned = false
  return (peer, headers) => {
    const address = clientAddress(peer, headers, trusted)
    const said = headerOf(headers, 'x-forwarded-for')
    if (
      !warned &&
      said !== undefined &&
      address === plain(peer) &&
      plain(said.split(',').at(-1) ?? '') !== address
    ) {
      warned = true
      logger.warn('proxy.not_trusted', {
        peer: address,
        hint: 'X-Forwarded-For is ignored: name your proxies in server.trusted_proxies, or all clients count as one',
      })
    }
    return address
  }
}

/**
 * The peer, or behind trusted proxies the last address in X-Forwarded-For that is not one of theirs. Addresses to its left
 * are ignored, because the client may have written them, and so is text that is no address.
 */
export function clientAddress(peer: string, headers: HeaderPairs, trusted: readonly Network[]): string {
  let address = plain(peer)
  if (trusted.length === 0) return address
  const hops = (headerOf(headers, 'x-forwarded-for') ?? '').split(',').map(plain)
  while (isIn(trusted, address)) {
    const hop = hops.pop()
    if (!hop || !addressOf(hop)) break
    address = hop
  }
  return address
}

/** The unit of limits per address: an IPv4 address or an IPv6 /64, because a customer can use any address in their /64. */
export function addressGroup(address: string): string {
  const known = addressOf(address)
  if (!(known instanceof ipaddr.IPv6)) return address
  return `${ipaddr.IPv6.networkAddressFromCIDR(`${known.toString()}/64`).toString()}/64`
}

/** The address without port and brackets, which some proxies add. An IPv4-mapped IPv6 address becomes IPv4. */
function plain(address: string): string {
  return address
    .trim()
    .replace(/^\[(.*)\](:\d+)?$/, '$1')
    .replace(/^([\d.]+):\d+$/, '$1')
    .replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '')
}

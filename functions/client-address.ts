/** The client's IP address, from the connection or from a trusted proxy's X-Forwarded-For. */
import ipaddr from 'ipaddr.js'
import type { Deps } from '../core/deps.ts'
import { headerOf } from '../core/http/headers.ts'
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

type Address = ipaddr.IPv4 | ipaddr.IPv6
/** The first address of the network and the length of its prefix in bits. */
type Network = [Address, number]

/** Parses networks such as 10.0.0.0/8 and single addresses. Throws an Error for anything else. */
export function networksOf(texts: readonly string[]): Network[] {
  return texts.map((text): Network => {
    if (text.includes('/')) return ipaddr.parseCIDR(text)
    const address = ipaddr.parse(text)
    return [address, address.kind() === 'ipv4' ? 32 : 128]
  })
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
    if (!hop || !parsed(hop)) break
    address = hop
  }
  return address
}

/** The unit of limits per address: an IPv4 address or an IPv6 /64, because a customer can use any address in their /64. */
export function addressGroup(address: string): string {
  const known = parsed(address)
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

function isIn(networks: readonly Network[], text: string): boolean {
  const address = parsed(text)
  return (
    address !== undefined &&
    networks.some(([base, bits]) => address.kind() === base.kind() && address.match(base, bits))
  )
}

/** Undefined if `text` is no address. IPv4 must have four parts, because programs read shorter forms differently. */
function parsed(address: string): Address | undefined {
  if (ipaddr.IPv4.isValidFourPartDecimal(address)) return ipaddr.IPv4.parse(address)
  return ipaddr.IPv6.isValid(address) ? ipaddr.IPv6.parse(address) : undefined
}

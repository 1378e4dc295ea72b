/** Which address a request came from, as far as it can be believed. */
import ipaddr from 'ipaddr.js'
import type { Deps } from '../core/deps.ts'
import { headerOf } from '../core/http/headers.ts'
import type { HeaderPairs } from '../core/ports.ts'

/** The address of a client, by its peer and the headers it sent. */
export type Addressing = (peer: string, headers: HeaderPairs) => string

/** Addressing by the configuration. Says once that a proxy seems to be in front which nobody named. */
export function createAddressing({ settings, logger }: Pick<Deps, 'settings' | 'logger'>): Addressing {
  const trusted = networksOf(settings.trustedProxies)
  let told = false
  return (peer, headers) => {
    const address = clientAddress(peer, headers, trusted)
    const said = headerOf(headers, 'x-forwarded-for')
    if (
      !told &&
      said !== undefined &&
      address === plain(peer) &&
      plain(said.split(',').at(-1) ?? '') !== address
    ) {
      told = true
      logger.warn('proxy.not_trusted', {
        peer: address,
        hint: 'X-Forwarded-For is ignored: name your proxies in server.trusted_proxies, or all clients count as one',
      })
    }
    return address
  }
}

type Address = ipaddr.IPv4 | ipaddr.IPv6
/** Its first address, and how many bits of it belong to the network. */
type Network = [Address, number]

/** Networks such as 10.0.0.0/8, and single addresses. */
export function networksOf(texts: readonly string[]): Network[] {
  return texts.map((text): Network => {
    if (text.includes('/')) return ipaddr.parseCIDR(text)
    const address = ipaddr.parse(text)
    return [address, address.kind() === 'ipv4' ? 32 : 128]
  })
}

/**
 * The peer itself, unless it is a trusted proxy: then the last address of X-Forwarded-For that no trusted proxy has.
 * Anything left of that was written by the client and proves nothing, and neither does what is no address.
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

/** What limits per address count: an IPv6 customer has at least a /64 to choose from. */
export function addressGroup(address: string): string {
  const known = parsed(address)
  if (!(known instanceof ipaddr.IPv6)) return address
  return `${ipaddr.IPv6.networkAddressFromCIDR(`${known.toString()}/64`).toString()}/64`
}

/** Without the port and the brackets that some proxies write. IPv4 within IPv6 is the IPv4 address that it means. */
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

/** Undefined for what is no address; IPv4 has four parts, as 1.2 could mean others elsewhere. */
function parsed(address: string): Address | undefined {
  if (ipaddr.IPv4.isValidFourPartDecimal(address)) return ipaddr.IPv4.parse(address)
  return ipaddr.IPv6.isValid(address) ? ipaddr.IPv6.parse(address) : undefined
}

/** Which address a request came from, as far as it can be believed. */
import { convertIPv4ToBinary, convertIPv6ToBinary } from 'hono/utils/ipaddr'
import type { Deps } from '../core/deps.ts'
import { headerOf } from '../core/http/headers.ts'
import type { HeaderPairs } from '../core/ports.ts'

/** The address of a client, by its peer and the headers it sent. */
export type Addressing = (peer: string, headers: HeaderPairs) => string

/** Addressing by the configuration. Says once that a proxy seems to be in front which nobody named. */
export function createAddressing({ settings, logger }: Pick<Deps, 'settings' | 'logger'>): Addressing {
  let told = false
  return (peer, headers) => {
    const address = clientAddress(peer, headers, settings.trustedProxies)
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

/**
 * The peer itself, unless it is a trusted proxy: then the last address of X-Forwarded-For that no trusted proxy has.
 * Anything left of that was written by the client and proves nothing, and neither does what is no address.
 */
export function clientAddress(peer: string, headers: HeaderPairs, trusted: readonly string[]): string {
  let address = plain(peer)
  const hops = (headerOf(headers, 'x-forwarded-for') ?? '').split(',').map(plain)
  while (trusted.some((network) => contains(network, address))) {
    const hop = hops.pop()
    if (!hop || !parsed(hop)) break
    address = hop
  }
  return address
}

/** What limits per address count: an IPv6 customer has at least a /64 to choose from. */
export function addressGroup(address: string): string {
  const known = parsed(address)
  return known?.length === 128n ? `${(known.bits >> 64n).toString(16)}::/64` : address
}

/** Without the port and the brackets that some proxies write. IPv4 within IPv6 is the IPv4 address that it means. */
function plain(address: string): string {
  return address
    .trim()
    .replace(/^\[(.*)\](:\d+)?$/, '$1')
    .replace(/^([\d.]+):\d+$/, '$1')
    .replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '')
}

function contains(network: string, address: string): boolean {
  const [base = '', prefix] = network.split('/')
  const [ours, theirs] = [parsed(base), parsed(address)]
  if (!ours || ours.length !== theirs?.length) return false
  const shift = prefix === undefined ? 0n : ours.length - BigInt(prefix)
  return ours.bits >> shift === theirs.bits >> shift
}

/** `length` tells the families apart; undefined for what is no address. */
function parsed(address: string): { bits: bigint; length: 32n | 128n } | undefined {
  try {
    return address.includes(':')
      ? { bits: convertIPv6ToBinary(address), length: 128n }
      : { bits: convertIPv4ToBinary(address), length: 32n }
  } catch {
    return undefined
  }
}

/** Where channels may be: at public addresses, by https. Everything else could be a way into the gateway's own network. */
import ipaddr from 'ipaddr.js'
import { addressOf } from '../http/networks.ts'
import { PROBLEMS } from '../problems.ts'

/**
 * Public by its number, but Azure's own service for the machine:
 * https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
 */
const AZURE = '168.63.129.16'

/** Whether anybody on the internet could be at this address: not private, loopback, link-local, metadata or reserved. */
export function isPublicAddress(text: string): boolean {
  const address = addressOf(text)
  if (!address) return false
  if (address instanceof ipaddr.IPv4) return isPublicIPv4(address)
  if (address.isIPv4MappedAddress()) return isPublicIPv4(address.toIPv4Address())
  // The last 32 bits of NAT64 are an IPv4 address: https://www.rfc-editor.org/rfc/rfc6052#section-2.1
  if (address.range() === 'rfc6052') return isPublicIPv4(new ipaddr.IPv4(address.toByteArray().slice(12)))
  return address.range() === 'unicast'
}

function isPublicIPv4(address: ipaddr.IPv4): boolean {
  return address.range() === 'unicast' && address.toString() !== AZURE
}

/**
 * What is wrong with an address for a channel; undefined if nothing is. Names are resolved only when they are used, and checked
 * then. http is for private addresses alone, and these only where `allowPrivate`.
 */
export function problemOfAddress(text: string, allowPrivate: boolean): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const isWeb = url?.protocol === 'https:' || (allowPrivate && url?.protocol === 'http:')
  if (!url || !isWeb) return PROBLEMS.https
  if (url.username !== '' || url.password !== '') return PROBLEMS.no_user_in_address
  const literal = addressIn(url)
  const isLocal =
    literal === undefined ? /^localhost$|\.localhost$/i.test(url.hostname) : !isPublicAddress(literal)
  if (isLocal && !allowPrivate) return PROBLEMS.public_address
  if (url.protocol === 'http:' && literal !== undefined && !isLocal) return PROBLEMS.https
  return undefined
}

/** The address that a URL names by its number; undefined for a name. */
export function addressIn({ hostname }: URL): string | undefined {
  const bare = hostname.replace(/^\[|\]$/g, '')
  return addressOf(bare) ? bare : undefined
}

/** Networks in CIDR notation, and whether an address is in one. */
import ipaddr from 'ipaddr.js'

type Address = ipaddr.IPv4 | ipaddr.IPv6
/** The first address of the network and the length of its prefix in bits. */
export type Network = [Address, number]

/** Parses networks such as 10.0.0.0/8 and single addresses. Throws an Error for anything else. */
export function networksOf(texts: readonly string[]): Network[] {
  return texts.map((text): Network => {
    if (text.includes('/')) return ipaddr.parseCIDR(text)
    const address = ipaddr.parse(text)
    return [address, address.kind() === 'ipv4' ? 32 : 128]
  })
}

/** Shorter forms of IPv4, such as 10.1, are none, because programs read them differently. */
export function isNetwork(text: string): boolean {
  const [base = '', bits, ...more] = text.split('/')
  const address = addressOf(base)
  if (!address || more.length > 0) return false
  const most = address.kind() === 'ipv4' ? 32 : 128
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= most)
}

export function isIn(networks: readonly Network[], text: string): boolean {
  const address = addressOf(text)
  return (
    address !== undefined &&
    networks.some(([base, bits]) => address.kind() === base.kind() && address.match(base, bits))
  )
}

/** Undefined if `text` is no address. IPv4 must have four parts, because programs read shorter forms differently. */
export function addressOf(address: string): Address | undefined {
  if (ipaddr.IPv4.isValidFourPartDecimal(address)) return ipaddr.IPv4.parse(address)
  return ipaddr.IPv6.isValid(address) ? ipaddr.IPv6.parse(address) : undefined
}

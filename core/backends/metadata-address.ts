/** Addresses where clouds hand out the machine's own credentials, in every form in which one IPv4 address is written. */
import ipaddr from 'ipaddr.js'
import { invalidField } from '../errors.ts'
import { addressOf, isIn, networksOf } from '../http/networks.ts'
import type { HostLookup } from '../ports.ts'
import { problem } from '../problems.ts'

const REFUSED = networksOf([
  '169.254.0.0/16',
  'fe80::/10',
  // Alibaba Cloud: https://www.alibabacloud.com/help/ecs/user-guide/view-instance-metadata
  '100.100.100.200',
  // Azure: https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
  '168.63.129.16',
  // AWS: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
  'fd00:ec2::254',
  // Google Cloud: https://cloud.google.com/compute/docs/metadata/querying-metadata
  'fd20:ce::254',
])
/**
 * IPv6 addresses that lead to the IPv4 address in them, with its first byte: mapped and compatible ones
 * (https://www.rfc-editor.org/rfc/rfc4291#section-2.5.5), translated ones (RFC 2765), NAT64
 * (https://www.rfc-editor.org/rfc/rfc6052#section-2.1, https://www.rfc-editor.org/rfc/rfc8215) and 6to4 (RFC 3056).
 */
const CARRIERS = [
  ['::ffff:0:0/96', 12],
  ['::/96', 12],
  ['::ffff:0:0:0/96', 12],
  ['64:ff9b::/96', 12],
  ['64:ff9b:1::/48', 12],
  ['2002::/16', 2],
] as const
const CARRYING = CARRIERS.map(([network, at]) => ({ networks: networksOf([network]), at }))

/** Whether an IP address, without brackets, is link-local or a metadata service. */
export function isMetadataAddress(text: string): boolean {
  const address = addressOf(text)
  if (!address) return false
  if (isIn(REFUSED, text)) return true
  return CARRYING.some(({ networks, at }) => {
    if (!isIn(networks, text)) return false
    return isIn(REFUSED, new ipaddr.IPv4(address.toByteArray().slice(at, at + 4)).toString())
  })
}

/**
 * Throws a Refusal invalid_input if the host of any of these URLs is such an address or resolves to one. `lookup` is absent
 * where the runtime resolves no names; a name that does not resolve is none.
 */
export async function assertNoMetadata(
  addresses: readonly { field: string; url: string }[],
  lookup: HostLookup | undefined,
): Promise<void> {
  for (const { field, url } of addresses) {
    const host = new URL(url).hostname.replace(/^\[|\]$/g, '')
    const found = addressOf(host) ? [host] : ((await lookup?.(host).catch(() => [])) ?? [])
    if (found.some(isMetadataAddress)) {
      throw invalidField(field, problem('metadata_address'))
    }
  }
}

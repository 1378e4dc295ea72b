/** DNS lookup that refuses the metadata services of clouds, which hand out the machine's credentials. */
import { type LookupAddress, type LookupOptions, lookup } from 'node:dns'
import { BlockList, type LookupFunction } from 'node:net'

const REFUSED = new BlockList()
REFUSED.addSubnet('169.254.0.0', 16)
REFUSED.addAddress('100.100.100.200')
REFUSED.addSubnet('fe80::', 10, 'ipv6')
REFUSED.addAddress('fd00:ec2::254', 'ipv6')

type Resolve = (
  name: string,
  options: LookupOptions & { all: true },
  done: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void

/** A lookup for connections. The configuration refuses such addresses; this refuses names that resolve to them. */
export function guardedLookup(resolve: Resolve = lookup): LookupFunction {
  return (name, options, done) => {
    resolve(name, { ...options, all: true }, (error, addresses) => {
      const [first] = addresses ?? []
      if (error || !first) return done(error ?? new Error(`${name} has no address`), '')
      if (addresses.some(({ address, family }) => REFUSED.check(address, family === 6 ? 'ipv6' : 'ipv4'))) {
        return done(new Error(`${name} leads to a link-local or metadata address`), '')
      }
      if (options.all) done(null, addresses)
      else done(null, first.address, first.family)
    })
  }
}

/** DNS lookup that refuses the metadata services of clouds, which hand out the machine's credentials. */
import { type LookupAddress, type LookupOptions, lookup } from 'node:dns'
import type { LookupFunction } from 'node:net'
import { isMetadataAddress } from '../../../core/backends/metadata-address.ts'
import { coded } from './coded.ts'

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
      if (addresses.some(({ address }) => isMetadataAddress(address))) {
        return done(coded('METADATA_ADDRESS', `${name} leads to a link-local or metadata address`), '')
      }
      if (options.all) done(null, addresses)
      else done(null, first.address, first.family)
    })
  }
}

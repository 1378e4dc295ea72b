/** All addresses of a host by the machine's own resolver, on Node and Lambda. */
import { lookup } from 'node:dns/promises'
import type { HostLookup } from '../../core/ports.ts'

export const hostLookup: HostLookup = async (name) => {
  const found = await lookup(name, { all: true })
  return found.map(({ address }) => address)
}

/** From where calls are taken: the networks of the configuration, and those of the key. */
import type { Deps } from '../core/deps.ts'
import { Refusal } from '../core/errors.ts'
import { isIn, networksOf } from '../core/http/networks.ts'
import type { Caller } from '../core/keys/caller.ts'

/** Throws a Refusal network_not_allowed unless calls of this key are taken from the address. */
export type AssertNetwork = (caller: Caller, address: () => string) => void

export function createCallNetworks({ settings }: Pick<Deps, 'settings'>): AssertNetwork {
  const ofGateway = settings.callNetworks.length > 0 ? networksOf(settings.callNetworks) : undefined
  return ({ networks: ofKey }, address) => {
    // Most keys and gateways have none, and finding the address takes time.
    if (!ofGateway && !ofKey) return
    const from = address()
    if (ofGateway && !isIn(ofGateway, from)) {
      throw new Refusal('network_not_allowed', `Calls are not taken from ${from}. Use the company's network.`)
    }
    if (ofKey && !isIn(ofKey, from)) {
      throw new Refusal('network_not_allowed', `This API key may not be used from ${from}.`)
    }
  }
}

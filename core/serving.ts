/** What follows from the backends in force, made again as a whole when they change. */
import { type Balancer, createBalancer } from './backends/balancer.ts'
import { type Confirm, createConfirm } from './backends/confirm.ts'
import type { CredentialsOf } from './backends/credentials.ts'
import { OTHER_MODEL } from './backends/health-key.ts'
import type { BackendMemory } from './backends/memory.ts'
import { type OutageParts, outageWriter } from './backends/outages.ts'
import type { Periods } from './limits/period.ts'
import { type Catalogue, createCatalogue } from './models/catalogue.ts'
import { plainSpelling } from './models/name.ts'
import type { Clock, Ledger, Upstream } from './ports.ts'
import type { Prices } from './pricing/prices.ts'
import type { Settings } from './settings.ts'

/** What changes with the backends. */
export interface BackendChange {
  settings: Settings
  prices: Prices
  credentialsOf?: CredentialsOf
}

export interface Serving extends BackendChange {
  balancer: Balancer
  catalogue: Catalogue
  confirm: Confirm
}

export interface ServingParts extends BackendChange, OutageParts {
  clock: Clock
  upstream: Upstream
  ledger: Ledger
  random: () => number
  periods: Periods
  memory: BackendMemory
  /** Calls were served before, so that the gateway is ready without a start-up check. */
  serving: boolean
}

export function createServing(parts: ServingParts): Serving {
  const { settings, clock, prices, waitUntil } = parts
  /**
   * All names that neither the price list nor a backend knows share one, so that clients cannot make records without end.
   * A spelling that backends may not understand says nothing about the model that it means.
   */
  const healthNameOf = (model: string): string => {
    if (prices.rates(model, clock.now()) && plainSpelling(model).name === model)
      return prices.canonical(model)
    return catalogue.known(model) ? model : OTHER_MODEL
  }
  const balancer: Balancer = createBalancer({
    ...parts,
    healthNameOf,
    checkModel: (backend, model, person) => waitUntil(confirm.model(backend, model, person)),
    ...outageWriter(parts),
  })
  const catalogue: Catalogue = createCatalogue({ ...parts, balancer })
  const confirm: Confirm = createConfirm({
    ...parts,
    healthNameOf,
    listed: catalogue.listedBy,
    disable: balancer.disable,
  })
  const { credentialsOf } = parts
  return { settings, prices, ...(credentialsOf && { credentialsOf }), balancer, catalogue, confirm }
}

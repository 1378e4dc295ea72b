/**
 * Opens the driver that a store setting names. One that is not to be had where the gateway runs ends the start: with
 * another in its place, limits would silently not hold.
 */
import { ConfigError } from '../../config/error.ts'
import type { Config } from '../../config/schema.ts'
import type { HealthStore, Ledger, MaybePromise } from '../../core/ports.ts'

/** How to open each store that can be had at `place`, which is named to people. */
export interface Offered<Store extends string, Driver> {
  place: string
  stores: Partial<Record<Store, () => Driver>>
}

/** Throws ConfigError with the stores that are offered, when limits.store names none of them. */
export function openLedger(
  { limits: { store } }: Config,
  offered: Offered<typeof store, MaybePromise<Ledger>>,
): MaybePromise<Ledger> {
  return chosen('limits.store', store, offered)()
}

/** Throws ConfigError with the stores that are offered, when health.store names none of them. */
export function openHealth(
  { health: { store } }: Config,
  offered: Offered<typeof store, HealthStore>,
): HealthStore {
  return chosen('health.store', store, offered)()
}

function chosen<Store extends string, Driver>(
  path: string,
  store: Store,
  { place, stores }: Offered<Store, Driver>,
): () => Driver {
  const open = stores[store]
  if (open) return open
  throw new ConfigError('', [
    { path, message: `${Object.keys(stores).join(' or ')} is expected on ${place}` },
  ])
}

/** The shipped tables: prices, which the configuration may override, and abilities of models. */
import abilities from '../../config/abilities.json' with { type: 'json' }
import { regionalModels } from '../../config/backends.ts'
import { ONCE } from '../../config/load.ts'
import pricing from '../../config/pricing.json' with { type: 'json' }
import type { Config } from '../../config/schema.ts'
import { systemClock } from '../../core/clock.ts'
import { AbilityTable } from '../../core/models/abilities.ts'
import { PriceList } from '../../core/pricing/list.ts'
import { createPrices, type Prices } from '../../core/pricing/prices.ts'

export function pricesFrom(config: Config): Prices {
  const own = config.backends
    .map((backend) => ({
      backend: backend.name,
      multiplier: backend.price_multiplier,
      overrides: backend.pricing,
      regional: regionalModels(backend),
    }))
    .filter(
      ({ multiplier, overrides, regional }) => multiplier !== 1 || overrides.length + regional.length > 0,
    )
  return createPrices(PriceList.parse(pricing, ONCE), config.pricing, own)
}

/** Which models have a price, for warnings about the configuration. */
export function knownPrices(config: Config): { hasPrice(model: string): boolean } {
  const prices = pricesFrom(config)
  return { hasPrice: (model) => prices.rates(model, systemClock.now()) !== undefined }
}

export function shippedAbilities(): AbilityTable {
  return AbilityTable.parse(abilities, ONCE)
}

/** The shipped tables: prices, which the configuration may override, and abilities of models. */
import abilities from '../../config/abilities.json' with { type: 'json' }
import { ONCE } from '../../config/load.ts'
import pricing from '../../config/pricing.json' with { type: 'json' }
import type { Config } from '../../config/schema.ts'
import { systemClock } from '../../core/clock.ts'
import { AbilityTable } from '../../core/models/abilities.ts'
import { createPrices, PriceList, type Prices } from '../../core/pricing/prices.ts'

export function pricesFrom(config: Config): Prices {
  const own = config.backends
    .filter(({ price_multiplier, pricing: overrides }) => price_multiplier !== 1 || overrides.length > 0)
    .map(({ name, price_multiplier, pricing: overrides }) => ({
      backend: name,
      multiplier: price_multiplier,
      overrides,
    }))
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

/** The tables that are shipped with the gateway: prices, with the configuration's own over them, and what models can do. */
import abilities from '../../config/abilities.json' with { type: 'json' }
import pricing from '../../config/pricing.json' with { type: 'json' }
import type { Config } from '../../config/schema.ts'
import { AbilityTable } from '../../core/openai/abilities.ts'
import { createPrices, PriceList, type Prices } from '../../core/usage/price.ts'

export function pricesFrom(config: Config): Prices {
  return createPrices(PriceList.parse(pricing), config.pricing)
}

export function shippedAbilities(): AbilityTable {
  return AbilityTable.parse(abilities)
}

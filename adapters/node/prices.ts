/** The shipped price list with the configuration's own prices over it. */

import pricing from '../../config/pricing.json' with { type: 'json' }
import type { Config } from '../../config/schema.ts'
import { createPrices, PriceList, type Prices } from '../../core/usage/price.ts'

export function pricesFrom(config: Config): Prices {
  return createPrices(PriceList.parse(pricing), config.pricing)
}
